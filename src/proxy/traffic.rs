//! What a body on its way up and whoever waits for the answer tell each other.

use std::cell::Cell;
use std::fmt;
use std::time::Duration;

use crate::upstream::Progress;

/// Why a body broke off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It is larger than permitted.
    TooLarge,
    /// No byte came for too long.
    Stalled,
    /// The sender went away or broke HTTP.
    Sender,
    /// The time of the whole request is over.
    Over,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Broken::TooLarge => "the body is larger than permitted",
            Broken::Stalled => "no byte of the body came for too long",
            Broken::Sender => "the sender of the body broke off, or broke HTTP",
            Broken::Over => "the time of the request is over",
        })
    }
}

impl std::error::Error for Broken {}

/// What a request body and the one who waits for its answer tell each other.
#[derive(Debug)]
pub(super) struct Traffic {
    /// How far it has gone.
    pub(super) progress: Progress,
    /// Bytes that came.
    pub(super) bytes: Cell<u64>,
    /// Why it broke off, if it did.
    pub(super) broken: Cell<Option<Broken>>,
}

impl Traffic {
    /// Of a body that has not moved yet and may stand still for `stall`.
    pub(super) fn new(stall: Option<Duration>) -> Self {
        Self { progress: Progress::new(stall), bytes: Cell::new(0), broken: Cell::new(None) }
    }
}
