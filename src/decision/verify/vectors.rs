//! The vectors of the Wycheproof project: which signatures and keys are good. See `tests/vectors/wycheproof`.
//!
//! Their payloads are seldom claims, so each goes as far as a signature is judged: a compact JWS with keys that are
//! loaded as those of a config are, a bare signature to the key itself. A vector of an algorithm or a form that is not
//! known here is to be refused; `REFUSED` names those of them that are good elsewhere.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::tests::{NOW, issuer};
use super::*;
use crate::decision::keys::{Key, KeyError};
use crate::keys::{KeySource, Loaded};
use crate::secret::Secret;

/// Vectors that are good elsewhere and refused here: their file, their number, and why.
const REFUSED: [(&str, u64, &str); 10] = [
    ("json_web_signature", 346, "its key says PS256 and its token PS384: the key decides"),
    ("json_web_signature", 347, "ES512 is not known here"),
    ("json_web_signature", 350, "its key says PS256 and its token PS384: the key decides"),
    ("json_web_signature", 351, "ES512 is not known here"),
    ("json_web_signature", 372, "a `?` stands in its header, which RFC 7515 section 2 rules out"),
    ("json_web_signature", 373, "a `?` stands in its payload, which RFC 7515 section 2 rules out"),
    ("json_web_key", 2, "a set of keys holds no shared secrets"),
    ("json_web_crypto", 48, "a set of keys holds no shared secrets"),
    ("json_web_crypto", 50, "a JWE is no token here"),
    ("json_web_crypto", 67, "a JWE is no token here"),
];

/// What came of a file, each vector counted once.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    /// Taken, and rightly.
    taken: usize,
    /// Refused, and rightly.
    refused: usize,
    /// Refused although good elsewhere.
    refused_here: usize,
    /// Taken although it is said to be bad, for byte for byte it is a vector that is said to be good.
    contradicted: usize,
}

fn groups(name: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/wycheproof/{name}_test.json"));
    let mut file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    serde_json::from_value(file["testGroups"].take()).unwrap()
}

fn vectors(group: &Value) -> &[Value] {
    group["tests"].as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn is_valid(vector: &Value) -> bool {
    text(&vector["result"]) == "valid"
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = text(value).as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn jwks(keys: &Value) -> Option<Loaded> {
    KeySource::Jwks { text: keys.to_string() }.load(None).ok()
}

/// The keys of a group as an operator would give them: one shared secret by itself, all else as a set.
fn loaded(group: &Value) -> Option<Loaded> {
    let key = group.get("public").unwrap_or(&group["private"]);
    let set = if key.get("keys").is_some() { key.clone() } else { json!({ "keys": [key] }) };
    match set["keys"].as_array().unwrap().as_slice() {
        [secret] if secret["kty"] == "oct" => {
            let bytes = URL_SAFE_NO_PAD.decode(text(&secret["k"]));
            let kid = Some(text(&secret["kid"]).into());
            let source = KeySource::Secret { secret: Secret::new(bytes.unwrap()), kid, short: false };
            source.load(Some([Algorithm::named(text(&secret["alg"]))?].into_iter().collect())).ok()
        }
        _ => jwks(&set),
    }
}

/// The token of a vector, as a client would send it.
fn as_sent(vector: &Value) -> String {
    let token = vector.get("jws").unwrap_or(&vector["jwe"]);
    token.as_str().map_or_else(|| token.to_string(), str::to_owned)
}

/// Plays a file of tokens.
fn play(name: &str) -> Tally {
    let mut tally = Tally::default();
    let now = UnixSeconds::new(NOW).unwrap();
    for group in groups(name) {
        let slot = loaded(&group).map(|Loaded { keys, algorithms, .. }| {
            IssuerSlot::new(Arc::new(Issuer { algorithms, ..issuer("vectors") }), Arc::new(keys))
        });
        for vector in vectors(&group) {
            let token = as_sent(vector);
            let parts = Parts::of(token.as_bytes());
            let taken =
                slot.as_ref().zip(parts.ok()).is_some_and(|(slot, parts)| check_signature(&parts, slot, now).is_ok());
            let is_contradicted = |other: &Value| !is_valid(vector) && is_valid(other) && as_sent(other) == token;
            if vectors(&group).iter().any(is_contradicted) {
                tally.contradicted += 1;
                continue;
            }
            let refused_here = REFUSED.iter().any(|(file, id, _)| *file == name && vector["tcId"] == *id);
            assert!(!refused_here || is_valid(vector), "{name} {} is bad elsewhere too", vector["tcId"]);
            assert_eq!(taken, is_valid(vector) && !refused_here, "{name} {}: {}", vector["tcId"], vector["comment"]);
            tally.count(taken, refused_here);
        }
    }
    println!("{name}: {tally:?}");
    tally
}

impl Tally {
    fn count(&mut self, taken: bool, refused_here: bool) {
        *match (taken, refused_here) {
            (true, _) => &mut self.taken,
            (false, false) => &mut self.refused,
            (false, true) => &mut self.refused_here,
        } += 1;
    }
}

/// Plays a file of bare signatures, each with its key in every form in which its group has it.
fn play_bare(name: &str, algorithm: Algorithm, ders: &[&str], jwk: &str) -> Tally {
    let allowed = AlgorithmSet::from_iter([algorithm]);
    let mut tally = Tally::default();
    for group in groups(name) {
        let mut forms: Vec<KeySet> =
            ders.iter().map(|der| KeySet::new(vec![Key::public(None, &hex(&group[der]), allowed).unwrap()])).collect();
        forms.extend(group.get(jwk).map(|jwk| jwks(&json!({ "keys": [jwk] })).unwrap().keys));
        let forms: Vec<&Key> = forms.iter().flat_map(KeySet::keys).collect();
        for vector in vectors(&group) {
            for key in &forms {
                let taken = key.verifies(algorithm, &hex(&vector["msg"]), &hex(&vector["sig"]));
                assert_eq!(taken, is_valid(vector), "{name} {}: {}", vector["tcId"], vector["comment"]);
            }
            tally.count(is_valid(vector), text(&vector["result"]) == "acceptable");
        }
    }
    println!("{name}: {tally:?}");
    tally
}

#[test]
fn every_compact_jws_is_judged_rightly() {
    let tally = play("json_web_signature");
    assert_eq!(tally, Tally { taken: 40, refused: 353, refused_here: 6, contradicted: 2 });
}

#[test]
fn weak_and_misused_keys_are_not_taken() {
    let tally = play("json_web_key");
    assert_eq!(tally, Tally { taken: 4, refused: 21, refused_here: 1, contradicted: 0 });
}

#[test]
fn sets_of_keys_and_encrypted_tokens_are_judged_rightly() {
    let tally = play("json_web_crypto");
    assert_eq!(tally, Tally { taken: 3, refused: 77, refused_here: 3, contradicted: 0 });
}

#[test]
fn every_p256_signature_is_judged_rightly() {
    let tally = play_bare("ecdsa_secp256r1_sha256_p1363", Algorithm::ES256, &["publicKeyDer"], "publicKeyJwk");
    assert_eq!(tally, Tally { taken: 173, refused: 89, refused_here: 0, contradicted: 0 });
}

#[test]
fn every_p384_signature_is_judged_rightly() {
    let tally = play_bare("ecdsa_secp384r1_sha384_p1363", Algorithm::ES384, &["publicKeyDer"], "publicKeyJwk");
    assert_eq!(tally, Tally { taken: 193, refused: 87, refused_here: 0, contradicted: 0 });
}

#[test]
fn every_ed25519_signature_is_judged_rightly() {
    let tally = play_bare("ed25519", Algorithm::EdDSA, &["publicKeyDer"], "publicKeyJwk");
    assert_eq!(tally, Tally { taken: 88, refused: 63, refused_here: 0, contradicted: 0 });
}

/// The one vector that RFC 8017 leaves open lacks the NULL that its section 9.2 puts into the padding; it is refused, for
/// a signature has one form.
#[test]
fn every_rsa_signature_is_judged_rightly() {
    let tally = play_bare("rsa_signature_2048_sha256", Algorithm::RS256, &["publicKeyDer", "publicKeyAsn"], "keyJwk");
    assert_eq!(tally, Tally { taken: 9, refused: 249, refused_here: 1, contradicted: 0 });
}

/// A MAC cut short is good elsewhere and never in a JWS (RFC 7518 section 3.2); a secret below the hash's length is
/// taken only where the operator says so.
#[test]
fn every_hmac_is_judged_rightly() {
    let allowed = AlgorithmSet::from_iter([Algorithm::HS256]);
    let mut tally = Tally::default();
    for group in groups("hmac_sha256") {
        let (is_short, is_cut) = (group["keySize"].as_u64().unwrap() < 256, group["tagSize"] != 256);
        for vector in vectors(&group) {
            let secret = hex(&vector["key"]);
            let refused = matches!(Key::hmac(None, &secret, allowed, false), Err(KeyError::ShortSecret { .. }));
            assert_eq!(refused, is_short);
            let key = Key::hmac(None, &secret, allowed, true).unwrap();
            let taken = key.verifies(Algorithm::HS256, &hex(&vector["msg"]), &hex(&vector["tag"]));
            assert_eq!(taken, is_valid(vector) && !is_cut, "{}: {}", vector["tcId"], vector["comment"]);
            tally.count(taken, is_valid(vector));
        }
    }
    assert_eq!(tally, Tally { taken: 33, refused: 108, refused_here: 33, contradicted: 0 });
}
