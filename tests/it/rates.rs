//! How often each caller may come: by subject and by address, told truly, and spent by nobody who is refused otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use waxseal::time::{Clock, UnixSeconds};

use crate::client::{Client, Response, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::tokens::{bearer, expired, hotwax_issuer, now, signed, signed_with};
use crate::upstream::Upstream;

/// A key of a second issuer.
const OTHER: &str = "Zyxwvutsrqponmlkjihgfedcba9876543210Zyxwvutsrqponmlkjihgfedcba98";

/// A clock that the test turns, from now on.
#[derive(Clone, Default)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn clock(&self) -> Clock {
        let (start, later) = (now(), Arc::clone(&self.0));
        Clock::Given(Arc::new(move || {
            let milliseconds = i32::try_from(later.load(Ordering::SeqCst)).unwrap();
            let start = f64::from(u32::try_from(start).unwrap());
            UnixSeconds::new(start + f64::from(milliseconds) / 1000.0).unwrap()
        }))
    }

    fn turn(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

fn sidecar(upstream: &Upstream, hand: &Hand, trust: &str) -> Sidecar {
    let toml = format!(
        r#"unmatched = "open"
{}workers = 2
[forwarded]
trust = [{trust}]
{}
[issuer.other]
secret = {{ text = "{OTHER}" }}
issuer = "other"
subject = "userLoginId"
[[route]]
name = "inventory"
path = "/api/updateInventory"
rate = {{ per = "subject", requests = 3, window = "6s" }}
forward = {{ claims = {{ "X-Auth-User" = "userLoginId" }} }}
[[route]]
name = "login"
path = "/api/login"
access = "open"
rate = {{ per = "address", requests = 2, window = "1m" }}
[[route]]
name = "wide"
path = "/w/**"
rate = {{ per = "address", requests = 4, window = "1m" }}
[[route]]
name = "narrow"
path = "/w/x/y"
rate = {{ per = "subject", requests = 2, window = "1m" }}
[[route]]
name = "folded"
path = "/w/x*"
rate = {{ per = "address", requests = 3, window = "1m" }}
[[route]]
name = "watched"
path = "/api/watched"
mode = "report"
rate = {{ per = "subject", requests = 1, window = "1m" }}
forward = {{ claims = {{ "X-Auth-User" = "userLoginId" }} }}
"#,
        upstream.line(),
        hotwax_issuer(),
    );
    Sidecar::with_clock(&toml, hand.clock())
}

fn token(user: &str) -> String {
    bearer(&signed(&json!({ "userLoginId": user, "exp": now() + 7200 })))
}

fn post(sidecar: &Sidecar, target: &str, user: &str) -> Response {
    ask(sidecar.address, "POST", target, &[("Authorization", &token(user))], "{}")
}

/// From one who says that it stands for somebody else.
fn login(sidecar: &Sidecar, lines: &[&str]) -> u16 {
    let fields: Vec<(&str, &str)> = lines.iter().map(|line| ("X-Forwarded-For", *line)).collect();
    ask(sidecar.address, "POST", "/api/login", &fields, "{}").status
}

#[test]
fn a_subject_that_comes_too_often_is_told_truly_when_to_come_again() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    for _ in 0..3 {
        assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").status, 200);
    }
    let refused = post(&sidecar, "/api/updateInventory", "boomi");
    assert_eq!((refused.status, &*refused.code()), (429, "rate_exceeded"));
    assert_eq!((refused.field("retry-after"), refused.field("www-authenticate")), (Some("2"), None));
    assert_eq!(post(&sidecar, "/API/updateInventory.json", "boomi").status, 429, "another spelling of the same");
    assert_eq!(post(&sidecar, "/api/updateInventory", "pos-1").status, 200, "another subject");
    let claims = json!({ "iss": "other", "userLoginId": "boomi", "exp": now() + 7200 });
    let fields = [("Authorization", bearer(&signed_with(OTHER, &claims)))];
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    let other = ask(sidecar.address, "POST", "/api/updateInventory", &fields, "{}");
    assert_eq!(other.status, 200, "the same name from another issuer is somebody else: {}", other.text());
    hand.turn(1_500);
    assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").field("retry-after"), Some("1"));
    hand.turn(500);
    assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").status, 200, "as it was told");
    assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").status, 429);
    hand.turn(-3_600_000);
    assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").status, 200, "a clock set back locks nobody out");
}

#[test]
fn who_is_refused_otherwise_spends_nothing() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    let stale = bearer(&expired());
    for _ in 0..6 {
        let refused = ask(sidecar.address, "POST", "/api/updateInventory", &[("Authorization", &stale)], "");
        assert_eq!(refused.status, 401);
        assert_eq!(ask(sidecar.address, "GET", "/w/z", &[], "").status, 401);
    }
    assert_eq!(post(&sidecar, "/api/updateInventory", "boomi").status, 200);
    assert_eq!(post(&sidecar, "/w/z", "boomi").status, 200);
}

#[test]
fn an_address_is_counted_where_no_token_is_looked_at_and_strangers_cannot_choose_theirs() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    assert_eq!(login(&sidecar, &["203.0.113.1"]), 200);
    assert_eq!(login(&sidecar, &["203.0.113.2"]), 200);
    assert_eq!(login(&sidecar, &["203.0.113.3"]), 429, "what a stranger says of itself is not believed");
    let preflight = [("Origin", "https://x.example"), ("Access-Control-Request-Method", "POST")];
    assert_eq!(ask(sidecar.address, "OPTIONS", "/api/login", &preflight, "").status, 200, "not counted");
    assert_eq!(ask(sidecar.address, "POST", "/api/elsewhere", &[], "{}").status, 200, "no rate there");
    let refused = ask(sidecar.address, "POST", "/api/login", &[("Content-Type", "application/grpc")], "");
    assert_eq!((refused.field("grpc-status"), refused.field("retry-after")), (Some("8"), Some("30")));
}

#[test]
fn behind_trusted_peers_the_rightmost_address_that_is_not_trusted_is_counted() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "\"127.0.0.0/8\", \"10.0.0.0/8\"");
    for (lines, statuses) in [
        (&["203.0.113.1"][..], [200, 200, 429]),
        (&["198.51.100.1, 203.0.113.2, 10.0.0.1"], [200, 200, 429]),
        (&["198.51.100.2, 203.0.113.2", "10.0.0.2"], [429, 429, 429]),
        (&["198.51.100.1, nonsense, 10.0.0.7"], [200, 200, 429]),
        (&["10.0.0.7"], [429, 429, 429]),
        (&["2001:db8:1:2::1"], [200, 200, 429]),
        (&["2001:db8:1:2:ffff::9"], [429, 429, 429]),
        (&["2001:db8:1:3::1"], [200, 200, 429]),
        (&["::ffff:203.0.113.1"], [429, 429, 429]),
        (&[], [200, 200, 429]),
    ] {
        assert_eq!(statuses.map(|_| login(&sidecar, lines)), statuses, "{lines:?}");
    }
}

#[test]
fn the_rates_of_every_route_that_holds_count() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    // An encoded slash is a slash or a letter: `narrow` and `folded` hold both.
    let target = "/w/x%2Fy";
    assert_eq!(post(&sidecar, target, "a").status, 200);
    assert_eq!(post(&sidecar, target, "a").status, 200);
    let refused = post(&sidecar, target, "a");
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("30")), "two a minute for a subject");
    assert_eq!(post(&sidecar, target, "b").status, 200, "the refusal took nothing from the address");
    let refused = post(&sidecar, target, "c");
    assert_eq!((refused.status, refused.field("retry-after")), (429, Some("20")), "three a minute for an address");
    assert_eq!(post(&sidecar, "/w/x/y", "c").status, 200, "where `narrow` holds alone");
    assert_eq!(post(&sidecar, "/w/z", "c").status, 200, "and `wide` alone");
}

#[test]
fn a_refusal_is_counted_and_logged_by_its_code() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    for _ in 0..5 {
        post(&sidecar, "/api/updateInventory", "boomi");
    }
    let refused = "waxseal_requests_total{route=\"inventory\",verdict=\"reject\",code=\"rate_exceeded\"}";
    eventually("the counter", || (sidecar.counted(refused) == 2).then_some(()));
    let line = sidecar.lines(5).pop().unwrap();
    assert_eq!(
        (&line["verdict"], &line["code"], &line["status"]),
        (&json!("reject"), &json!("rate_exceeded"), &json!(429))
    );
    assert_eq!((&line["route"], &line["subject"]), (&json!("inventory"), &json!("boomi")));
    assert_eq!(line["detail"], "route \"inventory\": more than 3 requests in 6s for each subject");
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn in_report_mode_it_passes_without_saying_who_it_is() {
    let (upstream, hand) = (Upstream::friendly(), Hand::default());
    let sidecar = sidecar(&upstream, &hand, "");
    for _ in 0..3 {
        assert_eq!(post(&sidecar, "/api/watched", "boomi").status, 200);
    }
    let seen = upstream.seen();
    let told: Vec<_> = seen.iter().map(|seen| seen.field("x-auth-user")).collect();
    assert_eq!(told, [Some("boomi"), None, None]);
    assert!(seen.iter().all(|seen| seen.field("authorization").is_some()), "the token goes up as `forward` says");
    let would = "waxseal_would_refuse_total{route=\"watched\",code=\"rate_exceeded\"}";
    eventually("the counter", || (sidecar.counted(would) == 2).then_some(()));
    let line = sidecar.lines(3).pop().unwrap();
    assert_eq!(
        (&line["verdict"], &line["code"], &line["status"]),
        (&json!("report"), &json!("rate_exceeded"), &json!(200))
    );
    let report = eventually("the list of who would be refused", || {
        let report = ask(sidecar.admin, "GET", "/report", &[], "").text();
        report.contains("route watched: rate_exceeded, 2 requests\n").then_some(report)
    });
    assert!(report.contains("       2  subject boomi of hotwax, first "), "{report}");
}

#[test]
fn workers_together_let_no_more_through_than_they_may() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&format!(
        "unmatched = \"open\"\n{}workers = 4\n[[route]]\npath = \"/x\"\naccess = \"open\"\n\
         rate = {{ per = \"address\", requests = 40, window = \"1h\" }}\n",
        upstream.line()
    ));
    let passed = AtomicI64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = Client::connect(sidecar.address);
                for _ in 0..40 {
                    let status = client.send(&request("GET", "/x", &[], "")).response(false).status;
                    assert!(matches!(status, 200 | 429), "{status}");
                    passed.fetch_add(i64::from(status == 200), Ordering::SeqCst);
                }
            });
        }
    });
    // One more for each further worker that met the very first requests at the same instant.
    let passed = passed.into_inner();
    assert!((40..=43).contains(&passed), "{passed}");
}
