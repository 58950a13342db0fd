//! What an upstream of the most careless kind takes the headers of a request for.
//!
//! It is CGI: letter case does not count, and every other character than a letter or a digit is an underscore
//! (RFC 3875 section 4.1.18). What such a server must not be told is listed here anew, so that a name which waxseal
//! forgets is found.

use http::{HeaderMap, HeaderName, Method, Request};

/// What names another URL.
const URLS: [&str; 13] = [
    "X_ORIGINAL_URL",
    "X_ORIGINAL_URI",
    "X_REWRITE_URL",
    "X_OVERRIDE_URL",
    "X_HTTP_DESTINATIONURL",
    "X_HTTP_DESTINATION_URL",
    "X_FORWARDED_URI",
    "X_FORWARDED_PATH",
    "X_FORWARDED_PREFIX",
    "X_ENVOY_ORIGINAL_PATH",
    "X_SCRIPT_NAME",
    "SCRIPT_NAME",
    "DAPHNE_ROOT_PATH",
];
/// What was for the connection below alone.
const CONNECTION: [&str; 6] =
    ["KEEP_ALIVE", "PROXY_CONNECTION", "PROXY_AUTHORIZATION", "PROXY_AUTHENTICATE", "TE", "HTTP2_SETTINGS"];
/// Forwarding fields, each with whether waxseal itself writes it.
const FORWARDING: [(&str, bool); 8] = [
    ("X_FORWARDED_FOR", true),
    ("X_FORWARDED_PROTO", true),
    ("X_FORWARDED_HOST", true),
    ("X_REQUEST_ID", true),
    ("FORWARDED", false),
    ("X_REAL_IP", false),
    ("REMOTE_USER", false),
    ("X_REMOTE_USER", false),
];

/// The name of a variable that CGI makes of a header.
pub fn variable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' }).collect()
}

/// Everything that the upstream could take for that variable.
pub fn values(headers: &HeaderMap, wanted: &str) -> Vec<Vec<u8>> {
    let same = headers.iter().filter(|(name, _)| variable(name.as_str()) == wanted);
    same.map(|(_, value)| value.as_bytes().to_vec()).collect()
}

/// Checks what a request became: `sent` by `came` and what waxseal says of who was proven, where `may_set`
/// are all headers that it could ever say it in. A trusted peer may say who is at its other end.
///
/// # Panics
/// Where the upstream is told what it must not be told.
pub fn check<B, C>(
    came: &Request<B>,
    sent: &Request<C>,
    identity: &[(HeaderName, String)],
    may_set: &[&str],
    trusted: bool,
) {
    let (path, query) = (sent.uri().path(), sent.uri().query());
    assert_eq!((came.uri().path(), came.uri().query()), (path, query), "path and query go up byte for byte");
    assert!(sent.uri().authority().is_none() || *came.method() == Method::OPTIONS, "the target is in origin form");
    assert_eq!(came.method(), sent.method());
    for name in may_set {
        let own = identity.iter().filter(|(header, _)| variable(header.as_str()) == variable(name));
        let own: Vec<Vec<u8>> = own.map(|(_, value)| value.as_bytes().to_vec()).collect();
        assert_eq!(values(sent.headers(), &variable(name)), own, "{name}: {:?}", sent.headers());
    }
    for name in URLS.iter().chain(&CONNECTION) {
        assert!(values(sent.headers(), name).is_empty(), "{name}: {:?}", sent.headers());
    }
    let of_others = |name: &&str| !may_set.iter().any(|own| variable(own) == **name);
    for (name, own) in FORWARDING.iter().filter(|(name, _)| of_others(name)) {
        let found = values(sent.headers(), name);
        let right = found.len() == usize::from(*own) || (found.is_empty() && *name == "X_FORWARDED_HOST");
        assert!(right || trusted, "{name}: {found:?}");
    }
    for name in sent.headers().keys().map(HeaderName::as_str) {
        let own = FORWARDING.iter().find(|(own, _)| *own == variable(name));
        let forwarding = own.is_some() || variable(name).starts_with("X_FORWARDED_");
        assert!(
            !forwarding || name == variable(name).to_ascii_lowercase().replace('_', "-"),
            "{name}: another spelling"
        );
        assert!(!forwarding || trusted || own.is_some_and(|(_, written)| *written), "{name}");
    }
    for name in ["CONTENT_LENGTH", "TRANSFER_ENCODING", "HOST"] {
        assert!(values(sent.headers(), name).len() <= 1, "{name}: {:?}", sent.headers());
    }
    for name in sent.headers().keys() {
        let upgrade = ["connection", "upgrade", "transfer-encoding"].contains(&name.as_str());
        assert!(came.headers().contains_key(name) || upgrade || is_own(name, identity), "{name} came from nowhere");
    }
}

/// Whether waxseal itself writes the header.
fn is_own(name: &HeaderName, identity: &[(HeaderName, String)]) -> bool {
    let text = variable(name.as_str());
    let forwarding = FORWARDING.iter().any(|(own, written)| *written && *own == text);
    forwarding || matches!(name.as_str(), "host" | "authorization") || identity.iter().any(|(own, _)| own == name)
}
