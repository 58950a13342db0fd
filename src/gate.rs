//! Where a worker asks whether a request may pass.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use crate::decision::client::Client;
use crate::decision::decide;
use crate::decision::head::RequestHead;
use crate::decision::memo::Memo;
use crate::decision::rate::{Rates, charge};
use crate::decision::snapshot::Snapshot;
use crate::decision::verdict::Decision;
use crate::telemetry::metrics::WorkerMeters;
use crate::time::{Clock, UnixSeconds};

/// One per worker. It holds that worker's memo and lends it to each decision for the length of one call, and it charges
/// what may pass to the buckets that all workers share.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    memo: RefCell<Memo>,
    rates: Arc<Rates>,
    meters: Arc<WorkerMeters>,
}

impl Gate {
    /// A gate with a memo of its own.
    pub fn new(clock: Clock, memo: Memo, rates: Arc<Rates>, meters: Arc<WorkerMeters>) -> Self {
        Self { clock, memo: RefCell::new(memo), rates, meters }
    }

    /// The time by which it judges.
    pub fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Decides, and counts what that took. `client` finds out who is at the far end, where a route wants to know.
    pub fn judge(
        &self,
        head: &RequestHead<'_>,
        snapshot: &Snapshot,
        client: impl FnOnce() -> Client,
        now: UnixSeconds,
    ) -> Decision {
        let started = Instant::now();
        let mut decision = decide(head, snapshot, &mut self.memo.borrow_mut(), now);
        charge(&mut decision, head, snapshot, &self.rates, client, now);
        self.meters.decided(started.elapsed());
        match decision.remembered {
            Some(true) => self.meters.memo_hit(),
            Some(false) => self.meters.memo_miss(),
            None => {}
        }
        decision
    }
}
