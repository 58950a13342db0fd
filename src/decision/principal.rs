//! An identity that has been proven.

use std::sync::Arc;

use super::claims::Claims;
use super::keys::IssuerId;
use super::revocation::Marks;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// Who a token speaks for, after its signature was found good and its form right.
///
/// Only a verifier makes one. Whether it may pass now is asked anew on every request.
#[derive(Clone, Debug, PartialEq)]
pub struct Principal {
    pub(super) issuer: IssuerId,
    pub(super) issuer_name: Arc<str>,
    pub(super) iss: Option<Box<str>>,
    pub(super) subject: Box<str>,
    pub(super) audiences: Vec<Box<str>>,
    pub(super) scopes: Vec<Box<str>>,
    pub(super) expires: UnixSeconds,
    pub(super) not_before: Option<UnixSeconds>,
    pub(super) issued_at: Option<UnixSeconds>,
    pub(super) token_id: Option<Box<str>>,
    /// The key that signed the token: its name, or where it has none what the token calls it.
    pub(super) kid: Option<Box<str>>,
    pub(super) bound: bool,
    pub(super) claims: Claims,
    /// The token itself: what a memo knows the proof by, and what is proven again for a stream.
    pub(super) token: Secret<Vec<u8>>,
}

impl Principal {
    /// The issuer that proved it, by its name in the config.
    pub fn issuer(&self) -> &Arc<str> {
        &self.issuer_name
    }

    /// The place of that issuer in the snapshot.
    pub fn issuer_id(&self) -> IssuerId {
        self.issuer
    }

    /// Whom the token speaks for.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The token's own id (`jti`), if it has one.
    pub fn token_id(&self) -> Option<&str> {
        self.token_id.as_deref()
    }

    /// By what the token is found in a list of those that were taken back.
    pub(super) fn marks(&self) -> Marks<'_> {
        Marks { token: self.token_id(), subject: &self.subject, issued_at: self.issued_at, key: self.kid.as_deref() }
    }

    /// When the token ends, leeway not counted.
    pub fn expires(&self) -> UnixSeconds {
        self.expires
    }

    /// Everything the token says.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}
