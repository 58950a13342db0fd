//! Python: Starlette on uvicorn, and Flask on werkzeug's server.

use std::process::Command;

use super::start::{Door, Running, missing, runs};

/// The system's own interpreter: it is the one that sees Debian's packages, whichever comes first in `PATH`.
const PYTHON: &str = "/usr/bin/python3";

/// Starts Starlette; `None`, with a word to standard error, where there is none to start.
pub fn start_asgi() -> Option<Running> {
    let mut doors = ["get", "mount", "path", "twice"].map(Door::new);
    (doors[0].method, doors[0].limits) = ("GET", "method = [\"GET\"]\n");
    start(doors.into(), "asgi.py", include_str!("asgi.py"), "uvicorn, starlette", "python3-uvicorn, python3-starlette")
}

/// Starts Flask; `None`, with a word to standard error, where there is none to start.
pub fn start_wsgi() -> Option<Running> {
    let mut doors = ["post", "path", "named"].map(Door::new);
    doors[0].limits = "method = [\"POST\"]\n";
    doors[2].limits = "host = \"oms.example\"\n";
    start(doors.into(), "wsgi.py", include_str!("wsgi.py"), "flask", "python3-flask")
}

fn start(doors: Vec<Door>, file: &str, text: &str, modules: &str, packages: &str) -> Option<Running> {
    if !runs(Command::new(PYTHON).args(["-c", &format!("import {modules}")])) {
        missing(modules, packages);
        return None;
    }
    let ports: Vec<String> = doors.iter().map(Door::port).collect();
    Some(Running::start(doors, &[(file, text)], |_| {
        let mut command = Command::new(PYTHON);
        command.arg(file).args(ports);
        command
    }))
}
