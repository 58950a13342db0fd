//! What the reader of a file should be warned of although the file can be used.
//!
//! A warning says where, what it means for whoever runs this, and what to write instead. One that is pointless costs
//! the others their readers: each lint keeps still where somebody could well have meant what stands there.

mod claims;
mod files;
mod guards;
mod methods;
mod paths;
mod slips;
mod spellings;

use std::ops::Range;

use super::diagnostic::Notes;
use super::raw::{Access, Route as RawRoute};
use super::reader::{At, Field};
use crate::decision::route::{NamedPath, RouteId, RouteTable};

pub(super) use claims::claims;
pub(super) use files::files;
pub(super) use methods::methods;
pub(super) use paths::{instead, paths};

/// The most warnings of one kind that are told one by one.
const MOST: usize = 20;

/// Warnings of one kind.
struct Kind {
    /// What the rest are called: `and 3 more …`.
    name: &'static str,
    seen: usize,
    next: Option<Range<usize>>,
}

impl Kind {
    fn new(name: &'static str) -> Self {
        Self { name, seen: 0, next: None }
    }

    fn warn(&mut self, notes: &mut Notes<'_>, span: &Range<usize>, key: &str, problem: String, advice: &str) {
        self.seen += 1;
        if self.seen <= MOST {
            notes.warning(span, key, problem, advice);
        } else {
            self.next.get_or_insert_with(|| span.clone());
        }
    }

    /// Tells how many were not told.
    fn close(self, notes: &mut Notes<'_>) {
        if let Some(next) = self.next {
            notes.warning(&next, "", format!("and {} more {}", self.seen - MOST, self.name), "");
        }
    }
}

/// The routes of a file, as written and in order.
pub(super) struct Routes<'r> {
    /// As written, in the order of the table.
    pub(super) raw: &'r [&'r At<RawRoute>],
    /// In order, the one for what no other names last.
    pub(super) table: &'r RouteTable,
    /// What is written about that one.
    pub(super) unmatched: &'r Field<Access>,
}

impl Routes<'_> {
    /// Everything about routes beside each other.
    pub(super) fn lint(&self, notes: &mut Notes<'_>) {
        guards::guards(self, notes);
        slips::slips(self, notes);
        spellings::spellings(self, notes);
    }

    /// The text of a path and its place.
    fn written(&self, path: NamedPath) -> Option<&At<String>> {
        self.raw.get(path.route.0)?.value.path.get()?.0.get(path.path)
    }

    /// How complaints call a route.
    fn label(&self, route: RouteId) -> &str {
        self.raw.get(route.0).map_or("unmatched", |route| &route.value.label)
    }

    /// The same with the line of one of its paths, for a complaint at another place.
    fn elsewhere(&self, path: NamedPath, notes: &Notes<'_>) -> String {
        match self.written(path) {
            Some(text) => format!("{} (line {})", self.label(path.route), notes.line(text.span.start)),
            None => format!("`{}`", self.label(path.route)),
        }
    }

    /// Every path of every route.
    fn all(&self) -> impl Iterator<Item = NamedPath> {
        let routes = self.table.routes().iter().enumerate();
        routes.flat_map(|(route, found)| {
            (0..found.patterns.len()).map(move |path| NamedPath { route: RouteId(route), path })
        })
    }
}

#[cfg(test)]
mod tests;
