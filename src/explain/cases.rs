//! The cases that a config keeps: each is judged as a request would be, and must come out as it says.

use super::stand_in::{StandIns, known};
use super::{Explanation, explain_by};
use crate::config::{Case, Config, Diagnostic, Expect, Report};
use crate::telemetry::Outcome as Verdict;
use crate::time::UnixSeconds;

/// What came of one case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it asked for.
    pub request: String,
    /// The line of the file where it says what it expects.
    pub line: usize,
    /// What it expected.
    pub expect: String,
    /// What it got: `allow`, or status and reason.
    pub got: String,
    /// The complaint, where that is not what was expected.
    pub failed: Option<Diagnostic>,
}

/// Plays every case of a config at that moment, or at the one that the case names.
pub fn play(config: &Config, now: UnixSeconds) -> Vec<Outcome> {
    if config.cases.is_empty() {
        return Vec::new();
    }
    match StandIns::of(config) {
        Ok(keys) => config.cases.iter().map(|case| one(case, &keys, config, now)).collect(),
        Err(error) => config.cases.iter().map(|case| unplayed(case, &error.to_string())).collect(),
    }
}

/// Whether every case of a config holds at that moment: one that does not keeps the config from being taken.
///
/// # Errors
/// A complaint for each case that fails.
pub fn check(config: &Config, now: UnixSeconds) -> Result<(), Report> {
    let diagnostics: Vec<Diagnostic> = play(config, now).into_iter().filter_map(|outcome| outcome.failed).collect();
    if diagnostics.is_empty() { Ok(()) } else { Err(Report { diagnostics }) }
}

fn one(case: &Case, keys: &StandIns, config: &Config, now: UnixSeconds) -> Outcome {
    let now = case.at.unwrap_or(now);
    let mut asked = case.asked.clone();
    let mut snapshot = known(config);
    if let Some((issuer, claims)) = &case.token {
        let Some(rules) = config.snapshot.issuer(*issuer) else { return unplayed(case, "its issuer is not there") };
        match keys.sign(*issuer, rules, claims, now) {
            Some(Ok(token)) => asked.show(&token, &config.snapshot),
            Some(Err(error)) => return unplayed(case, &error.to_string()),
            None => return unplayed(case, "its issuer is not there"),
        }
        snapshot = keys.snapshot(config, *issuer);
    }
    let told = explain_by(config, &snapshot, &asked, now);
    let failed = (!fits(case.expect, &told)).then(|| {
        let problem = format!("expected {}, got {}", case.expect, got(&told));
        case.complaint(&problem, &told.in_short())
    });
    Outcome { failed, ..outcome(case, got(&told)) }
}

fn unplayed(case: &Case, why: &str) -> Outcome {
    let failed = Some(case.complaint(&format!("the case cannot be played: {why}"), ""));
    Outcome { failed, ..outcome(case, String::from("nothing")) }
}

fn outcome(case: &Case, got: String) -> Outcome {
    Outcome { request: case.request(), line: case.line(), expect: case.expect.to_string(), got, failed: None }
}

fn fits(expect: Expect, told: &Explanation) -> bool {
    match expect {
        Expect::Allow => told.passes(),
        Expect::Code(code) => !told.passes() && told.code == code.name(),
        Expect::Status(status) => !told.passes() && told.status == Some(status),
    }
}

fn got(told: &Explanation) -> String {
    match told.status {
        Some(status) if !told.passes() => format!("{status} {}", told.code),
        _ if told.verdict == Verdict::Report.name() => {
            format!("allow (report mode; enforced it would be {})", told.code)
        }
        _ => Verdict::Allow.name().to_owned(),
    }
}
