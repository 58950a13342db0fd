//! The habits of HotWax's own clients: what works without waxseal works with it.

use crate::client::{Client, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{bearer, expired, good, hotwax_issuer};
use crate::upstream::{Answer, Upstream, ok};

/// The shipped routes in front of `upstream`.
fn sidecar(upstream: &Upstream) -> Sidecar {
    Sidecar::start(&format!(
        r#"{}unmatched = "open"
[answers]
style = "hotwax"
[cors]
origins = ["https://*.hotwax.io"]
{}
[[route]]
path = ["/api/updateInventory", "/api/service/updateInventory", "/api/service/updateInventoryByIdentification"]
forward = {{ strip = ["api_key", "login_key"] }}
"#,
        upstream.line(),
        hotwax_issuer()
    ))
}

#[test]
fn login_passes_through_untouched() {
    let upstream = Upstream::answering(|_| Answer::Bytes(ok(r#"{"token":"t","expirationTime":1,"USERNAME":"u"}"#)));
    let sidecar = sidecar(&upstream);
    let body = r#"{"USERNAME":"u","PASSWORD":"p"}"#;
    let fields = [("Content-Type", "application/json"), ("Accept", "application/json, text/plain, */*")];
    let response = ask(sidecar.address, "POST", "/api/login", &fields, body);
    assert_eq!(response.status, 200);
    assert_eq!(response.json()["token"], "t");
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.body.as_slice()), ("/api/login", body.as_bytes()));
    assert_eq!(seen.field("accept"), Some("application/json, text/plain, */*"));
}

#[test]
fn a_doubled_slash_before_login_passes_as_it_came() {
    let upstream = Upstream::friendly();
    let response = ask(sidecar(&upstream).address, "POST", "//api/login", &[], "{}");
    assert_eq!(response.status, 200);
    assert_eq!(upstream.only().target(), "//api/login");
}

#[test]
fn an_expired_token_on_an_open_route_is_not_looked_at() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    for target in ["/api/login", "/api/logout", "/api/checkLoginOptions"] {
        let token = bearer(&expired());
        assert_eq!(ask(sidecar.address, "GET", target, &[("Authorization", &token)], "").status, 200, "{target}");
        assert_eq!(upstream.seen().last().unwrap().field("authorization"), Some(token.as_str()));
    }
}

#[test]
fn repeated_and_long_queries_pass_byte_for_byte() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let long = format!(
        "/api/performFind?fieldList=a&fieldList=b&inputFields=%7B%22a%22%3A%22%2F%26%22%7D&q={{!x}}+y&pad={}",
        "%41".repeat(2700)
    );
    for target in ["/api/solr-query?a=1&a=2&a", long.as_str(), "/api/performFind?", "/x?../api/updateInventory"] {
        assert_eq!(ask(sidecar.address, "GET", target, &[], "").status, 200, "{target}");
        assert_eq!(upstream.seen().last().unwrap().target(), target);
    }
}

#[test]
fn a_preflight_passes_to_the_upstream_without_a_token() {
    let upstream = Upstream::friendly();
    let fields = [("Origin", "https://users.hotwax.io"), ("Access-Control-Request-Method", "POST")];
    let response = ask(sidecar(&upstream).address, "OPTIONS", "/api/service/updateInventory", &fields, "");
    assert_eq!(response.status, 200);
    assert_eq!(upstream.only().method(), "OPTIONS");
}

#[test]
fn a_refusal_can_be_read_by_the_apps() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let fields = [("Origin", "https://users.hotwax.io"), ("Authorization", &bearer(&expired()))];
    let response = ask(sidecar.address, "POST", "/api/service/updateInventory", &fields, "{}");
    assert_eq!(response.status, 401);
    assert_eq!(response.field("access-control-allow-origin"), Some("https://users.hotwax.io"));
    assert_eq!(response.field("access-control-allow-credentials"), Some("true"));
    assert_eq!(response.field("content-type"), Some("application/json"));
    let body = response.json();
    for member in ["statusCode", "statusDescription", "errorMessage", "_ERROR_MESSAGE_", "errorCode", "errors"] {
        assert!(!body[member].is_null(), "{member} in {body}");
    }
    assert_eq!(body["statusCode"], 401);
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_foreign_page_cannot_read_a_refusal() {
    let upstream = Upstream::friendly();
    let fields = [("Origin", "https://evil.example")];
    let response = ask(sidecar(&upstream).address, "POST", "/api/updateInventory", &fields, "{}");
    assert_eq!((response.status, response.field("access-control-allow-origin")), (401, None));
}

#[test]
fn a_good_token_passes_and_other_doors_are_closed() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = format!("bearer   {}", good());
    let fields = [("Authorization", token.as_str()), ("api_key", "k"), ("Login-Key", "l")];
    let response = ask(sidecar.address, "POST", "/api/updateInventory", &fields, r#"{"sku":"x"}"#);
    assert_eq!(response.status, 200);
    let seen = upstream.only();
    assert!(seen.field("authorization").unwrap().starts_with("Bearer ey"), "OFBiz takes this spelling alone");
    assert!(!seen.head.contains("key:") && !seen.head.contains("Key:"), "{}", seen.head);
    assert_eq!(seen.body, br#"{"sku":"x"}"#);
}

#[test]
fn the_next_request_on_a_connection_is_not_disturbed_by_a_refusal() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let mut client = Client::connect(sidecar.address);
    assert_eq!(client.send(&request("POST", "/api/updateInventory", &[], "{}")).response(false).status, 401);
    assert_eq!(client.send(&request("GET", "/api/x", &[], "")).response(false).status, 200);
    assert_eq!(client.send(&request("GET", "/a/../b", &[], "")).response(false).status, 400);
    assert_eq!(client.send(&request("GET", "/api/y", &[], "")).response(false).status, 200);
    let targets: Vec<String> = upstream.seen().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(targets, ["/api/x", "/api/y"]);
}

#[test]
fn uploads_of_any_declared_type_pass_unread() {
    let upstream = Upstream::friendly();
    let fields = [("Content-Type", "mutipart/form-data;")];
    let body = "x".repeat(300_000);
    assert_eq!(ask(sidecar(&upstream).address, "POST", "/api/uploadAndImportFile", &fields, &body).status, 200);
    assert_eq!(upstream.only().body.len(), body.len());
}
