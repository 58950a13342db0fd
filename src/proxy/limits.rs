//! How long one request may take, and how large it may be.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use tokio::time::Instant;

use super::body::UpBody;
use super::respond::is_grpc;
use super::settings::Settings;
use super::traffic::Traffic;
use crate::decision::forwarding::HeaderRules;
use crate::decision::rejection::{Code, Rejection};
use crate::decision::route::Route;
use crate::upstream::Upstream;

/// The time and size that one request may take.
pub(super) struct Limits {
    body_size: Option<u64>,
    pub(super) body_stall: Duration,
    /// For the head of the answer, from the end of the request.
    pub(super) answer: Duration,
    /// When all of it must be over.
    pub(super) overall: Option<Instant>,
}

impl Limits {
    pub(super) fn of(route: &Route, upstream: &Upstream, settings: &Settings) -> Self {
        Self {
            body_size: largest_body(route, settings),
            body_stall: settings.body_stall,
            answer: route.timeout.unwrap_or(upstream.settings().response_timeout),
            overall: settings.request_timeout.map(|limit| Instant::now() + limit),
        }
    }

    /// Refuses a body that says itself that it is too large.
    pub(super) fn check_announced(&self, request: &Request<Incoming>) -> Result<(), Rejection> {
        check_announced(http_body::Body::size_hint(request.body()).lower(), self.body_size)
    }

    /// The request with its body bounded, and what tells how far the body has gone; `None`: there is none.
    pub(super) fn bound(
        &self,
        request: Request<Incoming>,
        rules: &Arc<HeaderRules>,
    ) -> (Request<UpBody>, Option<Rc<Traffic>>) {
        let (parts, incoming) = request.into_parts();
        if http_body::Body::is_end_stream(&incoming) {
            return (Request::from_parts(parts, UpBody::default()), None);
        }
        // A gRPC stream may be silent for as long as its caller likes.
        let stall = (!is_grpc(&parts.headers)).then_some(self.body_stall);
        let (body, traffic) = UpBody::new(incoming, Arc::clone(rules), self.body_size, stall);
        (Request::from_parts(parts, body), Some(traffic))
    }

    /// Whose fault it is that the overall time ran out.
    pub(super) fn too_late(&self, traffic: Option<&Traffic>) -> Rejection {
        if traffic.is_some_and(|traffic| !traffic.progress.has_ended()) {
            Rejection::new(Code::RequestTimeout, "the request did not arrive whole within request_timeout")
        } else {
            Rejection::new(Code::UpstreamTimeout, "the upstream did not answer within request_timeout")
        }
    }
}

/// The size that the body of a request to this route may have.
pub(super) fn largest_body(route: &Route, settings: &Settings) -> Option<u64> {
    route.body_size.or(settings.body_size)
}

/// Refuses a body of so many bytes where it is too large.
pub(super) fn check_announced(announced: u64, largest: Option<u64>) -> Result<(), Rejection> {
    match largest {
        Some(limit) if announced > limit => Err(too_large(limit)),
        _ => Ok(()),
    }
}

fn too_large(limit: u64) -> Rejection {
    Rejection::new(Code::BodyTooLarge, format!("the body is larger than {limit} bytes"))
}
