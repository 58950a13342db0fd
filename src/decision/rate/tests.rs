//! Claims about buckets, the table, and what a rate does to a verdict.

use std::sync::atomic::AtomicU32;

use super::*;
use crate::decision::decide;
use crate::decision::head::tests::Asked;
use crate::decision::keys::Algorithm;
use crate::decision::memo::Memo;
use crate::decision::policy::Policy;
use crate::decision::route::tests::{default, guard, open};
use crate::decision::verify::tests::{NOW, OWN, issuer, payload, slot, snapshot};

fn at(later: f64) -> UnixSeconds {
    UnixSeconds::new(NOW + later).unwrap()
}

fn rate(per: Per, requests: u32, milliseconds: u64) -> Rate {
    Rate { per, requests, window: Duration::from_millis(milliseconds) }
}

fn client(number: u32) -> Key<'static> {
    Key::Client(Client::V4(number.into()))
}

/// Takes as one caller, and says how many milliseconds it must wait.
fn take(rates: &Rates, rate: &Rate, key: Key<'_>, later: f64) -> Result<(), u128> {
    rates.take(&open("/x"), rate, key, at(later)).map_err(|wait| wait.as_micros().div_ceil(1000))
}

#[test]
fn a_bucket_holds_so_many_and_refills_evenly() {
    let (rates, rate) = (Rates::default(), rate(Per::Address, 4, 2000));
    for _ in 0..4 {
        assert_eq!(take(&rates, &rate, client(1), 0.0), Ok(()));
    }
    assert_eq!(take(&rates, &rate, client(1), 0.0), Err(500));
    assert_eq!(take(&rates, &rate, client(1), 0.2), Err(300), "a refusal costs nothing");
    assert_eq!(take(&rates, &rate, client(2), 0.2), Ok(()), "another caller");
    assert_eq!(take(&rates, &rate, client(1), 0.501), Ok(()));
    assert_eq!(take(&rates, &rate, client(1), 0.501), Err(499));
    for _ in 0..4 {
        assert_eq!(take(&rates, &rate, client(1), 60.0), Ok(()), "it is never more than full");
    }
    assert!(take(&rates, &rate, client(1), 60.0).is_err());
}

#[test]
fn issuers_routes_methods_and_rates_have_buckets_of_their_own() {
    let (rates, one) = (Rates::default(), rate(Per::Subject, 1, 60_000));
    let key = |issuer, subject| Key::Subject { issuer, subject };
    let get = Route { methods: vec![http::Method::GET], ..open("/x") };
    let host = Route { hosts: vec![crate::decision::route::HostPattern::parse("h").unwrap()], ..open("/x") };
    let two = rate(Per::Subject, 2, 60_000);
    for (route, rate, key) in [
        (open("/x"), one, key("a", "bc")),
        (open("/x"), one, key("ab", "c")),
        (open("/x"), one, client(1)),
        (open("/y"), one, key("a", "bc")),
        (get, one, key("a", "bc")),
        (host, one, key("a", "bc")),
        (open("/x"), two, key("a", "bc")),
    ] {
        assert_eq!(rates.take(&route, &rate, key, at(0.0)), Ok(()), "{} {key:?}", route.name);
    }
    assert!(rates.take(&open("/x"), &one, key("a", "bc"), at(0.0)).is_err());
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let (rates, rate) = (Rates::default(), rate(Per::Address, 2, 1000));
    assert_eq!(take(&rates, &rate, client(1), 0.0), Ok(()));
    assert_eq!(take(&rates, &rate, client(1), -0.25), Err(250), "within a window it is believed");
    assert_eq!(take(&rates, &rate, client(1), -3600.0), Ok(()), "further it is not");
    assert_eq!(take(&rates, &rate, client(1), -3600.0), Ok(()));
    assert_eq!(take(&rates, &rate, client(1), -3600.0), Err(500));
    let long_ago = UnixSeconds::new(-5.0).unwrap();
    assert!(rates.take(&open("/x"), &rate, client(1), long_ago).is_ok());
}

#[test]
fn a_worker_whose_clock_was_read_a_little_earlier_fills_no_bucket() {
    for (requests, milliseconds) in [(1, 10), (3, 1000), (100, 86_400_000)] {
        let (rates, rate) = (Rates::default(), rate(Per::Address, requests, milliseconds));
        for _ in 0..requests {
            assert_eq!(take(&rates, &rate, client(1), 0.0), Ok(()));
        }
        for earlier in [0.000_001, 0.001, 0.2, 0.9] {
            assert!(take(&rates, &rate, client(1), -earlier).is_err(), "{rate}, {earlier}");
        }
    }
}

#[test]
fn callers_beyond_the_table_are_forgotten_in_their_favour() {
    let (rates, rate) = (Rates::default(), rate(Per::Address, 1, 3_600_000));
    let callers = 4 * u32::try_from(SLOTS).unwrap();
    for caller in 0..callers {
        assert_eq!(take(&rates, &rate, client(caller), f64::from(caller) / 1000.0), Ok(()), "{caller}");
    }
    // Those that came last are remembered, since their buckets are furthest from being full.
    let last = callers - 10_000..callers;
    let known = last.rev().filter(|caller| take(&rates, &rate, client(*caller), 300.0).is_err()).count();
    assert!(known > 9_990, "{known}");
}

#[test]
fn ten_thousand_callers_at_a_time_are_all_remembered() {
    let (rates, rate) = (Rates::default(), rate(Per::Address, 1, 3_600_000));
    for caller in 0..10_000 {
        assert_eq!(take(&rates, &rate, client(caller), 0.0), Ok(()), "{caller}");
    }
    let forgotten = (0..10_000).filter(|caller| take(&rates, &rate, client(*caller), 1.0).is_ok()).count();
    // Nine in one place of eight: expected once in some ten tables.
    assert!(forgotten <= 3, "{forgotten}");
}

#[test]
fn workers_together_let_no_more_through_than_they_may() {
    const WORKERS: u32 = 8;
    for round in 0..20 {
        let (rates, rate) = (Rates::default(), rate(Per::Address, 100, 3_600_000));
        let passed = [const { AtomicU32::new(0) }; 4];
        // Made before they start, so that they meet.
        let barrier = std::sync::Barrier::new(WORKERS as usize);
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    barrier.wait();
                    for turn in 0..200_u32 {
                        let caller = turn % 4;
                        if take(&rates, &rate, client(caller), 0.0).is_ok() {
                            passed[caller as usize].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        for passed in &passed {
            let passed = passed.load(Ordering::Relaxed);
            assert!((100..100 + WORKERS).contains(&passed), "round {round}: {passed}");
        }
    }
}

/// A worker's view: routes, buckets, and requests that come one after the other.
struct Desk {
    snapshot: Snapshot,
    rates: Rates,
}

impl Desk {
    fn new(routes: Vec<Route>) -> Self {
        let routes = routes.into_iter().chain([default(Policy::Open)]).collect();
        let own = slot(issuer("own"), vec![OWN.key(None, &[Algorithm::HS256])]);
        Self { snapshot: snapshot(vec![own], routes), rates: Rates::default() }
    }

    fn judge(&self, asked: &Asked, client: &str, later: f64) -> Decision {
        let head = asked.head();
        let mut decision = decide(&head, &self.snapshot, &mut Memo::off(), at(later));
        let client = || Client::at(client.parse().unwrap());
        charge(&mut decision, &head, &self.snapshot, &self.rates, client, at(later));
        decision
    }
}

fn with(per: Per, requests: u32, route: Route) -> Route {
    Route { rate: Some(rate(per, requests, 10_000)), ..route }
}

fn shown(target: &str, subject: &str) -> Asked {
    let claims = payload(&["sub"], &format!(",\"sub\":{subject:?}"));
    let token = OWN.token(Algorithm::HS256, r#"{"alg":"HS256"}"#, &claims);
    Asked::new("POST", target).header("authorization", &format!("Bearer {token}"))
}

fn code(decision: &Decision) -> Option<Code> {
    match &decision.verdict {
        Verdict::Allow(permit) => permit.lifted().map(Rejection::code),
        Verdict::Reject(rejection) => Some(rejection.code()),
    }
}

fn refused(decision: &Decision) -> Option<Code> {
    code(decision).filter(|_| matches!(decision.verdict, Verdict::Reject(_)))
}

const TOO_OFTEN: Option<Code> = Some(Code::RateExceeded);

#[test]
fn who_is_refused_otherwise_spends_nothing() {
    let desk = Desk::new(vec![with(Per::Address, 1, guard("/a"))]);
    for _ in 0..3 {
        assert_eq!(code(&desk.judge(&Asked::new("POST", "/a"), "1.1.1.1", 0.0)), Some(Code::CredentialMissing));
    }
    assert_eq!(code(&desk.judge(&shown("/a", "x"), "1.1.1.1", 0.0)), None);
    assert_eq!(refused(&desk.judge(&shown("/a", "x"), "1.1.1.1", 0.0)), TOO_OFTEN);
    assert_eq!(code(&desk.judge(&Asked::new("POST", "/a"), "1.1.1.1", 0.0)), Some(Code::CredentialMissing));
}

#[test]
fn the_rates_of_all_routes_that_hold_count_and_none_is_spent_where_one_refuses() {
    // An encoded slash is a slash or a letter: both guards hold.
    let target = "/x%2Fy";
    let desk = Desk::new(vec![with(Per::Subject, 2, guard("/x/y")), with(Per::Address, 4, guard("/x*"))]);
    let decision = desk.judge(&shown(target, "u"), "1.1.1.1", 0.0);
    let Verdict::Allow(permit) = &decision.verdict else { panic!("{decision:?}") };
    assert_eq!(permit.held().iter().count(), 2, "the target falls under both");
    assert_eq!(code(&desk.judge(&shown(target, "u"), "1.1.1.1", 0.0)), None);
    // The subject's two are spent; what it still sends takes nothing from the address.
    for _ in 0..5 {
        assert_eq!(refused(&desk.judge(&shown(target, "u"), "1.1.1.1", 0.0)), TOO_OFTEN);
    }
    for subject in ["v", "w"] {
        assert_eq!(code(&desk.judge(&shown(target, subject), "1.1.1.1", 0.0)), None, "{subject}");
    }
    let decision = desk.judge(&shown(target, "z"), "1.1.1.1", 0.0);
    let Verdict::Reject(rejection) = &decision.verdict else { panic!("{decision:?}") };
    assert!(rejection.detail().contains("4 requests in 10s for each address"), "{rejection}");
    assert_eq!(rejection.retry_after(), Some(3), "a quarter of ten seconds");
    assert_eq!(code(&desk.judge(&shown(target, "z"), "2.2.2.2", 0.0)), None, "z spent nothing");
}

#[test]
fn a_preflight_is_not_counted() {
    let desk = Desk::new(vec![with(Per::Address, 1, open("/a"))]);
    let preflight =
        || Asked::new("OPTIONS", "/a").header("origin", "https://x").header("access-control-request-method", "POST");
    for _ in 0..3 {
        assert_eq!(code(&desk.judge(&preflight(), "1.1.1.1", 0.0)), None);
    }
    assert_eq!(code(&desk.judge(&Asked::new("OPTIONS", "/a"), "1.1.1.1", 0.0)), None);
    assert_eq!(refused(&desk.judge(&Asked::new("OPTIONS", "/a"), "1.1.1.1", 0.0)), TOO_OFTEN);
}

#[test]
fn report_mode_lifts_it_without_saying_who_was_proven() {
    let mut route = with(Per::Subject, 1, guard("/a"));
    route.forwarding.claims =
        vec![(http::HeaderName::from_static("x-user"), crate::decision::claims::ClaimPath::new("sub"))];
    let desk = Desk::new(vec![Route { mode: Mode::Report, ..route }]);
    for (later, expected) in [(0.0, None), (0.1, TOO_OFTEN), (0.2, TOO_OFTEN), (10.1, None)] {
        let decision = desk.judge(&shown("/a", "u"), "1.1.1.1", later);
        let Verdict::Allow(permit) = &decision.verdict else { panic!("{decision:?}") };
        assert_eq!(code(&decision), expected, "{later}");
        assert_eq!(permit.identity().is_empty(), expected.is_some(), "{later}");
        assert_eq!(permit.until().is_none(), expected.is_some(), "what was lifted rests on no token");
    }
    // One that is lifted for another reason is told by that and spends nothing.
    assert_eq!(code(&desk.judge(&Asked::new("POST", "/a"), "1.1.1.1", 30.0)), Some(Code::CredentialMissing));
    assert_eq!(code(&desk.judge(&shown("/a", "u"), "1.1.1.1", 30.0)), None);
}

#[test]
fn an_enforcing_route_counts_beside_one_that_reports() {
    let reporting = Route { mode: Mode::Report, ..with(Per::Address, 1, guard("/x/y")) };
    let desk = Desk::new(vec![reporting, with(Per::Address, 2, guard("/x*"))]);
    let target = "/x%2Fy";
    assert_eq!(code(&desk.judge(&shown(target, "u"), "1.1.1.1", 0.0)), None);
    let lifted = desk.judge(&shown(target, "u"), "1.1.1.1", 0.0);
    assert_eq!((code(&lifted), refused(&lifted)), (TOO_OFTEN, None));
    let Verdict::Allow(permit) = &lifted.verdict else { panic!("{lifted:?}") };
    assert!(permit.until().is_some(), "the enforcing route rests on the token");
    assert_eq!(refused(&desk.judge(&shown(target, "u"), "1.1.1.1", 0.0)), TOO_OFTEN);
}
