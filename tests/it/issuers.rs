//! Who may issue tokens: every kind of key, several issuers, and each way in which a token can be no good.

use std::fmt::Write;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Response, ask};
use crate::harness::Sidecar;
use crate::tokens::{bearer, now};
use crate::upstream::Upstream;

/// A key pair of one kind.
struct Pair {
    algorithm: Algorithm,
    private: EncodingKey,
    public_pem: String,
    jwk: Value,
}

impl Pair {
    fn rsa(algorithm: Algorithm) -> Self {
        let pair = RsaPair::generate(KeySize::Rsa2048).unwrap();
        let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
        let jwk = json!({
            "kty": "RSA",
            "n": URL_SAFE_NO_PAD.encode(n.big_endian_without_leading_zero()),
            "e": URL_SAFE_NO_PAD.encode(e.big_endian_without_leading_zero()),
        });
        let private = EncodingKey::from_rsa_pem(block("PRIVATE KEY", private.as_ref()).as_bytes()).unwrap();
        Self { algorithm, private, public_pem: block("PUBLIC KEY", spki.as_ref()), jwk }
    }

    fn ec(algorithm: Algorithm) -> Self {
        let (kind, crv) = match algorithm {
            Algorithm::ES256 => (&rcgen::PKCS_ECDSA_P256_SHA256, "P-256"),
            _ => (&rcgen::PKCS_ECDSA_P384_SHA384, "P-384"),
        };
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let point = &pair.public_key_raw()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({ "kty": "EC", "crv": crv, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) });
        let private = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { algorithm, private, public_pem: pair.public_key_pem(), jwk }
    }

    fn ed() -> Self {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        let private = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
        Self { algorithm: Algorithm::EdDSA, private, public_pem: pair.public_key_pem(), jwk }
    }

    /// One of each kind that waxseal knows.
    fn all() -> [Self; 5] {
        let (rs, ps) = (Self::rsa(Algorithm::RS256), Self::rsa(Algorithm::PS256));
        [rs, ps, Self::ec(Algorithm::ES256), Self::ec(Algorithm::ES384), Self::ed()]
    }

    fn sign(&self, kid: Option<&str>, claims: &Value) -> String {
        sign(self.algorithm, &self.private, kid, claims)
    }
}

fn block(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn sign(algorithm: Algorithm, key: &EncodingKey, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) };
    jsonwebtoken::encode(&header, claims, key).unwrap()
}

fn hmac(secret: &[u8], claims: &Value) -> String {
    sign(Algorithm::HS512, &EncodingKey::from_secret(secret), None, claims)
}

/// Good claims, and more.
fn claims(more: Value) -> Value {
    let mut claims = json!({ "sub": "boomi", "exp": now() + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    claims
}

/// `issuers` in front of one guard.
fn sidecar(upstream: &Upstream, issuers: &str) -> Sidecar {
    let route = "[[route]]\npath = \"/api/updateInventory\"\nforward = { claims = { X-Auth-User = \"sub\" } }\n";
    Sidecar::start(&format!(
        "{}unmatched = \"open\"\n[answers]\nreason = \"exact\"\n{issuers}\n{route}",
        upstream.line()
    ))
}

fn post(to: &Sidecar, token: &str) -> Response {
    ask(to.address, "POST", "/api/updateInventory", &[("Authorization", &bearer(token))], "{}")
}

/// `allow`, or the code of the refusal.
fn verdict(to: &Sidecar, token: &str) -> String {
    let response = post(to, token);
    if response.status == 200 { "allow".to_owned() } else { response.code() }
}

#[test]
fn every_kind_of_public_key_proves_by_pem_and_by_key_set() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    for pair in Pair::all() {
        let name = format!("{:?}", pair.algorithm);
        let (pem, jwks) = (folder.path().join("key.pem"), folder.path().join("keys.json"));
        std::fs::write(&pem, &pair.public_pem).unwrap();
        std::fs::write(&jwks, json!({ "keys": [pair.jwk] }).to_string()).unwrap();
        for source in [format!("pem = {pem:?}"), format!("jwks = {{ file = {jwks:?} }}")] {
            let toml = format!("[issuer.x]\n{source}\nalgorithms = [{name:?}]\n");
            let sidecar = sidecar(&upstream, &toml);
            let good = pair.sign(None, &claims(json!({})));
            assert_eq!(verdict(&sidecar, &good), "allow", "{name} {source}");
            let other = Pair::all().into_iter().find(|other| other.algorithm == pair.algorithm).unwrap();
            let forged = other.sign(None, &claims(json!({})));
            assert_eq!(verdict(&sidecar, &forged), "signature_invalid", "{name} {source}");
            let confused = hmac(pair.public_pem.as_bytes(), &claims(json!({})));
            assert_eq!(verdict(&sidecar, &confused), "algorithm_not_allowed", "{name} {source}");
        }
    }
}

#[test]
fn a_secret_is_read_as_it_is_written() {
    let upstream = Upstream::friendly();
    let key: Vec<u8> = (0..64).map(|at| at * 3 + 1).collect();
    let text = "a secret of sixty-four characters, as long as HS512 wants it to be";
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("jwtKey.txt");
    std::fs::write(&file, format!("\n {text} \n\n")).unwrap();
    let salted = format!("{}{text}", hex(b"pepper"));
    for (case, source, key) in [
        ("text", format!("secret = {{ text = {text:?} }}"), text.as_bytes()),
        ("a file with blanks around", format!("secret = {{ file = {file:?} }}"), text.as_bytes()),
        ("base64", format!("secret = {{ text = {:?} }}\nencoding = \"base64\"", STANDARD.encode(&key)), &key),
        ("hex", format!("secret = {{ text = {:?} }}\nencoding = \"hex\"", hex(&key)), &key),
        ("salt", format!("secret = {{ text = {text:?} }}\nsalt = \"pepper\""), salted.as_bytes()),
    ] {
        let sidecar = sidecar(&upstream, &format!("[issuer.x]\n{source}\n"));
        assert_eq!(verdict(&sidecar, &hmac(key, &claims(json!({})))), "allow", "{case}");
        let other = if case == "salt" {
            text.as_bytes()
        } else {
            b"0123456789012345678901234567890123456789012345678901234567890123"
        };
        assert_eq!(verdict(&sidecar, &hmac(other, &claims(json!({})))), "signature_invalid", "{case}");
    }
}

#[test]
fn of_several_issuers_the_one_that_proves_the_token_judges_it() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    let pair = Pair::ec(Algorithm::ES256);
    std::fs::write(folder.path().join("key.pem"), &pair.public_pem).unwrap();
    let (one, two) = ("1".repeat(64), "2".repeat(64));
    let toml = format!(
        "[issuer.one]\nissuer = \"one\"\nsecret = {{ text = \"{one}\" }}\n\
         [issuer.two]\nsecret = {{ text = \"{two}\" }}\nleeway = \"1m\"\n\
         [issuer.three]\nissuer = [\"three\", \"drei\"]\naudience = \"oms\"\npem = {:?}\n",
        folder.path().join("key.pem")
    );
    let sidecar = sidecar(&upstream, &toml);
    let past = now() - 30;
    for (case, token, expected) in [
        ("one", hmac(one.as_bytes(), &claims(json!({ "iss": "one" }))), "allow"),
        ("one without its name", hmac(one.as_bytes(), &claims(json!({}))), "signature_invalid"),
        ("two", hmac(two.as_bytes(), &claims(json!({}))), "allow"),
        ("two under the name of one", hmac(two.as_bytes(), &claims(json!({ "iss": "one" }))), "allow"),
        ("one, over", hmac(one.as_bytes(), &claims(json!({ "iss": "one", "exp": past }))), "token_expired"),
        ("two, over within its leeway", hmac(two.as_bytes(), &claims(json!({ "exp": past }))), "allow"),
        ("three", pair.sign(None, &claims(json!({ "iss": "drei", "aud": ["x", "oms"] }))), "allow"),
        ("three for another", pair.sign(None, &claims(json!({ "iss": "three", "aud": "x" }))), "audience_mismatch"),
        ("three without its name", pair.sign(None, &claims(json!({ "aud": "oms" }))), "algorithm_not_allowed"),
    ] {
        assert_eq!(verdict(&sidecar, &token), expected, "{case}");
    }
}

#[test]
fn a_key_set_holds_several_keys_and_a_token_names_its_own() {
    let upstream = Upstream::friendly();
    let folder = TempDir::new().unwrap();
    let (old, new) = (Pair::ec(Algorithm::ES256), Pair::ec(Algorithm::ES256));
    let named = |pair: &Pair, kid: &str| {
        let mut jwk = pair.jwk.clone();
        jwk["kid"] = json!(kid);
        jwk
    };
    let file = folder.path().join("keys.json");
    std::fs::write(&file, json!({ "keys": [named(&old, "old"), named(&new, "new")] }).to_string()).unwrap();
    let sidecar = sidecar(&upstream, &format!("[issuer.x]\njwks = {{ file = {file:?} }}\n"));
    let good = claims(json!({}));
    for (case, token, expected) in [
        ("its own name", old.sign(Some("old"), &good), "allow"),
        ("the other's own name", new.sign(Some("new"), &good), "allow"),
        ("no name", new.sign(None, &good), "allow"),
        ("the name of the other", new.sign(Some("old"), &good), "signature_invalid"),
        ("a name that nobody has", new.sign(Some("newest"), &good), "unknown_key"),
    ] {
        assert_eq!(verdict(&sidecar, &token), expected, "{case}");
    }
}

/// The strict issuer of the table below.
const STRICT: &str = r#"
issuer = "ApacheOFBiz"
audience = "oms"
kid = "k1"
subject = "userLoginId"
leeway = "5s"
max_lifetime = "1h"
require = ["purpose"]
types = ["JWT"]
"#;

/// A token that [`STRICT`] takes, with one thing spoiled in its header and one in its claims; `null` takes it out.
fn strict(secret: &str, header: Value, spoiled: Value) -> String {
    let mut head = json!({ "alg": "HS512", "typ": "JWT", "kid": "k1" });
    let mut claims = json!({
        "iss": "ApacheOFBiz", "aud": "oms", "userLoginId": "boomi", "purpose": "test",
        "iat": now(), "exp": now() + 600, "scope": "inventory:write", "group": "pos-1",
    });
    for (whole, changes) in [(&mut head, header), (&mut claims, spoiled)] {
        for (name, value) in changes.as_object().unwrap() {
            whole.as_object_mut().unwrap().insert(name.clone(), value.clone());
            if value.is_null() {
                whole.as_object_mut().unwrap().remove(name);
            }
        }
    }
    sealed(secret, &head.to_string(), &claims.to_string())
}

/// Header and claims as they are written, signed with HS512.
fn sealed(secret: &str, head: &str, claims: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(head), URL_SAFE_NO_PAD.encode(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA512, secret.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

#[test]
fn each_way_to_be_no_good_has_its_code() {
    let upstream = Upstream::friendly();
    let key = "k".repeat(64);
    let sidecar = Sidecar::start(&format!(
        "{}unmatched = \"open\"\n[answers]\nreason = \"exact\"\n[issuer.ofbiz]\nsecret = {{ text = \"{key}\" }}\n{STRICT}\n\
         [[route]]\npath = \"/api/updateInventory\"\nscope = \"inventory:write\"\nclaim = {{ group = [\"hq\", \"pos-*\"] }}\n",
        upstream.line()
    ));
    let none = || json!({});
    let plain = strict(&key, none(), none());
    let parts: Vec<&str> = plain.split('.').collect();
    let head = r#"{"alg":"HS512","typ":"JWT","kid":"k1"}"#;
    let twice = format!(r#"{{"exp":1,"iss":"ApacheOFBiz","exp":{}}}"#, now() + 600);
    let jwk = json!({ "kty": "oct", "k": "a2tr" });
    let of = |header: Value, claims: Value| strict(&key, header, claims);
    let mut cases = vec![
        ("good", plain.clone(), "allow"),
        ("words", "no token at all".to_owned(), "token_malformed"),
        ("two parts", format!("{}.{}", parts[0], parts[1]), "token_malformed"),
        ("four parts", format!("{plain}.x"), "token_malformed"),
        ("padding", format!("{plain}="), "token_malformed"),
        ("a blank inside", format!("{} .{}.{}", parts[0], parts[1], parts[2]), "token_malformed"),
        ("over 16 KiB", of(none(), json!({ "pad": "x".repeat(17_000) })), "token_malformed"),
        ("a member twice", sealed(&key, head, &twice), "token_malformed"),
        ("alg twice", sealed(&key, r#"{"alg":"none","alg":"HS512","typ":"JWT"}"#, "{}"), "token_malformed"),
        ("claims that are a list", sealed(&key, head, "[]"), "token_malformed"),
        ("crit", of(json!({ "crit": ["exp"] }), none()), "token_malformed"),
        ("b64", of(json!({ "b64": false }), none()), "token_malformed"),
        ("an embedded key", of(json!({ "jwk": jwk }), none()), "token_malformed"),
        ("a linked key", of(json!({ "jku": "https://evil.example/k" }), none()), "token_malformed"),
        ("a linked certificate", of(json!({ "x5u": "https://evil.example/k" }), none()), "token_malformed"),
        ("an embedded certificate", of(json!({ "x5c": ["MII="] }), none()), "token_malformed"),
        ("another typ", of(json!({ "typ": "dpop+jwt" }), none()), "token_type"),
        ("no typ", of(json!({ "typ": null }), none()), "token_type"),
        ("another alg", of(json!({ "alg": "HS256" }), none()), "algorithm_not_allowed"),
        ("an unknown alg", of(json!({ "alg": "HS513" }), none()), "algorithm_not_allowed"),
        ("none", of(json!({ "alg": "none" }), none()), "algorithm_not_allowed"),
        ("none without signature", format!("eyJhbGciOiJub25lIn0.{}.", parts[1]), "algorithm_not_allowed"),
        ("another kid", of(json!({ "kid": "k2" }), none()), "unknown_key"),
        ("another key", strict(&"x".repeat(64), none(), none()), "signature_invalid"),
        ("over", of(none(), json!({ "exp": now() - 6, "iat": now() - 60 })), "token_expired"),
        ("over within the leeway", of(none(), json!({ "exp": now() - 1, "iat": now() - 60 })), "allow"),
        ("not yet", of(none(), json!({ "nbf": now() + 60 })), "token_not_yet_valid"),
        ("issued later", of(none(), json!({ "iat": now() + 60 })), "token_not_yet_valid"),
        ("issued within the leeway", of(none(), json!({ "iat": now() + 2 })), "allow"),
        ("for too long", of(none(), json!({ "exp": now() + 3700 })), "token_too_long_lived"),
        ("of another", of(none(), json!({ "iss": "other" })), "issuer_mismatch"),
        ("of nobody", of(none(), json!({ "iss": null })), "issuer_mismatch"),
        ("for another", of(none(), json!({ "aud": ["pos", "erp"] })), "audience_mismatch"),
        ("for nobody", of(none(), json!({ "aud": null })), "audience_mismatch"),
        ("bound to a key", of(none(), json!({ "cnf": { "jkt": "x" } })), "proof_invalid"),
        ("no scope", of(none(), json!({ "scope": null })), "scope_insufficient"),
        ("another scope", of(none(), json!({ "scope": "inventory:writeX read" })), "scope_insufficient"),
        ("scope as a list", of(none(), json!({ "scope": null, "scp": ["read", "inventory:write"] })), "allow"),
        ("another group", of(none(), json!({ "group": "warehouse" })), "claim_mismatch"),
        ("no group", of(none(), json!({ "group": null })), "claim_mismatch"),
        ("a list of groups", of(none(), json!({ "group": ["x", "hq"] })), "allow"),
    ];
    for claim in ["exp", "iat", "purpose", "userLoginId"] {
        cases.push((claim, of(none(), json!({ claim: null })), "claim_missing"));
    }
    for (claim, value) in [
        ("exp", json!("1900000000")),
        ("nbf", json!("1")),
        ("iat", json!([1])),
        ("aud", json!({ "a": 1 })),
        ("aud", json!(["oms", 1])),
        ("iss", json!(["ApacheOFBiz"])),
        ("userLoginId", json!(7)),
    ] {
        cases.push((claim, of(none(), json!({ claim: value })), "claim_malformed"));
    }
    for (case, token, expected) in &cases {
        let response = post(&sidecar, token);
        let code = if response.status == 200 { "allow".to_owned() } else { response.code() };
        assert_eq!(code, *expected, "{case}: {}", response.text());
        let status = match *expected {
            "allow" => 200,
            "scope_insufficient" | "claim_mismatch" => 403,
            _ => 401,
        };
        assert_eq!(response.status, status, "{case}");
    }
    let passed = cases.iter().filter(|(.., expected)| *expected == "allow").count();
    assert_eq!(upstream.seen().len(), passed);
}
