//! The settings in effect of the issuers.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::raw::{Encoding, Issuer as RawIssuer, Pem};
use super::super::{Config, raw};
use super::{Gathered, HIDDEN, Origin, Section, Table, source, time, word};
use crate::decision::revocation::Missing;
use crate::keys::{Origin as KeyOrigin, Plan, Settings};

/// All issuers, in the order of the file.
pub(super) fn issuers(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let raw = file.issuer.get().map(|named| named.0.as_slice()).unwrap_or_default();
    for (settings, (name, raw)) in config.issuers.iter().zip(raw) {
        if let Some(raw) = raw.get() {
            let mut section = all.of(Table::Issuer(name.value.clone()));
            keys(raw, settings.plan(), &mut section);
            rules(settings, raw, &mut section);
            revoked(raw, &mut section);
        }
    }
}

/// Where its keys come from, and what belongs to them.
fn keys(raw: &RawIssuer, plan: Option<&Plan>, section: &mut Section<'_, '_>) {
    if let Some(secret) = raw.secret.get() {
        section.add("secret", &raw.secret, source(secret));
        section.add("encoding", &raw.encoding, word(raw.encoding.or(Encoding::Utf8)));
        section.maybe("salt", &raw.salt, raw.salt.get().map(|_| HIDDEN), "none");
        let short_key = raw.short_key.get().map(|accept| word(*accept));
        section.maybe("short_key", &raw.short_key, short_key, "a short key is refused");
    }
    if let Some(pem) = raw.pem.get() {
        let value = match pem {
            Pem::File(path) => json!({ "file": path }),
            Pem::Source(from) => source(from),
        };
        section.add("pem", &raw.pem, value);
    }
    if let Some(file) = raw.jwks.get().and_then(|jwks| jwks.file.get()) {
        section.add("jwks", &raw.jwks, json!({ "file": file }));
    } else if let Some(plan) = plan {
        fetching(plan, raw, section);
    } else {
        section.maybe("kid", &raw.kid, raw.kid.get().cloned(), "the token's `kid` is not looked at");
    }
}

/// How its keys are fetched.
fn fetching(plan: &Plan, raw: &RawIssuer, section: &mut Section<'_, '_>) {
    match &plan.origin {
        KeyOrigin::Url(address) => section.add("jwks", &raw.jwks, json!({ "url": address.to_string() })),
        KeyOrigin::Discovery { .. } => section.add("discovery", &raw.discovery, true),
    }
    section.add("refresh", &raw.refresh, time(plan.refresh));
    section.add("pause", &raw.pause, time(plan.pause));
    section.add("fetch_timeout", &raw.fetch_timeout, time(plan.timeout));
    section.maybe("ca", &raw.ca, raw.ca.get().cloned(), "the system's authorities and those built in");
    section.maybe("shelf", &raw.shelf, raw.shelf.get().cloned(), "none is kept");
    section.add("stale", &raw.stale, time(plan.stale));
    section.add("insecure_http", &raw.insecure_http, plan.insecure);
}

/// What its tokens must be like.
fn rules(settings: &Settings, raw: &RawIssuer, section: &mut Section<'_, '_>) {
    let issuer = &settings.issuer;
    let some = |texts: &[Box<str>]| (!texts.is_empty()).then(|| json!(texts));
    section.maybe("issuer", &raw.issuer, some(&issuer.issuers), "`iss` is not looked at");
    section.maybe("audience", &raw.audience, some(&issuer.audiences), "`aud` is not looked at");
    let algorithms: Vec<_> = issuer.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    match settings.plan() {
        Some(plan) if plan.wanted.is_none() => {
            section.maybe("algorithms", &raw.algorithms, None::<Value>, "those that fit each key");
        }
        _ => section.add_or("algorithms", &raw.algorithms, algorithms, Origin::Found("the key")),
    }
    section.add("subject", &raw.subject, issuer.subject.as_str());
    section.add("leeway", &raw.leeway, time(Duration::try_from_secs_f64(issuer.leeway).unwrap_or_default()));
    let longest = issuer.max_lifetime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(time);
    section.maybe("max_lifetime", &raw.max_lifetime, longest, "any");
    let require: Vec<_> = issuer.require.iter().map(|path| path.as_str()).collect();
    section.add("require", &raw.require, require);
    let names = issuer.types.names.iter().map(|name| &**name);
    let types: Vec<_> = issuer.types.absent.then_some("").into_iter().chain(names).collect();
    section.add("types", &raw.types, types);
}

/// Where the list of tokens is that it took back.
fn revoked(raw: &RawIssuer, section: &mut Section<'_, '_>) {
    let value = raw.revoked.get().map(|revoked| {
        let (key, from) = match (revoked.file.get(), revoked.url.get()) {
            (Some(file), _) => ("file", file.clone()),
            (None, url) => ("url", url.map(|url| without_query(url)).unwrap_or_default()),
        };
        json!({ key: from, "missing": word(revoked.missing.or(Missing::default())) })
    });
    section.maybe("revoked", &raw.revoked, value, "no token is revoked");
}

/// A URL without its query, in which some services want a password.
fn without_query(url: &str) -> String {
    url.split_once('?').map_or_else(|| url.to_owned(), |(url, _)| format!("{url}?{HIDDEN}"))
}
