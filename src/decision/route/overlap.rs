//! Where paths of different routes cross: both can match one path, and neither takes in the other.
//!
//! `/shop/**` and `/*/admin` cross at `/shop/admin`. The more specific one holds there, which is not always the one
//! that was meant. The table is walked along with itself: two nodes at a time, which some path reaches both of, and on
//! each side whether its pattern was the wider one somewhere on the way. Patterns cross where both were.

use std::collections::{HashMap, HashSet};

use http::Method;

use super::super::policy::wildcard_matches;
use super::pattern::{Partial, Pattern, Segment};
use super::survey::{NamedPath, Survey};
use super::table::{Entry, Node};
use super::{Route, RouteId};

/// What an example has where a pattern takes anything.
const ANY: &str = "any";
/// The most cells of a comparison of two partly literal segments for which an example is made.
const MOST_CELLS: usize = 1 << 16;

/// Two paths of different routes that cross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// The one that holds for the example.
    pub wins: NamedPath,
    /// The other one.
    pub loses: NamedPath,
    /// A path that both match, as a server reads it.
    pub path: String,
    /// A method that both take.
    pub method: Method,
    /// A host that both name; `None` where any host will do.
    pub host: Option<String>,
}

/// All crossings of a table.
#[derive(Debug, Default)]
pub struct Overlaps {
    /// One for each two routes that ask different things, in the order of the routes.
    pub found: Vec<Overlap>,
    crossing: HashSet<NamedPath>,
    whole: bool,
}

impl Overlaps {
    /// Whether everything was looked at.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether the path crosses one of another route, whatever that asks.
    pub fn is_crossing(&self, path: NamedPath) -> bool {
        self.crossing.contains(&path)
    }
}

impl Survey<'_> {
    /// Where paths of different routes cross.
    pub fn overlaps(&self) -> Overlaps {
        let mut walk = Walk { survey: self, wild: self.wild(), found: HashMap::new(), crossing: HashSet::new() };
        walk.meet(Pair { one: 0, other: 0, one_wider: false, other_wider: false });
        let mut found: Vec<Overlap> = walk.found.into_values().flatten().collect();
        let places = |overlap: &Overlap| {
            let (wins, loses) = (overlap.wins.route, overlap.loses.route);
            (wins.max(loses), wins.min(loses))
        };
        found.sort_by_key(places);
        Overlaps { found, crossing: walk.crossing, whole: self.is_whole() }
    }

    /// For each node whether some pattern through it is anywhere wider than letters, at the node or below.
    fn wild(&self) -> Vec<bool> {
        let mut wild = vec![false; self.table().nodes.len()];
        // A child stands behind its parent.
        for at in (0..wild.len()).rev() {
            let Some(node) = self.node(at) else { continue };
            let here = node.any.is_some() || !node.partials.is_empty() || self.absorbing(node).next().is_some();
            let is = here || children(node).any(|child| wild.get(child) == Some(&true));
            if let Some(place) = wild.get_mut(at) {
                *place = is;
            }
        }
        wild
    }

    /// What holds for everything below a node.
    fn absorbing(&self, node: &Node) -> impl Iterator<Item = Entry> {
        node.here.iter().filter(|entry| self.is_guard(**entry)).chain(&node.deep).copied()
    }
}

/// Two nodes that some path reaches both of, and whether the pattern of either was wider on the way.
#[derive(Clone, Copy)]
struct Pair {
    one: usize,
    other: usize,
    one_wider: bool,
    other_wider: bool,
}

impl Pair {
    fn turned(self) -> Self {
        Self { one: self.other, other: self.one, one_wider: self.other_wider, other_wider: self.one_wider }
    }

    /// The pair of two children of which the first or the second is wider.
    fn below(self, one: usize, other: usize, (one_wider, other_wider): (bool, bool)) -> Self {
        Self { one, other, one_wider: self.one_wider || one_wider, other_wider: self.other_wider || other_wider }
    }
}

/// The walk of a table along with itself.
struct Walk<'s, 't> {
    survey: &'s Survey<'t>,
    wild: Vec<bool>,
    /// For each two routes their first crossing; `None` where another path decides.
    found: HashMap<(RouteId, RouteId), Option<Overlap>>,
    crossing: HashSet<NamedPath>,
}

impl Walk<'_, '_> {
    fn meet(&mut self, pair: Pair) {
        let wild = |at: usize| self.wild.get(at) == Some(&true);
        let hopeless = !pair.one_wider && !wild(pair.one) || !pair.other_wider && !wild(pair.other);
        let (Some(one), Some(other)) = (self.survey.node(pair.one), self.survey.node(pair.other)) else { return };
        if hopeless || !self.survey.step() {
            return;
        }
        self.ends(pair, one, other);
        self.ends(pair.turned(), other, one);
        self.alike(pair, one, other);
        self.partials(pair, one, other);
        self.stars(pair, one, other);
        if pair.one != pair.other {
            // A node meets itself; what its first side does to its second need not be done the other way round.
            self.stars(pair.turned(), other, one);
        }
    }

    /// What ends at the second node against what ends at the first or goes on below it.
    fn ends(&mut self, pair: Pair, one: &Node, other: &Node) {
        if !pair.one_wider {
            return;
        }
        let deep = other.deep.iter().flat_map(|deep| one.here.iter().map(move |here| (*here, *deep)));
        deep.for_each(|(here, deep)| self.cross(here, deep));
        if pair.other_wider {
            let here = other.here.iter().flat_map(|end| one.here.iter().map(move |here| (*here, *end)));
            here.for_each(|(one, other)| self.cross(one, other));
            let deep = other.deep.iter().flat_map(|end| one.deep.iter().map(move |deep| (*deep, *end)));
            deep.for_each(|(one, other)| self.cross(one, other));
        }
        let absorbing: Vec<Entry> = self.survey.absorbing(other).collect();
        if absorbing.is_empty() {
            return;
        }
        let mut left: Vec<usize> = children(one).collect();
        while let Some(node) = left.pop().filter(|_| self.survey.step()).and_then(|at| self.survey.node(at)) {
            for entry in node.here.iter().chain(&node.deep).take_while(|_| self.survey.is_whole()) {
                absorbing.iter().for_each(|wide| self.cross(*entry, *wide));
            }
            left.extend(children(node));
        }
    }

    /// Children of one name.
    fn alike(&mut self, pair: Pair, one: &Node, other: &Node) {
        let (few, many) = if one.literals.len() <= other.literals.len() { (one, other) } else { (other, one) };
        for (name, child) in &few.literals {
            if !self.survey.step() {
                return;
            }
            let Some(against) = many.literal(name) else { continue };
            let (first, second) = if std::ptr::eq(few, one) { (*child, against) } else { (against, *child) };
            self.meet(pair.below(first, second, (false, false)));
        }
        if let (Some(first), Some(second)) = (one.any, other.any) {
            self.meet(pair.below(first, second, (false, false)));
        }
    }

    /// Partly literal children that have a text in common.
    fn partials(&mut self, pair: Pair, one: &Node, other: &Node) {
        let same = pair.one == pair.other;
        for (place, (partial, _, child)) in one.partials.iter().enumerate() {
            for at in self.survey.begun(pair.other, &partial.folded) {
                let Some((against, _, below)) = other.partials.get(at) else { continue };
                let done = same && partial.start() == against.start() && at < place;
                if let Some(wider) = compare(partial, against).filter(|_| !done) {
                    self.meet(pair.below(*child, *below, wider));
                }
            }
        }
        for (partial, _, child) in other.partials.iter().filter(|_| !same) {
            for at in self.survey.begun(pair.one, &partial.folded) {
                let Some((against, _, below)) = one.partials.get(at) else { continue };
                let done = partial.start() == against.start();
                if let Some(wider) = compare(against, partial).filter(|_| !done) {
                    self.meet(pair.below(*below, *child, wider));
                }
            }
        }
    }

    /// Wildcards of the first node against what the second has that is narrower in kind.
    fn stars(&mut self, pair: Pair, one: &Node, other: &Node) {
        if let Some(any) = one.any {
            let partials = other.partials.iter().map(|(_, _, child)| *child);
            let narrower = other.literals.iter().map(|(_, child)| *child).chain(partials);
            let narrower = narrower.take_while(|_| self.survey.is_whole()).collect::<Vec<_>>();
            narrower.into_iter().for_each(|child| self.meet(pair.below(any, child, (true, false))));
        }
        if one.partials.is_empty() {
            return;
        }
        for (name, child) in &other.literals {
            if !self.survey.step() {
                return;
            }
            self.survey
                .wider(pair.one, name)
                .into_iter()
                .for_each(|wide| self.meet(pair.below(wide, *child, (true, false))));
        }
    }

    /// Two patterns that cross.
    fn cross(&mut self, first: Entry, second: Entry) {
        let (Some((one, path)), Some((other, against))) = (self.survey.entry(first), self.survey.entry(second)) else {
            return;
        };
        let common = one.common(other).filter(|_| first.route != second.route && self.survey.step());
        let Some((method, host)) = common else { return };
        let (first, second) = (NamedPath::of(first), NamedPath::of(second));
        self.crossing.extend([first, second]);
        let routes = (first.route.min(second.route), first.route.max(second.route));
        if one.asks_the_same(other) || matches!(self.found.get(&routes), Some(Some(_))) {
            return;
        }
        let overlap = example(one, path, other, against).and_then(|text| {
            // Where another path decides, even one of the same routes, somebody has thought of the example.
            let (fit, lead) = self.survey.best(&text, &method, host.as_deref())?;
            let (wins, loses) = match lead {
                lead if lead == first.route && fit.ranks == path.ranks => (first, second),
                lead if lead == second.route && fit.ranks == against.ranks => (second, first),
                _ => return None,
            };
            Some(Overlap { wins, loses, path: text, method, host: host.map(String::from) })
        });
        self.found.insert(routes, overlap);
    }
}

fn children(node: &Node) -> impl Iterator<Item = usize> {
    let literals = node.literals.iter().map(|(_, child)| *child);
    literals.chain(node.partials.iter().map(|(_, _, child)| *child)).chain(node.any)
}

/// Which of two partly literal segments is wider; both where each has texts that the other has not; `None` where they
/// have none in common.
fn compare(one: &Partial, other: &Partial) -> Option<(bool, bool)> {
    let within = (wildcard_matches(&one.folded, &other.folded), wildcard_matches(&other.folded, &one.folded));
    match within {
        (true, true) => Some((false, false)),
        (true, false) | (false, true) => Some(within),
        (false, false) => one.overlaps(other).then_some((true, true)),
    }
}

/// A path that both patterns match, if one is easily found.
fn example(one: &Route, path: &Pattern, other: &Route, against: &Pattern) -> Option<String> {
    let mut text = String::new();
    for at in 0..path.segments.len().max(against.segments.len()) {
        text.push('/');
        match (path.segments.get(at), against.segments.get(at)) {
            (Some(segment), Some(against)) => text.push_str(&shared(segment, !one.is_guard(), against)?),
            (Some(segment), None) | (None, Some(segment)) => text.push_str(&segment.example()),
            (None, None) => {}
        }
    }
    if text.is_empty() {
        text.push('/');
    }
    let fits = |route: &Route, pattern: &Pattern| route.is_guard() || pattern.matches_exactly(&text);
    (fits(one, path) && fits(other, against)).then_some(text)
}

/// A segment that both match; the letters of the first count where it is `exact`.
fn shared(one: &Segment, exact: bool, other: &Segment) -> Option<String> {
    match (one, other) {
        (Segment::Literal(own), Segment::Literal(against)) => Some(if exact { own } else { against }.to_string()),
        (Segment::Literal(literal), _) | (_, Segment::Literal(literal)) => Some(literal.to_string()),
        (Segment::Partial(own), Segment::Partial(against)) => common(&own.written, &against.written)
            .or_else(|| common(&own.written, &against.folded))
            .or_else(|| common(&own.folded, &against.written))
            .or_else(|| common(&own.folded, &against.folded)),
        (Segment::Any, segment) | (segment, Segment::Any) => Some(segment.example()),
    }
}

impl Segment {
    /// A segment that this one matches.
    fn example(&self) -> String {
        match self {
            Segment::Literal(literal) => literal.to_string(),
            Segment::Partial(partial) => partial.written.replace('*', ANY),
            Segment::Any => ANY.to_owned(),
        }
    }
}

/// A text that fits both wildcard texts, as short as comes of itself.
fn common(one: &str, other: &str) -> Option<String> {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let width = other.len() + 1;
    if one.len().saturating_mul(width) > MOST_CELLS {
        return None;
    }
    // For each two places whether what follows them has a text in common.
    let mut ends = vec![false; (one.len() + 1) * width];
    let at = |ends: &[bool], i: usize, j: usize| j < width && ends.get(i * width + j) == Some(&true);
    for i in (0..=one.len()).rev() {
        for j in (0..=other.len()).rev() {
            let (own, against) = (one.get(i), other.get(j));
            let star = own == Some(&'*') && (at(&ends, i + 1, j) || against.is_some() && at(&ends, i, j + 1))
                || against == Some(&'*') && (at(&ends, i, j + 1) || own.is_some() && at(&ends, i + 1, j));
            let is = star || own == against && (own.is_none() || at(&ends, i + 1, j + 1));
            if let Some(place) = ends.get_mut(i * width + j) {
                *place = is;
            }
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    if !at(&ends, 0, 0) {
        return None;
    }
    while i < one.len() || j < other.len() {
        match (one.get(i), other.get(j)) {
            (Some('*'), _) if at(&ends, i + 1, j) => i += 1,
            (_, Some('*')) if at(&ends, i, j + 1) => j += 1,
            (Some('*'), Some(letter)) => {
                text.push(*letter);
                j += 1;
            }
            (Some(letter), Some('*')) => {
                text.push(*letter);
                i += 1;
            }
            (Some(letter), _) => {
                text.push(*letter);
                i += 1;
                j += 1;
            }
            (None, _) => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests;
