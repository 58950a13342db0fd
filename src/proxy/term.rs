//! How long a stream lasts that was opened with a token: until the request that opened it would no longer pass.
//!
//! That is asked when a stream begins, at every change of what is in force, and when its time is over. Its time is of the
//! wall clock, which can be set, while timers only know how much time has gone by; so the clock is looked at often, and a
//! timer never decides anything.
//!
//! Whoever waits for a term waits for a task of the same worker, never for the changes themselves: a body is polled for
//! every part of it, and would take a lock that all workers share each time.

use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::respond::public_code;
use crate::decision::opening::Opening;
use crate::decision::rejection::{Code, Rejection};
use crate::gate::Gate;
use crate::live::Live;

/// How often the clock is looked at, in seconds: so late is noticed that it was set forward.
const LOOK: f64 = 1.0;
/// In how many milliseconds all streams ask after a change, so that a worker with many of them still serves between.
const SPREAD: u64 = 100;

/// Resolves when a stream must end. Dropped, nobody waits any more.
pub(super) struct Term(JoinHandle<Ended>);

/// Why a stream must end.
#[derive(Debug)]
pub(super) struct Ended {
    /// For the operator.
    pub(super) rejection: Rejection,
    /// The word that its client is told.
    pub(super) told: &'static str,
}

impl Term {
    /// Begins with the stream. `exact`: whether its client is told the code itself.
    pub(super) fn begin<F: 'static>(opening: Opening, gate: &Rc<Gate>, live: &Live<F>, exact: bool) -> Self {
        let (gate, live) = (Rc::clone(gate), live.clone());
        Self(spawn_local(async move {
            let rejection = last(opening, &gate, &live).await;
            Ended { told: public_code(&rejection, exact), rejection }
        }))
    }
}

impl Future for Term {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        Poll::Ready(ready!(Pin::new(&mut self.0).poll(cx)).unwrap_or_else(|error| {
            // What cannot be judged may not go on.
            let rejection = Rejection::new(Code::Internal, format!("whoever watched over it is gone: {error}"));
            Ended { told: rejection.code().name(), rejection }
        }))
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Asks again and again, until the answer is no.
async fn last<F>(mut opening: Opening, gate: &Gate, live: &Live<F>) -> Rejection {
    let mut changes = live.changes();
    loop {
        changes.mark_unchanged();
        // Also at the very beginning: much may have changed while the upstream took its time to answer.
        if let Err(rejection) = gate.ask_again(&mut opening, &live.epoch().snapshot) {
            return rejection;
        }
        occasion(&opening, gate, &mut changes).await;
    }
}

/// Waits until there is reason to ask again: a change, or a time that has run out.
async fn occasion(opening: &Opening, gate: &Gate, changes: &mut watch::Receiver<()>) {
    let left = || opening.until().map_or(f64::INFINITY, |until| until.since(gate.now()));
    while left() > 0.0 {
        tokio::select! {
            Ok(()) = changes.changed() => {
                return sleep(Duration::from_millis(RandomState::new().hash_one(()) % SPREAD)).await;
            }
            () = sleep(Duration::from_secs_f64(left().clamp(0.0, LOOK))) => {}
        }
    }
}

#[cfg(test)]
mod tests;
