//! What report mode lets pass, taken down for the operator.

use http::header::USER_AGENT;
use http::{HeaderValue, Request};

use crate::decision::client::Client;
use crate::decision::principal::Principal;
use crate::decision::rejection::Rejection;
use crate::decision::route::Route;
use crate::telemetry::access::Excerpt;
use crate::telemetry::report::{Caller, Lifted};
use crate::time::UnixSeconds;

/// The record of a request that passes in spite of `rejection`. Whoever was proven is the caller, else whoever is at the
/// far end.
pub(super) fn lifted<B>(
    rejection: &Rejection,
    route: &Route,
    principal: Option<&Principal>,
    client: impl FnOnce() -> Client,
    request: &Request<B>,
    id: &HeaderValue,
    time: UnixSeconds,
) -> Lifted {
    let text = |value: &HeaderValue| Excerpt::text(&String::from_utf8_lossy(value.as_bytes()));
    let caller = match principal {
        Some(own) => Caller::Subject { issuer: own.issuer().clone(), subject: Excerpt::text(own.subject()) },
        None => Caller::Client(client()),
    };
    Lifted {
        time,
        route: route.name.clone(),
        code: rejection.code(),
        caller,
        method: Excerpt::method(request.method()),
        path: Excerpt::path(request.uri().path()),
        request_id: text(id),
        user_agent: request.headers().get(USER_AGENT).map(text),
        detail: Excerpt::text(rejection.detail()),
    }
}
