//! What the upstream learns of the sender: who was proven, by waxseal's word alone, and where the token was.

use serde_json::{Value, json};

use crate::client::{Client, Response, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{bearer, good, hotwax_issuer, now, signed};
use crate::upstream::Upstream;

/// The header that clients try to forge, in spellings that some server takes for it.
const FORGERIES: [&str; 8] = [
    "X-Auth-User",
    "x-auth-user",
    "X_Auth_User",
    "X-AUTH_USER",
    "X.Auth.User",
    "x~auth~user",
    "X-Auth-Roles",
    "X_AUTH_ROLES",
];

/// One guard whose claims go up, places for tokens, and open routes.
fn sidecar(upstream: &Upstream) -> Sidecar {
    Sidecar::start(&format!(
        r#"{}unmatched = "open"
[answers]
reason = "exact"
{}
[[route]]
name = "inventory"
path = "/api/updateInventory"
forward = {{ claims = {{ "X-Auth-User" = "userLoginId", "X-Auth-Roles" = "/realm/roles", "X-Auth-Level" = "level" }} }}
[[route]]
name = "kept here"
path = "/api/private"
forward = {{ authorization = "strip", strip = ["Cookie", "api_key"] }}
[[route]]
name = "anywhere"
path = "/api/anywhere"
token = ["header", "cookie:token", "query:access_token", "header:X-Api-Token"]
[[route]]
name = "anywhere and kept here"
path = "/api/nowhere"
token = ["header", "cookie:token", "query:access_token", "header:X-Api-Token"]
forward = {{ authorization = "strip" }}
"#,
        upstream.line(),
        hotwax_issuer()
    ))
}

/// A good token with more claims.
fn with_claims(more: Value) -> String {
    let mut claims = json!({ "userLoginId": "boomi", "exp": now() + 600 });
    claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    bearer(&signed(&claims))
}

fn post(to: &Sidecar, target: &str, fields: &[(&str, &str)]) -> Response {
    ask(to.address, "POST", target, fields, "{}")
}

#[test]
fn claims_become_headers_as_the_upstream_can_read_them() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    for (at, (case, claims, name, expected)) in [
        ("text", json!({}), "x-auth-user", Some("boomi")),
        ("an e-mail address", json!({ "userLoginId": "a.b@x.example" }), "x-auth-user", Some("a.b@x.example")),
        ("a blank and a percent sign", json!({ "userLoginId": "a b%" }), "x-auth-user", Some("a%20b%25")),
        ("letters outside ASCII", json!({ "userLoginId": "Zoë" }), "x-auth-user", Some("Zo%C3%AB")),
        ("a line break", json!({ "userLoginId": "a\r\nX-Admin: 1" }), "x-auth-user", Some("a%0D%0AX-Admin:%201")),
        ("a comma", json!({ "userLoginId": "a,b" }), "x-auth-user", Some("a,b")),
        (
            "a list",
            json!({ "realm": { "roles": ["pos", "in,out", 7, true] } }),
            "x-auth-roles",
            Some("pos,in%2Cout,7,true"),
        ),
        ("a number", json!({ "level": -7 }), "x-auth-level", Some("-7")),
        ("a boolean", json!({ "level": false }), "x-auth-level", Some("false")),
        ("nothing", json!({}), "x-auth-level", None),
        ("null", json!({ "level": null }), "x-auth-level", None),
    ]
    .into_iter()
    .enumerate()
    {
        let response = post(&sidecar, "/api/updateInventory", &[("Authorization", &with_claims(claims))]);
        assert_eq!(response.status, 200, "{case}");
        let seen = upstream.seen().remove(at);
        assert_eq!(seen.field(name), expected, "{case}");
        assert_eq!(seen.field("x-admin"), None, "{case}");
    }
}

#[test]
fn a_claim_that_no_header_can_tell_is_refused() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    for (case, level) in [
        ("an object", json!({ "a": 1 })),
        ("a fraction", json!(1.5)),
        ("a list of lists", json!([["a"]])),
        ("over 4 KiB", json!("x".repeat(4097))),
    ] {
        let token = with_claims(json!({ "level": level }));
        let response = post(&sidecar, "/api/updateInventory", &[("Authorization", &token)]);
        assert_eq!((response.status, &*response.code()), (401, "claim_malformed"), "{case}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn nobody_but_waxseal_says_who_was_proven() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = bearer(&good());
    for name in FORGERIES {
        for target in ["/api/updateInventory", "/api/updateInventory/", "/api/private", "/open"] {
            let fields = [("Authorization", token.as_str()), (name, "admin"), (name, "root")];
            assert_eq!(post(&sidecar, target, &fields).status, 200, "{name} {target}");
            let seen = upstream.seen().pop().unwrap();
            assert!(!seen.head.contains("admin") && !seen.head.contains("root"), "{name} {target}: {}", seen.head);
            let proven = target.starts_with("/api/updateInventory").then_some("boomi");
            assert_eq!(seen.field("x-auth-user"), proven, "{name} {target}");
        }
    }
}

/// Every spelling of a name that a server could fold into it: any punctuation for its dashes, all of them or one.
fn spellings(name: &str) -> Vec<String> {
    let punctuation = "!#$%&'*+-.^_`|~".chars();
    let both =
        punctuation.flat_map(|mark| [name.replace('-', &mark.to_string()), name.replacen('-', &mark.to_string(), 1)]);
    both.flat_map(|spelt| [spelt.to_uppercase(), spelt.to_lowercase(), spelt]).collect()
}

#[test]
fn no_spelling_of_what_waxseal_says_survives_on_any_way_up() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let names = [
        "X-Auth-User",
        "X-Auth-Roles",
        "X-Auth-Level",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-User",
        "Forwarded",
        "X-Real-IP",
        "Remote-User",
        "X-Remote-User",
        "X-Request-Id",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-URI",
        "X-Override-URL",
        "X-HTTP-DestinationURL",
        "X-Forwarded-Uri",
        "X-Forwarded-Prefix",
        "X-Script-Name",
        "X-Envoy-Original-Path",
        "Script-Name",
    ];
    let spelt: Vec<String> = names.into_iter().flat_map(spellings).collect();
    assert!(spelt.len() > 1500);
    let token = bearer(&good());
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    for (method, target, more) in [
        ("POST", "/api/updateInventory", &[][..]),
        ("POST", "/open", &[]),
        ("GET", "/open/ws", &upgrade),
        ("OPTIONS", "/open", &[]),
    ] {
        let mut client = Client::connect(sidecar.address);
        for some in spelt.chunks(90) {
            let mut fields = vec![("Authorization", token.as_str())];
            fields.extend(more);
            fields.extend(some.iter().map(|name| (&**name, "admin")));
            client.send(&request(method, target, &fields, if method == "POST" { "{}" } else { "" }));
            assert_eq!(client.response(false).status, 200, "{method} {target}");
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(seen.target(), target);
            let left: Vec<&str> = seen.head.lines().filter(|line| line.contains("admin")).collect();
            assert!(left.is_empty(), "{method} {target}: {left:?}");
        }
    }
}

#[test]
fn trailers_tell_nothing_about_who_was_proven() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = bearer(&good());
    for target in ["/api/updateInventory", "/open"] {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: oms.example\r\nAuthorization: {token}\r\nTransfer-Encoding: chunked\r\n\
             Trailer: X-Checksum, X-Auth-User, X_Auth_User, Authorization, X-Forwarded-For\r\n\r\n2\r\n{{}}\r\n0\r\n"
        );
        let trailers = "X-Checksum: 7\r\nX-Auth-User: admin\r\nX_Auth_User: admin\r\nAuthorization: Bearer admin\r\n\
                        X-Forwarded-For: admin\r\n\r\n";
        let mut client = Client::connect(sidecar.address);
        assert_eq!(client.send(format!("{head}{trailers}").as_bytes()).response(false).status, 200, "{target}");
        let seen = upstream.seen().pop().unwrap();
        assert_eq!(seen.body, b"{}");
        assert_eq!(seen.trailers.to_ascii_lowercase().trim(), "x-checksum: 7", "{target}");
    }
}

#[test]
fn connection_cannot_name_away_what_waxseal_sets() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = bearer(&good());
    let named = "close, X-Auth-User, Authorization, X-Forwarded-For, X-Request-Id, Host, X-Own";
    let fields = [("Authorization", token.as_str()), ("Connection", named), ("X-Auth-User", "admin"), ("X-Own", "1")];
    assert_eq!(post(&sidecar, "/api/updateInventory", &fields).status, 200);
    let seen = upstream.only();
    assert_eq!(seen.field("x-auth-user"), Some("boomi"));
    assert_eq!(seen.field("authorization"), Some(&*token));
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("host"), Some("oms.example"));
    assert!(seen.field("x-request-id").is_some());
    assert_eq!(seen.field("x-own"), None, "it named its own field away");
}

#[test]
fn authorization_and_named_headers_can_be_kept_back() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = bearer(&good());
    let fields =
        [("Authorization", token.as_str()), ("Cookie", "a=b"), ("api_key", "k1"), ("Api-Key", "k2"), ("X-Other", "o")];
    assert_eq!(post(&sidecar, "/api/private", &fields).status, 200);
    let seen = upstream.only();
    for name in ["authorization", "cookie", "api_key", "api-key"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
    assert_eq!(seen.field("x-other"), Some("o"));
}

#[test]
fn a_token_from_another_place_goes_up_as_bearer_alone() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = good();
    let (cookie, query) = (format!("a=1; token={token}; b=2"), format!("?x=%2F&access_token={token}&y=+"));
    for (case, query, field, gone) in [
        ("header", "", ("Authorization", format!("bEARER  {token}")), None),
        ("cookie", "", ("Cookie", cookie), None),
        ("query", query.as_str(), ("X-Other", "o".to_owned()), None),
        ("another header", "", ("X-Api-Token", token.clone()), Some("x-api-token")),
    ] {
        for (path, up) in [("/api/anywhere", Some(bearer(&token))), ("/api/nowhere", None)] {
            let target = format!("{path}{query}");
            let response = post(&sidecar, &target, &[(field.0, &field.1)]);
            assert_eq!(response.status, 200, "{case} {path}: {}", response.text());
            let seen = upstream.seen().pop().unwrap();
            assert_eq!(seen.field("authorization"), up.as_deref(), "{case} {path}");
            assert_eq!(seen.target(), target, "{case} {path}: the query stays as it came");
            if case == "cookie" {
                assert_eq!(seen.field("cookie"), Some("a=1; b=2"), "{path}: the other cookies stay");
            }
            if let Some(gone) = gone {
                assert_eq!(seen.field(gone), None, "{case} {path}");
            }
        }
    }
}

#[test]
fn a_lone_cookie_that_is_the_token_leaves_no_empty_field() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let cookie = format!("token={}", good());
    assert_eq!(post(&sidecar, "/api/anywhere", &[("Cookie", &cookie)]).status, 200);
    assert_eq!(upstream.only().field("cookie"), None);
}

#[test]
fn tokens_in_two_places_are_one_too_many() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = good();
    let (shown, cookie) = (bearer(&token), format!("token={token}"));
    let query = format!("/api/anywhere?access_token={token}");
    let twice = format!("{query}&access_token={token}");
    for (case, target, fields) in [
        ("two headers", "/api/anywhere", vec![("Authorization", &shown), ("Authorization", &shown)]),
        ("header and cookie", "/api/anywhere", vec![("Authorization", &shown), ("Cookie", &cookie)]),
        ("header and query", query.as_str(), vec![("Authorization", &shown)]),
        ("cookie and query", query.as_str(), vec![("Cookie", &cookie)]),
        ("cookie and another header", "/api/anywhere", vec![("Cookie", &cookie), ("X-Api-Token", &token)]),
        ("the query twice", twice.as_str(), vec![]),
        ("the cookie twice", "/api/anywhere", vec![("Cookie", &cookie), ("Cookie", &cookie)]),
    ] {
        let fields: Vec<(&str, &str)> = fields.into_iter().map(|(name, value)| (name, value.as_str())).collect();
        let response = post(&sidecar, target, &fields);
        assert_eq!((response.status, &*response.code()), (400, "credential_ambiguous"), "{case}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_cookie_of_a_foreign_page_changes_nothing() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let cookie = format!("token={}", good());
    for (method, origin, status) in [
        ("POST", "https://evil.example", 401),
        ("DELETE", "null", 401),
        ("GET", "https://evil.example", 200),
        ("POST", "https://oms.example", 200),
    ] {
        let fields = [("Cookie", cookie.as_str()), ("Origin", origin)];
        assert_eq!(ask(sidecar.address, method, "/api/anywhere", &fields, "").status, status, "{method} {origin}");
    }
}

#[test]
fn a_token_on_a_connection_does_not_count_for_the_next_request() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let token = bearer(&good());
    let mut client = Client::connect(sidecar.address);
    let with = request("POST", "/api/updateInventory", &[("Authorization", &token)], "{}");
    let without = request("POST", "/api/updateInventory", &[], "{}");
    for (sent, status) in [(&with, 200), (&without, 401), (&with, 200), (&without, 401)] {
        assert_eq!(client.send(sent).response(false).status, status);
    }
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn the_log_tells_tokens_apart_wherever_they_were() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let (token, other) = (good(), signed(&json!({ "userLoginId": "other", "exp": now() + 600 })));
    let (bearer, cookie, query) = (bearer(&token), format!("token={token}"), format!("?access_token={token}"));
    for (target, fields) in [
        ("/api/anywhere".to_owned(), vec![("Authorization", bearer.as_str())]),
        ("/api/anywhere".to_owned(), vec![("Cookie", cookie.as_str())]),
        (format!("/api/anywhere{query}"), vec![]),
        ("/api/anywhere".to_owned(), vec![("X-Api-Token", token.as_str())]),
        ("/api/anywhere".to_owned(), vec![("X-Api-Token", other.as_str())]),
        ("/api/anywhere".to_owned(), vec![("Authorization", "Basic eDp5")]),
    ] {
        ask(sidecar.address, "GET", &target, &fields, "");
    }
    let lines = sidecar.lines(6);
    let digests: Vec<Option<&str>> = lines.iter().map(|line| line["token_digest"].as_str()).collect();
    assert!(digests[0].is_some() && digests[1..4].iter().all(|digest| *digest == digests[0]), "{digests:?}");
    assert!(digests[4].is_some() && digests[4] != digests[0], "{digests:?}");
    assert_eq!(digests[5], None, "what is no token has no digest");
}
