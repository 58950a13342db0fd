//! What is wrong with a configuration file: where, what was found, what to write instead.
//!
//! A complaint names keys and values that hold no secret. The line of the file that is shown with it is made by
//! `excerpt`, which leaves out everything that could be one. Characters that a terminal obeys are escaped here, once for
//! all complaints.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::excerpt::{self, Excerpt};
use crate::telemetry::treacherous::visible_lines;

/// Complaints that are told; a file with more of them is some other file.
const MOST_TOLD: usize = 100;
/// Complaints that are kept until they are put in order.
const MOST_KEPT: usize = 10_000;

/// What is said of complaints that are not told, behind their number.
const REST: &str = " more complaints are not told";

/// How much a complaint weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and something in it weakens it or does nothing.
    Warning,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One complaint about a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was asked for.
    pub file: Arc<Path>,
    /// The line, counted from 1; 0 where the file as a whole is meant.
    pub line: usize,
    /// The column in characters, counted from 1; 0 where the file as a whole is meant.
    pub column: usize,
    /// The line in which it ends.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
    /// The setting: `limits.header_size`, `issuer.hotwax`, `route "inventory"`; empty where there is none.
    pub key: String,
    /// What was found and what was expected.
    pub problem: String,
    /// What to write instead, a line each; empty where the problem says it.
    pub advice: String,
    /// How much it weighs.
    pub severity: Severity,
    /// The line of the file without anything that may be secret; none where no one line is meant.
    pub(super) excerpt: Option<Excerpt>,
}

impl Diagnostic {
    /// The setting and the problem.
    pub(super) fn title(&self) -> String {
        if self.key.is_empty() { self.problem.clone() } else { format!("{}: {}", self.key, self.problem) }
    }

    /// Whether it is no complaint of its own, but says how many more there are.
    pub(super) fn is_rest(&self) -> bool {
        self.line == 0 && self.key.is_empty() && self.problem.ends_with(REST)
    }

    /// A complaint about the file as a whole.
    fn of_file(file: Arc<Path>, severity: Severity, key: &str, problem: &str, advice: &str) -> Self {
        let (key, problem, advice) = (visible_lines(key), visible_lines(problem), visible_lines(advice));
        let place = (0, 0);
        Self {
            file,
            line: place.0,
            column: place.1,
            end_line: place.0,
            end_column: place.1,
            key,
            problem,
            advice,
            severity,
            excerpt: None,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&visible_lines(&self.file.display().to_string()))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        write!(f, ": {}", self.title())?;
        self.advice.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// All complaints about a file that cannot be used: errors before warnings, each in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The complaints; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// A report of one complaint about the file as a whole.
    pub fn of_file(file: &Path, problem: &str, advice: &str) -> Self {
        Self { diagnostics: vec![Diagnostic::of_file(file.into(), Severity::Error, "", problem, advice)] }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, diagnostic) in self.diagnostics.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// A complaint that has not got its place in words yet.
#[derive(Debug)]
struct Found {
    severity: Severity,
    /// Nowhere: it is about the file as a whole.
    span: Option<Range<usize>>,
    key: String,
    problem: String,
    advice: String,
}

/// Complaints as they are found.
pub(super) struct Notes<'t> {
    text: &'t str,
    file: Arc<Path>,
    /// The byte at which each line begins.
    starts: Vec<usize>,
    found: Vec<Found>,
    /// How many there were beyond [`MOST_KEPT`].
    more: usize,
}

impl<'t> Notes<'t> {
    /// None yet, about the file of that text.
    pub(super) fn new(text: &'t str, file: &Path) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file: file.into(), starts, found: Vec::new(), more: 0 }
    }

    /// The file cannot be used because of this.
    pub(super) fn error(
        &mut self,
        span: &Range<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Error, Some(span.clone()), key.into(), problem.into(), advice.into());
    }

    /// The operator should know this.
    pub(super) fn warning(
        &mut self,
        span: &Range<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Warning, Some(span.clone()), key.into(), problem.into(), advice.into());
    }

    /// Whether an error was told at just this place.
    pub(super) fn blames(&self, span: &Range<usize>) -> bool {
        self.found.iter().any(|found| found.severity == Severity::Error && found.span.as_ref() == Some(span))
    }

    /// The operator should know this, which stands nowhere in the file.
    pub(super) fn remark(&mut self, key: &str, problem: String, advice: &str) {
        self.add(Severity::Warning, None, key.to_owned(), problem, advice.to_owned());
    }

    fn add(&mut self, severity: Severity, span: Option<Range<usize>>, key: String, problem: String, advice: String) {
        if self.found.len() < MOST_KEPT {
            self.found.push(Found { severity, span, key, problem, advice });
        } else {
            self.more += 1;
        }
    }

    /// An error at each of these places, for whoever finds out later what is wrong there.
    pub(super) fn placed(&self, places: Vec<(Range<usize>, String)>) -> Vec<Diagnostic> {
        let spans: Vec<_> = places.iter().map(|(span, _)| Some(span.clone())).collect();
        let (problem, advice) = (String::new, String::new);
        let found = places.into_iter().map(|(span, key)| Found {
            severity: Severity::Error,
            span: Some(span),
            key,
            problem: problem(),
            advice: advice(),
        });
        let excerpts = excerpt::of(self.text, &self.starts, &spans);
        found.zip(excerpts).map(|(found, excerpt)| self.told(found, excerpt)).collect()
    }

    /// The line in which a byte of the file stands, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..at.min(self.text.len())).unwrap_or_default();
        let before = before.strip_prefix("\u{feff}".as_bytes()).unwrap_or(before);
        // Bytes that go on with a character do not count, so that an editor's column is met.
        let characters = before.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        (line, characters + 1)
    }

    /// The place of a byte of a text value that stands at `span`; the whole value where it is written with escapes.
    pub(super) fn inside(&self, span: &Range<usize>, value: &str, at: usize) -> Range<usize> {
        // One quote before it.
        let start = span.start + 1;
        let as_written = self.text.get(start..start.saturating_add(value.len())) == Some(value);
        if as_written { start + at..start + at } else { span.clone() }
    }

    /// Keeps only the complaints for whose line this holds, and none about the file as a whole.
    pub(super) fn retain_lines(&mut self, keep: impl Fn(usize) -> bool) {
        let starts = &self.starts;
        let line = |at: usize| starts.partition_point(|start| *start <= at);
        let placed = |span: &Range<usize>| *span != (0..0) && keep(line(span.start));
        self.found.retain(|found| found.span.as_ref().is_some_and(placed));
    }

    /// The complaints in the order of the file, or a report where one of them is an error.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Report> {
        let mut found = std::mem::take(&mut self.found);
        let bad = found.iter().any(|found| found.severity == Severity::Error);
        // What is not about the file can be told when the file is good.
        found.retain(|found| !bad || found.span.is_some());
        found.sort_by_key(|found| (found.severity, found.span.as_ref().map(|span| span.start)));
        let more = self.more + found.len().saturating_sub(MOST_TOLD);
        found.truncate(MOST_TOLD);
        // What is about the whole file has an empty place at its beginning: no line says more than another.
        let shown = |found: &Found| found.span.clone().filter(|span| *span != (0..0));
        let spans: Vec<Option<Range<usize>>> = found.iter().map(shown).collect();
        let excerpts = excerpt::of(self.text, &self.starts, &spans);
        let told = found.into_iter().zip(excerpts).map(|(found, excerpt)| self.told(found, excerpt));
        let mut diagnostics: Vec<Diagnostic> = told.collect();
        if let (1.., Some(last)) = (more, diagnostics.last()) {
            let problem = format!("{more}{REST}");
            let advice = "put the first ones right and ask again";
            diagnostics.push(Diagnostic::of_file(self.file.clone(), last.severity, "", &problem, advice));
        }
        if bad { Err(Report { diagnostics }) } else { Ok(diagnostics) }
    }

    fn told(&self, found: Found, excerpt: Option<Excerpt>) -> Diagnostic {
        let whole = Diagnostic::of_file(self.file.clone(), found.severity, &found.key, &found.problem, &found.advice);
        let Some(span) = found.span else { return whole };
        let ((line, column), (end_line, end_column)) = (self.position(span.start), self.position(span.end));
        Diagnostic { line, column, end_line, end_column, excerpt, ..whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_says_where_what_and_what_to_do() {
        let text = "a = 1\nä = 2\n";
        let mut notes = Notes::new(text, Path::new("config.toml"));
        notes.warning(&(11..12), "ä", "a number", "write text\nor leave it out");
        notes.error(&(0..1), "", "bad", "");
        let report = notes.finish().unwrap_err();
        assert_eq!(
            report.to_string(),
            "config.toml:1:1: bad\nconfig.toml:2:5: warning: ä: a number\n    write text\n    or leave it out"
        );
    }

    #[test]
    fn a_place_behind_the_end_is_the_end() {
        let notes = Notes::new("ab", Path::new("x"));
        assert_eq!(notes.position(99), (1, 3));
        assert_eq!(Notes::new("", Path::new("x")).position(0), (1, 1));
    }

    #[test]
    fn what_is_not_told_is_no_complaint_of_its_own() {
        let mut notes = Notes::new("", Path::new("x"));
        (0..MOST_TOLD + 7).for_each(|_| notes.error(&(0..0), "k", "p", "a"));
        let told = notes.finish().unwrap_err().diagnostics;
        assert_eq!(told.last().unwrap().problem, "7 more complaints are not told");
        assert_eq!(crate::config::render::summary(&told), "x: more than 100 errors");
    }

    #[test]
    fn an_error_is_known_by_its_place() {
        let mut notes = Notes::new("abc", Path::new("x"));
        notes.error(&(0..1), "", "bad", "");
        notes.warning(&(1..2), "", "odd", "");
        assert!(notes.blames(&(0..1)) && !notes.blames(&(0..2)) && !notes.blames(&(1..2)));
    }

    #[test]
    fn warnings_alone_are_no_report() {
        let mut notes = Notes::new("", Path::new("x"));
        notes.warning(&(0..0), "k", "p", "");
        assert_eq!(notes.finish().unwrap().len(), 1);
    }
}
