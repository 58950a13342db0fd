//! All that a decision reads, immutable.

use std::borrow::Cow;
use std::sync::Arc;

use super::forwarding::HeaderRules;
use super::keys::{Issuer, IssuerId, IssuerSlot};
use super::origin::OriginPattern;
use super::revocation::Revocations;
use super::route::RouteTable;

/// Routes, issuers and keys as they are at one moment. A change makes a new one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The routes.
    pub routes: Arc<RouteTable>,
    /// The issuers, each with the keys it has now; an [`IssuerId`] is a place in this list.
    pub issuers: Vec<IssuerSlot>,
    /// Origins whose pages may rely on a token in a cookie.
    pub origins: Arc<[OriginPattern]>,
    /// Which headers never pass.
    pub headers: Arc<HeaderRules>,
    /// Whether every path is refused where anything but one UTF-8 percent-decoding could change what it means.
    pub strict_paths: bool,
}

impl Snapshot {
    /// The issuer of that place.
    pub fn issuer(&self, id: IssuerId) -> Option<&Issuer> {
        self.issuers.get(id.0).map(|slot| &*slot.issuer)
    }

    /// The same without what is known of revoked tokens where `disregard` says so; for whoever judges offline, where a
    /// list that only a running program has would refuse every token.
    pub fn disregarding(&self, disregard: impl Fn(&Revocations) -> bool) -> Cow<'_, Self> {
        let goes = |slot: &IssuerSlot| slot.revoked().is_some_and(|revoked| disregard(revoked));
        if !self.issuers.iter().any(goes) {
            return Cow::Borrowed(self);
        }
        let mut changed = self.clone();
        for slot in changed.issuers.iter_mut().filter(|slot| goes(slot)) {
            *slot = slot.clone().with_revocations(None);
        }
        Cow::Owned(changed)
    }
}
