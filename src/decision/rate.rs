//! How often a caller may come: the arithmetic, and the table of who came when.
//!
//! Each caller of a route has a bucket of `requests` tokens that refills evenly over `window`. What is kept of it is one
//! moment, the theoretical arrival time of GCRA (ITU-T I.371): until when the bucket is short of being full. A request
//! moves it on by one interval, and is refused where that would take it further ahead than a whole bucket.
//!
//! The table has a fixed size and is shared by all workers without a lock: a charge is one compare-and-swap. What it
//! cannot keep it forgets in the caller's favour, never against it:
//!
//! - A caller has a choice of eight slots, and takes over the one whose bucket is full or nearest to it. Up to some ten
//!   thousand callers at a time that hits next to nobody; with many more, some find their bucket full again early. Those
//!   who have spent most are forgotten last, so a flood of newcomers frees no spender.
//! - Workers that all see a caller's very first request at the same instant may each give it a bucket, of which one is
//!   kept: that caller gets at most one request more for each further worker.
//! - A stored moment that lies further ahead than a whole bucket and a second cannot be, unless the clock was set back,
//!   and counts for nothing. The second is for workers that read the clock, and come here only after others did.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::client::Client;
use super::head::RequestHead;
use super::principal::Principal;
use super::rejection::{Code, Rejection};
use super::route::{Mode, Route};
use super::snapshot::Snapshot;
use super::verdict::{Decision, Permit, Verdict};
use crate::time::UnixSeconds;

/// How often each caller of a route may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// What callers are told apart by.
    pub per: Per,
    /// Requests that may come at once; at least one.
    pub requests: u32,
    /// How long an empty bucket takes to be full again; at most [`Rate::LONGEST`].
    pub window: Duration,
}

/// What callers are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Per {
    /// The proven subject, and the issuer that proved it.
    Subject,
    /// The address of the client.
    Address,
}

impl Rate {
    /// The longest window.
    pub const LONGEST: Duration = Duration::from_secs(86_400);
    /// The shortest time between two tokens. Anything shorter is no limit that a caller could feel.
    pub const SHORTEST_INTERVAL: Duration = Duration::from_micros(10);

    /// Ticks from one token to the next, rounded up: never more than was asked for.
    fn interval(&self) -> u64 {
        ticks(self.window).div_ceil(u64::from(self.requests.max(1))).max(1)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caller = match self.per {
            Per::Subject => "subject",
            Per::Address => "address",
        };
        write!(f, "{} requests in {:?} for each {caller}", self.requests, self.window)
    }
}

/// Nanoseconds of a tick. Moments are kept as ticks modulo 2^56, which is 36 years: only how far one lies ahead of
/// another is ever looked at.
const TICK: u128 = 16;
/// Bits of a moment.
const MOMENT_BITS: u32 = 56;
const MOMENT: u64 = (1 << MOMENT_BITS) - 1;
/// Callers that the table has room for.
const SLOTS: usize = 65_536;
/// Slots among which a caller chooses.
const CHOICE: usize = 8;
/// Ticks that no bucket takes to be full: what lies further ahead is past.
const HORIZON: u64 = 2 * ticks(Rate::LONGEST);
/// How much earlier than another a worker may have read the clock.
const APART: u64 = ticks(Duration::from_secs(1));

#[allow(clippy::cast_possible_truncation, reason = "modulo 2^56 is what a moment is")]
const fn ticks(length: Duration) -> u64 {
    (length.as_nanos() / TICK) as u64 & MOMENT
}

/// One caller of one route.
#[derive(Debug, Default)]
struct Slot {
    /// The hash of the caller; 0: nobody's.
    caller: AtomicU64,
    /// The moment at which its bucket is full, below the top byte of the hash. A charge changes this word alone, and the
    /// byte keeps it from hitting whoever took the slot over in the meantime.
    full_at: AtomicU64,
}

/// The buckets of all callers: a mebibyte, made when the first request is counted.
pub struct Rates {
    slots: OnceLock<Box<[Slot]>>,
    hasher: RandomState,
}

impl Default for Rates {
    fn default() -> Self {
        Self { slots: OnceLock::new(), hasher: RandomState::new() }
    }
}

impl fmt::Debug for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.slots.get().is_some() { "Rates(in use)" } else { "Rates(unused)" })
    }
}

/// Whom a request is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Caller(u64);

impl Rates {
    /// Takes one token out of the bucket of `key` on `route`.
    ///
    /// # Errors
    /// How long the caller must wait, where the bucket is empty; nothing is taken then.
    pub fn take(&self, route: &Route, rate: &Rate, key: Key<'_>, now: UnixSeconds) -> Result<(), Duration> {
        let caller = self.caller(route, rate, key);
        let (now, interval) = (moment(now), rate.interval());
        let whole = interval * u64::from(rate.requests.max(1));
        let slots = self.slots_of(caller);
        // Whoever loses a race finds what the winner left: in every round of all workers one gets through.
        loop {
            let (slot, seen, short) = match find(slots, caller, now, whole) {
                Some(found) => found,
                None => match fullest(slots, now) {
                    Some((slot, seen)) => (slot, seen, 0),
                    None => return Ok(()),
                },
            };
            let wanted = short + interval;
            if wanted > whole {
                return Err(length(wanted - whole));
            }
            let word = caller.mark() | (now.wrapping_add(wanted) & MOMENT);
            if slot.full_at.compare_exchange(seen, word, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                slot.caller.store(caller.0, Ordering::Relaxed);
                return Ok(());
            }
        }
    }

    /// Puts the token of a request back that was not let through after all.
    fn put_back(&self, route: &Route, rate: &Rate, key: Key<'_>, now: UnixSeconds) {
        let caller = self.caller(route, rate, key);
        let (now, interval) = (moment(now), rate.interval());
        let whole = interval * u64::from(rate.requests.max(1));
        let slots = self.slots_of(caller);
        while let Some((slot, seen, short)) = find(slots, caller, now, whole) {
            let word = caller.mark() | (now.wrapping_add(short.saturating_sub(interval)) & MOMENT);
            if slot.full_at.compare_exchange(seen, word, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return;
            }
        }
    }

    /// The hash is seeded at random, so that nobody can choose whose bucket is the same as another's. Routes of one name
    /// differ in method or host; a changed rate begins anew.
    fn caller(&self, route: &Route, rate: &Rate, key: Key<'_>) -> Caller {
        Caller(self.hasher.hash_one((&route.name, &route.methods, &route.hosts, rate, key)).max(1))
    }

    fn slots_of(&self, caller: Caller) -> &[Slot] {
        let all = self.slots.get_or_init(|| (0..SLOTS).map(|_| Slot::default()).collect());
        let (choices, _) = all.as_chunks::<CHOICE>();
        let at = usize::try_from(caller.0 % (SLOTS / CHOICE) as u64).unwrap_or_default();
        choices.get(at).map_or(&[], |choice| choice.as_slice())
    }
}

impl Caller {
    /// What stands above the moment in the caller's slot.
    fn mark(self) -> u64 {
        self.0 & !MOMENT
    }
}

/// Whose bucket it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'k> {
    /// A proven subject.
    Subject {
        /// The name of its issuer.
        issuer: &'k str,
        /// Its own.
        subject: &'k str,
    },
    /// The far end of the request.
    Client(Client),
}

/// The slot of a caller, what stands in it, and how much its bucket is short of. Of several that a race has left, the
/// emptiest: what was taken from it is not to be forgotten.
fn find(slots: &[Slot], caller: Caller, now: u64, whole: u64) -> Option<(&Slot, u64, u64)> {
    let own = slots.iter().filter(|slot| slot.caller.load(Ordering::Relaxed) == caller.0).filter_map(|slot| {
        let seen = slot.full_at.load(Ordering::Relaxed);
        (seen & !MOMENT == caller.mark()).then_some((slot, seen, ahead(seen, now, whole + APART)))
    });
    own.max_by_key(|(_, _, short)| *short)
}

/// The slot whose bucket is full or will be first, and what stands in it.
fn fullest(slots: &[Slot], now: u64) -> Option<(&Slot, u64)> {
    let seen = slots.iter().map(|slot| (slot, slot.full_at.load(Ordering::Relaxed)));
    seen.min_by_key(|(_, seen)| ahead(*seen, now, HORIZON))
}

/// Ticks until the moment that a slot names; none where it is past, or further ahead than it can be.
fn ahead(seen: u64, now: u64, most: u64) -> u64 {
    let ahead = (seen & MOMENT).wrapping_sub(now) & MOMENT;
    if ahead <= most { ahead } else { 0 }
}

fn moment(now: UnixSeconds) -> u64 {
    ticks(Duration::try_from_secs_f64(now.seconds()).unwrap_or_default())
}

fn length(ticks: u64) -> Duration {
    let nanoseconds = u128::from(ticks) * TICK;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// A request before the bucket of one route.
struct Charge<'c> {
    route: &'c Route,
    rate: Rate,
    key: Key<'c>,
}

/// Counts a request that may pass otherwise against the rate of each route that holds, and turns the verdict where a
/// bucket is empty. It is counted everywhere or, where it is refused, nowhere; another worker may see it counted in the
/// moment between. A CORS preflight is not counted: a browser sends it unasked.
pub fn charge(
    decision: &mut Decision,
    head: &RequestHead<'_>,
    snapshot: &Snapshot,
    rates: &Rates,
    client: impl FnOnce() -> Client,
    now: UnixSeconds,
) {
    let Verdict::Allow(permit) = &mut decision.verdict else { return };
    if head.is_preflight() {
        return;
    }
    let outcome = due(permit, decision.principal.as_deref(), snapshot, client);
    match outcome.and_then(|due| take_all(due, rates, now)) {
        Ok(None) => {}
        Ok(Some(lifted)) => permit.lift(lifted),
        Err(rejection) => decision.verdict = Verdict::Reject(rejection),
    }
}

/// Where a request is to be counted. What report mode has lifted would have been refused before it was counted: then
/// only enforcing routes count it.
fn due<'c>(
    permit: &Permit,
    principal: Option<&'c Principal>,
    snapshot: &'c Snapshot,
    client: impl FnOnce() -> Client,
) -> Result<Vec<Charge<'c>>, Rejection> {
    let counts = |route: &&Route| permit.lifted.is_none() || route.mode == Mode::Enforce;
    let routes = permit.held.iter().filter_map(|id| snapshot.routes.route(id)).filter(counts);
    let rated: Vec<(&Route, Rate)> = routes.filter_map(|route| Some((route, route.rate?))).collect();
    if rated.is_empty() {
        return Ok(Vec::new());
    }
    let client = Key::Client(client());
    let subject = principal.map(|own| Key::Subject { issuer: own.issuer(), subject: own.subject() });
    let charge = |(route, rate): (&'c Route, Rate)| {
        let key = match rate.per {
            Per::Address => Some(client),
            Per::Subject => subject,
        };
        let missing = || Rejection::new(Code::Internal, "a rate by subject where no token was looked at");
        Ok(Charge { route, rate, key: key.ok_or_else(missing)? })
    };
    rated.into_iter().map(charge).collect()
}

/// Takes a token from each bucket, or none where an enforcing route refuses. Gives what report mode lifts.
fn take_all(due: Vec<Charge<'_>>, rates: &Rates, now: UnixSeconds) -> Result<Option<Rejection>, Rejection> {
    let (mut taken, mut refused) = (Vec::new(), Vec::new());
    for charge in due {
        match rates.take(charge.route, &charge.rate, charge.key, now) {
            Ok(()) => taken.push(charge),
            Err(wait) => refused.push((charge, wait)),
        }
    }
    let told = |mode: Mode| {
        let (first, _) = refused.iter().find(|(charge, _)| charge.route.mode == mode)?;
        let waits = refused.iter().filter(|(charge, _)| charge.route.mode == mode).map(|(_, wait)| *wait);
        let detail = format!("route {:?}: more than {}", first.route.name, first.rate);
        Some(Rejection::rate(waits.max().unwrap_or_default(), detail))
    };
    let Some(rejection) = told(Mode::Enforce) else { return Ok(told(Mode::Report)) };
    for charge in taken {
        rates.put_back(charge.route, &charge.rate, charge.key, now);
    }
    Err(rejection)
}

#[cfg(test)]
mod tests;
