//! Tokens that were taken back before their end: what is known of them, and whether a token is one.
//!
//! It is looked up on every request, also where a proof was remembered, and is no part of what a proof rests on. What a
//! token says of its status is where to look in the list that the config names; it never names the list to take.

mod deny;
mod status;

use std::fmt;
use std::sync::Arc;

pub use deny::{DenyList, Entry, Mark, Marks};
pub use status::{Bits, StatusList};

use super::keys::IssuerSlot;
use super::principal::Principal;
use super::rejection::{Code, Rejection};
use super::witness::{Witness, told};
use crate::time::UnixSeconds;

/// What is known of the tokens that one issuer took back.
#[derive(Clone, Debug)]
pub struct Revocations {
    /// Where the list is.
    pub place: Place,
    /// What holds while it cannot be had.
    pub missing: Missing,
    /// The list; `None`: it was not had yet.
    pub list: Option<Arc<List>>,
    /// From when on the list is too old to go by; `None`: never.
    pub until: Option<UnixSeconds>,
}

/// Where a list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a file.
    File(Box<str>),
    /// Behind a URL, asked by a running program alone.
    Url(Box<str>),
}

/// What holds for tokens of which nobody can say now whether they were taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They are refused.
    #[default]
    Closed,
    /// They pass.
    Open,
}

/// A list, of one kind or the other.
#[derive(Debug)]
pub enum List {
    /// Names what was taken back.
    Deny(DenyList),
    /// Holds the status of every token.
    Status(StatusList),
}

/// How a token stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// It was not taken back.
    Good,
    /// It was; how that is known.
    Revoked(String),
    /// Nobody can say; why.
    Unknown(String),
    /// What it says of its status cannot be read; the refusal.
    Unreadable(Rejection),
}

impl Revocations {
    /// Nothing is known yet.
    pub fn unknown(place: Place, missing: Missing) -> Self {
        Self { place, missing, list: None, until: None }
    }

    /// Whether only a running program can have the list.
    pub fn is_elsewhere(&self) -> bool {
        self.list.is_none() && matches!(self.place, Place::Url(_))
    }

    /// The list, as far as it may be gone by now.
    pub fn list(&self, now: UnixSeconds) -> Option<&List> {
        let own = self.list.as_deref()?;
        let ends = match own {
            List::Deny(_) => None,
            List::Status(list) => list.expires(),
        };
        [self.until, ends].into_iter().flatten().all(|end| now < end).then_some(own)
    }

    /// How a token stands. `leeway` is how many seconds its issuer lets it outlive its end.
    pub fn standing(&self, principal: &Principal, leeway: f64, now: UnixSeconds) -> Standing {
        match self.list(now) {
            None if self.list.is_some() => Standing::Unknown(format!("the list in {} is too old", self.place)),
            None => Standing::Unknown(format!("the list in {} was not had yet", self.place)),
            Some(List::Deny(list)) => match list.hit(&principal.marks(), leeway, now) {
                Some(hit) => Standing::Revoked(hit),
                None => Standing::Good,
            },
            Some(List::Status(list)) => list.standing(principal.claims()),
        }
    }
}

impl List {
    /// What is in it, for people.
    pub fn words(&self) -> String {
        match self {
            List::Deny(list) => format!("{} entries", list.len()),
            List::Status(list) => format!("the status of {} tokens", list.len()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(name) | Place::Url(name) => f.write_str(name),
        }
    }
}

/// Whether the token still stands: its issuer did not take it back.
pub(super) fn check_standing<W: Witness>(
    principal: &Principal,
    slot: &IssuerSlot,
    now: UnixSeconds,
    witness: &mut W,
) -> Result<(), Rejection> {
    let Some(revoked) = slot.revoked() else { return Ok(()) };
    let standing = revoked.standing(principal, slot.issuer.leeway, now);
    let result = match &standing {
        Standing::Good => Ok(()),
        Standing::Unknown(_) if revoked.missing == Missing::Open => Ok(()),
        Standing::Revoked(how) => Err(Rejection::new(Code::TokenRevoked, how.clone())),
        Standing::Unknown(why) => {
            let detail = format!("whether the token was revoked cannot be told: {why}");
            Err(Rejection::new(Code::KeysUnavailable, detail))
        }
        Standing::Unreadable(rejection) => Err(rejection.clone()),
    };
    told(witness, "revoked", result, |_| {
        let found = match standing {
            Standing::Good => "not there".to_owned(),
            Standing::Revoked(found) => found,
            Standing::Unknown(why) if revoked.missing == Missing::Open => format!("{why} (missing = \"open\")"),
            Standing::Unknown(why) => why,
            Standing::Unreadable(rejection) => rejection.detail().to_owned(),
        };
        (format!("not revoked by the list in {}", revoked.place), found)
    })
}

#[cfg(test)]
mod tests;
