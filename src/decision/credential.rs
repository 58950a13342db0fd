//! Finding the token in a request: none, one, or too many.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, COOKIE, HeaderName, ORIGIN, UPGRADE};
use http::{HeaderMap, Method};
use percent_encoding::percent_decode;

use super::forwarding::folded;
use super::head::RequestHead;
use super::origin::OriginPattern;
use super::rejection::{Code, Rejection};

/// Where a token may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `Authorization: Bearer`.
    Authorization,
    /// A cookie of that name.
    Cookie(Box<str>),
    /// A parameter of the query.
    Query(Box<str>),
    /// Another header field, whose whole value is the token.
    Header(HeaderName),
}

impl Place {
    /// As the config writes it.
    pub fn words(&self) -> String {
        match self {
            Place::Authorization => "header".to_owned(),
            Place::Cookie(name) => format!("cookie:{name}"),
            Place::Query(name) => format!("query:{name}"),
            Place::Header(name) => format!("header:{name}"),
        }
    }
}

/// The one token of a request. It is unproven, and it does not print itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential<'a> {
    /// Its bytes.
    pub token: Cow<'a, [u8]>,
    /// Where it was.
    pub place: Place,
}

impl std::fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credential([hidden] from {})", self.place.words())
    }
}

impl<'a> Credential<'a> {
    /// Finds the token in one of `places`. `origins` are those whose pages may use a token in a cookie.
    ///
    /// # Errors
    /// `credential_missing`, `credential_ambiguous`, or `token_malformed` where there is a place but nothing in it.
    pub fn find(head: &RequestHead<'a>, places: &[Place], origins: &[OriginPattern]) -> Result<Self, Rejection> {
        let mut lines = head.headers.get_all(AUTHORIZATION).iter();
        let authorization = lines.next();
        if lines.next().is_some() {
            return Err(ambiguous("two Authorization headers".to_owned()));
        }
        let mut found: Option<Credential<'a>> = None;
        for place in places.iter().filter(|place| **place != Place::Authorization) {
            for token in tokens_in(head, place, origins) {
                let before = found.replace(Credential { token, place: place.clone() });
                if let Some(before) = before {
                    return Err(ambiguous(format!("a token in {} and one in {}", before.place.words(), place.words())));
                }
            }
        }
        let Some(authorization) = authorization else {
            return found.ok_or_else(|| missing(none_found(head, places)));
        };
        if let Some(found) = found {
            return Err(ambiguous(format!("an Authorization header beside a token in {}", found.place.words())));
        }
        if !places.contains(&Place::Authorization) {
            return Err(missing("the token may not be in Authorization on this route"));
        }
        let token = bearer(authorization.as_bytes()).ok_or_else(|| missing(no_bearer(authorization.as_bytes())))?;
        if token.is_empty() {
            return Err(Rejection::new(Code::TokenMalformed, "the Bearer credential is empty"));
        }
        Ok(Credential { token: Cow::Borrowed(token), place: Place::Authorization })
    }

    /// The same token, found before, where only some places are permitted now.
    ///
    /// # Errors
    /// `credential_missing` where its own is none of them.
    pub(super) fn again(&self, places: &[Place]) -> Result<Self, Rejection> {
        match places.contains(&self.place) {
            true => Ok(self.clone()),
            false => Err(missing("the token may no longer be where it was")),
        }
    }
}

/// Why there is no token outside of Authorization.
fn none_found(head: &RequestHead<'_>, places: &[Place]) -> &'static str {
    let uncounted = places.iter().any(|place| match place {
        Place::Cookie(name) => cookie_values(head.headers, name).next().is_some(),
        Place::Authorization | Place::Query(_) | Place::Header(_) => false,
    });
    if uncounted {
        "the token in the cookie does not count: the request may change something, and its Origin is foreign"
    } else {
        "no token in any of the places where it may be"
    }
}

/// Why Authorization holds no Bearer credential.
fn no_bearer(value: &[u8]) -> &'static str {
    // What every JSON object looks like in base64url: `{"`.
    if value.starts_with(b"eyJ") {
        "Authorization holds a token without the word Bearer before it"
    } else {
        "Authorization is not of the Bearer scheme"
    }
}

/// What stands in a place where a token may be, proven or not; for telling tokens apart, never for judging.
pub fn unverified_token<'a>(head: &RequestHead<'a>, place: &Place) -> Option<Cow<'a, [u8]>> {
    match place {
        Place::Authorization => {
            head.headers.get(AUTHORIZATION)?.as_bytes().rsplit(|byte| *byte == b' ').next().map(Cow::Borrowed)
        }
        Place::Cookie(name) => cookie_values(head.headers, name).next(),
        Place::Header(_) | Place::Query(_) => tokens_in(head, place, &[]).into_iter().next(),
    }
}

/// The token of `Bearer 1*SP token` (RFC 6750 section 2.1, RFC 9110 section 11.4), the scheme in any letter case.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"Bearer") {
        return None;
    }
    if !rest.is_empty() && rest.first() != Some(&b' ') {
        return None;
    }
    let start = rest.iter().position(|byte| *byte != b' ').unwrap_or(rest.len());
    rest.get(start..)
}

/// Every token in a place that is not Authorization.
fn tokens_in<'a>(head: &RequestHead<'a>, place: &Place, origins: &[OriginPattern]) -> Vec<Cow<'a, [u8]>> {
    match place {
        Place::Authorization => Vec::new(),
        Place::Header(name) => {
            let spelt = head.headers.iter().filter(|(own, _)| folded(own) == folded(name));
            spelt.map(|(_, value)| Cow::Borrowed(value.as_bytes())).collect()
        }
        Place::Query(name) => query_values(head.query.unwrap_or_default(), name).collect(),
        Place::Cookie(name) if cookie_counts(head, origins) => cookie_values(head.headers, name).collect(),
        Place::Cookie(_) => Vec::new(),
    }
}

/// A browser sends cookies along whoever made it send the request; for a method that changes something, only the
/// host's own pages and permitted origins may rely on that.
fn cookie_counts(head: &RequestHead<'_>, origins: &[OriginPattern]) -> bool {
    let safe = |method: &Method| matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    // A WebSocket begins with a GET, and a browser lets every page open one to every host.
    if head.methods().all(safe) && !head.headers.contains_key(UPGRADE) {
        return true;
    }
    head.headers.get_all(ORIGIN).iter().all(|origin| {
        let Ok(origin) = origin.to_str() else { return false };
        origins.iter().any(|pattern| pattern.matches(origin)) || head.is_own_origin(origin)
    })
}

fn cookie_values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';')).filter_map(
        move |pair| {
            let pair = pair.trim_ascii();
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let (key, value) = pair.split_at_checked(at)?;
            (key.trim_ascii() == name.as_bytes())
                .then(|| Cow::Borrowed(value.get(1..).unwrap_or_default().trim_ascii()))
        },
    )
}

fn query_values<'a>(query: &'a str, name: &str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Cow::from(percent_decode(key.as_bytes())) == name.as_bytes()).then(|| percent_decode(value.as_bytes()).into())
    })
}

fn missing(why: &'static str) -> Rejection {
    Rejection::new(Code::CredentialMissing, why)
}

fn ambiguous(why: String) -> Rejection {
    Rejection::new(Code::CredentialAmbiguous, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::head::tests::Asked;

    const HEADER: &[Place] = &[Place::Authorization];

    fn found(asked: &Asked, places: &[Place]) -> Result<(String, Place), Code> {
        let own = [OriginPattern::parse("https://app.example").unwrap()];
        Credential::find(&asked.head(), places, &own)
            .map(|found| (String::from_utf8(found.token.into_owned()).unwrap(), found.place))
            .map_err(|rejection| rejection.code())
    }

    #[test]
    fn the_scheme_is_bearer_in_any_letter_case_and_at_least_one_blank() {
        for (value, expected) in [
            ("Bearer x", Ok("x")),
            ("bearer x", Ok("x")),
            ("BeArEr   x", Ok("x")),
            ("Bearer Bearer x", Ok("Bearer x")),
            ("Bearer", Err(Code::TokenMalformed)),
            ("Bearer ", Err(Code::TokenMalformed)),
            ("", Err(Code::CredentialMissing)),
            ("Basic x", Err(Code::CredentialMissing)),
            ("Bearer\tx", Err(Code::CredentialMissing)),
            ("Bearer: x", Err(Code::CredentialMissing)),
            ("Bearerx", Err(Code::CredentialMissing)),
            ("x", Err(Code::CredentialMissing)),
        ] {
            let asked = Asked::new("POST", "/x").header("authorization", value);
            assert_eq!(
                found(&asked, HEADER),
                expected.map(|token| (token.to_owned(), Place::Authorization)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn why_there_is_none_is_told_without_the_token() {
        let cookie = [Place::Authorization, Place::Cookie("t".into())];
        let foreign = Asked::new("POST", "/x").header("origin", "https://evil.example").header("cookie", "t=c");
        for (asked, words) in [
            (Asked::new("GET", "/x").header("authorization", "eyJhbGciOi"), "without the word Bearer before it"),
            (Asked::new("GET", "/x").header("authorization", "Basic x"), "not of the Bearer scheme"),
            (foreign, "the token in the cookie does not count"),
            (Asked::new("POST", "/x").header("cookie", "u=c"), "no token in any of the places"),
        ] {
            let rejection = Credential::find(&asked.head(), &cookie, &[]).unwrap_err();
            assert!(rejection.detail().contains(words), "{}", rejection.detail());
            assert!(!rejection.detail().contains("eyJ"), "{}", rejection.detail());
        }
    }

    #[test]
    fn two_credentials_are_one_too_many() {
        let cookie = Place::Cookie("t".into());
        let both = [Place::Authorization, cookie.clone()];
        let twice = Asked::new("GET", "/x").header("authorization", "Bearer a").header("authorization", "Bearer a");
        assert_eq!(found(&twice, HEADER), Err(Code::CredentialAmbiguous));
        let beside = Asked::new("GET", "/x").header("authorization", "Basic a").header("cookie", "t=b");
        assert_eq!(found(&beside, &both), Err(Code::CredentialAmbiguous));
        assert_eq!(found(&beside, &[cookie]), Err(Code::CredentialAmbiguous));
        let cookies = Asked::new("GET", "/x").header("cookie", "t=a; t=b");
        assert_eq!(found(&cookies, &both), Err(Code::CredentialAmbiguous));
        let query = Asked::new("GET", "/x?t=a&%74=b");
        assert_eq!(found(&query, &[Place::Query("t".into())]), Err(Code::CredentialAmbiguous));
    }

    #[test]
    fn a_token_elsewhere_counts_only_where_it_may_be() {
        let asked = Asked::new("GET", "/x?t=q").header("cookie", "a=1; t=c").header("x-token", "h");
        assert_eq!(found(&asked, HEADER), Err(Code::CredentialMissing));
        for (place, token) in [
            (Place::Query("t".into()), "q"),
            (Place::Cookie("t".into()), "c"),
            (Place::Header(HeaderName::from_static("x-token")), "h"),
        ] {
            assert_eq!(found(&asked, std::slice::from_ref(&place)), Ok((token.to_owned(), place)));
        }
        let bearer = Asked::new("GET", "/x").header("authorization", "Bearer a");
        assert_eq!(found(&bearer, &[Place::Query("t".into())]), Err(Code::CredentialMissing));
    }

    #[test]
    fn a_cookie_opens_no_websocket_for_a_foreign_page() {
        let asked = |origin| {
            Asked::new("GET", "/ws").header("cookie", "t=c").header("upgrade", "websocket").header("origin", origin)
        };
        let places = [Place::Cookie("t".into())];
        assert_eq!(found(&asked("https://evil.example"), &places), Err(Code::CredentialMissing));
        assert!(found(&asked("https://oms.example"), &places).is_ok());
    }

    #[test]
    fn a_cookie_does_not_count_for_a_foreign_page_that_changes_something() {
        let places = [Place::Cookie("t".into())];
        for (method, origin, good) in [
            ("GET", Some("https://evil.example"), true),
            ("POST", None, true),
            ("POST", Some("https://oms.example"), true),
            ("POST", Some("https://app.example"), true),
            ("POST", Some("https://evil.example"), false),
            ("DELETE", Some("null"), false),
        ] {
            let mut asked = Asked::new(method, "/x").header("cookie", "t=c");
            if let Some(origin) = origin {
                asked = asked.header("origin", origin);
            }
            assert_eq!(found(&asked, &places).is_ok(), good, "{method} {origin:?}");
        }
    }

    #[test]
    fn what_stands_in_a_place_is_seen_whether_it_counts_or_not() {
        let foreign =
            Asked::new("POST", "/x?t=q").header("origin", "https://evil.example").header("cookie", "a=1; t=c");
        let asked = foreign.header("x-token", "h").header("authorization", "Basic a b");
        let seen = |place: Place| unverified_token(&asked.head(), &place).map(|token| token.into_owned());
        for (place, token) in [
            (Place::Authorization, "b"),
            (Place::Cookie("t".into()), "c"),
            (Place::Query("t".into()), "q"),
            (Place::Header(HeaderName::from_static("x-token")), "h"),
        ] {
            assert_eq!(seen(place).as_deref(), Some(token.as_bytes()));
        }
        assert_eq!(seen(Place::Cookie("u".into())), None);
        assert_eq!(unverified_token(&Asked::new("GET", "/x").head(), &Place::Authorization), None);
    }

    #[test]
    fn a_credential_does_not_print_its_token() {
        let asked = Asked::new("GET", "/x").header("authorization", "Bearer hush");
        let credential = Credential::find(&asked.head(), HEADER, &[]).unwrap();
        assert_eq!(format!("{credential:?}"), "Credential([hidden] from header)");
    }
}
