//! CORS preflights, and report mode: what passes a guard without a token, and how.

use serde_json::json;

use crate::client::{Response, ask};
use crate::harness::Sidecar;
use crate::tokens::{bearer, expired, good, hotwax_issuer};
use crate::upstream::Upstream;

const FRIEND: &str = "https://users.hotwax.io";

/// A guard, a closed route and a watched one; `preflight` is the setting of `[cors]`.
fn sidecar(upstream: &Upstream, preflight: &str) -> Sidecar {
    Sidecar::start(&format!(
        r#"{}unmatched = "open"
[cors]
origins = ["https://*.hotwax.io"]
preflight = "{preflight}"
{}
[[route]]
name = "inventory"
path = "/api/updateInventory"
[[route]]
name = "closed"
path = ["/admin", "/api/watched/closed"]
access = "deny"
[[route]]
name = "watched"
path = "/api/watched"
mode = "report"
forward = {{ claims = {{ "X-Auth-User" = "userLoginId" }} }}
[[route]]
name = "strict"
path = "/api/watched/strict"
"#,
        upstream.line(),
        hotwax_issuer()
    ))
}

/// A preflight for a PUT with two headers.
fn preflight(to: &Sidecar, target: &str, origin: &str, more: &[(&str, &str)]) -> Response {
    let mut fields = vec![
        ("Origin", origin),
        ("Access-Control-Request-Method", "PUT"),
        ("Access-Control-Request-Headers", "authorization, x-pos"),
    ];
    fields.extend(more);
    ask(to.address, "OPTIONS", target, &fields, "")
}

#[test]
fn an_answered_preflight_echoes_what_was_asked_and_does_not_go_up() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "answer");
    for target in ["/api/updateInventory", "/open"] {
        let response = preflight(&sidecar, target, FRIEND, &[]);
        assert_eq!((response.status, response.body.len()), (204, 0), "{target}");
        for (name, value) in [
            ("access-control-allow-origin", FRIEND),
            ("access-control-allow-methods", "PUT"),
            ("access-control-allow-headers", "authorization, x-pos"),
            ("access-control-allow-credentials", "true"),
            ("access-control-max-age", "600"),
        ] {
            assert_eq!(response.field(name), Some(value), "{target}: {name}");
        }
        assert!(response.field("vary").is_some_and(|vary| vary.contains("Origin")), "{target}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_foreign_origin_gets_204_that_permits_nothing() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "answer");
    for origin in ["https://evil.example", "https://hotwax.io", "http://users.hotwax.io", "null"] {
        let response = preflight(&sidecar, "/api/updateInventory", origin, &[]);
        assert_eq!(response.status, 204, "{origin}");
        assert!(!response.head.to_ascii_lowercase().contains("access-control-"), "{origin}: {}", response.head);
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn what_only_resembles_a_preflight_needs_a_token() {
    let upstream = Upstream::friendly();
    for mode in ["pass", "answer"] {
        let sidecar = sidecar(&upstream, mode);
        for (name, value) in [
            ("Cookie", "a=b"),
            ("Authorization", "Basic YTpi"),
            ("Origin", "https://second.hotwax.io"),
            ("Access-Control-Request-Method", "GET"),
            ("X-HTTP-Method-Override", "POST"),
        ] {
            let response = preflight(&sidecar, "/api/updateInventory", FRIEND, &[(name, value)]);
            assert_eq!(response.status, 401, "{mode}: {name}");
        }
        let plain = ask(sidecar.address, "OPTIONS", "/api/updateInventory", &[("Origin", FRIEND)], "");
        assert_eq!(plain.status, 401, "{mode}: no method asked for");
        let fields = [("Origin", FRIEND), ("Access-Control-Request-Method", "PUT")];
        let body = ask(sidecar.address, "OPTIONS", "/api/updateInventory", &fields, "x");
        assert_eq!(body.status, 401, "{mode}: a body");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_preflight_never_passes_a_closed_route() {
    let upstream = Upstream::friendly();
    for mode in ["pass", "answer"] {
        assert_eq!(preflight(&sidecar(&upstream, mode), "/admin", FRIEND, &[]).status, 404, "{mode}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn report_mode_lets_pass_what_it_would_refuse_and_says_so() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "pass");
    let stale = bearer(&expired());
    for (at, (code, fields)) in
        [("credential_missing", vec![]), ("token_expired", vec![("Authorization", stale.as_str())])]
            .into_iter()
            .enumerate()
    {
        let mut sent = fields.clone();
        sent.push(("X-Auth-User", "admin"));
        assert_eq!(ask(sidecar.address, "POST", "/api/watched", &sent, "{}").status, 200, "{code}");
        let seen = upstream.seen().remove(at);
        assert!(seen.fields("x-auth-user").is_empty(), "{code}: nobody was proven: {}", seen.head);
        assert_eq!(seen.field("authorization"), fields.first().map(|(_, value)| *value), "{code}");
        let line = &sidecar.lines(at + 1)[at];
        assert_eq!((&line["verdict"], &line["code"]), (&json!("report"), &json!(code)), "{line}");
        assert_eq!((&line["status"], &line["route"]), (&json!(200), &json!("watched")), "{line}");
        let counter = format!("waxseal_would_refuse_total{{route=\"watched\",code=\"{code}\"}}");
        assert_eq!(sidecar.counted(&counter), 1, "{counter}");
        let counter = format!("waxseal_requests_total{{route=\"watched\",verdict=\"report\",code=\"{code}\"}}");
        assert_eq!(sidecar.counted(&counter), 1, "{counter}");
    }
}

#[test]
fn report_mode_does_not_change_what_passes_anyway() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "pass");
    let token = bearer(&good());
    assert_eq!(ask(sidecar.address, "POST", "/api/watched", &[("Authorization", &token)], "{}").status, 200);
    let seen = upstream.only();
    assert_eq!((seen.field("x-auth-user"), seen.field("authorization")), (Some("boomi"), Some(&*token)));
    let line = &sidecar.lines(1)[0];
    assert_eq!((&line["verdict"], &line["code"], &line["subject"]), (&json!("allow"), &json!("ok"), &json!("boomi")));
}

#[test]
fn report_mode_lifts_no_bad_request_no_denial_and_no_enforcing_route() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "pass");
    let token = bearer(&good());
    let twice = [("Authorization", token.as_str()), ("Authorization", token.as_str())];
    for (case, target, fields, status) in [
        ("dots", "/api/watched/../x", &[][..], 400),
        ("two tokens", "/api/watched", &twice, 400),
        ("a denied route", "/api/watched/closed", &twice[..1], 404),
        ("an enforcing route", "/api/watched/strict", &[], 401),
        ("a reading under an enforcing route", "/api/watched%2fstrict", &[], 401),
        ("another under it", "//api/watched/strict", &[], 401),
    ] {
        assert_eq!(ask(sidecar.address, "POST", target, fields, "{}").status, status, "{case}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}
