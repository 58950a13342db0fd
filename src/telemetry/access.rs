//! The access log: one line a request, written by a thread of its own.
//!
//! A worker fills an [`AccessRecord`] and gives it away through a bounded channel; formatting and writing happen on the
//! other side. A slow or dead reader of standard output can therefore never hold up a request: lines are dropped and
//! counted instead. What a record can carry is closed by its fields, and whatever a client chose comes in through an
//! [`Excerpt`], which is short and has no query. There is no field for a token, a cookie or a body.

mod line;
mod writer;

use std::borrow::Cow;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use http::{HeaderValue, Method, StatusCode};

use super::metrics::Count;
use super::{LogFormat, NoRandomness, Outcome, Settings};
use crate::decision::rejection::Code;
use crate::time::UnixSeconds;

/// Lines that may wait for the writer. At a hundred thousand requests a second this covers 40 ms of a stuck pipe.
const WAITING_LINES: usize = 4_096;
/// Bytes of a path that are logged.
const PATH_BYTES: usize = 2_048;
/// Bytes of any other text that are logged.
const TEXT_BYTES: usize = 512;

/// Facts of one request, filled as it goes and given away once.
#[derive(Clone, Debug)]
pub struct AccessRecord {
    /// When its head had arrived.
    pub time: UnixSeconds,
    /// The id that the answer carries too.
    pub request_id: Excerpt,
    /// Who sent it.
    pub peer: Peer,
    /// The method, as sent.
    pub method: Excerpt,
    /// The authority it was for; absent where it named none.
    pub host: Option<Excerpt>,
    /// The path, as sent, without query.
    pub path: Excerpt,
    /// The route it fell under; absent where it was refused before one was known.
    pub route: Option<Arc<str>>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why; absent where nothing went wrong, which is logged as `ok`.
    pub code: Option<Code>,
    /// The status of the answer; absent where there was no answer.
    pub status: Option<StatusCode>,
    /// The proven subject; absent where no token was proven.
    pub subject: Option<Excerpt>,
    /// Which token it was; absent where none was presented.
    pub token: Option<TokenMark>,
    /// Bytes of the request body that were read.
    pub bytes_in: u64,
    /// Bytes of the response body that were written.
    pub bytes_out: u64,
    /// From the head of the request to the last byte of the answer.
    pub duration: Duration,
    /// From the request to the upstream to its response head; absent where it was not asked or did not answer.
    pub upstream: Option<Duration>,
    /// What was expected and found, in words for the operator; absent where nothing went wrong.
    pub detail: Option<Excerpt>,
}

impl AccessRecord {
    /// A record with what the head tells. Until someone says otherwise it counts as refused by a fault of ours, so that a
    /// path through the code that forgets to say stands out.
    pub fn open(time: UnixSeconds, request_id: &HeaderValue, peer: Peer, method: &Method, path: &str) -> Self {
        Self {
            time,
            request_id: Excerpt::text(&String::from_utf8_lossy(request_id.as_bytes())),
            peer,
            method: Excerpt::method(method),
            host: None,
            path: Excerpt::path(path),
            route: None,
            outcome: Outcome::Reject,
            code: Some(Code::Internal),
            status: None,
            subject: None,
            token: None,
            bytes_in: 0,
            bytes_out: 0,
            duration: Duration::ZERO,
            upstream: None,
            detail: None,
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Address(IpAddr),
    /// A process on this machine, through a socket in the file system.
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // A dual-stack socket shows IPv4 peers as ::ffff:a.b.c.d, which nobody searches for.
            Peer::Address(address) => address.to_canonical().fmt(f),
            Peer::Unix => f.write_str("unix"),
        }
    }
}

/// Text that a stranger may have chosen, cut to a bounded length; a cut one ends in `…`.
///
/// Records wait in a queue, so their size is bounded when they are filled and not when they are printed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Excerpt(Cow<'static, str>);

impl Excerpt {
    /// Any text but a path: at most 512 bytes.
    pub fn text(text: &str) -> Self {
        Self(Cow::Owned(cut(text, TEXT_BYTES)))
    }

    /// A request path: at most 2 KiB, without query, and without the session that Java servers let ride in it.
    pub fn path(path: &str) -> Self {
        let path = path.split(['?', '#']).next().unwrap_or_default();
        Self(Cow::Owned(cut(&without_session(path), PATH_BYTES)))
    }

    /// A method; the usual ones cost nothing.
    pub fn method(method: &Method) -> Self {
        let usual = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
        match usual.into_iter().find(|name| *name == method.as_str()) {
            Some(name) => Self(Cow::Borrowed(name)),
            None => Self::text(method.as_str()),
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first bytes of a text, cut between characters.
fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let (kept, _) = text.split_at(text.floor_char_boundary(bytes - '…'.len_utf8()));
    format!("{kept}…")
}

/// A path whose `;jsessionid=…` have lost their value. It is a credential like a cookie, in the one place that must be
/// logged; however the `=` is spelled, all goes that follows in its parameter or segment.
fn without_session(path: &str) -> Cow<'_, str> {
    const NAME: &[u8] = b"jsessionid";
    let find = |text: &str| text.as_bytes().windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME));
    let mut kept = String::new();
    let mut rest = path;
    while let Some(at) = find(rest) {
        // The name is ASCII, so both of its ends lie between characters.
        let (before, from_value) = rest.split_at(at + NAME.len());
        let end = from_value.find([';', '/']).unwrap_or(from_value.len());
        kept.push_str(before);
        if end > 0 {
            kept.push_str("=…");
        }
        rest = from_value.split_at(end).1;
    }
    if kept.is_empty() {
        return Cow::Borrowed(path);
    }
    kept.push_str(rest);
    Cow::Owned(kept)
}

/// What tells one token from another without giving it away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenMark {
    /// Its `jti`, for a token that was proven and has one.
    Id(Excerpt),
    /// Its [`TokenDigest`].
    Digest(String),
}

/// Makes short digests of tokens, under a key that this process alone has and forgets when it ends: equal tokens look
/// equal in one run's log, and nobody can try guesses against it. Make one and clone it, or workers disagree.
#[derive(Clone)]
pub struct TokenDigest(hmac::Key);

impl TokenDigest {
    /// A fresh key.
    ///
    /// # Errors
    ///
    /// When the system has no random bytes to give.
    pub fn new() -> Result<Self, NoRandomness> {
        hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map(Self).map_err(|_| NoRandomness)
    }

    /// Sixteen hex digits of the HMAC-SHA256 of the token.
    pub fn of(&self, token: &[u8]) -> String {
        let tag = hmac::sign(&self.0, token);
        tag.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest")
    }
}

/// Where records go. Each worker has a clone; all lead to one writer thread.
#[derive(Clone, Debug)]
pub struct AccessLog(Option<Handle>);

#[derive(Clone, Debug)]
struct Handle {
    format: LogFormat,
    records: SyncSender<Message>,
    dropped: Arc<Count>,
    /// Hears from the writer when it is done; locked by [`AccessLog::close`] alone.
    done: Arc<Mutex<Receiver<()>>>,
}

/// What goes to the writer. Boxed, so that the empty queue takes pointers and not records.
#[derive(Debug)]
enum Message {
    Record(Box<AccessRecord>, LogFormat),
    Close,
}

impl AccessLog {
    /// No access log: what is written goes nowhere and costs nothing.
    pub fn off() -> Self {
        Self(None)
    }

    /// Starts the writer thread. `sink` is standard output but for tests; `dropped` is
    /// [`Metrics::dropped_lines`](super::metrics::Metrics::dropped_lines).
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn start(format: LogFormat, sink: Box<dyn Write + Send>, dropped: Arc<Count>) -> io::Result<Self> {
        let (records, inbox) = mpsc::sync_channel(WAITING_LINES);
        let (said_done, done) = mpsc::channel();
        let writer = writer::Writer::new(sink, Arc::clone(&dropped));
        thread::Builder::new().name(String::from("access-log")).spawn(move || {
            writer.run(inbox);
            // Nobody hears it where nobody closes; that is fine.
            let _ = said_done.send(());
        })?;
        Ok(Self(Some(Handle { format, records, dropped, done: Arc::new(Mutex::new(done)) })))
    }

    /// The same log as these settings want it: in their format, or off.
    pub fn told(&self, settings: &Settings) -> Self {
        let on = self.0.as_ref().filter(|_| settings.access);
        Self(on.map(|handle| Handle { format: settings.format, ..handle.clone() }))
    }

    /// Whether records are wanted, for whoever would rather not fill one in vain.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Gives a record away. Never waits: when the queue is full, or the log closed, the line is dropped and counted.
    pub fn write(&self, record: AccessRecord) {
        if let Some(handle) = &self.0
            && handle.records.try_send(Message::Record(Box::new(record), handle.format)).is_err()
        {
            handle.dropped.add();
        }
    }

    /// Writes out what is waiting and stops; what is written afterwards is dropped. Blocks for at most `limit`, so
    /// call it when nothing is served any more. False when the reader of the log took longer than that.
    pub fn close(&self, limit: Duration) -> bool {
        let Some(handle) = &self.0 else { return true };
        let deadline = Instant::now() + limit;
        let mut message = Message::Close;
        while let Err(TrySendError::Full(back)) = handle.records.try_send(message) {
            if Instant::now() >= deadline {
                return false;
            }
            message = back;
            thread::sleep(Duration::from_millis(2));
        }
        let done = handle.done.lock().unwrap_or_else(PoisonError::into_inner);
        let left = deadline.saturating_duration_since(Instant::now());
        // A sender that is gone without a word means a writer that has ended, too.
        done.recv_timeout(left) != Err(mpsc::RecvTimeoutError::Timeout)
    }
}

#[cfg(test)]
mod tests;
