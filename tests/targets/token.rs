//! Tokens: taken apart, proven by real keys, judged; also ones that are signed well and say anything.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use waxseal::decision::claims::Claims;
use waxseal::decision::examine;
use waxseal::decision::jws::Jws;
use waxseal::decision::keys::{Algorithm, Family, IssuerSlot, Key, KeySet};
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::Policy;
use waxseal::decision::snapshot::Snapshot;
use waxseal::decision::witness::Record;
use waxseal::time::UnixSeconds;

use super::made::{NOW, Outcome, any_token_of, issuer, judge, request, route, secret, snapshot};

/// The RSA key of RFC 7515 appendix A.2 and the EC key of appendix A.3.
const PUBLISHED: &str = r#"{"keys":[
    {"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"},
    {"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
]}"#;

static EDWARDS: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

/// Three issuers: HMAC by keys 0 and 1 of the laws, Ed25519, and published public keys.
static FRONT: LazyLock<Snapshot> = LazyLock::new(|| {
    let edwards = [Algorithm::EdDSA].into_iter().collect();
    let key = Key::point(Some("ed"), Family::Ed25519, EDWARDS.public_key().as_ref(), edwards).unwrap();
    let published = waxseal::keys::KeySource::Jwks { text: PUBLISHED.to_owned() }.load(None).unwrap();
    let issuers = vec![
        issuer("hmac", &[], &[0, 1], 30.0),
        with(issuer("edwards", &["ed"], &[0], 0.0), KeySet::new(vec![key])),
        with(issuer("published", &[], &[0], 0.0), published.keys),
    ];
    let routes = vec![route("/a", Policy::Require(any_token_of(&[0, 1, 2])))];
    snapshot(routes, Policy::Open, issuers)
});

fn with(slot: IssuerSlot, keys: KeySet) -> IssuerSlot {
    let mut issuer = (*slot.issuer).clone();
    issuer.algorithms = keys.keys().iter().flat_map(|key| key.algorithms().iter()).collect();
    IssuerSlot::new(issuer.into(), keys.into())
}

/// The first byte says how the rest becomes a token: as it stands, or as claims, or header and claims, to be signed.
pub fn body(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let (header, claims) = match rest.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (&br#"{"alg":"HS512"}"#[..], rest),
    };
    match kind {
        b'h' => judged(&hmac(header, claims)),
        b'c' => judged(&hmac(br#"{"alg":"HS512"}"#, rest)),
        b'e' => judged(&edwards(header, claims)),
        _ => judged(rest),
    }
    let _ = Claims::parse(rest);
}

fn signed(header: &[u8], claims: &[u8]) -> String {
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

fn hmac(header: &[u8], claims: &[u8]) -> Vec<u8> {
    let signed = signed(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, &secret(0)), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)).into_bytes()
}

fn edwards(header: &[u8], claims: &[u8]) -> Vec<u8> {
    let signed = signed(header, claims);
    let tag = EDWARDS.sign(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)).into_bytes()
}

fn judged(token: &[u8]) {
    if let Ok(jws) = Jws::parse(token) {
        assert_eq!(token.iter().filter(|byte| **byte == b'.').count(), 2);
        assert!(token.starts_with(jws.parts().signed()) && token.len() <= 16 * 1024);
    }
    let mut record = Record::default();
    let examined = examine(&mut record, token, &FRONT, UnixSeconds::new(NOW).unwrap());
    let is_of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    if token.len() >= 24 && token.iter().all(is_of_base64) {
        let text = String::from_utf8_lossy(token);
        let told = format!("{record:?}{:?}", examined.as_ref().err());
        assert!(!told.contains(&*text), "the token is told");
        let signature = text.rsplit('.').next().unwrap();
        assert!(signature.len() < 24 || !told.contains(signature), "the signature is told");
    }
    let Some(request) = str::from_utf8(token).ok().and_then(|token| request("POST", "/a", Some(token))) else { return };
    let mut memo = Memo::new(8, 1 << 16);
    let outcomes = [NOW, NOW, NOW].map(|now| judge(&request, &FRONT, &mut memo, now));
    let anew = judge(&request, &FRONT, &mut Memo::off(), NOW);
    assert!(outcomes.iter().all(|outcome| *outcome == anew), "a memo changes the verdict");
    if let Outcome::Passes { until, .. } = anew {
        proven(token);
        let until = until.unwrap();
        assert!(until > NOW);
        for later in [until, until + 1.0, until + 1e6] {
            assert!(!judge(&request, &FRONT, &mut memo, later).passes(), "it passes at its end, {later}");
        }
    }
}

/// Checks a token that passed by other means than waxseal's: nobody but the owners of the keys made it, and it says what
/// it must.
fn proven(token: &[u8]) {
    let text = str::from_utf8(token).unwrap().trim_start_matches(' ');
    let (signed, signature) = text.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let json =
        |part: &str| -> serde_json::Value { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap() };
    let (header, claims, signature) = (json(header), json(claims), URL_SAFE_NO_PAD.decode(signature).unwrap());
    match header["alg"].as_str().unwrap() {
        "HS512" => {
            let keys = [0, 1].map(|key| hmac::Key::new(hmac::HMAC_SHA512, &secret(key)));
            assert!(keys.iter().any(|key| hmac::verify(key, signed.as_bytes(), &signature).is_ok()));
        }
        "EdDSA" => assert_eq!(EDWARDS.sign(signed.as_bytes()).as_ref(), signature),
        other => panic!("nobody can sign by {other}"),
    }
    for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c"] {
        assert!(header.get(name).is_none(), "{header}");
    }
    assert!(claims["exp"].as_f64().unwrap() + 30.0 > NOW && claims["sub"].is_string() && claims.get("cnf").is_none());
    for name in ["nbf", "iat"].into_iter().filter(|name| claims.get(name).is_some()) {
        assert!(claims[name].as_f64().unwrap() <= NOW + 30.0, "{claims}");
    }
}
