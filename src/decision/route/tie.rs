//! Which routes no rule puts in order.
//!
//! Such a pair is refused when the table is built, so that the order in the file never decides.

use std::collections::BTreeMap;

use super::super::path::fold;
use super::pattern::{Pattern, Segment};
use super::table::Entry;
use super::{Route, RouteId};

/// No more are looked for: who has so many has one reason for all of them.
const MOST_TIES: usize = 1000;

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
    // Sorted, so that a pair that has several paths in common is told by the same one every time.
    let mut alike: BTreeMap<Vec<String>, Vec<Entry>> = BTreeMap::new();
    for (id, route) in routes.iter().enumerate() {
        for (at, pattern) in route.patterns.iter().enumerate() {
            alike.entry(shape(pattern)).or_default().push(Entry { route: RouteId(id), pattern: at });
        }
    }
    let mut ties = Vec::new();
    for group in alike.into_values() {
        ties_among(routes, group, &mut ties);
    }
    ties.sort_by_key(|tie| (tie.first, tie.second));
    ties.dedup_by_key(|tie| (tie.first, tie.second));
    ties
}

/// The ties among patterns of one shape. Of their partly literal segments the one that tells most of them apart decides
/// which are compared: those that may begin, or end, alike. Thousands of `a*`, `b*` are not compared each with each.
fn ties_among(routes: &[Route], group: Vec<Entry>, ties: &mut Vec<Tie>) {
    let partial = |entry: Entry, at: usize| {
        let pattern = routes.get(entry.route.0).and_then(|route| route.patterns.get(entry.pattern));
        match pattern.and_then(|pattern| pattern.segments.get(at)) {
            Some(Segment::Partial(partial)) => &*partial.folded,
            _ => "",
        }
    };
    let by = |at: usize, from_end: bool| -> (usize, Vec<(String, Entry)>) {
        let key = |entry: Entry| match from_end {
            false => partial(entry, at).split('*').next().unwrap_or_default().to_owned(),
            true => partial(entry, at).rsplit('*').next().unwrap_or_default().chars().rev().collect(),
        };
        let mut keyed: Vec<(String, Entry)> = group.iter().map(|entry| (key(*entry), *entry)).collect();
        keyed.sort_by(|(one, _), (other, _)| one.cmp(other));
        (keyed.chunk_by(|(one, _), (other, _)| one == other).count(), keyed)
    };
    let first = group.first().and_then(|entry| routes.get(entry.route.0)?.patterns.get(entry.pattern));
    let segments = first.map(|pattern| pattern.segments.as_slice()).unwrap_or_default().iter().enumerate();
    let partials = segments.filter(|(_, segment)| matches!(segment, Segment::Partial(_))).map(|(at, _)| at);
    let ways = partials.flat_map(|at| [by(at, false), by(at, true)]);
    let (_, keyed) = ways.max_by_key(|(distinct, _)| *distinct).unwrap_or_else(|| by(0, false));
    for (at, (key, first)) in keyed.iter().enumerate() {
        // In this order what begins with a text follows right behind it.
        if ties.len() >= MOST_TIES {
            return;
        }
        for (_, second) in keyed.iter().skip(at + 1).take_while(|(other, _)| other.starts_with(key.as_str())) {
            ties.extend(tie(routes, *first.min(second), *first.max(second)));
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::super::RouteTable;
    use super::super::tests::{default, guard};
    use super::*;
    use crate::decision::policy::Policy;

    /// Ten thousand paths side by side, made by `path` of words of one length that differ in their letters.
    fn build(path: fn(&str) -> String) -> Duration {
        let letter = |at: u32, power: u32| char::from_digit(10 + at / 22_u32.pow(power) % 22, 36).unwrap();
        let word = |at: u32| [letter(at, 0), letter(at, 1), letter(at, 2)].iter().collect::<String>();
        let routes = (0..10_000).map(|at| guard(&path(&word(at))));
        let routes = routes.chain([default(Policy::Open)]).collect();
        let started = Instant::now();
        assert!(RouteTable::build(routes).is_ok());
        started.elapsed()
    }

    #[test]
    fn no_number_of_siblings_takes_long() {
        for path in [
            |word: &str| format!("/api/{word}"),
            |word: &str| format!("/api/{word}*"),
            |word: &str| format!("/api/*{word}"),
            |word: &str| format!("/a*/b*/{word}*"),
            |word: &str| format!("/a*/{word}*/c*"),
            |word: &str| format!("/api/*/{word}/**"),
        ] {
            let taken = build(path);
            assert!(taken < Duration::from_secs(4), "{}: {taken:?}", path("word"));
        }
    }

    #[test]
    fn a_pair_is_told_by_the_same_path_every_time() {
        let paths = ["/d", "/b", "/e", "/a", "/c"].map(|path| Pattern::parse(path, false).unwrap());
        let routes = [guard("/x"), guard("/y")].map(|route| Route { patterns: paths.to_vec(), ..route });
        for _ in 0..20 {
            let found = ties(&routes);
            assert_eq!(found.iter().map(|tie| &*tie.path).collect::<Vec<_>>(), ["/a"]);
        }
    }

    #[test]
    fn ties_are_found_among_many() {
        let paths = ["/ab*", "/abc*d", "/*xb", "/a*b", "/b*c*", "/ab*c"];
        let routes: Vec<Route> = paths.into_iter().map(guard).collect();
        let found: Vec<(usize, usize)> = ties(&routes).iter().map(|tie| (tie.first.0, tie.second.0)).collect();
        assert_eq!(found, [(0, 2), (0, 3), (2, 3), (2, 4)]);
    }
}
