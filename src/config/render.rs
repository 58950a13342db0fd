//! Complaints as a person reads them: in the manner of rustc, with the line and a mark under what is meant.
//!
//! The text holds escape sequences for colours; whoever prints it does so through `anstream`, which strips them where
//! there is no terminal or `NO_COLOR` is set. Nothing else in it is an escape sequence (see `diagnostic`).

use std::path::Path;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::diagnostic::{Diagnostic, Severity};
use crate::telemetry::treacherous::visible_lines;

/// The complaints, a blank line between them; errors come first, as they are.
#[must_use]
pub fn complaints(diagnostics: &[Diagnostic]) -> String {
    let renderer = Renderer::styled();
    diagnostics.iter().map(|diagnostic| one(&renderer, diagnostic) + "\n\n").collect()
}

/// The complaints without colours, for whoever reads them elsewhere than at a terminal.
#[must_use]
pub fn plain(diagnostics: &[Diagnostic]) -> String {
    anstream::adapter::strip_str(&complaints(diagnostics)).to_string()
}

/// A complaint for programs; what is about the file as a whole has no place.
#[must_use]
pub fn object(complaint: &Diagnostic) -> Value {
    let place = |number: usize| (complaint.line > 0).then_some(number);
    json!({
        "severity": complaint.severity.name(),
        "file": name(&complaint.file),
        "line": place(complaint.line),
        "column": place(complaint.column),
        "end_line": place(complaint.end_line),
        "end_column": place(complaint.end_column),
        "key": complaint.key,
        "problem": complaint.problem,
        "advice": complaint.advice,
    })
}

/// How many complaints there are: `config.toml: 2 errors, 1 warning`, or `more than 100 errors`; empty where there are
/// none.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let Some(first) = diagnostics.first() else { return String::new() };
    let own = |diagnostic: &&Diagnostic| !diagnostic.is_rest();
    let count = |severity| diagnostics.iter().filter(own).filter(|own| own.severity == severity).count();
    let counts = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let told: Vec<String> = counts.into_iter().filter(|(count, _)| *count > 0).map(|(n, word)| many(n, word)).collect();
    let more = if diagnostics.iter().any(Diagnostic::is_rest) { "more than " } else { "" };
    format!("{}: {more}{}", name(&first.file), told.join(", "))
}

/// The name of a file, in which every character that a terminal obeys is escaped.
#[must_use]
pub fn name(file: &Path) -> String {
    visible_lines(&file.display().to_string())
}

/// `1 route`, `2 routes`.
#[must_use]
pub fn many(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = name(&diagnostic.file);
    let title = diagnostic.title();
    let group = Group::with_title(level.primary_title(title.as_str()));
    let group = match &diagnostic.excerpt {
        None if diagnostic.line == 0 => group.element(Origin::path(&*file)),
        None => group.element(Origin::path(&*file).line(diagnostic.line).char_column(diagnostic.column)),
        Some(excerpt) => {
            let mark = AnnotationKind::Primary.span(excerpt.mark.clone());
            let snippet = Snippet::source(&*excerpt.text).path(&*file).line_start(diagnostic.line).annotation(mark);
            group.element(snippet)
        }
    };
    let group = if diagnostic.advice.is_empty() {
        group
    } else {
        group.element(Level::HELP.message(diagnostic.advice.as_str()))
    };
    let rendered = renderer.render(&[group]);
    let Some(excerpt) = &diagnostic.excerpt else { return rendered };
    // The renderer counts in the excerpt, where what was hidden takes one column.
    let before = excerpt.text.get(..excerpt.mark.start).unwrap_or_default();
    let counted = format!("{file}:{}:{}", diagnostic.line, before.chars().count() + 1);
    rendered.replacen(&counted, &format!("{file}:{}:{}", diagnostic.line, diagnostic.column), 1)
}
