//! Hop-by-hop fields, forwarding fields and `Host` (RFC 9110 sections 7.2 and 7.6.1).

use std::net::IpAddr;

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};

use crate::decision::forwarding::{HeaderRules, Rule, folded, passes_for_framing};
use crate::decision::head::overrides_method;
use crate::net::{ConnInfo, Flaw, Peer, check_length};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
pub(super) const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub(super) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Removes what never goes up: hop-by-hop fields, everything that waxseal may set, URL overrides, and from peers that
/// are not trusted whatever says who is at the other end. `strip` holds further names, folded.
pub(super) fn clean_request(headers: &mut HeaderMap, rules: &HeaderRules, trusted: bool, strip: &[&str]) {
    let named = named_by_connection(headers);
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| match rules.rule(name) {
            Some(Rule::HopByHop | Rule::UrlOverride | Rule::Identity) => true,
            // Another spelling of a forwarding field would stand beside the true one.
            Some(Rule::Forwarded) => !trusted || folded(name) != name.as_str(),
            None => {
                (!named.is_empty() && named.contains(name)) || (!strip.is_empty() && strip.contains(&&*folded(name)))
            }
        })
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// The fields that `Connection` names, but for those that are not its to name.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    const NEVER: [HeaderName; 4] = [HOST, CONTENT_LENGTH, TRANSFER_ENCODING, AUTHORIZATION];
    let mut names = Vec::new();
    for line in headers.get_all(CONNECTION) {
        let words = line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        names.extend(words.filter_map(|word| HeaderName::from_bytes(word).ok()).filter(|name| !NEVER.contains(name)));
    }
    names
}

/// Removes what was for the connection to the upstream alone.
pub(super) fn clean_response(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
        headers.remove(CONNECTION);
    }
    for name in [KEEP_ALIVE, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE] {
        headers.remove(name);
    }
}

/// Sees to it that an answer says once how long it is; equal lengths are one (RFC 9110 section 8.6).
///
/// # Errors
/// Where another reader could see it end elsewhere (RFC 9112 section 6.3).
pub(super) fn settle_length(headers: &mut HeaderMap) -> Result<(), Flaw> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let listed = lengths.next().is_some_and(|length| length.as_bytes().contains(&b','));
    if !listed && lengths.next().is_none() && !headers.contains_key(TRANSFER_ENCODING) {
        // Nearly every answer; that the length is a number is what the parser has seen to.
        return Ok(());
    }
    let settled = check_length(headers);
    if settled != Err(Flaw::TwoLengths) {
        return settled;
    }
    let lines = headers.get_all(CONTENT_LENGTH).iter().map(HeaderValue::as_bytes);
    let mut lengths = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let first = lengths.next().unwrap_or_default();
    if lengths.any(|other| other != first) {
        return settled;
    }
    let one = HeaderValue::from_bytes(first).map_err(|_| Flaw::BadLength)?;
    headers.insert(CONTENT_LENGTH, one);
    check_length(headers)
}

/// Removes from trailers what must not be told behind the back of a decision (RFC 9110 section 6.5.1).
pub(super) fn clean_trailers(mut trailers: HeaderMap, rules: &HeaderRules) -> HeaderMap {
    const NEVER: [HeaderName; 6] = [AUTHORIZATION, COOKIE, HOST, CONTENT_LENGTH, TRANSFER_ENCODING, TRAILER];
    let doomed: Vec<HeaderName> = trailers
        .keys()
        .filter(|name| NEVER.contains(name) || rules.rule(name).is_some() || is_disguised(name))
        .cloned()
        .collect();
    for name in doomed {
        trailers.remove(name);
    }
    trailers
}

/// Whether a server could take the field for one that is judged in the head alone.
fn is_disguised(name: &HeaderName) -> bool {
    passes_for_framing(name) || overrides_method(name)
}

/// Says truthfully who is at the other end. What a trusted peer says of those before it is kept and extended.
pub(super) fn tell_forwarding(headers: &mut HeaderMap, conn: &ConnInfo, host: Option<&str>, trusted: bool) {
    let address = match conn.peer {
        Peer::Ip(address) => Some(address.ip()),
        Peer::Unix => None,
    };
    if let Some(address) = address {
        extend_list(headers, X_FORWARDED_FOR, &address.to_string());
        if trusted && headers.contains_key(FORWARDED) {
            extend_list(headers, FORWARDED, &format!("for={}", node(address)));
        }
    }
    let proto = HeaderValue::from_static(if conn.tls { "https" } else { "http" });
    headers.entry(X_FORWARDED_PROTO).or_insert(proto);
    if let Some(host) = host.and_then(|host| HeaderValue::from_str(host).ok()) {
        headers.entry(X_FORWARDED_HOST).or_insert(host);
    }
}

/// Adds a member to a list field, in one line with those that are there.
fn extend_list(headers: &mut HeaderMap, name: HeaderName, member: &str) {
    let mut list: Vec<u8> = Vec::new();
    for line in headers.get_all(&name) {
        list.extend_from_slice(line.as_bytes());
        list.extend_from_slice(b", ");
    }
    list.extend_from_slice(member.as_bytes());
    if let Ok(value) = HeaderValue::from_bytes(&list) {
        headers.insert(name, value);
    }
}

/// An address as `Forwarded` writes it (RFC 7239 section 6).
fn node(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&str, &str)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
        };
        let mut headers = HeaderMap::new();
        for (name, value) in lines.iter().map(field) {
            headers.append(name, value);
        }
        headers
    }

    fn conn() -> ConnInfo {
        ConnInfo { peer: Peer::Ip("192.0.2.7:1".parse::<SocketAddr>().unwrap()), local: None, tls: true, id: 1 }
    }

    #[test]
    fn connection_cannot_name_away_what_is_not_its_own() {
        let rules = HeaderRules::new(&[HeaderName::from_static("x-auth-user")]);
        let mut sent = headers(&[
            ("connection", "close, X-Private, Content-Length, Host, Authorization"),
            ("x-private", "1"),
            ("content-length", "5"),
            ("host", "h"),
            ("authorization", "Bearer x"),
            ("x_auth_user", "evil"),
            ("keep-alive", "timeout=5"),
        ]);
        clean_request(&mut sent, &rules, false, &[]);
        let mut left: Vec<&str> = sent.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "content-length", "host"]);
    }

    #[test]
    fn a_stranger_says_nothing_about_itself_and_a_trusted_peer_does() {
        let rules = HeaderRules::new(&[]);
        let lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x_forwarded_for", "203.0.113.10"),
            ("x-forwarded-proto", "gopher"),
            ("forwarded", "for=203.0.113.9"),
            ("x-real-ip", "203.0.113.9"),
            ("x-forwarded-uri", "/evil"),
        ];
        let mut stranger = headers(&lines);
        clean_request(&mut stranger, &rules, false, &[]);
        tell_forwarding(&mut stranger, &conn(), Some("oms.example"), false);
        assert_eq!(stranger.get("x-forwarded-for").unwrap(), "192.0.2.7");
        assert_eq!(stranger.get("x-forwarded-proto").unwrap(), "https");
        assert_eq!(stranger.get("x-forwarded-host").unwrap(), "oms.example");
        assert_eq!(stranger.len(), 3);
        let mut peer = headers(&lines);
        clean_request(&mut peer, &rules, true, &[]);
        tell_forwarding(&mut peer, &conn(), Some("oms.example"), true);
        assert_eq!(peer.get("x-forwarded-for").unwrap(), "203.0.113.9, 192.0.2.7");
        assert_eq!(peer.get("forwarded").unwrap(), "for=203.0.113.9, for=192.0.2.7");
        assert_eq!(peer.get("x-forwarded-proto").unwrap(), "gopher");
        assert!(peer.get("x-forwarded-uri").is_none() && peer.get("x_forwarded_for").is_none());
    }

    #[test]
    fn an_answer_says_once_how_long_it_is() {
        const LENGTH: &str = "content-length";
        for (lines, settled) in [
            (&[][..], Ok(None)),
            (&[(LENGTH, "5")], Ok(Some("5"))),
            (&[(LENGTH, "5"), (LENGTH, "5")], Ok(Some("5"))),
            (&[(LENGTH, "5, 5"), (LENGTH, "5")], Ok(Some("5"))),
            (&[("transfer-encoding", "chunked")], Ok(None)),
            (&[(LENGTH, "5"), (LENGTH, "6")], Err(Flaw::TwoLengths)),
            (&[(LENGTH, "5, 6")], Err(Flaw::TwoLengths)),
            (&[(LENGTH, "x, x")], Err(Flaw::BadLength)),
            (&[(LENGTH, "5"), ("transfer-encoding", "chunked")], Err(Flaw::LengthAndCoding)),
            (&[(LENGTH, "5, 5"), ("transfer-encoding", "chunked")], Err(Flaw::LengthAndCoding)),
            (&[("transfer-encoding", "gzip, chunked")], Err(Flaw::BadCoding)),
            (&[("transfer-encoding", "gzip")], Err(Flaw::BadCoding)),
        ] {
            let mut answer = headers(lines);
            let found = settle_length(&mut answer);
            let lengths: Vec<_> = answer.get_all(LENGTH).iter().map(|value| value.to_str().unwrap()).collect();
            match settled {
                Ok(length) => assert_eq!((found, lengths), (Ok(()), length.into_iter().collect()), "{lines:?}"),
                Err(flaw) => assert_eq!(found, Err(flaw), "{lines:?}"),
            }
        }
    }

    #[test]
    fn further_names_are_stripped_in_every_spelling() {
        let rules = HeaderRules::new(&[]);
        let mut sent = headers(&[("api_key", "1"), ("API-Key", "2"), ("cookie", "a=b"), ("apikey", "3")]);
        clean_request(&mut sent, &rules, false, &["api-key", "cookie"]);
        assert_eq!(sent.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["apikey"]);
    }

    #[test]
    fn trailers_tell_nothing_that_a_header_could_not() {
        let rules = HeaderRules::new(&[HeaderName::from_static("x-auth-user")]);
        let sent = headers(&[
            ("x-checksum", "1"),
            ("x-auth-user", "evil"),
            ("authorization", "Bearer x"),
            ("content-length", "0"),
            ("content_length", "0"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x_request_id", "evil"),
            ("x-http-method-override", "POST"),
        ]);
        let left = clean_trailers(sent, &rules);
        assert_eq!(left.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"]);
    }

    proptest! {
        #[test]
        fn a_trailer_passes_only_where_a_header_of_its_name_would(
            names in prop::collection::vec(("(x[-_.])?(auth[-_.~]user|forwarded[-_](for|x)|original[-_]url|request[-_.]id|te|roles)[a-z]?", "[a-z]{1,5}"), 0..8),
        ) {
            let rules = HeaderRules::new(&[HeaderName::from_static("x-auth-user"), HeaderName::from_static("roles")]);
            let lines: Vec<(&str, &str)> = names.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let mut sent = headers(&lines);
            let left = clean_trailers(sent.clone(), &rules);
            clean_request(&mut sent, &rules, false, &[]);
            prop_assert_eq!(left, sent);
        }
    }
}
