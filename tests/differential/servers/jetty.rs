//! Jetty 9.4: the resource mapped exactly, by the first element of the path-info, and by the target that a handler gets;
//! with its usual rules and with the old, lenient ones.

use std::path::Path;
use std::process::Command;

use super::start::{Door, Running, missing, runs};

const JARS: [&str; 7] =
    ["jetty9-server", "jetty9-servlet", "jetty9-security", "jetty9-http", "jetty9-io", "jetty9-util", "servlet-api"];

/// Starts one; `None`, with a word to standard error, where there is none to start.
pub fn start() -> Option<Running> {
    let jars = JARS.map(|name| format!("/usr/share/java/{name}.jar"));
    // The source is compiled as it is run: a runtime alone does not do.
    let compiler = runs(Command::new("javac").arg("-version"));
    if !jars.iter().all(|jar| Path::new(jar).exists()) || !compiler {
        missing("Jetty", "libjetty9-java, default-jdk-headless");
        return None;
    }
    let doors = ["exact", "first", "first-lenient", "target-lenient"].map(Door::new);
    let ports: Vec<String> = doors.iter().map(Door::port).collect();
    Some(Running::start(doors.into(), &[("Jetty.java", include_str!("Jetty.java"))], |_| {
        let mut command = Command::new("java");
        command.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &jars.join(":")]);
        command.arg("-Dorg.eclipse.jetty.LEVEL=OFF").arg("Jetty.java").args(ports);
        command
    }))
}
