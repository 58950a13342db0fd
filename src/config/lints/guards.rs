//! What routes mean for each other: what one opens in another, where they cross, what never counts.

mod gaps;
mod round;

use super::super::diagnostic::Notes;
use super::{Kind, Routes};
use crate::decision::policy::Policy;
use crate::decision::route::{Overlap, Overlaps, Route};

/// Everything about routes that meet.
pub(super) fn guards(routes: &Routes<'_>, notes: &mut Notes<'_>) {
    let overlaps = routes.table.survey().overlaps();
    let survey = routes.table.survey();
    crossings(routes, &overlaps, notes);
    round::round(routes, &survey, &overlaps, notes);
    gaps::gaps(routes, &survey, notes);
    never_unmatched(routes, notes);
    if !survey.is_whole() || !overlaps.is_whole() {
        let problem = String::from("these routes meet in more ways than are looked through");
        let advice = "more may be wrong than is told here; fewer wildcards, and fewer routes on one path, are surer";
        notes.warning(&(0..0), "route", problem, advice);
    }
}

/// Paths that cross, told at the one that does not hold for the example.
fn crossings(routes: &Routes<'_>, overlaps: &Overlaps, notes: &mut Notes<'_>) {
    let mut kind = Kind::new("routes that cross another");
    for overlap in &overlaps.found {
        let (Some(wins), Some(loses)) = (routes.written(overlap.wins), routes.written(overlap.loses)) else { continue };
        let Some(winner) = routes.table.route(overlap.wins.route) else { continue };
        let elsewhere = routes.elsewhere(overlap.wins, notes);
        let problem = format!(
            "path {:?} and path {:?} of {elsewhere} both match {}; there the latter alone counts, since {}: {}",
            loses.value,
            wins.value,
            request(overlap, winner),
            why(&wins.value, &loses.value),
            outcome(winner),
        );
        let advice = format!("if that is not what is meant, add a route for {:?}", overlap.path);
        kind.warn(notes, &loses.span, routes.label(overlap.loses.route), problem, &advice);
    }
    kind.close(notes);
}

/// The example, with its method and host where they count.
fn request(overlap: &Overlap, winner: &Route) -> String {
    let method = if winner.methods.is_empty() { String::new() } else { format!("{} ", overlap.method) };
    let host = overlap.host.as_ref().map(|host| format!(" at {host}")).unwrap_or_default();
    format!("\"{method}{}\"{host}", overlap.path)
}

/// What happens to a request that falls under a route.
fn outcome(route: &Route) -> &'static str {
    match route.policy {
        Policy::Open => "it passes without a token",
        Policy::Deny => "it is refused",
        Policy::Require(_) => "it meets the demands of that one and no others",
    }
}

/// Why the first path is the more specific one.
fn why(wins: &str, loses: &str) -> String {
    let rank = |segment: &str| match segment {
        "**" => (3, 0),
        "*" => (2, 0),
        partial if partial.contains('*') => (1, usize::MAX - partial.chars().filter(|letter| *letter != '*').count()),
        _ => (0, 0),
    };
    let differing = wins.split('/').zip(loses.split('/')).find(|(own, other)| rank(own) != rank(other));
    match differing {
        Some((own, other)) => format!("{own:?} is more specific than {other:?}"),
        None => String::from("it is longer, or says more of hosts or methods"),
    }
}

/// A route that holds for everything leaves nothing for `unmatched`.
fn never_unmatched(routes: &Routes<'_>, notes: &mut Notes<'_>) {
    let (Some(written), Some(unmatched)) = (routes.unmatched.at(), routes.table.routes().last()) else { return };
    let all = routes.all().find(|path| {
        let Some(route) = routes.table.route(path.route) else { return false };
        let text = route.patterns.get(path.path).map(|pattern| pattern.as_str());
        let everything = text == Some("/**") || text == Some("/") && route.is_guard();
        everything && route.spans(unmatched) && !route.asks_the_same(unmatched)
    });
    if let Some(path) = all {
        let problem = format!("never applies: {} holds for every path", routes.elsewhere(path, notes));
        let advice = "leave that route out, or write here what it says, so that nobody is misled";
        notes.warning(&written.span, "unmatched", problem, advice);
    }
}
