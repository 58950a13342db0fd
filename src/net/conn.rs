//! Serves one connection: TLS or not, HTTP/1.1 or HTTP/2, within its limits.

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::Service;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::activity::{Activity, observe};
use super::census::Ticket;
use super::drain::Bells;
use super::frames::{Frames, PREFACE};
use super::framing::Framing;
use super::oversee::{Ending, GRACE, Overseer};
use super::paced::Paced;
use super::reader::{Read, forsake};
use super::refuse::close;
use super::resets::Resets;
use super::roster::Seat;
use super::stream::Stream;
use super::watched::{Protocol, Watched};
use super::{ConnInfo, Hooks, Limits};
use crate::decision::rejection::Code;

/// Bytes of a body that are read or held for writing at a time. Larger gains nothing measurable, and every slow
/// reader may hold as much.
const BUFFER: usize = 64 * 1024;
/// Bytes that one HTTP/2 connection may send before it is told to go on: an upload of 50 MB/s at 20 ms.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The same for one stream, so that no stream has the connection to itself.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Streams that a peer may open and reset before they were looked at, before the connection is closed: what one flood
/// may cost (CVE-2023-44487).
const PENDING_RESETS: usize = 20;

/// What the connections of one worker have in common.
pub(super) struct Shared {
    limits: Arc<Limits>,
    hooks: Hooks,
    bells: Rc<Bells>,
    http1: http1::Builder,
    http2: http2::Builder<Local>,
}

impl Shared {
    /// Prepares to serve under `limits`.
    pub(super) fn new(limits: Arc<Limits>, hooks: Hooks, bells: Rc<Bells>) -> Self {
        let http1 = http1_builder(&limits);
        let http2 = http2_builder(&limits);
        Self { limits, hooks, bells, http1, http2 }
    }

    /// The limits that they are served under.
    pub(super) fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }
}

fn http1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .keep_alive(true)
        .half_close(false)
        // Its own timer would run while a kept-alive connection waits for its next request; ours does not.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(limits.header_size)
        .max_buf_size(BUFFER.max(limits.header_size.saturating_add(8192)))
        // One flat buffer: measured cheaper than gathering for the short messages that most are.
        .writev(false);
    builder
}

fn http2_builder(limits: &Limits) -> http2::Builder<Local> {
    let mut builder = http2::Builder::new(Local { patience: limits.idle_timeout });
    // A head up to twice the limit is let through to be refused with a code that is counted; beyond that the library
    // answers 431 by itself, and that shows only where a body was to follow.
    let head = u32::try_from(limits.header_size.saturating_mul(2)).unwrap_or(u32::MAX);
    builder
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(head)
        .max_pending_accept_reset_streams(PENDING_RESETS)
        // A sum over the life of the connection; what it is against is paid for frame by frame.
        .max_local_error_reset_streams(None)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .initial_stream_window_size(STREAM_WINDOW)
        .max_send_buf_size(2 * BUFFER);
    builder
}

/// Runs the streams of an HTTP/2 connection on its own thread, each as a task: one that panics ends alone.
#[derive(Clone, Copy)]
struct Local {
    /// How long a reader may take nothing.
    patience: Duration,
}

impl<F> hyper::rt::Executor<F> for Local
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, stream: F) {
        tokio::task::spawn_local(Read::new(stream, self.patience));
    }
}

/// A connection that has been accepted and admitted.
pub(super) struct Arrival {
    /// The socket, cleartext so far.
    pub(super) stream: Stream,
    /// Present where TLS is to be spoken.
    pub(super) tls: Option<Arc<ServerConfig>>,
    /// Who it is.
    pub(super) info: Arc<ConnInfo>,
    /// Its place in the census.
    pub(super) ticket: Ticket,
    /// Its place among those of its worker.
    pub(super) seat: Seat,
    /// What it does.
    pub(super) activity: Arc<Activity>,
}

/// A connection whose protocol is known.
struct Opened {
    stream: Stream,
    /// Bytes that have been read already.
    ahead: Bytes,
    http2: bool,
    /// When its first request head is due.
    deadline: Instant,
}

/// Serves `arrival` to its end; `make` gives the service that answers its requests.
pub(super) async fn serve<W, S, B>(shared: Rc<Shared>, arrival: Arrival, make: Rc<W>)
where
    W: Fn(Arc<ConnInfo>) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let Arrival { stream, tls, info, ticket, seat, activity } = arrival;
    let bell = shared.bells.hang();
    let opened = tokio::select! {
        opened = open(&shared, stream, tls, &info) => opened,
        () = async { bell.rung().await; sleep(GRACE).await } => None,
    };
    let Some(opened) = opened else { return };
    let flooded = {
        let activity = Arc::clone(&activity);
        move || activity.credit() == 0
    };
    let service = make(Arc::clone(&info));
    let service = observe(service, Arc::clone(&activity), &shared.limits, shared.hooks.clone(), info.peer);
    let overseer = Overseer::new(Arc::clone(&activity), bell, seat, opened.http2, &shared.limits, opened.deadline);
    let ending = if opened.http2 {
        let (hooks, peer) = (shared.hooks.clone(), info.peer);
        let resets = Resets::new(Arc::clone(&activity), move |code| (hooks.refused)(code, peer));
        serve_http2(&shared, opened, activity, resets, overseer, ticket, service).await
    } else {
        serve_http1(&shared, opened, activity, overseer, ticket, service).await
    };
    let refused = match ending {
        Ending::Done => None,
        Ending::Cut(code) => code,
        Ending::Failed(error) => {
            tracing::debug!(error = &error as &dyn Error, connection = info.id, "a connection failed");
            if flooded() { Some(Code::RateExceeded) } else { refusal(&error) }
        }
    };
    if let Some(code) = refused {
        (shared.hooks.refused)(code, info.peer);
    }
}

/// Shakes hands where TLS is spoken, and finds out which HTTP. `None` where it does not come to that.
async fn open(shared: &Shared, stream: Stream, tls: Option<Arc<ServerConfig>>, info: &ConnInfo) -> Option<Opened> {
    let deadline = Instant::now() + shared.limits.header_timeout;
    match (stream, tls) {
        (Stream::Tcp(stream), Some(config)) => {
            let accepted = timeout_at(deadline, TlsAcceptor::from(config).accept(stream)).await;
            let stream = match accepted {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    tracing::debug!(%error, connection = info.id, "a TLS handshake failed");
                    return None;
                }
                Err(_) => {
                    (shared.hooks.refused)(Code::RequestTimeout, info.peer);
                    return None;
                }
            };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let deadline = Instant::now() + shared.limits.header_timeout;
            Some(Opened { stream: Stream::Tls(Box::new(stream)), ahead: Bytes::new(), http2, deadline })
        }
        (mut stream, _) => {
            let mut ahead = BytesMut::new();
            match timeout_at(deadline, sniff(&mut stream, &mut ahead)).await {
                Ok(Ok(http2)) => Some(Opened { stream, ahead: ahead.freeze(), http2, deadline }),
                Ok(Err(_)) => None,
                Err(_) => {
                    // One that never said a word has asked for nothing that could be refused.
                    if !ahead.is_empty() {
                        (shared.hooks.refused)(Code::RequestTimeout, info.peer);
                    }
                    None
                }
            }
        }
    }
}

/// Reads until it is certain whether the peer speaks HTTP/2 by prior knowledge (RFC 9113 section 3.3).
async fn sniff(stream: &mut Stream, ahead: &mut BytesMut) -> io::Result<bool> {
    // Most heads fit, and are then read from the socket once.
    ahead.reserve(2048);
    loop {
        if stream.read_buf(ahead).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if ahead.starts_with(PREFACE) {
            return Ok(true);
        }
        if !PREFACE.starts_with(ahead) {
            return Ok(false);
        }
    }
}

async fn serve_http1<S, B>(
    shared: &Shared,
    opened: Opened,
    activity: Arc<Activity>,
    mut overseer: Overseer,
    ticket: Ticket,
    service: S,
) -> Ending
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let framing = Framing::new(shared.limits.header_size);
    let stream = Watched::new(opened.stream, opened.ahead, Protocol::Http1(framing), Arc::clone(&activity), ticket);
    let mut connection = shared.http1.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let ending = overseer.drive(&mut connection, |connection| connection.graceful_shutdown()).await;
    if matches!(ending, Ending::Cut(_)) {
        // An answer that is under way then is one that the peer does not take.
        forsake(|| drop(connection));
    } else if !activity.has_ended()
        // There are no parts where the connection became a tunnel.
        && let Some(parts) = connection.into_parts()
    {
        let _ = timeout(GRACE, close(&mut parts.io.into_inner())).await;
    }
    ending
}

async fn serve_http2<S, B>(
    shared: &Shared,
    opened: Opened,
    activity: Arc<Activity>,
    resets: Resets,
    mut overseer: Overseer,
    ticket: Ticket,
    service: S,
) -> Ending
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: 'static>,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let stream = Watched::new(
        opened.stream,
        opened.ahead,
        Protocol::Http2(Frames::new(Arc::clone(&activity)), resets),
        Arc::clone(&activity),
        ticket,
    );
    let mut connection = shared.http2.serve_connection(TokioIo::new(Paced::new(stream, activity)), service);
    overseer.drive(&mut connection, |connection| connection.graceful_shutdown()).await
}

/// The code of what the parser refused; `None` where the peer merely went away.
fn refusal(error: &hyper::Error) -> Option<Code> {
    if error.is_parse_too_large() {
        return Some(Code::HeadersTooLarge);
    }
    if error.is_parse() {
        return Some(Code::RequestMalformed);
    }
    let http2 = error.source()?.downcast_ref::<h2::Error>()?;
    let code = match http2.reason() {
        Some(h2::Reason::ENHANCE_YOUR_CALM) => Code::RateExceeded,
        _ => Code::RequestMalformed,
    };
    (http2.is_go_away() && http2.is_library()).then_some(code)
}

#[cfg(test)]
mod tests;
