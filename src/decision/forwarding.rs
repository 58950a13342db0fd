//! Which headers the upstream gets and which never pass.
//!
//! Servers fold header names: CGI-like ones take `X_Auth_User`, `X.Auth.User` and `X-Auth-User` for the same. So names
//! are compared here in one folded form, letters in lower case and everything else a dash, and what waxseal may ever
//! set is removed from every request in all its spellings before anything is set.

use std::borrow::Cow;
use std::collections::HashMap;

use http::header::{AUTHORIZATION, HOST, HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;

use super::claims::{ClaimPath, Claims, kind};
use super::rejection::{Code, Rejection};

/// The longest header value that is made of a claim, in bytes.
const LONGEST_VALUE: usize = 4096;
/// What is percent-encoded in a header value: all but visible ASCII, and the percent sign itself.
const HIDDEN: &AsciiSet = &CONTROLS.add(b' ').add(b'%');
/// The same, for a member of a list.
const HIDDEN_IN_LIST: &AsciiSet = &HIDDEN.add(b',');

/// Names that say where a body ends; no other spelling of them may pass, folded.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];
/// Hop-by-hop fields (RFC 9110 section 7.6.1) and those of the same kind, folded.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];
/// Fields by which some servers take another URL than the target, folded. Never passed, whoever sends them.
const URL_OVERRIDES: [&str; 13] = [
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-override-url",
    "x-http-destinationurl",
    "x-forwarded-uri",
    "x-forwarded-path",
    "x-forwarded-prefix",
    "x-envoy-original-path",
    "x-script-name",
    "x-http-destination-url",
    // By these Gunicorn and Daphne cut the front off the path.
    "script-name",
    "daphne-root-path",
];
/// Fields that speak of who is at the other end, folded; believed from trusted peers only. Besides these, everything
/// that begins with `x-forwarded-`.
const FORWARDED: [&str; 5] = ["forwarded", "x-real-ip", "x-request-id", "remote-user", "x-remote-user"];
const FORWARDED_PREFIX: &str = "x-forwarded-";

/// A header name as a server may fold it.
pub fn folded(name: &HeaderName) -> Cow<'_, str> {
    fold_text(name.as_str())
}

/// [`folded`], for a name that is still text.
pub fn fold_text(name: &str) -> Cow<'_, str> {
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
        return Cow::Borrowed(name);
    }
    let fold = |character: char| if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' };
    Cow::Owned(name.chars().map(fold).collect())
}

/// Refuses a name that an upstream could take for one that says where the body ends.
///
/// # Errors
/// `request_malformed`.
pub(super) fn refuse_folded_framing(headers: &HeaderMap) -> Result<(), Rejection> {
    for name in headers.keys() {
        let text = name.as_str();
        if passes_for_framing(name) && !FRAMING.contains(&text) {
            return Err(Rejection::new(
                Code::RequestMalformed,
                format!("the field {text:?} passes for a framing field"),
            ));
        }
    }
    Ok(())
}

/// Whether a server could take the field for one that says where the body ends.
pub fn passes_for_framing(name: &HeaderName) -> bool {
    matches!(name.as_str().len(), 14 | 17) && FRAMING.contains(&&*folded(name))
}

/// Why a header does not go up as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is for the connection it came on.
    HopByHop,
    /// It would have the upstream take another URL.
    UrlOverride,
    /// It says who is at the other end; believed from trusted peers.
    Forwarded,
    /// waxseal itself may set it.
    Identity,
}

/// The rule for each header name, made once per configuration.
#[derive(Clone, Debug)]
pub struct HeaderRules {
    rules: HashMap<Box<str>, Rule>,
    /// For each first byte the lengths that a name with a rule can have, one bit each: nearly every header is known to
    /// have no rule by a look at this.
    lengths: Box<[u64; 256]>,
}

impl HeaderRules {
    /// The rules where waxseal may set `identity` headers.
    pub fn new<'n>(identity: impl IntoIterator<Item = &'n HeaderName>) -> Self {
        let mut rules: HashMap<Box<str>, Rule> = HashMap::new();
        let fixed =
            [(&HOP_BY_HOP[..], Rule::HopByHop), (&FORWARDED, Rule::Forwarded), (&URL_OVERRIDES, Rule::UrlOverride)];
        for (names, rule) in fixed {
            rules.extend(names.iter().map(|name| (Box::from(*name), rule)));
        }
        rules.extend(identity.into_iter().map(|name| (Box::from(&*folded(name)), Rule::Identity)));
        let mut lengths = Box::new([0; 256]);
        for name in rules.keys() {
            if let Some(bits) = name.bytes().next().and_then(|first| lengths.get_mut(usize::from(first))) {
                *bits |= length_bit(name);
            }
        }
        Self { rules, lengths }
    }

    /// The rule for a header, if there is one.
    pub fn rule(&self, name: &HeaderName) -> Option<Rule> {
        let text = name.as_str();
        let first = text.bytes().next().map(|first| if first.is_ascii_alphanumeric() { first } else { b'-' })?;
        let may_be_forwarded = first == b'x' && text.len() > FORWARDED_PREFIX.len();
        let known_length = self.lengths.get(usize::from(first)).is_some_and(|bits| bits & length_bit(text) != 0);
        if !known_length && !may_be_forwarded {
            return None;
        }
        let name = fold_text(text);
        let rule = self.rules.get(&*name).copied();
        rule.or_else(|| name.starts_with(FORWARDED_PREFIX).then_some(Rule::Forwarded))
    }
}

fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// What a route does to the headers of a request that may pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// Headers to set, and the claims they are made of.
    pub claims: Vec<(HeaderName, ClaimPath)>,
    /// Whether the token stays here.
    pub strip_authorization: bool,
    /// Further headers to remove, folded.
    pub strip: Vec<Box<str>>,
}

impl Forwarding {
    /// Whether a claim may be written to a header of that name.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_set(name: &HeaderName) -> Result<(), &'static str> {
        let folded = folded(name);
        if HOP_BY_HOP.contains(&&*folded) || *folded == *"trailer" {
            Err("a hop-by-hop field cannot be set from a claim")
        } else if FRAMING.contains(&&*folded) {
            Err("a field that says where the body ends cannot be set from a claim")
        } else if name == HOST || name == AUTHORIZATION {
            Err("Host and Authorization cannot be set from a claim")
        } else if URL_OVERRIDES.contains(&&*folded) {
            Err("a field that names another URL is never forwarded")
        } else {
            Ok(())
        }
    }

    /// The headers that tell the upstream who was proven.
    ///
    /// # Errors
    /// `claim_malformed` where a claim cannot be told in a header.
    pub fn identity(&self, claims: &Claims) -> Result<Vec<(HeaderName, HeaderValue)>, Rejection> {
        let mut headers = Vec::with_capacity(self.claims.len());
        for (name, path) in &self.claims {
            let value = path.find(claims).filter(|value| !value.is_null());
            if let Some(value) = value {
                headers.push((name.clone(), header_value(path, value)?));
            }
        }
        Ok(headers)
    }
}

/// A claim as a header value: text, integers and booleans as they are, lists joined by commas.
fn header_value(path: &ClaimPath, value: &Value) -> Result<HeaderValue, Rejection> {
    let wrong = |found: &str| {
        let detail = format!("claim {:?}: {found} cannot be told in a header", path.as_str());
        Rejection::new(Code::ClaimMalformed, detail)
    };
    let text = match value {
        Value::Array(members) => {
            let members: Option<Vec<String>> = members.iter().map(|member| plain(member, HIDDEN_IN_LIST)).collect();
            members.ok_or_else(|| wrong("a member of the list"))?.join(",")
        }
        single => plain(single, HIDDEN).ok_or_else(|| wrong(kind(single)))?,
    };
    if text.len() > LONGEST_VALUE {
        return Err(wrong("a value over 4 KiB"));
    }
    HeaderValue::from_str(&text).map_err(|_| wrong("its text"))
}

/// Text, an integer or a boolean as text; nothing else has one.
fn plain(value: &Value, hidden: &'static AsciiSet) -> Option<String> {
    match value {
        Value::String(text) => Some(utf8_percent_encode(text, hidden).to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) if number.is_i64() || number.is_u64() => Some(number.to_string()),
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::from_bytes(text.as_bytes()).unwrap()
    }

    #[test]
    fn every_spelling_that_a_server_may_fold_has_the_same_rule() {
        let rules = HeaderRules::new(&[name("x-auth-user"), name("roles"), name("_user")]);
        for (spelling, rule) in [
            ("X-Auth-User", Some(Rule::Identity)),
            ("x_auth_user", Some(Rule::Identity)),
            ("x.auth~user", Some(Rule::Identity)),
            ("Roles", Some(Rule::Identity)),
            ("_user", Some(Rule::Identity)),
            (".user", Some(Rule::Identity)),
            ("user", None),
            ("xauth-user", None),
            ("x-auth-users", None),
            ("X_Original_URL", Some(Rule::UrlOverride)),
            ("X-Forwarded-Prefix", Some(Rule::UrlOverride)),
            ("SCRIPT_NAME", Some(Rule::UrlOverride)),
            ("Daphne-Root-Path", Some(Rule::UrlOverride)),
            ("X-Forwarded-Anything", Some(Rule::Forwarded)),
            ("x_forwarded_for", Some(Rule::Forwarded)),
            ("Forwarded", Some(Rule::Forwarded)),
            ("Remote_User", Some(Rule::Forwarded)),
            ("X_Request_ID", Some(Rule::Forwarded)),
            ("Keep_Alive", Some(Rule::HopByHop)),
            ("TE", Some(Rule::HopByHop)),
            ("accept", None),
            ("content-length", None),
            ("user-agent", None),
            ("cookie", None),
        ] {
            assert_eq!(rules.rule(&name(spelling)), rule, "{spelling}");
        }
    }

    #[test]
    fn what_passes_for_a_framing_field_is_malformed() {
        for (spelling, good) in [
            ("content-length", true),
            ("content_length", false),
            ("Transfer.Encoding", false),
            ("content-lengths", true),
        ] {
            let headers = HeaderMap::from_iter([(name(spelling), HeaderValue::from_static("1"))]);
            assert_eq!(refuse_folded_framing(&headers).is_ok(), good, "{spelling}");
        }
    }

    #[test]
    fn claims_become_header_values() {
        for (json, expected) in [
            (r#""boomi""#, Some("boomi")),
            (r#""a b%""#, Some("a%20b%25")),
            (r#""a,b""#, Some("a,b")),
            (r#""ü\r\nX: y""#, Some("%C3%BC%0D%0AX:%20y")),
            ("7", Some("7")),
            ("-7", Some("-7")),
            ("true", Some("true")),
            (r#"["a","b,c",1]"#, Some("a,b%2Cc,1")),
            ("[]", Some("")),
            ("1.5", None),
            ("{}", None),
            ("[[]]", None),
            ("[null]", None),
        ] {
            let claims = Claims::parse(format!("{{\"c\":{json}}}").as_bytes()).unwrap();
            let forwarding = Forwarding { claims: vec![(name("x-c"), ClaimPath::new("c"))], ..Forwarding::default() };
            let value = forwarding.identity(&claims).map(|headers| headers[0].1.clone());
            match expected {
                Some(text) => assert_eq!(value.unwrap(), text, "{json}"),
                None => assert_eq!(value.unwrap_err().code(), Code::ClaimMalformed, "{json}"),
            }
        }
    }

    #[test]
    fn a_missing_or_null_claim_sets_no_header_and_a_long_one_is_refused() {
        let forwarding = Forwarding { claims: vec![(name("x-c"), ClaimPath::new("c"))], ..Forwarding::default() };
        for json in ["{}", r#"{"c":null}"#] {
            assert!(forwarding.identity(&Claims::parse(json.as_bytes()).unwrap()).unwrap().is_empty());
        }
        let long = format!("{{\"c\":\"{}\"}}", "a".repeat(LONGEST_VALUE + 1));
        assert!(forwarding.identity(&Claims::parse(long.as_bytes()).unwrap()).is_err());
    }

    #[test]
    fn some_headers_cannot_be_set() {
        for bad in [
            "connection",
            "te",
            "host",
            "authorization",
            "content-length",
            "Content_Length",
            "x-original-url",
            "upgrade",
        ] {
            assert!(Forwarding::may_set(&name(bad)).is_err(), "{bad}");
        }
        assert!(Forwarding::may_set(&name("x-auth-user")).is_ok());
    }
}
