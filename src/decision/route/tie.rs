//! Which routes no rule puts in order.
//!
//! Such a pair is refused when the table is built, so that the order in the file never decides.

use std::collections::HashMap;

use super::super::path::fold;
use super::pattern::{Pattern, Segment};
use super::table::Entry;
use super::{Route, RouteId};

/// Two routes of which neither is more specific although both could match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The one that stands first.
    pub first: RouteId,
    /// The one that stands second.
    pub second: RouteId,
    /// A path that both name.
    pub path: Box<str>,
}

/// Every pair of routes of which neither is more specific although both could match.
pub(super) fn ties(routes: &[Route]) -> Vec<Tie> {
    let mut alike: HashMap<Vec<String>, Vec<Entry>> = HashMap::new();
    for (id, route) in routes.iter().enumerate() {
        for (at, pattern) in route.patterns.iter().enumerate() {
            alike.entry(shape(pattern)).or_default().push(Entry { route: RouteId(id), pattern: at });
        }
    }
    let mut ties = Vec::new();
    for group in alike.values() {
        for (at, first) in group.iter().enumerate() {
            for second in group.iter().skip(at + 1) {
                ties.extend(tie(routes, *first, *second));
            }
        }
    }
    ties.sort_by_key(|tie| (tie.first, tie.second));
    ties.dedup_by_key(|tie| (tie.first, tie.second));
    ties
}

/// What two patterns have in common when neither is more specific.
fn shape(pattern: &Pattern) -> Vec<String> {
    let of = |(segment, rank): (&Segment, &u32)| match segment {
        Segment::Literal(literal) => format!("={}", fold(literal)),
        Segment::Partial(_) | Segment::Any => format!("*{rank}"),
    };
    pattern.segments.iter().zip(pattern.ranks.iter()).map(of).chain(pattern.deep.then(|| "**".to_owned())).collect()
}

fn tie(routes: &[Route], first: Entry, second: Entry) -> Option<Tie> {
    let (one, other) = (routes.get(first.route.0)?, routes.get(second.route.0)?);
    let (path, against) = (one.patterns.get(first.pattern)?, other.patterns.get(second.pattern)?);
    let paths = path.segments.iter().zip(&against.segments).all(|pair| match pair {
        (Segment::Partial(own), Segment::Partial(other)) => own.overlaps(other),
        _ => true,
    });
    let methods = match (one.methods.is_empty(), other.methods.is_empty()) {
        (true, true) => true,
        (false, false) => one.methods.iter().any(|method| other.method_fit(method) == Some(0)),
        _ => false,
    };
    let hosts = match (one.hosts.is_empty(), other.hosts.is_empty()) {
        (true, true) => true,
        (false, false) => one.hosts.iter().any(|host| other.hosts.contains(host)),
        _ => false,
    };
    let same_route_twice = first.route == second.route;
    (paths && methods && hosts && !same_route_twice).then(|| Tie {
        first: first.route,
        second: second.route,
        path: path.as_str().into(),
    })
}
