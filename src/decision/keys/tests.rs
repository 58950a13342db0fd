//! Claims about which keys are taken, and what they verify.

use std::sync::Arc;

use super::*;
use crate::decision::claims::ClaimPath;
use crate::time::UnixSeconds;

fn set(algorithms: &[Algorithm]) -> AlgorithmSet {
    algorithms.iter().copied().collect()
}

#[test]
fn names_are_exact() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::named(algorithm.name()), Some(algorithm));
    }
    for name in ["hs256", "HS256 ", "none", "", "Ed25519", "ES512", "HMACSHA256"] {
        assert_eq!(Algorithm::named(name), None, "{name}");
    }
}

#[test]
fn weak_secrets_are_refused() {
    let hs512 = set(&[Algorithm::HS512]);
    let refused = |secret: &[u8], short| Key::hmac(None, secret, hs512, short).unwrap_err();
    assert!(matches!(refused(b"security.token.key", true), KeyError::PublishedDefault(_)));
    assert!(matches!(refused(&[7; 63], false), KeyError::ShortSecret { found: 63, least: 64, .. }));
    assert_eq!(refused(b"", true), KeyError::EmptySecret);
    assert!(Key::hmac(None, &[7; 64], hs512, false).is_ok());
    assert!(Key::hmac(None, &[7; 5], hs512, true).is_ok());
}

/// A public key that is too short to be one here.
fn short_rsa() -> Vec<u8> {
    let components = RsaPublicKeyComponents { n: vec![0xff; 128], e: vec![1, 0, 1] };
    aws_lc_rs::encoding::AsDer::as_der(&components).unwrap().as_ref().to_vec()
}

#[test]
fn a_public_key_is_no_secret() {
    let pair = rcgen::KeyPair::generate().unwrap();
    for secret in [
        pair.public_key_pem().into_bytes(),
        rcgen::PublicKeyData::subject_public_key_info(&pair),
        br#"{"kty":"RSA","n":"AA"}"#.to_vec(),
        b"ssh-ed25519 AAAA".to_vec(),
        b"ecdsa-sha2-nistp256 AAAA".to_vec(),
        short_rsa(),
    ] {
        let error = Key::hmac(None, &secret, set(&[Algorithm::HS256]), true).unwrap_err();
        assert_eq!(error, KeyError::PublicAsSecret);
    }
}

#[test]
fn a_key_verifies_with_its_own_algorithms_only() {
    let key = Key::hmac(None, &[7; 64], set(&[Algorithm::HS256]), false).unwrap();
    let mac256 = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &[7; 64]), b"x");
    let mac512 = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &[7; 64]), b"x");
    assert!(key.verifies(Algorithm::HS256, b"x", mac256.as_ref()));
    assert!(!key.verifies(Algorithm::HS512, b"x", mac512.as_ref()));
    assert!(!key.verifies(Algorithm::HS256, b"x", b""));
    assert!(!key.verifies(Algorithm::HS256, b"x", &mac256.as_ref()[..16]));
}

#[test]
fn a_public_key_of_the_wrong_family_is_refused() {
    let p256 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let der = rcgen::PublicKeyData::subject_public_key_info(&p256);
    assert!(Key::public(None, &der, set(&[Algorithm::ES256])).is_ok());
    for wrong in [Algorithm::ES384, Algorithm::RS256, Algorithm::EdDSA, Algorithm::HS256] {
        let error = Key::public(None, &der, set(&[wrong])).unwrap_err();
        assert!(matches!(error, KeyError::WrongFamily { .. }), "{wrong}: {error}");
    }
    assert!(matches!(Key::public(None, b"junk", set(&[Algorithm::ES256])), Err(KeyError::Unreadable(_))));
}

#[test]
fn ed25519_and_p384_keys_are_told_apart() {
    for (kind, algorithm) in
        [(&rcgen::PKCS_ED25519, Algorithm::EdDSA), (&rcgen::PKCS_ECDSA_P384_SHA384, Algorithm::ES384)]
    {
        let der = rcgen::PublicKeyData::subject_public_key_info(&rcgen::KeyPair::generate_for(kind).unwrap());
        let key = Key::public(Some("k"), &der, Algorithm::ALL.into_iter().collect()).unwrap();
        assert_eq!(key.algorithms(), set(&[algorithm]));
    }
}

#[test]
fn types_are_compared_without_case_and_media_prefix() {
    let types = TokenTypes::default();
    for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+JWT")] {
        assert!(types.accept(typ), "{typ:?}");
    }
    for typ in [Some(""), Some("dpop+jwt"), Some("JWT "), Some("application/")] {
        assert!(!types.accept(typ), "{typ:?}");
    }
}

#[test]
fn the_stamp_follows_keys_and_rules() {
    let issuer = |leeway| {
        Arc::new(Issuer {
            name: "i".into(),
            issuers: vec![],
            audiences: vec![],
            algorithms: set(&[Algorithm::HS256]),
            subject: ClaimPath::new("sub"),
            leeway,
            max_lifetime: None,
            require: vec![],
            types: TokenTypes::default(),
        })
    };
    let keys = |byte| {
        let key = Key::hmac(None, &[byte; 32], set(&[Algorithm::HS256]), false).unwrap();
        Some(Arc::new(KeySet::new(vec![key])))
    };
    let now = UnixSeconds::new(0.0).unwrap();
    let stamp_of = |issuer, keys| IssuerSlot::supplied(issuer, keys, Supply::Given).stamp(now);
    let stamp = stamp_of(issuer(0.0), keys(1));
    assert_eq!(stamp, stamp_of(issuer(0.0), keys(1)));
    assert_ne!(stamp, stamp_of(issuer(0.0), keys(2)));
    assert_ne!(stamp, stamp_of(issuer(1.0), keys(1)));
    assert_ne!(stamp, stamp_of(issuer(0.0), None));
    let named = Key::hmac(Some(""), &[1; 32], set(&[Algorithm::HS256]), false).unwrap();
    let named = Some(Arc::new(KeySet::new(vec![named])));
    assert_ne!(stamp, stamp_of(issuer(0.0), named));
}
