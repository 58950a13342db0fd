//! Who may issue tokens, and by which rules.

use std::sync::Arc;

use super::AlgorithmSet;
use crate::decision::claims::ClaimPath;

/// Who may issue tokens, and what tokens of theirs must be like.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuer {
    /// For people and for routes that name it.
    pub name: Arc<str>,
    /// The values of `iss` it issues under; none: `iss` is not looked at.
    pub issuers: Vec<Box<str>>,
    /// Audiences of which one must be in `aud`; none: `aud` is not looked at.
    pub audiences: Vec<Box<str>>,
    /// The algorithms it signs with.
    pub algorithms: AlgorithmSet,
    /// The claim that names the subject.
    pub subject: ClaimPath,
    /// Allowed clock difference at `exp`, `nbf` and `iat`, in seconds.
    pub leeway: f64,
    /// The longest `exp - iat`, in seconds; `None`: any.
    pub max_lifetime: Option<f64>,
    /// Claims that must be there besides `exp` and the subject.
    pub require: Vec<ClaimPath>,
    /// The `typ` headers it sets.
    pub types: TokenTypes,
}

impl Issuer {
    /// What `iss` must be for this issuer, for people.
    pub(in crate::decision) fn accepted_iss(&self) -> String {
        match self.issuers.as_slice() {
            [] => format!("anything (issuer {:?} looks at no iss)", self.name),
            [one] => format!("{one:?} (issuer {:?})", self.name),
            several => format!("one of {several:?} (issuer {:?})", self.name),
        }
    }
}

/// Which `typ` headers are accepted (RFC 7515 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTypes {
    /// Whether there may be none.
    pub absent: bool,
    /// The names, compared without case and without a leading `application/`.
    pub names: Vec<Box<str>>,
}

impl Default for TokenTypes {
    fn default() -> Self {
        Self { absent: true, names: vec!["JWT".into(), "at+jwt".into()] }
    }
}

impl TokenTypes {
    /// What is accepted, for people.
    pub(in crate::decision) fn words(&self) -> String {
        format!("{}one of {:?}", if self.absent { "none, or " } else { "" }, self.names)
    }

    /// Whether a token with that `typ` is accepted.
    pub fn accept(&self, typ: Option<&str>) -> bool {
        let plain = |name: &str| match name.get(..12) {
            Some(start) if start.eq_ignore_ascii_case("application/") => name.get(12..).unwrap_or_default().to_owned(),
            _ => name.to_owned(),
        };
        match typ {
            None => self.absent,
            Some(typ) => self.names.iter().any(|name| plain(name).eq_ignore_ascii_case(&plain(typ))),
        }
    }
}
