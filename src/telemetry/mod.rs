//! What the operator sees: counters, access log, diagnostics.

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
