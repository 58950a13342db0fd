//! Quotes and brackets that are not closed.
//!
//! The parser goes on to the end of the file before it gives up. Here a line that looks like a setting or a header is
//! taken for one, so that a fault is found where it was opened.

use std::ops::Range;

use toml_parser::lexer::TokenKind;

use super::veil::{self, Word};

/// Faults that are told.
const MOST: usize = 20;
/// Brackets within each other after which the rest is not looked at.
const DEEPEST: usize = 10_000;

/// A quote or bracket that is not closed, or closes nothing.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// Where it was opened.
    pub(super) span: Range<usize>,
    /// Whether the parser takes what follows on later lines for a part of it.
    pub(super) runs_on: bool,
    pub(super) problem: String,
    pub(super) advice: String,
}

/// An open bracket, and where.
#[derive(Clone, Copy)]
struct Open {
    list: bool,
    at: usize,
}

/// The faults of a text, in its order.
pub(super) fn find(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut at = 0;
    let mut begun = true;
    while faults.len() < MOST && open.len() < DEEPEST && at < text.len() {
        if begun && !open.is_empty() && veil::begins_anew(text, at, open.last().is_some_and(|open| open.list)) {
            faults.extend(open.first().map(unclosed));
            open.clear();
        }
        let word = veil::word(text, at);
        at = word.span.end.max(at + 1);
        if begun && open.is_empty() && word.kind == TokenKind::LeftSquareBracket {
            // A header stands on one line, and has its own complaints.
            at = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
            continue;
        }
        begun = word.kind == TokenKind::Newline || (begun && word.kind == TokenKind::Whitespace);
        match word.kind {
            TokenKind::LeftSquareBracket => open.push(Open { list: true, at: word.span.start }),
            TokenKind::LeftCurlyBracket => open.push(Open { list: false, at: word.span.start }),
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                let list = word.kind == TokenKind::RightSquareBracket;
                if let Some(last) = open.pop()
                    && last.list != list
                {
                    faults.push(mismatched(text, &last, &word));
                    open.clear();
                }
            }
            TokenKind::BasicString | TokenKind::LiteralString if !closed(text, &word, 1) => {
                faults.push(unquoted(text, &word, !open.is_empty()));
                // What should have closed the brackets is within the quotes.
                open.clear();
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString if !closed(text, &word, 3) => {
                faults.push(unquoted(text, &word, true));
            }
            _ => {}
        }
    }
    faults.extend(open.first().map(unclosed));
    faults
}

/// Whether a text in quotes ends in as many as it begins with.
fn closed(text: &str, word: &Word, quotes: usize) -> bool {
    let raw = text.get(word.span.clone()).unwrap_or_default();
    let mark = raw.get(..quotes).unwrap_or_default();
    let Some(inner) = raw.get(quotes..).and_then(|rest| rest.strip_suffix(mark)) else { return false };
    let escapes = inner.len() - inner.trim_end_matches('\\').len();
    word.kind == TokenKind::LiteralString || word.kind == TokenKind::MlLiteralString || escapes.is_multiple_of(2)
}

fn unclosed(open: &Open) -> Fault {
    let (what, close) = if open.list { ("list", "]") } else { ("table in braces", "}") };
    let more = if open.list { "" } else { "; it stands on one line: { a = 1, b = 2 }" };
    Fault {
        span: open.at..open.at + 1,
        runs_on: true,
        problem: format!("this {what} is not closed"),
        advice: format!("write {close} behind its last value{more}"),
    }
}

fn mismatched(text: &str, open: &Open, close: &Word) -> Fault {
    let (opened, expected) = if open.list { ("[", "]") } else { ("{", "}") };
    let found = text.get(close.span.clone()).unwrap_or_default();
    Fault {
        span: close.span.clone(),
        runs_on: true,
        problem: format!("{found} closes what {opened} opened"),
        advice: format!("write {expected} for {found}"),
    }
}

fn unquoted(text: &str, word: &Word, runs_on: bool) -> Fault {
    let raw = text.get(word.span.clone()).unwrap_or_default();
    let quotes = match word.kind {
        TokenKind::MlBasicString | TokenKind::MlLiteralString => 3,
        _ => 1,
    };
    let mark = raw.get(..quotes).unwrap_or_default();
    let advice = if word.kind == TokenKind::BasicString && raw.ends_with("\\\"") {
        String::from("\\\" does not close it: write \\\\ for a backslash, or put the text in single quotes")
    } else {
        format!("write {mark} at the end of the text")
    };
    Fault {
        span: word.span.start..word.span.start + quotes,
        runs_on,
        problem: String::from("the text that begins here has no closing quote"),
        advice,
    }
}
