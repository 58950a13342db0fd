//! A compact JWS taken apart (RFC 7515 section 7.1), before anything about it is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::Claims;
use super::rejection::{Code, Rejection};

/// The longest token that is looked at, in bytes.
pub const LONGEST_TOKEN: usize = 16 * 1024;

/// A token in its parts, its payload not yet read: what a signature is judged by. Nothing of it is proven.
pub struct Parts<'t> {
    /// What the signature is over: header and payload as they were sent.
    signed: &'t [u8],
    payload: Vec<u8>,
    signature: Vec<u8>,
    header: Header,
}

impl<'t> Parts<'t> {
    /// Takes a token apart.
    ///
    /// # Errors
    /// `token_malformed`: it is too long, not three parts, not canonical base64url, its header is no JSON object or names
    /// a member twice, or asks for what is never done (`crit`, `b64`, a key it brings along or points to).
    pub fn of(token: &'t [u8]) -> Result<Self, Rejection> {
        if token.len() > LONGEST_TOKEN {
            return Err(malformed("the token is longer than 16 KiB"));
        }
        Self::of_any_length(token)
    }

    /// Takes a token apart that whoever has it bounded.
    fn of_any_length(token: &'t [u8]) -> Result<Self, Rejection> {
        if token.is_empty() {
            return Err(malformed("the token is empty"));
        }
        // None of these letters is of base64url: they tell at a glance how the token was handled.
        if token.contains(&b' ') {
            return Err(malformed("the token holds a blank"));
        }
        if token.starts_with(b"\"") || token.starts_with(b"'") {
            return Err(malformed("the token stands in quotes"));
        }
        let mut dots = token.iter().enumerate().filter(|(_, byte)| **byte == b'.').map(|(at, _)| at);
        let (Some(first), Some(second), None) = (dots.next(), dots.next(), dots.next()) else {
            return Err(malformed("the token does not have three parts"));
        };
        let part = |from: usize, to: usize| token.get(from..to).unwrap_or_default();
        let header = parse_header(&decode(part(0, first), "header")?)?;
        let payload = decode(part(first + 1, second), "payload")?;
        let signature = decode(part(second + 1, token.len()), "signature")?;
        Ok(Self { signed: part(0, second), payload, signature, header })
    }

    /// What the signature is over.
    pub fn signed(&self) -> &'t [u8] {
        self.signed
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The `alg` that the token says it was signed with. It chooses nothing.
    pub fn algorithm(&self) -> &str {
        &self.header.algorithm
    }

    /// The key that the token says it was signed with.
    pub fn kid(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What the token says it is.
    pub fn typ(&self) -> Option<&str> {
        self.header.typ.as_deref()
    }
}

/// A token in its parts, with its claims. Nothing of it is proven.
pub struct Jws<'t> {
    parts: Parts<'t>,
    claims: Claims,
}

impl<'t> Jws<'t> {
    /// Takes a token apart and reads its claims.
    ///
    /// # Errors
    /// `token_malformed`: as [`Parts::of`], or the payload is no JSON object or names a member twice.
    pub fn parse(token: &'t [u8]) -> Result<Self, Rejection> {
        Self::with_claims(Parts::of(token)?)
    }

    /// The same for a token that no request brings, however long it is: what it is read from is bounded.
    ///
    /// # Errors
    /// As [`Jws::parse`].
    pub fn parse_document(token: &'t [u8]) -> Result<Self, Rejection> {
        Self::with_claims(Parts::of_any_length(token)?)
    }

    fn with_claims(parts: Parts<'t>) -> Result<Self, Rejection> {
        let claims = Claims::parse(&parts.payload).map_err(|why| malformed(format!("the payload: {why}")))?;
        Ok(Self { parts, claims })
    }

    /// All but the claims.
    pub fn parts(&self) -> &Parts<'t> {
        &self.parts
    }

    /// The claims, unproven.
    pub fn unverified_claims(&self) -> &Claims {
        &self.claims
    }

    /// What its header says, for people.
    pub(super) fn words(&self) -> String {
        let told = |value: Option<&str>| value.map_or_else(|| "none".to_owned(), |value| format!("{value:?}"));
        let parts = &self.parts;
        format!("alg {:?}, kid {}, typ {}", parts.algorithm(), told(parts.kid()), told(parts.typ()))
    }

    /// The claims, once a signature was found good.
    pub(super) fn into_claims(self) -> Claims {
        self.claims
    }
}

/// What is read of a JOSE header.
struct Header {
    algorithm: Box<str>,
    kid: Option<Box<str>>,
    typ: Option<Box<str>>,
}

/// The JOSE header (RFC 7515 section 4). Unknown members are ignored, as section 4 wants.
fn parse_header(json: &[u8]) -> Result<Header, Rejection> {
    let header = Claims::parse(json).map_err(|why| malformed(format!("the header: {why}")))?;
    // Extensions that would change how the signature is made (section 4.1.11, RFC 7797), and keys that the token brings
    // along or points to (RFC 8725 section 3.10), are refused rather than ignored.
    for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c"] {
        if header.get(name).is_some() {
            return Err(malformed(format!("the header has {name:?}, which is never accepted")));
        }
    }
    let text = |name: &'static str| {
        header
            .text(name)
            .map(|text| text.map(Box::from))
            .map_err(|_| malformed(format!("the header: {name} is no text")))
    };
    let algorithm = text("alg")?.ok_or_else(|| malformed("the header has no alg"))?;
    Ok(Header { algorithm, kid: text("kid")?, typ: text("typ")? })
}

/// Decodes base64url without padding (RFC 7515 section 2), in its one canonical spelling only.
fn decode(part: &[u8], name: &str) -> Result<Vec<u8>, Rejection> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| malformed(format!("the {name} is not canonical base64url")))
}

fn malformed(why: impl Into<std::borrow::Cow<'static, str>>) -> Rejection {
    Rejection::new(Code::TokenMalformed, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    fn code(token: &str) -> Option<Code> {
        Jws::parse(token.as_bytes()).err().map(|rejection| rejection.code())
    }

    #[test]
    fn a_plain_token_comes_apart() {
        let token = token(r#"{"alg":"HS256","kid":"k","typ":"JWT","x":1}"#, r#"{"exp":1}"#);
        let jws = Jws::parse(token.as_bytes()).unwrap();
        let parts = jws.parts();
        assert_eq!((parts.algorithm(), parts.kid(), parts.typ()), ("HS256", Some("k"), Some("JWT")));
        assert_eq!(parts.signed(), token.rsplit_once('.').unwrap().0.as_bytes());
        assert_eq!(parts.signature(), [0, 0, 0]);
    }

    #[test]
    fn how_a_token_was_handled_is_told() {
        let good = token(r#"{"alg":"HS256"}"#, r#"{"exp":1}"#);
        for (token, words) in [
            (format!("Bearer {good}"), "the token holds a blank"),
            (format!("\"{good}\""), "the token stands in quotes"),
            (good.replace('.', "-"), "does not have three parts"),
        ] {
            let rejection = Jws::parse(token.as_bytes()).map(|_| ()).unwrap_err();
            assert_eq!(rejection.code(), Code::TokenMalformed);
            assert!(rejection.detail().contains(words), "{}", rejection.detail());
        }
    }

    #[test]
    fn headers_that_ask_for_too_much_are_malformed() {
        for header in [
            r#"{"alg":"HS256","crit":["x"],"x":1}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","b64":true}"#,
            r#"{"alg":"HS256","jwk":{}}"#,
            r#"{"alg":"HS256","jku":"http://x"}"#,
            r#"{"alg":"HS256","x5u":"http://x"}"#,
            r#"{"alg":"HS256","x5c":[]}"#,
            r#"{"alg":"HS256","kid":7}"#,
            r#"{"alg":"HS256","kid":null}"#,
            r#"{"alg":"HS256","typ":1}"#,
            r#"{"alg":null}"#,
            r#"{"alg":"none","alg":"HS256"}"#,
            r#"{"alg":"HS256","y":1,"y":1}"#,
            r#"{"Alg":"HS256"}"#,
            r#"["alg"]"#,
            "",
        ] {
            assert_eq!(code(&token(header, "{}")), Some(Code::TokenMalformed), "{header}");
        }
    }

    #[test]
    fn only_three_canonical_parts_are_a_token() {
        let good = token(r#"{"alg":"HS256"}"#, "{}");
        assert_eq!(code(&good), None);
        for bad in [
            String::new(),
            ".".into(),
            "..".into(),
            "abc".into(),
            format!("{good}."),
            format!("{good}.x"),
            format!("{good}="),
            format!("{good}A"),
            good.replace(".AAAA", ".AAAB=="),
            good.replace(".AAAA", ".AB"),
            good.replace(".AAAA", ".A+/A"),
            good.replace(".AAAA", ".A A"),
            good.replace(".AAAA", "."),
        ] {
            // An empty signature is canonical; it is refused where signatures are judged.
            let expected = if bad.ends_with('.') && bad.matches('.').count() == 2 && bad.len() > 3 {
                None
            } else {
                Some(Code::TokenMalformed)
            };
            assert_eq!(code(&bad), expected, "{bad}");
        }
    }

    #[test]
    fn a_token_over_16_kib_is_not_looked_at() {
        let long = token(r#"{"alg":"HS256"}"#, &format!("{{\"x\":\"{}\"}}", "a".repeat(LONGEST_TOKEN)));
        assert_eq!(code(&long), Some(Code::TokenMalformed));
    }
}
