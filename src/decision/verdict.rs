//! The outcome of a decision.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};

use super::credential::Place;
use super::keys::IssuerId;
use super::principal::Principal;
use super::rejection::Rejection;
use super::route::{Held, Mode, RouteId};
use crate::time::UnixSeconds;

/// A verdict, and what it was about.
#[derive(Debug)]
pub struct Decision {
    /// The route that gives the request its name.
    pub route: RouteId,
    /// Who was proven, also where that did not suffice.
    pub principal: Option<Arc<Principal>>,
    /// Where a token was found; `None`: none was looked for or found.
    pub place: Option<Place>,
    /// Whether a proof was remembered; `None`: none was looked for.
    pub remembered: Option<bool>,
    /// The outcome.
    pub verdict: Verdict,
}

impl Decision {
    /// The issuers whose keys are to be fetched before this is the last word, also where a route in report mode spared
    /// the request a refusal; empty: it is the last word.
    pub fn lacking(&self) -> &[IssuerId] {
        let rejection = match &self.verdict {
            Verdict::Allow(permit) => permit.lifted.as_ref(),
            Verdict::Reject(rejection) => Some(rejection),
        };
        rejection.map_or(&[], Rejection::lacking)
    }

    /// Gives the refusal, or what report mode spared the request, another reason.
    pub fn turn(&mut self, reason: Rejection) {
        match &mut self.verdict {
            Verdict::Allow(permit) => permit.lifted = permit.lifted.take().map(|_| reason),
            Verdict::Reject(rejection) => *rejection = reason,
        }
    }
}

/// Whether a request may pass.
#[derive(Debug)]
pub enum Verdict {
    /// It may.
    Allow(Permit),
    /// It may not.
    Reject(Rejection),
}

/// Proof that a request may pass. Only a decision makes one, and forwarding uses it up.
#[derive(Debug)]
pub struct Permit {
    pub(super) held: Held,
    /// The mode of each route whose demand was met, and when what it rests on ends.
    pub(super) met: Vec<(Mode, UnixSeconds)>,
    pub(super) identity: Vec<(HeaderName, HeaderValue)>,
    pub(super) credential: Option<Place>,
    pub(super) lifted: Option<Rejection>,
}

impl Permit {
    /// The routes whose demands were met, the most specific first.
    pub fn held(&self) -> &Held {
        &self.held
    }

    /// When what was opened with it must end; `None`: it rests on no token. Where something was lifted, only what is
    /// enforced still rests on one.
    pub fn until(&self) -> Option<UnixSeconds> {
        let rests = |mode: Mode| mode == Mode::Enforce || self.lifted.is_none();
        let ends = self.met.iter().filter(|(mode, _)| rests(*mode)).map(|(_, ends)| *ends);
        ends.min_by(|one, other| one.seconds().total_cmp(&other.seconds()))
    }

    /// The headers that tell the upstream who was proven.
    pub fn identity(&self) -> &[(HeaderName, HeaderValue)] {
        &self.identity
    }

    /// Where the token was; `None`: none was looked at, or none was found.
    pub fn credential(&self) -> Option<&Place> {
        self.credential.as_ref()
    }

    /// What would have refused the request, were its route not in report mode.
    pub fn lifted(&self) -> Option<&Rejection> {
        self.lifted.as_ref()
    }

    /// Lets the request pass in spite of `rejection`: without saying to the upstream who was proven.
    pub(super) fn lift(&mut self, rejection: Rejection) {
        self.lifted.get_or_insert(rejection);
        self.identity.clear();
    }
}
