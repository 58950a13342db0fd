//! Express: a route of one method that headers can override, a mounted application, and parameters of a path.

use std::process::Command;

use super::start::{Door, Running, missing, runs};

/// Where Debian keeps the modules of its packages; a Node of another make does not look there by itself.
const MODULES: &str = "/usr/share/nodejs";

/// Starts one; `None`, with a word to standard error, where there is none to start.
pub fn start() -> Option<Running> {
    let node = || {
        let mut command = Command::new("node");
        command.env("NODE_PATH", MODULES).env("NODE_ENV", "production");
        command
    };
    if !runs(node().args(["-e", "require('express')"])) {
        missing("Express", "node-express, nodejs");
        return None;
    }
    let mut doors = ["post", "mount", "parameters"].map(Door::new);
    doors[0].limits = "method = [\"POST\"]\n";
    let ports: Vec<String> = doors.iter().map(Door::port).collect();
    Some(Running::start(doors.into(), &[("express.js", include_str!("express.js"))], |_| {
        let mut command = node();
        command.arg("express.js").args(ports);
        command
    }))
}
