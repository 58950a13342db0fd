//! What a route demands of a token.

use std::ops::Range;

use http::HeaderName;
use http::header::{AUTHORIZATION, COOKIE};

use super::super::near::{nearest, suggestion};
use super::super::raw::{Access, Route as RawRoute};
use super::super::reader::{Field, Many};
use super::issuer::Issuers;
use super::{Context, claim_path, texts};
use crate::decision::credential::Place;
use crate::decision::forwarding::Forwarding;
use crate::decision::keys::IssuerId;
use crate::decision::policy::{ClaimRule, Policy, Requirement};

/// Whether and how a route is guarded; `None` where that was complained of.
pub(super) fn policy(raw: &RawRoute, access: Access, issuers: &Issuers, cx: &mut Context<'_, '_>) -> Option<Policy> {
    let (policy, word) = match access {
        Access::Protected => return requirement(raw, issuers, cx).map(Policy::Require),
        Access::Open => (Policy::Open, "open"),
        Access::Deny => (Policy::Deny, "deny"),
    };
    for (name, span) in [
        ("issuer", raw.issuer.span()),
        ("audience", raw.audience.span()),
        ("scope", raw.scope.span()),
        ("claim", raw.claim.span()),
        ("token", raw.token.span()),
    ] {
        if let Some(span) = span {
            let problem = format!("`{name}` would never be looked at: access = {word:?} looks at no token");
            cx.notes.error(span, &*raw.label, problem, "leave it out, or write access = \"protected\"");
        }
    }
    Some(policy)
}

/// The places of all issuers.
pub(super) fn every(issuers: &Issuers) -> Vec<IssuerId> {
    (0..issuers.places.len()).map(IssuerId).collect()
}

fn requirement(raw: &RawRoute, issuers: &Issuers, cx: &mut Context<'_, '_>) -> Option<Requirement> {
    let list = |field: &Field<Many<String>>, name: &str, cx: &mut Context<'_, '_>| {
        texts(field.get().map(|many| many.0.as_slice()), &format!("{}.{name}", raw.label), cx.notes)
    };
    let (issuers, places) = (named_issuers(raw, issuers, cx), places(raw, cx));
    let (scopes, claims) = (scopes(raw, cx), claims(raw, cx));
    let audiences = list(&raw.audience, "audience", cx);
    Some(Requirement { issuers: issuers?, places: places?, audiences, scopes, claims: claims? })
}

fn named_issuers(raw: &RawRoute, issuers: &Issuers, cx: &mut Context<'_, '_>) -> Option<Vec<IssuerId>> {
    let Some(names) = raw.issuer.at() else { return raw.issuer.is_absent().then(|| every(issuers)) };
    let mut found = Vec::with_capacity(names.value.0.len());
    for name in &names.value.0 {
        match issuers.places.get(&name.value) {
            Some(id) if found.contains(id) => {
                cx.notes.error(
                    &name.span,
                    &*raw.label,
                    format!("issuer {:?} stands twice", name.value),
                    "leave one out",
                );
            }
            Some(id) => found.push(*id),
            None => {
                let mut known: Vec<&str> = issuers.places.keys().map(String::as_str).collect();
                known.sort_unstable();
                let advice = suggestion(&name.value, known.iter().copied(), "defined issuers");
                cx.notes.error(&name.span, &*raw.label, format!("unknown issuer {:?}", name.value), advice);
            }
        }
    }
    (found.len() == names.value.0.len()).then_some(found)
}

fn scopes(raw: &RawRoute, cx: &mut Context<'_, '_>) -> Vec<Box<str>> {
    let scopes = raw.scope.get().map(|many| many.0.as_slice()).unwrap_or_default();
    for scope in scopes {
        // RFC 6749 section 3.3.
        let token = |byte: u8| matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'\\');
        if !scope.value.bytes().all(token) {
            let problem =
                format!("scope {:?}: a scope is visible ASCII without blanks, quotes and backslashes", scope.value);
            cx.notes.error(&scope.span, &*raw.label, problem, "write several as a list: scope = [\"a\", \"b\"]");
        }
    }
    texts(Some(scopes), &format!("{}.scope", raw.label), cx.notes)
}

fn claims(raw: &RawRoute, cx: &mut Context<'_, '_>) -> Option<Vec<ClaimRule>> {
    let Some(rules) = raw.claim.at() else { return raw.claim.is_absent().then(Vec::new) };
    let key = format!("{}.claim", raw.label);
    let mut found = Vec::with_capacity(rules.value.0.len());
    for (name, accepted) in &rules.value.0 {
        let path = claim_path(name, &key, cx.notes);
        let accepted = accepted.get().map(|many| many.0.iter().map(|text| text.value.as_str().into()).collect());
        if let (Some(path), Some(accepted)) = (path, accepted) {
            found.push(ClaimRule { path, accepted });
        }
    }
    (found.len() == rules.value.0.len()).then_some(found)
}

fn places(raw: &RawRoute, cx: &mut Context<'_, '_>) -> Option<Vec<Place>> {
    let Some(words) = raw.token.at() else {
        return raw.token.is_absent().then(|| vec![Place::Authorization]);
    };
    let mut found: Vec<Place> = Vec::with_capacity(words.value.0.len());
    for word in &words.value.0 {
        match place(&word.value) {
            Err((problem, advice)) => {
                cx.notes.error(&word.span, &*raw.label, format!("token {:?}: {problem}", word.value), advice);
            }
            Ok(place) if found.contains(&place) => {
                cx.notes.error(
                    &word.span,
                    &*raw.label,
                    format!("token {:?} stands twice", word.value),
                    "leave one out",
                );
            }
            Ok(place) => {
                warn_of_query(&place, &word.span, raw, cx);
                found.push(place);
            }
        }
    }
    (found.len() == words.value.0.len()).then_some(found)
}

fn warn_of_query(place: &Place, span: &Range<usize>, raw: &RawRoute, cx: &mut Context<'_, '_>) {
    if matches!(place, Place::Query(_)) {
        let advice = "servers, proxies and browsers write queries down; prefer a header";
        cx.notes.warning(span, &*raw.label, "a token in the query ends up in logs and histories", advice);
    }
}

/// Where a token may be, or a problem and an advice.
fn place(word: &str) -> Result<Place, (&'static str, String)> {
    const NO_PLACE: &str = "no place where a token can be";
    let token = |name: &str| HeaderName::from_bytes(name.as_bytes()).ok();
    let wrong = |problem: &'static str| Err((problem, place_advice(word)));
    match word.split_once(':') {
        None if word == "header" => Ok(Place::Authorization),
        None if matches!(word, "cookie" | "query") => wrong("the name is missing"),
        None => wrong(NO_PLACE),
        Some((_, "")) => wrong("the name is missing"),
        Some(("query", name)) => Ok(Place::Query(name.into())),
        // The name of a cookie is a token (RFC 6265 section 4.1.1), as that of a header is; its letter case counts.
        Some(("cookie", name)) => match token(name) {
            Some(_) => Ok(Place::Cookie(name.into())),
            None => wrong("that is no name of a cookie"),
        },
        Some(("header", name)) => match token(name) {
            None => wrong("that is no name of a header"),
            Some(name) if name == AUTHORIZATION => Err(("Authorization is written \"header\"", String::from(HEADER))),
            Some(name) if name == COOKIE => {
                Err(("a cookie is written \"cookie:NAME\"", String::from("write \"cookie:NAME\"")))
            }
            Some(name) if Forwarding::may_set(&name).is_err() => {
                let problem = "that field has another meaning on the way and cannot hold a token";
                Err((problem, String::from("choose another field")))
            }
            Some(name) => Ok(Place::Header(name)),
        },
        Some(_) => wrong(NO_PLACE),
    }
}

/// What to write for the usual place of a token.
const HEADER: &str = "write \"header\", which is Authorization: Bearer";

/// What to write for a word that is no place.
fn place_advice(word: &str) -> String {
    const FORMS: &str = "write \"header\" (Authorization), \"cookie:NAME\", \"query:NAME\" or \"header:NAME\"";
    let lower = word.to_ascii_lowercase();
    let (kind, name) = lower
        .split_once([':', '=', ' '])
        .map_or((lower.as_str(), None), |(kind, _)| (kind, word.get(kind.len() + 1..).map(str::trim)));
    match (kind, name) {
        ("bearer" | "authorization", _) => String::from(HEADER),
        (_, None) if nearest(kind, ["header"]).is_some() => String::from(HEADER),
        _ => match (nearest(kind, ["header", "cookie", "query"]), name.filter(|name| !name.is_empty())) {
            (Some(kind), Some(name)) if HeaderName::from_bytes(name.as_bytes()).is_ok() => {
                format!("write \"{kind}:{name}\"")
            }
            (Some(kind), _) => format!("write \"{kind}:NAME\""),
            (None, _) => String::from(FORMS),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for word in ["header", "cookie:Token", "query:token", "header:x-token"] {
            assert_eq!(place(word).unwrap().words(), word);
        }
        for word in [
            "",
            "Header",
            "header:",
            "cookie:",
            "query:",
            "cookie:a b",
            "header:a b",
            "header:Authorization",
            "header:Host",
            "header:Content-Length",
            "header:content_length",
            "header:Connection",
            "header:TE",
            "header:Cookie",
            "body:token",
        ] {
            assert!(place(word).is_err(), "{word}");
        }
    }

    #[test]
    fn what_is_no_place_is_told_the_nearest() {
        for (word, expected) in [
            ("Header", "write \"header\", which"),
            ("headers", "write \"header\", which"),
            ("bearer", "write \"header\", which"),
            ("cookie", "write \"cookie:NAME\""),
            ("cookies:session", "write \"cookie:session\""),
            ("Header: X-Token", "write \"header:X-Token\""),
            ("cookie=session", "write \"cookie:session\""),
            ("cookie:a b", "write \"cookie:NAME\""),
            ("body:token", "\"query:NAME\" or"),
        ] {
            let (_, advice) = place(word).unwrap_err();
            assert!(advice.contains(expected), "{word}: {advice}");
        }
    }
}
