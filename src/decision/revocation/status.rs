//! A Token Status List (IETF draft-ietf-oauth-status-list): the status of every token of an issuer, packed into bits.
//!
//! Ten million tokens take 1.25 megabytes at one bit each, ten at eight.

use std::fmt;
use std::sync::Arc;

use super::Standing;
use crate::decision::claims::{Claims, malformed};
use crate::decision::rejection::{Code, Rejection};
use crate::time::UnixSeconds;

/// How many bits the status of a token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each says it")]
pub enum Bits {
    One,
    Two,
    Four,
    Eight,
}

/// The status of every token of an issuer, unpacked only as far as one is looked up.
#[derive(Clone)]
pub struct StatusList {
    uri: Box<str>,
    bits: Bits,
    bytes: Arc<[u8]>,
    expires: Option<UnixSeconds>,
}

impl Bits {
    /// That many bits, where a list may have them.
    pub fn new(bits: u64) -> Option<Self> {
        match bits {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            4 => Some(Self::Four),
            8 => Some(Self::Eight),
            _ => None,
        }
    }

    /// How many there are.
    fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }
}

impl StatusList {
    /// A list of packed statuses. `uri` is what tokens call it by, `expires` when it is no longer to be used.
    pub fn new(uri: &str, bits: Bits, bytes: Arc<[u8]>, expires: Option<UnixSeconds>) -> Self {
        Self { uri: uri.into(), bits, bytes, expires }
    }

    /// How many tokens it has room for.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64 * u64::from(8 / self.bits.count())
    }

    /// Whether it has room for none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What tokens call it by.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// When it is no longer to be used.
    pub fn expires(&self) -> Option<UnixSeconds> {
        self.expires
    }

    /// The memory that the statuses take, in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The status of the token at that place; `None`: the list does not reach so far.
    pub fn status(&self, index: u64) -> Option<u8> {
        let bits = self.bits.count();
        let each = u64::from(8 / bits);
        let byte = *self.bytes.get(usize::try_from(index / each).ok()?)?;
        // The first of a byte stands in its lowest bits.
        let shift = u8::try_from(index % each).ok()? * bits;
        Some((byte >> shift) & (u8::MAX >> (8 - bits)))
    }

    /// How the token of these claims stands.
    pub(super) fn standing(&self, claims: &Claims) -> Standing {
        let (index, uri) = match reference(claims) {
            Ok(Some(reference)) => reference,
            // Its issuer did not put it on a list, so no list can take it back.
            Ok(None) => return Standing::Good,
            Err(rejection) => return Standing::Unreadable(rejection),
        };
        if *uri != *self.uri {
            // Never fetched for that: a token does not choose what waxseal asks.
            return Standing::Unknown(format!("the token is on the list {uri:?}, the one at hand is {:?}", self.uri));
        }
        match self.status(index) {
            Some(0) => Standing::Good,
            Some(1) => Standing::Revoked(format!("its status, number {index} of the list, is 1 (invalid)")),
            Some(2) => Standing::Revoked(format!("its status, number {index} of the list, is 2 (suspended)")),
            Some(other) => Standing::Revoked(format!("its status, number {index} of the list, is {other}, not 0")),
            None => Standing::Revoked(format!("its number {index} is beyond the end of the list ({})", self.len())),
        }
    }
}

impl fmt::Debug for StatusList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusList({:?}, {:?}, {} bytes)", self.uri, self.bits, self.bytes.len())
    }
}

/// Where a token says its status is: the number in a list, and the name of the list; `None`: it says nothing.
fn reference(claims: &Claims) -> Result<Option<(u64, &str)>, Rejection> {
    let Some(status) = claims.get("status") else { return Ok(None) };
    let object = status.as_object().ok_or_else(|| malformed("status", "an object", status))?;
    // A status that is told in another way is none of a list.
    let Some(list) = object.get("status_list") else { return Ok(None) };
    let index = list.get("idx").and_then(serde_json::Value::as_u64);
    let uri = list.get("uri").and_then(serde_json::Value::as_str);
    match (index, uri) {
        (Some(index), Some(uri)) => Ok(Some((index, uri))),
        _ => {
            let detail = "claim \"status\": expected status_list with a whole number idx and a text uri";
            Err(Rejection::new(Code::ClaimMalformed, detail))
        }
    }
}
