//! Which routes a request falls under, all of them and why one counts before another: for whoever explains.

use std::cmp::Ordering;

use http::Method;

use super::super::head::RequestHead;
use super::table::{Entry, RouteTable};
use super::{Fit, RouteId};

/// What one reading of a path falls under, by one method.
#[derive(Clone, Debug)]
pub struct Under {
    /// The path as this reading has it.
    pub path: String,
    /// Whether this reading can only bring a guard into play.
    pub guards_only: bool,
    /// The method.
    pub method: Method,
    /// Every route that matches, the most specific first; none: the default route counts.
    pub candidates: Vec<Candidate>,
}

/// A route that a reading falls under.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The route.
    pub route: RouteId,
    /// Its pattern that matches, as the config writes it.
    pub pattern: String,
    /// Whether it counts only because the host is one that no route names.
    pub whatever_host: bool,
    fit: Fit,
}

impl Candidate {
    /// Whether the pattern does not say so much: a guard that holds for what is below it, or in spite of a suffix.
    pub fn is_implied(&self) -> bool {
        self.fit.implied
    }

    /// Why this one is more specific than `other`.
    pub fn why_before(&self, other: &Candidate) -> String {
        self.fit.why_before(&other.fit)
    }
}

impl RouteTable {
    /// For each reading of a request what it falls under.
    pub fn under(&self, head: &RequestHead<'_>) -> Vec<Under> {
        let stranger = self.is_for_stranger(head);
        let mut all = Vec::new();
        for (path, guards_only) in head.readings.iter() {
            for method in head.methods() {
                let mut candidates = self.candidates(self.all_under(path, head, method), false);
                if stranger {
                    candidates.extend(self.candidates(self.guards_of_hosts(path, method), true));
                }
                let mut seen = Vec::new();
                candidates.retain(|candidate| {
                    let new = !seen.contains(&candidate.route);
                    seen.push(candidate.route);
                    new
                });
                all.push(Under { path: path.to_owned(), guards_only, method: method.clone(), candidates });
            }
        }
        all
    }

    fn candidates(&self, found: Vec<(Fit, Entry)>, whatever_host: bool) -> Vec<Candidate> {
        let candidate = |(fit, entry): (Fit, Entry)| {
            let pattern = self.route(entry.route)?.patterns.get(entry.pattern)?.as_str().to_owned();
            Some(Candidate { route: entry.route, pattern, whatever_host, fit })
        };
        found.into_iter().filter_map(candidate).collect()
    }
}

impl Fit {
    /// The first respect in which this one is more specific, in words.
    fn why_before(&self, other: &Fit) -> String {
        if self > other {
            return "it ends where the path ends, and `**` comes last".to_owned();
        }
        let differs = self.ranks.iter().zip(other.ranks.iter()).position(|(own, other)| own != other);
        if let Some(at) = differs {
            let kind = |fit: &Fit| fit.ranks.get(at).copied().map_or("nothing", kind);
            if kind(self) == kind(other) {
                return format!("segment {}: the one with more letters comes first", at + 1);
            }
            return format!("segment {}: {} comes before {}", at + 1, kind(self), kind(other));
        }
        let longer = self.ranks.len().cmp(&other.ranks.len());
        match (longer, self.implied.cmp(&other.implied), self.host.cmp(&other.host), self.method.cmp(&other.method)) {
            (Ordering::Greater, ..) => "the longer pattern comes first".to_owned(),
            (_, Ordering::Less, ..) => "what is written comes before what is implied".to_owned(),
            (_, _, Ordering::Greater, _) => "it names the host more closely".to_owned(),
            (.., Ordering::Less) => "it names the method more closely".to_owned(),
            _ => "both are equally specific".to_owned(),
        }
    }
}

/// What the rank of a segment stands for.
fn kind(rank: u32) -> &'static str {
    match rank {
        0 => "a literal",
        u32::MAX => "`**`",
        rank if rank == u32::MAX - 1 => "`*`",
        _ => "a partly literal segment",
    }
}
