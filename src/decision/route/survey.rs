//! What a table can tell of itself: which route holds for a path, which paths lie round another, which cross.
//!
//! This is for whoever writes a configuration and plays no part in judging. It works on patterns, never on requests:
//! where a `*` stands for anything, it stays a `*`, which no literal equals and only a `*` as wide takes in.
//!
//! A survey has a number of steps that grows with the routes. Where thousands of wildcards meet thousands of others it
//! ends before all is seen, and says so.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;

use http::Method;

use super::super::policy::wildcard_matches;
use super::pattern::Pattern;
use super::table::{Entry, Node, RouteTable, Search, Wanted};
use super::{Fit, HostPattern, Route, RouteId};

/// Steps that any table may take, and more for each of its patterns.
const STEPS: (usize, usize) = (10_000, 20);

/// One look at a whole table.
pub struct Survey<'t> {
    table: &'t RouteTable,
    /// The partly literal children of each node by what stands before their first `*`, as places among them.
    starts: HashMap<(usize, &'t str), Vec<usize>>,
    steps: Cell<usize>,
    /// How many steps finding one path counts for: the more, the more routes share a path.
    crowd: usize,
}

/// One of the paths that a route names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NamedPath {
    /// The route.
    pub route: RouteId,
    /// The place of the path in it.
    pub path: usize,
}

impl NamedPath {
    pub(super) fn of(entry: Entry) -> Self {
        Self { route: entry.route, path: entry.pattern }
    }
}

impl RouteTable {
    /// Begins to look at the table.
    pub fn survey(&self) -> Survey<'_> {
        let mut starts: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            for (place, (partial, ..)) in node.partials.iter().enumerate() {
                starts.entry((at, partial.start())).or_default().push(place);
            }
        }
        let patterns: usize = self.routes().iter().map(|route| route.patterns.len()).sum();
        let crowd = self.nodes.iter().map(|node| node.here.len() + node.deep.len()).max().unwrap_or(0);
        Survey { table: self, starts, steps: Cell::new(STEPS.0 + STEPS.1 * patterns), crowd }
    }
}

impl<'t> Survey<'t> {
    /// Whether everything was seen so far.
    pub fn is_whole(&self) -> bool {
        self.steps.get() > 0
    }

    /// The route that comes first for a path as a server reads it, a method and a host that some route names. Means
    /// nothing once the survey is no longer whole.
    pub fn lead(&self, path: &str, method: &Method, host: Option<&str>) -> RouteId {
        self.best(path, method, host).map_or(self.table.unmatched(), |(_, id)| id)
    }

    /// The same with how specifically it meets the path; `None` where no route names it.
    pub(super) fn best(&self, path: &str, method: &Method, host: Option<&str>) -> Option<(Fit, RouteId)> {
        self.steps.set(self.steps.get().saturating_sub(1 + self.crowd / 4));
        Search::run(self.table, path, host, method, Wanted::Best).best
    }

    /// Every host that a route names, the first `most` of them.
    pub fn hosts(&self, most: usize) -> Vec<&'t HostPattern> {
        let mut hosts: Vec<&HostPattern> = Vec::new();
        for host in self.table.routes().iter().flat_map(|route| &route.hosts) {
            if hosts.len() < most && !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    /// One step further, or `false` where none is left.
    pub(super) fn step(&self) -> bool {
        self.steps.set(self.steps.get().saturating_sub(1));
        self.is_whole()
    }

    pub(super) fn table(&self) -> &'t RouteTable {
        self.table
    }

    pub(super) fn node(&self, at: usize) -> Option<&'t Node> {
        self.table.nodes.get(at)
    }

    /// The route and the pattern of an entry.
    pub(super) fn entry(&self, entry: Entry) -> Option<(&'t Route, &'t Pattern)> {
        let route = self.table.route(entry.route)?;
        Some((route, route.patterns.get(entry.pattern)?))
    }

    /// The partly literal children of a node whose beginning is one of `text`'s, which is folded and may hold a `*`:
    /// their places. Each is a step.
    pub(super) fn begun(&self, at: usize, text: &str) -> Vec<usize> {
        let start = text.split('*').next().unwrap_or_default();
        if self.node(at).is_none_or(|node| node.partials.is_empty()) {
            return Vec::new();
        }
        let ends = (0..=start.len()).filter(|end| start.is_char_boundary(*end));
        let places = ends.filter_map(|end| self.starts.get(&(at, start.get(..end)?))).flatten();
        places.copied().take_while(|_| self.step()).collect()
    }

    /// The partly literal children of a node that take in everything that `text` stands for.
    pub(super) fn wider(&self, at: usize, text: &str) -> Vec<usize> {
        let partials = self.node(at).map(|node| node.partials.as_slice()).unwrap_or_default();
        let places = self.begun(at, text).into_iter().filter_map(|place| partials.get(place));
        places.filter(|(partial, ..)| wildcard_matches(&partial.folded, text)).map(|(.., child)| *child).collect()
    }
}

impl HostPattern {
    /// A host that this names.
    pub fn example(&self) -> Cow<'_, str> {
        if self.below { Cow::Owned(format!("any.{}", self.name)) } else { Cow::Borrowed(&self.name) }
    }
}

impl Route {
    /// Whether it holds for a host of that name.
    pub fn names(&self, host: &str) -> bool {
        self.host_fit(Some(host)).is_some()
    }

    /// Whether it holds for that method.
    pub fn takes(&self, method: &Method) -> bool {
        self.method_fit(method).is_some()
    }

    /// Whether the methods and hosts of `other` are all among its own.
    pub fn spans(&self, other: &Route) -> bool {
        let methods = match (self.methods.is_empty(), other.methods.is_empty()) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => other.methods.iter().all(|method| self.takes(method)),
        };
        let hosts = match (self.hosts.is_empty(), other.hosts.is_empty()) {
            (true, _) => true,
            (false, true) => false,
            (false, false) => other.hosts.iter().all(|host| self.names(&host.example())),
        };
        methods && hosts
    }

    /// A method and a host for which both hold; the host is `None` where any will do.
    pub fn common<'r>(&'r self, other: &'r Route) -> Option<(Method, Option<Cow<'r, str>>)> {
        let methods = [Method::GET, Method::POST];
        let mut methods = self.methods.iter().chain(&other.methods).chain(&methods);
        let method = methods.find(|method| self.takes(method) && other.takes(method))?.clone();
        let mut hosts = self.hosts.iter().chain(&other.hosts).map(HostPattern::example).peekable();
        if hosts.peek().is_none() {
            return Some((method, None));
        }
        hosts.find(|host| self.names(host) && other.names(host)).map(|host| (method, Some(host)))
    }

    /// Whether the two ask the same of a request.
    pub fn asks_the_same(&self, other: &Route) -> bool {
        self.policy == other.policy && self.mode == other.mode
    }
}
