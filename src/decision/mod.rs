//! The core: whether a request may pass.
//!
//! Pure: nothing here reads a clock, a file, the network or the environment, nothing waits, and nothing is global. The
//! same request, snapshot and moment give the same verdict, so the proxy, every other front and an offline explanation
//! cannot disagree. What came before counts in [`rate`] alone, which is asked after [`decide`].

pub mod claims;
pub mod client;
pub mod credential;
pub mod forwarding;
pub mod head;
pub mod jws;
pub mod keys;
pub mod memo;
pub mod opening;
pub mod origin;
pub mod path;
pub mod policy;
pub mod principal;
pub mod rate;
pub mod rejection;
pub mod revocation;
pub mod route;
pub mod snapshot;
pub mod verdict;
mod verify;
pub mod witness;

use std::sync::Arc;

use credential::Credential;
use head::RequestHead;
use jws::Jws;
use keys::{IssuerId, IssuerSlot};
use memo::Memo;
use policy::{Policy, Requirement};
use principal::Principal;
use rejection::{Code, Rejection};
use revocation::check_standing;
use route::{Held, Mode, Route, RouteId};
use snapshot::Snapshot;
use verdict::{Decision, Permit, Verdict};
use verify::Token;
use witness::{Nobody, Witness, told, tried};

use crate::time::UnixSeconds;

/// Decides whether a request may pass.
///
/// A memo may save work here but never changes the verdict.
pub fn decide(head: &RequestHead<'_>, snapshot: &Snapshot, memo: &mut Memo, now: UnixSeconds) -> Decision {
    decide_before(&mut Nobody, head, snapshot, memo, now)
}

/// Decides, and tells a witness of every step.
pub fn decide_before<W: Witness>(
    witness: &mut W,
    head: &RequestHead<'_>,
    snapshot: &Snapshot,
    memo: &mut Memo,
    now: UnixSeconds,
) -> Decision {
    Case { witness, head, kept: None, snapshot, memo, now, principal: None, place: None, remembered: None }.decide()
}

/// Examines a token by itself, before a witness: whether one of all issuers proves it and it holds now. What a route
/// demands besides is not looked at.
///
/// # Errors
/// The reason for which every route would refuse it.
pub fn examine<W: Witness>(
    witness: &mut W,
    token: &[u8],
    snapshot: &Snapshot,
    now: UnixSeconds,
) -> Result<Arc<Principal>, Rejection> {
    let issuers: Vec<IssuerId> = (0..snapshot.issuers.len()).map(IssuerId).collect();
    let token = Token { bytes: token, issuers: &issuers };
    let principal = verify::prove(token, snapshot, &mut Memo::off(), now, witness)?.principal;
    let slot = snapshot.issuers.get(principal.issuer.0).ok_or_else(no_issuer)?;
    verify::check_time(&principal, &slot.issuer, now, witness)?;
    policy::check_audience(&slot.issuer.audiences, &principal, witness)?;
    check_standing(&principal, slot, now, witness)?;
    verify::check_unbound(&principal, witness)?;
    Ok(principal)
}

/// Whether an issuer signed a document, of whatever kind. What the document says is not looked at.
///
/// # Errors
/// The reason for which a token with that signature would be refused.
pub fn check_signed(document: &Jws<'_>, slot: &IssuerSlot, now: UnixSeconds) -> Result<(), Rejection> {
    verify::check_document(document.parts(), slot, now)
}

fn no_issuer() -> Rejection {
    Rejection::new(Code::Internal, "a proof of an issuer that is not there")
}

/// One request before its judge.
struct Case<'c, 'h, W> {
    witness: &'c mut W,
    head: &'c RequestHead<'h>,
    /// Its token, where it was found before and the head is there no more.
    kept: Option<Credential<'h>>,
    snapshot: &'c Snapshot,
    memo: &'c mut Memo,
    now: UnixSeconds,
    principal: Option<Arc<Principal>>,
    place: Option<credential::Place>,
    remembered: Option<bool>,
}

impl<'h, W: Witness> Case<'_, 'h, W> {
    fn decide(mut self) -> Decision {
        let held = self.snapshot.routes.find(self.head);
        let route = held.lead;
        let verdict = match self.judge(held) {
            Ok(permit) => Verdict::Allow(permit),
            Err(rejection) => Verdict::Reject(rejection),
        };
        Decision { route, principal: self.principal, place: self.place, remembered: self.remembered, verdict }
    }

    /// The steps in their order.
    fn judge(&mut self, held: Held) -> Result<Permit, Rejection> {
        self.check_strictness()?;
        let routes: Vec<(RouteId, &Route)> =
            held.iter().filter_map(|id| Some((id, self.snapshot.routes.route(id)?))).collect();
        if let Some((id, route)) = routes.iter().find(|(_, route)| route.policy == Policy::Deny) {
            self.witness.turn_to(Some(*id));
            if *id == self.snapshot.routes.unmatched() {
                let denied = Rejection::new(Code::RouteDenied, "no route names it, and unmatched = \"deny\"");
                return told(self.witness, "access", Err(denied), |_| ("a route that names it".into(), "none".into()));
            }
            let denied = Rejection::new(Code::RouteDenied, format!("route {:?} denies everybody", route.name));
            return told(self.witness, "access", Err(denied), |_| ("nobody may pass".into(), "a request".into()));
        }
        if self.head.is_preflight() {
            let facts = || ("no token".into(), "a CORS preflight, which cannot carry one".into());
            tried(self.witness, "preflight", true, facts);
            return Ok(self.permit(held, Vec::new(), Vec::new(), None));
        }
        let (mut lifted, mut met) = (None, Vec::new());
        for (id, route) in &routes {
            self.witness.turn_to(Some(*id));
            let Policy::Require(requirement) = &route.policy else {
                tried(self.witness, "access", true, || ("no token is looked at".into(), "an open route".into()));
                continue;
            };
            match self.meet(requirement) {
                Ok(ends) => met.push((route.mode, ends)),
                Err(rejection) if route.mode == Mode::Report && rejection.can_be_lifted() => {
                    self.witness.lifted();
                    lifted = lifted.or(Some(rejection));
                }
                Err(rejection) => return Err(rejection),
            }
        }
        let identity = match (self.principal.clone(), routes.first(), &lifted) {
            (Some(principal), Some((id, lead)), None) => match self.identity(*id, lead, &principal) {
                Ok(identity) => identity,
                Err(rejection) if lead.mode == Mode::Report => {
                    self.witness.lifted();
                    lifted = Some(rejection);
                    Vec::new()
                }
                Err(rejection) => return Err(rejection),
            },
            _ => Vec::new(),
        };
        Ok(self.permit(held, identity, met, lifted))
    }

    fn check_strictness(&mut self) -> Result<(), Rejection> {
        if !self.snapshot.strict_paths {
            return Ok(());
        }
        let readings = if self.head.readings.is_ambiguous() { "several" } else { "one" };
        let result = match self.head.readings.is_ambiguous() {
            true => Err(Rejection::new(Code::PathAmbiguous, "the path can be read in several ways (paths.strict)")),
            false => Ok(()),
        };
        told(self.witness, "paths.strict", result, |_| ("one reading of the path".into(), readings.into()))
    }

    /// Whether the request shows what one route demands, and until when.
    fn meet(&mut self, requirement: &Requirement) -> Result<UnixSeconds, Rejection> {
        let credential = self.credential(requirement)?;
        let token = Token { bytes: &credential.token, issuers: &requirement.issuers };
        let proof = verify::prove(token, self.snapshot, self.memo, self.now, self.witness)?;
        self.remembered = Some(proof.remembered);
        let principal = proof.principal;
        self.principal.get_or_insert_with(|| Arc::clone(&principal));
        let slot = self.snapshot.issuers.get(principal.issuer.0).ok_or_else(no_issuer)?;
        let issuer = &slot.issuer;
        verify::check_time(&principal, issuer, self.now, self.witness)?;
        policy::check_audience(&issuer.audiences, &principal, self.witness)?;
        requirement.check(&principal, self.witness)?;
        check_standing(&principal, slot, self.now, self.witness)?;
        verify::check_unbound(&principal, self.witness)?;
        Ok(principal.expires.plus(issuer.leeway))
    }

    /// The one token of the request.
    fn credential(&mut self, requirement: &Requirement) -> Result<Credential<'h>, Rejection> {
        let mut found = match &self.kept {
            None => Credential::find(self.head, &requirement.places, &self.snapshot.origins),
            Some(kept) => kept.again(&requirement.places),
        };
        if let Ok(credential) = &found {
            // Two routes may look in different places; whom the request speaks for must not depend on which is asked.
            let place = self.place.get_or_insert_with(|| credential.place.clone());
            if *place != credential.place {
                let detail = format!("a token in {} and one in {}", place.words(), credential.place.words());
                found = Err(Rejection::new(Code::CredentialAmbiguous, detail));
            }
        }
        told(self.witness, "credential", found, |found| {
            let places: Vec<String> = requirement.places.iter().map(credential::Place::words).collect();
            let found = match found {
                Ok(credential) => format!("one in {}", credential.place.words()),
                Err(rejection) => rejection.detail().to_owned(),
            };
            (format!("one Bearer token in {}", places.join(" or ")), found)
        })
    }

    /// The headers that tell the upstream who was proven.
    fn identity(
        &mut self,
        id: RouteId,
        lead: &Route,
        principal: &Principal,
    ) -> Result<Vec<(http::HeaderName, http::HeaderValue)>, Rejection> {
        let identity = lead.forwarding.identity(principal.claims());
        if lead.forwarding.claims.is_empty() {
            return identity;
        }
        self.witness.turn_to(Some(id));
        told(self.witness, "forward.claims", identity, |identity| {
            let found = match identity {
                Ok(headers) => format!("{} to set", headers.len()),
                Err(rejection) => rejection.detail().to_owned(),
            };
            ("claims that can be told in headers".into(), found)
        })
    }

    fn permit(
        &self,
        held: Held,
        identity: Vec<(http::HeaderName, http::HeaderValue)>,
        met: Vec<(Mode, UnixSeconds)>,
        lifted: Option<Rejection>,
    ) -> Permit {
        Permit { held, met, identity, credential: self.place.clone(), lifted }
    }
}

#[cfg(test)]
mod tests;
