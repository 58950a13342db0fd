//! Where key sets come from; beside the path of a request, never on it.

mod address;
mod courier;
mod discovery;
pub mod fetch;
mod jwks;
mod keeper;
mod plan;
pub mod revoked;
mod shelf;
mod sign;
mod source;

pub use address::{Address, AddressError};
pub use courier::{Courier, Errand, Errands, InVain};
pub use keeper::{Hooks, Keeper, Standing};
pub use plan::{Brought, Origin, Plan};
pub use sign::{SignError, Signer};
pub use source::{LoadError, Loaded};

use crate::decision::keys::{AlgorithmSet, Issuer};
use crate::secret::Secret;

/// One issuer as the operator describes it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its rules. The algorithms are those that its keys may be used with.
    pub issuer: Issuer,
    /// Where its keys come from.
    pub source: KeySource,
    /// Where the list of tokens is that it took back; `None`: there is none.
    pub revoked: Option<revoked::Settings>,
}

/// Where keys come from, what was read already in hand.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A shared secret: the bytes that sign.
    Secret {
        /// The key itself, decoded and salted.
        secret: Secret<Vec<u8>>,
        /// The name a token may call it by; `None`: any.
        kid: Option<Box<str>>,
        /// Whether it may be shorter than the hash.
        short: bool,
    },
    /// One public key in PEM.
    Pem {
        /// The text of the file.
        text: String,
        /// The name a token may call it by; `None`: any.
        kid: Option<Box<str>>,
    },
    /// A JWK Set (RFC 7517 section 5).
    Jwks {
        /// The text of the file.
        text: String,
    },
    /// A JWK Set that is fetched while the program runs, and may not be there yet.
    Fetched(Box<Plan>),
}

impl Settings {
    /// How its keys are fetched, where they are.
    pub fn plan(&self) -> Option<&Plan> {
        match &self.source {
            KeySource::Fetched(plan) => Some(plan),
            KeySource::Secret { .. } | KeySource::Pem { .. } | KeySource::Jwks { .. } => None,
        }
    }
}

/// The algorithms that the operator names; `None`: those that fit each key.
pub type Wanted = Option<AlgorithmSet>;
