//! What the operator sees: counters, access log, diagnostics.
//!
//! [`metrics`] counts, [`access`] writes one line a request to standard output, [`trace`] writes diagnostics to standard
//! error and hands out request ids, [`report`] lists who would be refused. Nothing here may hold a token, a cookie, a query or a body: what a record can carry
//! is closed by its fields. On the path of a request nothing here waits and no two workers share a lock.

pub mod access;
pub mod metrics;
pub mod report;
pub mod trace;
pub mod treacherous;

/// Everything that this room is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How log lines are written.
    pub format: LogFormat,
    /// The least weighty diagnostics that are written.
    pub level: tracing::level_filters::LevelFilter,
    /// Whether there is an access log.
    pub access: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For the eye.
    Text,
}

/// What became of a request, as metric and access log call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It passed the gate.
    Allow,
    /// It was refused.
    Reject,
    /// It would have been refused, had its route not been in report mode.
    Report,
}

impl Outcome {
    /// The word of the label and of the log field `verdict`.
    pub const fn name(self) -> &'static str {
        match self {
            Outcome::Allow => "allow",
            Outcome::Reject => "reject",
            Outcome::Report => "report",
        }
    }
}

/// What `code` says of a request that nothing went wrong with.
pub const CODE_OK: &str = "ok";

/// The system gave no random bytes. Trying again does not help; the process should not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's random number generator gave nothing")]
pub struct NoRandomness;

#[cfg(test)]
mod tests;
