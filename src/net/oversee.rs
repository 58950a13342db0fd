//! Holds one connection to its time limits and lets it end well when the process stops.
//!
//! One timer a connection. It is set anew only when it fires, when a request head does not arrive whole, or when a
//! request comes after a long silence, so that a busy connection pays nothing for it: no clock is read per request.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::Limits;
use super::activity::Activity;
use super::drain::Bell;
use super::roster::Seat;
use crate::decision::rejection::Code;

/// How long an idle connection is still served after the stopping began (a request may be on its way), and how
/// long a connection that has said all may take to close.
pub(super) const GRACE: Duration = Duration::from_secs(1);

/// A silence is noticed this many times before it has lasted for `idle_timeout`; so it may last an eighth longer.
const TICKS: u32 = 8;

/// What a peer spent on frames that carry nothing of a request is forgotten so often at most.
const FORGIVING: Duration = Duration::from_secs(10);

/// How a connection came to its end.
#[derive(Debug)]
pub(super) enum Ending {
    /// As HTTP says, or handed over as a tunnel.
    Done,
    /// By the fault of a peer or of the network.
    Failed(hyper::Error),
    /// By a time limit; with the code where that is a refusal.
    Cut(Option<Code>),
}

/// What is to be done now.
enum Act {
    /// Say that no further request will be taken.
    Shutdown,
    /// Close without a word.
    Cut(Option<Code>),
}

/// What the timer is set for.
enum Watch {
    /// This request head to end; 0 is the first while its first byte is still awaited.
    Head(usize),
    /// A silence to have lasted long enough.
    Silence { mark: (usize, usize), since: Instant, settled: bool },
    /// A request that may still be on its way when the process stops.
    Grace,
}

/// The overseer of one connection.
pub(super) struct Overseer {
    activity: Arc<Activity>,
    bell: Bell,
    seat: Seat,
    http2: bool,
    header_timeout: Duration,
    idle_timeout: Duration,
    timer: Pin<Box<Sleep>>,
    watch: Watch,
    /// Since when no further request is taken.
    closing: Option<Instant>,
    /// When flooding was last forgotten.
    forgiven: Instant,
}

impl Overseer {
    /// Oversees a connection whose first request head is due at `deadline`.
    pub(super) fn new(
        activity: Arc<Activity>,
        bell: Bell,
        seat: Seat,
        http2: bool,
        limits: &Limits,
        deadline: Instant,
    ) -> Self {
        Self {
            activity,
            bell,
            seat,
            http2,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            timer: Box::pin(sleep_until(deadline)),
            watch: Watch::Head(0),
            closing: None,
            forgiven: Instant::now(),
        }
    }

    /// Drives `connection` to its end; `shutdown` is how it is told to take no further request.
    pub(super) async fn drive<C>(&mut self, connection: &mut C, shutdown: fn(Pin<&mut C>)) -> Ending
    where
        C: Future<Output = hyper::Result<()>> + Unpin,
    {
        poll_fn(|cx| {
            // Before the connection is polled: the answers of this very turn shall say `Connection: close`.
            if self.bell.listen(cx) {
                self.activity.start_draining();
            }
            loop {
                if let Poll::Ready(outcome) = Pin::new(&mut *connection).poll(cx) {
                    return Poll::Ready(outcome.map_or_else(Ending::Failed, |()| Ending::Done));
                }
                match self.look(cx) {
                    None => return Poll::Pending,
                    Some(Act::Shutdown) => {
                        self.closing = Some(Instant::now());
                        self.rest();
                        shutdown(Pin::new(&mut *connection));
                    }
                    Some(Act::Cut(code)) => return Poll::Ready(Ending::Cut(code)),
                }
            }
        })
        .await
    }

    /// Looks at what has changed since the last look.
    fn look(&mut self, cx: &mut Context<'_>) -> Option<Act> {
        let stopping = self.closing.is_none() && self.bell.listen(cx);
        if stopping && (self.http2 || self.activity.in_flight() > 0) {
            return Some(Act::Shutdown);
        }
        let head = self.activity.open_head().or_else(|| (self.activity.is_fresh() && !stopping).then_some(0));
        match (head, &self.watch) {
            (Some(number), Watch::Head(watched)) if number == *watched => {}
            // The first byte of a new connection changes nothing about when its first head is due.
            (Some(1), Watch::Head(0)) => self.watch = Watch::Head(1),
            (Some(number), _) => {
                self.watch = Watch::Head(number);
                self.timer.as_mut().reset(Instant::now() + self.header_timeout);
            }
            (None, Watch::Grace) => {}
            (None, _) if stopping => {
                self.watch = Watch::Grace;
                self.timer.as_mut().reset(Instant::now() + GRACE);
            }
            (None, Watch::Head(_)) => self.rest(),
            (None, Watch::Silence { mark, settled: true, .. }) if *mark != self.mark() => self.rest(),
            (None, Watch::Silence { .. }) => {}
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if let Some(act) = self.fired() {
                return Some(act);
            }
        }
        None
    }

    /// The timer has fired.
    fn fired(&mut self) -> Option<Act> {
        let (mark, since) = match &self.watch {
            // A new connection that never said a word has asked for nothing that could be refused.
            Watch::Head(_) => return Some(Act::Cut(self.activity.open_head().map(|_| Code::RequestTimeout))),
            Watch::Grace => return Some(Act::Shutdown),
            Watch::Silence { mark, since, .. } => (*mark, *since),
        };
        let idle = self.activity.in_flight() == 0;
        let still = mark == self.mark() && (idle || self.activity.is_blocked());
        let now = Instant::now();
        let limit = if self.closing.is_some() && idle { GRACE } else { self.idle_timeout };
        if self.closing.is_some_and(|closing| idle && now >= closing + self.idle_timeout) {
            return Some(Act::Cut(None));
        }
        if now >= self.forgiven + FORGIVING {
            self.forgiven = now;
            self.activity.forgive();
        }
        if !still {
            self.rest();
        } else if now < since + limit {
            self.watch = Watch::Silence { mark, since, settled: true };
            // Over HTTP/2 the rest of an answer may wait for a window, which does not show here.
            if !self.http2 {
                self.seat.fall_silent();
            }
            self.timer.as_mut().reset(since + limit);
        } else if idle && self.closing.is_none() {
            return Some(Act::Shutdown);
        } else {
            // A peer that takes none of the answer that is due to it, or does not close after all was said.
            return Some(Act::Cut(None));
        }
        None
    }

    /// Begins to watch for a silence.
    fn rest(&mut self) {
        self.seat.wake();
        let now = Instant::now();
        let said = self.closing.is_some() && self.activity.in_flight() == 0;
        let tick = if said { GRACE } else { self.idle_timeout / TICKS };
        self.watch = Watch::Silence { mark: self.mark(), since: now, settled: false };
        self.timer.as_mut().reset(now + tick);
    }

    /// What stands still in a silence: requests, and where an answer is due or the connection is closing, bytes too.
    fn mark(&self) -> (usize, usize) {
        let bytes = self.closing.is_some() || self.activity.in_flight() > 0;
        (self.activity.requests(), if bytes { self.activity.moved() } else { 0 })
    }
}
