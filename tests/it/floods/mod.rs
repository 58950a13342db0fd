//! Floods and slowness beside valid requests: whoever sends them is answered or cut within the limits, with a counter
//! and a line in the log; nothing is lost for the others, and everything is given back afterwards.
//!
//! Each test lays a [`Siege`]: the real program as a process of its own, and a witness whose valid requests go on from
//! the first to the last moment. `scripts/flood` measures what the floods do to the time of valid requests.

mod bodies;
mod connections;
mod http2;
mod readers;
mod tokens;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::{Client, ask, request};
use crate::harness::eventually;
use crate::program::{Program, folder_with};
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::upstream::{Answer, Seen, Upstream, ok};

/// Kilobytes that an attack may add to the memory of the process, whatever it is. Four connections with a hundred
/// streams each may hold 64 KiB a stream and 1 MiB a connection, and the allocator keeps some for the next.
const MOST_KILOBYTES: u64 = 96 * 1024;
/// Kilobytes that may be left afterwards, since an allocator gives nothing back at once.
const LEFT_KILOBYTES: u64 = 48 * 1024;
/// Longer than any limit of [`LIMITS`] takes to act on a busy machine.
const PATIENCE: Duration = Duration::from_secs(8);
/// Limits that act within a test.
const LIMITS: &str = "header_timeout = \"600ms\"\nidle_timeout = \"1s\"\nbody_stall = \"600ms\"\n";

/// The bytes of the answers of `/large`.
const LARGE: usize = 32 * 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// A running program under attack, with a witness beside.
struct Siege {
    program: Program,
    upstream: Upstream,
    address: SocketAddr,
    admin: SocketAddr,
    /// Of memory, at rest.
    kilobytes: u64,
    witness: Witness,
    _folder: TempDir,
}

impl Siege {
    /// Starts the program under [`LIMITS`], with `more` of `[limits]`, which goes before.
    fn lay(more: &str) -> Self {
        Self::with("", more, "")
    }

    /// Starts the program with one more address, more of `[limits]` and other sections. `/api/guarded` is the route that
    /// the witness asks for, `/api/other` is another; any other path is open.
    fn with(also: &str, more: &str, sections: &str) -> Self {
        let upstream = Upstream::answering(answer);
        let usual = |line: &&str| line.split_once(" =").is_some_and(|(key, _)| !more.contains(key));
        let limits: Vec<_> = LIMITS.lines().filter(usual).collect();
        let limits = limits.join("\n");
        let (folder, _) = folder_with(&format!(
            "listen = [\"127.0.0.1:0\"{also}]\nworkers = 2\nunmatched = \"open\"\n{}\
             [[route]]\nname = \"guarded\"\npath = \"/api/guarded\"\n[[route]]\npath = \"/api/other\"\n\
             [limits]\n{limits}\n{more}\n\
             [upstream]\nurl = \"http://{}\"\nidle_timeout = \"500ms\"\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n{sections}",
            hotwax_issuer(),
            upstream.address,
        ));
        let mut program = Program::start(&["run"], folder.path());
        let (address, admin) = program.addresses();
        let witness = Witness::on(address);
        witness.goes_on();
        let kilobytes = program.kilobytes("VmRSS");
        Self { program, upstream, address, admin, kilobytes, witness, _folder: folder }
    }

    /// The value of a metric: its name with its labels.
    fn counted(&self, metric: &str) -> u64 {
        let text = ask(self.admin, "GET", "/metrics", &[], "").text();
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// What was refused on open routes or before there was a request, by its code.
    fn refused(&self, code: &str) -> u64 {
        self.counted(&format!("waxseal_requests_total{{route=\"(none)\",verdict=\"reject\",code=\"{code}\"}}"))
    }

    /// Waits until at least so many were refused, and one of them stands in the log.
    fn refuses(&self, code: &str, least: u64) {
        eventually(&format!("{least} {code}"), || (self.refused(code) >= least).then_some(()));
        eventually("a line in the log", || self.logged(|line| line["code"] == code).then_some(()));
    }

    /// Whether a line of the access log is such.
    fn logged(&self, such: impl Fn(&serde_json::Value) -> bool) -> bool {
        self.program.out().lines().filter_map(|line| serde_json::from_str(line).ok()).any(|line| such(&line))
    }

    /// Ends the siege: the witness has lost nothing, memory stayed within bounds, and everything was given back.
    fn lift(self) {
        self.lift_within(MOST_KILOBYTES);
    }

    /// The same with a bound for memory of its own.
    fn lift_within(mut self, most: u64) {
        let served = self.witness.end();
        assert!(self.program.is_running(), "it ended: {}", self.program.err());
        let grown = self.program.kilobytes("VmHWM").saturating_sub(self.kilobytes);
        assert!(grown <= most, "memory grew by {grown} KiB");
        let open = "waxseal_connections{side=\"downstream\"}";
        eventually("all connections to be gone", || (self.counted(open) == 0).then_some(()));
        let open = "waxseal_connections{side=\"upstream\"}";
        eventually("all connections to the upstream to be gone", || (self.counted(open) == 0).then_some(()));
        let left = self.program.kilobytes("VmRSS").saturating_sub(self.kilobytes);
        assert!(left <= LEFT_KILOBYTES.max(most / 2), "{left} KiB are left");
        assert_eq!(
            self.counted("waxseal_requests_total{route=\"guarded\",verdict=\"allow\",code=\"ok\"}"),
            served as u64
        );
        assert!(!self.program.err().contains("panicked"), "{}", self.program.err());
    }
}

/// What the upstream answers: a large or medium body, an endless event stream, nothing, or a yes.
fn answer(seen: &Seen) -> Answer {
    let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n").into_bytes();
    match seen.target() {
        "/large" => Answer::Take(Box::new(move |mut stream| {
            use std::io::Write;
            let _ = stream.write_all(&head(&format!("Content-Length: {LARGE}")));
            let mut pieces = 0..LARGE / PIECE;
            while pieces.next().is_some() && stream.write_all(&[b'x'; PIECE]).is_ok() {}
        })),
        "/medium" => Answer::Bytes(ok(&"x".repeat(PIECE))),
        "/events" => Answer::Take(Box::new(move |mut stream| {
            use std::io::Write;
            let _ = stream.write_all(&head("Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"));
            while stream.write_all(b"9\r\ndata: x\n\n\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        })),
        "/nothing" => Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        _ => Answer::Bytes(ok("{\"ok\":true}")),
    }
}

/// Somebody whose valid requests go on meanwhile, on one connection.
struct Witness {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    fn on(address: SocketAddr) -> Self {
        let (stop, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&served));
        let thread = std::thread::spawn(move || {
            let token = bearer(&good());
            let mut client = Client::connect(address);
            while !stopped.load(Ordering::SeqCst) {
                let bytes = request("POST", "/api/guarded", &[("Authorization", &token)], "{\"a\":1}");
                assert_eq!(client.send(&bytes).response(false).status, 200, "a valid request was lost");
                counted.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { stop, served, thread: Some(thread) }
    }

    /// Waits until it was served some more.
    fn goes_on(&self) {
        let before = self.served.load(Ordering::SeqCst);
        eventually("the witness to be served", || (self.served.load(Ordering::SeqCst) > before + 5).then_some(()));
    }

    fn end(&mut self) -> usize {
        self.goes_on();
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().expect("the witness lost a request");
        self.served.load(Ordering::SeqCst)
    }
}

/// Counts outcomes by what they are called.
fn tally<K: Ord>(outcomes: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}
