//! The front that forwards.
//!
//! `Proxy::pass` is the whole way of a request, read from top to bottom: take what is in force, look at the head, ask
//! the gate, spend the permit, send, and stream both ways. Everything else in this room is one of these steps.

mod account;
mod asked;
mod body;
mod client;
mod forward;
mod headers;
mod leg;
mod limits;
pub mod preview;
mod report;
mod respond;
mod seeoff;
mod settings;
mod term;
mod traffic;
mod upgrade;
mod websocket;

use std::any::Any;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

pub use body::{DownBody, UpBody};
pub use settings::{Answers, Cors, Settings, Style, Trust};
pub use traffic::Broken;

use account::Account;
use asked::Asked;
use body::Stream;
use forward::Facts;
use limits::Limits;
use respond::{Asker, is_grpc, preflight, refuse};
use seeoff::see_off;
use term::Term;
use traffic::Traffic;

use crate::decision::credential::unverified_token;
use crate::decision::head::RequestHead;
use crate::decision::opening::Opening;
use crate::decision::rejection::{Code, Rejection};
use crate::decision::verdict::{Decision, Permit, Verdict};
use crate::gate::{Gate, Judged};
use crate::live::{Epoch, Live};
use crate::net::{ConnInfo, Flawed, Peer};
use crate::telemetry::access::{self, AccessLog, AccessRecord, Excerpt, TokenDigest, TokenMark};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::report::ReportLog;
use crate::telemetry::trace::{RequestIds, acceptable_request_id};
use crate::upstream::{Answer, Pool, Upstream, UpstreamError};

/// Refusals that a worker does in a row. A few hundred microseconds; to wait for events after each would cost a system
/// call a refusal.
const REFUSALS: u32 = 4;

/// What of an epoch this front needs besides the snapshot.
#[derive(Debug)]
pub struct Front {
    /// Its settings.
    pub settings: Settings,
    /// The upstreams, by their places in the configuration.
    pub upstreams: Vec<Arc<Upstream>>,
    /// Where a line is written for each request, and how.
    pub log: AccessLog,
}

/// The front of one worker.
pub struct Proxy {
    live: Live<Front>,
    /// Shared with whoever watches over a stream.
    gate: Rc<Gate>,
    pool: Pool<UpBody>,
    ids: RequestIds,
    digest: TokenDigest,
    reports: ReportLog,
    metrics: Arc<Metrics>,
    /// How many were refused, for turns alone.
    refusals: Cell<u32>,
}

impl Proxy {
    /// A front that judges at `gate` and has connections of its own.
    pub fn new(
        live: Live<Front>,
        gate: Gate,
        ids: RequestIds,
        digest: TokenDigest,
        reports: ReportLog,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (gate, pool, refusals) = (Rc::new(gate), Pool::new(Arc::clone(&metrics)), Cell::default());
        Self { live, gate, pool, ids, digest, reports, metrics, refusals }
    }

    /// Answers one request. A panic on its way ends this request alone.
    ///
    /// # Errors
    /// None: whatever happens there is an answer.
    pub async fn answer(
        self: Rc<Self>,
        conn: Arc<ConnInfo>,
        request: Request<Incoming>,
    ) -> Result<Response<DownBody>, Infallible> {
        let epoch = self.live.epoch();
        let trusted = epoch.front.settings.trust.includes(conn.peer);
        let own = request.headers().get(headers::X_REQUEST_ID).filter(|id| trusted && acceptable_request_id(id));
        let asker = Asker::of(&request, own.cloned().unwrap_or_else(|| self.ids.fresh()));
        let panicked = match unwound(pin!(self.pass(&epoch, &conn, request, &asker))).await {
            Ok(response) => return Ok(response),
            Err(panicked) => panicked,
        };
        tracing::error!(request_id = ?asker.id(), what = what_panicked(&*panicked), "a request broke inside");
        Ok(refuse(&Rejection::new(Code::Internal, "a panic"), &asker, &epoch.front.settings))
    }

    /// The way of a request.
    async fn pass(
        &self,
        epoch: &Epoch<Front>,
        conn: &ConnInfo,
        request: Request<Incoming>,
        asker: &Asker,
    ) -> Response<DownBody> {
        let settings = &epoch.front.settings;
        let mut account = self.open(&epoch.front.log, conn, &request, asker);
        let head = match look(&request) {
            Ok(head) => head,
            Err(rejection) => return self.turned_away(request, rejection, account, asker, settings),
        };
        let host: Option<Arc<str>> = head.authority.map(|authority| authority.text.into());
        let is_preflight = head.is_preflight();
        let client = |front: &Front| client::client(conn.peer, head.headers, &front.settings.trust);
        let Judged { decision, now, newer } = self.gate.judge(&head, epoch, &self.live, client).await;
        let epoch = newer.as_deref().unwrap_or(epoch);
        let settings = &epoch.front.settings;
        let trusted = settings.trust.includes(conn.peer);
        let route = epoch.snapshot.routes.route(decision.route);
        self.note(&mut account, &decision, epoch, &head);
        let mut opening = Opening::of(&head, request.uri(), host.as_ref(), &decision, now);
        let permit = match decision.verdict {
            Verdict::Allow(permit) => permit,
            Verdict::Reject(rejection) => {
                self.give_way().await;
                return self.turned_away(request, rejection, account, asker, settings);
            }
        };
        if is_preflight && settings.cors.answer_preflight {
            account.allowed(None);
            account.answered(StatusCode::NO_CONTENT, Duration::ZERO);
            account.close();
            return preflight(&request, asker, settings);
        }
        account.allowed(permit.lifted());
        if let (Some(rejection), Some(route)) = (permit.lifted(), route) {
            let principal = decision.principal.as_deref();
            self.reports.note(report::lifted(
                rejection,
                route,
                principal,
                || client(&epoch.front),
                &request,
                asker.id(),
                now,
            ));
        }
        let upstream = route.and_then(|route| epoch.front.upstreams.get(route.upstream));
        let (Some(route), Some(upstream)) = (route, upstream) else {
            return self.refused(Rejection::new(Code::Internal, "a route without upstream"), account, asker, settings);
        };
        let limits = Limits::of(route, upstream, settings);
        if let Err(rejection) = limits.check_announced(&request) {
            return self.turned_away(request, rejection, account, asker, settings);
        }
        let upgrade = upgrade::wanted(&request);
        let facts = Facts { conn, trusted, host: host.as_deref(), id: asker.id(), upgrade };
        let mut begin = || Some(Term::begin(opening.take()?, &self.gate, &self.live, settings.answers.exact));
        // A call may send for as long as it likes before its server says a word, so its term begins with it.
        let mut call = if is_grpc(request.headers()) { begin() } else { None };
        let sent = self.send(request, permit, &facts, epoch, upstream, &limits, &mut account);
        let sent = match &mut call {
            None => sent.await,
            Some(term) => tokio::select! {
                biased;
                sent = sent => sent,
                ended = term => Err(ended.rejection),
            },
        };
        match sent {
            Err(rejection) => self.refused(rejection, account, asker, settings),
            Ok(Sent::Answered(answer)) => relay(answer, account, &limits, || call.or_else(begin)),
            Ok(Sent::Switched(below, response)) => upgrade::tunnel(below, response, account, call.or_else(begin)),
        }
    }

    /// Spends the permit: sends the request up and waits for the head of an answer.
    #[allow(clippy::too_many_arguments, reason = "these are all that is known of a request that may pass")]
    async fn send(
        &self,
        mut request: Request<Incoming>,
        permit: Permit,
        facts: &Facts<'_>,
        epoch: &Epoch<Front>,
        upstream: &Arc<Upstream>,
        limits: &Limits,
        account: &mut Account,
    ) -> Result<Sent, Rejection> {
        let below = facts.upgrade.is_some().then(|| hyper::upgrade::on(&mut request));
        let (request, traffic) = limits.bound(request, &epoch.snapshot.headers);
        if let Some(traffic) = &traffic {
            account.carries(Rc::clone(traffic));
        }
        let expects = asked::expects(&request);
        let mut request = forward::prepare(request, permit, facts, &epoch.snapshot, upstream.settings());
        if expects {
            let asked = Asked::told_by_upstream(&mut request, limits.body_stall);
            request.body_mut().wait_for(asked);
        }
        let progress = traffic.as_deref().map(|traffic| &traffic.progress);
        let sent = self.pool.send(upstream, request, limits.answer, progress);
        let answer = match limits.overall {
            None => sent.await,
            Some(overall) => match tokio::time::timeout_at(overall, sent).await {
                Ok(answer) => answer,
                Err(_) => return Err(limits.too_late(traffic.as_deref())),
            },
        };
        let mut answer = answer.map_err(|error| blame(&error, traffic.as_deref()))?;
        headers::settle_length(answer.response.headers_mut())
            .map_err(|flaw| Rejection::new(Code::UpstreamInvalid, format!("the upstream answered with {flaw}")))?;
        account.answered(answer.response.status(), answer.waited);
        match (answer.response.status(), &facts.upgrade, below) {
            (StatusCode::SWITCHING_PROTOCOLS, Some(wanted), Some(below))
                if upgrade::is_granted(wanted, &answer.response) =>
            {
                Ok(Sent::Switched(below, answer.response))
            }
            (status, ..) if status.is_informational() => {
                Err(Rejection::new(Code::UpstreamInvalid, "the upstream changed the protocol unasked"))
            }
            _ => Ok(Sent::Answered(answer)),
        }
    }

    /// Begins the account of a request.
    fn open<B>(&self, log: &AccessLog, conn: &ConnInfo, request: &Request<B>, asker: &Asker) -> Account {
        let peer = match conn.peer {
            Peer::Ip(address) => access::Peer::Address(address.ip()),
            Peer::Unix => access::Peer::Unix,
        };
        let line = || AccessRecord::open(self.gate.now(), asker.id(), peer, request.method(), request.uri().path());
        let record = log.is_on().then(|| Box::new(line()));
        Account::open(Arc::clone(self.metrics.unrouted()), log.clone(), record)
    }

    /// Notes what was decided, for counters and log.
    fn note(&self, account: &mut Account, decision: &Decision, epoch: &Epoch<Front>, head: &RequestHead<'_>) {
        if let Some(route) = epoch.snapshot.routes.route(decision.route) {
            account.route(&route.name, epoch.meters(decision.route));
        }
        let Some(record) = account.record() else { return };
        record.host = head.authority.map(|authority| Excerpt::text(authority.text));
        record.subject = decision.principal.as_ref().map(|principal| Excerpt::text(principal.subject()));
        let id = decision.principal.as_ref().and_then(|principal| principal.token_id());
        let digest = || {
            let token = unverified_token(head, decision.place.as_ref()?)?;
            Some(TokenMark::Digest(self.digest.of(&token)))
        };
        record.token = id.map(|id| TokenMark::Id(Excerpt::text(id))).or_else(digest);
    }

    /// Lets the other connections of this worker go first, at every few refusals: whoever sends bad tokens by the dozen
    /// at once keeps nobody waiting for more than these few.
    async fn give_way(&self) {
        let count = self.refusals.get().wrapping_add(1);
        self.refusals.set(count);
        if count.is_multiple_of(REFUSALS) {
            tokio::task::yield_now().await;
        }
    }

    /// Refuses a request of which nothing was sent on.
    fn turned_away(
        &self,
        request: Request<Incoming>,
        rejection: Rejection,
        account: Account,
        asker: &Asker,
        settings: &Settings,
    ) -> Response<DownBody> {
        see_off(request);
        self.refused(rejection, account, asker, settings)
    }

    /// Closes the account of a refused request and answers it.
    fn refused(
        &self,
        rejection: Rejection,
        mut account: Account,
        asker: &Asker,
        settings: &Settings,
    ) -> Response<DownBody> {
        let response = refuse(&rejection, asker, settings);
        account.failed(&rejection);
        account.sent(asker.receives(&response));
        account.close();
        response
    }
}

/// What came of a request that was sent.
enum Sent {
    /// An answer, to be passed on.
    Answered(Answer<UpBody>),
    /// A change of the protocol: both ends of the tunnel to be.
    Switched(OnUpgrade, Response<Incoming>),
}

/// Builds the view of a request that a decision may have.
fn look(request: &Request<Incoming>) -> Result<RequestHead<'_>, Rejection> {
    if let Some(Flawed(flaw)) = request.extensions().get::<Flawed>() {
        return Err(Rejection::from(*flaw));
    }
    RequestHead::of(request)
}

/// The answer of the upstream on its way down. `term`: what it lasts as long as, where it is a stream.
fn relay(
    answer: Answer<UpBody>,
    account: Account,
    limits: &Limits,
    term: impl FnOnce() -> Option<Term>,
) -> Response<DownBody> {
    let (mut parts, incoming) = answer.response.into_parts();
    headers::clean_response(&mut parts.headers);
    let grpc = is_grpc(&parts.headers);
    // These live as long as their token and may be silent; any other answer runs to its end.
    let lasting = grpc || is_event_stream(&parts.headers);
    let stall = (!lasting).then_some(limits.body_stall);
    let stream = if lasting { term().map(|term| Stream { term, grpc }) } else { None };
    parts.version = http::Version::HTTP_11;
    Response::from_parts(parts, DownBody::falling(incoming, answer.lease, account, stall, limits.overall, stream))
}

/// Whether an answer is a stream of events.
fn is_event_stream(headers: &HeaderMap) -> bool {
    const KIND: &[u8] = b"text/event-stream";
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.as_bytes().get(..KIND.len()));
    kind.is_some_and(|kind| kind.eq_ignore_ascii_case(KIND))
}

/// Whose fault a failure is, in the words of the answer.
fn blame(error: &UpstreamError, traffic: Option<&Traffic>) -> Rejection {
    match traffic.and_then(|traffic| traffic.broken.get()) {
        Some(Broken::TooLarge) => return Rejection::new(Code::BodyTooLarge, Broken::TooLarge.to_string()),
        Some(Broken::Stalled) => return Rejection::new(Code::RequestTimeout, Broken::Stalled.to_string()),
        Some(broken) => return Rejection::new(Code::RequestMalformed, broken.to_string()),
        None => {}
    }
    let code = match error {
        UpstreamError::Unreachable { .. } => Code::UpstreamUnreachable,
        UpstreamError::Invalid { .. } => Code::UpstreamInvalid,
        UpstreamError::Timeout { .. } => Code::UpstreamTimeout,
        UpstreamError::RequestBody => Code::RequestMalformed,
    };
    Rejection::new(code, error.to_string())
}

/// Runs a request to its end or to its panic.
async fn unwound<F: Future>(mut request: Pin<&mut F>) -> Result<F::Output, Box<dyn Any + Send>> {
    // What a panic leaves behind belongs to this request alone: counters are atomics, and the memo and the pool are
    // borrowed only for the length of calls that change them whole.
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| request.as_mut().poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(response)) => Poll::Ready(Ok(response)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    })
    .await
}

fn what_panicked(panicked: &(dyn Any + Send)) -> &str {
    let text = panicked.downcast_ref::<&str>().copied();
    text.or_else(|| panicked.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words")
}
