//! Which route a request falls under.
//!
//! The table is built once per configuration and never changes. Matching looks at every reading of the path, the
//! method and the host, never the query. Every request has a route: the default for what no route names is one too.
//!
//! Guards match widely and exemptions narrowly: a guard holds whatever the letter case, the trailing slash, the suffix,
//! the blanks and dots around a segment, and for everything below it; an exemption holds for exactly what it says. Two
//! patterns that could both match and of which neither is more specific are refused when the table is built, so that
//! the order of routes in the file carries no meaning.

mod candidates;
mod enclosing;
mod overlap;
mod pattern;
mod survey;
mod table;
mod tie;

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::Duration;

use http::Method;

pub use candidates::{Candidate, Under};
pub use overlap::{Overlap, Overlaps};
pub use pattern::{Pattern, PatternError};
pub use survey::{NamedPath, Survey};
pub use table::RouteTable;
pub use tie::Tie;

use super::forwarding::Forwarding;
use super::policy::Policy;
use super::rate::Rate;

/// The place of a route in its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub usize);

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// For people, logs and metrics.
    pub name: Arc<str>,
    /// The paths; none only for the default route.
    pub patterns: Vec<Pattern>,
    /// The methods, in upper case; none: all.
    pub methods: Vec<Method>,
    /// The hosts; none: all.
    pub hosts: Vec<HostPattern>,
    /// Whether and how it is guarded.
    pub policy: Policy,
    /// Whether a refusal is carried out or only told.
    pub mode: Mode,
    /// What happens to the headers of a request that passes.
    pub forwarding: Forwarding,
    /// Which upstream it goes to: its place in the snapshot.
    pub upstream: usize,
    /// How long the upstream may take to answer; `None`: as the upstream's own setting says.
    pub timeout: Option<Duration>,
    /// Bytes of a request body; `None`: as the general limit says.
    pub body_size: Option<u64>,
    /// How often each caller may come; `None`: as often as it likes.
    pub rate: Option<Rate>,
}

/// Whether a refusal is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Enforce,
    /// It is only logged and counted.
    Report,
}

impl Route {
    /// Whether it can keep a request out: protected or denied.
    pub fn is_guard(&self) -> bool {
        !matches!(self.policy, Policy::Open)
    }

    /// How closely the methods fit: 0 as written, 1 as implied, 2 for all; `None`: not at all.
    fn method_fit(&self, method: &Method) -> Option<u8> {
        let names = |wanted: &str| self.methods.iter().any(|own| own.as_str().eq_ignore_ascii_case(wanted));
        if self.methods.is_empty() {
            Some(2)
        } else if names(method.as_str()) {
            Some(0)
        } else if self.is_guard() && method.as_str().eq_ignore_ascii_case("HEAD") && names("GET") {
            Some(1)
        } else {
            None
        }
    }

    /// How closely the hosts fit: the longer the better; `None`: not at all.
    fn host_fit(&self, host: Option<&str>) -> Option<usize> {
        if self.hosts.is_empty() {
            return Some(0);
        }
        let host = host?;
        self.hosts.iter().filter(|pattern| pattern.matches(host)).map(HostPattern::weight).max()
    }
}

/// A host as a route names it: a name, or everything below one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPattern {
    name: Box<str>,
    below: bool,
}

impl HostPattern {
    /// Reads `oms.example` or `*.example`. The port and a trailing dot do not count.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (below, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let name = super::head::Authority::parse(name)
            .map_err(|_| "a host is a name or an address, with `*.` before it for everything below")?
            .host();
        Ok(Self { name: name.to_ascii_lowercase().into(), below })
    }

    /// Whether the host, without its port and trailing dot, is meant.
    pub fn matches(&self, host: &str) -> bool {
        if !self.below {
            return host.eq_ignore_ascii_case(&self.name);
        }
        let Some(at) = host.len().checked_sub(self.name.len()) else { return false };
        host.split_at_checked(at).is_some_and(|(left, right)| {
            left.len() > 1 && left.ends_with('.') && right.eq_ignore_ascii_case(&self.name)
        })
    }

    /// The greater, the more specific: any name before any wildcard, a longer wildcard before a shorter one.
    fn weight(&self) -> usize {
        if self.below { self.name.len() } else { usize::MAX }
    }
}

/// The routes whose demands hold for a request, the most specific first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Gives name, upstream, timeout, body size and forwarding.
    pub lead: RouteId,
    /// The others, in order of specificity.
    pub others: Vec<RouteId>,
}

impl Held {
    /// Each of them, the most specific first.
    pub fn iter(&self) -> impl Iterator<Item = RouteId> {
        std::iter::once(self.lead).chain(self.others.iter().copied())
    }
}

/// How specifically a route meets one reading of a request; less is more specific.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fit {
    ranks: Arc<[u32]>,
    implied: bool,
    host: usize,
    method: u8,
}

impl Ord for Fit {
    fn cmp(&self, other: &Self) -> Ordering {
        let segments = self.ranks.iter().zip(other.ranks.iter()).map(|(own, other)| own.cmp(other));
        segments
            .fold(Ordering::Equal, Ordering::then)
            .then(other.ranks.len().cmp(&self.ranks.len()))
            .then(self.implied.cmp(&other.implied))
            .then(other.host.cmp(&self.host))
            .then(self.method.cmp(&other.method))
    }
}

impl PartialOrd for Fit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
pub(super) mod tests;
