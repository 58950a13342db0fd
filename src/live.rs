//! What is in force now: many readers, one writer.
//!
//! A request takes the epoch once and keeps it to its end, so it never sees a mixture of two. Whatever changes, be it the
//! config, a key set or a list of revoked tokens, changes through the one [`Publisher`], whole.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::decision::keys::IssuerSlot;
use crate::decision::memo;
use crate::decision::route::RouteId;
use crate::decision::snapshot::Snapshot;
use crate::telemetry::metrics::RouteMeters;

/// All that a change of the configuration replaces, replaced at once. `F` is what the fronts need besides.
#[derive(Debug)]
pub struct Epoch<F> {
    /// Counts up with every change of the config.
    pub number: u64,
    /// What decisions read.
    pub snapshot: Snapshot,
    /// What each worker remembers of proven tokens.
    pub memo: memo::Settings,
    /// The counters of each route, by its place in the table.
    pub meters: Arc<[Arc<RouteMeters>]>,
    /// What the fronts need.
    pub front: Arc<F>,
}

impl<F> Epoch<F> {
    /// The counters of a route.
    pub fn meters(&self, route: RouteId) -> Option<&Arc<RouteMeters>> {
        self.meters.get(route.0)
    }
}

/// Not derived: what the fronts need is shared, not copied.
impl<F> Clone for Epoch<F> {
    fn clone(&self) -> Self {
        Self {
            number: self.number,
            snapshot: self.snapshot.clone(),
            memo: self.memo,
            meters: Arc::clone(&self.meters),
            front: Arc::clone(&self.front),
        }
    }
}

struct Shared<F> {
    epoch: ArcSwap<Epoch<F>>,
    changes: watch::Sender<()>,
}

/// The reading end.
pub struct Live<F>(Arc<Shared<F>>);

impl<F> Live<F> {
    /// The epoch that is in force. Takes no lock.
    pub fn epoch(&self) -> Arc<Epoch<F>> {
        self.0.epoch.load_full()
    }

    /// Tells of every change from now on; for what outlives the request that opened it.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changes.subscribe()
    }
}

impl<F> Clone for Live<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for Live<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live(epoch {})", self.0.epoch.load().number)
    }
}

/// The one writing end.
#[derive(Debug)]
pub struct Publisher<F>(Live<F>);

impl<F> Publisher<F> {
    /// An epoch to begin with.
    pub fn new(first: Epoch<F>) -> Self {
        Self(Live(Arc::new(Shared { epoch: ArcSwap::from_pointee(first), changes: watch::Sender::new(()) })))
    }

    /// A reading end.
    pub fn live(&self) -> Live<F> {
        self.0.clone()
    }

    /// Puts an epoch in force.
    pub fn publish(&mut self, epoch: Epoch<F>) {
        let shared = &self.0.0;
        shared.epoch.store(Arc::new(epoch));
        shared.changes.send_replace(());
    }

    /// Puts the epoch in force in which the issuer of this name has another slot, if there is one.
    pub fn amend(&mut self, issuer: &str, change: impl FnOnce(&IssuerSlot) -> IssuerSlot) {
        let mut epoch = Epoch::clone(&self.0.epoch());
        if let Some(slot) = epoch.snapshot.issuers.iter_mut().find(|slot| &*slot.issuer.name == issuer) {
            *slot = change(slot);
            self.publish(epoch);
        }
    }
}
