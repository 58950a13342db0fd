//! A request and its permit become the request that the upstream receives.

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderName, Request, Uri, Version};
use percent_encoding::percent_decode;

use super::body::UpBody;
use super::headers::{X_REQUEST_ID, clean_request, tell_forwarding};
use crate::decision::credential::Place;
use crate::decision::forwarding::folded;
use crate::decision::route::Route;
use crate::decision::snapshot::Snapshot;
use crate::decision::verdict::Permit;
use crate::net::ConnInfo;
use crate::upstream::{Server, Settings as UpstreamSettings};

/// What is known of a request besides its permit.
pub(super) struct Facts<'f> {
    /// The connection it came on.
    pub(super) conn: &'f ConnInfo,
    /// Whether that peer's word about the client is believed.
    pub(super) trusted: bool,
    /// The host it is for.
    pub(super) host: Option<&'f str>,
    /// Its id.
    pub(super) id: &'f HeaderValue,
    /// The protocol that it asks to change to, if that may go up.
    pub(super) upgrade: Option<HeaderValue>,
}

/// Spends the permit: strips, adds who was proven, and puts the target into the form that servers take.
pub(super) fn prepare(
    request: Request<UpBody>,
    permit: Permit,
    facts: &Facts<'_>,
    snapshot: &Snapshot,
    upstream: &UpstreamSettings,
) -> Request<UpBody> {
    let (mut parts, body) = request.into_parts();
    if parts.version == Version::HTTP_2 {
        join_cookies(&mut parts.headers);
    }
    let routes: Vec<&Route> = permit.held().iter().filter_map(|id| snapshot.routes.route(id)).collect();
    let strip: Vec<&str> = routes.iter().flat_map(|route| &route.forwarding.strip).map(|name| &**name).collect();
    let stays = routes.iter().any(|route| route.forwarding.strip_authorization);
    let headers = &mut parts.headers;
    let token = permit.credential().and_then(|place| take_token(headers, place, parts.uri.query()));
    clean_request(headers, &snapshot.headers, facts.trusted, &strip);
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token);
    }
    if stays {
        headers.remove(AUTHORIZATION);
    }
    for (name, value) in permit.identity() {
        headers.insert(name.clone(), value.clone());
    }
    tell_forwarding(headers, facts.conn, facts.host, facts.trusted);
    headers.insert(X_REQUEST_ID, facts.id.clone());
    if let Some(protocol) = &facts.upgrade {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.clone());
    }
    tell_host(headers, facts.host, upstream);
    if !http_body::Body::is_end_stream(&body) && http_body::Body::size_hint(&body).exact().is_none() {
        // A GET is taken to have no body unless it says so.
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    let mut prepared = Request::new(body);
    *prepared.method_mut() = parts.method;
    *prepared.version_mut() = Version::HTTP_11;
    *prepared.uri_mut() = origin_form(parts.uri);
    *prepared.headers_mut() = parts.headers;
    prepared
}

/// The token as the upstream gets it, removed from where it was. The query stays as it came.
fn take_token(headers: &mut HeaderMap, place: &Place, query: Option<&str>) -> Option<HeaderValue> {
    let token = match place {
        Place::Authorization => {
            let value = headers.get(AUTHORIZATION)?.as_bytes();
            if value.starts_with(b"Bearer ") && value.get(7) != Some(&b' ') {
                return None;
            }
            value.get(6..)?.trim_ascii().to_vec()
        }
        Place::Header(name) => {
            let spelt: Vec<HeaderName> = headers.keys().filter(|own| folded(own) == folded(name)).cloned().collect();
            spelt.into_iter().filter_map(|own| headers.remove(own)).last()?.as_bytes().to_vec()
        }
        Place::Cookie(name) => take_cookie(headers, name)?,
        Place::Query(name) => {
            let values = query?.split('&').filter_map(|pair| pair.split_once('='));
            let same = |key: &str| percent_decode(key.as_bytes()).eq(name.bytes());
            let value = values.into_iter().find(|(key, _)| same(key))?.1;
            percent_decode(value.as_bytes()).collect()
        }
    };
    let mut bearer = b"Bearer ".to_vec();
    bearer.extend_from_slice(&token);
    HeaderValue::from_bytes(&bearer).ok().map(|mut value| {
        value.set_sensitive(true);
        value
    })
}

/// HTTP/2 may send each cookie in a field of its own; HTTP/1.1 has one (RFC 9113 section 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let crumbs: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() < 2 {
        return;
    }
    if let Ok(joined) = HeaderValue::from_bytes(&crumbs.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}

/// Takes one cookie out of all `Cookie` lines and leaves the others.
fn take_cookie(headers: &mut HeaderMap, name: &str) -> Option<Vec<u8>> {
    let mut token = None;
    let mut others: Vec<Vec<u8>> = Vec::new();
    for line in headers.get_all(COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
            let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
            let (key, value) = pair.split_at_checked(at).unwrap_or((pair, b""));
            if key.trim_ascii() == name.as_bytes() {
                token = Some(value.get(1..).unwrap_or_default().trim_ascii().to_vec());
            } else if !pair.is_empty() {
                others.push(pair.to_vec());
            }
        }
    }
    headers.remove(COOKIE);
    if let Ok(line) = HeaderValue::from_bytes(&others.join(&b"; "[..]))
        && !others.is_empty()
    {
        headers.insert(COOKIE, line);
    }
    token
}

/// The host that the client asked for. An upstream that wants its own name is given it when the server is chosen.
fn tell_host(headers: &mut HeaderMap, host: Option<&str>, upstream: &UpstreamSettings) {
    let own = || upstream.servers.first().map(Server::authority);
    let host = host.map(str::to_owned).or_else(own);
    if let Some(host) = host.and_then(|host| HeaderValue::try_from(host).ok()) {
        headers.insert(HOST, host);
    }
}

/// The target as servers take it: path and query, byte for byte as they were judged.
fn origin_form(uri: Uri) -> Uri {
    if uri.scheme().is_none() && uri.authority().is_none() {
        return uri;
    }
    let root = || PathAndQuery::from_static("/");
    // A fragment alone leaves an empty path, which reads as `/` and would be written as nothing.
    Uri::from(uri.into_parts().path_and_query.filter(|target| target.as_str() != "/").unwrap_or_else(root))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_goes_up_as_path_and_query() {
        for (target, expected) in [
            ("/a?b", "/a?b"),
            ("http://oms.example/a//b?c#d", "/a//b?c"),
            ("http://oms.example", "/"),
            ("http://oms.example?a", "/?a"),
            ("http://oms.example#a", "/"),
        ] {
            assert_eq!(origin_form(target.parse().unwrap()).to_string(), expected, "{target}");
        }
    }
}
