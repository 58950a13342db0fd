//! Complaints about the TOML itself.

use std::collections::HashSet;

use super::diagnostic::Notes;

/// Beginnings of the parser's messages after which it goes on as if the text had been right, so that other complaints
/// can still be believed. After any other, half of the file may have been taken for something else.
const HARMLESS: [&str; 6] = [UNQUOTED[0], UNQUOTED[1], UNQUOTED[2], UNQUOTED[3], UNQUOTED[4], DUPLICATE];
/// What the parser says of text without quotes, depending on how it begins.
const UNQUOTED: [&str; 5] =
    ["string values must be quoted", "invalid boolean", "invalid float", "invalid integer", "invalid date"];
/// What it says of a key that stands twice.
const DUPLICATE: &str = "duplicate key";

/// Adds what the parser found; takes back what was only found because of it.
pub(super) fn complain(errors: &[toml::de::Error], notes: &mut Notes<'_>) {
    let harmless = errors.iter().all(|error| HARMLESS.iter().any(|start| error.message().starts_with(start)));
    let place = |error: &toml::de::Error| error.span().unwrap_or(0..0);
    let lines: HashSet<usize> = errors.iter().map(|error| notes.line(place(error).start)).collect();
    if !errors.is_empty() {
        notes.retain_lines(|line| harmless && !lines.contains(&line));
    }
    let mut told = HashSet::new();
    let mut errors: Vec<_> = errors.iter().collect();
    errors.sort_by_key(|error| place(error).start);
    for error in errors {
        // What follows on the same line follows from the first.
        if told.insert(notes.line(place(error).start)) {
            notes.error(&place(error), "", format!("TOML: {}", error.message()), advice(error.message()));
        }
    }
}

fn advice(message: &str) -> &'static str {
    if UNQUOTED.iter().any(|start| message.starts_with(start)) {
        "put text, durations and addresses in quotes: key = \"text\""
    } else if message.starts_with(DUPLICATE) {
        "a key or [table] stands once in a file; only [[route]] may be repeated"
    } else {
        ""
    }
}
