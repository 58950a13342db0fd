//! `[[route]]` and `unmatched`.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use http::Method;

use super::super::lints;
use super::super::raw::{Access, File, ModeWord, Route as RawRoute};
use super::super::reader::At;
use super::issuer::Issuers;
use super::upstream::Upstreams;
use super::{Context, demand, forward, rate, server};
use crate::decision::credential::Place;
use crate::decision::forwarding::Forwarding;
use crate::decision::policy::{Policy, Requirement};
use crate::decision::route::{HostPattern, Mode, Pattern, Route, RouteTable, Tie};

/// The name of the route for what no other names.
const UNMATCHED: &str = "unmatched";

/// All routes, the default one last; `None` where they cannot be put in order.
pub(super) fn routes(
    file: &File,
    issuers: &Issuers,
    upstreams: &mut Upstreams,
    cx: &mut Context<'_, '_>,
) -> Option<RouteTable> {
    let raw = file.route.get().map(|routes| routes.0.as_slice()).unwrap_or_default();
    check_names(raw, cx);
    check_issuers_exist(file, raw, issuers, cx);
    let routes: Vec<Option<Route>> = raw.iter().map(|route| one(route, issuers, upstreams, cx)).collect();
    let (kept, mut routes): (Vec<&At<RawRoute>>, Vec<Route>) =
        raw.iter().zip(routes).filter_map(|(raw, route)| Some((raw, route?))).unzip();
    routes.push(unmatched(file.unmatched.or(Access::Deny), issuers));
    lints::paths(raw, cx.notes);
    lints::methods(raw, cx.notes);
    match RouteTable::build(routes) {
        Ok(table) => {
            lints::Routes { raw: &kept, table: &table, unmatched: &file.unmatched }.lint(cx.notes);
            Some(table)
        }
        Err(ties) => {
            for tie in ties {
                complain_of_tie(&tie, &kept, cx);
            }
            None
        }
    }
}

/// The route for what no other names.
fn unmatched(access: Access, issuers: &Issuers) -> Route {
    let policy = match access {
        Access::Open => Policy::Open,
        Access::Deny => Policy::Deny,
        Access::Protected => Policy::Require(Requirement {
            issuers: demand::every(issuers),
            places: vec![Place::Authorization],
            audiences: Vec::new(),
            scopes: Vec::new(),
            claims: Vec::new(),
        }),
    };
    Route {
        name: UNMATCHED.into(),
        patterns: Vec::new(),
        methods: Vec::new(),
        hosts: Vec::new(),
        policy,
        mode: Mode::Enforce,
        forwarding: Forwarding::default(),
        upstream: 0,
        timeout: None,
        body_size: None,
        rate: None,
    }
}

/// The name of a route, and where it is said: written, or its first path.
fn name(route: &RawRoute) -> Option<&At<String>> {
    route.name.at().or_else(|| route.path.get().and_then(|paths| paths.0.first()))
}

/// Two routes of one name cannot be told apart in logs and metrics. Where both only have their path for a name, they
/// differ in method or host, and that is well known of them.
fn check_names(routes: &[At<RawRoute>], cx: &mut Context<'_, '_>) {
    let mut seen: HashMap<&str, (usize, bool)> = HashMap::new();
    for route in routes {
        let Some(name) = name(&route.value) else { continue };
        let written = route.value.name.get().is_some();
        let label = &*route.value.label;
        if written && name.value.is_empty() {
            cx.notes.error(&name.span, label, "the name is empty", "leave it out to name it by its path");
        } else if name.value == UNMATCHED {
            let problem = format!("the name {UNMATCHED:?} belongs to requests that no route names");
            cx.notes.error(&name.span, label, problem, "give it another name");
        } else if let Some((line, other_written)) = seen.get(&*name.value) {
            if written || *other_written {
                let problem = format!("a second route of that name; the first is at line {line}");
                cx.notes.error(&name.span, label, problem, "give one of them another `name`");
            }
        } else {
            seen.insert(&name.value, (cx.notes.line(name.span.start), written));
        }
    }
}

/// Without an issuer no token can be proven.
fn check_issuers_exist(file: &File, routes: &[At<RawRoute>], issuers: &Issuers, cx: &mut Context<'_, '_>) {
    if !issuers.places.is_empty() || matches!(file.issuer, super::Field::Wrong(_)) {
        return;
    }
    let problem = "no issuer is defined, so no token can be good";
    let advice = "define one: [issuer.NAME] with a `secret`, `pem` or `jwks`";
    if let Some(unmatched) = file.unmatched.at().filter(|unmatched| unmatched.value == Access::Protected) {
        cx.notes.error(&unmatched.span, "unmatched", problem, advice);
    }
    // Said once: the cure is the same for all of them.
    if let Some(route) = routes.iter().find(|route| route.value.access.or(Access::Protected) == Access::Protected) {
        cx.notes.error(&route.span, &*route.value.label, problem, advice);
    }
}

fn one(route: &At<RawRoute>, issuers: &Issuers, upstreams: &mut Upstreams, cx: &mut Context<'_, '_>) -> Option<Route> {
    let raw = &route.value;
    let label = &*raw.label;
    let access = raw.access.or(Access::Protected);
    if raw.path.is_absent() {
        cx.notes.error(&route.span, label, "`path` is missing", "add path = \"/api/…\"");
    }
    let patterns = patterns(raw, access, cx);
    let (methods, hosts) = (methods(raw, cx), hosts(raw, cx));
    let policy = demand::policy(raw, access, issuers, cx);
    let forwarding = forward::forwarding(raw, access, cx);
    let mode = mode(raw, access, cx);
    let upstream = raw.upstream.at().map_or(0, |upstream| upstreams.add(upstream, &format!("{label}.upstream"), cx));
    let rate = rate::rate(raw, access, cx);
    let timeout = server::positive(&raw.timeout, &format!("{label}.timeout"), cx.notes);
    Some(Route {
        name: Arc::from(name(raw)?.value.as_str()),
        patterns: patterns?,
        methods: methods?,
        hosts: hosts?,
        policy: policy?,
        mode,
        forwarding,
        upstream,
        timeout,
        body_size: raw.body_size.get().map(|size| size.0),
        rate,
    })
}

/// The paths, or complaints at the letter that is wrong.
fn patterns(raw: &RawRoute, access: Access, cx: &mut Context<'_, '_>) -> Option<Vec<Pattern>> {
    let paths = &raw.path.get()?.0;
    let mut patterns = Vec::with_capacity(paths.len());
    for path in paths {
        match Pattern::parse(&path.value, access == Access::Open) {
            Ok(pattern) => patterns.push(pattern),
            Err(error) => {
                let span = cx.notes.inside(&path.span, &path.value, error.at);
                let problem = format!("path {:?}: {error}", path.value);
                cx.notes.error(&span, &*raw.label, problem, path_advice(&path.value, access));
            }
        }
    }
    (patterns.len() == paths.len()).then_some(patterns)
}

/// What to write for a path that cannot be read.
fn path_advice(path: &str, access: Access) -> String {
    const FORMS: &str = "write it as in \"/api/orders\", \"/api/*/items\" or \"/api/**\"";
    if let Some(meant) = lints::instead(path).filter(|_| path.starts_with('^')) {
        return format!("no regular expressions stand here: write {meant:?}");
    }
    if let Some((host, rest)) = path.split_once("://").and_then(|(_, rest)| rest.split_once('/')) {
        return format!("write host = {host:?} and path = {:?}", format!("/{rest}"));
    }
    let bare = path.split(['?', '#', ';']).next().unwrap_or_default().replace('\\', "/");
    let segments: Vec<&str> = bare.split('/').filter(|segment| !segment.is_empty()).collect();
    let last = segments.len().saturating_sub(1);
    let deep = segments.iter().enumerate().any(|(at, segment)| *segment == "**" && at < last);
    let segments = segments.iter().enumerate().map(|(at, own)| if *own == "**" && at < last { "*" } else { own });
    let meant = format!("/{}", segments.collect::<Vec<_>>().join("/"));
    let good = meant != path && Pattern::parse(&meant, access == Access::Open).is_ok();
    let more = if deep { ", where each * is one segment" } else { "" };
    if good { format!("write {meant:?}{more}") } else { FORMS.to_owned() }
}

fn methods(raw: &RawRoute, cx: &mut Context<'_, '_>) -> Option<Vec<Method>> {
    let Some(names) = raw.method.at() else { return raw.method.is_absent().then(Vec::new) };
    let mut methods = Vec::with_capacity(names.value.0.len());
    for name in &names.value.0 {
        let method = Method::from_bytes(name.value.to_ascii_uppercase().as_bytes());
        match method {
            Ok(Method::CONNECT | Method::TRACE) => {
                let problem = format!("method {:?} is refused everywhere (405)", name.value);
                cx.notes.error(&name.span, &*raw.label, problem, "leave it out");
            }
            Ok(method) => methods.push(method),
            Err(_) => {
                let problem = format!("method {:?} is no token (RFC 9110 section 5.6.2)", name.value);
                cx.notes.error(&name.span, &*raw.label, problem, method_advice(&name.value));
            }
        }
    }
    (methods.len() == names.value.0.len()).then_some(methods)
}

/// What to write for a method that is none: several in one text are a list.
fn method_advice(text: &str) -> String {
    let names: Vec<String> = text.split([',', ' ', '|', '/']).filter(|name| !name.is_empty()).map(quoted).collect();
    let each = |name: &String| name.len() > 4 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'"');
    if names.len() > 1 && names.iter().all(each) {
        return format!("write a list: method = [{}]", names.join(", "));
    }
    String::from("leave `method` out for all methods")
}

/// A word in the quotes of TOML.
fn quoted(word: &str) -> String {
    format!("{word:?}")
}

fn hosts(raw: &RawRoute, cx: &mut Context<'_, '_>) -> Option<Vec<HostPattern>> {
    let Some(names) = raw.host.at() else { return raw.host.is_absent().then(Vec::new) };
    let mut hosts = Vec::with_capacity(names.value.0.len());
    for name in &names.value.0 {
        match HostPattern::parse(&name.value) {
            Ok(host) => hosts.push(host),
            Err(problem) => {
                let advice = if name.value == "*" {
                    "leave `host` out for all hosts"
                } else {
                    "write \"oms.example\" or \"*.example\""
                };
                cx.notes.error(&name.span, &*raw.label, format!("host {:?}: {problem}", name.value), advice);
            }
        }
    }
    (hosts.len() == names.value.0.len()).then_some(hosts)
}

fn mode(raw: &RawRoute, access: Access, cx: &mut Context<'_, '_>) -> Mode {
    let Some(mode) = raw.mode.at().filter(|mode| mode.value == ModeWord::Report) else { return Mode::Enforce };
    if access != Access::Protected && raw.rate.is_absent() {
        let problem = "mode = \"report\" lifts refusals of tokens, and this route looks at none";
        cx.notes.warning(&mode.span, &*raw.label, problem, "leave it out");
    }
    Mode::Report
}

/// Two routes that no rule puts in order, told at the second.
fn complain_of_tie(tie: &Tie, routes: &[&At<RawRoute>], cx: &mut Context<'_, '_>) {
    let (Some(first), Some(second)) = (routes.get(tie.first.0), routes.get(tie.second.0)) else { return };
    let place = |route: &At<RawRoute>| -> Range<usize> { route.value.path.span().unwrap_or(&route.span).clone() };
    let problem = format!(
        "it and {} (line {}) both name {:?}, and neither is more specific",
        first.value.label,
        cx.notes.line(place(first).start),
        tie.path,
    );
    let advice = "make them one route, or let them differ in path, method or host";
    cx.notes.error(&place(second), &*second.value.label, problem, advice);
}
