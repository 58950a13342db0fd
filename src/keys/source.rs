//! From what the operator gives to a set of keys: a secret, one public key in PEM, or a JWK Set.
//!
//! Where no algorithm is named, each key gets the one that its kind is used with most; a longer list would let a token
//! choose.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{KeySource, Wanted, jwks};
use crate::decision::keys::{Algorithm, AlgorithmSet, Family, Key, KeyError, KeySet};

/// What a source holds.
#[derive(Debug)]
pub struct Loaded {
    /// Its keys; at least one.
    pub keys: KeySet,
    /// The algorithms of all of them together.
    pub algorithms: AlgorithmSet,
    /// What was left out, and what else is odd; for the operator.
    pub notes: Vec<String>,
}

/// Why a source gives no keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The one key there is cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The text holds no PEM block, or one that is cut off.
    #[error("no whole PEM block was found: it begins with `-----BEGIN PUBLIC KEY-----` and ends with a line like it")]
    NoPem,
    /// What stands between the lines of a PEM block is no Base64.
    #[error("what stands inside the PEM block is no Base64")]
    BrokenPem,
    /// It could sign as well, and has no business here.
    #[error(
        "this is a private key, and waxseal only verifies: keep it with the issuer and give the public key \
         (`openssl pkey -in FILE -pubout`)"
    )]
    PrivateKey,
    /// The key is inside, but a certificate is not looked at in its own right.
    #[error(
        "this is a certificate, whose dates and issuer would not be looked at: give the public key alone \
         (`openssl x509 -in FILE -pubkey -noout`)"
    )]
    Certificate,
    /// A PEM block of another kind.
    #[error("a PEM block {0:?} is no public key: `PUBLIC KEY` or `RSA PUBLIC KEY` is expected")]
    OtherBlock(String),
    /// Only one can be meant.
    #[error("there are {0} PEM blocks: give one key a file, or a JWK Set (`jwks`) for several")]
    SeveralBlocks(usize),
    /// It is not of the form of RFC 7517 section 5.
    #[error("this is no JWK Set: {0}")]
    NoSet(&'static str),
    /// They are fetched, and not at hand.
    #[error("the keys are fetched while waxseal runs")]
    Elsewhere,
    /// No entry was of use.
    #[error("no key of the JWK Set can be used{}", reasons(.0))]
    Empty(Vec<String>),
}

fn reasons(notes: &[String]) -> String {
    if notes.is_empty() { String::from(": it is empty") } else { format!(": {}", notes.join("; ")) }
}

impl KeySource {
    /// Makes the keys. `wanted` are the algorithms that the operator names; `None` takes those that fit each key.
    ///
    /// # Errors
    /// See [`LoadError`]. Trying again helps only after the source has changed.
    pub fn load(&self, wanted: Wanted) -> Result<Loaded, LoadError> {
        match self {
            KeySource::Secret { secret, kid, short } => {
                let allowed = wanted.unwrap_or_else(|| usual(Family::Hmac));
                single(Key::hmac(kid.as_deref(), secret.expose(), allowed, *short)?)
            }
            KeySource::Pem { text, kid } => {
                let der = pem(text)?;
                let allowed = wanted.unwrap_or_else(usual_public);
                single(Key::public(kid.as_deref(), &der, allowed)?)
            }
            KeySource::Jwks { text } => jwks::load(text, wanted),
            KeySource::Fetched(_) => Err(LoadError::Elsewhere),
        }
    }
}

fn single(key: Key) -> Result<Loaded, LoadError> {
    Ok(Loaded { algorithms: key.algorithms(), keys: KeySet::new(vec![key]), notes: Vec::new() })
}

/// The algorithm that a kind of key is used with where nobody says.
pub(super) fn usual(family: Family) -> AlgorithmSet {
    let algorithm = match family {
        // What OFBiz and HotWax sign with.
        Family::Hmac => Algorithm::HS512,
        Family::Rsa => Algorithm::RS256,
        Family::P256 => Algorithm::ES256,
        Family::P384 => Algorithm::ES384,
        Family::Ed25519 => Algorithm::EdDSA,
    };
    AlgorithmSet::from_iter([algorithm])
}

/// The usual algorithms of all public keys; a key takes the one of its own kind.
fn usual_public() -> AlgorithmSet {
    [Family::Rsa, Family::P256, Family::P384, Family::Ed25519].into_iter().flat_map(|kind| usual(kind).iter()).collect()
}

/// The bytes of the one public key in a PEM text (RFC 7468); what stands around the block is explanation.
fn pem(text: &str) -> Result<Vec<u8>, LoadError> {
    let label = |line: &str| -> Option<String> {
        line.trim().strip_prefix("-----BEGIN ")?.strip_suffix("-----").map(str::to_owned)
    };
    let labels: Vec<String> = text.lines().filter_map(label).collect();
    // A private key is told first: it must not lie here, whatever else does.
    if labels.iter().any(|label| label.ends_with("PRIVATE KEY")) {
        return Err(LoadError::PrivateKey);
    }
    let [label] = labels.as_slice() else {
        return Err(if labels.is_empty() { LoadError::NoPem } else { LoadError::SeveralBlocks(labels.len()) });
    };
    match label.as_str() {
        "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
        "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => return Err(LoadError::Certificate),
        other => return Err(LoadError::OtherBlock(other.to_owned())),
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let inside = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map(|(inside, _)| inside);
    let base64: String = inside.ok_or(LoadError::NoPem)?.split_ascii_whitespace().collect();
    STANDARD.decode(base64).map_err(|_| LoadError::BrokenPem)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
    use aws_lc_rs::signature::KeyPair;

    use super::*;
    use crate::secret::Secret;

    fn block(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    fn load(text: &str) -> Result<Loaded, LoadError> {
        KeySource::Pem { text: text.to_owned(), kid: None }.load(None)
    }

    #[test]
    fn a_secret_without_named_algorithms_is_for_hs512() {
        let source = KeySource::Secret { secret: Secret::new(vec![7; 64]), kid: Some("k".into()), short: false };
        let loaded = source.load(None).unwrap();
        assert_eq!(loaded.algorithms.to_string(), "HS512");
        assert_eq!(loaded.keys.keys()[0].id(), Some("k"));
        let wanted = AlgorithmSet::from_iter([Algorithm::HS256, Algorithm::HS384]);
        assert_eq!(source.load(Some(wanted)).unwrap().algorithms, wanted);
    }

    #[test]
    fn an_rsa_key_is_taken_in_both_of_its_forms() {
        let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        for text in [block("PUBLIC KEY", spki.as_ref()), block("RSA PUBLIC KEY", pair.public_key().as_ref())] {
            assert_eq!(load(&text).unwrap().algorithms.to_string(), "RS256");
        }
        let explained = format!("The key of the issuer:\r\n{}", block("PUBLIC KEY", spki.as_ref()));
        assert!(load(&explained).is_ok());
    }

    #[test]
    fn each_curve_has_its_usual_algorithm() {
        for (kind, algorithm) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, "ES256"),
            (&rcgen::PKCS_ECDSA_P384_SHA384, "ES384"),
            (&rcgen::PKCS_ED25519, "EdDSA"),
        ] {
            let pem = rcgen::KeyPair::generate_for(kind).unwrap().public_key_pem();
            assert_eq!(load(&pem).unwrap().algorithms.to_string(), algorithm);
        }
    }

    #[test]
    fn what_is_no_single_public_key_is_told_apart() {
        let pair = rcgen::KeyPair::generate().unwrap();
        let public = pair.public_key_pem();
        assert_eq!(load(&pair.serialize_pem()).unwrap_err(), LoadError::PrivateKey);
        assert_eq!(load(&format!("{public}{}", pair.serialize_pem())).unwrap_err(), LoadError::PrivateKey);
        assert_eq!(load(&format!("{public}{public}")).unwrap_err(), LoadError::SeveralBlocks(2));
        assert_eq!(load(&block("CERTIFICATE", b"x")).unwrap_err(), LoadError::Certificate);
        assert_eq!(load(&block("DH PARAMETERS", b"x")).unwrap_err(), LoadError::OtherBlock("DH PARAMETERS".into()));
        assert_eq!(load("ssh-ed25519 AAAA").unwrap_err(), LoadError::NoPem);
        assert_eq!(load(public.split("-----END").next().unwrap()).unwrap_err(), LoadError::NoPem);
        assert_eq!(load(&public.replace("M", "*")).unwrap_err(), LoadError::BrokenPem);
        assert!(matches!(load(&block("PUBLIC KEY", b"x")).unwrap_err(), LoadError::Key(KeyError::Unreadable(_))));
    }

    #[test]
    fn algorithms_that_do_not_fit_are_an_error() {
        let pem = rcgen::KeyPair::generate().unwrap().public_key_pem();
        let wanted = AlgorithmSet::from_iter([Algorithm::RS256]);
        let error = KeySource::Pem { text: pem, kid: None }.load(Some(wanted)).unwrap_err();
        assert!(matches!(error, LoadError::Key(KeyError::WrongFamily { .. })), "{error}");
    }
}
