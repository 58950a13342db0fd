//! Paths that are written differently and are one to guards: people take them for separate.

use std::collections::HashMap;

use super::super::diagnostic::Notes;
use super::{Kind, Routes};
use crate::decision::route::NamedPath;

/// Warns of guards that meet under another letter case, another form of a letter or a suffix, and are kept apart only
/// by their methods or hosts.
pub(super) fn spellings(routes: &Routes<'_>, notes: &mut Notes<'_>) {
    let mut seen: HashMap<String, NamedPath> = HashMap::new();
    let mut kind = Kind::new("paths that guards take for the same");
    for path in routes.all() {
        let Some(route) = routes.table.route(path.route).filter(|route| route.is_guard()) else { continue };
        let (Some(pattern), Some(text)) = (route.patterns.get(path.path), routes.written(path)) else { continue };
        let folded = pattern.folded();
        let known = seen.get(&folded).copied();
        if let Some((other, written)) = known.and_then(|other| Some((other, routes.written(other)?))) {
            if other.route != path.route && written.value != text.value {
                let problem = format!(
                    "to a guard path {:?} is the same as {:?} of {}: each holds for both, for its methods and hosts",
                    text.value,
                    written.value,
                    routes.elsewhere(other, notes),
                );
                let advice = format!("write {:?} in both, so that nobody takes them for two paths", written.value);
                kind.warn(notes, &text.span, routes.label(path.route), problem, &advice);
            }
        } else {
            seen.insert(folded, path);
        }
    }
    for path in routes.all() {
        let Some(route) = routes.table.route(path.route).filter(|route| route.is_guard()) else { continue };
        let (Some(pattern), Some(text)) = (route.patterns.get(path.path), routes.written(path)) else { continue };
        let folded = pattern.folded();
        let stem = folded.rsplit_once('/').and_then(|(_, last)| {
            let dot = last.find('.').filter(|dot| *dot > 0 && !last.contains('*'))?;
            folded.get(..folded.len() - last.len() + dot)
        });
        let Some(other) = stem.and_then(|stem| seen.get(stem)).filter(|other| other.route != path.route) else {
            continue;
        };
        let Some(against) = routes.table.route(other.route) else { continue };
        if route.spans(against) && against.spans(route) {
            continue;
        }
        let problem = format!(
            "{} holds for path {:?} as well, since guards hold whatever the suffix, with its own methods and hosts",
            routes.elsewhere(*other, notes),
            text.value,
        );
        let advice = "give both the same methods and hosts, or know that they are not separate";
        kind.warn(notes, &text.span, routes.label(path.route), problem, advice);
    }
    kind.close(notes);
}
