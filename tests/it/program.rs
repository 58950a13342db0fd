//! The binary itself as a child process: its output is kept, and it is ended by its own id.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::harness::eventually;

/// A running child. Dropped, it is killed.
pub struct Program {
    child: Child,
    out: Kept,
    err: Kept,
}

/// What a child has written to one of its outputs.
struct Kept {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Kept {
    fn of(mut output: impl Read + Send + 'static) -> Self {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&bytes);
        let reader = std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = output.read(&mut chunk) {
                sink.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });
        Self { bytes, reader: Some(reader) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

/// How a child ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    /// Starts waxseal in `folder`.
    pub fn start(arguments: &[&str], folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
        command.args(arguments).env_remove("WAXSEAL_CONFIG");
        Self::spawn(&mut command, folder)
    }

    /// Starts any program in `folder`.
    pub fn spawn(command: &mut Command, folder: &Path) -> Self {
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (out, err) = (Kept::of(child.stdout.take().unwrap()), Kept::of(child.stderr.take().unwrap()));
        Self { child, out, err }
    }

    /// Standard output so far.
    pub fn out(&self) -> String {
        self.out.text()
    }

    /// Standard error so far.
    pub fn err(&self) -> String {
        self.err.text()
    }

    /// Where it listens and where its admin front does, once it has said so.
    pub fn addresses(&mut self) -> (SocketAddr, SocketAddr) {
        eventually("the addresses of the child", || {
            assert!(self.is_running(), "it ended: {}", self.err());
            let said = self.err();
            let (admin, own): (Vec<&str>, Vec<&str>) =
                said.lines().filter(|line| line.contains("listening")).partition(|line| line.contains("admin front"));
            Some((own.into_iter().find_map(loopback_address)?, admin.into_iter().find_map(loopback_address)?))
        })
    }

    /// A figure of its memory in kilobytes, by the name it has in `/proc/PID/status`.
    pub fn kilobytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap().trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal by the name that `kill` knows.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits until it has ended by itself.
    pub fn ended(mut self) -> Ended {
        let status = eventually("the child to end", || self.child.try_wait().unwrap());
        for kept in [&mut self.out, &mut self.err] {
            kept.reader.take().unwrap().join().unwrap();
        }
        Ended { code: status.code(), out: self.out(), err: self.err() }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs waxseal in `folder` to its end.
pub fn run(arguments: &[&str], folder: &Path) -> Ended {
    Program::start(arguments, folder).ended()
}

/// Runs waxseal in `folder` to its end, with something to read on standard input.
pub fn run_with_input(arguments: &[&str], folder: &Path, input: &str) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waxseal"));
    command.args(arguments).env_remove("WAXSEAL_CONFIG").current_dir(folder);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A child that ends without reading closes the pipe; that is its business.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The first `127.0.0.1:PORT` in a text.
pub fn loopback_address(text: &str) -> Option<SocketAddr> {
    let at = text.find("127.0.0.1:")?;
    let address = &text[at..];
    let end = address.char_indices().skip(10).find(|(_, character)| !character.is_ascii_digit());
    address[..end.map_or(address.len(), |(end, _)| end)].parse().ok()
}

/// A port that the system gives nobody by itself, and that no other test here takes.
pub fn own_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let spread = std::process::id().wrapping_mul(37) % 15_000;
        let port = 12_000 + u16::try_from(spread).unwrap() + NEXT.fetch_add(1, Ordering::SeqCst) % 3_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder with a `config.toml`.
pub fn folder_with(config: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, config).unwrap();
    (folder, file)
}
