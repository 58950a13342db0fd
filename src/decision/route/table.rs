//! All routes of a configuration, and the search among them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;

use super::super::head::RequestHead;
use super::super::path::{fold, trim};
use super::pattern::{Name, Partial, Segment};
use super::tie::{Tie, ties};
use super::{Fit, Held, HostPattern, Route, RouteId};

/// The routes, ready to be searched.
#[derive(Debug)]
pub struct RouteTable {
    routes: Vec<Route>,
    pub(super) nodes: Vec<Node>,
    hosts: Vec<HostPattern>,
}

/// What can come at one depth of a path.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Literal segments, folded and sorted.
    pub(super) literals: Vec<(Box<str>, usize)>,
    /// Bytes of the longest of them.
    longest: usize,
    /// Partly literal segments, the most specific first.
    pub(super) partials: Vec<(Partial, u32, usize)>,
    pub(super) any: Option<usize>,
    /// Patterns that end here.
    pub(super) here: Vec<Entry>,
    /// Patterns that end in `**` here.
    pub(super) deep: Vec<Entry>,
}

/// While a table is built: the nodes below each node, by their folded segments.
type Children = HashMap<(usize, Kind, Box<str>), usize>;

/// How much of a segment is literal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    All,
    Part,
    None,
}

/// One of the patterns of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) route: RouteId,
    pub(super) pattern: usize,
}

impl RouteTable {
    /// A table of `routes`, the last of which is the default for what no other names.
    ///
    /// # Errors
    /// Every tie.
    pub fn build(routes: Vec<Route>) -> Result<Self, Vec<Tie>> {
        let ties = ties(&routes);
        if !ties.is_empty() {
            return Err(ties);
        }
        let mut table = Self { nodes: vec![Node::default()], hosts: Vec::new(), routes: Vec::new() };
        let mut known = Children::new();
        for (id, route) in routes.iter().enumerate() {
            table.hosts.extend(route.hosts.iter().cloned());
            for (pattern, _) in route.patterns.iter().enumerate() {
                table.insert(&routes, Entry { route: RouteId(id), pattern }, &mut known);
            }
        }
        for node in &mut table.nodes {
            node.literals.sort_by(|(own, _), (other, _)| own.cmp(other));
            node.longest = node.literals.iter().map(|(own, _)| own.len()).max().unwrap_or(0);
            node.partials.sort_by_key(|(_, rank, _)| *rank);
        }
        table.routes = routes;
        Ok(table)
    }

    /// The route of that place; the default route for a place that is none.
    pub fn route(&self, id: RouteId) -> Option<&Route> {
        self.routes.get(id.0)
    }

    /// Every route, the default one last.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The default route.
    pub fn unmatched(&self) -> RouteId {
        RouteId(self.routes.len().saturating_sub(1))
    }

    /// The routes whose demands hold for a request. Always finds: the default is a route too.
    pub fn find(&self, head: &RequestHead<'_>) -> Held {
        let (host, stranger) = (host(head), self.is_for_stranger(head));
        let mut found = Found { fits: Vec::new(), unmatched: false };
        for (text, guards_only) in head.readings.iter() {
            for method in head.methods() {
                match Search::run(self, text, host, method, Wanted::Best).best {
                    Some((fit, id)) if !guards_only || self.route(id).is_some_and(Route::is_guard) => {
                        found.add(fit, id)
                    }
                    None if !guards_only => found.unmatched = true,
                    _ => {}
                }
                if stranger {
                    // Nobody knows which of its hosts the server behind will take this one for.
                    let search = Search::run(self, text, host, method, Wanted::HostGuards(Vec::new()));
                    search.gathered().into_iter().for_each(|(fit, entry)| found.add(fit, entry.route));
                }
            }
        }
        // Guards for different hosts may be equally specific where the host is nobody's: the order in the file must not
        // decide, so their names do.
        let hosts = |id: RouteId| self.route(id).map(|route| &route.hosts);
        found.fits.sort_by(|(own, id), (other, against)| own.cmp(other).then_with(|| hosts(*id).cmp(&hosts(*against))));
        found.held(self.unmatched())
    }

    /// Whether the request is for a host that no route names, while some route names hosts.
    pub(super) fn is_for_stranger(&self, head: &RequestHead<'_>) -> bool {
        let named = |host| self.hosts.iter().any(|pattern| pattern.matches(host));
        !self.hosts.is_empty() && !host(head).is_some_and(named)
    }

    /// Every pattern that one reading of a path falls under, the one that counts first, the others in no order.
    pub(super) fn all_under(&self, path: &str, head: &RequestHead<'_>, method: &http::Method) -> Vec<(Fit, Entry)> {
        let run = |wanted| Search::run(self, path, host(head), method, wanted);
        let best = run(Wanted::Best).best.map(|(_, route)| route);
        let mut all = run(Wanted::All(Vec::new())).gathered();
        all.sort_by(|(one, own), (other, against)| {
            (Some(own.route) != best).cmp(&(Some(against.route) != best)).then(one.cmp(other))
        });
        all
    }

    /// Every guard that names a host and that one reading falls under but for the host.
    pub(super) fn guards_of_hosts(&self, path: &str, method: &http::Method) -> Vec<(Fit, Entry)> {
        Search::run(self, path, None, method, Wanted::HostGuards(Vec::new())).gathered()
    }

    fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    fn insert(&mut self, routes: &[Route], entry: Entry, known: &mut Children) {
        let Some(pattern) = routes.get(entry.route.0).and_then(|route| route.patterns.get(entry.pattern)) else {
            return;
        };
        let mut at = 0;
        for (segment, rank) in pattern.segments.iter().zip(pattern.ranks.iter()) {
            at = self.child(at, segment, *rank, known);
        }
        if let Some(node) = self.nodes.get_mut(at) {
            if pattern.deep { node.deep.push(entry) } else { node.here.push(entry) }
        }
    }

    /// The node below `at` for a segment, made where there is none.
    fn child(&mut self, at: usize, segment: &Segment, rank: u32, known: &mut Children) -> usize {
        let (kind, text) = match segment {
            Segment::Literal(literal) => (Kind::All, fold(literal)),
            Segment::Partial(partial) => (Kind::Part, Cow::Borrowed(&*partial.folded)),
            Segment::Any => (Kind::None, Cow::Borrowed("")),
        };
        let next = self.nodes.len();
        let child = *known.entry((at, kind, text.as_ref().into())).or_insert(next);
        let Some(node) = self.nodes.get_mut(at).filter(|_| child == next) else { return child };
        match segment {
            Segment::Literal(_) => node.literals.push((text.into(), next)),
            Segment::Partial(partial) => node.partials.push((partial.clone(), rank, next)),
            Segment::Any => node.any = Some(next),
        }
        self.nodes.push(Node::default());
        next
    }
}

fn host<'a>(head: &RequestHead<'a>) -> Option<&'a str> {
    head.authority.map(|authority| authority.host())
}

/// What a walk is after.
pub(super) enum Wanted {
    /// The most specific route.
    Best,
    /// Every guard that names a host, whatever the host.
    HostGuards(Vec<(Fit, Entry)>),
    /// Every route that matches, for whoever explains.
    All(Vec<(Fit, Entry)>),
}

impl Node {
    /// The child for a literal, `name` being folded but for the letter case of ASCII.
    pub(super) fn literal(&self, name: &str) -> Option<usize> {
        let compare = |own: &str| -> Ordering { own.bytes().cmp(name.bytes().map(|byte| byte.to_ascii_lowercase())) };
        let at = self.literals.binary_search_by(|(own, _)| compare(own)).ok()?;
        self.literals.get(at).map(|(_, child)| *child)
    }
}

/// One walk through the table for one reading and one method.
pub(super) struct Search<'s> {
    table: &'s RouteTable,
    path: &'s str,
    host: Option<&'s str>,
    method: &'s http::Method,
    /// The most specific route found; where it is set the walk is over.
    pub(super) best: Option<(Fit, RouteId)>,
    wanted: Wanted,
}

impl<'s> Search<'s> {
    /// Walks through the whole table.
    pub(super) fn run(
        table: &'s RouteTable,
        path: &'s str,
        host: Option<&'s str>,
        method: &'s http::Method,
        wanted: Wanted,
    ) -> Self {
        let mut search = Self { table, path, host, method, best: None, wanted };
        search.descend(0, path.get(1..).filter(|rest| !rest.is_empty()));
        search
    }

    /// What was gathered, where that was wanted.
    fn gathered(self) -> Vec<(Fit, Entry)> {
        match self.wanted {
            Wanted::Best => Vec::new(),
            Wanted::HostGuards(found) | Wanted::All(found) => found,
        }
    }

    /// Looks at everything below a node, the most specific first. `rest` is what of the path is left.
    fn descend(&mut self, at: usize, rest: Option<&str>) {
        let Some(node) = self.table.node(at).filter(|_| self.best.is_none()) else { return };
        let Some(rest) = rest else {
            self.take(&node.here, false, false);
            self.take(&node.deep, false, false);
            return;
        };
        if rest.is_empty() {
            // A trailing slash: guards hold as if it were not there.
            self.take(&node.here, true, false);
        }
        let (segment, below) = match rest.split_once('/') {
            Some((segment, below)) => (segment, Some(below)),
            None => (rest, None),
        };
        self.literals(node, segment, below);
        self.partials(node, segment, below);
        if let Some(child) = node.any.filter(|_| !segment.is_empty()) {
            self.descend(child, below);
        }
        self.take(&node.deep, false, false);
        self.take(&node.here, true, true);
    }

    /// The literal children that a segment may mean: itself, then without its suffixes.
    fn literals(&mut self, node: &Node, segment: &str, below: Option<&str>) {
        let trimmed = trim(segment);
        let owned;
        let name: &str = if segment.is_ascii() {
            trimmed
        } else {
            owned = fold(segment);
            &owned
        };
        if let Some(child) = node.literal(name) {
            self.descend(child, below);
        }
        // The longest stem first. What is longer than any literal, blanks and dots aside, cannot be one. Several dots
        // in a row leave one stem, so that no run of them is gone over twice.
        let mut left = name;
        while let Some(at) = left.rfind('.') {
            left = trim(left.get(..at).unwrap_or_default());
            if let Some(child) = (left.len() <= node.longest).then(|| node.literal(left)).flatten() {
                self.suffixed(child);
            }
        }
    }

    /// The partly literal children that a segment fits.
    fn partials(&mut self, node: &Node, segment: &str, below: Option<&str>) {
        if node.partials.is_empty() {
            return;
        }
        let name = Name::of(segment);
        for alike in node.partials.chunk_by(|(_, one, _), (_, other, _)| one == other) {
            if self.best.is_some() {
                return;
            }
            // Of those that are equally specific what comes further down decides.
            let mut closest: Option<(Fit, RouteId)> = None;
            for (partial, _, child) in alike {
                match partial.fits(&name) {
                    Some(false) => self.descend(*child, below),
                    Some(true) => self.suffixed(*child),
                    None => {}
                }
                let found = self.best.take();
                closest = match (closest, found) {
                    (Some(closest), Some(found)) if found.0 < closest.0 => Some(found),
                    (closest, found) => closest.or(found),
                };
            }
            self.best = closest;
        }
    }

    /// A segment that is a pattern's last but for a suffix (`.json`): its guards hold, for everything below as well.
    fn suffixed(&mut self, child: usize) {
        if let Some(node) = self.table.node(child) {
            self.take(&node.here, true, true);
            self.take(&node.deep, true, true);
        }
    }

    /// Looks at the routes that end at a node. `wide`: guards alone; `implied`: the pattern did not say so much.
    fn take(&mut self, entries: &[Entry], wide: bool, implied: bool) {
        if self.best.is_some() {
            return;
        }
        let mut best: Option<(Fit, RouteId)> = None;
        for entry in entries {
            let Some(route) = self.table.route(entry.route) else { continue };
            let Some(pattern) = route.patterns.get(entry.pattern) else { continue };
            if !route.is_guard() && (wide || !pattern.matches_exactly(self.path)) {
                continue;
            }
            let Some(method) = route.method_fit(self.method) else { continue };
            let fit = |host| Fit { ranks: pattern.ranks.clone(), implied, host, method };
            if let Wanted::HostGuards(guards) = &mut self.wanted {
                if route.is_guard() && !route.hosts.is_empty() {
                    let host = route.hosts.iter().map(HostPattern::weight).max().unwrap_or(0);
                    guards.push((fit(host), *entry));
                }
                continue;
            }
            let Some(host) = route.host_fit(self.host) else { continue };
            if let Wanted::All(all) = &mut self.wanted {
                all.push((fit(host), *entry));
                continue;
            }
            let candidate = (fit(host), entry.route);
            if best.as_ref().is_none_or(|best| candidate.0 < best.0) {
                best = Some(candidate);
            }
        }
        self.best = best;
    }
}

/// What the readings of one request fell under.
struct Found {
    fits: Vec<(Fit, RouteId)>,
    unmatched: bool,
}

impl Found {
    fn add(&mut self, fit: Fit, id: RouteId) {
        match self.fits.iter_mut().find(|(_, known)| *known == id) {
            Some((known, _)) if fit < *known => *known = fit,
            Some(_) => {}
            None => self.fits.push((fit, id)),
        }
    }

    /// `fits` being sorted.
    fn held(self, unmatched: RouteId) -> Held {
        let mut ids = self.fits.into_iter().map(|(_, id)| id);
        match ids.next() {
            None => Held { lead: unmatched, others: Vec::new() },
            Some(lead) => Held { lead, others: ids.chain(self.unmatched.then_some(unmatched)).collect() },
        }
    }
}
