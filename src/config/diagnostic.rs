//! What is wrong with a configuration file: where, what was found, what to write instead.
//!
//! A complaint names keys and values, never a line of the file: a secret could stand on it.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// How much a complaint weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, and something in it weakens it or does nothing.
    Warning,
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
    /// The setting: `limits.header_size`, `issuer.hotwax`, `route "inventory"`; empty where there is none.
    pub key: String,
    /// What was found and what was expected.
    pub problem: String,
    /// What to write instead, a line each; empty where the problem says it.
    pub advice: String,
    /// How much it weighs.
    pub severity: Severity,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if self.severity == Severity::Warning {
            f.write_str(": warning")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.problem)?;
        self.advice.lines().try_for_each(|line| write!(f, "\n    {line}"))
    }
}

/// All complaints about a file that cannot be used, in its order, warnings among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The complaints; at least one is an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl Report {
    /// A report of one complaint about the file as a whole.
    pub(super) fn of_file(file: &Path, problem: String, advice: &str) -> Self {
        let diagnostic = Diagnostic {
            file: file.into(),
            line: 0,
            column: 0,
            key: String::new(),
            problem,
            advice: advice.to_owned(),
            severity: Severity::Error,
        };
        Self { diagnostics: vec![diagnostic] }
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

/// Complaints as they are found.
pub(super) struct Notes<'t> {
    text: &'t str,
    file: Arc<Path>,
    /// The byte at which each line begins.
    starts: Vec<usize>,
    /// Each with the byte of the file that it is about.
    found: Vec<(usize, Diagnostic)>,
}

impl<'t> Notes<'t> {
    /// None yet, about the file of that text.
    pub(super) fn new(text: &'t str, file: &Path) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file: file.into(), starts, found: Vec::new() }
    }

    /// The file cannot be used because of this.
    pub(super) fn error(
        &mut self,
        span: &Range<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Error, span, key.into(), problem.into(), advice.into());
    }

    /// The operator should know this.
    pub(super) fn warning(
        &mut self,
        span: &Range<usize>,
        key: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Severity::Warning, span, key.into(), problem.into(), advice.into());
    }

    /// The operator should know this, which stands nowhere in the file.
    pub(super) fn remark(&mut self, key: &str, problem: String, advice: &str) {
        let (file, key, advice) = (self.file.clone(), key.to_owned(), advice.to_owned());
        self.found
            .push((0, Diagnostic { file, line: 0, column: 0, key, problem, advice, severity: Severity::Warning }));
    }

    /// An error at a place, for whoever finds out later what is wrong there.
    pub(super) fn placed(&self, span: &Range<usize>, key: String) -> Diagnostic {
        let (line, column) = self.position(span.start);
        let (file, problem, advice) = (self.file.clone(), String::new(), String::new());
        Diagnostic { file, line, column, key, problem, advice, severity: Severity::Error }
    }

    fn add(&mut self, severity: Severity, span: &Range<usize>, key: String, problem: String, advice: String) {
        let told = Diagnostic { problem, advice, severity, ..self.placed(span, key) };
        self.found.push((span.start, told));
    }

    /// The line in which a byte of the file stands, counted from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn position(&self, at: usize) -> (usize, usize) {
        let line = self.line(at);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..at.min(self.text.len())).unwrap_or_default();
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

    /// Keeps only the complaints for whose line this holds.
    pub(super) fn retain_lines(&mut self, keep: impl Fn(usize) -> bool) {
        self.found.retain(|(_, diagnostic)| keep(diagnostic.line));
    }

    /// The complaints in the order of the file, or a report where one of them is an error.
    pub(super) fn finish(mut self) -> Result<Vec<Diagnostic>, Report> {
        self.found.sort_by_key(|(at, diagnostic)| (*at, diagnostic.line));
        let diagnostics: Vec<Diagnostic> = self.found.into_iter().map(|(_, diagnostic)| diagnostic).collect();
        let bad = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
        if bad { Err(Report { diagnostics }) } else { Ok(diagnostics) }
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
    fn warnings_alone_are_no_report() {
        let mut notes = Notes::new("", Path::new("x"));
        notes.warning(&(0..0), "k", "p", "");
        assert_eq!(notes.finish().unwrap().len(), 1);
    }
}
