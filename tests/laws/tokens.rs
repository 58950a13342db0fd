//! Laws about tokens, keys, time and the memo.

use proptest::prelude::*;
use waxseal::decision::claims::Claims;
use waxseal::decision::jws::Jws;
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::Policy;
use waxseal::decision::rejection::Code;
use waxseal::decision::snapshot::Snapshot;

use super::made::{
    NOW, NOW_WHOLE, Outcome, any_token_of, cases, claims, header, issuer, judge, request, route, snapshot, token,
};

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
    fn a_foreign_key_never_opens_a_guard(header in header(), claims in claims(), key in 4..20_u8) {
        let token = token(header, &claims, key);
        for target in ["/a", "/b", "/c", "/a/x.json"] {
            let request = request("POST", target, Some(&token)).unwrap();
            prop_assert!(!judge(&request, &three_routes(false), &mut Memo::off(), NOW).passes(), "{}", target);
        }
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
    fn nothing_passes_after_its_end_and_leeway(left in -100_i64..2000, past in 0.0..5000.0_f64) {
        let exp = NOW_WHOLE + left;
        let request = request("POST", "/c", Some(&token(r#"{"alg":"HS512"}"#, &format!("{{\"sub\":\"x\",\"exp\":{exp}}}"), 1))).unwrap();
        let outcome = judge(&request, &three_routes(false), &mut Memo::off(), NOW + f64::from(i32::try_from(left).unwrap()) + 30.0 + past);
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
