//! Where a worker asks whether a request may pass.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use crate::decision::client::Client;
use crate::decision::decide;
use crate::decision::head::RequestHead;
use crate::decision::memo::Memo;
use crate::decision::opening::Opening;
use crate::decision::rate::{Rates, charge};
use crate::decision::rejection::{Code, Rejection};
use crate::decision::snapshot::Snapshot;
use crate::decision::verdict::Decision;
use crate::keys::Courier;
use crate::live::{Epoch, Live};
use crate::telemetry::metrics::WorkerMeters;
use crate::time::{Clock, UnixSeconds};

/// One per worker. It holds that worker's memo and lends it to each decision for the length of one call, and it charges
/// what may pass to the buckets that all workers share.
#[derive(Debug)]
pub struct Gate {
    clock: Clock,
    memo: RefCell<Memo>,
    rates: Arc<Rates>,
    courier: Courier,
    meters: Arc<WorkerMeters>,
}

/// A decision, and what it was made by.
pub struct Judged<F> {
    /// The decision.
    pub decision: Decision,
    /// When it was made.
    pub now: UnixSeconds,
    /// The epoch that it was made by, where another came in force while keys were waited for.
    pub newer: Option<Arc<Epoch<F>>>,
}

impl Gate {
    /// A gate with a memo of its own.
    pub fn new(clock: Clock, memo: Memo, rates: Arc<Rates>, courier: Courier, meters: Arc<WorkerMeters>) -> Self {
        Self { clock, memo: RefCell::new(memo), rates, courier, meters }
    }

    /// The time by which it judges.
    pub fn now(&self) -> UnixSeconds {
        self.clock.now()
    }

    /// Judges a request. Where fresh keys might turn a refusal they are waited for, and all of it is judged once more by
    /// what is in force then. `client` finds out who is at the far end, by the same epoch, where a route wants to know.
    pub async fn judge<F>(
        &self,
        head: &RequestHead<'_>,
        epoch: &Epoch<F>,
        live: &Live<F>,
        client: impl FnOnce(&F) -> Client,
    ) -> Judged<F> {
        let now = self.now();
        let decision = self.decide(head, epoch, now);
        let mut judged = Judged { decision, now, newer: None };
        if !judged.decision.lacking().is_empty() {
            judged = Box::pin(self.judge_again(head, epoch, live, judged)).await;
        }
        let epoch = judged.newer.as_deref().unwrap_or(epoch);
        let client = || client(&epoch.front);
        charge(&mut judged.decision, head, &epoch.snapshot, &self.rates, client, judged.now);
        judged
    }

    /// Asks whether what opened a stream would still pass. That is no request: it is not counted, and no key is fetched.
    ///
    /// # Errors
    /// Why it would not.
    pub fn ask_again(&self, opening: &mut Opening, snapshot: &Snapshot) -> Result<(), Rejection> {
        opening.ask_again(snapshot, &mut self.memo.borrow_mut(), self.now())
    }

    /// Waits for keys, and judges by what is in force then.
    async fn judge_again<F>(
        &self,
        head: &RequestHead<'_>,
        epoch: &Epoch<F>,
        live: &Live<F>,
        first: Judged<F>,
    ) -> Judged<F> {
        let issuers = first.decision.lacking().iter().filter_map(|id| epoch.snapshot.issuers.get(id.0));
        let names = issuers.map(|slot| Arc::clone(&slot.issuer.name)).collect();
        if self.courier.fetch(names).await.is_err() {
            let detail = "the keys that may prove the token could not be waited for";
            let mut decision = first.decision;
            decision.turn(Rejection::new(Code::KeysUnavailable, detail));
            return Judged { decision, ..first };
        }
        let (now, newer) = (self.now(), live.epoch());
        Judged { decision: self.decide(head, &newer, now), now, newer: Some(newer) }
    }

    /// Decides, and counts what that took.
    fn decide<F>(&self, head: &RequestHead<'_>, epoch: &Epoch<F>, now: UnixSeconds) -> Decision {
        let started = Instant::now();
        let mut memo = self.memo.borrow_mut();
        memo.fit(epoch.memo);
        let decision = decide(head, &epoch.snapshot, &mut memo, now);
        self.meters.decided(started.elapsed());
        match decision.remembered {
            Some(true) => self.meters.memo_hit(),
            Some(false) => self.meters.memo_miss(),
            None => {}
        }
        decision
    }
}
