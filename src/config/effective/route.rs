//! The settings in effect of the routes.

use serde_json::{Map, Value, json};

use super::super::raw::{Authorization, PerWord, Route as RawRoute};
use super::super::{Config, raw};
use super::{Gathered, Origin, Section, Table, access, size, table, time, upstream_table, word};
use crate::decision::policy::{Policy, Requirement};
use crate::decision::rate::{Per, Rate};
use crate::decision::route::{Mode, Route};

/// All routes, in the order of the file; that for what no other names is `unmatched`.
pub(super) fn routes(config: &Config, file: &raw::File, all: &mut Gathered<'_>) {
    let raw = file.route.get().map(|routes| routes.0.as_slice()).unwrap_or_default();
    for (at, (route, raw)) in config.snapshot.routes.routes().iter().zip(raw).enumerate() {
        one(config, route, &raw.value, &mut all.of(Table::Route(at)));
        forward(route, &raw.value, &mut all.of(Table::OfRoute(at, "forward")));
        if let Some(own) = &route.rate {
            rate(own, &raw.value, &mut all.of(Table::OfRoute(at, "rate")));
        }
        if let (Some(upstream), false) = (config.upstreams.get(route.upstream), raw.value.upstream.is_absent()) {
            upstream_table(upstream, &raw.value.upstream, &mut all.of(Table::OfRoute(at, "upstream")));
        }
    }
}

fn one(config: &Config, route: &Route, raw: &RawRoute, section: &mut Section<'_, '_>) {
    section.add_or("name", &raw.name, &*route.name, Origin::Found("the first path"));
    section.add("path", &raw.path, route.patterns.iter().map(|pattern| pattern.as_str()).collect::<Vec<_>>());
    let methods: Vec<_> = route.methods.iter().map(|method| method.as_str()).collect();
    section.maybe("method", &raw.method, (!methods.is_empty()).then_some(methods), "all");
    let hosts = raw.host.get().map(|many| many.0.iter().map(|host| host.value.clone()).collect::<Vec<_>>());
    section.maybe("host", &raw.host, hosts, "all");
    section.add("access", &raw.access, access(&route.policy));
    if let Policy::Require(requirement) = &route.policy {
        demands(config, requirement, raw, section);
    }
    let mode = match route.mode {
        Mode::Enforce => "enforce",
        Mode::Report => "report",
    };
    section.add("mode", &raw.mode, mode);
    if raw.upstream.is_absent() {
        section.maybe("upstream", &raw.upstream, None::<Value>, "that of the top level");
    }
    let usual = config.upstreams.get(route.upstream).map(|upstream| upstream.response_timeout);
    if let Some(timeout) = route.timeout.or(usual) {
        section.add_or("timeout", &raw.timeout, time(timeout), Origin::Found("the upstream's response_timeout"));
    }
    if route.rate.is_none() {
        section.maybe("rate", &raw.rate, None::<Value>, "any number");
    }
    match route.body_size.or(config.proxy.body_size) {
        Some(bytes) => section.add_or("body_size", &raw.body_size, size(bytes), Origin::Found("limits.body_size")),
        None => section.maybe("body_size", &raw.body_size, None::<Value>, "any"),
    }
}

fn demands(config: &Config, requirement: &Requirement, raw: &RawRoute, section: &mut Section<'_, '_>) {
    let issuers: Vec<&str> =
        requirement.issuers.iter().filter_map(|id| config.snapshot.issuer(*id)).map(|issuer| &*issuer.name).collect();
    section.add_or("issuer", &raw.issuer, issuers, Origin::Found("all issuers"));
    let some = |texts: &[Box<str>]| (!texts.is_empty()).then(|| json!(texts));
    section.maybe("audience", &raw.audience, some(&requirement.audiences), "as the issuer says");
    section.maybe("scope", &raw.scope, some(&requirement.scopes), "none");
    let claims: Map<String, Value> =
        requirement.claims.iter().map(|rule| (rule.path.as_str().to_owned(), json!(rule.accepted))).collect();
    section.maybe("claim", &raw.claim, (!claims.is_empty()).then_some(Value::Object(claims)), "none");
    section.add("token", &raw.token, requirement.places.iter().map(|place| json!(place.words())).collect::<Vec<_>>());
}

fn rate(rate: &Rate, raw: &RawRoute, section: &mut Section<'_, '_>) {
    let raw = table(&raw.rate);
    let per = match rate.per {
        Per::Subject => PerWord::Subject,
        Per::Address => PerWord::Address,
    };
    section.add("per", &raw.per, word(per));
    section.add("requests", &raw.requests, rate.requests);
    section.add("window", &raw.window, time(rate.window));
}

fn forward(route: &Route, raw: &RawRoute, section: &mut Section<'_, '_>) {
    let (raw, forwarding) = (table(&raw.forward), &route.forwarding);
    let claims: Map<String, Value> =
        forwarding.claims.iter().map(|(name, path)| (name.to_string(), json!(path.as_str()))).collect();
    section.maybe("claims", &raw.claims, (!claims.is_empty()).then_some(Value::Object(claims)), "none");
    let authorization = if forwarding.strip_authorization { Authorization::Strip } else { Authorization::Keep };
    section.add("authorization", &raw.authorization, word(authorization));
    section.add("strip", &raw.strip, json!(forwarding.strip));
}
