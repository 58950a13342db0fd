//! Floods of bad tokens.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Siege, tally};
use crate::client::{Client, request};
use crate::tokens::{SECRET, bearer, good, now};

/// Tokens of one kind that are sent; all of them different.
const MANY: usize = 2000;
/// What the costliest kind may cost in the time of a plain bad token, and the least that is called costly at all.
const AT_MOST_TIMES: u32 = 25;
const COSTLY: Duration = Duration::from_millis(4);

/// A token with these two parts, signed by the key of the tests or not.
fn token(header: &str, claims: &str, signed: bool) -> String {
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let key = if signed { SECRET } else { "another key that is long enough for the hash, but not the issuer's own" };
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA512, key.as_bytes()), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// Sends `many` tokens over a few connections, each of them once, and gives the time of one and the codes.
fn send(siege: &Siege, many: usize, make: impl Fn(usize) -> String) -> Duration {
    let mut client = Client::connect(siege.address);
    let requests: Vec<Vec<u8>> = (0..many)
        .map(|number| request("POST", "/api/guarded", &[("Authorization", &bearer(&make(number)))], ""))
        .collect();
    let started = Instant::now();
    let statuses = requests.iter().map(|bytes| client.send(bytes).response(false).status);
    let statuses = tally(statuses);
    assert_eq!(statuses.get(&401), Some(&many), "{statuses:?}");
    started.elapsed() / u32::try_from(many).unwrap()
}

const PLAIN: &str = r#"{"alg":"HS512"}"#;

#[test]
fn different_bad_tokens_leave_no_trace_in_memory() {
    let siege = Siege::with("", "", "[answers]\nreason = \"exact\"\n");
    let claims = |number: usize| format!(r#"{{"userLoginId":"user-{number}","exp":{}}}"#, now() + 600);
    let before = siege.program.kilobytes("VmRSS");
    send(&siege, MANY, |number| token(PLAIN, &claims(number), false));
    send(&siege, MANY, |number| token(&format!(r#"{{"alg":"HS512","kid":"key-{number}"}}"#), &claims(number), false));
    send(&siege, MANY, |number| {
        token(PLAIN, &format!(r#"{{"iss":"https://{number}.example","userLoginId":"u","exp":1}}"#), false)
    });
    let grown = siege.program.kilobytes("VmRSS").saturating_sub(before);
    assert!(grown < 32 * 1024, "{grown} KiB for {} tokens", 3 * MANY);
    let bad = "waxseal_requests_total{route=\"guarded\",verdict=\"reject\",code=\"signature_invalid\"}";
    assert_eq!(siege.counted(bad), 3 * MANY as u64);
    siege.lift();
}

#[test]
fn no_bad_token_costs_many_times_what_a_plain_one_does() {
    let siege = Siege::lay("");
    let plain = send(&siege, 300, |number| token(PLAIN, &format!(r#"{{"exp":{number}}}"#), false));
    let filler = |number: usize, length: usize| format!("{number:05}").repeat(length / 5);
    let kinds: [(&str, &dyn Fn(usize) -> String); 8] = [
        ("large", &|number| token(PLAIN, &format!(r#"{{"a":"{}"}}"#, filler(number, 11_000)), true)),
        ("too large", &|number| token(PLAIN, &format!(r#"{{"a":"{}"}}"#, filler(number, 18_000)), true)),
        ("deep", &|number| token(PLAIN, &format!("{{\"exp\":{number},\"a\":{}", "[".repeat(11_000)), true)),
        ("deep and closed", &|_| token(PLAIN, &format!("{}{}", "[".repeat(5_500), "]".repeat(5_500)), true)),
        ("deep header", &|_| token(&format!("{{\"alg\":\"HS512\",\"a\":{}", "[".repeat(11_000)), "{}", true)),
        ("huge number", &|_| token(PLAIN, &format!("{{\"exp\":{}}}", "9".repeat(11_000)), true)),
        ("huge exponent", &|number| token(PLAIN, &format!("{{\"exp\":{number}e999999}}"), true)),
        ("many members", &|number| {
            let members: String = (0..900).map(|own| format!("\"m{own}\":{number},")).collect();
            token(PLAIN, &format!("{{{members}\"exp\":1}}"), true)
        }),
    ];
    for (name, make) in kinds {
        let cost = send(&siege, 100, make);
        assert!(cost < (plain * AT_MOST_TIMES).max(COSTLY), "{name}: {cost:?}, a plain one {plain:?}");
    }
    siege.lift();
}

#[test]
fn many_good_tokens_are_remembered_within_the_bound_of_the_memo() {
    let siege = Siege::with("", "", "[memo]\nentries = 100\nsize = \"64KiB\"\n");
    let mut client = Client::connect(siege.address);
    for number in 0..MANY {
        let claims = format!(r#"{{"userLoginId":"{number}","a":"{}","exp":{}}}"#, "x".repeat(4000), now() + 600);
        let bytes = request("POST", "/api/other", &[("Authorization", &bearer(&token(PLAIN, &claims, true)))], "");
        assert_eq!(client.send(&bytes).response(false).status, 200);
    }
    assert_eq!(
        client.send(&request("POST", "/api/other", &[("Authorization", &bearer(&good()))], "")).response(false).status,
        200
    );
    drop(client);
    siege.lift_within(32 * 1024);
}
