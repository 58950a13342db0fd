//! nginx: locations, an alias for a folder of files, virtual hosts; and as a hop before another server.

use std::process::Command;

use super::start::{Door, Running, missing, runs};

/// Starts one; `None`, with a word to standard error, where there is none to start.
pub fn start() -> Option<Running> {
    let mut doors = ["location", "regex", "alias", "named"].map(Door::new);
    // Files are for reading alone.
    doors[2].method = "GET";
    doors[3].limits = "host = \"oms.example\"\n";
    serve(doors.into(), include_str!("nginx.conf"))
}

/// Starts one that decodes before a Tomcat.
pub fn start_before(tomcat: &Running) -> Option<Running> {
    let doors = ["decoded", "decoded-first", "prefixed-first"].map(Door::new);
    let text = include_str!("nginx-before.conf").replace("EXACT", &tomcat.door("exact").address.to_string());
    serve(doors.into(), &text.replace("FIRST", &tomcat.door("first").address.to_string()))
}

fn serve(doors: Vec<Door>, conf: &str) -> Option<Running> {
    // It is not in everyone's search path.
    let program = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| runs(Command::new(program).arg("-v")));
    let Some(program) = program else {
        missing("nginx", "nginx-light");
        return None;
    };
    let files = [("nginx.conf", conf), ("files/service/updateInventory", "guarded\n"), ("files/open", "other\n")];
    Some(Running::start(doors, &files, |folder| {
        let mut command = Command::new(program);
        command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
        command
    }))
}
