//! `waxseal check`: is this config good?
//!
//! What it finds is its result, good or bad, and goes to standard output.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigFile, Failure, tell};
use crate::config::render::{self, many};
use crate::config::{self, Config, Diagnostic, Severity};
use crate::decision::policy::Policy;

/// What `check` is told.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Write one JSON object: `file`, `ok`, `errors`, `warnings` (how many) and `complaints`, each with `severity`
    /// (`error`, `warning`), `file`, `line`, `column`, `end_line`, `end_column` (`null` where the whole file is meant),
    /// `key`, `problem` and `advice`.
    #[arg(long)]
    json: bool,
}

/// Reads the config and tells all complaints about it.
pub(super) fn check(asked: &Check) -> Result<(), Failure> {
    let file = asked.file.path()?;
    let (good, complaints) = match config::load(file) {
        Ok(config) => (Some(summary(&config)), config.warnings),
        Err(report) => (None, report.diagnostics),
    };
    let result = if asked.json {
        object(file, &complaints)
    } else {
        let last = match good {
            Some(good) if complaints.is_empty() => format!("{}: good: {good}", file.display()),
            Some(good) => format!("{}: good: {good}", render::summary(&complaints)),
            None => render::summary(&complaints),
        };
        format!("{}{last}", render::complaints(&complaints))
    };
    tell(result)?;
    let bad = complaints.iter().any(|complaint| complaint.severity == Severity::Error);
    if bad { Err(Failure::Told) } else { Ok(()) }
}

/// What a good config says, in numbers.
fn summary(config: &Config) -> String {
    let (own, rest) = match config.snapshot.routes.routes() {
        [own @ .., unmatched] => (own, &unmatched.policy),
        [] => (&[][..], &Policy::Deny),
    };
    let rest = match rest {
        Policy::Open => "open",
        Policy::Deny => "denied",
        Policy::Require(_) => "protected",
    };
    format!("{}, {}, the rest is {rest}", many(own.len(), "route"), many(config.issuers.len(), "issuer"))
}

fn object(file: &Path, complaints: &[Diagnostic]) -> String {
    let count = |severity| complaints.iter().filter(|complaint| complaint.severity == severity).count();
    let errors = count(Severity::Error);
    let object = json!({
        "file": file.display().to_string(),
        "ok": errors == 0,
        "errors": errors,
        "warnings": count(Severity::Warning),
        "complaints": complaints.iter().map(complaint).collect::<Vec<_>>(),
    });
    // A tree of plain values can always be written.
    serde_json::to_string_pretty(&object).unwrap_or_default()
}

fn complaint(complaint: &Diagnostic) -> Value {
    let place = |number: usize| (complaint.line > 0).then_some(number);
    json!({
        "severity": complaint.severity.name(),
        "file": complaint.file.display().to_string(),
        "line": place(complaint.line),
        "column": place(complaint.column),
        "end_line": place(complaint.end_line),
        "end_column": place(complaint.end_column),
        "key": complaint.key,
        "problem": complaint.problem,
        "advice": complaint.advice,
    })
}
