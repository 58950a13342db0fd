//! What a client gets that is refused: status, challenge, body, and who may read it.

use serde_json::{Value, json};

use crate::client::{Client, Response, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{bearer, expired, good, hotwax_issuer, now, signed, signed_with};
use crate::upstream::{Answer, Upstream};

/// An origin whose pages may read answers, and one whose pages may not.
const FRIEND: &str = "https://users.hotwax.io";
const STRANGER: &str = "https://evil.example";

/// One route of each kind in front of `upstream`; `more` are further settings of `[answers]`.
fn sidecar(upstream: &Upstream, more: &str) -> Sidecar {
    Sidecar::start(&format!(
        r#"unmatched = "open"
[upstream]
url = "http://{}"
response_timeout = "300ms"
[answers]
{more}
[cors]
origins = ["https://*.hotwax.io"]
{}
[[route]]
name = "inventory"
path = "/api/updateInventory"
[[route]]
name = "scoped"
path = "/api/scoped"
scope = ["inventory:write", "audit"]
[[route]]
name = "closed"
path = "/admin"
access = "deny"
[[route]]
name = "small"
path = "/small"
access = "open"
body_size = "1KiB"
[[route]]
name = "gone"
path = "/gone"
access = "open"
upstream = "http://127.0.0.1:1"
"#,
        upstream.address,
        hotwax_issuer()
    ))
}

/// An upstream that says nothing below `/silent` and yes to everything else.
fn upstream() -> Upstream {
    Upstream::answering(|seen| match seen.target() {
        "/silent" => Answer::Silence,
        "/broken" => Answer::Last(b"nonsense\r\n\r\n".to_vec()),
        _ => Answer::Bytes(crate::upstream::ok("{}")),
    })
}

/// Code, status, method, target, fields.
type Refused = (&'static str, u16, &'static str, &'static str, Vec<(&'static str, String)>);

/// One request for each refusal that needs no more than one request.
fn refused() -> Vec<Refused> {
    let shown = |token: String| vec![("Authorization", bearer(&token))];
    let big = vec![("Content-Length", "4096".to_owned())];
    vec![
        ("path_ambiguous", 400, "GET", "/a/../b", vec![]),
        ("request_malformed", 400, "GET", "/", vec![("Content_Length", "1".to_owned())]),
        (
            "credential_ambiguous",
            400,
            "GET",
            "/api/updateInventory",
            vec![("Authorization", bearer(&good())), ("Authorization", bearer(&good()))],
        ),
        ("credential_missing", 401, "GET", "/api/updateInventory", vec![]),
        ("token_expired", 401, "GET", "/api/updateInventory", shown(expired())),
        ("scope_insufficient", 403, "GET", "/api/scoped", shown(good())),
        ("route_denied", 404, "GET", "/admin", vec![]),
        ("method_refused", 405, "TRACE", "/", vec![]),
        ("body_too_large", 413, "POST", "/small", big),
        ("upstream_unreachable", 502, "GET", "/gone", vec![]),
        ("upstream_invalid", 502, "GET", "/broken", vec![]),
        ("upstream_timeout", 504, "GET", "/silent", vec![]),
    ]
}

/// Sends a request with more fields on a connection of its own.
fn send(to: &Sidecar, method: &str, target: &str, fields: &[(&str, String)], more: &[(&str, &str)]) -> Response {
    let own = fields.iter().map(|(name, value)| (*name, value.as_str()));
    let fields: Vec<(&str, &str)> = own.chain(more.iter().copied()).collect();
    ask(to.address, method, target, &fields, "")
}

fn members(body: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn the_problem_style_has_the_fields_of_rfc_9457_and_two_of_its_own() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "style = \"problem\"\nreason = \"exact\"");
    for (code, status, method, target, fields) in refused() {
        let response = send(&sidecar, method, target, &fields, &[]);
        let body = response.json();
        assert_eq!(members(&body), ["code", "detail", "request_id", "status", "title", "type"], "{code}");
        assert_eq!(response.field("content-type"), Some("application/problem+json"), "{code}");
        assert_eq!((response.status, &body["status"], &body["code"]), (status, &json!(status), &json!(code)));
        assert_eq!(body["request_id"].as_str(), response.field("x-request-id"), "{code}");
        assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{code}: {body}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{code}: {body}");
    }
}

#[test]
fn the_hotwax_style_has_what_each_family_of_clients_reads() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "style = \"hotwax\"\nreason = \"exact\"");
    let wanted = [
        "_ERROR_MESSAGE_",
        "code",
        "errorCode",
        "errorMessage",
        "errors",
        "request_id",
        "statusCode",
        "statusDescription",
    ];
    for (code, status, method, target, fields) in refused() {
        let response = send(&sidecar, method, target, &fields, &[]);
        let body = response.json();
        assert_eq!(members(&body), wanted, "{code}");
        assert_eq!(response.field("content-type"), Some("application/json"), "{code}");
        assert_eq!((response.status, &body["statusCode"], &body["code"]), (status, &json!(status), &json!(code)));
        assert_eq!(body["request_id"].as_str(), response.field("x-request-id"), "{code}");
        let sentence = body["errorMessage"].as_str().unwrap();
        assert!(!sentence.is_empty(), "{code}");
        assert_eq!((body["_ERROR_MESSAGE_"].as_str(), body["errors"].as_str()), (Some(sentence), Some(sentence)));
    }
}

#[test]
fn a_refusal_is_not_kept_and_is_found_in_the_log_by_its_id() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    for (at, (code, status, method, target, fields)) in refused().into_iter().enumerate() {
        let response = send(&sidecar, method, target, &fields, &[]);
        assert_eq!(response.field("cache-control"), Some("no-store"), "{code}");
        let id = response.field("x-request-id").unwrap_or_else(|| panic!("{code}: {}", response.head));
        let lines = sidecar.lines(at + 1);
        let line = lines.iter().find(|line| line["request_id"] == id).unwrap_or_else(|| panic!("{code}: {lines:?}"));
        assert_eq!((&line["code"], &line["status"]), (&json!(code), &json!(status)), "{line}");
        let passed_the_gate = status == 413 || status > 500;
        assert_eq!(line["verdict"] == "allow", passed_the_gate, "{line}");
    }
}

#[test]
fn the_challenge_says_what_rfc_6750_wants() {
    let upstream = upstream();
    let plain = sidecar(&upstream, "realm = \"the OMS\"");
    let exact = sidecar(&upstream, "realm = \"the OMS\"\nreason = \"exact\"");
    let (once, twice) = (bearer(&good()), bearer(&good()));
    let stale = bearer(&expired());
    let both = [("Authorization", once.as_str()), ("Authorization", twice.as_str())];
    for (case, target, fields, status, challenge) in [
        ("nothing", "/api/updateInventory", &[][..], 401, ""),
        ("another scheme", "/api/updateInventory", &[("Authorization", "Basic YTpi")], 401, ""),
        ("an empty token", "/api/updateInventory", &[("Authorization", "Bearer")], 401, "invalid_token"),
        ("an expired token", "/api/updateInventory", &[("Authorization", stale.as_str())], 401, "invalid_token"),
        ("two tokens", "/api/updateInventory", &both, 400, "invalid_request"),
        ("too little scope", "/api/scoped", &[("Authorization", once.as_str())], 403, "insufficient_scope"),
    ] {
        let response = ask(plain.address, "POST", target, fields, "");
        let mut expected = "Bearer realm=\"the OMS\"".to_owned();
        if !challenge.is_empty() {
            expected += &format!(", error=\"{challenge}\"");
        }
        if status == 403 {
            expected += ", scope=\"inventory:write audit\"";
        }
        assert_eq!((response.status, response.field("www-authenticate")), (status, Some(&*expected)), "{case}");
        let response = ask(exact.address, "POST", target, fields, "");
        let described = response.field("www-authenticate").unwrap().contains("error_description=\"");
        assert_eq!(described, !challenge.is_empty(), "{case}: {}", response.head);
    }
}

#[test]
fn what_is_no_matter_of_tokens_carries_no_challenge() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    for (code, status, method, target, fields) in refused() {
        if !matches!(status, 401 | 403) && code != "credential_ambiguous" {
            let response = send(&sidecar, method, target, &fields, &[]);
            assert_eq!((response.status, response.field("www-authenticate")), (status, None), "{code}");
        }
    }
}

#[test]
fn coarse_answers_hide_which_side_of_the_token_was_bad() {
    let upstream = upstream();
    let (coarse, exact) = (sidecar(&upstream, ""), sidecar(&upstream, "reason = \"exact\""));
    let claims = json!({ "userLoginId": "boomi", "exp": now() + 600 });
    let cases = [
        ("credential_missing", "credential_missing", String::new()),
        ("token_expired", "invalid_token", bearer(&expired())),
        ("signature_invalid", "invalid_token", bearer(&signed_with(&"x".repeat(64), &claims))),
        ("claim_missing", "invalid_token", bearer(&signed(&json!({ "userLoginId": "boomi" })))),
        ("token_malformed", "invalid_token", bearer("a.b.c")),
    ];
    let mut sentences = Vec::new();
    for (at, (code, shown, authorization)) in cases.iter().enumerate() {
        let fields = [("Authorization", authorization.as_str())];
        let fields = if authorization.is_empty() { &[] } else { &fields[..] };
        let response = ask(coarse.address, "POST", "/api/updateInventory", fields, "");
        assert_eq!((response.status, &*response.code()), (401, *shown), "{code}");
        sentences.push(response.json()["detail"].clone());
        assert_eq!(ask(exact.address, "POST", "/api/updateInventory", fields, "").code(), *code);
        assert_eq!(coarse.lines(at + 1)[at]["code"], *code, "the operator learns it all the same");
    }
    sentences.dedup();
    assert_eq!(sentences.len(), 2, "{sentences:?}");
}

#[test]
fn a_refused_head_has_no_body_and_the_connection_goes_on() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    for target in ["/api/updateInventory", "/a/../b", "/admin", "/gone"] {
        let mut client = Client::connect(sidecar.address);
        let head = client.send(&request("HEAD", target, &[], "")).response(true);
        let get = client.send(&request("GET", target, &[], "")).response(false);
        assert_eq!(head.status, get.status, "{target}");
        for name in ["content-type", "www-authenticate", "cache-control"] {
            assert_eq!(head.field(name), get.field(name), "{target}: {name}");
        }
        assert_eq!(get.json()["status"], get.status, "{target}: what followed the HEAD is not the answer to GET");
    }
}

#[test]
fn a_grpc_call_is_refused_by_trailers_alone() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "reason = \"exact\"");
    for (code, status, method, target, fields) in refused() {
        let expected = match status {
            400 => "13",
            401 => "16",
            403 => "7",
            404 | 405 => "12",
            502 => "14",
            504 => "4",
            _ => "2",
        };
        for kind in ["application/grpc", "application/grpc+proto"] {
            let response = send(&sidecar, method, target, &fields, &[("Content-Type", kind)]);
            assert_eq!(response.status, 200, "{code} {kind}: {}", response.head);
            assert_eq!(response.field("grpc-status"), Some(expected), "{code} {kind}");
            assert_eq!(response.field("grpc-message"), Some(code), "{kind}");
            assert_eq!(response.field("content-type"), Some("application/grpc"), "{code} {kind}");
            assert_eq!(String::from_utf8_lossy(&response.body), "", "{code} {kind}");
        }
        for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grpcish"] {
            let response = send(&sidecar, method, target, &fields, &[("Content-Type", kind)]);
            assert_eq!((response.status, response.field("grpc-status")), (status, None), "{code} {kind}");
        }
    }
}

#[test]
fn pages_of_a_permitted_origin_can_read_every_refusal_and_no_others_can() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    for (code, status, method, target, fields) in refused() {
        let response = send(&sidecar, method, target, &fields, &[("Origin", FRIEND)]);
        assert_eq!(response.status, status, "{code}");
        assert_eq!(response.field("access-control-allow-origin"), Some(FRIEND), "{code}");
        assert_eq!(response.field("access-control-allow-credentials"), Some("true"), "{code}");
        let exposed = response.field("access-control-expose-headers");
        assert_eq!(exposed, Some("WWW-Authenticate, X-Request-Id"), "{code}");
        assert_eq!(response.field("vary"), Some("Origin"), "{code}");
        let response = send(&sidecar, method, target, &fields, &[("Origin", STRANGER)]);
        assert_eq!(response.status, status, "{code}");
        assert!(!response.head.to_ascii_lowercase().contains("access-control-"), "{code}: {}", response.head);
    }
}

#[test]
fn trace_is_405_with_the_methods_that_are_served_and_deny_is_404() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    let response = ask(sidecar.address, "TRACE", "/open", &[], "");
    assert_eq!(response.status, 405);
    let allow = response.field("allow").unwrap();
    assert!(allow.contains("GET") && allow.contains("POST") && !allow.contains("TRACE"), "{allow}");
    let token = bearer(&good());
    for target in ["/admin", "/ADMIN/", "/admin/users", "/admin.json", "/%61dmin", "//admin"] {
        let response = ask(sidecar.address, "GET", target, &[("Authorization", &token)], "");
        assert_eq!((response.status, &*response.code()), (404, "route_denied"), "{target}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[test]
fn an_ambiguous_path_is_400_wherever_it_points() {
    let upstream = upstream();
    let sidecar = sidecar(&upstream, "");
    let token = bearer(&good());
    for target in [
        "/open/../x",
        "/open/./x",
        "/open/%2e%2e/x",
        "/open/%252e%252e/x",
        "/open/..;a/x",
        "/open%5cx",
        "/open%00",
        "/open%0a",
        "/open%zz",
        "/open%u002fx",
        "/open/%E2%80%A5/x",
        "/open%EF%BC%BCx",
        "/%25252525252541",
    ] {
        let response = ask(sidecar.address, "GET", target, &[("Authorization", &token)], "");
        assert_eq!((response.status, &*response.code()), (400, "path_ambiguous"), "{target}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}
