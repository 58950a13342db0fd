//! A token that is examined by itself meets the same code as on a route, and the last step told is the one it fell at.

use super::*;
use crate::decision::examine;
use crate::decision::witness::{Outcome, Record, Step};

/// What is said of a token, and every step on the way.
fn examined(slot: &IssuerSlot, token: &str) -> (Result<(), Code>, Vec<Step>) {
    let snapshot = snapshot(vec![slot.clone()], vec![default(Policy::Deny)]);
    let mut record = Record::default();
    let found = examine(&mut record, token.as_bytes(), &snapshot, UnixSeconds::new(NOW).unwrap());
    (found.map(|_| ()).map_err(|rejection| rejection.code()), record.steps)
}

fn signed(payload: &str) -> String {
    OWN.token(Algorithm::HS256, HEADER, payload)
}

#[test]
fn each_fault_is_told_where_it_is_found() {
    let plain = || own(|_| ());
    let of_at_most = |seconds| own(move |issuer| issuer.max_lifetime = Some(seconds));
    let typed = OWN.token(Algorithm::HS256, r#"{"alg":"HS256","typ":"dpop+jwt"}"#, &payload(&[], ""));
    let foreign = FOREIGN.token(Algorithm::HS256, HEADER, &payload(&[], ""));
    let cases = [
        ("form", Code::TokenMalformed, plain(), "x.y".to_owned()),
        ("iss", Code::ClaimMalformed, plain(), signed(&with("iss", "7"))),
        ("issuer", Code::IssuerMismatch, plain(), signed(&with("iss", "\"https://j\""))),
        ("issuer", Code::IssuerMismatch, plain(), signed(&payload(&["iss"], ""))),
        ("issuer", Code::SignatureInvalid, plain(), foreign),
        ("typ", Code::TokenType, plain(), typed),
        ("exp", Code::ClaimMissing, plain(), signed(&payload(&["exp"], ""))),
        ("exp", Code::ClaimMalformed, plain(), signed(&with("exp", "\"soon\""))),
        ("exp", Code::TokenExpired, plain(), signed(&with("exp", "1"))),
        ("nbf", Code::ClaimMalformed, plain(), signed(&with("nbf", "[]"))),
        ("nbf", Code::TokenNotYetValid, plain(), signed(&with("nbf", "1900000000"))),
        ("iat", Code::TokenNotYetValid, plain(), signed(&with("iat", "1900000000"))),
        ("aud", Code::ClaimMalformed, plain(), signed(&with("aud", "7"))),
        ("aud", Code::AudienceMismatch, plain(), signed(&with("aud", "\"other\""))),
        (
            "require",
            Code::ClaimMissing,
            own(|issuer| issuer.require = vec![ClaimPath::new("role")]),
            signed(&payload(&[], "")),
        ),
        ("subject", Code::ClaimMissing, plain(), signed(&payload(&["sub"], ""))),
        ("subject", Code::ClaimMalformed, plain(), signed(&with("sub", "7"))),
        ("max_lifetime", Code::ClaimMissing, of_at_most(400.0), signed(&payload(&["iat"], ""))),
        ("max_lifetime", Code::TokenTooLongLived, of_at_most(300.0), signed(&payload(&[], ""))),
        ("cnf", Code::ProofInvalid, plain(), signed(&payload(&[], ",\"cnf\":{}"))),
    ];
    for (look, code, slot, token) in cases {
        let (found, steps) = examined(&slot, &token);
        assert_eq!(found, Err(code), "{look}");
        assert_eq!(found, judged(&[slot], &token, NOW), "{look}: a route says otherwise");
        let last = steps.last().unwrap();
        assert_eq!((last.look, last.outcome), (look, Outcome::Refuse(code)));
        assert!(!last.expected.is_empty() && !last.found.is_empty(), "{last:?}");
    }
}

#[test]
fn a_good_token_passes_every_step_and_none_of_them_shows_it() {
    let slot = own(|issuer| {
        issuer.issuers.push("https://other".into());
        issuer.max_lifetime = Some(400.0);
        issuer.require = vec![ClaimPath::new("iss")];
    });
    let token = signed(&payload(&[], ""));
    let (found, steps) = examined(&slot, &token);
    assert_eq!(found, Ok(()));
    assert!(steps.iter().all(|step| step.outcome == Outcome::Pass), "{steps:?}");
    let told = |look: &str| steps.iter().find(|step| step.look == look).unwrap();
    assert_eq!(told("iss").expected, r#"one of ["https://i", "https://other"] (issuer "own")"#);
    assert_eq!(told("max_lifetime").found, "305 s");
    let signature = token.rsplit('.').next().unwrap();
    assert!(!format!("{steps:?}").contains(signature));
}
