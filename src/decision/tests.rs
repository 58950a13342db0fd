//! Claims about the steps of a decision and their order.

use super::*;
use crate::decision::claims::ClaimPath;
use crate::decision::credential::Place;
use crate::decision::head::tests::Asked;
use crate::decision::keys::{Algorithm, Fetched, IssuerId, IssuerSlot, KeySet, Supply};
use crate::decision::origin::OriginPattern;
use crate::decision::policy::ClaimRule;
use crate::decision::route::tests::{at, default, deny, guard, on, open};
use crate::decision::verify::tests::{FOREIGN, NOW, OWN, Signer, issuer, payload, slot, snapshot};
use crate::decision::witness::{Outcome, Record};

const HEADER: &str = r#"{"alg":"HS256"}"#;

fn token(more: &str) -> String {
    OWN.token(Algorithm::HS256, HEADER, &payload(&[], more))
}

fn issuers() -> Vec<IssuerSlot> {
    vec![
        slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])]),
        slot(issuer("foreign"), vec![FOREIGN.key(None, &[Algorithm::HS256])]),
        IssuerSlot::supplied(std::sync::Arc::new(issuer("lacking")), None, Supply::Given),
    ]
}

fn judge(routes: &[Route], asked: &Asked) -> Decision {
    judge_at(routes, asked, NOW)
}

fn judge_at(routes: &[Route], asked: &Asked, now: f64) -> Decision {
    let routes = routes.iter().cloned().chain([default(Policy::Open)]).collect();
    let (snapshot, now) = (snapshot(issuers(), routes), UnixSeconds::new(now).unwrap());
    let mut record = Record::default();
    let witnessed = decide_before(&mut record, &asked.head(), &snapshot, &mut Memo::off(), now);
    let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), now);
    assert_eq!(code(&witnessed), code(&decision), "a witness changes nothing");
    check_record(&record, &decision);
    decision
}

/// What was told ends in the refusal, or holds none; and what was lifted was told as lifted.
fn check_record(record: &Record, decision: &Decision) {
    let last = record.steps.last().map(|step| step.outcome);
    let refusals = record.steps.iter().filter(|step| matches!(step.outcome, Outcome::Refuse(_))).count();
    let lifted = record.steps.iter().find_map(|step| match step.outcome {
        Outcome::Lift(code) => Some(code),
        _ => None,
    });
    match &decision.verdict {
        Verdict::Reject(rejection) => {
            assert_eq!((last, refusals), (Some(Outcome::Refuse(rejection.code())), 1), "{record:?}");
        }
        Verdict::Allow(permit) => {
            assert_eq!(refusals, 0, "{record:?}");
            assert_eq!(lifted, permit.lifted().map(Rejection::code), "{record:?}");
        }
    }
}

fn permit(decision: Decision) -> Permit {
    match decision.verdict {
        Verdict::Allow(permit) => permit,
        Verdict::Reject(rejection) => panic!("{rejection}"),
    }
}

fn code(decision: &Decision) -> Result<(), Code> {
    match &decision.verdict {
        Verdict::Allow(_) => Ok(()),
        Verdict::Reject(rejection) => Err(rejection.code()),
    }
}

fn post(target: &str) -> Asked {
    Asked::new("POST", target)
}

fn shown(target: &str, token: &str) -> Asked {
    post(target).header("authorization", &format!("Bearer {token}"))
}

/// The guard with another requirement.
fn demanding(path: &str, change: impl FnOnce(&mut Requirement)) -> Route {
    let mut route = guard(path);
    if let Policy::Require(requirement) = &mut route.policy {
        change(requirement);
    }
    route
}

fn report(route: Route) -> Route {
    Route { mode: Mode::Report, ..route }
}

/// The route with `X-User` set from the subject and `X-Role` from the role.
fn telling(mut route: Route) -> Route {
    let name = |text: &'static str| http::HeaderName::from_static(text);
    route.forwarding.claims = vec![(name("x-user"), ClaimPath::new("sub")), (name("x-role"), ClaimPath::new("role"))];
    route
}

fn told(permit: &Permit) -> Vec<(String, String)> {
    let text =
        |(name, value): &(http::HeaderName, http::HeaderValue)| (name.to_string(), value.to_str().unwrap().to_owned());
    permit.identity().iter().map(text).collect()
}

#[test]
fn open_routes_look_at_no_token() {
    for asked in [
        post("/pub"),
        shown("/pub", "junk"),
        shown("/pub", &token("")),
        post("/pub").header("authorization", "Bearer a").header("authorization", "Bearer b"),
    ] {
        let decision = judge(&[open("/pub")], &asked);
        assert!(decision.principal.is_none() && decision.remembered.is_none());
        let permit = permit(decision);
        assert!(permit.until().is_none() && permit.credential().is_none() && permit.identity().is_empty());
    }
}

#[test]
fn a_guard_lets_its_tokens_pass_and_says_until_when_and_who() {
    let decision = judge(&[telling(guard("/x"))], &shown("/x", &token(",\"role\":[\"a\",\"b\"]")));
    assert_eq!(decision.principal.as_ref().unwrap().subject(), "boomi");
    let permit = permit(decision);
    assert_eq!(permit.until(), UnixSeconds::new(NOW + 300.0));
    assert_eq!(permit.credential(), Some(&Place::Authorization));
    assert_eq!(told(&permit), [("x-user".into(), "boomi".into()), ("x-role".into(), "a,b".into())]);
}

#[test]
fn each_step_comes_in_its_turn() {
    let route = demanding("/x", |requirement| {
        requirement.audiences = vec!["route".into()];
        requirement.scopes = vec!["read".into(), "write".into()];
        requirement.claims = vec![ClaimRule { path: ClaimPath::new("role"), accepted: vec!["pos-*".into()] }];
    });
    let routes = [telling(route)];
    let aud = |aud: &str, more: &str| {
        OWN.token(Algorithm::HS256, HEADER, &payload(&["aud"], &format!(",\"aud\":{aud}{more}")))
    };
    let both = "[\"oms\",\"route\"]";
    for (asked, expected) in [
        (post("/x"), Err(Code::CredentialMissing)),
        (shown("/x", "a.b"), Err(Code::TokenMalformed)),
        (shown("/x", &aud("\"route\"", "")), Err(Code::AudienceMismatch)),
        (shown("/x", &aud("\"oms\"", "")), Err(Code::AudienceMismatch)),
        (shown("/x", &aud(both, "")), Err(Code::ScopeInsufficient)),
        (shown("/x", &aud(both, ",\"scope\":\"read\"")), Err(Code::ScopeInsufficient)),
        (shown("/x", &aud(both, ",\"scope\":\"write read\"")), Err(Code::ClaimMismatch)),
        (shown("/x", &aud(both, ",\"scope\":\"write\",\"scp\":[\"read\"],\"role\":\"pos\"")), Err(Code::ClaimMismatch)),
        (shown("/x", &aud(both, ",\"scope\":\"write read\",\"role\":7")), Err(Code::ClaimMismatch)),
        (shown("/x", &aud(both, ",\"scope\":\"write read\",\"role\":[{},\"pos-1\"]")), Err(Code::ClaimMalformed)),
        (shown("/x", &aud(both, ",\"scope\":\"write read\",\"role\":\"pos-1\",\"cnf\":{}")), Err(Code::ProofInvalid)),
        (shown("/x", &aud(both, ",\"scope\":\"write read\",\"role\":\"pos-1\"")), Ok(())),
    ] {
        assert_eq!(code(&judge(&routes, &asked)), expected, "{:?}", asked.0.headers().get("authorization"));
    }
    let late = judge_at(&routes, &shown("/x", &token("")), NOW + 300.0);
    assert_eq!(code(&late), Err(Code::TokenExpired), "time before demands");
    assert!(late.principal.is_some(), "who was proven is known all the same");
}

#[test]
fn a_closed_route_denies_before_any_token_is_looked_at() {
    let routes = [deny("/x"), guard("/x/y"), report(deny("/z"))];
    assert_eq!(code(&judge(&routes, &shown("/x", "junk"))), Err(Code::RouteDenied));
    assert_eq!(code(&judge(&routes, &post("/x//y"))), Err(Code::RouteDenied), "one of several readings");
    assert_eq!(code(&judge(&routes, &post("/x/y"))), Err(Code::CredentialMissing));
    assert_eq!(code(&judge(&routes, &post("/z"))), Err(Code::RouteDenied), "report mode lifts no denial");
}

#[test]
fn what_no_route_names_falls_to_the_default() {
    for (policy, expected) in [
        (Policy::Open, Ok(())),
        (Policy::Deny, Err(Code::RouteDenied)),
        (guard("/").policy, Err(Code::CredentialMissing)),
    ] {
        let snapshot = snapshot(issuers(), vec![open("/pub"), default(policy)]);
        for target in ["/other", "/pub%2Fx", "/pub/"] {
            let asked = post(target);
            let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), UnixSeconds::new(NOW).unwrap());
            assert_eq!(code(&decision), expected, "{target}");
        }
    }
}

#[test]
fn strict_paths_are_refused_before_anything_else() {
    let mut strict = snapshot(issuers(), vec![open("/pub/**"), default(Policy::Deny)]);
    strict.strict_paths = true;
    for (target, expected) in [
        ("/pub/x", Ok(())),
        ("/pub/a%20b", Ok(())),
        ("/pub/a%2Fb", Err(Code::PathAmbiguous)),
        ("/other;x", Err(Code::PathAmbiguous)),
        ("/pub/%ff", Err(Code::PathAmbiguous)),
    ] {
        let asked = post(target);
        let decision = decide(&asked.head(), &strict, &mut Memo::off(), UnixSeconds::new(NOW).unwrap());
        assert_eq!(code(&decision), expected, "{target}");
    }
}

#[test]
fn a_preflight_passes_guards_and_no_denial() {
    let preflight = |target: &str| {
        Asked::new("OPTIONS", target).header("origin", "https://a").header("access-control-request-method", "POST")
    };
    let routes = [guard("/x"), deny("/d"), on(&["POST"], deny("/p"))];
    let passed = permit(judge(&routes, &preflight("/x")));
    assert!(passed.until().is_none() && passed.identity().is_empty());
    assert_eq!(code(&judge(&routes, &preflight("/d"))), Err(Code::RouteDenied));
    assert_eq!(code(&judge(&routes, &preflight("/p"))), Ok(()));
    for (name, value) in [("cookie", "a=b"), ("authorization", "Basic x"), ("x-http-method-override", "POST")] {
        let asked = preflight("/x").header(name, value);
        assert_eq!(code(&judge(&routes, &asked)), Err(Code::CredentialMissing), "{name}");
    }
    assert_eq!(code(&judge(&routes, &Asked::new("OPTIONS", "/x"))), Err(Code::CredentialMissing));
}

#[test]
fn an_override_does_not_help() {
    let routes = [on(&["GET"], open("/x")), on(&["POST"], guard("/x")), on(&["DELETE"], deny("/x"))];
    for (method, overriding, expected) in [
        ("GET", "", Ok(())),
        ("GET", "post", Err(Code::CredentialMissing)),
        ("GET", "HEAD, DELETE", Err(Code::RouteDenied)),
        ("POST", "GET", Err(Code::CredentialMissing)),
        ("DELETE", "GET", Err(Code::RouteDenied)),
    ] {
        let asked = Asked::new(method, "/x").header("x_http_method_override", overriding);
        assert_eq!(code(&judge(&routes, &asked)), expected, "{method} {overriding}");
    }
}

#[test]
fn every_guard_that_holds_is_to_be_met_and_the_most_specific_gives_the_code() {
    let scoped = |path: &str, scope: &str| demanding(path, |requirement| requirement.scopes = vec![scope.into()]);
    let routes = [scoped("/a/b", "one"), scoped("/b", "two"), scoped("/a/**", "three")];
    let codes = |scope: &str| {
        let decision = judge(&routes, &shown("//a/b", &token(&format!(",\"scope\":\"{scope}\""))));
        match decision.verdict {
            Verdict::Allow(permit) => (String::new(), permit.held().others.len()),
            Verdict::Reject(rejection) => (rejection.demanded_scope().unwrap_or_default().to_owned(), 0),
        }
    };
    assert_eq!(codes(""), ("one".into(), 0));
    assert_eq!(codes("two"), ("one".into(), 0));
    assert_eq!(codes("one"), ("two".into(), 0));
    assert_eq!(codes("one two"), (String::new(), 2), "with the default route, whose reading is //a/b");
}

#[test]
fn an_unknown_host_is_held_to_the_guards_of_all() {
    let routes = [at(&["a.example"], guard("/x")), at(&["b.example"], open("/x"))];
    for (host, expected) in [
        ("a.example", Err(Code::CredentialMissing)),
        ("b.example", Ok(())),
        ("c.example", Err(Code::CredentialMissing)),
        ("127.0.0.1:8080", Err(Code::CredentialMissing)),
    ] {
        assert_eq!(code(&judge(&routes, &post("/x").host(host))), expected, "{host}");
    }
}

#[test]
fn report_mode_lifts_what_its_own_route_refuses() {
    let scoped = demanding("/x", |requirement| requirement.scopes = vec!["read".into()]);
    let lacking = demanding("/x", |requirement| requirement.issuers = vec![IssuerId(2)]);
    let foreign = demanding("/x", |requirement| requirement.issuers = vec![IssuerId(1)]);
    for (route, asked, expected) in [
        (guard("/x"), post("/x"), Code::CredentialMissing),
        (guard("/x"), shown("/x", "junk"), Code::TokenMalformed),
        (guard("/x"), shown("/x", &token(",\"cnf\":{}")), Code::ProofInvalid),
        (guard("/x"), shown("/x", &token(",\"role\":{}")), Code::ClaimMalformed),
        (scoped, shown("/x", &token("")), Code::ScopeInsufficient),
        (lacking, shown("/x", &token("")), Code::KeysUnavailable),
        (foreign, shown("/x", &token("")), Code::SignatureInvalid),
    ] {
        let enforced = judge(&[telling(route.clone())], &asked);
        assert_eq!(code(&enforced), Err(expected));
        let passed = permit(judge(&[report(telling(route))], &asked));
        assert_eq!(passed.lifted().map(Rejection::code), Some(expected));
        assert!(passed.identity().is_empty(), "{expected}: whose identity?");
        assert!(passed.until().is_none(), "{expected}: it rests on no token");
    }
}

#[test]
fn report_mode_lifts_no_bad_request_and_nothing_of_other_routes() {
    let twice = post("/x").header("authorization", "Bearer a").header("authorization", "Bearer b");
    assert_eq!(code(&judge(&[report(guard("/x"))], &twice)), Err(Code::CredentialAmbiguous));
    let routes = [report(guard("/a/b")), guard("/b")];
    assert_eq!(code(&judge(&routes, &post("/a/b"))), Ok(()));
    assert_eq!(code(&judge(&routes, &post("//a/b"))), Err(Code::CredentialMissing), "/b is enforced");
    let reversed = [guard("/a/b"), report(guard("/b"))];
    assert_eq!(code(&judge(&reversed, &post("//a/b"))), Err(Code::CredentialMissing), "/a/b is enforced");
    let denied = [report(guard("/a/b")), deny("/b")];
    assert_eq!(code(&judge(&denied, &post("//a/b"))), Err(Code::RouteDenied));
}

#[test]
fn what_would_have_passed_goes_up_as_if_enforced() {
    let asked = shown("/x", &token(",\"role\":\"a\""));
    let enforced = permit(judge(&[telling(guard("/x"))], &asked));
    let reported = permit(judge(&[report(telling(guard("/x")))], &asked));
    assert_eq!(told(&reported), told(&enforced));
    assert_eq!(reported.until(), enforced.until());
    assert!(reported.lifted().is_none());
}

#[test]
fn what_is_lifted_beside_an_enforced_route_still_ends_with_its_token() {
    let scoped = report(demanding("/b", |requirement| requirement.scopes = vec!["two".into()]));
    let passed = permit(judge(&[telling(guard("/a/b")), scoped], &shown("//a/b", &token(""))));
    assert_eq!(passed.lifted().map(Rejection::code), Some(Code::ScopeInsufficient));
    assert!(passed.identity().is_empty());
    assert_eq!(passed.until(), UnixSeconds::new(NOW + 300.0));
}

#[test]
fn identity_comes_from_the_route_that_leads_and_can_spoil_the_request() {
    let routes = [telling(guard("/a/b")), guard("/b"), telling(guard("/c"))];
    let passed = permit(judge(&routes, &shown("//a/b", &token(""))));
    assert_eq!(told(&passed), [("x-user".into(), "boomi".into())]);
    assert!(told(&permit(judge(&routes, &shown("/b", &token(""))))).is_empty());
    for role in ["{}", "1.5", "[[]]", &format!("\"{}\"", "a".repeat(5000))] {
        let decision = judge(&routes, &shown("/c", &token(&format!(",\"role\":{role}"))));
        assert_eq!(code(&decision), Err(Code::ClaimMalformed), "{role}");
    }
}

#[test]
fn two_routes_that_find_two_tokens_refuse_both() {
    let from = |path: &str, header: &'static str| {
        demanding(path, |requirement| {
            requirement.places = vec![Place::Header(http::HeaderName::from_static(header))];
        })
    };
    let routes = [telling(from("/a/b", "x-one")), from("/b", "x-two")];
    let asked = |one: &str, two: &str| post("//a/b").header("x-one", one).header("x-two", two);
    let (small, great) = (token(""), token(",\"role\":\"admin\""));
    assert_eq!(code(&judge(&routes, &asked(&small, &great))), Err(Code::CredentialAmbiguous));
    assert_eq!(code(&judge(&routes, &asked(&small, &small))), Err(Code::CredentialAmbiguous));
}

#[test]
fn a_token_counts_only_where_the_route_looks() {
    let places = vec![Place::Authorization, Place::Cookie("t".into())];
    let routes = [demanding("/x", |requirement| requirement.places = places)];
    let mut snapshot = snapshot(issuers(), routes.iter().cloned().chain([default(Policy::Open)]).collect());
    snapshot.origins = std::sync::Arc::new([OriginPattern::parse("https://app.example").unwrap()]);
    let cookie = format!("a=1; t={}", token(""));
    for (name, asked, expected) in [
        ("cookie", post("/x").header("cookie", &cookie), Ok(())),
        ("own page", post("/x").header("cookie", &cookie).header("origin", "https://oms.example"), Ok(())),
        ("permitted page", post("/x").header("cookie", &cookie).header("origin", "https://app.example"), Ok(())),
        (
            "foreign page",
            post("/x").header("cookie", &cookie).header("origin", "https://evil.example"),
            Err(Code::CredentialMissing),
        ),
        (
            "a foreign page that says GET and means POST",
            Asked::new("GET", "/x")
                .header("cookie", &cookie)
                .header("origin", "null")
                .header("x-method-override", "POST"),
            Err(Code::CredentialMissing),
        ),
        ("both", shown("/x", &token("")).header("cookie", &cookie), Err(Code::CredentialAmbiguous)),
        ("query", post(&format!("/x?t={}", token(""))), Err(Code::CredentialMissing)),
    ] {
        let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), UnixSeconds::new(NOW).unwrap());
        assert_eq!(code(&decision), expected, "{name}");
    }
}

#[test]
fn a_memo_saves_work_and_forgets_what_no_longer_holds() {
    let routes = || vec![guard("/x"), demanding("/y", |r| r.issuers = vec![IssuerId(1)]), default(Policy::Deny)];
    let mut memo = Memo::new(100, 1 << 20);
    let mut judged = |issuers: Vec<IssuerSlot>, target: &str, now: f64| {
        let asked = shown(target, &token(""));
        let snapshot = snapshot(issuers, routes());
        let decision = decide(&asked.head(), &snapshot, &mut memo, UnixSeconds::new(now).unwrap());
        (code(&decision), decision.remembered)
    };
    assert_eq!(judged(issuers(), "/x", NOW), (Ok(()), Some(false)));
    assert_eq!(judged(issuers(), "/x", NOW), (Ok(()), Some(true)));
    assert_eq!(judged(issuers(), "/y", NOW), (Err(Code::SignatureInvalid), None), "another route, other issuers");
    assert_eq!(judged(issuers(), "/x", NOW + 300.0), (Err(Code::TokenExpired), Some(true)));
    let mut rekeyed = issuers();
    rekeyed.swap(0, 1);
    assert_eq!(judged(rekeyed, "/x", NOW), (Err(Code::SignatureInvalid), None), "other keys");
    let mut emptied = issuers();
    emptied[0] = IssuerSlot::supplied(std::sync::Arc::clone(&emptied[0].issuer), None, Supply::Given);
    assert_eq!(judged(emptied, "/x", NOW), (Err(Code::KeysUnavailable), None), "keys gone");
}

#[test]
fn a_memo_that_outlives_a_configuration_knows_the_issuer_in_its_new_place() {
    let strict = |name: &str| {
        let mut issuer = issuer(name);
        issuer.audiences = vec!["nobody".into()];
        issuer.leeway = 1000.0;
        slot(issuer, vec![FOREIGN.key(None, &[Algorithm::HS256])])
    };
    let own = || slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])]);
    let second = || vec![demanding("/x", |r| r.issuers = vec![IssuerId(1)]), default(Policy::Deny)];
    let mut memo = Memo::new(100, 1 << 20);
    let asked = shown("/x", &token(""));
    let mut judged = |snapshot: Snapshot, now: f64| {
        code(&decide(&asked.head(), &snapshot, &mut memo, UnixSeconds::new(now).unwrap()))
    };
    assert_eq!(judged(snapshot(vec![own()], vec![guard("/x"), default(Policy::Deny)]), NOW), Ok(()));
    assert_eq!(judged(snapshot(vec![strict("a"), own()], second()), NOW), Ok(()), "its own audience");
    let later = judged(snapshot(vec![strict("a"), own()], second()), NOW + 300.0);
    assert_eq!(later, Err(Code::TokenExpired), "its own leeway");
}

/// An issuer whose keys are fetched: good at [`NOW`] and usable for a minute, asked for then if at all.
fn fetched(name: &str, keys: Option<Vec<crate::decision::keys::Key>>, asked: Option<f64>) -> IssuerSlot {
    let at = |moment: f64| UnixSeconds::new(moment).unwrap();
    let supply = Fetched { good: keys.as_ref().map(|_| at(NOW)), stale: 60.0, asked: asked.map(at), pause: 10.0 };
    let keys = keys.map(|keys| KeySet::new(keys).into());
    IssuerSlot::supplied(issuer(name).into(), keys, Supply::Fetched(supply))
}

#[test]
fn a_token_by_an_unknown_key_asks_for_keys_and_any_other_bad_one_does_not() {
    let header = |kid: &str| format!(r#"{{"alg":"HS256"{kid}}}"#);
    let own = || vec![OWN.key(Some("a"), &[Algorithm::HS256])];
    let token = |signer: &Signer, kid: &str| signer.token(Algorithm::HS256, &header(kid), &payload(&[], ""));
    let (known, unknown) = (r#","kid":"a""#, r#","kid":"b""#);
    for (name, has_keys, token, expected, asks) in [
        ("good", true, token(&OWN, known), Ok(()), false),
        ("an unknown name", true, token(&OWN, unknown), Err(Code::UnknownKey), true),
        ("a known name", true, token(&FOREIGN, known), Err(Code::SignatureInvalid), false),
        ("no name", true, token(&FOREIGN, ""), Err(Code::SignatureInvalid), true),
        ("no keys", false, token(&OWN, known), Err(Code::KeysUnavailable), true),
        ("broken", false, "a.b.c".to_owned(), Err(Code::TokenMalformed), false),
        (
            "an algorithm that is not its own",
            false,
            OWN.token(Algorithm::HS256, r#"{"alg":"HS512"}"#, &payload(&[], "")),
            Err(Code::AlgorithmNotAllowed),
            false,
        ),
    ] {
        for (asked, now, may) in [(None, NOW, true), (Some(NOW), NOW + 9.0, false), (Some(NOW), NOW + 10.0, true)] {
            let slot = fetched("own", has_keys.then(own), asked);
            let snapshot = snapshot(vec![slot], vec![guard("/x"), default(Policy::Deny)]);
            let asked = shown("/x", &token);
            let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), UnixSeconds::new(now).unwrap());
            assert_eq!(code(&decision), expected, "{name}");
            let lacking: &[IssuerId] = if asks && may { &[IssuerId(0)] } else { &[] };
            assert_eq!(decision.lacking(), lacking, "{name} {now}");
        }
    }
}

#[test]
fn a_key_without_a_name_does_not_stand_for_one_that_is_missing() {
    let keys = || vec![OWN.key(Some("a"), &[Algorithm::HS256]), OWN.key(None, &[Algorithm::HS512])];
    let nameless = || vec![OWN.key(None, &[Algorithm::HS256])];
    for (name, keys, kid, expected, asks) in [
        ("one that does not fit", keys(), "b", Code::AlgorithmNotAllowed, true),
        ("one that did not sign", nameless(), "b", Code::SignatureInvalid, true),
        ("beside the one that is meant", keys(), "a", Code::SignatureInvalid, false),
    ] {
        let snapshot = snapshot(vec![fetched("own", Some(keys), None)], vec![guard("/x"), default(Policy::Deny)]);
        let header = format!(r#"{{"alg":"HS256","kid":"{kid}"}}"#);
        let asked = shown("/x", &FOREIGN.token(Algorithm::HS256, &header, &payload(&[], "")));
        let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), UnixSeconds::new(NOW).unwrap());
        assert_eq!((code(&decision), decision.lacking().len()), (Err(expected), usize::from(asks)), "{name}");
    }
}

#[test]
fn what_report_mode_spares_asks_for_keys_too() {
    let routes = vec![Route { mode: Mode::Report, ..guard("/x") }, default(Policy::Deny)];
    let snapshot = snapshot(vec![fetched("own", None, None)], routes);
    let asked = shown("/x", &token(""));
    let decision = decide(&asked.head(), &snapshot, &mut Memo::off(), UnixSeconds::new(NOW).unwrap());
    assert_eq!(code(&decision), Ok(()));
    assert_eq!(decision.lacking(), [IssuerId(0)]);
}

#[test]
fn a_memo_never_outlives_the_keys_of_an_issuer_that_is_asked_before() {
    // Both issuers have the key; the first one's was too old when the second proved the token.
    let key = || vec![OWN.key(None, &[Algorithm::HS256])];
    let both = vec![IssuerId(0), IssuerId(1)];
    let routes = || vec![demanding("/x", |r| r.issuers = both.clone()), default(Policy::Deny)];
    let mut memo = Memo::new(100, 1 << 20);
    let asked = shown("/x", &token(""));
    let mut proven_by = |slots: Vec<IssuerSlot>, now: f64| {
        let snapshot = snapshot(slots, routes());
        let decision = decide(&asked.head(), &snapshot, &mut memo, UnixSeconds::new(now).unwrap());
        (decision.principal.map(|principal| principal.issuer().to_string()), decision.remembered)
    };
    let slots = || vec![fetched("first", Some(key()), None), slot(issuer("second"), key())];
    assert_eq!(proven_by(slots(), NOW + 60.0), (Some("second".into()), Some(false)));
    assert_eq!(proven_by(slots(), NOW + 61.0), (Some("second".into()), Some(true)));
    assert_eq!(proven_by(slots(), NOW + 59.0), (Some("first".into()), Some(false)), "fresh again by the clock");
    assert_eq!(proven_by(vec![fetched("first", Some(key()), None)], NOW + 58.0), (Some("first".into()), Some(true)));
    assert_eq!(proven_by(vec![fetched("first", Some(key()), None)], NOW + 60.0), (None, None), "grown old");
}
