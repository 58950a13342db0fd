//! What is kept of a request that opened a stream, to judge it again while the stream lasts.
//!
//! A stream rests on its token for as long as it lasts, so it may last while the request that opened it would still pass.
//! That is asked of the same judge, by the same steps, whenever something has changed. Kept is only what the steps look
//! at: neither header fields nor a body, and hardly a byte that was not there anyway.
//!
//! Two things differ from a new request. A clock that was set back before the stream began does not make its token one of
//! the future; and for want of keys nothing ends that was proven while they were there, but at its time or when its token is
//! taken back.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri};

use super::Case;
use super::credential::{Credential, Place};
use super::head::RequestHead;
use super::memo::Memo;
use super::principal::Principal;
use super::rejection::{Code, Rejection};
use super::revocation::check_standing;
use super::snapshot::Snapshot;
use super::verdict::{Decision, Verdict};
use super::witness::Nobody;
use crate::time::UnixSeconds;

/// A request that passed with a token, and what came of it.
#[derive(Debug)]
pub struct Opening {
    method: Method,
    overrides: Vec<Method>,
    target: Uri,
    authority: Option<Arc<str>>,
    place: Place,
    principal: Arc<Principal>,
    opened: UnixSeconds,
    until: Option<UnixSeconds>,
}

impl Opening {
    /// Keeps what is needed of a request for `target` that was decided on at `now`; `authority` is the text of the head's.
    /// `None`: it may not pass, or what it opens rests on no token.
    pub fn of(
        head: &RequestHead<'_>,
        target: &Uri,
        authority: Option<&Arc<str>>,
        decision: &Decision,
        now: UnixSeconds,
    ) -> Option<Self> {
        let Verdict::Allow(permit) = &decision.verdict else { return None };
        Some(Self {
            until: Some(permit.until()?),
            principal: decision.principal.clone()?,
            place: decision.place.clone()?,
            method: head.method.clone(),
            overrides: head.overrides.clone(),
            target: target.clone(),
            authority: authority.cloned(),
            opened: now,
        })
    }

    /// When to ask again at the latest; `None`: as things are, its time does not run out.
    pub fn until(&self) -> Option<UnixSeconds> {
        self.until
    }

    /// Asks whether it would still pass.
    ///
    /// # Errors
    /// Why it would not.
    pub fn ask_again(&mut self, snapshot: &Snapshot, memo: &mut Memo, now: UnixSeconds) -> Result<(), Rejection> {
        let moment = if now < self.opened { self.opened } else { now };
        match self.judge(snapshot, memo, moment)? {
            Verdict::Allow(permit) => self.until = permit.until(),
            Verdict::Reject(rejection) if rejection.code() == Code::KeysUnavailable => {
                self.check_revoked(snapshot, moment)?;
                self.check_until(now)?;
            }
            Verdict::Reject(rejection) => return Err(rejection),
        }
        Ok(())
    }

    fn judge(&self, snapshot: &Snapshot, memo: &mut Memo, now: UnixSeconds) -> Result<Verdict, Rejection> {
        let headers = HeaderMap::new();
        let head =
            RequestHead::again(&self.method, &self.overrides, &self.target, self.authority.as_deref(), &headers)?;
        let token = self.principal.token.expose().as_slice();
        let kept = Some(Credential { token: token.into(), place: self.place.clone() });
        let (witness, head) = (&mut Nobody, &head);
        let case = Case { witness, head, kept, snapshot, memo, now, principal: None, place: None, remembered: None };
        Ok(case.decide().verdict)
    }

    /// What it rests on cannot be proven anew, but may be known to be taken back all the same.
    fn check_revoked(&self, snapshot: &Snapshot, now: UnixSeconds) -> Result<(), Rejection> {
        let slot = snapshot.issuers.iter().find(|slot| slot.issuer.name == *self.principal.issuer());
        let standing = slot.map_or(Ok(()), |slot| check_standing(&self.principal, slot, now, &mut Nobody));
        standing.or_else(|rejection| if rejection.code() == Code::TokenRevoked { Err(rejection) } else { Ok(()) })
    }

    /// What it rests on cannot be proven anew, and ends as it was told when it could.
    fn check_until(&self, now: UnixSeconds) -> Result<(), Rejection> {
        match self.until {
            Some(until) if now >= until => {
                Err(Rejection::new(Code::TokenExpired, format!("the token held until {until}, it is {now}")))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
