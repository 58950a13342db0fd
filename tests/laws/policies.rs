//! Laws about demands, report mode and identity.

use http::Method;
use proptest::prelude::*;
use waxseal::decision::claims::ClaimPath;
use waxseal::decision::keys::{IssuerSlot, Supply};
use waxseal::decision::memo::Memo;
use waxseal::decision::policy::{ClaimRule, Policy};
use waxseal::decision::rejection::Code;
use waxseal::decision::route::{Mode, Route};
use waxseal::decision::snapshot::Snapshot;
use waxseal::time::UnixSeconds;

use super::drawn::{cases, claims, header};
use crate::made::{NOW, Outcome, any_token_of, issuer, judge, opened, request, route, snapshot, token};

fn issuers() -> Vec<IssuerSlot> {
    vec![issuer("named", &["one"], &[0, 1], 0.0), issuer("any", &[], &[1, 2], 0.0)]
}

/// One further demand: of the route, or of its issuers.
#[derive(Clone, Debug)]
enum Demand {
    /// An audience, where none was demanded: of two, one is enough.
    Audience(&'static str),
    Scope(&'static str),
    Claim(&'static str, &'static str),
    /// One issuer less.
    Without(usize),
    Require(&'static str),
    MaxLifetime(f64),
    LessLeeway,
    Types,
}

fn demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        2 => prop::sample::select(vec!["a", "b", "c"]).prop_map(Demand::Audience),
        2 => prop::sample::select(vec!["read", "write", "admin"]).prop_map(Demand::Scope),
        2 => (prop::sample::select(vec!["sub", "/x/y", "iss"]), prop::sample::select(vec!["boo*", "*", "one", "x"]))
            .prop_map(|(path, accepted)| Demand::Claim(path, accepted)),
        1 => (0..2_usize).prop_map(Demand::Without),
        1 => prop::sample::select(vec!["scope", "nbf", "iat"]).prop_map(Demand::Require),
        1 => prop::sample::select(vec![100.0, 1e9]).prop_map(Demand::MaxLifetime),
        1 => Just(Demand::LessLeeway),
        1 => Just(Demand::Types),
    ]
}

/// A guard with all these demands.
fn demanding(demands: &[Demand]) -> Snapshot {
    let mut requirement = any_token_of(&[0, 1]);
    let mut rules = [("named", vec!["one"], [0_u8, 1]), ("any", vec![], [1, 2])].map(|(name, iss, keys)| {
        let slot = issuer(name, &iss, &keys, 30.0);
        ((*slot.issuer).clone(), slot.keys(UnixSeconds::new(NOW).unwrap()).cloned())
    });
    for demand in demands {
        match demand {
            Demand::Audience(audience) if requirement.audiences.is_empty() => {
                requirement.audiences.push((*audience).into())
            }
            Demand::Audience(_) => {}
            Demand::Scope(scope) => requirement.scopes.push((*scope).into()),
            Demand::Claim(path, accepted) => {
                let rule = ClaimRule { path: ClaimPath::new(path), accepted: vec![(*accepted).into()] };
                requirement.claims.push(rule);
            }
            Demand::Without(at) => requirement.issuers.retain(|id| id.0 != *at),
            Demand::Require(claim) => rules.iter_mut().for_each(|(rules, _)| rules.require.push(ClaimPath::new(claim))),
            Demand::MaxLifetime(most) => rules.iter_mut().for_each(|(rules, _)| {
                rules.max_lifetime = Some(rules.max_lifetime.map_or(*most, |before| before.min(*most)));
            }),
            Demand::LessLeeway => rules.iter_mut().for_each(|(rules, _)| rules.leeway = 0.0),
            Demand::Types => rules.iter_mut().for_each(|(rules, _)| rules.types.absent = false),
        }
    }
    let slots =
        rules.into_iter().map(|(rules, keys)| IssuerSlot::supplied(rules.into(), keys, Supply::Given)).collect();
    snapshot(vec![route("/a", Policy::Require(requirement))], Policy::Open, slots)
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
    fn a_further_demand_never_opens(
        header in header(),
        claims in claims(),
        key in 0..4_u8,
        demands in prop::collection::vec(demand(), 0..3),
        further in demand(),
        at in -40.0..40.0_f64,
    ) {
        let request = request("POST", "/a", Some(&token(header, &claims, key))).unwrap();
        let more = [demands.clone(), vec![further]].concat();
        let outcome = |demands: &[Demand]| judge(&request, &demanding(demands), &mut Memo::off(), NOW + at);
        let (fewer, more) = (outcome(&demands), outcome(&more));
        prop_assert!(fewer.passes() || !more.passes(), "{:?}", fewer);
        if let (Some(fewer), Some(more)) = (fewer.until(), more.until()) {
            prop_assert!(more <= fewer, "it lasts longer: {} and {}", fewer, more);
        }
    }

    #[test]
    fn a_stream_may_last_while_its_request_would_pass(
        header in header(),
        claims in claims(),
        key in 0..4_u8,
        before in prop::collection::vec(demand(), 0..2),
        after in prop::collection::vec(demand(), 0..3),
        at in -40.0..40.0_f64,
        later in 0.0..400.0_f64,
    ) {
        let request = request("POST", "/a", Some(&token(header, &claims, key))).unwrap();
        let Some(mut opening) = opened(&request, &demanding(&before), NOW + at) else { return Ok(()) };
        let (now, after) = (NOW + at + later, demanding(&after));
        let asked = opening.ask_again(&after, &mut Memo::off(), UnixSeconds::new(now).unwrap());
        match judge(&request, &after, &mut Memo::off(), now) {
            Outcome::Refused(code) => prop_assert_eq!(asked.map_err(|rejection| rejection.code()), Err(code)),
            passes => {
                prop_assert!(asked.is_ok(), "{:?}", asked);
                prop_assert_eq!(opening.until().map(UnixSeconds::seconds), passes.until());
            }
        }
    }

    #[test]
    fn a_further_guard_never_opens(
        target in target(),
        token in prop::option::of((header(), claims(), 0..4_u8)),
        further in prop::sample::select(vec!["/b/**", "/a/x", "/*/open", "/b/a*", "/open/**", "/"]),
        deny in any::<bool>(),
    ) {
        let token = token.map(|(header, claims, key)| token_of(header, &claims, key));
        let Some(request) = request("POST", &target, token.as_deref()) else { return Ok(()) };
        // What was open or guarded by less is guarded by the same token and more; a closed route stays closed where the
        // guard is not more specific, so only those that are open before are compared.
        let open = vec![route("/a/open", Policy::Open), route("/open/*", Policy::Open)];
        let policy = if deny { Policy::Deny } else { Policy::Require(any_token_of(&[0, 1])) };
        let mut more = open.clone();
        more.push(route(further, policy));
        for unmatched in [Policy::Open, Policy::Require(any_token_of(&[0, 1]))] {
            let passes = |routes: &[Route]| {
                judge(&request, &snapshot(routes.to_vec(), unmatched.clone(), issuers()), &mut Memo::off(), NOW).passes()
            };
            prop_assert!(passes(&open) || !passes(&more), "{}", target);
        }
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
