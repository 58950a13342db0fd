//! Where key sets come from; beside the path of a request, never on it.

mod courier;
mod jwks;
mod sign;
mod source;

pub use courier::{Courier, Errand, Errands, InVain};
pub use sign::{SignError, Signer};
pub use source::{LoadError, Loaded};

use crate::decision::keys::{AlgorithmSet, Issuer};
use crate::secret::Secret;

/// One issuer as the operator describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Its rules. The algorithms are those that its keys may be used with.
    pub issuer: Issuer,
    /// Where its keys come from.
    pub source: KeySource,
}

impl Settings {
    /// Whether the keys of `other` are the keys of this: the issuer of the same name, the same source, and the same
    /// algorithms. Its other rules may differ.
    pub fn has_keys_of(&self, other: &Settings) -> bool {
        let (own, other_rules) = (&self.issuer, &other.issuer);
        own.name == other_rules.name && own.algorithms == other_rules.algorithms && self.source == other.source
    }
}

/// Where keys come from, what was read already in hand.
#[derive(Clone, Debug, PartialEq)]
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
}

/// The algorithms that the operator names; `None`: those that fit each key.
pub type Wanted = Option<AlgorithmSet>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::claims::ClaimPath;
    use crate::decision::keys::{Algorithm, TokenTypes};

    fn issuer(name: &str) -> Issuer {
        Issuer {
            name: name.into(),
            issuers: Vec::new(),
            audiences: Vec::new(),
            algorithms: AlgorithmSet::from_iter([Algorithm::RS256]),
            subject: ClaimPath::new("sub"),
            leeway: 0.0,
            max_lifetime: None,
            require: Vec::new(),
            types: TokenTypes::default(),
        }
    }

    #[test]
    fn the_keys_of_an_issuer_are_the_same_while_their_source_and_use_are() {
        let settings = |text: &str| Settings { issuer: issuer("a"), source: KeySource::Jwks { text: text.to_owned() } };
        let own = settings("1");
        let lenient = Settings { issuer: Issuer { leeway: 60.0, ..issuer("a") }, ..settings("1") };
        let narrowed =
            Settings { issuer: Issuer { algorithms: AlgorithmSet::default(), ..issuer("a") }, ..settings("1") };
        let renamed = Settings { issuer: issuer("b"), ..settings("1") };
        assert!(own.has_keys_of(&lenient));
        assert!(![settings("2"), narrowed, renamed].iter().any(|other| own.has_keys_of(other)));
    }
}
