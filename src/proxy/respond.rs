//! A refusal, or a failure of the upstream, becomes a response.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN,
    RETRY_AFTER, VARY, WWW_AUTHENTICATE,
};
use http::{Method, Request, Response, StatusCode};
use serde_json::json;

use super::body::DownBody;
use super::headers::X_REQUEST_ID;
use super::settings::{Settings, Style};
use crate::decision::rejection::{Challenge, Code, Rejection};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
/// The word for a bad token where clients are not told which of its sides was bad.
const INVALID_TOKEN: &str = "invalid_token";

/// What an answer must know of the request that it answers.
pub(super) struct Asker {
    origin: Option<HeaderValue>,
    grpc: bool,
    /// Whether the answer goes down without its body.
    head: bool,
    id: HeaderValue,
}

impl Asker {
    /// Remembers a request of that id.
    pub(super) fn of<B>(request: &Request<B>, id: HeaderValue) -> Self {
        let headers = request.headers();
        Self {
            origin: headers.get(ORIGIN).cloned(),
            grpc: is_grpc(headers),
            head: *request.method() == Method::HEAD,
            id,
        }
    }

    /// Bytes of the body of an answer that go down to it.
    pub(super) fn receives(&self, response: &Response<DownBody>) -> u64 {
        if self.head { 0 } else { http_body::Body::size_hint(response.body()).lower() }
    }

    /// The id of the request.
    pub(super) fn id(&self) -> &HeaderValue {
        &self.id
    }
}

/// Whether a message is of a gRPC call; gRPC-Web is ordinary HTTP to whoever is between.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).and_then(|kind| kind.strip_prefix(b"application/grpc"));
    kind.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The response that tells of a refusal.
pub(super) fn refuse(rejection: &Rejection, asker: &Asker, settings: &Settings) -> Response<DownBody> {
    let mut response =
        if asker.grpc { trailers_only(rejection, settings) } else { with_body(rejection, asker, settings) };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_REQUEST_ID, asker.id.clone());
    if let Some(challenge) = challenge(rejection, settings) {
        headers.insert(WWW_AUTHENTICATE, challenge);
    }
    if let Some(seconds) = rejection.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if rejection.code() == Code::MethodRefused {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    permit_origin(headers, asker, settings);
    response
}

/// waxseal's own answer to a CORS preflight. A foreign origin gets it without the fields that permit anything.
pub(super) fn preflight<B>(request: &Request<B>, asker: &Asker, settings: &Settings) -> Response<DownBody> {
    let mut response = Response::new(DownBody::whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(X_REQUEST_ID, asker.id.clone());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if permit_origin(headers, asker, settings) {
        let asked = request.headers();
        for (wanted, granted) in [
            (ACCESS_CONTROL_REQUEST_METHOD, ACCESS_CONTROL_ALLOW_METHODS),
            (ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_ALLOW_HEADERS),
        ] {
            if let Some(value) = asked.get(wanted) {
                headers.insert(granted, value.clone());
            }
        }
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
    response
}

/// Lets the pages of a permitted origin read the answer; says whether this is one.
fn permit_origin(headers: &mut HeaderMap, asker: &Asker, settings: &Settings) -> bool {
    if settings.cors.origins.is_empty() {
        return false;
    }
    headers.append(VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = &asker.origin else { return false };
    let permitted = origin.to_str().is_ok_and(|text| settings.cors.origins.iter().any(|own| own.matches(text)));
    if permitted {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let exposed = HeaderValue::from_static("WWW-Authenticate, X-Request-Id");
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    permitted
}

/// The code that a client is told; `exact`: also where it tells what was wrong with a token.
pub(super) fn public_code(rejection: &Rejection, exact: bool) -> &'static str {
    let code = rejection.code();
    if exact || rejection.status() != StatusCode::UNAUTHORIZED || code == Code::CredentialMissing {
        code.name()
    } else {
        INVALID_TOKEN
    }
}

/// The code and the sentence that a client is told.
fn told(rejection: &Rejection, settings: &Settings) -> (&'static str, &'static str) {
    match public_code(rejection, settings.answers.exact) {
        INVALID_TOKEN => (INVALID_TOKEN, "The token is not accepted."),
        code => (code, rejection.public_message()),
    }
}

fn with_body(rejection: &Rejection, asker: &Asker, settings: &Settings) -> Response<DownBody> {
    let status = rejection.status();
    let (code, sentence) = told(rejection, settings);
    let title = status.canonical_reason().unwrap_or_default();
    let id = asker.id.to_str().unwrap_or_default();
    let (kind, body) = match settings.answers.style {
        Style::Problem => (
            "application/problem+json",
            json!({
                "type": "about:blank",
                "title": title,
                "status": status.as_u16(),
                "detail": sentence,
                "code": code,
                "request_id": id,
            }),
        ),
        Style::Hotwax => (
            "application/json",
            json!({
                "statusCode": status.as_u16(),
                "statusDescription": title,
                "errorMessage": sentence,
                "_ERROR_MESSAGE_": sentence,
                "errorCode": status.as_u16(),
                "errors": sentence,
                "code": code,
                "request_id": id,
            }),
        ),
    };
    let mut response = Response::new(DownBody::whole(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// A gRPC answer that consists of its trailers alone; they stand in its head.
fn trailers_only(rejection: &Rejection, settings: &Settings) -> Response<DownBody> {
    let mut response = Response::new(DownBody::whole(Bytes::new()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_STATUS, HeaderValue::from_static(grpc_status(rejection.status())));
    let message = told(rejection, settings).0;
    headers.insert(GRPC_MESSAGE, HeaderValue::from_static(message));
    response
}

/// The trailers of a gRPC stream that ends with its token. Codes need no percent-encoding.
pub(super) fn last_trailers(told: &'static str) -> HeaderMap {
    let status = HeaderValue::from_static(grpc_status(StatusCode::UNAUTHORIZED));
    HeaderMap::from_iter([(GRPC_STATUS, status), (GRPC_MESSAGE, HeaderValue::from_static(told))])
}

fn grpc_status(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "13",
        401 => "16",
        403 => "7",
        404 | 405 => "12",
        429 => "8",
        502 | 503 => "14",
        504 => "4",
        _ => "2",
    }
}

/// The `WWW-Authenticate` field (RFC 6750 section 3).
fn challenge(rejection: &Rejection, settings: &Settings) -> Option<HeaderValue> {
    let error = match rejection.challenge()? {
        Challenge::Bare => None,
        Challenge::InvalidToken => Some("invalid_token"),
        Challenge::InvalidRequest => Some("invalid_request"),
        Challenge::InsufficientScope => Some("insufficient_scope"),
    };
    let mut text = format!("Bearer realm={}", quoted(&settings.answers.realm));
    if let Some(error) = error {
        text.push_str(&format!(", error=\"{error}\""));
        if settings.answers.exact {
            text.push_str(&format!(", error_description={}", quoted(rejection.public_message())));
        }
    }
    if let Some(scope) = rejection.demanded_scope() {
        text.push_str(&format!(", scope={}", quoted(scope)));
    }
    HeaderValue::try_from(text).ok()
}

/// A quoted-string (RFC 9110 section 5.6.4).
fn quoted(text: &str) -> Cow<'static, str> {
    Cow::Owned(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}
