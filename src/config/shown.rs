//! The settings in effect, for the operator: every default filled in, every secret hidden.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::quantity::{Size, Time};
use super::raw::{Issuer as RawIssuer, Pem};
use super::source::Source;
use super::{Config, raw};
use crate::decision::keys::AlgorithmSet;
use crate::decision::policy::{Policy, Requirement};
use crate::decision::rate::{Per, Rate};
use crate::decision::route::{Mode, Route};
use crate::net::Listen;
use crate::proxy::Style;
use crate::telemetry::LogFormat;
use crate::upstream::{HostMode, Server, Settings as Upstream};

/// What stands in place of a secret.
const HIDDEN: &str = "[hidden]";

/// The settings as JSON, named as in the file.
pub(super) fn text(config: &Config, file: &raw::File) -> String {
    let issuers: Map<String, Value> = issuers(config, file);
    let routes = config.snapshot.routes.routes();
    let value = json!({
        "listen": config.net.listen.iter().map(listen).collect::<Vec<_>>(),
        "workers": config.net.workers,
        "upstream": config.upstreams.first().map(upstream),
        "unmatched": routes.last().map(|route| access(&route.policy)),
        "tls": config.net.tls.as_ref().map(|tls| json!({
            "cert": tls.cert, "key": tls.key, "min_version": if tls.tls12 { "1.2" } else { "1.3" },
        })),
        "limits": limits(config),
        "paths": { "strict": config.snapshot.strict_paths },
        "answers": {
            "style": match config.proxy.answers.style { Style::Problem => "problem", Style::Hotwax => "hotwax" },
            "realm": config.proxy.answers.realm,
            "reason": if config.proxy.answers.exact { "exact" } else { "coarse" },
        },
        "cors": {
            "origins": origins(file),
            "preflight": if config.proxy.cors.answer_preflight { "answer" } else { "pass" },
        },
        "forwarded": { "trust": trust(config) },
        "admin": {
            "listen": config.admin.listen,
            "probes": config.admin.probes,
            "token": file.admin.get().and_then(|admin| admin.token.get()).map(source),
            "ready_without_keys": config.admin.ready_without_keys,
        },
        "log": {
            "format": match config.telemetry.format { LogFormat::Json => "json", LogFormat::Text => "text" },
            "level": config.telemetry.level.to_string(),
            "access": config.telemetry.access,
        },
        "drain": { "delay": time(config.net.drain.delay), "timeout": time(config.net.drain.timeout) },
        "memo": { "entries": config.memo.entries, "size": size(config.memo.size) },
        "issuer": issuers,
        "route": routes.iter().rev().skip(1).rev().map(|own| route(own, config)).collect::<Vec<_>>(),
    });
    // A tree of plain values can always be written.
    serde_json::to_string_pretty(&value).unwrap_or_default()
}

fn time(time: Duration) -> String {
    Time(time).to_string()
}

fn size(bytes: u64) -> String {
    Size(bytes).to_string()
}

fn origins(file: &raw::File) -> Vec<&str> {
    let origins = file.cors.get().and_then(|cors| cors.origins.get()).map(|list| list.0.as_slice());
    origins.unwrap_or_default().iter().map(|text| text.value.as_str()).collect()
}

fn listen(listen: &Listen) -> String {
    match listen {
        Listen::Tcp { address, tls: false } => address.to_string(),
        Listen::Tcp { address, tls: true } => format!("https://{address}"),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn upstream(upstream: &Upstream) -> Value {
    let url = |server: &Server| match server {
        Server::Tcp { host, port, tls } => {
            let scheme = if *tls { "https" } else { "http" };
            if host.contains(':') { format!("{scheme}://[{host}]:{port}") } else { format!("{scheme}://{host}:{port}") }
        }
        Server::Unix(path) => format!("unix:{}", path.display()),
    };
    json!({
        "url": upstream.servers.iter().map(url).collect::<Vec<_>>(),
        "connect_timeout": time(upstream.connect_timeout),
        "response_timeout": time(upstream.response_timeout),
        "idle_timeout": time(upstream.idle_timeout),
        "max_idle": upstream.max_idle,
        "host": match upstream.host { HostMode::Preserve => "preserve", HostMode::Upstream => "upstream" },
        "ca": upstream.tls.ca,
        "client_cert": upstream.tls.client.as_ref().map(|(cert, _)| cert),
        "client_key": upstream.tls.client.as_ref().map(|(_, key)| key),
        "server_name": upstream.tls.server_name,
    })
}

fn limits(config: &Config) -> Value {
    let limits = &config.net.limits;
    json!({
        "header_size": size(u64::try_from(limits.header_size).unwrap_or(u64::MAX)),
        "headers": limits.headers,
        "header_timeout": time(limits.header_timeout),
        "body_size": config.proxy.body_size.map(size),
        "body_stall": time(config.proxy.body_stall),
        "request_timeout": config.proxy.request_timeout.map(time),
        "idle_timeout": time(limits.idle_timeout),
        "connections": limits.connections,
        "streams": limits.streams,
    })
}

fn trust(config: &Config) -> Vec<String> {
    let networks = config.proxy.trust.networks.iter().map(ToString::to_string);
    networks.chain(config.proxy.trust.unix.then(|| "unix".to_owned())).collect()
}

fn issuers(config: &Config, file: &raw::File) -> Map<String, Value> {
    let raw = file.issuer.get().map(|named| named.0.as_slice()).unwrap_or_default();
    let shown = config.issuers.iter().zip(raw).filter_map(|(settings, (name, raw))| {
        let issuer = &settings.issuer;
        let mut value = json!({
            "issuer": issuer.issuers,
            "audience": issuer.audiences,
            "algorithms": algorithms(issuer.algorithms),
            "subject": issuer.subject.as_str(),
            "leeway": time(Duration::try_from_secs_f64(issuer.leeway).unwrap_or_default()),
            "max_lifetime": issuer.max_lifetime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).map(time),
            "require": issuer.require.iter().map(|path| path.as_str()).collect::<Vec<_>>(),
            "types": issuer.types.absent.then_some("").into_iter()
                .chain(issuer.types.names.iter().map(|name| &**name)).collect::<Vec<_>>(),
        });
        value.as_object_mut()?.extend(keys(raw.get()?));
        Some((name.value.clone(), value))
    });
    shown.collect()
}

fn algorithms(set: AlgorithmSet) -> Vec<&'static str> {
    set.iter().map(|algorithm| algorithm.name()).collect()
}

/// Where the keys of an issuer come from, never what they are.
fn keys(raw: &RawIssuer) -> Map<String, Value> {
    let secret = raw.secret.get().map(source);
    let pem = raw.pem.get().map(|pem| match pem {
        Pem::File(path) => json!({ "file": path }),
        Pem::Source(from) => source(from),
    });
    let jwks = raw.jwks.get().and_then(|jwks| jwks.file.get()).map(|file| json!({ "file": file }));
    let salt = raw.salt.get().map(|_| json!(HIDDEN));
    let kid = raw.kid.get().map(|kid| json!(kid));
    let short = raw.short_key.get().map(|_| json!("accept"));
    let named = [("secret", secret), ("pem", pem), ("jwks", jwks), ("salt", salt), ("kid", kid), ("short_key", short)];
    named.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn source(source: &Source) -> Value {
    match source {
        Source::File(path) => json!({ "file": path }),
        Source::Env(name) => json!({ "env": name }),
        Source::Text(_) => json!({ "text": HIDDEN }),
    }
}

fn access(policy: &Policy) -> &'static str {
    match policy {
        Policy::Open => "open",
        Policy::Deny => "deny",
        Policy::Require(_) => "protected",
    }
}

fn route(route: &Route, config: &Config) -> Value {
    let forwarding = &route.forwarding;
    let claims: Map<String, Value> =
        forwarding.claims.iter().map(|(name, path)| (name.to_string(), json!(path.as_str()))).collect();
    let mut value = json!({
        "name": &*route.name,
        "path": route.patterns.iter().map(|pattern| pattern.as_str()).collect::<Vec<_>>(),
        "method": route.methods.iter().map(|method| method.as_str()).collect::<Vec<_>>(),
        "access": access(&route.policy),
        "mode": match route.mode { Mode::Enforce => "enforce", Mode::Report => "report" },
        "forward": {
            "claims": claims,
            "authorization": if forwarding.strip_authorization { "strip" } else { "keep" },
            "strip": forwarding.strip,
        },
        "upstream": if route.upstream == 0 { None } else { config.upstreams.get(route.upstream).map(upstream) },
        "timeout": route.timeout.map(time),
        "body_size": route.body_size.map(size),
        "rate": route.rate.as_ref().map(rate),
    });
    if let (Policy::Require(requirement), Some(members)) = (&route.policy, value.as_object_mut()) {
        members.extend(demands(requirement, config));
    }
    value
}

fn rate(rate: &Rate) -> Value {
    let per = match rate.per {
        Per::Subject => "subject",
        Per::Address => "address",
    };
    json!({ "per": per, "requests": rate.requests, "window": time(rate.window) })
}

fn demands(requirement: &Requirement, config: &Config) -> Map<String, Value> {
    let issuers: Vec<&str> =
        requirement.issuers.iter().filter_map(|id| config.snapshot.issuer(*id)).map(|issuer| &*issuer.name).collect();
    let claims: Map<String, Value> =
        requirement.claims.iter().map(|rule| (rule.path.as_str().to_owned(), json!(rule.accepted))).collect();
    let named = [
        ("issuer", json!(issuers)),
        ("audience", json!(requirement.audiences)),
        ("scope", json!(requirement.scopes)),
        ("claim", json!(claims)),
        ("token", json!(requirement.places.iter().map(|place| place.words()).collect::<Vec<_>>())),
    ];
    named.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
