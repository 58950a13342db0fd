//! The keys of the issuer: one for each algorithm, what signs and what verifies.

use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    self, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RsaEncoding,
};
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use waxseal::decision::keys::{Algorithm, AlgorithmSet, Family, Key};

enum Private {
    Secret(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

/// A key and the one algorithm it is for.
pub struct Signer {
    pub algorithm: Algorithm,
    private: Private,
}

impl Signer {
    /// A fresh key for each algorithm, in the order of [`Algorithm::ALL`].
    pub fn all() -> Vec<Self> {
        Algorithm::ALL.into_iter().map(|algorithm| Self { algorithm, private: Private::fresh(algorithm) }).collect()
    }

    /// How tokens call the key.
    pub fn kid(&self) -> String {
        format!("key-{}", self.algorithm)
    }

    /// As waxseal has it.
    pub fn key(&self) -> Key {
        let allowed = AlgorithmSet::from_iter([self.algorithm]);
        let (kid, family) = (Some(self.kid()), self.algorithm.family());
        let key = match &self.private {
            Private::Secret(secret) => Key::hmac(kid.as_deref(), secret, allowed, false),
            Private::Rsa(_) => Key::public(kid.as_deref(), &self.public(), allowed),
            Private::Ec(_) | Private::Ed(_) => Key::point(kid.as_deref(), family, &self.public(), allowed),
        };
        key.unwrap()
    }

    /// What everybody may know of it.
    pub fn public(&self) -> Vec<u8> {
        match &self.private {
            Private::Secret(_) => b"nothing".to_vec(),
            Private::Rsa(pair) => pair.public_key().as_ref().to_vec(),
            Private::Ec(pair) => pair.public_key().as_ref().to_vec(),
            Private::Ed(pair) => pair.public_key().as_ref().to_vec(),
        }
    }

    /// As RFC 7517 writes it.
    pub fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.private {
            Private::Secret(secret) => json!({"kty": "oct", "k": encode(secret)}),
            Private::Rsa(pair) => json!({
                "kty": "RSA",
                "n": encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                "e": encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Private::Ec(_) => {
                let point = self.public();
                let (x, y) = point[1..].split_at(point.len() / 2);
                let crv = if self.algorithm.family() == Family::P256 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Private::Ed(_) => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&self.public())}),
        };
        jwk["kid"] = self.kid().into();
        jwk["alg"] = self.algorithm.name().into();
        jwk
    }

    /// Its signature over these bytes.
    pub fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = rand::SystemRandom::new();
        match &self.private {
            Private::Secret(secret) => mac(self.algorithm, secret, signed),
            Private::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding(self.algorithm), &random, signed, &mut signature).unwrap();
                signature
            }
            Private::Ec(pair) => pair.sign(&random, signed).unwrap().as_ref().to_vec(),
            Private::Ed(pair) => pair.sign(signed).as_ref().to_vec(),
        }
    }
}

impl Private {
    fn fresh(algorithm: Algorithm) -> Self {
        match algorithm.family() {
            Family::Hmac => {
                let mut secret = vec![0; 64];
                rand::fill(&mut secret).unwrap();
                Private::Secret(secret)
            }
            Family::Rsa => Private::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())),
            Family::P256 => Private::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            Family::P384 => Private::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            Family::Ed25519 => Private::Ed(Ed25519KeyPair::generate().unwrap()),
        }
    }
}

/// An HMAC, for another algorithm than those with one by SHA-256.
pub fn mac(algorithm: Algorithm, secret: &[u8], signed: &[u8]) -> Vec<u8> {
    let hash = match algorithm {
        Algorithm::HS384 => hmac::HMAC_SHA384,
        Algorithm::HS512 => hmac::HMAC_SHA512,
        _ => hmac::HMAC_SHA256,
    };
    hmac::sign(&hmac::Key::new(hash, secret), signed).as_ref().to_vec()
}

fn padding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::PS256 => &signature::RSA_PSS_SHA256,
        Algorithm::PS384 => &signature::RSA_PSS_SHA384,
        Algorithm::PS512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}
