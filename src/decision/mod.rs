//! The core: whether a request may pass.
//!
//! Pure: nothing here reads a clock, a file, the network or the environment, nothing waits, and nothing is global. The
//! same request, snapshot and moment give the same verdict, so the proxy, every other front and an offline explanation
//! cannot disagree.

pub mod claims;
pub mod credential;
pub mod forwarding;
pub mod head;
pub mod jws;
pub mod keys;
pub mod memo;
pub mod origin;
pub mod path;
pub mod policy;
pub mod principal;
pub mod rejection;
pub mod route;
pub mod snapshot;
pub mod verdict;
mod verify;

use std::sync::Arc;

use credential::Credential;
use head::RequestHead;
use memo::Memo;
use policy::{Policy, Requirement};
use principal::Principal;
use rejection::{Code, Rejection};
use route::{Held, Mode, Route};
use snapshot::Snapshot;
use verdict::{Decision, Permit, Verdict};

use crate::time::UnixSeconds;

/// Decides whether a request may pass.
///
/// A memo may save work here but never changes the verdict.
pub fn decide(head: &RequestHead<'_>, snapshot: &Snapshot, memo: &mut Memo, now: UnixSeconds) -> Decision {
    let held = snapshot.routes.find(head);
    let mut case = Case { head, snapshot, memo, now, principal: None, place: None, remembered: None };
    let route = held.lead;
    let verdict = match case.judge(held) {
        Ok(permit) => Verdict::Allow(permit),
        Err(rejection) => Verdict::Reject(rejection),
    };
    Decision { route, principal: case.principal, place: case.place, remembered: case.remembered, verdict }
}

/// One request before its judge.
struct Case<'c, 'h> {
    head: &'c RequestHead<'h>,
    snapshot: &'c Snapshot,
    memo: &'c mut Memo,
    now: UnixSeconds,
    principal: Option<Arc<Principal>>,
    place: Option<credential::Place>,
    remembered: Option<bool>,
}

impl Case<'_, '_> {
    /// The steps in their order.
    fn judge(&mut self, held: Held) -> Result<Permit, Rejection> {
        if self.snapshot.strict_paths && self.head.readings.is_ambiguous() {
            return Err(Rejection::new(Code::PathAmbiguous, "the path can be read in several ways (paths.strict)"));
        }
        let routes: Vec<&Route> = held.iter().filter_map(|id| self.snapshot.routes.route(id)).collect();
        if let Some(route) = routes.iter().find(|route| route.policy == Policy::Deny) {
            return Err(Rejection::new(Code::RouteDenied, format!("route {:?} denies everybody", route.name)));
        }
        if self.head.is_preflight() {
            return Ok(self.permit(held, Vec::new(), None, None));
        }
        let (mut lifted, mut met) = (None, Vec::new());
        for route in &routes {
            let Policy::Require(requirement) = &route.policy else { continue };
            match self.meet(requirement) {
                Ok(ends) => met.push((route.mode, ends)),
                Err(rejection) if route.mode == Mode::Report && rejection.can_be_lifted() => {
                    lifted = lifted.or(Some(rejection));
                }
                Err(rejection) => return Err(rejection),
            }
        }
        let lead = routes.first();
        let identity = match (&self.principal, lead, &lifted) {
            (Some(principal), Some(lead), None) => match lead.forwarding.identity(principal.claims()) {
                Ok(identity) => identity,
                Err(rejection) if lead.mode == Mode::Report => {
                    lifted = Some(rejection);
                    Vec::new()
                }
                Err(rejection) => return Err(rejection),
            },
            _ => Vec::new(),
        };
        // Where something was lifted, only what is enforced still rests on the token.
        let counts = |mode: Mode| mode == Mode::Enforce || lifted.is_none();
        let ends = met.into_iter().filter(|(mode, _)| counts(*mode)).map(|(_, ends)| ends);
        let until = ends.min_by(|one, other| one.seconds().total_cmp(&other.seconds()));
        Ok(self.permit(held, identity, until, lifted))
    }

    /// Whether the request shows what one route demands, and until when.
    fn meet(&mut self, requirement: &Requirement) -> Result<UnixSeconds, Rejection> {
        let credential = Credential::find(self.head, &requirement.places, &self.snapshot.origins)?;
        // Two routes may look in different places; whom the request speaks for must not depend on which is asked.
        let place = self.place.get_or_insert_with(|| credential.place.clone());
        if *place != credential.place {
            let detail = format!("a token in {} and one in {}", place.words(), credential.place.words());
            return Err(Rejection::new(Code::CredentialAmbiguous, detail));
        }
        let proof = verify::prove(&credential.token, &requirement.issuers, self.snapshot, self.memo)?;
        self.remembered = Some(proof.remembered);
        let principal = proof.principal;
        self.principal.get_or_insert_with(|| Arc::clone(&principal));
        let Some(issuer) = self.snapshot.issuer(principal.issuer) else {
            return Err(Rejection::new(Code::Internal, "a proof of an issuer that is not there"));
        };
        verify::check_time(&principal, issuer, self.now)?;
        policy::check_audience(&issuer.audiences, &principal)?;
        requirement.check(&principal)?;
        if principal.bound {
            let detail = "the token is bound to a key (cnf) and was shown as plain Bearer";
            return Err(Rejection::new(Code::ProofInvalid, detail));
        }
        Ok(principal.expires.plus(issuer.leeway))
    }

    fn permit(
        &self,
        held: Held,
        identity: Vec<(http::HeaderName, http::HeaderValue)>,
        until: Option<UnixSeconds>,
        lifted: Option<Rejection>,
    ) -> Permit {
        Permit { held, until, identity, credential: self.place.clone(), lifted }
    }
}

#[cfg(test)]
mod tests;
