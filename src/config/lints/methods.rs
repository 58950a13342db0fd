//! Methods that are probably misspelt: a guard on one that nobody sends guards nothing.

use super::super::diagnostic::Notes;
use super::super::near::distance;
use super::super::raw::Route as RawRoute;
use super::super::reader::At;
use super::Kind;

/// Methods that are sent in practice: RFC 9110 section 9.3, RFC 5789, and those of WebDAV (RFC 4918 section 9).
const KNOWN: [&str; 16] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
];

/// Warns of every method that is a slip away from a known one.
pub(in crate::config) fn methods(routes: &[At<RawRoute>], notes: &mut Notes<'_>) {
    let mut kind = Kind::new("methods that are probably misspelt");
    for route in routes {
        for method in route.value.method.get().map(|many| many.0.as_slice()).unwrap_or_default() {
            if notes.blames(&method.span) {
                continue;
            }
            if let Some(advice) = advice(&method.value.to_ascii_uppercase()) {
                let problem = format!("method {:?} is none that is sent in practice", method.value);
                kind.warn(notes, &method.span, &route.value.label, problem, &advice);
            }
        }
    }
    kind.close(notes);
}

/// What to write instead; `None` where the method may well be meant.
fn advice(method: &str) -> Option<String> {
    if KNOWN.contains(&method) {
        return None;
    }
    if matches!(method, "ALL" | "ANY" | "*") {
        return Some(String::from("leave `method` out for all methods"));
    }
    let letters = |text: &str| text.chars().collect::<Vec<char>>();
    let near = |known: &&&str| distance(&letters(method), &letters(known), 1).is_some();
    KNOWN.iter().find(near).map(|known| format!("did you mean {known:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_told_and_other_methods_are_not() {
        for (method, words) in [
            ("GTE", Some("\"GET\"")),
            ("POTS", Some("\"POST\"")),
            ("DELET", Some("\"DELETE\"")),
            ("OPTION", Some("\"OPTIONS\"")),
            ("*", Some("leave `method` out")),
            ("ANY", Some("leave `method` out")),
            ("GET", None),
            ("QUERY", None),
            ("PURGE", None),
            ("MERGE", None),
            ("LOCK", None),
        ] {
            let found = advice(method);
            assert_eq!(found.is_some(), words.is_some(), "{method}: {found:?}");
            assert!(found.unwrap_or_default().contains(words.unwrap_or_default()), "{method}");
        }
    }
}
