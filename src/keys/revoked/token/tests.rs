//! Which documents pass for a status list.

use std::sync::Arc;

use jsonwebtoken::{Algorithm as Alg, EncodingKey, Header};
use miniz_oxide::deflate::compress_to_vec_zlib;
use serde_json::json;

use super::*;
use crate::decision::claims::ClaimPath;
use crate::decision::keys::{Algorithm, AlgorithmSet, Issuer, IssuerSlot, Key, KeySet};
use crate::decision::rejection::Code;
use crate::time::UnixSeconds;

const NOW: f64 = 1_800_000_000.0;
const URI: &str = "https://i/statuses/1";

fn reader(uri: Option<&str>) -> Reader {
    let algorithms = AlgorithmSet::from_iter([Algorithm::HS512]);
    let issuer = Issuer {
        name: "own".into(),
        issuers: vec![],
        audiences: vec![],
        algorithms,
        subject: ClaimPath::new("sub"),
        leeway: 0.0,
        max_lifetime: None,
        require: vec![],
        types: TokenTypes::default(),
    };
    let key = Key::hmac(None, &[7; 64], algorithms, false).unwrap();
    let slot = IssuerSlot::new(Arc::new(issuer), Arc::new(KeySet::new(vec![key])));
    Reader { slot, uri: uri.map(Box::from), now: UnixSeconds::new(NOW).unwrap() }
}

fn signed(typ: Option<&str>, secret: &[u8], claims: &Value) -> String {
    let header = Header { typ: typ.map(str::to_owned), ..Header::new(Alg::HS512) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn claims(bits: u64, list: &str) -> Value {
    json!({ "sub": URI, "iat": NOW, "exp": NOW + 60.0, "status_list": { "bits": bits, "lst": list } })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims(1, "eNrbuRgAAhcBXQ");
    claims[name] = value;
    claims
}

fn typed(claims: &Value) -> Result<StatusList, ListError> {
    read(&signed(Some("statuslist+jwt"), &[7; 64], claims), &reader(Some(URI)))
}

fn packed(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(compress_to_vec_zlib(bytes, 6))
}

#[test]
fn the_examples_of_the_draft_are_read() {
    for (bits, list, statuses) in [
        (1, "eNrbuRgAAhcBXQ", &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1][..]),
        (2, "eNo76fITAAPfAgc", &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]),
    ] {
        let list = typed(&claims(bits, list)).unwrap();
        assert_eq!(list.len(), statuses.len() as u64);
        let found: Vec<u8> = (0..list.len()).map(|index| list.status(index).unwrap()).collect();
        assert_eq!(found, statuses);
        assert_eq!((list.uri(), list.expires()), (URI, UnixSeconds::new(NOW + 60.0)));
    }
}

#[test]
fn what_is_no_list_of_the_issuer_is_refused() {
    let good = claims(1, "eNrbuRgAAhcBXQ");
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("statuslist+cwt")] {
        let error = read(&signed(typ, &[7; 64], &good), &reader(Some(URI))).unwrap_err();
        assert!(error.to_string().contains("typ"), "{error}");
    }
    let foreign = read(&signed(Some("statuslist+jwt"), &[8; 64], &good), &reader(None)).unwrap_err();
    assert!(matches!(&foreign, ListError::Unsigned(why) if why.code() == Code::SignatureInvalid), "{foreign}");
    let media = signed(Some("application/statuslist+jwt"), &[7; 64], &good);
    assert!(read(&media, &reader(None)).is_ok());
    let error = read(&media, &reader(Some("https://i/other"))).unwrap_err();
    assert!(error.to_string().contains("not the url that it was fetched from"), "{error}");
    for (name, value, words) in [
        ("sub", json!(7), "no sub"),
        ("sub", Value::Null, "no sub"),
        ("exp", json!(NOW), "its exp is past"),
        ("exp", json!("x"), "its exp is no number"),
        ("status_list", json!({ "bits": 3, "lst": "eNrbuRgAAhcBXQ" }), "1, 2, 4 or 8"),
        ("status_list", json!({ "bits": "1", "lst": "eNrbuRgAAhcBXQ" }), "1, 2, 4 or 8"),
        ("status_list", json!({ "bits": 1, "lst": "eNrbuRgAAhcBXQ==" }), "no base64url"),
        ("status_list", json!({ "bits": 1, "lst": "eNrbuRgAAhcBXA" }), "does not unpack"),
        ("status_list", json!({ "bits": 1 }), "no base64url"),
        ("status_list", json!(7), "1, 2, 4 or 8"),
    ] {
        let error = typed(&with(name, value)).unwrap_err();
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
}

#[test]
fn a_list_that_unpacks_without_end_is_refused() {
    let bomb = packed(&vec![0; MOST + 1]);
    assert!(bomb.len() < 64 << 10);
    assert!(typed(&claims(1, &bomb)).unwrap_err().to_string().contains("at most 32 MiB"));
}

#[test]
fn ten_million_statuses_are_read_into_at_most_16_mib() {
    let list = typed(&claims(8, &packed(&vec![0; 10_000_000]))).unwrap();
    assert_eq!((list.len(), list.size()), (10_000_000, 10_000_000));
}
