//! What is counted: the metric families.
//!
//! Whoever counts holds a handle that was looked up once (a route's when the config is loaded, a worker's when it
//! starts), and counting is an addition to an atomic behind it. Names are looked up under a lock, which the path of a
//! request never does. Handles are kept by name, so a reload finds the counters it had. Names come from the config
//! file alone, never from a client, so nobody outside can make the table grow.

mod exposition;
mod histogram;
mod process;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::decision::rejection::Code;
use crate::time::{Clock, UnixSeconds};

pub use histogram::Count;
use histogram::Histogram;

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The `route` label of what was refused before a route was known.
pub const UNROUTED: &str = "(none)";

/// All counters of the process; built once and shared.
#[derive(Debug)]
pub struct Metrics {
    clock: Clock,
    routes: Named<RouteMeters>,
    upstreams: Named<UpstreamMeters>,
    issuers: Named<KeyMeters>,
    lists: Named<ListMeters>,
    workers: Mutex<Vec<Arc<WorkerMeters>>>,
    unrouted: Arc<RouteMeters>,
    downstream: Arc<Gauge>,
    upstream: Arc<Gauge>,
    epoch: AtomicU64,
    reloads_applied: Count,
    reloads_refused: Count,
    dropped_lines: Arc<Count>,
}

impl Metrics {
    /// Everything at zero. The clock tells the age of key sets when they are asked for.
    pub fn new(clock: Clock) -> Arc<Self> {
        let routes = Named::default();
        let unrouted = routes.named(UNROUTED);
        Arc::new(Self {
            clock,
            routes,
            upstreams: Named::default(),
            issuers: Named::default(),
            lists: Named::default(),
            workers: Mutex::default(),
            unrouted,
            downstream: Arc::default(),
            upstream: Arc::default(),
            epoch: AtomicU64::new(0),
            reloads_applied: Count::default(),
            reloads_refused: Count::default(),
            dropped_lines: Arc::default(),
        })
    }

    /// The counters of the route of this name, the same ones as long as the process lives. Takes a lock: once an epoch.
    pub fn route(&self, name: &str) -> Arc<RouteMeters> {
        self.routes.named(name)
    }

    /// The counters of what was refused before a route was known.
    pub fn unrouted(&self) -> &Arc<RouteMeters> {
        &self.unrouted
    }

    /// The counters of the upstream of this name. Takes a lock: once an epoch.
    pub fn upstream(&self, name: &str) -> Arc<UpstreamMeters> {
        self.upstreams.named(name)
    }

    /// The counters of the keys of this issuer. Takes a lock: once an epoch.
    pub fn issuer(&self, name: &str) -> Arc<KeyMeters> {
        self.issuers.named(name)
    }

    /// The counters of the list of revoked tokens of this issuer. Takes a lock: once an epoch.
    pub fn list(&self, name: &str) -> Arc<ListMeters> {
        self.lists.named(name)
    }

    /// Counters that one worker has to itself; call once a worker.
    pub fn worker(&self) -> Arc<WorkerMeters> {
        let meters = Arc::new(WorkerMeters::default());
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&meters));
        meters
    }

    /// Counts one connection as open until the value is dropped.
    pub fn connection(&self, side: Side) -> OpenConnection {
        self.opened(side);
        OpenConnection(Arc::clone(self.gauge(side)))
    }

    /// Counts one connection as open, for whoever says himself when it is [`closed`](Self::closed).
    pub fn opened(&self, side: Side) {
        self.gauge(side).0.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a connection that was [`opened`](Self::opened) as closed.
    pub fn closed(&self, side: Side) {
        self.gauge(side).0.fetch_sub(1, Ordering::Relaxed);
    }

    fn gauge(&self, side: Side) -> &Arc<Gauge> {
        match side {
            Side::Downstream => &self.downstream,
            Side::Upstream => &self.upstream,
        }
    }

    /// The number of the config that is in force: 1 for the one of the start, one more at each change.
    pub fn epoch(&self, number: u64) {
        self.epoch.store(number, Ordering::Relaxed);
    }

    /// Counts an attempt to reload.
    pub fn reloaded(&self, outcome: ReloadOutcome) {
        match outcome {
            ReloadOutcome::Applied => self.reloads_applied.add(),
            ReloadOutcome::Refused => self.reloads_refused.add(),
        }
    }

    /// Where the access log counts the lines it had to drop.
    pub fn dropped_lines(&self) -> Arc<Count> {
        Arc::clone(&self.dropped_lines)
    }

    /// All of it as OpenMetrics text, of the media type [`CONTENT_TYPE`].
    ///
    /// # Errors
    ///
    /// None that writing into a string can bring about; the encoder's interface has one.
    pub fn render(self: &Arc<Self>) -> Result<String, fmt::Error> {
        exposition::render(Arc::clone(self))
    }
}

/// The counters of one route, shared by all workers.
#[derive(Debug)]
pub struct RouteMeters {
    ok: Count,
    failed: CodeCounts,
    rejected: CodeCounts,
    reported: CodeCounts,
    lifted: CodeCounts,
    seconds: Histogram<{ EXCHANGE_BOUNDS.len() }>,
}

impl RouteMeters {
    /// Counts a request that passed: `None` when it went well, else the code under which it failed afterwards.
    pub fn allowed(&self, code: Option<Code>) {
        match code {
            None => self.ok.add(),
            Some(code) => self.failed.add(code),
        }
    }

    /// Counts a request that was refused.
    pub fn rejected(&self, code: Code) {
        self.rejected.add(code);
    }

    /// Counts a request that passed because its route is in report mode, by the code that it was spared: `None` when it
    /// went well, else the code under which it failed afterwards.
    pub fn reported(&self, lifted: Code, failed: Option<Code>) {
        self.lifted.add(lifted);
        self.reported.add(failed.unwrap_or(lifted));
    }

    /// Takes in how long a request took, from its head to the last byte of its answer.
    pub fn seconds(&self, duration: Duration) {
        self.seconds.observe(duration);
    }
}

impl Default for RouteMeters {
    fn default() -> Self {
        Self {
            ok: Count::default(),
            failed: CodeCounts::default(),
            rejected: CodeCounts::default(),
            reported: CodeCounts::default(),
            lifted: CodeCounts::default(),
            seconds: Histogram::new(&EXCHANGE_BOUNDS),
        }
    }
}

/// The counters of one upstream, shared by all workers.
#[derive(Debug)]
pub struct UpstreamMeters {
    seconds: Histogram<{ EXCHANGE_BOUNDS.len() }>,
}

impl UpstreamMeters {
    /// Takes in how long the upstream took to its response head.
    pub fn seconds(&self, duration: Duration) {
        self.seconds.observe(duration);
    }
}

impl Default for UpstreamMeters {
    fn default() -> Self {
        Self { seconds: Histogram::new(&EXCHANGE_BOUNDS) }
    }
}

/// Counters that belong to one worker and are added up when somebody asks: what every request touches would otherwise
/// wander from core to core. Aligned to a cache line, so that no neighbour drags it along either.
#[derive(Debug)]
#[repr(align(64))]
pub struct WorkerMeters {
    decision: Histogram<{ DECISION_BOUNDS.len() }>,
    memo_hits: Count,
    memo_misses: Count,
}

impl WorkerMeters {
    /// Takes in how long a decision took, waiting for keys not counted.
    pub fn decided(&self, duration: Duration) {
        self.decision.observe(duration);
    }

    /// Counts a token whose proof was remembered.
    pub fn memo_hit(&self) {
        self.memo_hits.add();
    }

    /// Counts a token that had to be proven.
    pub fn memo_miss(&self) {
        self.memo_misses.add();
    }
}

impl Default for WorkerMeters {
    fn default() -> Self {
        Self { decision: Histogram::new(&DECISION_BOUNDS), memo_hits: Count::default(), memo_misses: Count::default() }
    }
}

/// What there is to count about the keys of one issuer; whoever fetches them feeds it.
#[derive(Debug)]
pub struct KeyMeters {
    /// Bits of the second of the last good fetch; not a number while there was none.
    fetched_at: AtomicU64,
    good: Count,
    failed: Count,
}

impl KeyMeters {
    /// Says when the set in use was fetched, also when it came from the shelf. Until then no age is shown.
    pub fn fetched_at(&self, moment: UnixSeconds) {
        self.fetched_at.store(moment.seconds().to_bits(), Ordering::Relaxed);
    }

    /// Says that there is no set in use any more, so that no age is shown.
    pub fn forget(&self) {
        self.fetched_at.store(f64::NAN.to_bits(), Ordering::Relaxed);
    }

    /// Counts a fetch.
    pub fn fetch(&self, outcome: FetchOutcome) {
        match outcome {
            FetchOutcome::Good => self.good.add(),
            FetchOutcome::Failed => self.failed.add(),
        }
    }

    /// Seconds since the set in use was fetched; `None` while no set was had. A clock set back makes it zero.
    pub fn age(&self, now: UnixSeconds) -> Option<f64> {
        let fetched = UnixSeconds::new(f64::from_bits(self.fetched_at.load(Ordering::Relaxed)))?;
        Some(now.since(fetched).max(0.0))
    }
}

impl Default for KeyMeters {
    fn default() -> Self {
        Self { fetched_at: AtomicU64::new(f64::NAN.to_bits()), good: Count::default(), failed: Count::default() }
    }
}

/// The counters of the list of tokens that one issuer took back.
#[derive(Debug, Default)]
pub struct ListMeters {
    good: Count,
    failed: Count,
}

impl ListMeters {
    /// Counts a look at where the list comes from.
    pub fn load(&self, outcome: FetchOutcome) {
        match outcome {
            FetchOutcome::Good => self.good.add(),
            FetchOutcome::Failed => self.failed.add(),
        }
    }
}

/// How an attempt to reload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadOutcome {
    /// The new config is in force.
    Applied,
    /// The old one stays.
    Refused,
}

/// How a fetch of keys, or of a list of revoked tokens, ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// It brought a key set or a list, or word that the old one still holds.
    Good,
    /// It brought nothing of use.
    Failed,
}

/// Which side a connection is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// A client's.
    Downstream,
    /// To an upstream.
    Upstream,
}

/// One open connection; it counts as open until this is dropped.
#[derive(Debug)]
#[must_use = "a connection counts as open only while this is held"]
pub struct OpenConnection(Arc<Gauge>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A number that rises and falls.
#[derive(Debug, Default)]
struct Gauge(AtomicU64);

/// One count a code. Most routes never refuse for most reasons, so the cells are made at the first count: ten thousand
/// routes that only ever let pass stay small.
#[derive(Debug, Default)]
struct CodeCounts(OnceLock<Box<[Count; Code::ALL.len()]>>);

impl CodeCounts {
    fn add(&self, code: Code) {
        let cells = self.0.get_or_init(|| Box::new(std::array::from_fn(|_| Count::default())));
        if let Some(cell) = cells.get(code.index()) {
            cell.add();
        }
    }

    /// The codes that were counted at least once.
    fn counted(&self) -> impl Iterator<Item = (Code, u64)> {
        let cells = self.0.get().into_iter().flat_map(|cells| cells.iter());
        Code::ALL.into_iter().zip(cells).map(|(code, cell)| (code, cell.value())).filter(|(_, count)| *count > 0)
    }
}

/// Handles by name, kept as long as the process lives.
#[derive(Debug)]
struct Named<T>(Mutex<BTreeMap<Arc<str>, Arc<T>>>);

impl<T: Default> Named<T> {
    /// The handle of this name, made when it is not there yet.
    fn named(&self, name: &str) -> Arc<T> {
        let mut handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handles.get(name) {
            return Arc::clone(handle);
        }
        let handle = Arc::new(T::default());
        handles.insert(name.into(), Arc::clone(&handle));
        handle
    }

    /// All of them, taken out so that nobody waits while they are being printed.
    fn all(&self) -> Vec<(Arc<str>, Arc<T>)> {
        let handles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        handles.iter().map(|(name, handle)| (Arc::clone(name), Arc::clone(handle))).collect()
    }
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self(Mutex::new(BTreeMap::new()))
    }
}

/// Upper bounds for exchanges over the network, in nanoseconds: half a millisecond to a minute.
static EXCHANGE_BOUNDS: [u64; 13] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
    15_000_000_000,
    60_000_000_000,
];

/// Upper bounds for decisions, in nanoseconds: a remembered proof takes about one microsecond, a signature up to a hundred.
static DECISION_BOUNDS: [u64; 10] =
    [1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 10_000_000];

#[cfg(test)]
mod tests;
