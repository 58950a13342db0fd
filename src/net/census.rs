//! How many connections there are, all workers together, and the moment when there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::Notify;

use super::{Hooks, Limits};

/// The count of open connections. Touched when one opens or closes, never by a request.
pub(super) struct Census {
    open: AtomicUsize,
    admitted: AtomicU64,
    limits: Arc<ArcSwap<Limits>>,
    emptied: Notify,
    hooks: Hooks,
}

impl Census {
    /// No connection yet; at most as many as the limits in force permit.
    pub(super) fn new(limits: Arc<ArcSwap<Limits>>, hooks: Hooks) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), admitted: AtomicU64::new(0), limits, emptied: Notify::new(), hooks })
    }

    /// Lets one more in, or `None` where the limit is reached.
    pub(super) fn admit(self: &Arc<Self>) -> Option<Ticket> {
        if self.open.fetch_add(1, Ordering::AcqRel) >= self.limits.load().connections {
            self.leave();
            return None;
        }
        Some(self.ticket())
    }

    /// Lets one in whatever the limit is, in the place of another that is about to leave.
    pub(super) fn admit_in_place(self: &Arc<Self>) -> Ticket {
        self.open.fetch_add(1, Ordering::AcqRel);
        self.ticket()
    }

    /// The ticket of one that was counted.
    fn ticket(self: &Arc<Self>) -> Ticket {
        (self.hooks.opened)();
        let number = self.admitted.fetch_add(1, Ordering::Relaxed);
        Ticket { census: Arc::clone(self), number }
    }

    /// What holds for a connection that opens now.
    pub(super) fn limits(&self) -> &ArcSwap<Limits> {
        &self.limits
    }

    /// Who is told.
    pub(super) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Resolves when no connection is open.
    pub(super) async fn empty(&self) {
        loop {
            // Registered before the count is read, so that the last one cannot leave unseen in between.
            let emptied = self.emptied.notified();
            if self.open.load(Ordering::Acquire) == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn leave(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.emptied.notify_waiters();
        }
    }
}

/// One place under the limit. It travels with the socket, so that a tunnel counts for as long as it lasts.
pub(super) struct Ticket {
    census: Arc<Census>,
    number: u64,
}

impl Ticket {
    /// Its number; no other ticket has it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        (self.census.hooks.closed)();
        self.census.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn admits_as_many_as_the_limit_and_tells_when_all_are_gone() {
        let most = |connections| Arc::new(Limits { connections, ..super::super::harness::settings(vec![]).limits });
        let limits = Arc::new(ArcSwap::new(most(2)));
        let census = Census::new(Arc::clone(&limits), Hooks::none());
        census.empty().await;
        let (first, second) = (census.admit(), census.admit());
        assert!(first.is_some() && second.is_some());
        assert!(census.admit().is_none());
        drop(first);
        let third = census.admit();
        assert!(third.is_some());
        limits.store(most(1));
        assert!(census.admit().is_none(), "who is in stays, and nobody else comes in");
        limits.store(most(3));
        assert!(census.admit().is_some());
        drop((second, third));
        census.empty().await;
    }
}
