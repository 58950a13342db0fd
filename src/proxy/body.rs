//! Bodies on their way through: counted, bounded in size and in silence, never collected, never read.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::account::Account;
use super::asked::Asked;
use super::headers::clean_trailers;
use super::respond::last_trailers;
use super::term::Term;
use super::traffic::{Broken, Traffic};
use crate::decision::forwarding::HeaderRules;
use crate::upstream::Lease;

/// The body of a request on its way up.
#[derive(Default)]
pub struct UpBody(Option<Box<Rising>>);

struct Rising {
    incoming: Incoming,
    traffic: Rc<Traffic>,
    rules: Arc<HeaderRules>,
    /// Bytes that are permitted; `None`: any number.
    limit: Option<u64>,
    stall: Stall,
    /// Present while it is not asked for.
    asked: Option<Asked>,
}

impl UpBody {
    /// A body, bounded in size and silence, and where it tells how far it has gone.
    pub(super) fn new(
        incoming: Incoming,
        rules: Arc<HeaderRules>,
        limit: Option<u64>,
        stall: Option<Duration>,
    ) -> (Self, Rc<Traffic>) {
        let traffic = Rc::new(Traffic::new(stall));
        let rising =
            Rising { incoming, traffic: Rc::clone(&traffic), rules, limit, stall: Stall::new(stall), asked: None };
        (Self(Some(Box::new(rising))), traffic)
    }

    /// Lets nothing of it come before it is asked for.
    pub(super) fn wait_for(&mut self, asked: Asked) {
        if let Some(rising) = &mut self.0 {
            rising.asked = Some(asked);
        }
    }
}

impl Body for UpBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        let Some(rising) = &mut self.0 else { return Poll::Ready(None) };
        let frame = ready!(rising.poll(cx));
        if !matches!(frame, Some(Ok(_))) || rising.incoming.is_end_stream() {
            rising.traffic.progress.end();
        }
        if let Some(Err(broken)) = frame {
            rising.traffic.broken.set(Some(broken));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|rising| rising.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |rising| rising.incoming.size_hint())
    }
}

impl Rising {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(asked) = &mut self.asked {
            ready!(Pin::new(asked).poll(cx));
            self.asked = None;
        }
        let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending if self.stall.poll(cx).is_ready() => return Poll::Ready(Some(Err(Broken::Stalled))),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Err(_))) => return Poll::Ready(Some(Err(Broken::Sender))),
            Poll::Ready(Some(Ok(frame))) => frame,
        };
        self.stall.moved();
        self.traffic.progress.step();
        let frame = match frame.into_trailers() {
            Ok(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(clean_trailers(trailers, &self.rules))))),
            Err(data) => data,
        };
        let bytes = self.traffic.bytes.get() + frame.data_ref().map_or(0, |data| data.remaining() as u64);
        self.traffic.bytes.set(bytes);
        if self.limit.is_some_and(|limit| bytes > limit) {
            return Poll::Ready(Some(Err(Broken::TooLarge)));
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

impl Drop for Rising {
    fn drop(&mut self) {
        // Whoever waits for the end must not wait for a body that nobody will read any more.
        self.traffic.progress.end();
    }
}

/// The body of an answer on its way down.
pub struct DownBody(Kind);

enum Kind {
    Whole(Option<Bytes>),
    Falling(Box<Falling>),
}

struct Falling {
    incoming: Incoming,
    /// To be given back when the body has ended.
    lease: Option<Lease<UpBody>>,
    /// To be closed when the body has ended.
    account: Option<Account>,
    stall: Stall,
    /// When the body is cut off whatever happens.
    over: Option<Pin<Box<Sleep>>>,
    /// What it lasts as long as.
    stream: Option<Stream>,
}

/// An answer that lasts as long as what opened it may pass.
pub(super) struct Stream {
    /// Resolves when it must end.
    pub(super) term: Term,
    /// Whether it says so in trailers of its own.
    pub(super) grpc: bool,
}

impl DownBody {
    /// A body of waxseal's own.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Whole(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty())))
    }

    /// The bytes of a body of waxseal's own; one from the upstream has none in hand.
    pub(super) fn into_whole(self) -> Bytes {
        match self.0 {
            Kind::Whole(bytes) => bytes.unwrap_or_default(),
            Kind::Falling(_) => Bytes::new(),
        }
    }

    /// A body from the upstream. `stall`: how long it may be silent; `over`: when it is cut off; `stream`: what it lasts
    /// as long as.
    pub(super) fn falling(
        incoming: Incoming,
        lease: Lease<UpBody>,
        account: Account,
        stall: Option<Duration>,
        over: Option<Instant>,
        stream: Option<Stream>,
    ) -> Self {
        if incoming.is_end_stream() {
            lease.give_back();
            account.close();
            return Self::whole(Bytes::new());
        }
        Self(Kind::Falling(Box::new(Falling {
            incoming,
            lease: Some(lease),
            account: Some(account),
            stall: Stall::new(stall),
            over: over.map(|over| Box::pin(sleep_until(over))),
            stream,
        })))
    }
}

impl Body for DownBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Falling(falling) => match falling.poll_ended(cx) {
                Poll::Pending => falling.poll(cx),
                Poll::Ready(last) => {
                    // With the rest of the answer goes the connection that it came by.
                    self.0 = Kind::Whole(None);
                    Poll::Ready(last.map(Ok))
                }
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Falling(falling) => falling.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Kind::Falling(falling) => falling.incoming.size_hint(),
        }
    }
}

impl Falling {
    /// Whether the body ends here, as if it were whole, and with which last frame.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Bytes>>> {
        let Some(Stream { term, grpc }) = &mut self.stream else { return Poll::Pending };
        let ended = ready!(Pin::new(term).poll(cx));
        if let Some(account) = self.account.take() {
            account.ended(&ended.rejection);
        }
        Poll::Ready(grpc.then(|| Frame::trailers(last_trailers(ended.told))))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if self.over.as_mut().is_some_and(|over| over.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Err(self.cut(Broken::Over))));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending if self.stall.poll(cx).is_ready() => Poll::Ready(Some(Err(self.cut(Broken::Stalled)))),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Err(_))) => Poll::Ready(Some(Err(self.cut(Broken::Sender)))),
            Poll::Ready(Some(Ok(frame))) => {
                self.stall.moved();
                if let (Some(account), Some(data)) = (&mut self.account, frame.data_ref()) {
                    account.sent(data.remaining() as u64);
                }
                if self.incoming.is_end_stream() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(None) => {
                self.end();
                Poll::Ready(None)
            }
        }
    }

    fn end(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        if let Some(account) = self.account.take() {
            account.close();
        }
    }

    fn cut(&mut self, broken: Broken) -> Broken {
        if let Some(account) = self.account.take() {
            account.cut(broken);
        }
        broken
    }
}

/// How long nothing may come. The timer is only set when something has to be waited for.
struct Stall {
    limit: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Stall {
    fn new(limit: Option<Duration>) -> Self {
        Self { limit, timer: None, waiting: false }
    }

    fn moved(&mut self) {
        self.waiting = false;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else { return Poll::Pending };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + limit)));
        if !self.waiting {
            self.waiting = true;
            timer.as_mut().reset(Instant::now() + limit);
        }
        timer.as_mut().poll(cx)
    }
}
