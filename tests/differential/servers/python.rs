//! Python: Starlette on uvicorn, Flask on werkzeug's server, and bare WSGI on Gunicorn.

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

/// Starts Gunicorn; `None`, with a word to standard error, where there is none to start.
pub fn start_gunicorn() -> Option<Running> {
    if !runs(Command::new(PYTHON).args(["-c", "import gunicorn"])) {
        missing("gunicorn", "python3-gunicorn");
        return None;
    }
    let door = Door::new("bare");
    let bind = format!("--bind={}", door.address);
    Some(Running::start(vec![door], &[("bare.py", include_str!("bare.py"))], |_| {
        let mut command = Command::new(PYTHON);
        command.args(["-m", "gunicorn", &bind, "--threads=4", "--keep-alive=60", "--log-level=critical"]);
        command.arg("bare:application");
        command
    }))
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
