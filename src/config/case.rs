//! A case that a config keeps with itself.

use serde_json::{Map, Value};

use super::diagnostic::Diagnostic;
use crate::decision::keys::IssuerId;
use crate::decision::rejection::Code;
use crate::proxy::preview::{Asked, without_secrets};
use crate::telemetry::treacherous::visible_lines;
use crate::time::UnixSeconds;

/// A request, and what must come of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The request, its token not yet shown.
    pub asked: Asked,
    /// Who signs the token, and with which claims; `None`: none is shown.
    pub token: Option<(IssuerId, Map<String, Value>)>,
    /// The moment at which it is judged; `None`: now.
    pub at: Option<UnixSeconds>,
    /// What must come of it.
    pub expect: Expect,
    /// A complaint at its place in the file, its problem to be filled in.
    pub(super) place: Diagnostic,
}

/// What must come of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It passes.
    Allow,
    /// It is refused for this reason.
    Code(Code),
    /// It is refused with this status.
    Status(u16),
}

impl Case {
    /// The line of the file where it says what it expects.
    pub fn line(&self) -> usize {
        self.place.line
    }

    /// What it asks for, as the file writes it, but for a query and a user.
    pub fn request(&self) -> String {
        format!("{} {}", self.asked.method, without_secrets(&self.asked.target))
    }

    /// The complaint that it failed.
    pub fn complaint(&self, problem: &str, advice: &str) -> Diagnostic {
        Diagnostic { problem: visible_lines(problem), advice: visible_lines(advice), ..self.place.clone() }
    }
}

impl std::fmt::Display for Expect {
    /// As the file writes it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Expect::Allow => f.write_str("allow"),
            Expect::Code(code) => write!(f, "{code}"),
            Expect::Status(status) => write!(f, "{status}"),
        }
    }
}
