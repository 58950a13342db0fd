//! `waxseal check`: is this config good?
//!
//! What it finds is its result, good or bad, and goes to standard output.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigFile, Failure, tell, tell_json, told};
use crate::config::render::{self, many};
use crate::config::{self, Config, Diagnostic, Severity};
use crate::decision::policy::Policy;
use crate::explain::{self, CaseOutcome};
use crate::telemetry::treacherous::visible_json;
use crate::time::Clock;

/// What `check` is told.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Write one JSON object: `file`, `ok`, `errors`, `warnings` (how many) and `complaints`, each with `severity`
    /// (`error`, `warning`), `file`, `line`, `column`, `end_line`, `end_column` (`null` where the whole file is meant),
    /// `key`, `problem` and `advice`; and `cases`, each with `request`, `line`, `expect`, `got` and `ok`.
    #[arg(long)]
    json: bool,
    /// Print every setting in effect instead, defaults filled in, each with its source: as TOML, or with --json as a list
    /// of `key`, `value`, `source` and `line`. Secrets are hidden.
    #[arg(long)]
    effective: bool,
    /// Print the JSON Schema of the file instead; no config is read.
    #[arg(long, conflicts_with_all = ["effective", "json"])]
    schema: bool,
}

/// Reads the config, plays its cases, and tells all complaints; or tells what it was asked for instead.
pub(super) fn check(asked: &Check) -> Result<(), Failure> {
    if asked.schema {
        return tell(config::schema().trim_end());
    }
    let file = asked.file.path()?;
    if asked.effective {
        return effective(file, asked.json);
    }
    let (good, cases, complaints) = match config::load(file) {
        Err(report) => (None, Vec::new(), report.diagnostics),
        Ok(config) => {
            let cases = explain::play(&config, Clock::System.now());
            let failed: Vec<Diagnostic> = cases.iter().filter_map(|case| case.failed.clone()).collect();
            let good = failed.is_empty().then(|| summary(&config));
            // What has no place is about this machine, not about the file: `run` tells it where it counts.
            let warnings = config.warnings.into_iter().filter(|warning| warning.line > 0);
            (good, cases, failed.into_iter().chain(warnings).collect())
        }
    };
    if asked.json {
        tell_json(&object(file, &complaints, &cases))?;
    } else {
        let last = match &good {
            Some(good) if complaints.is_empty() => format!("{}: good: {good}", render::name(file)),
            Some(good) => {
                format!("{}: good: {good} ({})", render::name(file), many(complaints.len(), "warning"))
            }
            None => render::summary(&complaints),
        };
        tell(format!("{}{last}", render::complaints(&complaints)))?;
    }
    if good.is_some() { Ok(()) } else { Err(Failure::Told) }
}

/// Tells the settings in effect of a config that is good.
fn effective(file: &Path, json: bool) -> Result<(), Failure> {
    let config = match config::load(file) {
        Ok(config) => config,
        Err(report) => {
            tell(told(&report.diagnostics))?;
            return Err(Failure::Told);
        }
    };
    let effective = config.effective();
    tell(if json { visible_json(&effective.json()) } else { effective.toml() }.trim_end())
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
    let (routes, issuers) = (many(own.len(), "route"), many(config.issuers.len(), "issuer"));
    let cases = match config.cases.len() {
        0 => String::new(),
        count => format!(", {} of its own held", many(count, "case")),
    };
    format!("{routes}, {issuers}, the rest is {rest}{cases}")
}

fn object(file: &Path, complaints: &[Diagnostic], cases: &[CaseOutcome]) -> Value {
    let count = |severity| complaints.iter().filter(|complaint| complaint.severity == severity).count();
    let errors = count(Severity::Error);
    json!({
        "file": render::name(file),
        "ok": errors == 0,
        "errors": errors,
        "warnings": count(Severity::Warning),
        "complaints": complaints.iter().map(render::object).collect::<Vec<_>>(),
        "cases": cases.iter().map(case).collect::<Vec<_>>(),
    })
}

fn case(case: &CaseOutcome) -> Value {
    json!({
        "request": case.request,
        "line": case.line,
        "expect": case.expect,
        "got": case.got,
        "ok": case.failed.is_none(),
    })
}
