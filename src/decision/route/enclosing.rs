//! Which paths lie round another: what would hold for it if it were not there.

use std::cmp::Ordering;

use super::super::path::fold;
use super::Route;
use super::pattern::{Pattern, Segment};
use super::survey::{NamedPath, Survey};
use super::table::{Entry, Node};

impl<'t> Survey<'t> {
    /// The paths that name everything which this path names, for some method and host of it,
    /// the most specific first. An exemption lies round a guard where it names the guard's path, whatever is below.
    pub fn around(&self, path: NamedPath) -> Vec<NamedPath> {
        let own = Entry { route: path.route, pattern: path.path };
        let Some((within, pattern)) = self.entry(own) else { return Vec::new() };
        let mut found = Vec::new();
        self.enclose(0, &pattern.segments, within.is_guard(), pattern.deep, &mut found);
        let mut found: Vec<(Entry, &Pattern)> = found
            .into_iter()
            .filter(|entry| *entry != own && self.step())
            .filter_map(|entry| Some((entry, self.entry(entry)?)))
            .filter(|(_, (other, against))| other.is_guard() || against.matches_exactly(pattern.as_str()))
            .filter(|(entry, (other, _))| entry.route == own.route || within.common(other).is_some())
            .map(|(entry, (_, against))| (entry, against))
            .collect();
        found.sort_by(|(_, one), (_, other)| by_specificity(one, other));
        found.into_iter().map(|(entry, _)| NamedPath::of(entry)).collect()
    }

    fn enclose(&self, at: usize, rest: &[Segment], guard: bool, deep: bool, found: &mut Vec<Entry>) {
        let Some(node) = self.node(at).filter(|_| self.step()) else { return };
        let Some((segment, rest)) = rest.split_first() else {
            if deep {
                found.extend(&node.deep);
                found.extend(self.guards(node));
            } else {
                found.extend(&node.here);
                // For a guard everything below is implied: what says so holds for just the same.
                found.extend(node.deep.iter().filter(|entry| !(guard && self.is_guard(**entry))));
            }
            return;
        };
        found.extend(&node.deep);
        found.extend(self.guards(node));
        let mut below = |child: usize| self.enclose(child, rest, guard, deep, found);
        match segment {
            Segment::Literal(literal) => {
                let name = fold(literal);
                node.literal(&name).into_iter().for_each(&mut below);
                self.wider(at, &name).into_iter().for_each(&mut below);
            }
            Segment::Partial(partial) => self.wider(at, &partial.folded).into_iter().for_each(&mut below),
            Segment::Any => {}
        }
        node.any.into_iter().for_each(below);
    }

    fn guards(&self, node: &'t Node) -> impl Iterator<Item = &'t Entry> {
        node.here.iter().filter(|entry| self.is_guard(**entry))
    }

    pub(super) fn is_guard(&self, entry: Entry) -> bool {
        self.table().route(entry.route).is_some_and(Route::is_guard)
    }
}

/// The order in which patterns are preferred, that of hosts and methods aside.
fn by_specificity(one: &Pattern, other: &Pattern) -> Ordering {
    let segments = one.ranks.iter().zip(other.ranks.iter()).map(|(own, other)| own.cmp(other));
    segments.fold(Ordering::Equal, Ordering::then).then(other.ranks.len().cmp(&one.ranks.len()))
}
