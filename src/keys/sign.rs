//! Issuing tokens with the secret of an issuer.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

use super::{KeySource, Settings};
use crate::decision::keys::Algorithm as Own;
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
}

/// A token with these claims, signed with the secret of `settings` under the first of its algorithms.
///
/// # Errors
/// Where the issuer has no secret.
pub fn sign(settings: &Settings, claims: &Value) -> Result<Secret<String>, SignError> {
    let KeySource::Secret { secret, kid, .. } = &settings.source else {
        return Err(SignError::PublicKey(settings.issuer.name.to_string()));
    };
    let algorithm = match settings.issuer.algorithms.iter().next() {
        Some(Own::HS256) => Algorithm::HS256,
        Some(Own::HS384) => Algorithm::HS384,
        _ => Algorithm::HS512,
    };
    let header = Header { kid: kid.as_deref().map(str::to_owned), ..Header::new(algorithm) };
    Ok(Secret::new(jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.expose()))?))
}
