//! Forms of TOML 1.1, which waxseal reads and most editors and tools refuse.

use std::ops::Range;

use toml_parser::lexer::TokenKind;

use super::diagnostic::Notes;
use super::veil;

/// Warns of each form, in a file without errors of syntax.
pub(super) fn warn(text: &str, notes: &mut Notes<'_>) {
    // Whether each open bracket is a list, and whether its line break was told.
    let mut open: Vec<(bool, bool)> = Vec::new();
    let mut comma: Option<Range<usize>> = None;
    let mut at = 0;
    while at < text.len() {
        let word = veil::word(text, at);
        at = word.span.end.max(at + 1);
        match word.kind {
            TokenKind::LeftSquareBracket => open.push((true, false)),
            TokenKind::LeftCurlyBracket => open.push((false, false)),
            TokenKind::RightSquareBracket => drop(open.pop()),
            TokenKind::RightCurlyBracket => {
                open.pop();
                if let Some(comma) = &comma {
                    told(notes, comma, "a comma before }", "leave it out");
                }
            }
            TokenKind::Newline => {
                if let Some((false, told_already @ false)) = open.last_mut() {
                    *told_already = true;
                    told(
                        notes,
                        &(word.span.start..word.span.start),
                        "a line break within { }",
                        "write it on one line, or as a table: [NAME]",
                    );
                }
            }
            TokenKind::BasicString | TokenKind::MlBasicString => escapes(text, &word.span, notes),
            _ => {}
        }
        match word.kind {
            TokenKind::Comma if open.last().is_some_and(|(list, _)| !list) => comma = Some(word.span),
            TokenKind::Whitespace | TokenKind::Newline | TokenKind::Comment => {}
            _ => comma = None,
        }
    }
}

/// The escapes `\e` and `\xHH` in a text in double quotes.
fn escapes(text: &str, span: &Range<usize>, notes: &mut Notes<'_>) {
    let raw = text.get(span.clone()).unwrap_or_default();
    let mut escaped = false;
    for (at, letter) in raw.char_indices() {
        if escaped && matches!(letter, 'e' | 'x') {
            let place = span.start + at - 1..span.start + at + 1;
            let instead = if letter == 'e' { "write \\u001b" } else { "write \\u00HH" };
            told(notes, &place, &format!("the escape \\{letter}"), instead);
        }
        escaped = letter == '\\' && !escaped;
    }
}

fn told(notes: &mut Notes<'_>, span: &Range<usize>, form: &str, advice: &str) {
    let problem = format!("{form} is TOML 1.1, which most editors and tools refuse");
    notes.warning(span, "", problem, advice);
}
