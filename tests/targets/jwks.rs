//! Key documents: a JWK Set, and the same text taken for PEM.

use std::collections::HashSet;

use waxseal::decision::keys::{Algorithm, AlgorithmSet, Family};
use waxseal::keys::{KeySource, Loaded};

/// The first byte chooses the algorithms that the operator wants, the rest is the document.
pub fn body(bytes: &[u8]) {
    let Some((kind, document)) = bytes.split_first() else { return };
    let Ok(text) = str::from_utf8(document) else { return };
    let wanted: Option<AlgorithmSet> = match kind {
        b'a' => Some(Algorithm::ALL.into_iter().collect()),
        b'r' => Some([Algorithm::RS256, Algorithm::PS512].into_iter().collect()),
        b'e' => Some([Algorithm::ES256, Algorithm::EdDSA].into_iter().collect()),
        b'h' => Some([Algorithm::HS256].into_iter().collect()),
        _ => None,
    };
    for source in [KeySource::Jwks { text: text.to_owned() }, KeySource::Pem { text: text.to_owned(), kid: None }] {
        match source.load(wanted) {
            Ok(loaded) => check(&loaded, wanted),
            Err(error) => is_silent(text, &error.to_string()),
        }
    }
}

fn check(loaded: &Loaded, wanted: Option<AlgorithmSet>) {
    let keys = loaded.keys.keys();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(!key.algorithms().is_empty());
        for algorithm in key.algorithms().iter() {
            assert_ne!(algorithm.family(), Family::Hmac, "a public document gives a shared secret");
            assert!(wanted.is_none_or(|wanted| wanted.contains(algorithm)), "{algorithm} is not wanted");
            assert!(loaded.algorithms.contains(algorithm));
            for signature in [&[][..], &[0; 64], &[0; 96], &[0; 256], &[1; 64]] {
                assert!(!key.verifies(algorithm, b"anything", signature), "{key:?} verifies {signature:?}");
            }
        }
        let families: HashSet<String> = key.algorithms().iter().map(|own| format!("{:?}", own.family())).collect();
        assert_eq!(families.len(), 1, "{key:?}");
    }
}

/// What a private key holds is not told, whatever is wrong.
fn is_silent(text: &str, told: &str) {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(text) else { return };
    for entry in document["keys"].as_array().into_iter().flatten() {
        for hidden in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            // What stands elsewhere too is no secret.
            let value = entry[hidden].as_str().filter(|value| value.len() >= 24 && text.matches(value).count() == 1);
            assert!(value.is_none_or(|value| !told.contains(value)), "{hidden} is told: {told}");
        }
    }
}
