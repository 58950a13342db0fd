//! Issuing tokens: with the secret of an issuer, or with a key that stands in for one that is not at hand.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

use super::{KeySource, Settings};
use crate::decision::keys::{Algorithm as Own, AlgorithmSet, Family, Issuer, Key};
use crate::secret::Secret;

/// Why no token can be issued.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs, reason = "each message says it")]
pub enum SignError {
    #[error(
        "issuer {0:?} has a public key, which verifies and cannot sign; tokens are issued where its private key is"
    )]
    PublicKey(String),
    #[error("the token cannot be encoded: {0}")]
    Encoding(#[from] jsonwebtoken::errors::Error),
    #[error("the system gives no random numbers")]
    NoRandomness,
}

/// Signs tokens for one issuer.
pub struct Signer {
    key: EncodingKey,
    header: Header,
}

impl Signer {
    /// Signs with the secret of an issuer, under the first of its algorithms.
    ///
    /// # Errors
    /// Where the issuer has no secret.
    pub fn of(settings: &Settings) -> Result<Self, SignError> {
        let KeySource::Secret { secret, kid, .. } = &settings.source else {
            return Err(SignError::PublicKey(settings.issuer.name.to_string()));
        };
        let algorithm = match settings.issuer.algorithms.iter().next() {
            Some(Own::HS256) => Algorithm::HS256,
            Some(Own::HS384) => Algorithm::HS384,
            _ => Algorithm::HS512,
        };
        let kid = kid.as_deref().map(str::to_owned);
        let header = Header { kid, typ: typ(&settings.issuer), ..Header::new(algorithm) };
        Ok(Self { key: EncodingKey::from_secret(secret.expose()), header })
    }

    /// Signs with a fresh Ed25519 key that stands in for the issuer's own, and the public key that proves it.
    ///
    /// # Errors
    /// Where the system gives no random numbers.
    pub fn stand_in(issuer: &Issuer) -> Result<(Self, Key), SignError> {
        let private = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| SignError::NoRandomness)?;
        let pair = Ed25519KeyPair::from_pkcs8(private.as_ref()).map_err(|_| SignError::NoRandomness)?;
        let allowed = AlgorithmSet::from_iter([Own::EdDSA]);
        let public = Key::point(None, Family::Ed25519, pair.public_key().as_ref(), allowed)
            .map_err(|_| SignError::NoRandomness)?;
        let header = Header { typ: typ(issuer), ..Header::new(Algorithm::EdDSA) };
        Ok((Self { key: EncodingKey::from_ed_der(private.as_ref()), header }, public))
    }

    /// A token with these claims.
    ///
    /// # Errors
    /// Where they cannot be encoded.
    pub fn sign(&self, claims: &Value) -> Result<Secret<String>, SignError> {
        Ok(Secret::new(jsonwebtoken::encode(&self.header, claims, &self.key)?))
    }
}

/// A `typ` that the issuer's tokens are taken with: `JWT` where it may be.
fn typ(issuer: &Issuer) -> Option<String> {
    const USUAL: &str = "JWT";
    match issuer.types.accept(Some(USUAL)) {
        true => Some(USUAL.to_owned()),
        false => issuer.types.names.first().map(|name| name.to_string()),
    }
}
