//! What is put to both: tokens, good ones and bad ones of every kind.
//!
//! A token is drawn part by part. Each part is good far more often than not, so that what is wrong with a token is
//! mostly one thing, and about a third of them are good throughout. What is changed before signing is signed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::signers::{Signer, mac};
use super::{AUDIENCE, ISSUER, NOW};

/// A token, and what it was made of.
#[derive(Debug)]
pub struct Made {
    pub token: String,
    pub header: String,
    pub payload: String,
    /// What was done to it, for people.
    pub how: String,
}

/// What a token is made of.
#[derive(Clone, Debug)]
pub struct Recipe {
    signer: Index,
    header: String,
    payload: Vec<u8>,
    before: Change,
    seal: Seal,
    after: Change,
}

/// How a token's text is changed, and what people call it.
type Change = (&'static str, fn(&str) -> String);

/// Who signs, or what stands where a signature should.
#[derive(Clone, Copy, Debug)]
enum Seal {
    Own,
    Flipped(Index, u8),
    Cut(Index),
    Longer,
    Zeros,
    Empty,
    /// An HMAC whose secret is the public key.
    PublicAsSecret,
    /// The signature of the issuer's key for another algorithm.
    Other(Index),
    /// A good signature of something else.
    Elsewhere,
}

impl Recipe {
    pub fn make(&self, signers: &[Signer]) -> Made {
        let signer = self.signer.get(signers);
        let header = self.header.replace("ALG", signer.algorithm.name()).replace("KID", &signer.kid());
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&self.payload));
        let signed = self.before.1(&signed);
        let own = || signer.sign(signed.as_bytes());
        let signature = match self.seal {
            Seal::Own => own(),
            Seal::Flipped(at, bit) => {
                let mut signature = own();
                *at.get_mut(&mut signature) ^= 1 << bit;
                signature
            }
            Seal::Cut(at) => {
                let mut signature = own();
                signature.truncate(at.index(signature.len()));
                signature
            }
            Seal::Longer => [own(), vec![0]].concat(),
            Seal::Zeros => vec![0; own().len()],
            Seal::Empty => Vec::new(),
            Seal::PublicAsSecret => mac(signer.algorithm, &signer.public(), signed.as_bytes()),
            Seal::Other(other) => other.get(signers).sign(signed.as_bytes()),
            Seal::Elsewhere => signer.sign(b"e30.e30"),
        };
        let token = self.after.1(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)));
        let how = format!("{}; {:?}; {}", self.before.0, self.seal, self.after.0);
        Made { token, header, payload: String::from_utf8_lossy(&self.payload).into_owned(), how }
    }
}

/// Any recipe.
pub fn recipe() -> impl Strategy<Value = Recipe> {
    (any::<Index>(), header(), payload(), mostly(AS_IS, BEFORE), seal(), mostly(AS_IS, AFTER)).prop_map(
        |(signer, header, payload, before, seal, after)| Recipe { signer, header, payload, before, seal, after },
    )
}

/// One of the good ones nearly always, else one of the bad ones.
fn mostly<T: Clone + std::fmt::Debug + 'static>(good: &[T], bad: &[T]) -> impl Strategy<Value = T> + use<T> {
    prop_oneof![14 => select(good.to_vec()), 1 => select(bad.to_vec())]
}

fn header() -> impl Strategy<Value = String> {
    let alg = mostly(
        &[r#""alg":"ALG""#],
        &[
            r#""alg":"none""#,
            r#""alg":"None""#,
            r#""alg":"""#,
            r#""alg":null"#,
            r#""alg":["ALG"]"#,
            r#""alg":"ALG ""#,
            r#""alg":"hs256""#,
            r#""alg":"HS256""#,
            r#""alg":"RS256""#,
            r#""alg":"ES256""#,
            r#""alg":"ES512""#,
            r#""alg":"ES256K""#,
            r#""alg":"Ed25519""#,
            r#""Alg":"ALG""#,
            r#""alg":"none","alg":"ALG""#,
            r#""alg":"ALG","alg":"ALG""#,
            r#""\u0061lg":"ALG""#,
        ],
    );
    let kid = mostly(
        &[r#","kid":"KID""#, r#","kid":"KID""#, ""],
        &[
            r#","kid":"key-HS256""#,
            r#","kid":"other""#,
            r#","kid":"""#,
            r#","kid":null"#,
            r#","kid":7"#,
            r#","kid":["KID"]"#,
            r#","kid":"../../../dev/null""#,
            r#","kid":"x' OR '1'='1""#,
            r#","kid":"x","kid":"KID""#,
        ],
    );
    let typ = mostly(
        &[r#","typ":"JWT""#, r#","typ":"jwt""#, r#","typ":"at+jwt""#, r#","typ":"application/at+jwt""#, ""],
        &[r#","typ":"dpop+jwt""#, r#","typ":"JOSE""#, r#","typ":"""#, r#","typ":null"#, r#","typ":7"#],
    );
    let more = mostly(
        &[
            "",
            "",
            r#","x":1"#,
            r#","cty":"JWT""#,
            r#","x5t":"YQ""#,
            r#","x":{"y":[1,-2.5e3,null,true,"\ud83d\ude00"]}"#,
        ],
        &[
            r#","crit":["exp"]"#,
            r#","crit":["x"],"x":1"#,
            r#","crit":[]"#,
            r#","crit":null"#,
            r#","crit":"exp""#,
            r#","crit":["b64"],"b64":true"#,
            r#","crit":["b64"],"b64":false"#,
            r#","b64":true"#,
            r#","b64":false"#,
            r#","jwk":{"kty":"oct","k":"YQ"}"#,
            r#","jku":"https://evil.example/jwks.json""#,
            r#","x5u":"https://evil.example/x.pem""#,
            r#","x5c":["MIIB"]"#,
            r#","x":NaN"#,
            r#","x":1,"x":1"#,
            r#","x":{"y":1,"y":2}"#,
            r#",}"#,
        ],
    );
    (alg, kid, typ, more).prop_map(|(alg, kid, typ, more)| format!("{{{alg}{kid}{typ}{more}}}"))
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    let exp = mostly(
        &["{}+300", "{}+1", "{}-29", "{}+0.5", "{}-29.5", "{}e0+300", "9e15", "1e300"],
        &[
            "{}-30",
            "{}-31",
            "{}-30.5",
            "0",
            "-1",
            "-1e300",
            "1e400",
            "true",
            "null",
            "\"{}+300\"",
            "\" {}+300 \"",
            "[{}+300]",
            "{}",
            "NaN",
            "Infinity",
            "99999999999999999999",
            "\"x\"",
            "",
            "18446744073709551616",
        ],
    );
    let moment = |good: &'static [&'static str]| {
        mostly(
            good,
            &[
                "{}+31", "{}+30.5", "{}+300", "1e300", "true", "null", "\"{}-5\"", "\"x\"", "[]", "NaN", "-1e300",
                "1e400",
            ],
        )
    };
    let nbf = moment(&["", "", "{}+0", "{}-300", "{}+30", "{}+29.5", "0"]);
    let iat = moment(&["", "{}+0", "{}-5", "{}-0.5", "{}+30", "-1"]);
    let iss = mostly(&["ISS"], &["", "\"https://j\"", "\"https://i/\"", "\"HTTPS://I\"", "null", "7", "[ISS]", "\"\""]);
    let aud = mostly(
        &["AUD", "AUD", "[AUD]", "[\"x\",AUD]"],
        &[
            "",
            "\"x\"",
            "\"\"",
            "\"OMS\"",
            "[]",
            "[\"x\"]",
            "null",
            "7",
            "true",
            "{}",
            "[AUD,7]",
            "[AUD,null]",
            "[[AUD]]",
            "{AUD:1}",
        ],
    );
    let sub = mostly(
        &["\"boomi\"", "\"b\\u00f6mi\"", "\" \""],
        &["", "\"\"", "7", "null", "true", "[\"boomi\"]", "{}", "1.5"],
    );
    let more = mostly(
        &["", "", r#","jti":"a""#, r#","scope":"a b""#, r#","x":{"y":[{}]}"#, r#","x":-0.0"#, r#","x":1E+2"#],
        &[
            r#","cnf":{"jkt":"x"}"#,
            r#","cnf":null"#,
            r#","jti":7"#,
            r#","sub":"admin""#,
            r#","x":{"y":1,"y":2}"#,
            r#","x":NaN"#,
            r#","x":1e400"#,
            r#","x":"\ud800""#,
            "\",\"x\":\"a\nb\"",
            r#","x":01"#,
            r#","x":1."#,
            r#","x":+1"#,
            r#","x":'y'"#,
            r#","x":1,"#,
            "DEEP",
            "LONG",
            "HUGE",
        ],
    );
    let whole =
        mostly(&["", "", "", "BLANKS"], &["BOM", "UTF16", "LATIN1", "AFTER", "LIST", "NULL", "EMPTY", "COMMENT"]);
    (exp, nbf, iat, iss, aud, sub, more, whole).prop_map(|(exp, nbf, iat, iss, aud, sub, more, whole)| {
        let members = [("exp", exp), ("nbf", nbf), ("iat", iat), ("iss", iss), ("aud", aud), ("sub", sub)];
        let present = members.iter().filter(|(_, value)| !value.is_empty());
        let members: Vec<String> = present.map(|(name, value)| format!("\"{name}\":{}", filled(value))).collect();
        let more = match more {
            "DEEP" => format!(",\"x\":{}{}", "[".repeat(200), "]".repeat(200)),
            "LONG" => format!(",\"x\":\"{}\"", "a".repeat(13_000)),
            "HUGE" => format!(",\"x\":1{}", "0".repeat(400)),
            more => more.to_owned(),
        };
        wrapped(&format!("{{{}{more}}}", members.join(",")), whole)
    })
}

/// A value with moments, issuer and audience put in: `{}+300` is 300 seconds from now.
fn filled(value: &str) -> String {
    let value = value.replace("ISS", &format!("\"{ISSUER}\"")).replace("AUD", &format!("\"{AUDIENCE}\""));
    let Some((before, rest)) = value.split_once("{}").filter(|_| value != "{}") else { return value };
    let is_number = |letter: char| letter.is_ascii_digit() || matches!(letter, '+' | '-' | '.');
    let rest = rest.trim_start_matches("e0");
    let number: String = rest.chars().take_while(|letter| is_number(*letter)).collect();
    let moment = NOW + number.parse().unwrap_or(0.0);
    let exponent = if value.contains("e0") { "e0" } else { "" };
    format!("{before}{moment}{exponent}{}", &rest[number.len()..])
}

/// The payload as a whole, in some other form.
fn wrapped(json: &str, how: &str) -> Vec<u8> {
    match how {
        "BLANKS" => format!(" \r\n\t{json}\n ").into_bytes(),
        "BOM" => format!("\u{feff}{json}").into_bytes(),
        "UTF16" => json.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "LATIN1" => json.replace("boomi", "b\u{f6}mi").chars().map(|letter| letter as u8).collect(),
        "AFTER" => format!("{json}{{}}").into_bytes(),
        "LIST" => format!("[{json}]").into_bytes(),
        "NULL" => b"null".to_vec(),
        "EMPTY" => Vec::new(),
        "COMMENT" => format!("/* */{json}").into_bytes(),
        _ => json.as_bytes().to_vec(),
    }
}

fn seal() -> impl Strategy<Value = Seal> {
    prop_oneof![
        20 => Just(Seal::Own),
        1 => (any::<Index>(), 0..8_u8).prop_map(|(at, bit)| Seal::Flipped(at, bit)),
        1 => any::<Index>().prop_map(Seal::Cut),
        1 => any::<Index>().prop_map(Seal::Other),
        1 => select(vec![Seal::Longer, Seal::Zeros, Seal::Empty, Seal::PublicAsSecret, Seal::Elsewhere]),
    ]
}

const AS_IS: &[Change] = &[("as it is", str::to_owned)];

/// What is done to header and payload before they are signed.
const BEFORE: &[Change] = &[
    ("the header is padded", |signed| signed.replacen('.', &format!("{}.", pads(signed.split('.').next())), 1)),
    ("the payload is padded", |signed| format!("{signed}{}", pads(signed.split('.').nth(1)))),
    ("the payload is padded too much", |signed| format!("{signed}====")),
    ("the payload's spare bits are set", |signed| spare_bits(signed)),
    ("the payload has a letter too many", |signed| format!("{signed}A")),
    ("the payload holds a letter of plain Base64", |signed| format!("{signed}+/+/")),
    ("the payload ends with a line", |signed| format!("{signed}%0A")),
    ("a part more", |signed| format!("{signed}.e30")),
    ("no header", |signed| signed[signed.find('.').unwrap_or(0)..].to_owned()),
    ("no payload", |signed| signed[..=signed.find('.').unwrap_or(0)].to_owned()),
    ("one part", |signed| signed.replace('.', "")),
];

/// What is done to the whole token.
const AFTER: &[Change] = &[
    ("a dot more", |token| format!("{token}.")),
    ("a part more", |token| format!("{token}.e30")),
    ("two parts more", |token| format!("{token}.e30.e30")),
    ("no signature and no dot", |token| token.rsplit_once('.').map_or(token, |(rest, _)| rest).to_owned()),
    ("the signature is padded", |token| format!("{token}{}", pads(token.rsplit('.').next()))),
    ("the signature is padded wrongly", |token| format!("{token}=")),
    ("the signature's spare bits are set", |token| spare_bits(token)),
    ("a blank at the end", |token| format!("{token} ")),
    ("a blank inside", |token| token.replacen('.', ". ", 1)),
    ("in quotes", |token| format!("\"{token}\"")),
    ("with its scheme", |token| format!("Bearer {token}")),
    ("half of it", |token| token[..token.len() / 2].to_owned()),
    ("its parts turned round", |token| token.rsplit('.').collect::<Vec<_>>().join(".")),
    ("plain Base64", |token| token.replace('-', "+").replace('_', "/")),
    ("percent-encoded", |token| token.replace('.', "%2E")),
];

/// What RFC 4648 section 4 pads a part with.
fn pads(part: Option<&str>) -> &'static str {
    match part.map_or(0, str::len) % 4 {
        2 => "==",
        3 => "=",
        _ => "",
    }
}

/// The same with the bits set that its last letter has to spare; they say nothing.
fn spare_bits(text: &str) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let part = text.rsplit('.').next().unwrap_or_default();
    let spare = match part.len() % 4 {
        2 => 0b1111,
        3 => 0b11,
        _ => 0,
    };
    let Some(value) = part.bytes().last().and_then(|last| LETTERS.iter().position(|letter| *letter == last)) else {
        return text.to_owned();
    };
    format!("{}{}", &text[..text.len() - 1], char::from(LETTERS[value | spare]))
}
