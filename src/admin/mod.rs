//! The front for the operator.
//!
//! A handful of paths in one `match`. Nothing here listens: `net` serves the sockets and hands each request to
//! [`Admin::answer`]. It runs on the cold side, so a slow scrape delays no request that is being proxied.

pub mod health;
pub mod orders;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCEPT, ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;

use crate::secret::Secret;
use crate::telemetry::metrics::{self, Metrics};
use crate::telemetry::report::Report;
use health::Readiness;
use orders::Orders;

/// The media type of plain answers.
const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of answers for programs.
const JSON: &str = "application/json";

/// Everything that this room is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the whole front listens.
    pub listen: SocketAddr,
    /// A second address with `/livez`, `/readyz` and `/metrics` alone.
    pub probes: Option<SocketAddr>,
    /// The Bearer token that the whole front demands; required beyond loopback.
    pub token: Option<Secret<String>>,
    /// Whether the process is ready before every issuer has its keys.
    pub ready_without_keys: bool,
}

/// Which of the two addresses a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    /// `listen`: everything, behind the token where there is one.
    Whole,
    /// `probes`: `/livez`, `/readyz` and `/metrics` alone, without token.
    Probes,
}

/// What the operator may ask.
#[derive(Clone)]
pub struct Admin {
    /// The Bearer token that the whole front demands now.
    pub token: Arc<dyn Fn() -> Option<Secret<String>> + Send + Sync>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` shows.
    pub readiness: Readiness,
    /// The config in force as text, with every secret hidden; asked for anew each time.
    pub running_config: Arc<dyn Fn() -> String + Send + Sync>,
    /// Who would be refused by routes in report mode, as it stands.
    pub report: Arc<dyn Fn() -> Report + Send + Sync>,
    /// Where orders go.
    pub orders: Orders,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

impl Admin {
    /// Answers one request; its body is not looked at.
    pub async fn answer<B>(&self, face: Face, request: Request<B>) -> Response<Full<Bytes>> {
        let answer = match face {
            Face::Whole if !self.is_operator(request.headers()) => unauthorized(request.headers()),
            Face::Whole if matches!(request.uri().path(), "/reload" | "/drain") => {
                self.order(request.method(), request.uri().path(), request.headers()).await
            }
            Face::Whole | Face::Probes => self.route(face, request.method(), request.uri(), request.headers()),
        };
        if request.method() == Method::HEAD { without_body(answer) } else { answer }
    }

    /// The paths there are.
    fn route(&self, face: Face, method: &Method, target: &Uri, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let reads = matches!(*method, Method::GET | Method::HEAD);
        match (face, target.path()) {
            (_, "/livez") if reads => respond(StatusCode::OK, TEXT, "alive\n"),
            (_, "/readyz") if reads => self.ready(headers),
            (_, "/metrics") if reads => self.scrape(),
            (Face::Whole, "/config") if reads => respond(StatusCode::OK, TEXT, (self.running_config)()),
            (Face::Whole, "/report") if reads => self.would_refuse(target.query(), headers),
            (_, "/livez" | "/readyz" | "/metrics") | (Face::Whole, "/config" | "/report") => {
                method_refused("GET, HEAD")
            }
            (Face::Whole, _) => respond(
                StatusCode::NOT_FOUND,
                TEXT,
                "not here; try /livez, /readyz, /metrics, /config, /report, or POST to /reload or /drain\n",
            ),
            (Face::Probes, _) => respond(StatusCode::NOT_FOUND, TEXT, "not here; try /livez, /readyz or /metrics\n"),
        }
    }

    /// Whether the sender has shown the token, if one is demanded: in one `Authorization` field, by the scheme Bearer,
    /// compared in constant time.
    fn is_operator(&self, headers: &HeaderMap) -> bool {
        let Some(token) = (self.token)() else { return true };
        presented(headers).is_some_and(|presented| presented == token)
    }

    fn ready(&self, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let state = self.readiness.state();
        let status = if state.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        if asks_for_json(headers)
            && let Ok(json) = serde_json::to_string(&state)
        {
            return respond(status, JSON, json);
        }
        respond(status, TEXT, state.text())
    }

    fn would_refuse(&self, query: Option<&str>, headers: &HeaderMap) -> Response<Full<Bytes>> {
        let report = (self.report)();
        if asks_for_json(headers) || query.is_some_and(|query| query.split('&').any(|pair| pair == "format=json")) {
            return respond(StatusCode::OK, JSON, report.json());
        }
        respond(StatusCode::OK, TEXT, report.text())
    }

    fn scrape(&self) -> Response<Full<Bytes>> {
        match self.metrics.render() {
            Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
            Err(_) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "the metrics could not be written\n"),
        }
    }
}

/// The Bearer token of the request; `None` where there is none, more than one credential, or another scheme.
fn presented(headers: &HeaderMap) -> Option<Secret<String>> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next()?;
    if fields.next().is_some() {
        return None;
    }
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| Secret::new(token.trim().to_owned()))
}

/// Whether an `Accept` field names JSON. Weights are not looked at: who names it can read it.
fn asks_for_json(headers: &HeaderMap) -> bool {
    let mut ranges = headers.get_all(ACCEPT).iter().filter_map(|field| field.to_str().ok()).flat_map(|f| f.split(','));
    ranges.any(|range| range.split(';').next().is_some_and(|range| range.trim().eq_ignore_ascii_case(JSON)))
}

/// 401 with a challenge (RFC 6750 section 3), which names an error only where something was presented.
fn unauthorized(headers: &HeaderMap) -> Response<Full<Bytes>> {
    let challenge = if headers.contains_key(AUTHORIZATION) {
        r#"Bearer realm="waxseal admin", error="invalid_token""#
    } else {
        r#"Bearer realm="waxseal admin""#
    };
    let text = "this listener demands the token of [admin]: send Authorization: Bearer TOKEN\n";
    with(respond(StatusCode::UNAUTHORIZED, TEXT, text), WWW_AUTHENTICATE, challenge)
}

/// 405 with what is permitted.
fn method_refused(permitted: &'static str) -> Response<Full<Bytes>> {
    let text = format!("this is served for {permitted} alone\n");
    with(respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text), ALLOW, permitted)
}

/// An answer with the fields that every answer has.
fn respond(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let response = with(response, CONTENT_TYPE, media_type);
    let response = with(response, CACHE_CONTROL, "no-store");
    with(response, X_CONTENT_TYPE_OPTIONS, "nosniff")
}

/// The answer with one more field.
fn with(mut response: Response<Full<Bytes>>, name: HeaderName, value: &'static str) -> Response<Full<Bytes>> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// The answer to HEAD: the fields of the one to GET, its length among them, and no body (RFC 9110 section 9.3.2).
fn without_body(response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let (mut head, body) = response.into_parts();
    if let Some(length) = http_body::Body::size_hint(&body).exact() {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, Full::default())
}

#[cfg(test)]
mod tests;
