//! What is in force now: many readers, one writer.
//!
//! A request takes the epoch once and keeps it to its end, so it never sees a mixture of two.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::decision::route::RouteId;
use crate::decision::snapshot::Snapshot;
use crate::telemetry::metrics::RouteMeters;

/// All that a change of the configuration replaces, replaced at once. `F` is what the fronts need besides.
#[derive(Debug)]
pub struct Epoch<F> {
    /// Counts up with every change.
    pub number: u64,
    /// What decisions read.
    pub snapshot: Snapshot,
    /// The counters of each route, by its place in the table.
    pub meters: Vec<Arc<RouteMeters>>,
    /// What the fronts need.
    pub front: F,
}

impl<F> Epoch<F> {
    /// The counters of a route.
    pub fn meters(&self, route: RouteId) -> Option<&Arc<RouteMeters>> {
        self.meters.get(route.0)
    }
}

/// The reading end.
pub struct Live<F>(Arc<ArcSwap<Epoch<F>>>);

impl<F> Live<F> {
    /// An epoch to begin with.
    pub fn new(first: Epoch<F>) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// The epoch that is in force. Takes no lock.
    pub fn epoch(&self) -> Arc<Epoch<F>> {
        self.0.load_full()
    }
}

impl<F> Clone for Live<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F> fmt::Debug for Live<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Live(epoch {})", self.0.load().number)
    }
}
