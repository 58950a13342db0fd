//! Laws about tokens, keys, time and the memo.

use std::sync::LazyLock;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use waxseal::decision::claims::Claims;
use waxseal::decision::jws::Jws;
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::Policy;
use waxseal::decision::rejection::Code;
use waxseal::decision::snapshot::Snapshot;

use super::drawn::{cases, claims, header};
use crate::made::{NOW, Outcome, any_token_of, issuer, judge, request, route, secret, snapshot, token};

/// Three routes that ask the same issuers in different orders.
fn three_routes(swapped: bool) -> Snapshot {
    let mut issuers = vec![
        issuer("named", &["one"], &[0, 1], 0.0),
        issuer("any", &[], &[if swapped { 2 } else { 1 }], 30.0),
        issuer("other", &["one", "two"], &[1, 3], 0.0),
    ];
    let mut orders = [vec![0, 1, 2], vec![2, 1], vec![1]];
    if swapped {
        issuers.reverse();
        orders = orders.map(|order| order.into_iter().map(|id| 2 - id).collect());
    }
    let paths = ["/a", "/b", "/c"];
    let routes = paths.iter().zip(orders).map(|(path, order)| route(path, Policy::Require(any_token_of(&order))));
    snapshot(routes.collect(), Policy::Open, issuers)
}

/// A key that no issuer here has.
static STRANGER: LazyLock<Ed25519KeyPair> = LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap());

/// A header with all that a stranger might hope to be believed.
fn any_header() -> impl Strategy<Value = String> {
    let algorithm =
        prop::sample::select(vec!["HS512", "HS256", "HS384", "none", "None", "EdDSA", "RS256", "ES256", "hs512", ""]);
    let jwk =
        format!(r#""jwk":{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, URL_SAFE_NO_PAD.encode(STRANGER.public_key()));
    let members = prop::collection::vec(
        prop::sample::select(vec![
            jwk,
            r#""jku":"https://evil.test/jwks""#.to_owned(),
            r#""x5u":"https://evil.test/x""#.to_owned(),
            r#""x5c":["AA"]"#.to_owned(),
            r#""kid":"../../dev/null""#.to_owned(),
            r#""kid":"x' OR '1'='1""#.to_owned(),
            r#""typ":"JWT""#.to_owned(),
            r#""crit":["exp"]"#.to_owned(),
            r#""b64":false"#.to_owned(),
            r#""alg":"none""#.to_owned(),
            r#""zip":"DEF""#.to_owned(),
            r#""cty":"JWT""#.to_owned(),
        ]),
        0..3,
    );
    prop_oneof![
        1 => header().prop_map(str::to_owned),
        3 => (algorithm, members).prop_map(|(algorithm, members)| {
            let members: String = members.into_iter().map(|member| format!(",{member}")).collect();
            format!(r#"{{"alg":"{algorithm}"{members}}}"#)
        }),
    ]
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn a_memo_never_changes_a_verdict(
        asked in prop::collection::vec(
            (0..4_usize, any::<bool>(), header(), claims(), 0..5_u8, -50.0..3000.0_f64, 0..3_usize), 1..24,
        ),
    ) {
        let snapshots = [three_routes(false), three_routes(true)];
        // The same few tokens come back under other routes, other keys and at other times.
        let mut tokens: Vec<String> = Vec::new();
        let mut memo = Memo::new(8, 1 << 16);
        for (path, which, header, claims, key, later, back) in asked {
            tokens.push(token(header, &claims, key));
            let again = tokens.len().saturating_sub(1 + back);
            let target = ["/a", "/b", "/c", "/open"][path];
            let request = request("POST", target, Some(&tokens[again])).unwrap();
            let snapshot = &snapshots[usize::from(which)];
            let remembered = judge(&request, snapshot, &mut memo, NOW + later);
            let anew = judge(&request, snapshot, &mut Memo::off(), NOW + later);
            prop_assert_eq!(remembered, anew, "{} {}", target, claims);
        }
    }

    #[test]
    fn a_foreign_key_never_opens_a_guard(header in any_header(), claims in claims(), key in 4..20_u8, way in 0..5_u8) {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let by = |algorithm, key: &[u8]| hmac::sign(&hmac::Key::new(algorithm, key), signed.as_bytes()).as_ref().to_vec();
        // By another key, by what everybody knows of the issuer's, and by nothing.
        let signature = match way {
            0 => by(hmac::HMAC_SHA512, &secret(key)),
            1 => by(hmac::HMAC_SHA256, &secret(key)),
            2 => by(hmac::HMAC_SHA512, STRANGER.public_key().as_ref()),
            3 => STRANGER.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => Vec::new(),
        };
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        for target in ["/a", "/b", "/c", "/a/x.json"] {
            let request = request("POST", target, Some(&token)).unwrap();
            prop_assert!(!judge(&request, &three_routes(false), &mut Memo::off(), NOW).passes(), "{}", target);
        }
    }

    #[test]
    fn a_known_signature_opens_nothing_for_other_claims(claims in claims(), others in claims(), header in header(), key in 0..4_u8) {
        let (one, other) = (token(r#"{"alg":"HS512"}"#, &claims, key), token(header, &others, key));
        let moved = format!("{}.{}", other.rsplit_once('.').unwrap().0, one.rsplit_once('.').unwrap().1);
        let mut memo = Memo::new(8, 1 << 16);
        judge(&request("POST", "/c", Some(&one)).unwrap(), &three_routes(false), &mut memo, NOW);
        let outcome = judge(&request("POST", "/c", Some(&moved)).unwrap(), &three_routes(false), &mut memo, NOW);
        prop_assert!(one == moved || !outcome.passes());
    }

    #[test]
    fn an_edited_token_never_opens_a_guard(claims in claims(), at in any::<prop::sample::Index>(), byte in 0x21..0x7f_u8) {
        let good = token(r#"{"alg":"HS512"}"#, &claims, 1);
        let mut edited = good.clone().into_bytes();
        let at = at.index(edited.len());
        edited[at] = if edited[at] == byte { byte ^ 1 } else { byte };
        let request = request("POST", "/c", Some(std::str::from_utf8(&edited).unwrap())).unwrap();
        prop_assert!(!judge(&request, &three_routes(false), &mut Memo::off(), NOW).passes());
    }

    #[test]
    fn time_moving_on_never_undoes_an_expiry(claims in claims(), key in 0..4_u8, mut moments in prop::collection::vec(-100.0..4000.0_f64, 2..12)) {
        moments.sort_by(f64::total_cmp);
        let request = request("POST", "/c", Some(&token(r#"{"alg":"HS512"}"#, &claims, key))).unwrap();
        let snapshot = three_routes(false);
        let mut memo = Memo::new(8, 1 << 16);
        let mut expired = false;
        for later in moments {
            let outcome = judge(&request, &snapshot, &mut memo, NOW + later);
            prop_assert!(!(expired && outcome.passes()), "{} passes again at {}", claims, later);
            expired |= outcome == Outcome::Refused(Code::TokenExpired);
            if let Outcome::Passes { until: Some(until), .. } = outcome {
                prop_assert!(NOW + later < until, "it passes at {} and ends at {}", NOW + later, until);
            }
        }
    }

    #[test]
    fn nothing_passes_after_its_end_and_leeway(
        left in -100.0..2000.0_f64, leeway in prop_oneof![Just(0.0), 0.0..300.0_f64], past in prop_oneof![Just(0.0), 0.0..5000.0_f64],
        remembered in any::<bool>(),
    ) {
        let exp = NOW + left;
        let slot = issuer("i", &[], &[1], leeway);
        let snapshot = snapshot(vec![route("/c", Policy::Require(any_token_of(&[0])))], Policy::Open, vec![slot]);
        let request = request("POST", "/c", Some(&token(r#"{"alg":"HS512"}"#, &format!(r#"{{"sub":"x","exp":{exp:?}}}"#), 1))).unwrap();
        let mut memo = if remembered { Memo::new(8, 1 << 16) } else { Memo::off() };
        let before = judge(&request, &snapshot, &mut memo, exp - 1.0);
        prop_assert_eq!(before.until(), Some(exp + leeway));
        let outcome = judge(&request, &snapshot, &mut memo, exp + leeway + past);
        prop_assert_eq!(outcome, Outcome::Refused(Code::TokenExpired));
    }

    #[test]
    fn no_bytes_break_a_parser_of_tokens(bytes in prop::collection::vec(any::<u8>(), 0..400), json in ".{0,200}") {
        let _ = Jws::parse(&bytes);
        let _ = Claims::parse(&bytes);
        let _ = Claims::parse(json.as_bytes());
        let _ = Jws::parse(token(&json, &json, 0).as_bytes());
    }
}
