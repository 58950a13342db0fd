//! The operator's front: alive, ready, counters, config, and who may ask.

use crate::client::{Client, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{SECRET, bearer, expired, good, hotwax_issuer};
use crate::upstream::Upstream;

fn config(upstream: &Upstream) -> String {
    format!(
        "{}unmatched = \"open\"\n{}[[route]]\nname = \"inventory\"\npath = \"/api/updateInventory\"\n",
        upstream.line(),
        hotwax_issuer()
    )
}

#[test]
fn a_process_that_serves_is_alive_and_ready() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&config(&upstream));
    assert_eq!(ask(sidecar.admin, "GET", "/livez", &[], "").status, 200);
    let ready = ask(sidecar.admin, "GET", "/readyz", &[], "");
    assert_eq!((ready.status, &*ready.text()), (200, "ready\n"));
    let ready = ask(sidecar.admin, "GET", "/readyz", &[("Accept", "application/json")], "");
    assert_eq!(ready.field("content-type"), Some("application/json"));
    assert_eq!(ready.json()["ready"], true);
}

#[test]
fn the_counters_move_with_the_requests() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&config(&upstream));
    let (token, stale) = (bearer(&good()), bearer(&expired()));
    let counters = [
        "waxseal_requests_total{route=\"inventory\",verdict=\"allow\",code=\"ok\"}",
        "waxseal_requests_total{route=\"inventory\",verdict=\"reject\",code=\"credential_missing\"}",
        "waxseal_requests_total{route=\"inventory\",verdict=\"reject\",code=\"token_expired\"}",
        "waxseal_request_seconds_count{route=\"inventory\"}",
        "waxseal_memo_total{outcome=\"miss\"}",
    ];
    let counted = || counters.map(|counter| sidecar.counted(counter));
    assert_eq!(counted(), [0; 5]);
    let mut client = Client::connect(sidecar.address);
    for _ in 0..3 {
        let sent = request("POST", "/api/updateInventory", &[("Authorization", &token)], "{}");
        assert_eq!(client.send(&sent).response(false).status, 200);
    }
    for _ in 0..2 {
        assert_eq!(client.send(&request("POST", "/api/updateInventory", &[], "")).response(false).status, 401);
    }
    let sent = request("POST", "/api/updateInventory", &[("Authorization", &stale)], "");
    assert_eq!(client.send(&sent).response(false).status, 401);
    crate::harness::eventually("all six counted", || (counted() == [3, 2, 1, 6, 2]).then_some(()));
    assert_eq!(sidecar.counted("waxseal_memo_total{outcome=\"hit\"}"), 2, "the good token is proven once");
    assert_eq!(sidecar.counted("waxseal_connections{side=\"downstream\"}"), 1);
    drop(client);
    crate::harness::eventually("the connection to be gone", || {
        (sidecar.counted("waxseal_connections{side=\"downstream\"}") == 0).then_some(())
    });
}

#[test]
fn the_metrics_are_openmetrics() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&config(&upstream));
    assert_eq!(ask(sidecar.address, "GET", "/open", &[], "").status, 200);
    let metrics = ask(sidecar.admin, "GET", "/metrics", &[], "");
    let kind = metrics.field("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = metrics.text();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for name in [
        "waxseal_requests_total",
        "waxseal_request_seconds_bucket",
        "waxseal_decision_seconds_count",
        "waxseal_connections",
        "waxseal_memo_total",
        "waxseal_reload_total",
        "waxseal_config_epoch",
        "waxseal_upstream_seconds_count",
        "waxseal_log_dropped_total",
        "process_resident_memory_bytes",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is missing in {text}");
    }
}

#[test]
fn the_config_is_shown_without_its_secrets() {
    let upstream = Upstream::friendly();
    let token = "an-operators-token-0123456789";
    let sidecar = Sidecar::with_admin(&config(&upstream), &format!("token = {{ text = \"{token}\" }}\n"));
    let shown = ask(sidecar.admin, "GET", "/config", &[("Authorization", &bearer(token))], "");
    assert_eq!(shown.status, 200);
    let text = shown.text();
    assert!(text.contains("/api/updateInventory") && text.contains("userLoginId"), "{text}");
    assert!(!text.contains(SECRET) && !text.contains(token), "{text}");
}

#[test]
fn the_probes_address_serves_three_paths_and_no_more() {
    let upstream = Upstream::friendly();
    let admin = "probes = \"127.0.0.1:0\"\ntoken = { text = \"an-operators-token\" }\n";
    let sidecar = Sidecar::with_admin(&config(&upstream), admin);
    let probes = sidecar.probes.unwrap();
    assert_ne!(probes, sidecar.admin);
    for path in ["/livez", "/readyz", "/metrics"] {
        assert_eq!(ask(probes, "GET", path, &[], "").status, 200, "{path}");
    }
    for path in ["/config", "/reload", "/drain", "/report", "/", "/livez/", "/x"] {
        for method in ["GET", "POST"] {
            assert_eq!(ask(probes, method, path, &[], "").status, 404, "{method} {path}");
        }
    }
}

#[test]
fn the_whole_front_demands_its_token() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::with_admin(&config(&upstream), "token = { text = \"an-operators-token\" }\n");
    for path in ["/livez", "/readyz", "/metrics", "/config", "/x"] {
        let right = ask(sidecar.admin, "GET", path, &[("Authorization", "Bearer an-operators-token")], "");
        assert_eq!(right.status, if path == "/x" { 404 } else { 200 }, "{path}");
        let bare = ask(sidecar.admin, "GET", path, &[], "");
        assert_eq!(bare.status, 401, "{path}");
        let challenge = bare.field("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm=") && !challenge.contains("error"), "{challenge}");
        for wrong in ["Bearer an-operators-toke", "Bearer an-operators-tokenx", "Bearer", "Basic an-operators-token"] {
            let refused = ask(sidecar.admin, "GET", path, &[("Authorization", wrong)], "");
            assert_eq!(refused.status, 401, "{path} {wrong}");
            assert!(refused.field("www-authenticate").unwrap().contains("invalid_token"), "{path} {wrong}");
        }
        let twice = [("Authorization", "Bearer an-operators-token"); 2];
        assert_eq!(ask(sidecar.admin, "GET", path, &twice, "").status, 401, "{path} twice");
    }
}

#[test]
fn head_is_answered_as_get_without_a_body_and_other_methods_are_405() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&config(&upstream));
    let mut client = Client::connect(sidecar.admin);
    for path in ["/livez", "/readyz", "/config"] {
        let get = client.send(&request("GET", path, &[], "")).response(false);
        let head = client.send(&request("HEAD", path, &[], "")).response(true);
        for name in ["content-length", "content-type", "cache-control"] {
            assert_eq!(head.field(name), get.field(name), "{path}: {name}");
        }
        assert_eq!((head.status, get.field("cache-control")), (200, Some("no-store")), "{path}");
        let post = client.send(&request("POST", path, &[], "")).response(false);
        assert_eq!((post.status, post.field("allow")), (405, Some("GET, HEAD")), "{path}");
    }
}
