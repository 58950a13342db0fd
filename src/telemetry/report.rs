//! Who would be refused: what report mode lets pass, taken down by route, code and caller.
//!
//! A worker fills a [`Lifted`] for a request that it let pass in spite of itself and gives it away through a bounded
//! channel, which drops and counts when it is full. A [`Collector`] on the cold side enters what comes into a ledger of
//! bounded size, and the [`ReportBook`] reads it out. Routes that enforce cost nothing: there is nothing to fill.
//!
//! As in the access log, what can be taken down is closed by the fields of the record: there is none for a token, a
//! cookie, a query or a body.

mod ledger;
mod shown;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::access::Excerpt;
use super::metrics::Count;
use crate::decision::client::Client;
use crate::decision::rejection::Code;
use crate::time::UnixSeconds;
use ledger::Ledger;
pub use shown::Report;

/// Records that may wait for the collector: what comes within its pause at eighty thousand lifted requests a second.
const WAITING: usize = 4_096;
/// The collector's pause after a batch. While it sleeps no worker pays a system call for waking it, and no row is late
/// by more than this.
const PAUSE: Duration = Duration::from_millis(50);

/// A request that a route in report mode let pass.
#[derive(Clone, Debug)]
pub struct Lifted {
    /// When its head had arrived.
    pub time: UnixSeconds,
    /// The route it fell under.
    pub route: Arc<str>,
    /// What would have refused it.
    pub code: Code,
    /// Who sent it.
    pub caller: Caller,
    /// The method.
    pub method: Excerpt,
    /// The path as the access log has it, without query.
    pub path: Excerpt,
    /// Its id, by which it is found in the access log.
    pub request_id: Excerpt,
    /// What the sender calls itself.
    pub user_agent: Option<Excerpt>,
    /// What was expected and found, in words for the operator.
    pub detail: Excerpt,
}

/// Who sent a request, as far as that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Caller {
    /// Whom a token speaks for that was proven and did not suffice.
    Subject {
        /// The name of the issuer that proved it.
        issuer: Arc<str>,
        /// Its own name.
        subject: Excerpt,
    },
    /// The far end, where nobody was proven.
    Client(Client),
}

/// The workers' end: clone it.
#[derive(Clone, Debug)]
pub struct ReportLog {
    records: mpsc::Sender<Box<Lifted>>,
    dropped: Arc<Count>,
}

impl ReportLog {
    /// Gives a record away. Never waits: what does not fit is dropped and counted.
    pub fn note(&self, lifted: Lifted) {
        if self.records.try_send(Box::new(lifted)).is_err() {
            self.dropped.add();
        }
    }
}

/// The operator's end: what was taken down so far.
#[derive(Clone, Debug)]
pub struct ReportBook {
    since: UnixSeconds,
    dropped: Arc<Count>,
    /// Shared with the collector alone, which is no worker.
    ledger: Arc<Mutex<Ledger>>,
}

impl ReportBook {
    /// Reads it out; `routes` are those in report mode.
    pub fn report(&self, routes: Vec<String>) -> Report {
        Report::new(self.since, routes, self.dropped.value(), &self.ledger())
    }

    /// Nothing under the lock can panic half-way, so a poisoned one is as good as any.
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enters what the workers give away, on the cold side.
#[derive(Debug)]
pub struct Collector {
    records: mpsc::Receiver<Box<Lifted>>,
    book: ReportBook,
}

impl Collector {
    /// Runs until no worker is left.
    pub async fn run(mut self) {
        while let Some(first) = self.records.recv().await {
            self.enter(first);
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Enters a record and those that wait behind it, at most as many as may wait, so that the operator gets a turn.
    fn enter(&mut self, first: Box<Lifted>) {
        let mut ledger = self.book.ledger();
        ledger.enter(first);
        for _ in 0..WAITING {
            let Ok(next) = self.records.try_recv() else { break };
            ledger.enter(next);
        }
    }
}

/// An empty book that begins at `since`: the workers' end, the collector to run, and the operator's end.
pub fn open(since: UnixSeconds) -> (ReportLog, Collector, ReportBook) {
    let (to, records) = mpsc::channel(WAITING);
    let dropped = Arc::<Count>::default();
    let book = ReportBook { since, dropped: Arc::clone(&dropped), ledger: Arc::default() };
    (ReportLog { records: to, dropped }, Collector { records, book: book.clone() }, book)
}

#[cfg(test)]
mod tests;
