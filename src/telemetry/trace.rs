//! Diagnostics on standard error, and the ids by which a request is found again.
//!
//! Diagnostics are for what happens around requests (a reload, a key fetch, a listener that fails); requests themselves
//! go to the access log. The libraries below are kept at warnings whatever the level: their debug output shows frames
//! and headers, and with them tokens.

use std::cell::Cell;
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use aws_lc_rs::rand;
use http::HeaderValue;
use tracing::dispatcher::{self, Dispatch};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Layered, SubscriberExt};
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload;

use super::{LogFormat, NoRandomness, Settings};
use crate::time::Clock;

/// Libraries that never say more than warnings; a name covers all that begin with it.
const QUIET: [&str; 5] = ["h2", "hyper", "mio", "rustls", "tokio"];
/// Bytes of a request id that is taken over from a trusted peer.
const REQUEST_ID_BYTES: usize = 128;

/// Diagnostics cannot be switched on a second time in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("diagnostics were set up already; a process does that once")]
pub struct AlreadySet;

/// The diagnostics that this handle belonged to are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log cannot be changed: the log is closed")]
pub struct LogClosed;

/// Starts diagnostics on standard error for the whole process.
///
/// # Errors
///
/// When it was called before. The first call's settings stay in force.
pub fn init(settings: &Settings) -> Result<TraceHandle, AlreadySet> {
    let (subscriber, handle) = subscriber(settings, io::stderr().is_terminal(), io::stderr);
    dispatcher::set_global_default(subscriber).map_err(|_| AlreadySet)?;
    Ok(handle)
}

/// Changes level and format of diagnostics while they run.
#[derive(Clone)]
pub struct TraceHandle {
    level: reload::Handle<Targets, Registry>,
    lines: Arc<dyn Fn(LogFormat) -> Result<(), LogClosed> + Send + Sync>,
}

impl TraceHandle {
    /// From now on diagnostics are written as `settings` say.
    ///
    /// # Errors
    ///
    /// When the diagnostics are gone, which happens only in tests.
    pub fn set(&self, settings: &Settings) -> Result<(), LogClosed> {
        self.level.reload(filter(settings.level)).map_err(|_| LogClosed)?;
        (self.lines)(settings.format)
    }
}

impl fmt::Debug for TraceHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TraceHandle")
    }
}

/// What is written at this level.
fn filter(level: LevelFilter) -> Targets {
    let quiet = QUIET.map(|target| (target, level.min(LevelFilter::WARN)));
    Targets::new().with_default(level).with_targets(quiet)
}

/// What is written at each level and how; the layers below the one that writes.
type Filtered = Layered<reload::Layer<Targets, Registry>, Registry>;

/// Diagnostics into any writer.
fn subscriber<W>(settings: &Settings, terminal: bool, writer: W) -> (Dispatch, TraceHandle)
where
    W: for<'a> MakeWriter<'a> + Clone + Send + Sync + 'static,
{
    let (filter, level) = reload::Layer::new(filter(settings.level));
    let (layer, lines) = reload::Layer::new(layer(settings.format, terminal, writer.clone()));
    let lines =
        Arc::new(move |format| lines.reload(self::layer(format, terminal, writer.clone())).map_err(|_| LogClosed));
    (Registry::default().with(filter).with(layer).into(), TraceHandle { level, lines })
}

/// Writes diagnostics in this format.
fn layer<W>(format: LogFormat, terminal: bool, writer: W) -> Box<dyn Layer<Filtered> + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_timer(Timer(Clock::System));
    match format {
        LogFormat::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
        // Colour is switched off but never on here, so that NO_COLOR, which the library looks at, keeps its say.
        LogFormat::Text if terminal => layer.boxed(),
        LogFormat::Text => layer.with_ansi(false).boxed(),
    }
}

/// The time of a diagnostic, written as in the access log.
struct Timer(Clock);

impl FormatTime for Timer {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", self.0.now().stamp())
    }
}

/// The random half of all request ids of this process.
#[derive(Clone, Copy, Debug)]
pub struct RequestIdSeed(u64);

impl RequestIdSeed {
    /// Draws it, once a process.
    ///
    /// # Errors
    ///
    /// When the system has no random bytes to give.
    pub fn new() -> Result<Self, NoRandomness> {
        let mut seed = [0; 8];
        rand::fill(&mut seed).map_err(|_| NoRandomness)?;
        Ok(Self(u64::from_be_bytes(seed)))
    }

    /// Ids for the worker of this number, which is part of each of them.
    pub fn worker(self, worker: u16) -> RequestIds {
        RequestIds { prefix: self.0, next: Cell::new(u64::from(worker) << 48) }
    }
}

/// Request ids of one worker: a random start and a number that counts up. They cost no random bytes a request.
#[derive(Debug)]
pub struct RequestIds {
    prefix: u64,
    next: Cell<u64>,
}

impl RequestIds {
    /// A new id: 32 hex digits.
    #[allow(clippy::expect_used, reason = "hex digits are visible ASCII, and those are always a header value")]
    pub fn fresh(&self) -> HeaderValue {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let id = (u128::from(self.prefix) << 64) | u128::from(number);
        HeaderValue::try_from(format!("{id:032x}")).expect("hex digits are a header value")
    }
}

/// Whether a trusted peer's request id may be taken over: 1 to 128 bytes of visible ASCII.
pub fn acceptable_request_id(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=REQUEST_ID_BYTES).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests;
