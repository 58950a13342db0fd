//! Plain Node: the ways in which people find out what a URL names.

use std::process::Command;

use super::start::{Door, Running, missing, runs};

/// Starts one; `None`, with a word to standard error, where there is none to start.
pub fn start() -> Option<Running> {
    if !runs(Command::new("node").arg("--version")) {
        missing("Node", "nodejs");
        return None;
    }
    let doors = ["url", "url-decoded", "legacy", "prefix", "normal", "folded"].map(Door::new);
    let ports: Vec<String> = doors.iter().map(Door::port).collect();
    Some(Running::start(doors.into(), &[("node.js", include_str!("node.js"))], |_| {
        let mut command = Command::new("node");
        command.arg("node.js").args(ports);
        command
    }))
}
