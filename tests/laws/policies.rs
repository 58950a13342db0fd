//! Laws about demands, report mode and identity.

use http::Method;
use proptest::prelude::*;
use waxseal::decision::claims::ClaimPath;
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::{ClaimRule, Policy, Requirement};
use waxseal::decision::rejection::Code;
use waxseal::decision::route::{Mode, Route};
use waxseal::decision::snapshot::Snapshot;

use super::made::{NOW, Outcome, any_token_of, cases, claims, header, issuer, judge, request, route, snapshot, token};

fn issuers() -> Vec<waxseal::decision::keys::IssuerSlot> {
    vec![issuer("named", &["one"], &[0, 1], 0.0), issuer("any", &[], &[1, 2], 0.0)]
}

fn guarding(requirement: Requirement) -> Snapshot {
    snapshot(vec![route("/a", Policy::Require(requirement))], Policy::Open, issuers())
}

/// One further demand.
fn demand() -> impl Strategy<Value = fn(&mut Requirement)> {
    prop_oneof![
        Just((|demand| demand.audiences.push("a".into())) as fn(&mut Requirement)),
        Just((|demand| demand.scopes.push("read".into())) as fn(&mut Requirement)),
        Just((|demand| demand.scopes.push("admin".into())) as fn(&mut Requirement)),
        Just(
            (|demand| demand.claims.push(ClaimRule { path: ClaimPath::new("sub"), accepted: vec!["boo*".into()] }))
                as fn(&mut Requirement)
        ),
        Just(
            (|demand| demand.claims.push(ClaimRule { path: ClaimPath::new("/x/y"), accepted: vec!["*".into()] }))
                as fn(&mut Requirement)
        ),
        Just((|demand| demand.issuers.truncate(1)) as fn(&mut Requirement)),
    ]
}

/// Routes of every policy around the same paths, in report mode or not.
fn routes(mode: Mode) -> Vec<Route> {
    let report = |route: Route| Route { mode, ..route };
    let get = |route: Route| Route { methods: vec![Method::GET], ..route };
    vec![
        report(route("/a", Policy::Require(any_token_of(&[0, 1])))),
        route("/a/open", Policy::Open),
        route("/a/never", Policy::Deny),
        get(route("/a/strict", Policy::Require(any_token_of(&[0])))),
        report(route("/b/**", Policy::Require(any_token_of(&[1])))),
    ]
}

fn target() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("/a"),
        Just("/b"),
        Just("/open"),
        Just("/never"),
        Just("/strict"),
        Just("/x"),
        Just("/"),
        Just(";p"),
        Just("%2F"),
        Just("%41"),
        Just(".json"),
        Just("/.."),
        Just("%252f"),
    ];
    prop::collection::vec(piece, 1..5).prop_map(|pieces| format!("/{}", pieces.concat().trim_start_matches('/')))
}

proptest! {
    #![proptest_config(cases(600))]

    #[test]
    fn a_further_demand_never_opens(header in header(), claims in claims(), key in 0..4_u8, first in demand(), second in demand()) {
        let request = request("POST", "/a", Some(&token(header, &claims, key))).unwrap();
        let mut fewer = any_token_of(&[0, 1]);
        first(&mut fewer);
        let mut more = fewer.clone();
        second(&mut more);
        let passes = |demand| judge(&request, &guarding(demand), &mut Memo::off(), NOW).passes();
        prop_assert!(passes(fewer) || !passes(more));
    }

    #[test]
    fn report_mode_changes_nothing_for_what_may_pass_and_opens_no_bad_request(
        method in prop_oneof![Just("GET"), Just("POST"), Just("HEAD"), Just("TRACE")],
        target in target(),
        token in prop::option::of((header(), claims(), 0..4_u8)),
    ) {
        let token = token.map(|(header, claims, key)| token_of(header, &claims, key));
        let Some(request) = request(method, &target, token.as_deref()) else { return Ok(()) };
        let enforced = judge(&request, &snapshot(routes(Mode::Enforce), Policy::Open, issuers()), &mut Memo::off(), NOW);
        let reported = judge(&request, &snapshot(routes(Mode::Report), Policy::Open, issuers()), &mut Memo::off(), NOW);
        match (&enforced, &reported) {
            (Outcome::Passes { .. }, _) => prop_assert_eq!(&enforced, &reported, "{}", target),
            (Outcome::Refused(code), Outcome::Passes { identity, lifted, .. }) => {
                prop_assert!(identity.is_empty(), "who was not proven is not told: {}", target);
                prop_assert_eq!(Some(*code), *lifted, "{}", target);
                prop_assert!(!matches!(code, Code::RouteDenied | Code::MethodRefused) && code.status() != 400, "{}", code);
            }
            (Outcome::Refused(_), Outcome::Refused(_)) => {}
        }
    }

    #[test]
    fn identity_is_what_the_token_says_and_nothing_else(target in target(), claims in claims(), key in 0..4_u8, user in "[a-z]{1,8}") {
        let claims = claims.replace("boomi", &user);
        let Some(request) = request("POST", &target, Some(&token_of(r#"{"alg":"HS512"}"#, &claims, key))) else { return Ok(()) };
        let outcome = judge(&request, &snapshot(routes(Mode::Enforce), Policy::Open, issuers()), &mut Memo::off(), NOW);
        if let Outcome::Passes { identity, .. } = outcome {
            let told = [("x-auth-user".to_owned(), user)];
            prop_assert!(identity.is_empty() || identity == told, "{:?}", identity);
        }
    }
}

fn token_of(header: &str, claims: &str, key: u8) -> String {
    token(header, claims, key)
}
