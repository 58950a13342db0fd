//! Claims about when a stream may last no longer.

use super::*;
use crate::decision::decide;
use crate::decision::head::tests::Asked;
use crate::decision::keys::{Algorithm, Fetched, Issuer, IssuerId, IssuerSlot, Key, KeySet, Supply};
use crate::decision::origin::OriginPattern;
use crate::decision::policy::{Policy, Requirement};
use crate::decision::revocation::{self, DenyList, Entry, List, Mark, Missing, Revocations};
use crate::decision::route::tests::{at, default, deny, guard, on, open};
use crate::decision::route::{Mode, Route};
use crate::decision::verify::tests::{FOREIGN, NOW, OWN, issuer, payload, slot, snapshot};

/// When the token ends.
const END: f64 = NOW + 300.0;

fn moment(seconds: f64) -> UnixSeconds {
    UnixSeconds::new(seconds).unwrap()
}

fn token() -> String {
    OWN.token(Algorithm::HS256, r#"{"alg":"HS256"}"#, &payload(&[], ",\"scope\":\"read\""))
}

fn own_key() -> Key {
    OWN.key(None, &[Algorithm::HS256])
}

fn in_force(routes: Vec<Route>) -> Snapshot {
    let routes = routes.into_iter().chain([default(Policy::Open)]).collect();
    snapshot(vec![slot(issuer("own"), vec![own_key()])], routes)
}

/// The route with another requirement.
fn demanding(mut route: Route, change: impl FnOnce(&mut Requirement)) -> Route {
    if let Policy::Require(requirement) = &mut route.policy {
        change(requirement);
    }
    route
}

fn report(route: Route) -> Route {
    Route { mode: Mode::Report, ..route }
}

fn shown(target: &str) -> Asked {
    Asked::new("GET", target).header("authorization", &format!("Bearer {}", token()))
}

/// What is kept of a request that came at `NOW`.
fn opened(asked: &Asked, snapshot: &Snapshot) -> Option<Opening> {
    let head = asked.head();
    let authority = head.authority.map(|authority| Arc::from(authority.text));
    let decision = decide(&head, snapshot, &mut Memo::off(), moment(NOW));
    Opening::of(&head, asked.0.uri(), authority.as_ref(), &decision, moment(NOW))
}

/// What becomes at `now` of a stream of `/x` that a guard let pass at `NOW`.
fn later(now: f64, snapshot: &Snapshot) -> Result<Option<f64>, Code> {
    let mut opening = opened(&shown("/x"), &in_force(vec![guard("/x")])).unwrap();
    let asked = opening.ask_again(snapshot, &mut Memo::off(), moment(now));
    asked.map(|()| opening.until().map(UnixSeconds::seconds)).map_err(|rejection| rejection.code())
}

#[test]
fn only_what_passed_with_a_token_is_kept() {
    let guarded = in_force(vec![guard("/x"), open("/pub"), report(guard("/r"))]);
    for (asked, kept) in [
        (shown("/x"), true),
        (shown("/r"), true),
        (shown("/pub"), false),
        (shown("/other"), false),
        (Asked::new("GET", "/x"), false),
        (Asked::new("GET", "/r"), false),
        (
            Asked::new("OPTIONS", "/x").header("origin", "https://a").header("access-control-request-method", "GET"),
            false,
        ),
    ] {
        assert_eq!(opened(&asked, &guarded).is_some(), kept, "{asked:?}", asked = asked.0);
    }
    let opening = opened(&shown("/x"), &guarded).unwrap();
    assert_eq!(opening.until(), Some(moment(END)));
    let printed = format!("{opening:?}");
    assert!(printed.contains("[hidden]") && !printed.contains(token().split('.').next_back().unwrap()), "{printed}");
}

#[test]
fn it_ends_with_its_token_by_the_clock_in_force() {
    let same = in_force(vec![guard("/x")]);
    for now in [NOW, NOW + 299.0, NOW - 3600.0, 0.0] {
        assert_eq!(later(now, &same), Ok(Some(END)), "{now}: a clock that was set back ends nothing");
    }
    for now in [END, END + 3600.0] {
        assert_eq!(later(now, &same), Err(Code::TokenExpired), "{now}");
    }
    let lenient = |leeway| slot(Issuer { leeway, ..issuer("own") }, vec![own_key()]);
    let snapshot = snapshot(vec![lenient(30.0)], vec![guard("/x"), default(Policy::Open)]);
    assert_eq!(later(END + 29.0, &snapshot), Ok(Some(END + 30.0)), "by the leeway of now");
}

#[test]
fn it_ends_where_the_routes_no_longer_permit_it() {
    let scoped = |scope: &str| demanding(guard("/x"), |requirement| requirement.scopes = vec![scope.into()]);
    let placed = demanding(guard("/x"), |requirement| requirement.places = vec![Place::Cookie("t".into())]);
    let nobody = demanding(guard("/x"), |requirement| requirement.issuers.clear());
    for (routes, expected) in [
        (vec![guard("/x")], Ok(Some(END))),
        (vec![guard("/**")], Ok(Some(END))),
        (vec![scoped("read")], Ok(Some(END))),
        (vec![scoped("write")], Err(Code::ScopeInsufficient)),
        (vec![placed], Err(Code::CredentialMissing)),
        (vec![nobody], Err(Code::IssuerMismatch)),
        (vec![deny("/x")], Err(Code::RouteDenied)),
        (vec![open("/x"), deny("/**")], Ok(None)),
        (vec![open("/x")], Ok(None)),
        (vec![guard("/y")], Ok(None)),
        (vec![on(&["POST"], deny("/x"))], Ok(None)),
        (vec![on(&["GET"], deny("/x"))], Err(Code::RouteDenied)),
        (vec![at(&["oms.example"], deny("/x"))], Err(Code::RouteDenied)),
        (vec![at(&["other.example"], deny("/x")), at(&["oms.example"], open("/x"))], Ok(None)),
        (vec![report(scoped("write"))], Ok(None)),
        (vec![report(deny("/x"))], Err(Code::RouteDenied)),
    ] {
        let names: Vec<_> = routes.iter().map(|route| route.name.to_string()).collect();
        assert_eq!(later(NOW + 1.0, &in_force(routes)), expected, "{names:?}");
    }
}

#[test]
fn report_mode_ends_nothing() {
    let reported = in_force(vec![report(guard("/x"))]);
    let mut opening = opened(&shown("/x"), &reported).unwrap();
    assert_eq!(opening.until(), Some(moment(END)));
    opening.ask_again(&reported, &mut Memo::off(), moment(END)).unwrap();
    assert_eq!(opening.until(), None);
}

#[test]
fn every_reading_and_every_method_is_judged_again() {
    let before = in_force(vec![guard("/x"), guard("/b")]);
    let overridden = shown("/x").header("x-http-method-override", "DELETE");
    for (asked, routes) in
        [(overridden, vec![guard("/x"), on(&["DELETE"], deny("/x"))]), (shown("//x/b"), vec![guard("/x"), deny("/b")])]
    {
        let mut opening = opened(&asked, &before).unwrap();
        let again = opening.ask_again(&in_force(routes), &mut Memo::off(), moment(NOW));
        assert_eq!(again.map_err(|rejection| rejection.code()), Err(Code::RouteDenied));
    }
    let strict = Snapshot { strict_paths: true, ..in_force(vec![guard("/b")]) };
    let mut opening = opened(&shown("//x/b"), &before).unwrap();
    let again = opening.ask_again(&strict, &mut Memo::off(), moment(NOW));
    assert_eq!(again.map_err(|rejection| rejection.code()), Err(Code::PathAmbiguous));
}

#[test]
fn a_token_is_found_again_wherever_it_was() {
    let places = [Place::Cookie("t".into()), Place::Query("t".into())];
    let route = demanding(guard("/x"), |requirement| requirement.places = places.to_vec());
    let origins = Arc::new([OriginPattern::parse("https://app.example").unwrap()]);
    let snapshot = Snapshot { origins, ..in_force(vec![route]) };
    let websocket = Asked::new("GET", "/x").header("upgrade", "websocket").header("origin", "https://app.example");
    for asked in [
        websocket.header("cookie", &format!("a=b; t={}", token())),
        Asked::new("GET", &format!("/x?a=b&t={}", token())),
    ] {
        let mut opening = opened(&asked, &snapshot).unwrap();
        opening.ask_again(&snapshot, &mut Memo::off(), moment(NOW)).unwrap();
        assert_eq!(opening.until(), Some(moment(END)));
    }
}

#[test]
fn it_ends_when_no_key_proves_it_any_more() {
    let keys = |keys: Vec<Key>| snapshot(vec![slot(issuer("own"), keys)], vec![guard("/x"), default(Policy::Open)]);
    assert_eq!(later(NOW, &keys(vec![FOREIGN.key(None, &[Algorithm::HS256])])), Err(Code::SignatureInvalid));
    assert_eq!(later(NOW, &keys(vec![FOREIGN.key(None, &[Algorithm::HS256]), own_key()])), Ok(Some(END)));
    // Another issuer stands in its place, and it in another.
    let slots = vec![slot(issuer("new"), vec![]), slot(issuer("own"), vec![own_key()])];
    let moved = demanding(guard("/x"), |requirement| requirement.issuers = vec![IssuerId(1)]);
    assert_eq!(later(NOW, &snapshot(slots, vec![moved, default(Policy::Open)])), Ok(Some(END)));
}

#[test]
fn for_want_of_keys_it_ends_at_its_time_and_no_sooner() {
    let fetched = Fetched { good: Some(moment(NOW)), stale: 60.0, asked: None, pause: 10.0 };
    let stale = IssuerSlot::supplied(
        Arc::new(issuer("own")),
        Some(Arc::new(KeySet::new(vec![own_key()]))),
        Supply::Fetched(fetched),
    );
    let none = IssuerSlot::supplied(Arc::new(issuer("own")), None, Supply::Given);
    for slot in [stale, none] {
        let lacking = snapshot(vec![slot.clone()], vec![guard("/x"), default(Policy::Open)]);
        assert_eq!(later(END - 1.0, &lacking), Ok(Some(END)));
        assert_eq!(later(END, &lacking), Err(Code::TokenExpired));
        let subject = opened(&shown("/x"), &in_force(vec![guard("/x")])).unwrap().principal.subject().into();
        for (before, expected) in [(END, Err(Code::TokenRevoked)), (0.0, Ok(Some(END)))] {
            let mark = Mark::Subject { subject: Box::clone(&subject), before: moment(before) };
            let list = DenyList::new([Entry { mark, expires: None }], 0.0, moment(NOW));
            let unknown = Revocations::unknown(revocation::Place::File("revoked".into()), Missing::Closed);
            let known = Revocations { list: Some(Arc::new(List::Deny(list))), ..unknown };
            let slots = vec![slot.clone().with_revocations(Some(Arc::new(known)))];
            let revoked = snapshot(slots, vec![guard("/x"), default(Policy::Open)]);
            assert_eq!(later(END - 1.0, &revoked), expected, "of tokens issued before {before}");
        }
    }
}

#[test]
fn a_memo_changes_nothing() {
    let (before, after) = (in_force(vec![guard("/x")]), in_force(vec![deny("/x")]));
    let mut memo = Memo::new(8, 1 << 16);
    let mut opening = opened(&shown("/x"), &before).unwrap();
    for now in [NOW, NOW + 1.0] {
        opening.ask_again(&before, &mut memo, moment(now)).unwrap();
        assert_eq!(format!("{memo:?}"), "Memo(1 proofs)");
    }
    let code = |asked: Result<(), Rejection>| asked.unwrap_err().code();
    assert_eq!(code(opening.ask_again(&before, &mut memo, moment(END))), Code::TokenExpired);
    assert_eq!(code(opening.ask_again(&after, &mut memo, moment(NOW))), Code::RouteDenied);
}
