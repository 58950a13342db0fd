//! Where PyJWT is known to judge otherwise, and why.

use waxseal::decision::rejection::{Code, Rejection};

use super::tokens::Made;

/// Something that waxseal refuses and PyJWT does not look at.
struct Stricter {
    code: Code,
    /// What stands in the detail of the refusal.
    detail: &'static str,
    /// What the token must be like besides.
    holds: fn(&Made) -> bool,
    why: &'static str,
}

const STRICTER: &[Stricter] = &[
    Stricter {
        code: Code::ClaimMalformed,
        detail: "found empty text",
        holds: |made| made.payload.contains("\"sub\":\"\""),
        why: "a subject without a letter: it names nobody, and PyJWT asks for text alone",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "a member of its JSON stands twice",
        holds: |_| true,
        why: "a double member: Python's json lets the last one count",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "which is never accepted",
        holds: |made| names_any(&made.header, &["crit", "b64", "jwk", "jku", "x5u", "x5c"]),
        why: "a header that asks for an extension or brings a key: PyJWT knows b64, and passes over keys",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "the header: typ is no text",
        holds: |made| names_any(&made.header, &["typ"]),
        why: "a typ that is no text: PyJWT does not look at it",
    },
    Stricter {
        code: Code::TokenType,
        detail: "typ: expected",
        holds: |made| names_any(&made.header, &["typ"]),
        why: "a token of another type: PyJWT does not look at typ",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "its JSON is broken",
        holds: |made| made.header.contains(":NaN") || made.payload.contains(":NaN"),
        why: "NaN: Python's json reads it, RFC 8259 section 6 rules it out",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "the payload: its JSON is broken",
        holds: |made| made.payload.contains("1e400") || made.payload.contains(&"0".repeat(400)),
        why: "a number beyond what a double holds: Python has longer ones",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "the payload: its JSON is broken",
        holds: |made| made.payload.contains(r"\ud800"),
        why: "half a surrogate pair: Python's text can hold it, UTF-8 cannot",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "the payload: its JSON is broken",
        holds: |made| made.payload.contains(&"[".repeat(128)),
        why: "nesting deeper than 127: Python goes on to about 1,000",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "the payload: its JSON is broken",
        holds: |made| made.payload.starts_with('\u{feff}') || made.payload.contains("{\0"),
        why: "a byte order mark or UTF-16: Python guesses the encoding, RFC 8259 section 8.1 wants UTF-8",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "is not canonical base64url",
        holds: |made| made.token.contains('='),
        why: "padding: PyJWT takes it, RFC 7515 section 2 rules it out",
    },
    Stricter {
        code: Code::TokenMalformed,
        detail: "longer than 16 KiB",
        holds: |made| made.token.len() > 16 * 1024,
        why: "a long token: PyJWT has no limit",
    },
    Stricter {
        code: Code::ClaimMalformed,
        detail: "expected a number, found text",
        holds: |made| ["exp", "nbf", "iat"].iter().any(|name| made.payload.contains(&format!("\"{name}\":\""))),
        why: "a moment as text: PyJWT makes a number of it",
    },
    Stricter {
        code: Code::ClaimMalformed,
        detail: "expected a number, found a boolean",
        holds: |made| ["exp", "nbf", "iat"].iter().any(|name| made.payload.contains(&format!("\"{name}\":true"))),
        why: "a moment that is true: Python counts it as 1",
    },
    Stricter {
        code: Code::TokenNotYetValid,
        detail: " is 1800000030.5 ",
        holds: |made| made.payload.contains(":1800000030.5"),
        why: "half a second too early: PyJWT cuts fractions off nbf and iat",
    },
    Stricter {
        code: Code::ProofInvalid,
        detail: "bound to a key",
        holds: |made| names_any(&made.payload, &["cnf"]),
        why: "a token bound to a key: PyJWT does not look at cnf",
    },
];

/// Whether the JSON has a member of one of these names.
fn names_any(json: &str, names: &[&str]) -> bool {
    names.iter().any(|name| json.contains(&format!("\"{name}\":")))
}

/// Something that PyJWT refuses and waxseal takes.
struct Wider {
    /// How PyJWT's refusal begins.
    refusal: &'static str,
    holds: fn(&Made) -> bool,
    why: &'static str,
}

const WIDER: &[Wider] = &[
    Wider {
        refusal: "ExpiredSignatureError",
        holds: |made| made.payload.contains(r#""exp":1799999970.5"#),
        why: "half a second left: PyJWT cuts the fraction off exp, which RFC 7519 section 2 allows there",
    },
    Wider {
        refusal: "InvalidJTIError",
        holds: |made| made.payload.contains(r#""jti":7"#),
        why: "a jti that is no text: it says nothing about who may pass",
    },
];

/// Nothing where both say the same; else why PyJWT differs, where that is known.
pub fn explain(
    made: &Made,
    first: &Result<(), Rejection>,
    second: &Result<(), String>,
) -> Option<Result<&'static str, ()>> {
    let why = match (first, second) {
        (Ok(()), Ok(())) | (Err(_), Err(_)) => return None,
        (Err(rejection), Ok(())) => {
            let fits = |known: &&Stricter| {
                known.code == rejection.code() && rejection.detail().contains(known.detail) && (known.holds)(made)
            };
            STRICTER.iter().find(fits).map(|known| known.why)
        }
        (Ok(()), Err(refusal)) => {
            WIDER.iter().find(|known| refusal.starts_with(known.refusal) && (known.holds)(made)).map(|known| known.why)
        }
    };
    Some(why.ok_or(()))
}

/// Every reason there is.
pub fn reasons() -> impl Iterator<Item = &'static str> {
    STRICTER.iter().map(|known| known.why).chain(WIDER.iter().map(|known| known.why))
}
