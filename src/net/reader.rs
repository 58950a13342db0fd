//! Whether whoever reads an HTTP/2 answer takes it.
//!
//! The library below asks an answer for its next part and then holds that part until the peer gives the stream room. A
//! peer that gives none would keep the stream, what lies behind it and a connection to the upstream for ever, without
//! ever blocking the socket: it may even send pings meanwhile. So each stream runs inside a [`Read`], which ends it
//! when a part lies unsent for too long.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

/// What one stream has taken from its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Hand {
    /// How often it asked; of interest is only whether it did so again.
    asked: usize,
    /// Whether it holds a part.
    full: bool,
}

thread_local! {
    /// The hand of the stream that is being polled on this thread.
    static HAND: Cell<Hand> = const { Cell::new(Hand { asked: 0, full: false }) };
    /// Whether what is being dropped on this thread is dropped since its reader took nothing.
    static FORSAKEN: Cell<bool> = const { Cell::new(false) };
}

/// The stream that is being polled has asked for more of its answer; `full`: it got something that has to be sent.
pub(super) fn note_asked(full: bool) {
    HAND.set(Hand { asked: HAND.get().asked.wrapping_add(1), full });
}

/// Whether what is being dropped on this thread right now is dropped since its reader took nothing for too long.
pub fn is_forsaken() -> bool {
    FORSAKEN.get()
}

/// Lets `dropping` drop something, such that everything in it learns why.
pub(super) fn forsake(dropping: impl FnOnce()) {
    FORSAKEN.set(true);
    dropping();
    FORSAKEN.set(false);
}

pin_project! {
    /// A stream, with patience for its reader. The timer is only set when a part has to wait.
    pub(super) struct Read<F> {
        #[pin]
        stream: Option<F>,
        patience: Duration,
        hand: Hand,
        timer: Option<Pin<Box<Sleep>>>,
        // The hand that the timer was set for.
        timed: Hand,
    }
}

impl<F> Read<F> {
    /// Runs `stream`, and ends it when its reader takes nothing for as long as `patience`.
    pub(super) fn new(stream: F, patience: Duration) -> Self {
        Self { stream: Some(stream), patience, hand: Hand::default(), timer: None, timed: Hand::default() }
    }
}

impl<F: Future<Output = ()>> Future for Read<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Some(stream) = this.stream.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        HAND.set(*this.hand);
        let ended = stream.poll(cx);
        *this.hand = HAND.get();
        if ended.is_ready() || !this.hand.full {
            return ended;
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + *this.patience)));
        if *this.timed != *this.hand {
            *this.timed = *this.hand;
            timer.as_mut().reset(Instant::now() + *this.patience);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        tracing::debug!("a client took nothing of an answer for too long");
        forsake(|| this.stream.set(None));
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::rc::Rc;

    use tokio::task::{LocalSet, spawn_local};
    use tokio::time::{sleep, timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(100);
    const STEP: Duration = Duration::from_millis(40);

    /// Notes, when dropped, whether it was forsaken.
    struct Witness(Rc<Cell<Option<bool>>>);

    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.set(Some(is_forsaken()));
        }
    }

    /// A stream that asks so many times, a step apart, then waits for ever.
    fn stream(asks: usize, full: bool) -> (impl Future<Output = ()>, Rc<Cell<Option<bool>>>) {
        let told = Rc::new(Cell::new(None));
        let witness = Witness(Rc::clone(&told));
        let stream = async move {
            let _witness = witness;
            for _ in 0..asks {
                note_asked(full);
                sleep(STEP).await;
            }
            pending::<()>().await;
        };
        (stream, told)
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_part_that_nobody_takes_ends_the_stream_and_says_why() {
        let (stream, told) = stream(5, true);
        let started = Instant::now();
        Read::new(stream, PATIENCE).await;
        assert!(started.elapsed() >= STEP * 4 + PATIENCE, "counted from the last part that was taken");
        assert_eq!(told.get(), Some(true));
        assert!(!is_forsaken());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_of_which_nothing_is_there_may_be_silent() {
        let (stream, told) = stream(1, false);
        assert!(timeout(PATIENCE * 3, Read::new(stream, PATIENCE)).await.is_err());
        assert_eq!(told.get(), Some(false));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn streams_of_one_thread_do_not_mix() {
        let ((stuck, cut), (silent, going)) = (stream(1, true), stream(1, false));
        let local = LocalSet::new();
        let both = async {
            spawn_local(Read::new(stuck, PATIENCE));
            spawn_local(Read::new(silent, PATIENCE));
            sleep(PATIENCE * 2).await;
            assert_eq!((cut.get(), going.get()), (Some(true), None));
        };
        local.run_until(both).await;
    }
}
