//! Starts the real program from a piece of TOML on free ports, and stops it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use waxseal::app::App;
use waxseal::config;
use waxseal::net::{Listen, Signal};
use waxseal::time::Clock;

use crate::client::ask;

/// A running sidecar. Dropped, it stops.
pub struct Sidecar {
    /// Where it listens first.
    pub address: SocketAddr,
    /// Its admin front.
    pub admin: SocketAddr,
    /// The address for probes, where the config has one.
    pub probes: Option<SocketAddr>,
    log: Written,
    signals: tokio::sync::mpsc::UnboundedSender<Signal>,
    thread: Option<JoinHandle<()>>,
}

/// What was written to the access log.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sidecar {
    /// Starts with a config that says neither `listen` nor `[admin]`.
    pub fn start(toml: &str) -> Self {
        Self::at("listen = \"127.0.0.1:0\"\n", toml, Clock::System)
    }

    /// Starts with a clock of the test's own.
    pub fn with_clock(toml: &str, clock: Clock) -> Self {
        Self::at("listen = \"127.0.0.1:0\"\n", toml, clock)
    }

    /// Starts with a `listen` line of the test's own.
    pub fn at(listen: &str, toml: &str, clock: Clock) -> Self {
        Self::whole(format!("{listen}{toml}\n[admin]\nlisten = \"127.0.0.1:0\"\n"), clock)
    }

    /// Starts with more settings of `[admin]`.
    pub fn with_admin(toml: &str, admin: &str) -> Self {
        let toml = format!("listen = \"127.0.0.1:0\"\n{toml}\n[admin]\nlisten = \"127.0.0.1:0\"\n{admin}");
        Self::whole(toml, Clock::System)
    }

    /// Starts with a whole config.
    fn whole(toml: String, clock: Clock) -> Self {
        let log = Written::default();
        let sink = log.clone();
        let (signals, mut received) = tokio::sync::mpsc::unbounded_channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let config = config::parse(&toml, Path::new("test.toml"), &|_| None);
            let config = config.unwrap_or_else(|report| panic!("{report}"));
            let app = App::start(config, clock, Box::new(sink)).unwrap_or_else(|error| panic!("{error}"));
            tell.send((app.addresses.clone(), app.admin, app.probes)).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let next = async || match received.recv().await {
                Some(signal) => signal,
                None => std::future::pending().await,
            };
            runtime.block_on(app.run(next)).unwrap();
        });
        let (addresses, admin, probes) = told.recv_timeout(Duration::from_secs(10)).expect("the sidecar did not start");
        let address = addresses.iter().find_map(|listen| match listen {
            Listen::Tcp { address, .. } => Some(*address),
            Listen::Unix(_) => None,
        });
        let address = address.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        Self { address, admin, probes, log, signals, thread: Some(thread) }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let _ = self.signals.send(signal);
    }

    /// Everything in the access log so far.
    pub fn logged(&self) -> String {
        String::from_utf8(self.log.0.lock().unwrap().clone()).unwrap()
    }

    /// The access log as JSON, once it has at least so many lines.
    pub fn lines(&self, least: usize) -> Vec<serde_json::Value> {
        eventually("lines in the access log", || {
            let logged = self.logged();
            (logged.lines().count() >= least).then(|| {
                logged
                    .lines()
                    .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
                    .collect()
            })
        })
    }

    /// The value of a metric: its name with its labels, as a line of `/metrics` begins.
    pub fn counted(&self, metric: &str) -> u64 {
        let text = ask(self.admin, "GET", "/metrics", &[], "").text();
        let value = text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        value.map_or(0, |value| value.trim().parse().unwrap())
    }

    /// Waits until it has stopped by itself.
    pub fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.signal(Signal::Drain);
        self.signal(Signal::End);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

/// Waits, at most ten seconds, until something is so.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited in vain for: {what}");
}
