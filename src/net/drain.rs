//! The acts of stopping, and who is told of them.
//!
//! `Running`, then `Delaying` (not ready, still accepting), then `Stopping` (no new connections; what is open
//! finishes), then `Ended` (what is left is cut). It only ever goes forward.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;
use tokio::time::sleep;

use super::DrainSettings;

/// How far the stopping has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing is stopping.
    Running,
    /// Told to be not ready; connections are still accepted.
    Delaying,
    /// No connection is accepted any more; what is under way finishes.
    Stopping,
    /// What is still under way is cut.
    Ended,
}

/// The hand that stops. Clones are the same hand.
#[derive(Clone, Debug)]
pub struct Drain {
    phase: Arc<watch::Sender<Phase>>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { phase: Arc::new(watch::Sender::new(Phase::Running)) }
    }
}

impl Drain {
    /// A view for someone who has to act on it.
    pub fn signal(&self) -> DrainSignal {
        DrainSignal { phase: self.phase.subscribe() }
    }

    /// How far it has come.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Goes through all acts, and resolves when the last one has begun. Whoever waits for the end of the workers
    /// as well takes whichever comes first.
    pub async fn run(&self, settings: DrainSettings) {
        self.advance(Phase::Delaying);
        sleep(settings.delay).await;
        self.advance(Phase::Stopping);
        sleep(settings.timeout).await;
        self.advance(Phase::Ended);
    }

    /// Cuts everything now.
    pub fn end(&self) {
        self.advance(Phase::Ended);
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let forward = to > *phase;
            if forward {
                *phase = to;
            }
            forward
        });
    }
}

/// The view of one who has to act on a drain.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    phase: watch::Receiver<Phase>,
}

impl DrainSignal {
    /// How far it has come.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Resolves when it has come to `phase` or further. A [`Drain`] that is gone has ended.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that nobody can stop us any more but the end of the process: the same as the end.
        let _ = self.phase.wait_for(|now| *now >= phase).await;
    }
}

/// The bells of one worker's connections.
///
/// A connection is polled for every request; were each to wait on the [`DrainSignal`] itself, every request would
/// take a lock that all workers share. So the worker alone waits, and rings.
#[derive(Default)]
pub(super) struct Bells {
    rung: Cell<bool>,
    next: Cell<u64>,
    hung: RefCell<HashMap<u64, Rc<Ringing>>>,
}

#[derive(Default)]
struct Ringing {
    rung: Cell<bool>,
    listener: RefCell<Option<Waker>>,
}

impl Bells {
    /// A bell for one connection; it has rung already where all have.
    pub(super) fn hang(self: &Rc<Self>) -> Bell {
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let ringing = Rc::new(Ringing::default());
        ringing.rung.set(self.rung.get());
        self.hung.borrow_mut().insert(number, Rc::clone(&ringing));
        Bell { bells: Rc::clone(self), number, ringing }
    }

    /// Rings all, those to come as well.
    pub(super) fn ring(&self) {
        self.rung.set(true);
        for ringing in self.hung.borrow().values() {
            ringing.rung.set(true);
            if let Some(waker) = ringing.listener.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

/// One connection's bell: rings when the stopping begins.
pub(super) struct Bell {
    bells: Rc<Bells>,
    number: u64,
    ringing: Rc<Ringing>,
}

impl Bell {
    /// Whether it has rung; if not, the task of `cx` is woken when it does.
    pub(super) fn listen(&self, cx: &Context<'_>) -> bool {
        if self.ringing.rung.get() {
            return true;
        }
        let mut listener = self.ringing.listener.borrow_mut();
        match listener.as_mut() {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *listener = Some(cx.waker().clone()),
        }
        false
    }

    /// Resolves when it rings.
    pub(super) async fn rung(&self) {
        poll_fn(|cx| if self.listen(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.bells.hung.borrow_mut().remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn goes_through_its_acts_in_order_and_never_back() {
        let drain = Drain::default();
        let mut signal = drain.signal();
        let hand = drain.clone();
        let settings = DrainSettings { delay: Duration::from_millis(5), timeout: Duration::from_millis(5) };
        let run = tokio::spawn(async move { hand.run(settings).await });
        signal.reached(Phase::Delaying).await;
        signal.reached(Phase::Stopping).await;
        run.await.unwrap();
        assert_eq!(signal.phase(), Phase::Ended);
        drain.advance(Phase::Delaying);
        assert_eq!(drain.phase(), Phase::Ended);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn rings_every_bell_and_those_hung_later() {
        let bells = Rc::new(Bells::default());
        let early = bells.hang();
        bells.ring();
        early.rung().await;
        bells.hang().rung().await;
        drop(early);
        assert!(bells.hung.borrow().is_empty());
    }
}
