//! Complaints about the TOML itself.

use std::collections::HashSet;
use std::ops::Range;

use super::diagnostic::Notes;
use super::{cause, dialect, faults, veil};

/// Beginnings of the parser's messages after which it goes on as if the text had been right, so that other complaints
/// can still be believed. After any other, half of the file may have been taken for something else.
const HARMLESS: [&str; 6] =
    ["string values must be quoted", "invalid boolean", "invalid float", "invalid integer", "invalid date", DUPLICATE];
/// What it says of a key that stands twice.
const DUPLICATE: &str = "duplicate key";
/// What it says of a table in something that is none.
const EXTENDED: &str = "cannot extend value";
/// Errors that are looked at; a file with more is no TOML at all.
const MOST: usize = 200;

/// Adds what the parser found; takes back what was only found because of it.
pub(super) fn complain(errors: &[toml::de::Error], text: &str, notes: &mut Notes<'_>) {
    if errors.is_empty() {
        return dialect::warn(text, notes);
    }
    let mut errors: Vec<(Range<usize>, &str)> =
        errors.iter().map(|error| (place(error, text), error.message())).collect();
    errors.sort_by_key(|(span, _)| span.start);
    let harmless = errors.iter().all(|(_, message)| HARMLESS.iter().any(|start| message.starts_with(start)));
    let lines: HashSet<usize> = errors.iter().map(|(span, _)| notes.line(span.start)).collect();
    notes.retain_lines(|line| harmless && !lines.contains(&line));
    let faults = faults::find(text);
    let mut told = HashSet::new();
    for fault in &faults {
        if told.insert(notes.line(fault.span.start)) {
            notes.error(&fault.span, "", &*fault.problem, &*fault.advice);
        }
    }
    let (mut formats, mut again) = (HashSet::new(), None);
    // From there on the parser took one thing for another.
    let lost = faults.iter().find(|fault| fault.runs_on).map_or(usize::MAX, |fault| fault.span.start);
    for (span, message) in errors.into_iter().take(MOST).take_while(|(span, _)| span.start < lost) {
        // What follows on the same line follows from the first, and so do the keys of a table that stands twice.
        let repeated = again.as_ref().is_some_and(|again| header_above(text, span.start) == *again);
        if repeated || !told.insert(notes.line(span.start)) {
            continue;
        }
        if message.starts_with(DUPLICATE) {
            again = twice(&span, text, notes);
        } else if message.starts_with(EXTENDED) {
            let advice = "write all of it in one place, or give the table another name";
            notes.error(&span, "", "this name has a value already, which is no table", advice);
        } else if message.contains("recur") {
            let advice = "no setting needs more than a few; close the brackets that were opened";
            notes.error(&span, "", "more than 80 levels of tables and lists", advice);
        } else {
            let cause = cause::of(text, &span, message);
            // That a file is written in another format is wrong on every line, and told once.
            if !cause.problem.contains("TOML") || formats.insert(cause.problem.clone()) {
                notes.error(&cause.span, "", cause.problem, cause.advice);
            }
        }
    }
}

/// Where an error stands. Of a key with too many dots the parser does not say.
fn place(error: &toml::de::Error, text: &str) -> Range<usize> {
    let dots = |line: &&str| line.bytes().filter(|byte| *byte == b'.').count() > 70;
    error.span().unwrap_or_else(|| {
        let line = text.lines().find(dots).unwrap_or_default();
        let at = line.as_ptr().addr() - text.as_ptr().addr();
        at..at + usize::from(!line.is_empty())
    })
}

/// Complains of a key or table that stands a second time; gives where the header of such a table begins.
fn twice(span: &Range<usize>, text: &str, notes: &mut Notes<'_>) -> Option<usize> {
    let line = notes.line(span.start);
    let lines: Vec<(usize, &str)> = lines(text).take(line).collect();
    let ((start, own), before) = lines.split_last()?;
    let (what, first, advice) = if own.starts_with('[') {
        let name = header(own);
        let first = before.iter().position(|(_, other)| other.starts_with('[') && header(other) == name);
        let advice = match name.as_str() {
            "route" | "test" => format!("write [[{name}]], with two brackets, above each of them"),
            _ => String::from("write the settings of both below the first"),
        };
        ("table", first, advice)
    } else {
        let key = |at: usize| veil::keys(text, at).filter(|found| found.assigned).map(|found| found.names);
        let name = key(*start).filter(|_| *start == span.start);
        let table = before.iter().rposition(|(_, other)| other.starts_with('[')).unwrap_or_default();
        let first = before.iter().skip(table).position(|(at, _)| name.is_some() && key(*at) == name);
        ("key", first.map(|first| table + first), String::from("leave one of them out"))
    };
    let place = first.map(|first| format!("; the first is at line {}", first + 1)).unwrap_or_default();
    notes.error(span, "", format!("this {what} stands a second time{place}"), advice);
    own.starts_with('[').then_some(*start)
}

/// Where the last header above a place begins; the beginning of the file where there is none.
fn header_above(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind("\n[")).map_or(0, |at| at + 1)
}

/// The lines of a text without the blanks around them, each with the byte at which it begins.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at + (line.len() - line.trim_start().len());
        at += line.len();
        (start, line.trim())
    })
}

/// What the line of a header says, without brackets, blanks and comment.
fn header(line: &str) -> String {
    let line = line.split('#').next().unwrap_or_default();
    line.chars().filter(|letter| !letter.is_whitespace() && !"[]".contains(*letter)).collect()
}
