//! The issuer of the tests: a key, good tokens, and every kind of bad one.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

/// The HMAC key of the tests: as long as HS512 wants.
pub const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The issuer as the HotWax default is: HS512, `userLoginId`, no `iss`.
pub fn hotwax_issuer() -> String {
    format!("[issuer.hotwax]\nsecret = {{ text = \"{SECRET}\" }}\nsubject = \"userLoginId\"\n")
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    since.as_secs().try_into().unwrap()
}

/// A token of the HotWax form that is good for ten minutes.
pub fn good() -> String {
    signed(&json!({ "userLoginId": "boomi", "exp": now() + 600 }))
}

/// A token of the HotWax form that ended ten minutes ago.
pub fn expired() -> String {
    signed(&json!({ "userLoginId": "boomi", "exp": now() - 600 }))
}

/// Claims signed as the HotWax issuer would: without `typ`.
pub fn signed(claims: &Value) -> String {
    signed_with(SECRET, claims)
}

/// Claims signed with any key.
pub fn signed_with(secret: &str, claims: &Value) -> String {
    let header = Header { typ: None, ..Header::new(Algorithm::HS512) };
    jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// The value of an `Authorization` field.
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}
