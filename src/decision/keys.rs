//! Who may sign, and which key may verify what.
//!
//! Each key carries the algorithms it may be used with, so the `alg` of a token chooses nothing (RFC 8725 section 3.1).
//! A key that is too weak or of the wrong kind cannot be made.

mod modulus;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use aws_lc_rs::{digest, hmac};

use super::claims::ClaimPath;

/// A signature algorithm of RFC 7518 section 3.1 or RFC 8037 that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the standard's own")]
#[repr(u8)]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// What kind of key an algorithm takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// A shared secret.
    Hmac,
    /// An RSA key.
    Rsa,
    /// A point on P-256.
    P256,
    /// A point on P-384.
    P384,
    /// An Ed25519 key.
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 12] = [
        Algorithm::HS256,
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ];

    /// The name in `alg`, exact to the letter (RFC 7515 section 4.1.1).
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::EdDSA => "EdDSA",
        }
    }

    /// The algorithm of that exact name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// What kind of key it takes.
    pub const fn family(self) -> Family {
        match self {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Family::Hmac,
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => Family::Rsa,
            Algorithm::ES256 => Family::P256,
            Algorithm::ES384 => Family::P384,
            Algorithm::EdDSA => Family::Ed25519,
        }
    }

    fn hmac(self) -> Option<hmac::Algorithm> {
        match self {
            Algorithm::HS256 => Some(hmac::HMAC_SHA256),
            Algorithm::HS384 => Some(hmac::HMAC_SHA384),
            Algorithm::HS512 => Some(hmac::HMAC_SHA512),
            _ => None,
        }
    }

    fn public(self) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match self {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => return None,
            Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            Algorithm::PS384 => &signature::RSA_PSS_2048_8192_SHA384,
            Algorithm::PS512 => &signature::RSA_PSS_2048_8192_SHA512,
            Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
            Algorithm::EdDSA => &signature::ED25519,
        })
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A few algorithms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AlgorithmSet(u16);

impl AlgorithmSet {
    /// Whether the algorithm is one of them.
    pub fn contains(self, algorithm: Algorithm) -> bool {
        self.0 & (1 << algorithm as u8) != 0
    }

    /// Those that are in both.
    pub fn and(self, other: AlgorithmSet) -> AlgorithmSet {
        AlgorithmSet(self.0 & other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Algorithm> {
        Algorithm::ALL.into_iter().filter(move |algorithm| self.contains(*algorithm))
    }
}

impl FromIterator<Algorithm> for AlgorithmSet {
    fn from_iter<I: IntoIterator<Item = Algorithm>>(algorithms: I) -> Self {
        AlgorithmSet(algorithms.into_iter().fold(0, |bits, algorithm| bits | (1 << algorithm as u8)))
    }
}

impl fmt::Display for AlgorithmSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Algorithm::name).collect();
        f.write_str(&names.join(", "))
    }
}

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

/// Who may issue tokens, and what tokens of theirs must be like.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// For people and for routes that name it.
    pub name: Arc<str>,
    /// The values of `iss` it issues under; none: `iss` is not looked at.
    pub issuers: Vec<Box<str>>,
    /// Audiences of which one must be in `aud`; none: `aud` is not looked at.
    pub audiences: Vec<Box<str>>,
    /// The algorithms it signs with.
    pub algorithms: AlgorithmSet,
    /// The claim that names the subject.
    pub subject: ClaimPath,
    /// Allowed clock difference at `exp`, `nbf` and `iat`, in seconds.
    pub leeway: f64,
    /// The longest `exp - iat`, in seconds; `None`: any.
    pub max_lifetime: Option<f64>,
    /// Claims that must be there besides `exp` and the subject.
    pub require: Vec<ClaimPath>,
    /// The `typ` headers it sets.
    pub types: TokenTypes,
}

impl Issuer {
    /// What `iss` must be for this issuer, for people.
    pub(super) fn accepted_iss(&self) -> String {
        match self.issuers.as_slice() {
            [] => format!("anything (issuer {:?} looks at no iss)", self.name),
            [one] => format!("{one:?} (issuer {:?})", self.name),
            several => format!("one of {several:?} (issuer {:?})", self.name),
        }
    }
}

/// Which `typ` headers are accepted (RFC 7515 section 4.1.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenTypes {
    /// Whether there may be none.
    pub absent: bool,
    /// The names, compared without case and without a leading `application/`.
    pub names: Vec<Box<str>>,
}

impl Default for TokenTypes {
    fn default() -> Self {
        Self { absent: true, names: vec!["JWT".into(), "at+jwt".into()] }
    }
}

impl TokenTypes {
    /// What is accepted, for people.
    pub(super) fn words(&self) -> String {
        format!("{}one of {:?}", if self.absent { "none, or " } else { "" }, self.names)
    }

    /// Whether a token with that `typ` is accepted.
    pub fn accept(&self, typ: Option<&str>) -> bool {
        let plain = |name: &str| match name.get(..12) {
            Some(start) if start.eq_ignore_ascii_case("application/") => name.get(12..).unwrap_or_default().to_owned(),
            _ => name.to_owned(),
        };
        match typ {
            None => self.absent,
            Some(typ) => self.names.iter().any(|name| plain(name).eq_ignore_ascii_case(&plain(typ))),
        }
    }
}

/// The place of an issuer in the snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IssuerId(pub usize);

/// An issuer with the keys it has now.
#[derive(Clone, Debug)]
pub struct IssuerSlot {
    /// Its rules.
    pub issuer: Arc<Issuer>,
    /// Its keys; `None`: never had, or too old to use.
    pub keys: Option<Arc<KeySet>>,
    stamp: Stamp,
}

/// Tells apart what a proof rests on: an issuer's keys and its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([u8; 32]);

impl IssuerSlot {
    /// An issuer with these keys.
    pub fn new(issuer: Arc<Issuer>, keys: Option<Arc<KeySet>>) -> Self {
        let mut print = Print::new();
        print.add(format!("{issuer:?}").as_bytes());
        print.add(&keys.as_ref().map(|keys| keys.print).unwrap_or_default());
        Self { stamp: Stamp(print.finish()), issuer, keys }
    }

    /// Changes whenever the keys or the rules do.
    pub fn stamp(&self) -> Stamp {
        self.stamp
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
