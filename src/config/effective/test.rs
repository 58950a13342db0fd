//! The cases that a config keeps. What their headers hold may be a secret, and stays hidden.

use serde_json::{Value, json};

use super::super::{Config, raw};
use super::{Gathered, HIDDEN, Table};

/// All cases, in the order of the file.
pub(super) fn tests(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let raw = file.test.get().map(|tests| tests.0.as_slice()).unwrap_or_default();
    for (at, (case, raw)) in config.cases.iter().zip(raw).enumerate() {
        let (raw, mut section) = (&raw.value, all.of(Table::Test(at)));
        section.add("request", &raw.request, case.request());
        section.add("expect", &raw.expect, case.expect.to_string());
        let issuer = case.token.as_ref().and_then(|(id, _)| config.snapshot.issuer(*id));
        section.maybe("issuer", &raw.issuer, issuer.map(|issuer| issuer.name.to_string()), "no token is shown");
        let claims = case.token.as_ref().map(|(_, claims)| Value::Object(claims.clone()));
        section.maybe("claims", &raw.claims, claims, "no token is shown");
        let names = raw.headers.get().map(|list| list.0.iter().map(|field| name(&field.value)).collect::<Vec<_>>());
        section.maybe("headers", &raw.headers, names.map(|names| json!(names)), "none");
        section.maybe("at", &raw.at, case.at.map(|at| at.stamp().to_string()), "now");
    }
}

/// A header field without its value.
fn name(field: &str) -> String {
    field.split_once(':').map_or_else(|| HIDDEN.to_owned(), |(name, _)| format!("{name}: {HIDDEN}"))
}
