//! Who may sign, and which key may verify what.
//!
//! Each key carries the algorithms it may be used with, so the `alg` of a token chooses nothing (RFC 8725 section 3.1).
//! A key that is too weak or of the wrong kind cannot be made.

mod algorithm;
mod issuer;
mod modulus;
mod slot;

use std::fmt;

use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use aws_lc_rs::{digest, hmac};

pub use algorithm::{Algorithm, AlgorithmSet, Family};
pub use issuer::{Issuer, TokenTypes};
pub use slot::{Fetched, IssuerId, IssuerSlot, Stamp, Supply};

/// Why bytes are not taken as a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum KeyError {
    #[error("this secret is OFBiz's published default ({0:?}): everybody knows it")]
    PublishedDefault(&'static str),
    #[error("the secret has {found} bytes, {algorithm} wants at least {least} (RFC 7518 section 3.2)")]
    ShortSecret { found: usize, least: usize, algorithm: Algorithm },
    #[error("the secret is empty")]
    EmptySecret,
    #[error("a public key was given as a secret: anyone who has it could sign")]
    PublicAsSecret,
    #[error("the RSA key has {0} bits, at least 2048 are wanted")]
    ShortRsa(usize),
    #[error("the RSA key has {0} bits, more than 8192 are never verified")]
    LongRsa(usize),
    #[error("the RSA key was made by a faulty generator and can be factored (CVE-2017-15361): make a new one")]
    BrokenRsa,
    #[error("no algorithm of this issuer ({wanted}) can be used with {found}")]
    WrongFamily { wanted: AlgorithmSet, found: &'static str },
    #[error("the key cannot be read: {0}")]
    Unreadable(&'static str),
}

/// One key and the algorithms it may verify.
pub struct Key {
    id: Option<Box<str>>,
    checks: Vec<(Algorithm, Check)>,
    print: [u8; 32],
}

enum Check {
    Hmac(Box<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// A shared secret for the HMAC algorithms among `allowed`.
    ///
    /// # Errors
    /// See [`KeyError`]: published, short (unless `short` is taken), a public key, or of no use to `allowed`.
    pub fn hmac(id: Option<&str>, secret: &[u8], allowed: AlgorithmSet, short: bool) -> Result<Self, KeyError> {
        const PUBLISHED: &str = "security.token.key";
        if secret == PUBLISHED.as_bytes() {
            return Err(KeyError::PublishedDefault(PUBLISHED));
        }
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        if is_public_key(secret) {
            return Err(KeyError::PublicAsSecret);
        }
        let mut checks = Vec::new();
        for algorithm in allowed.iter() {
            let Some(hash) = algorithm.hmac() else { continue };
            let least = hash.digest_algorithm().output_len();
            if secret.len() < least && !short {
                return Err(KeyError::ShortSecret { found: secret.len(), least, algorithm });
            }
            checks.push((algorithm, Check::Hmac(Box::new(hmac::Key::new(hash, secret)))));
        }
        Self::checked(id, checks, allowed, secret, "a secret")
    }

    /// A public key as a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), or an RSA key as RFC 8017 appendix A.1.1.
    ///
    /// # Errors
    /// See [`KeyError`]: unreadable, a short RSA key, or of no use to `allowed`.
    pub fn public(id: Option<&str>, der: &[u8], allowed: AlgorithmSet) -> Result<Self, KeyError> {
        let family = family_of(der)?;
        let mut checks = Vec::new();
        for algorithm in allowed.iter().filter(|algorithm| algorithm.family() == family) {
            let Some(verification) = algorithm.public() else { continue };
            let key = ParsedPublicKey::new(verification, der).map_err(|_| KeyError::Unreadable("it is malformed"))?;
            checks.push((algorithm, Check::Public(key)));
        }
        Self::checked(id, checks, allowed, der, words(family))
    }

    /// An RSA public key from its modulus and exponent, big-endian (RFC 7518 section 6.3.1).
    ///
    /// # Errors
    /// As [`Key::public`].
    pub fn rsa(id: Option<&str>, n: &[u8], e: &[u8], allowed: AlgorithmSet) -> Result<Self, KeyError> {
        let components = RsaPublicKeyComponents { n, e };
        let der = aws_lc_rs::encoding::AsDer::as_der(&components)
            .map_err(|_| KeyError::Unreadable("modulus and exponent are no RSA key"))?;
        Self::public(id, der.as_ref(), allowed)
    }

    /// A point on a curve, uncompressed (RFC 7518 section 6.2.1), or an Ed25519 key (RFC 8037 section 2).
    ///
    /// # Errors
    /// As [`Key::public`].
    pub fn point(id: Option<&str>, family: Family, point: &[u8], allowed: AlgorithmSet) -> Result<Self, KeyError> {
        let mut checks = Vec::new();
        for algorithm in allowed.iter().filter(|algorithm| algorithm.family() == family) {
            let Some(verification) = algorithm.public() else { continue };
            let key = ParsedPublicKey::new(verification, point)
                .map_err(|_| KeyError::Unreadable("its coordinates are not on the curve"))?;
            checks.push((algorithm, Check::Public(key)));
        }
        Self::checked(id, checks, allowed, point, words(family))
    }

    fn checked(
        id: Option<&str>,
        checks: Vec<(Algorithm, Check)>,
        wanted: AlgorithmSet,
        material: &[u8],
        found: &'static str,
    ) -> Result<Self, KeyError> {
        if checks.is_empty() {
            return Err(KeyError::WrongFamily { wanted, found });
        }
        let mut print = Print::new();
        // A key without a name is another than one whose name is empty.
        print.add(if id.is_some() { b"named" } else { b"" });
        print.add(id.unwrap_or_default().as_bytes());
        for (algorithm, _) in &checks {
            print.add(algorithm.name().as_bytes());
        }
        print.add(material);
        Ok(Self { id: id.map(Box::from), checks, print: print.finish() })
    }

    /// The name that a token may call it by; `None`: whatever a token calls its key.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The algorithms it may verify.
    pub fn algorithms(&self) -> AlgorithmSet {
        self.checks.iter().map(|(algorithm, _)| *algorithm).collect()
    }

    /// Whether `signature` over `signed` is this key's under `algorithm`.
    pub fn verifies(&self, algorithm: Algorithm, signed: &[u8], signature: &[u8]) -> bool {
        self.checks.iter().filter(|(own, _)| *own == algorithm).any(|(_, check)| match check {
            Check::Hmac(key) => hmac::verify(key, signed, signature).is_ok(),
            Check::Public(key) => key.verify_sig(signed, signature).is_ok(),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?}, {})", self.id, self.algorithms())
    }
}

/// What kind of public key this is.
fn family_of(der: &[u8]) -> Result<Family, KeyError> {
    if let Ok(key) = RsaPublicKey::from_der(der) {
        return modulus::check(&key).map(|()| Family::Rsa);
    }
    for algorithm in [Algorithm::ES256, Algorithm::ES384, Algorithm::EdDSA] {
        if algorithm.public().is_some_and(|verification| ParsedPublicKey::new(verification, der).is_ok()) {
            return Ok(algorithm.family());
        }
    }
    Err(KeyError::Unreadable("it is no RSA, P-256, P-384 or Ed25519 public key"))
}

fn words(family: Family) -> &'static str {
    match family {
        Family::Hmac => "a secret",
        Family::Rsa => "an RSA key",
        Family::P256 => "a P-256 key",
        Family::P384 => "a P-384 key",
        Family::Ed25519 => "an Ed25519 key",
    }
}

/// Whether a "secret" is really a public key, in any of its usual forms.
fn is_public_key(secret: &[u8]) -> bool {
    /// With which every SubjectPublicKeyInfo begins; without this look, any 32 bytes are an Ed25519 key.
    const DER_SEQUENCE: u8 = 0x30;
    let text = String::from_utf8_lossy(secret);
    let text = text.trim_start();
    text.starts_with("-----BEGIN ")
        || (text.starts_with('{') && text.contains("\"kty\""))
        || (text.starts_with('{') && text.contains("\"keys\""))
        || text.starts_with("ssh-")
        || text.starts_with("ecdsa-sha2-")
        || (secret.first() == Some(&DER_SEQUENCE) && !matches!(family_of(secret), Err(KeyError::Unreadable(_))))
}

/// All keys of one issuer.
#[derive(Debug)]
pub struct KeySet {
    keys: Vec<Key>,
    print: [u8; 32],
}

impl KeySet {
    /// A set of these keys, in the order in which they are tried.
    pub fn new(keys: Vec<Key>) -> Self {
        let mut print = Print::new();
        for key in &keys {
            print.add(&key.print);
        }
        Self { print: print.finish(), keys }
    }

    /// Its keys.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// A digest over parts whose lengths count, so that no two lists of parts run together.
struct Print(digest::Context);

impl Print {
    fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update(&part.len().to_be_bytes());
        self.0.update(part);
    }

    fn finish(self) -> [u8; 32] {
        self.0.finish().as_ref().try_into().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
