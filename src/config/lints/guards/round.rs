//! Routes within others: a narrower one counts alone, whatever the wider one asks.

use std::collections::HashSet;

use super::super::super::diagnostic::Notes;
use super::super::{Kind, Routes};
use crate::decision::policy::{ClaimRule, Policy, Requirement};
use crate::decision::route::{Mode, NamedPath, Overlaps, Route, Survey};

/// Warns of routes that open a wider guard unawares, and of those that change nothing.
pub(super) fn round(routes: &Routes<'_>, survey: &Survey<'_>, overlaps: &Overlaps, notes: &mut Notes<'_>) {
    let mut weaker = Kind::new("routes that ask less than the guard round them");
    let mut idle = Kind::new("paths that change nothing");
    let mut told = HashSet::new();
    for path in routes.all() {
        let (Some(route), Some(text)) = (routes.table.route(path.route), routes.written(path)) else { continue };
        let around = survey.around(path);
        if !survey.is_whole() {
            break;
        }
        let label = routes.label(path.route);
        let outer = around.iter().find(|outer| outer.route != path.route).copied();
        let unmatched = NamedPath { route: routes.table.unmatched(), path: 0 };
        let outer = outer.unwrap_or(unmatched);
        let Some(wide) = routes.table.route(outer.route) else { continue };
        if let Some((problem, advice)) = less(route, wide, &routes.elsewhere(outer, notes))
            && told.insert((path.route, outer.route))
        {
            weaker.warn(notes, &text.span, label, format!("path {:?} {problem}", text.value), advice);
        }
        let known = overlaps.is_whole() && !overlaps.is_crossing(path);
        if let Some((problem, advice)) = nothing(path, around.first().copied(), routes, notes).filter(|_| known) {
            idle.warn(notes, &text.span, label, format!("path {:?} {problem}", text.value), advice);
        }
    }
    weaker.close(notes);
    idle.close(notes);
}

/// What a route within another lets through that the other would not.
fn less(route: &Route, wide: &Route, outer: &str) -> Option<(String, &'static str)> {
    let Policy::Require(own) = &route.policy else { return None };
    if route.mode == Mode::Report && wide.is_guard() && wide.mode == Mode::Enforce {
        let problem = format!("in mode = \"report\" lets through what {outer} would refuse");
        return Some((problem, "write mode = \"enforce\" as soon as the log tells of no refusals that are not meant"));
    }
    let Policy::Require(asked) = &wide.policy else { return None };
    let missing = missing(own, asked);
    let problem = || format!("asks less than {outer} round it: {} counts for nothing here", missing.join(", "));
    let advice = "the most specific route counts alone: repeat here what is meant to hold here too";
    (!missing.is_empty()).then(|| (problem(), advice))
}

/// What `asked` demands and `own` does not.
fn missing(own: &Requirement, asked: &Requirement) -> Vec<String> {
    let mut missing = Vec::new();
    if own.issuers.iter().any(|issuer| !asked.issuers.contains(issuer)) {
        missing.push(String::from("its `issuer`"));
    }
    let other = own.audiences.iter().any(|audience| !asked.audiences.contains(audience));
    if !asked.audiences.is_empty() && (own.audiences.is_empty() || other) {
        missing.push(format!("its `audience` {}", asked.audiences.join(", ")));
    }
    let scopes: Vec<&str> =
        asked.scopes.iter().filter(|scope| !own.scopes.contains(scope)).map(|scope| &**scope).collect();
    if !scopes.is_empty() {
        missing.push(format!("its `scope` {}", scopes.join(", ")));
    }
    let covered = |rule: &ClaimRule| {
        own.claims
            .iter()
            .any(|own| own.path == rule.path && own.accepted.iter().all(|text| rule.accepted.contains(text)))
    };
    for rule in asked.claims.iter().filter(|rule| !covered(rule)) {
        missing.push(format!("its `claim` {}", rule.path));
    }
    missing
}

/// A path without which everything would be the same. A route with a name of its own is there for logs and metrics.
fn nothing(
    path: NamedPath,
    outer: Option<NamedPath>,
    routes: &Routes<'_>,
    notes: &Notes<'_>,
) -> Option<(String, &'static str)> {
    let outer = outer?;
    let (route, wide) = (routes.table.route(path.route)?, routes.table.route(outer.route)?);
    if outer.route == path.route {
        // Of two that say the same the first one stays.
        let (own, other) = (route.patterns.get(path.path)?, route.patterns.get(outer.path)?);
        let stays = own.folded() == other.folded() && path.path < outer.path;
        let problem = || format!("is named by path {:?} of this route as well", other.as_str());
        return (!stays).then(|| (problem(), "leave it out"));
    }
    let named = routes.raw.get(path.route.0)?.value.name.get().is_some();
    let same = route.asks_the_same(wide)
        && route.forwarding == wide.forwarding
        && (route.upstream, route.timeout, route.body_size) == (wide.upstream, wide.timeout, wide.body_size);
    let useless = !named && same && route.is_guard() && wide.is_guard() && wide.spans(route);
    useless.then(|| {
        let problem = format!("is guarded by {} already, with the very same demands", routes.elsewhere(outer, notes));
        (problem, "leave it out, or give the route a `name` if it is to be told apart in logs")
    })
}
