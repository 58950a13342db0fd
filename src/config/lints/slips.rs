//! Paths that are one slip of the hand apart.
//!
//! Two paths one letter apart have a text in common from which a letter or none was dropped. So each path is filed under
//! all such texts, and only those that meet there are compared: many routes are not compared each with each.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use super::super::diagnostic::Notes;
use super::super::near::distance;
use super::{Kind, Routes};
use crate::decision::route::NamedPath;

/// Letters of the shortest segment in which a difference is taken for a slip.
const LEAST: usize = 5;

/// Warns of every two paths of which one is probably the other, misspelt.
pub(super) fn slips(routes: &Routes<'_>, notes: &mut Notes<'_>) {
    let mut seen = HashSet::new();
    let mut paths: Vec<(NamedPath, String)> = Vec::new();
    for path in routes.all() {
        let pattern = routes.table.route(path.route).and_then(|route| route.patterns.get(path.path));
        let Some(folded) = pattern.map(|pattern| pattern.folded()) else { continue };
        if seen.insert(folded.clone()) {
            paths.push((path, folded));
        }
    }
    let texts: Vec<&str> = paths.iter().map(|(_, folded)| folded.as_str()).collect();
    let mut kind = Kind::new("paths that are one letter away from another");
    for (first, second) in near(&texts) {
        let (Some((first, _)), Some((second, _))) = (paths.get(first), paths.get(second)) else { continue };
        let (Some(one), Some(other)) = (routes.written(*first), routes.written(*second)) else { continue };
        let problem = format!(
            "path {:?} is one letter away from {:?} (line {}): if one of them is misspelt, it names nothing",
            other.value,
            one.value,
            notes.line(one.span.start),
        );
        let advice = "correct the one that is misspelt; let both stand if the server has both";
        kind.warn(notes, &other.span, routes.label(second.route), problem, advice);
    }
    kind.close(notes);
}

/// The pairs of texts that are one letter apart within one segment, in order of the second.
fn near(paths: &[&str]) -> Vec<(usize, usize)> {
    let hasher = RandomState::new();
    let mut filed: Vec<(u64, usize)> = Vec::new();
    for (at, path) in paths.iter().enumerate() {
        filed.push((hasher.hash_one(path), at));
        let mut start = 0;
        for segment in path.split('/') {
            let after = start + segment.len();
            if !segment.contains('*') && segment.chars().count() >= LEAST {
                // Digits tell versions and numbers apart, and are not dropped.
                for (place, letter) in segment.char_indices().filter(|(_, letter)| !letter.is_numeric()) {
                    let (before, rest) = (path.get(..start + place), path.get(start + place + letter.len_utf8()..));
                    let text = format!("{}{}", before.unwrap_or_default(), rest.unwrap_or_default());
                    filed.push((hasher.hash_one(text.as_str()), at));
                }
            }
            start = after + 1;
        }
    }
    filed.sort_unstable();
    filed.dedup();
    let mut pairs = HashSet::new();
    for alike in filed.chunk_by(|(one, _), (other, _)| one == other) {
        for (at, (_, first)) in alike.iter().enumerate() {
            for (_, second) in alike.iter().skip(at + 1) {
                let both = paths.get(*first).zip(paths.get(*second));
                if both.is_some_and(|(one, other)| one_slip(one, other)) {
                    pairs.insert((*second, *first));
                }
            }
        }
    }
    let mut pairs: Vec<(usize, usize)> = pairs.into_iter().map(|(second, first)| (first, second)).collect();
    pairs.sort_unstable_by_key(|(first, second)| (*second, *first));
    pairs
}

/// Whether one segment differs, by one letter that no number and no plural is told by.
fn one_slip(one: &str, other: &str) -> bool {
    let (own, against): (Vec<&str>, Vec<&str>) = (one.split('/').collect(), other.split('/').collect());
    let mut differing = own.iter().zip(&against).filter(|(own, against)| own != against);
    let (Some((own, against)), None) = (differing.next(), differing.next()) else { return false };
    let plural = |one: &str, other: &str| one.strip_suffix('s') == Some(other);
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let digits = |text: &str| text.chars().filter(|letter| letter.is_numeric()).collect::<String>();
    let long = own.chars().count().min(against.chars().count()) >= LEAST;
    own.len().abs_diff(against.len()) <= 4
        && one.split('/').count() == other.split('/').count()
        && long
        && digits(own) == digits(against)
        && !plural(own, against)
        && !plural(against, own)
        && distance(&letters(own), &letters(against), 1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_is_a_slip_and_a_number_is_not() {
        for (one, other, expected) in [
            ("/api/updateinventory", "/api/updateinvntory", true),
            ("/api/updateinventory", "/api/updateinventoryy", true),
            ("/api/updateinventory", "/api/updateinvemtory", true),
            ("/api/updateinventory", "/api/updateinvetnory", true),
            ("/orders/*/items", "/ordres/*/items", true),
            ("/caf\u{e9}s-x", "/cafes-x", true),
            ("/api/updateinventory", "/api/updateinventry2", false),
            ("/api/version1", "/api/version2", false),
            ("/api/version", "/api/version1", false),
            ("/api/order", "/api/orders", false),
            ("/api/v1a", "/api/v1b", false),
            ("/top/x", "/fop/x", false),
            ("/api/storelookup", "/rpi/storelookup", false),
            ("/login/orders", "/logon/ordres", false),
            ("/abcdef", "/bcdefa", false),
            ("/orders/x", "/orders", false),
            ("/orders", "/order/s", false),
            ("/update*", "/updates", false),
        ] {
            let expected = if expected { vec![(0, 1)] } else { vec![] };
            assert_eq!(near(&[one, other]), expected, "{one} {other}");
            assert_eq!(near(&[other, one]), expected, "{other} {one}");
        }
    }
}
