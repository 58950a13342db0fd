//! Requests that go on at a steady rate while something happens.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::client::Client;

/// How one request ended.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// When it was sent.
    pub(super) sent: Instant,
    /// Which of the load's requests it was.
    pub(super) which: usize,
    /// `allow`, or the code of the refusal.
    pub(super) verdict: String,
}

/// Requests under way; each connection sends its own at an even pace and waits for each answer.
pub(super) struct Load {
    over: Arc<AtomicBool>,
    senders: Vec<JoinHandle<Vec<Outcome>>>,
}

impl Load {
    /// Sends so many a second over so many connections; `make` gives the bytes of each by its number, and which it is.
    pub(super) fn start(
        to: SocketAddr,
        rate: u32,
        connections: u32,
        make: impl Fn(usize) -> (usize, Vec<u8>) + Send + Sync + 'static,
    ) -> Self {
        let (over, make) = (Arc::new(AtomicBool::new(false)), Arc::new(make));
        let sender = |own| {
            let (over, make) = (Arc::clone(&over), Arc::clone(&make));
            thread::spawn(move || {
                let (mut client, mut outcomes) = (Client::connect(to), Vec::new());
                let step = Duration::from_secs(1) * connections / rate;
                let mut due = Instant::now() + step * own / connections;
                for turn in 0_usize.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                    due += step;
                    let (which, bytes) = make(turn * connections as usize + own as usize);
                    let sent = Instant::now();
                    let response = client.send(&bytes).response(false);
                    let verdict = if response.status == 200 { "allow".to_owned() } else { response.code() };
                    outcomes.push(Outcome { sent, which, verdict });
                }
                outcomes
            })
        };
        let senders = (0..connections).map(sender).collect();
        Self { over, senders }
    }

    /// Ends it and gives every outcome. A connection that broke has panicked.
    pub(super) fn end(self) -> Vec<Outcome> {
        self.over.store(true, Ordering::Relaxed);
        self.senders.into_iter().flat_map(|sender| sender.join().expect("a request was lost")).collect()
    }
}
