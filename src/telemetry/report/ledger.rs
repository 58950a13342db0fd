//! The rows: one for each caller of a route under a code, as many as there is room for.
//!
//! Whoever finds no room is counted in one row of its route and code, so that a flood of callers costs no memory and the
//! sums stay right. A route and code may take no more rows than are left for all others, so that one flood does not hide
//! the next.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Caller, Lifted};
use crate::decision::rejection::Code;
use crate::time::UnixSeconds;

/// Callers that have a row of their own. With every text as long as it may be that is some four megabytes.
pub(super) const ROWS: usize = 1_000;

/// All rows.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    groups: BTreeMap<(Arc<str>, Code), Group>,
    /// Callers with a row, all groups together.
    rows: usize,
}

/// The rows of one route and code.
#[derive(Debug, Default)]
pub(super) struct Group {
    callers: HashMap<Caller, Row>,
    /// Everybody else.
    others: Option<Row>,
}

/// What one caller did.
#[derive(Debug)]
pub(super) struct Row {
    /// How often.
    pub(super) count: u64,
    /// When first.
    pub(super) first: UnixSeconds,
    /// The latest request.
    pub(super) latest: Box<Lifted>,
}

impl Ledger {
    /// Enters a request.
    pub(super) fn enter(&mut self, lifted: Box<Lifted>) {
        let group = self.groups.entry((Arc::clone(&lifted.route), lifted.code)).or_default();
        let has_room = group.callers.len() < ROWS.saturating_sub(self.rows);
        if let Some(row) = group.callers.get_mut(&lifted.caller) {
            row.enter(lifted);
        } else if has_room {
            self.rows += 1;
            group.callers.insert(lifted.caller.clone(), Row::of(lifted));
        } else if let Some(row) = &mut group.others {
            row.enter(lifted);
        } else {
            group.others = Some(Row::of(lifted));
        }
    }

    /// The groups by route and code.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, Code, &Group)> {
        self.groups.iter().map(|((route, code), group)| (&**route, *code, group))
    }
}

impl Group {
    /// The rows of callers, the busiest first, then that of the others; without a caller.
    pub(super) fn rows(&self) -> Vec<(Option<&Caller>, &Row)> {
        let mut rows: Vec<_> = self.callers.iter().collect();
        rows.sort_by(|(one, own), (other, its)| its.count.cmp(&own.count).then_with(|| one.cmp(other)));
        let others = self.others.iter().map(|row| (None, row));
        rows.into_iter().map(|(caller, row)| (Some(caller), row)).chain(others).collect()
    }
}

impl Row {
    fn of(lifted: Box<Lifted>) -> Self {
        Self { count: 1, first: lifted.time, latest: lifted }
    }

    fn enter(&mut self, lifted: Box<Lifted>) {
        self.count += 1;
        self.latest = lifted;
    }
}
