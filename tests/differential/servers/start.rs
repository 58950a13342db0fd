//! A server as a child process with several doors: ports of its own, each with another way of finding the resource.
//!
//! Every door answers `guarded TARGET` or `other TARGET` in the first line of its body, and the first word in a field
//! `X-Served` too, since the answer to a HEAD has no body. What a server refuses it answers in its own words.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::program::{Program, own_port};

/// The resource that every door guards.
pub const GUARDED: &str = "/api/service/updateInventory";

/// A port of a server with one way of finding the resource.
pub struct Door {
    /// What is special about it.
    pub name: &'static str,
    /// Where it listens; waxseal is put in front of it.
    pub address: SocketAddr,
    /// A method under which it serves the resource.
    pub method: &'static str,
    /// What its route says beside the path: whom this door would serve the resource.
    pub limits: &'static str,
}

impl Door {
    /// One that does not look at the method.
    pub fn new(name: &'static str) -> Self {
        Self { name, address: SocketAddr::from(([127, 0, 0, 1], own_port())), method: "POST", limits: "" }
    }

    /// Its port, as text for a file or a command.
    pub fn port(&self) -> String {
        self.address.port().to_string()
    }

    /// Whether it serves the resource to whoever asks plainly.
    fn is_open(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        let asked = format!("{} {GUARDED} HTTP/1.1\r\nHost: oms.example\r\nContent-Length: 0\r\n\r\n", self.method);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let mut answer = [0; 4096];
        let read = stream.write_all(asked.as_bytes()).and_then(|()| stream.read(&mut answer)).unwrap_or(0);
        String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase().contains("x-served: guarded")
    }
}

/// A server that runs. Dropped, its process is killed by its id.
pub struct Running {
    /// Its doors, each of them open.
    pub doors: Vec<Door>,
    command: Command,
    folder: TempDir,
    process: Option<Program>,
}

impl Running {
    /// Writes these files into a folder of its own, starts the command there, and waits until every door is open.
    pub fn start(doors: Vec<Door>, files: &[(&str, &str)], command: impl FnOnce(&Path) -> Command) -> Self {
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            let mut text = (*text).to_owned();
            for door in &doors {
                text = text.replace(&format!("{{{}}}", door.name), &door.port());
            }
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        let command = command(folder.path());
        let mut running = Self { doors, command, folder, process: None };
        running.wake();
        running
    }

    /// Starts the process, and waits until it answers.
    pub fn wake(&mut self) {
        let process = self.process.insert(Program::spawn(&mut self.command, self.folder.path()));
        // A minute: a Java machine starts slowly where others build.
        for _ in 0..1200 {
            if self.doors.iter().all(Door::is_open) {
                return;
            }
            assert!(process.is_running(), "{:?} ended: {}{}", self.command, process.out(), process.err());
            std::thread::sleep(Duration::from_millis(50));
        }
        let shut: Vec<&str> = self.doors.iter().filter(|door| !door.is_open()).map(|door| door.name).collect();
        panic!("{:?}: {shut:?} do not answer: {}{}", self.command, process.out(), process.err());
    }

    /// Ends the process.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// The door of that name.
    pub fn door(&self, name: &str) -> &Door {
        self.doors.iter().find(|door| door.name == name).unwrap()
    }
}

/// Whether a program runs well, to see whether there is one.
pub fn runs(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Says aloud that a server is not there; fails where it has to be.
pub fn missing(server: &str, packages: &str) {
    let required = std::env::var("WAXSEAL_UPSTREAMS").is_ok_and(|value| value == "required");
    let word = format!("no {server} here (Debian packages {packages})");
    assert!(!required && std::env::var_os("CI").is_none(), "{word}");
    eprintln!("SKIPPED: {word}");
}
