//! What this front would answer and send up, without any connection: for whoever explains.
//!
//! The very functions that serve are asked, so that what is told is what happens.

mod asked;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Response};

pub use asked::{Asked, HIDDEN, without_secrets, without_user};

use super::body::{DownBody, UpBody};
use super::forward::{self, Facts};
use super::headers::X_REQUEST_ID;
use super::limits;
use super::respond::{self, Asker};
use super::settings::Settings;
use super::upgrade;
use crate::decision::head::RequestHead;
use crate::decision::rejection::Rejection;
use crate::decision::route::Route;
use crate::decision::snapshot::Snapshot;
use crate::decision::verdict::Permit;
use crate::net::ConnInfo;
use crate::telemetry::trace::acceptable_request_id;
use crate::upstream::{HostMode, Server, Settings as UpstreamSettings};

/// One request as this front would see it.
pub struct Preview<'p> {
    settings: &'p Settings,
    conn: &'p ConnInfo,
    trusted: bool,
    asker: Asker,
}

impl<'p> Preview<'p> {
    /// A request on that connection. `fresh` stands in for the id that it would be given.
    pub fn of<B>(request: &Request<B>, conn: &'p ConnInfo, settings: &'p Settings, fresh: HeaderValue) -> Self {
        let trusted = settings.trust.includes(conn.peer);
        let own = request.headers().get(X_REQUEST_ID).filter(|id| trusted && acceptable_request_id(id));
        let asker = Asker::of(request, own.cloned().unwrap_or(fresh));
        Self { settings, conn, trusted, asker }
    }

    /// The answer to a refusal.
    pub fn refusal(&self, rejection: &Rejection) -> Response<Bytes> {
        respond::refuse(rejection, &self.asker, self.settings).map(DownBody::into_whole)
    }

    /// The answer to a preflight, where this front gives it.
    pub fn preflight<B>(&self, request: &Request<B>, head: &RequestHead<'_>) -> Option<Response<Bytes>> {
        let own = head.is_preflight() && self.settings.cors.answer_preflight;
        own.then(|| respond::preflight(request, &self.asker, self.settings).map(DownBody::into_whole))
    }

    /// Refuses a body that says itself that it is too large for its route.
    ///
    /// # Errors
    /// `body_too_large`.
    pub fn check_announced<B>(&self, request: &Request<B>, route: &Route) -> Result<(), Rejection> {
        let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        limits::check_announced(length.unwrap_or(0), limits::largest_body(route, self.settings))
    }

    /// The head that goes up.
    pub fn sent_up(
        &self,
        request: Request<()>,
        host: Option<String>,
        permit: Permit,
        snapshot: &Snapshot,
        upstream: &UpstreamSettings,
    ) -> Request<()> {
        let upgrade = upgrade::wanted(&request);
        let chunked = request.headers().contains_key(TRANSFER_ENCODING);
        let (host, id) = (host.as_deref(), self.asker.id());
        let facts = Facts { conn: self.conn, trusted: self.trusted, host, id, upgrade };
        let mut sent = forward::prepare(request.map(|()| UpBody::default()), permit, &facts, snapshot, upstream);
        if chunked {
            // A body of unknown length goes up as one.
            sent.headers_mut().insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        // What the pool does once it has chosen a server.
        let own = upstream.servers.first().filter(|_| upstream.host == HostMode::Upstream).map(Server::authority);
        if let Some(own) = own.and_then(|own| HeaderValue::try_from(own).ok()) {
            sent.headers_mut().insert(HOST, own);
        }
        sent.map(|_| ())
    }
}
