//! What laws draw by lot.

use proptest::prelude::*;
use proptest::test_runner::Config;

use crate::made::NOW_WHOLE;

/// How often each law is put to the test.
pub fn cases(usual: u32) -> Config {
    let asked = std::env::var("WAXSEAL_LAW_CASES").ok().and_then(|number| number.parse().ok());
    Config { cases: asked.unwrap_or(usual), failure_persistence: None, ..Config::default() }
}

/// The same for a law whose single case is a hundred times as heavy as others.
pub fn fewer_cases(usual: u32) -> Config {
    const DIVISOR: u32 = 100;
    let asked = cases(usual * DIVISOR);
    Config { cases: (asked.cases / DIVISOR).max(1), ..asked }
}

/// Claims of all kinds, good ones among them.
pub fn claims() -> impl Strategy<Value = String> {
    let iss = prop_oneof![Just(""), Just(r#","iss":"one""#), Just(r#","iss":"two""#), Just(r#","iss":7"#)];
    let exp = prop_oneof![4 => 1..2000_i64, 1 => -2000..1_i64].prop_map(|left| format!("{}", NOW_WHOLE + left));
    let exp = prop_oneof![8 => exp, 1 => Just("\"x\"".to_owned()), 1 => Just("1e300".to_owned())];
    let more = prop_oneof![
        4 => Just(""),
        1 => Just(r#","nbf":1700000000"#),
        1 => Just(r#","nbf":1900000000"#),
        1 => Just(r#","aud":["a","b"]"#),
        1 => Just(r#","scope":"read write""#),
        1 => Just(r#","cnf":{}"#),
        1 => Just(r#","exp":1"#),
    ];
    let sub = prop_oneof![6 => Just(r#""sub":"boomi""#), 1 => Just(r#""sub":7"#), 1 => Just(r#""x":1"#)];
    (sub, iss, exp, more).prop_map(|(sub, iss, exp, more)| format!("{{{sub}{iss},\"exp\":{exp}{more}}}"))
}

/// Headers of all kinds, the good one most often.
pub fn header() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        6 => Just(r#"{"alg":"HS512"}"#),
        1 => Just(r#"{"alg":"HS512","typ":"JWT","kid":"x"}"#),
        1 => Just(r#"{"alg":"none"}"#),
        1 => Just(r#"{"alg":"HS256"}"#),
        1 => Just(r#"{"alg":"HS512","crit":["x"]}"#),
        1 => Just(r#"{"alg":"HS512","jwk":{"kty":"oct","k":"YQ"}}"#),
        1 => Just(r#"{"alg":"RS256","kid":"../x"}"#),
    ]
}
