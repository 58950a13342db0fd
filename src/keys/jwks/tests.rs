//! Which entries of a JWK Set are taken.

use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize, PublicKey};
use aws_lc_rs::signature::KeyPair as _;
use serde_json::json;

use super::*;

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa(size: KeySize) -> Value {
    let pair = RsaPair::generate(size).unwrap();
    let public: &PublicKey = pair.public_key();
    let n = encode(public.modulus().big_endian_without_leading_zero());
    let e = encode(public.exponent().big_endian_without_leading_zero());
    json!({"kty": "RSA", "n": n, "e": e})
}

fn ec(kind: &'static rcgen::SignatureAlgorithm, crv: &str, length: usize) -> Value {
    let pair = rcgen::KeyPair::generate_for(kind).unwrap();
    let (x, y) = pair.public_key_raw()[1..].split_at(length);
    json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
}

fn p256() -> Value {
    ec(&rcgen::PKCS_ECDSA_P256_SHA256, "P-256", 32)
}

fn ed25519() -> Value {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key_raw())})
}

/// The key with some members set anew; `null` takes one away.
fn with(mut key: Value, changes: Value) -> Value {
    let members = key.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        members.remove(name);
        if !value.is_null() {
            members.insert(name.clone(), value.clone());
        }
    }
    key
}

fn set(keys: &[Value], wanted: Wanted) -> Result<Loaded, LoadError> {
    load(&json!({ "keys": keys }).to_string(), wanted)
}

#[test]
fn every_known_kind_is_taken() {
    let keys = [rsa(KeySize::Rsa2048), p256(), ec(&rcgen::PKCS_ECDSA_P384_SHA384, "P-384", 48), ed25519()];
    let loaded = set(&keys, None).unwrap();
    assert_eq!(loaded.notes, Vec::<String>::new());
    assert_eq!(loaded.algorithms.to_string(), "RS256, ES256, ES384, EdDSA");
    assert_eq!(loaded.keys.keys().len(), 4);
}

#[test]
fn the_alg_of_a_key_narrows_and_never_widens() {
    let key = with(rsa(KeySize::Rsa2048), json!({"alg": "PS256"}));
    let of = |names: &[Algorithm]| Some(names.iter().copied().collect::<AlgorithmSet>());
    assert_eq!(set(std::slice::from_ref(&key), None).unwrap().algorithms.to_string(), "PS256");
    let both = of(&[Algorithm::RS256, Algorithm::PS256]);
    assert_eq!(set(std::slice::from_ref(&key), both).unwrap().algorithms.to_string(), "PS256");
    assert!(matches!(set(&[key], of(&[Algorithm::RS256])), Err(LoadError::Empty(_))));
    assert_eq!(set(&[rsa(KeySize::Rsa2048)], both).unwrap().algorithms, both.unwrap());
}

#[test]
fn entries_of_no_use_are_left_out_with_a_reason() {
    for (changes, words) in [
        (json!({"use": "enc"}), "use is \"enc\""),
        (json!({"key_ops": ["sign"]}), "key_ops"),
        (json!({"key_ops": "verify"}), "key_ops is no list"),
        (json!({"kty": "oct", "k": "AAAA"}), "shared secret"),
        (json!({"d": "AAAA"}), "private key"),
        (json!({"kty": "XYZ"}), "kty \"XYZ\""),
        (json!({"kty": null}), "no kty"),
        (json!({"crv": "P-521"}), "curve \"P-521\""),
        (json!({"crv": null}), "no crv"),
        (json!({"x": "AA=="}), "no base64url"),
        (json!({"x": "AAAA"}), "3 bytes"),
        (json!({"y": encode(&[1; 32])}), "not on the curve"),
        (json!({"y": null}), "no y"),
        (json!({"alg": "ES384"}), "does not fit"),
        (json!({"alg": "ECDH-ES"}), "not known"),
        (json!({"kid": 7}), "kid is no text"),
    ] {
        let loaded = set(&[with(p256(), changes.clone()), ed25519()], None).unwrap();
        assert_eq!(loaded.algorithms.to_string(), "EdDSA", "{changes}");
        assert_eq!(loaded.notes.len(), 1, "{changes}");
        assert!(loaded.notes[0].contains(words), "{changes}: {}", loaded.notes[0]);
    }
    let loaded = set(&[json!("x"), ed25519()], None).unwrap();
    assert!(loaded.notes[0].contains("key 1 of the list left out: it is no object"));
    // A short modulus is an odd number of the right form; making one takes no key pair.
    let short = json!({"kty": "RSA", "n": encode(&[0xff; 128]), "e": "AQAB", "kid": "old"});
    let loaded = set(&[short, ed25519()], None).unwrap();
    assert!(loaded.notes[0].starts_with("key \"old\" left out: "), "{}", loaded.notes[0]);
    assert!(loaded.notes[0].contains("1024 bits"), "{}", loaded.notes[0]);
}

#[test]
fn a_note_holds_only_the_beginning_of_what_is_long() {
    let long = "y".repeat(5000);
    for changes in [json!({"kty": long}), json!({"crv": long}), json!({"use": long}), json!({"alg": long})] {
        let spoilt = with(with(p256(), changes.clone()), json!({"kid": long}));
        let loaded = set(&[spoilt, ed25519()], None).unwrap();
        assert!(loaded.notes[0].contains("yyyy") && loaded.notes[0].len() < 400, "{}", loaded.notes[0]);
    }
    let named = with(p256(), json!({"kid": long}));
    let twice = set(&[named.clone(), named], None).unwrap();
    assert!(twice.notes[0].contains("yyyy") && twice.notes[0].len() < 400, "{}", twice.notes[0]);
}

#[test]
fn a_leading_zero_of_a_modulus_says_nothing() {
    let key = rsa(KeySize::Rsa2048);
    let mut n = URL_SAFE_NO_PAD.decode(key["n"].as_str().unwrap()).unwrap();
    n.insert(0, 0);
    assert!(set(&[with(key, json!({"n": encode(&n)}))], None).is_ok());
}

#[test]
fn keys_of_one_name_are_all_taken_and_told_of() {
    let named = |key: Value| with(key, json!({"kid": "k"}));
    let loaded = set(&[named(p256()), named(p256()), named(p256())], None).unwrap();
    assert_eq!((loaded.keys.keys().len(), loaded.notes.len()), (3, 1));
    assert_eq!(loaded.notes[0], "several keys named \"k\" for ES256: each is tried");
    assert!(set(&[named(p256()), named(ed25519())], None).unwrap().notes.is_empty(), "they differ in algorithm");
    assert!(set(&[p256(), p256()], None).unwrap().notes.is_empty(), "keys without a name are tried in turn");
}

#[test]
fn what_is_no_set_is_refused() {
    for (text, words) in [
        ("", "broken"),
        ("[]", "no object"),
        ("{}", "no member `keys`"),
        (r#"{"keys":{}}"#, "no list"),
        (r#"{"keys":[],"keys":[]}"#, "twice"),
        (r#"{"kty":"RSA"}"#, "single key"),
        (r#"{"keys":[]}"#, "it is empty"),
    ] {
        let error = load(text, None).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
}
