//! What one connection is doing, as seen from both of its ends: the socket below and the requests above.
//!
//! Both write it without a clock and without a lock; `oversee` reads it and holds the connection to its time limits.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, COOKIE};
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use pin_project_lite::pin_project;

use super::framing::Flaw;
use super::reader::note_asked;
use super::{Hooks, Limits, Peer};
use crate::decision::rejection::Code;

/// What a peer may spend on frames that carry nothing of a request before that is a flood. Some clients spend a
/// hundred at once: browsers that leave a page take all of its requests back.
const CREDIT: usize = 1000;
/// What it earns by each part of an answer that it takes, and besides by so many bytes of it: clients ping and widen
/// windows in step with what they receive, by far less than this.
const EARNED_BY_PART: usize = 8;
const BYTES_FOR_ONE: usize = 1024;

/// A mark among the extensions of a request that the parser took and that must be refused all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flawed(pub Flaw);

/// The state of one connection.
///
/// Only the thread that serves the connection writes, so a load and a store do where a shared counter would need a
/// locked instruction. They are atomics because a socket that may become a tunnel has to be `Send`.
#[derive(Debug)]
pub(super) struct Activity {
    /// Requests whose answer has not ended.
    in_flight: AtomicUsize,
    /// How often a request began or ended.
    requests: AtomicUsize,
    /// How often bytes went in or out.
    moved: AtomicUsize,
    /// Request heads that have begun.
    heads: AtomicUsize,
    /// What the peer may still spend on frames that carry nothing of a request; 0 for good once it has flooded.
    credit: AtomicUsize,
    /// Whether the last of them has not ended.
    head_open: AtomicBool,
    /// Whether the connection is new and its first byte still awaited.
    fresh: AtomicBool,
    /// Whether the peer does not take the bytes that are due to it.
    blocked: AtomicBool,
    /// HTTP/1 requests that were handed on.
    taken: AtomicUsize,
    /// The number of the request whose head is flawed, counted from 1, and the number of the flaw; 0 while there is
    /// none. No request after it is taken.
    flawed: AtomicUsize,
    flaw: AtomicU8,
    /// Whether the connection has become a tunnel.
    tunnel: AtomicBool,
    /// Whether the process is stopping.
    draining: AtomicBool,
    /// Whether the peer has sent its last byte.
    ended: AtomicBool,
}

impl Activity {
    /// A connection that has just been opened.
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            in_flight: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            moved: AtomicUsize::new(0),
            heads: AtomicUsize::new(0),
            credit: AtomicUsize::new(CREDIT),
            head_open: AtomicBool::new(false),
            fresh: AtomicBool::new(true),
            blocked: AtomicBool::new(false),
            taken: AtomicUsize::new(0),
            flawed: AtomicUsize::new(0),
            flaw: AtomicU8::new(0),
            tunnel: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        })
    }

    /// Requests whose answer has not ended.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    /// How often a request began or ended.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Relaxed)
    }

    /// How often bytes went in or out.
    pub(super) fn moved(&self) -> usize {
        self.moved.load(Relaxed)
    }

    /// The number of the request head that has begun and not ended.
    pub(super) fn open_head(&self) -> Option<usize> {
        self.head_open.load(Relaxed).then(|| self.heads.load(Relaxed))
    }

    /// Whether the first byte is still awaited.
    pub(super) fn is_fresh(&self) -> bool {
        self.fresh.load(Relaxed)
    }

    /// Whether the peer does not take the bytes that are due to it.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    /// Whether nothing is asked, and nothing of an answer is still on its way out.
    pub(super) fn is_at_rest(&self) -> bool {
        self.in_flight() == 0 && self.open_head().is_none() && !self.is_blocked()
    }

    /// What the peer may still spend on frames that carry nothing of a request.
    pub(super) fn credit(&self) -> usize {
        self.credit.load(Relaxed)
    }

    /// The peer has spent so much.
    pub(super) fn spend(&self, cost: usize) {
        self.credit.store(self.credit().saturating_sub(cost), Relaxed);
    }

    /// The peer has taken a part of an answer of so many bytes.
    fn earn(&self, bytes: usize) {
        let credit = self.credit();
        if credit > 0 && credit < CREDIT {
            let earned = bytes / BYTES_FOR_ONE + EARNED_BY_PART;
            self.credit.store(credit.saturating_add(earned).min(CREDIT), Relaxed);
        }
    }

    /// A while has gone by.
    pub(super) fn forgive(&self) {
        if self.credit() > 0 {
            self.credit.store(CREDIT, Relaxed);
        }
    }

    /// Whether the peer has sent its last byte.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// From now on answers over HTTP/1 say `Connection: close`.
    pub(super) fn start_draining(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Bytes went in or out.
    pub(super) fn note_moved(&self) {
        bump(&self.moved);
    }

    /// Whether a write had to wait.
    pub(super) fn note_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
    }

    /// The peer has sent its last byte.
    pub(super) fn note_end(&self) {
        self.ended.store(true, Relaxed);
    }

    /// The first byte has arrived.
    pub(super) fn note_first_byte(&self) {
        self.fresh.store(false, Relaxed);
    }

    /// A request head has begun.
    pub(super) fn open_next_head(&self) {
        bump(&self.heads);
        self.head_open.store(true, Relaxed);
    }

    /// The request head that had begun has ended.
    pub(super) fn close_head(&self) {
        self.head_open.store(false, Relaxed);
    }

    /// The head of request `number` must be refused.
    pub(super) fn note_flaw(&self, number: usize, flaw: Flaw) {
        self.flawed.store(number, Relaxed);
        self.flaw.store(flaw as u8, Relaxed);
    }

    /// Whether the connection has become a tunnel.
    pub(super) fn is_tunnel(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    /// An HTTP/1 request is handed on. Says what is wrong with its head.
    fn take_head(&self) -> Option<Flaw> {
        self.close_head();
        bump(&self.taken);
        let flawed = self.flawed.load(Relaxed);
        if flawed == 0 || flawed > self.taken.load(Relaxed) {
            return None;
        }
        Flaw::of(self.flaw.load(Relaxed))
    }

    /// A request has begun; it ends when what is given back is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.in_flight.store(self.in_flight.load(Relaxed).saturating_add(1), Relaxed);
        bump(&self.requests);
        InFlight { activity: Arc::clone(self) }
    }
}

fn bump(count: &AtomicUsize) {
    count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
}

/// A request under way, until it is dropped.
pub(super) struct InFlight {
    activity: Arc<Activity>,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let in_flight = &self.activity.in_flight;
        in_flight.store(in_flight.load(Relaxed).saturating_sub(1), Relaxed);
        bump(&self.activity.requests);
    }
}

pin_project! {
    /// The body of an answer on its way out. Its end, or its being dropped, ends the request.
    pub struct Answer<B> {
        #[pin]
        body: Option<B>,
        in_flight: Option<InFlight>,
        // Bytes of the last part. Whoever asks for the next has taken it.
        handed: Option<usize>,
    }
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut parts = self.project();
        if let (Some(in_flight), Some(bytes)) = (&parts.in_flight, parts.handed.take()) {
            in_flight.activity.earn(bytes);
        }
        let frame = match parts.body.as_mut().as_pin_mut() {
            Some(body) => {
                note_asked(false);
                ready!(body.poll_frame(cx))
            }
            None => None,
        };
        let bytes = frame.as_ref().and_then(|frame| Some(frame.as_ref().ok()?.data_ref()?.remaining()));
        note_asked(bytes.is_some());
        // The last part is asked for and never asked beyond.
        match &parts.in_flight {
            Some(in_flight) if parts.body.as_mut().as_pin_mut().is_some_and(|body| body.is_end_stream()) => {
                in_flight.activity.earn(0);
            }
            _ => *parts.handed = bytes,
        }
        if frame.is_none() {
            *parts.in_flight = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// Puts the bookkeeping of a connection around the service that answers its requests.
pub(super) fn observe<S, B>(
    service: S,
    activity: Arc<Activity>,
    limits: &Limits,
    hooks: Hooks,
    peer: Peer,
) -> impl Service<Request<Incoming>, Response = Response<Answer<B>>, Error = Infallible, Future: 'static> + use<S, B>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes> + 'static,
{
    let (fields, size) = (limits.headers, limits.header_size);
    service_fn(move |mut request: Request<Incoming>| {
        let in_flight = activity.begin();
        let http1 = request.version() < Version::HTTP_2;
        let flaw = if http1 { activity.take_head() } else { None };
        if let Some(flaw) = flaw {
            request.extensions_mut().insert(Flawed(flaw));
        }
        // HTTP/1 heads were measured by the parser.
        let refused = !http1 && is_too_large(&request, fields, size);
        if refused {
            (hooks.refused)(Code::HeadersTooLarge, peer);
        }
        let answer = (!refused).then(|| service.call(request));
        let activity = Arc::clone(&activity);
        async move {
            let Some(answer) = answer else { return Ok(bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, in_flight)) };
            let mut response = answer.await?;
            if response.body().is_end_stream() {
                // There is no part to take: the head is all of it.
                activity.earn(0);
            }
            let tunnel = response.status() == StatusCode::SWITCHING_PROTOCOLS;
            if tunnel {
                activity.tunnel.store(true, Relaxed);
            }
            // Where a flawed request ends is not known.
            if flaw.is_some() || (http1 && !tunnel && activity.draining.load(Relaxed)) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response.map(|body| Answer { body: Some(body), in_flight: Some(in_flight), handed: None }))
        }
    })
}

/// An answer of this room's own, without a body.
fn bare<B>(status: StatusCode, in_flight: InFlight) -> Response<Answer<B>> {
    let mut response = Response::new(Answer { body: None, in_flight: Some(in_flight), handed: None });
    *response.status_mut() = status;
    response
}

/// Whether an HTTP/2 head is beyond the limits; its size is counted as RFC 9113 section 6.5.2 counts it.
fn is_too_large(request: &Request<Incoming>, fields: usize, size: usize) -> bool {
    const OVERHEAD: usize = 32;
    let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
    // Browsers send each cookie in a field of its own; it is one field all the same (RFC 9113 section 8.2.3).
    let crumbs = request.headers().get_all(COOKIE).iter().count().saturating_sub(1);
    let bytes = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + OVERHEAD)
        .fold(target, usize::saturating_add);
    request.headers().len() - crumbs > fields || bytes > size
}
