//! `[[test]]`: cases kept with the config.

use std::ops::Range;

use serde_json::{Map, Value};

use super::super::case::{Case, Expect};
use super::super::diagnostic::Diagnostic;
use super::super::near::suggestion;
use super::super::raw::{Test, Tests};
use super::super::reader::{At, Field};
use super::Context;
use super::issuer::Issuers;
use crate::decision::keys::IssuerId;
use crate::decision::rejection::Code;
use crate::proxy::preview::{Asked, without_secrets};

/// The word for a request that passes.
const ALLOW: &str = "allow";
/// The longest text of a `request` that is told whole.
const NAME_LENGTH: usize = 60;

/// Where a case stands, and how complaints call it.
type Place = (Range<usize>, String);
/// Who signs the token of a case, and with which claims.
type Signed = (IssuerId, Map<String, Value>);

/// All cases that could be read; the others were complained of.
pub(super) fn cases(field: &Field<Tests>, issuers: &Issuers, cx: &mut Context<'_, '_>) -> Vec<Case> {
    let tests = field.get().map(|tests| tests.0.as_slice()).unwrap_or_default();
    let (cases, places): (Vec<_>, Vec<_>) =
        tests.iter().enumerate().filter_map(|(at, test)| one(test, at, issuers, cx)).unzip();
    let placed = cx.notes.placed(places);
    cases.into_iter().zip(placed).map(|(case, place)| case(place)).collect()
}

/// A case that wants its place, and that place with the name under which it is complained of.
fn one(
    test: &At<Test>,
    at: usize,
    issuers: &Issuers,
    cx: &mut Context<'_, '_>,
) -> Option<(impl FnOnce(Diagnostic) -> Case + use<>, Place)> {
    let raw = &test.value;
    let key = format!("test {}", at + 1);
    for (absent, name, example) in [
        (raw.request.is_absent(), "request", "request = \"POST /api/updateInventory\""),
        (raw.expect.is_absent(), "expect", "expect = \"allow\", a reason code, or a status"),
    ] {
        if absent {
            cx.notes.error(&test.span, &*key, format!("`{name}` is missing"), format!("add {example}"));
        }
    }
    let asked = asked(raw, &key, cx);
    let expect = raw.expect.at().and_then(|text| expect(&text.value.0, &text.span, &key, cx));
    let token = token(raw, &test.span, &key, issuers, cx);
    let (request, expected) = (raw.request.get()?, raw.expect.at()?);
    let shown = without_secrets(request);
    let name = if shown.len() <= NAME_LENGTH { format!("{key}, {shown:?}") } else { key };
    let at = raw.at.get().map(|moment| moment.0);
    let (asked, token, expect) = (asked?, token?, expect?);
    Some((move |place| Case { asked, token, at, expect, place }, (expected.span.clone(), name)))
}

fn asked(raw: &Test, key: &str, cx: &mut Context<'_, '_>) -> Option<Asked> {
    let line = raw.request.at()?;
    let mut asked = match Asked::line(&line.value) {
        Ok(asked) => asked,
        Err(problem) => {
            let (problem, advice) = match problem.split_once(": write \"") {
                Some((problem, request)) => (problem.to_owned(), format!("write request = \"{request}")),
                None => (problem, String::from("write request = \"POST /api/updateInventory\"")),
            };
            cx.notes.error(&line.span, key, problem, advice);
            return None;
        }
    };
    for field in raw.headers.get().map(|list| list.0.as_slice()).unwrap_or_default() {
        if let Err(problem) = asked.header(&field.value) {
            cx.notes.error(&field.span, key, problem, "write headers = [\"Host: oms.example\"]");
        }
    }
    Some(asked)
}

fn expect(text: &str, span: &Range<usize>, key: &str, cx: &mut Context<'_, '_>) -> Option<Expect> {
    let code = Code::ALL.into_iter().find(|code| code.name() == text);
    let status = text.parse::<u16>().ok();
    let known = |status: &u16| Code::ALL.iter().any(|code| code.status().as_u16() == *status);
    match (code, status) {
        (Some(code), _) => Some(Expect::Code(code)),
        (None, Some(status)) if known(&status) => Some(Expect::Status(status)),
        (None, Some(status)) => {
            let problem = format!("waxseal never refuses with {status}");
            cx.notes.error(span, key, problem, "write \"allow\" for a request that passes, else a status like 401");
            None
        }
        (None, None) if text == ALLOW => Some(Expect::Allow),
        (None, None) => {
            let advice = meant(text);
            let problem = format!("{text:?} is neither \"allow\" nor a reason code nor a status");
            cx.notes.error(span, key, problem, advice);
            None
        }
    }
}

/// What to write for an expectation that is none: the nearest word, the same words in another order, or all of them.
fn meant(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    if ["accept", "accepted", "ok", "pass", "passes", "permit", "success"].contains(&lower.as_str()) {
        return format!("did you mean {ALLOW:?}?");
    }
    if ["block", "denied", "deny", "fail", "forbidden", "refuse", "reject", "unauthorized"].contains(&lower.as_str()) {
        return String::from("write the reason of the refusal, like \"credential_missing\", or its status, like 401");
    }
    let sorted = |word: &str| {
        let mut parts: Vec<String> = word.split(['_', '-', ' ']).map(str::to_owned).collect();
        parts.sort_unstable();
        parts
    };
    let parts = sorted(&lower);
    match Code::ALL.iter().find(|code| sorted(code.name()) == parts) {
        Some(code) => format!("did you mean {:?}?", code.name()),
        None => suggestion(text, [ALLOW].into_iter().chain(Code::ALL.iter().map(|code| code.name())), "known words"),
    }
}

/// Who signs with which claims; `Some(None)`: no token is shown.
fn token(
    raw: &Test,
    span: &Range<usize>,
    key: &str,
    issuers: &Issuers,
    cx: &mut Context<'_, '_>,
) -> Option<Option<Signed>> {
    if raw.issuer.is_absent() && raw.claims.is_absent() {
        return Some(None);
    }
    let claims = match &raw.claims {
        Field::Absent => Map::new(),
        claims => claims.get()?.0.clone(),
    };
    let Some(name) = raw.issuer.at() else {
        if raw.issuer.is_absent() && issuers.places.len() == 1 {
            return Some(Some((IssuerId(0), claims)));
        }
        if raw.issuer.is_absent() {
            let advice = "add issuer = \"NAME\" of the one that signs";
            cx.notes.error(span, key, format!("who signs? there are {} issuers", issuers.places.len()), advice);
        }
        return None;
    };
    let known = issuers.places.get(&name.value).copied();
    if known.is_none() {
        let mut names: Vec<&str> = issuers.places.keys().map(String::as_str).collect();
        names.sort_unstable();
        let advice = suggestion(&name.value, names.iter().copied(), "defined issuers");
        cx.notes.error(&name.span, key, format!("unknown issuer {:?}", name.value), advice);
    }
    Some(Some((known?, claims)))
}
