//! Open connections of one worker, and the one way to send a request.
//!
//! What is never done: sending anything twice that may have arrived. A request goes to another connection only where
//! none of it was written, or where it is a `GET`, `HEAD` or `OPTIONS` without a body and no byte of an answer came
//!.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use super::connect::connect;
use super::stream::{Counted, Heard, Stream};
use super::{HostMode, Upstream, UpstreamError};
use crate::telemetry::metrics::{Metrics, Side};

/// Header fields of a response that are taken; more are no answer.
const MOST_HEADERS: usize = 256;
/// How often unused connections are looked through, while there are any.
const REAPING: Duration = Duration::from_millis(500);
/// Bytes of a response head that are taken, and of a response that are held while its reader is slow: what a slow
/// reader costs here.
const BUFFER: usize = 64 * 1024;

/// The open connections of one worker.
pub struct Pool<B>(Rc<Shared<B>>);

struct Shared<B> {
    idle: RefCell<Vec<Idle<B>>>,
    /// For upstreams of several servers, which is next in turn.
    turns: RefCell<Vec<(Arc<Upstream>, usize)>>,
    /// Whether someone closes what has lain too long.
    reaping: Cell<bool>,
    metrics: Arc<Metrics>,
}

/// A connection that waits for its next request.
struct Idle<B> {
    place: Place,
    sender: SendRequest<B>,
    heard: Heard,
    since: Instant,
}

/// A server of an upstream.
#[derive(Clone)]
struct Place {
    upstream: Arc<Upstream>,
    server: usize,
}

/// A response, and the hold on the connection that it comes by.
pub struct Answer<B> {
    /// Its head has arrived, its body is arriving.
    pub response: Response<Incoming>,
    /// To be given back once the body has ended.
    pub lease: Lease<B>,
    /// From the request to the head of the response.
    pub waited: Duration,
}

/// A hold on a connection. Dropped without being given back, it ends the connection.
pub struct Lease<B> {
    shared: Weak<Shared<B>>,
    place: Place,
    sender: SendRequest<B>,
    heard: Heard,
}

/// How far a request body has gone; shared by the body and whoever waits for the answer.
#[derive(Debug)]
pub struct Progress {
    /// How long the body may stand still, whoever it is that does not move it; `None`: as long as it likes.
    stall: Option<Duration>,
    moved: Cell<u64>,
    ended: Cell<bool>,
    wake: Notify,
}

impl Progress {
    /// A body that has not moved yet and may stand still for so long.
    pub fn new(stall: Option<Duration>) -> Self {
        Self { stall, moved: Cell::new(0), ended: Cell::new(false), wake: Notify::new() }
    }

    /// Says that something of it was handed over.
    pub fn step(&self) {
        self.moved.set(self.moved.get().wrapping_add(1));
    }

    /// Says that the last byte was handed over, or that there will be none.
    pub fn end(&self) {
        self.ended.set(true);
        self.wake.notify_waiters();
    }

    /// Whether the end was told.
    pub fn has_ended(&self) -> bool {
        self.ended.get()
    }

    /// Waits for the end of the body.
    ///
    /// # Errors
    /// How long it stood still. The body itself sees a client that is silent, and sees it sooner; this is for an upstream
    /// that takes no more, when nobody asks the body for anything.
    async fn ended(&self) -> Result<(), Duration> {
        while !self.ended.get() {
            let before = self.moved.get();
            let Some(limit) = self.stall.map(|stall| stall.saturating_mul(2)) else {
                self.wake.notified().await;
                continue;
            };
            if timeout(limit, self.wake.notified()).await.is_err() && self.moved.get() == before {
                return Err(limit);
            }
        }
        Ok(())
    }
}

/// Why a connection gave no answer.
enum Miss<B> {
    /// Nothing was written; here is the request.
    Unsent(Request<B>),
    /// It may have arrived, and nothing came back.
    Unheard(UpstreamError),
    /// It arrived: some of an answer came, or there was no time left for one.
    Sent(UpstreamError),
}

impl<B> Pool<B>
where
    B: Body<Data = Bytes> + Default + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// A pool without connections.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(Rc::new(Shared {
            idle: RefCell::default(),
            turns: RefCell::default(),
            reaping: Cell::new(false),
            metrics,
        }))
    }

    /// Sends a request in origin form to a server of `upstream` and waits for the head of its response, at most `limit`
    /// after the end of the request. `progress` tells of that end; `None`: there is no body.
    ///
    /// # Errors
    /// See [`UpstreamError`]. Only after `Unreachable` is it certain that nothing was sent.
    pub async fn send(
        &self,
        upstream: &Arc<Upstream>,
        mut request: Request<B>,
        limit: Duration,
        progress: Option<&Progress>,
    ) -> Result<Answer<B>, UpstreamError> {
        let first = self.turn(upstream);
        while let Some(lease) = self.take(upstream, first) {
            lease.place.address(&mut request);
            let again = repeatable(&request, progress).then(|| copy(&request));
            match exchange(lease, request, limit, progress).await {
                Ok(answer) => return Ok(answer),
                Err(Miss::Unsent(unsent)) => request = unsent,
                Err(Miss::Sent(error)) => return Err(error),
                Err(Miss::Unheard(error)) => match again {
                    // The server closed the connection just as it was used again. A fresh one has no such excuse.
                    Some(again) => {
                        request = again;
                        break;
                    }
                    None => return Err(error),
                },
            }
        }
        // Boxed: few requests open a connection, and every request would carry the room that takes.
        let lease = Box::pin(self.open(upstream, first)).await?;
        lease.place.address(&mut request);
        let server = lease.place.name();
        exchange(lease, request, limit, progress).await.map_err(|miss| match miss {
            Miss::Sent(error) | Miss::Unheard(error) => error,
            Miss::Unsent(_) => {
                UpstreamError::Unreachable { server, why: "the connection closed before it was used".to_owned() }
            }
        })
    }

    /// Which server of an upstream is next.
    fn turn(&self, upstream: &Arc<Upstream>) -> usize {
        let servers = upstream.settings.servers.len();
        if servers < 2 {
            return 0;
        }
        let mut turns = self.0.turns.borrow_mut();
        // What nobody else holds any more was replaced.
        turns.retain(|(own, _)| Arc::strong_count(own) > 1);
        match turns.iter_mut().find(|(own, _)| Arc::ptr_eq(own, upstream)) {
            Some((_, next)) => {
                let turn = *next;
                *next = (turn + 1) % servers;
                turn
            }
            None => {
                turns.push((Arc::clone(upstream), 1));
                0
            }
        }
    }

    /// The connection to a server used last that is ready for a request.
    fn take(&self, upstream: &Arc<Upstream>, server: usize) -> Option<Lease<B>> {
        let mut idle = self.0.idle.borrow_mut();
        let oldest = Instant::now().checked_sub(upstream.settings.idle_timeout);
        let mut at = idle.len();
        while let Some(next) = at.checked_sub(1) {
            at = next;
            let Some(candidate) = idle.get(at) else { break };
            if !Arc::ptr_eq(&candidate.place.upstream, upstream) || candidate.place.server != server {
                continue;
            }
            let stale = oldest.is_some_and(|oldest| candidate.since < oldest);
            if stale || candidate.sender.is_closed() {
                idle.remove(at);
            } else if candidate.sender.is_ready() {
                let Idle { place, sender, heard, .. } = idle.remove(at);
                return Some(Lease { shared: Rc::downgrade(&self.0), place, sender, heard });
            }
        }
        None
    }

    /// A new connection to a server, or to the next that can be reached.
    async fn open(&self, upstream: &Arc<Upstream>, first: usize) -> Result<Lease<B>, UpstreamError> {
        let servers = &upstream.settings.servers;
        let mut last = None;
        for step in 0..servers.len() {
            let at = first.wrapping_add(step) % servers.len();
            let Some(server) = servers.get(at) else { continue };
            let place = Place { upstream: Arc::clone(upstream), server: at };
            let opened = match connect(upstream, server).await {
                Ok(stream) => self.shake_hands(stream).await,
                Err(why) => Err(why),
            };
            match opened {
                Ok((sender, heard)) => {
                    return Ok(Lease { shared: Rc::downgrade(&self.0), place, sender, heard });
                }
                Err(why) => last = Some(UpstreamError::Unreachable { server: server.to_string(), why }),
            }
        }
        let nowhere =
            || UpstreamError::Unreachable { server: upstream.settings.name(), why: "it has no server".to_owned() };
        Err(last.unwrap_or_else(nowhere))
    }

    async fn shake_hands(&self, stream: Stream) -> Result<(SendRequest<B>, Heard), String> {
        let mut builder = http1::Builder::new();
        // One flat write costs less than a vectored one for the small heads that nearly all requests have.
        builder.writev(false).max_headers(MOST_HEADERS).max_header_size(BUFFER).max_buf_size(BUFFER);
        let (stream, heard) = Counted::new(stream);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let open = self.0.metrics.connection(Side::Upstream);
        spawn_local(async move {
            // How it ended is told to whoever waits for an answer; between answers nobody needs to know.
            let _ = connection.with_upgrades().await;
            drop(open);
        });
        Ok((sender, heard))
    }
}

/// One request and one response on one connection.
async fn exchange<B>(
    mut lease: Lease<B>,
    request: Request<B>,
    limit: Duration,
    progress: Option<&Progress>,
) -> Result<Answer<B>, Miss<B>>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let server = || lease.place.name();
    let started = Instant::now();
    let before = lease.heard.bytes();
    let answer = lease.sender.try_send_request(request);
    let answer = match in_time(answer, limit, progress).await {
        Ok(answer) => answer,
        Err(limit) => return Err(Miss::Sent(UpstreamError::Timeout { server: server(), limit })),
    };
    match answer {
        Ok(response) => {
            let waited = started.elapsed();
            lease.place.upstream.meters.seconds(waited);
            Ok(Answer { response, lease, waited })
        }
        Err(mut failed) => Err(match failed.take_message() {
            Some(unsent) => Miss::Unsent(unsent),
            None => match error_of(failed.error(), server()) {
                error @ UpstreamError::Invalid { .. } if lease.heard.bytes() == before => Miss::Unheard(error),
                error => Miss::Sent(error),
            },
        }),
    }
}

/// Waits for an answer, the time counting from the end of the request.
///
/// # Errors
/// The limit that ran out.
async fn in_time<F: Future>(answer: F, limit: Duration, progress: Option<&Progress>) -> Result<F::Output, Duration> {
    let mut answer = std::pin::pin!(answer);
    if let Some(progress) = progress {
        tokio::select! {
            biased;
            answer = &mut answer => return Ok(answer),
            ended = progress.ended() => ended?,
        }
    }
    timeout(limit, answer).await.map_err(|_| limit)
}

fn error_of(error: &hyper::Error, server: String) -> UpstreamError {
    if error.is_user() || error.is_body_write_aborted() {
        return UpstreamError::RequestBody;
    }
    let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
    UpstreamError::Invalid { server, why: format!("{error}{cause}") }
}

/// Whether asking twice is the same as asking once.
fn repeatable<B>(request: &Request<B>, progress: Option<&Progress>) -> bool {
    progress.is_none()
        && matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS)
        && !request.headers().contains_key(http::header::UPGRADE)
}

/// The request once more; it has no body.
fn copy<B: Default>(request: &Request<B>) -> Request<B> {
    let mut copy = Request::new(B::default());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

impl Place {
    /// Names the server as the host, where the upstream wants its own name.
    fn address<B>(&self, request: &mut Request<B>) {
        if self.upstream.settings.host == HostMode::Upstream
            && let Some(server) = self.upstream.settings.servers.get(self.server)
            && let Ok(host) = HeaderValue::try_from(server.authority())
        {
            request.headers_mut().insert(http::header::HOST, host);
        }
    }

    fn name(&self) -> String {
        self.upstream.settings.servers.get(self.server).map(ToString::to_string).unwrap_or_default()
    }
}

impl<B: Body + 'static> Lease<B> {
    /// Says that the response has ended and the connection may serve another.
    pub fn give_back(self) {
        let Some(shared) = self.shared.upgrade() else { return };
        if self.sender.is_closed() {
            return;
        }
        let most = self.place.upstream.settings.max_idle;
        {
            let mut idle = shared.idle.borrow_mut();
            let same = |other: &Idle<B>| Arc::ptr_eq(&other.place.upstream, &self.place.upstream);
            if idle.iter().filter(|other| same(other)).count() >= most {
                return;
            }
            idle.push(Idle { place: self.place, sender: self.sender, heard: self.heard, since: Instant::now() });
        }
        if !shared.reaping.replace(true) {
            spawn_local(reap(Rc::downgrade(&shared)));
        }
    }
}

/// Closes connections that have lain longer than their upstream permits, until there is none left.
async fn reap<B: 'static>(shared: Weak<Shared<B>>) {
    loop {
        tokio::time::sleep(REAPING).await;
        let Some(shared) = shared.upgrade() else { return };
        let now = Instant::now();
        let mut idle = shared.idle.borrow_mut();
        idle.retain(|idle| now.duration_since(idle.since) < idle.place.upstream.settings.idle_timeout);
        if idle.is_empty() {
            shared.reaping.set(false);
            return;
        }
    }
}
