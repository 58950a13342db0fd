//! What else the upstream learns of the way of a request: peers, hosts, targets, hops.

use crate::client::{Client, ask};
use crate::harness::Sidecar;
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::upstream::{Answer, Seen, Upstream};

/// A guard in front of `upstream`; `more` are further settings.
fn sidecar(upstream: &Upstream, more: &str) -> Sidecar {
    Sidecar::start(&format!(
        "unmatched = \"open\"\nupstream = \"http://{}\"\n{more}\n{}[[route]]\npath = \"/api/updateInventory\"\n",
        upstream.address,
        hotwax_issuer()
    ))
}

/// What the upstream got of an open request with these fields.
fn seen(more: &str, fields: &[(&str, &str)]) -> Seen {
    let upstream = Upstream::friendly();
    assert_eq!(ask(sidecar(&upstream, more).address, "GET", "/open", fields, "").status, 200);
    upstream.only()
}

const CLAIMED: [(&str, &str); 12] = [
    ("X-Forwarded-For", "203.0.113.9"),
    ("X_Forwarded_For", "203.0.113.10"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Host", "evil.example"),
    ("X-Forwarded-Port", "444"),
    ("X-Forwarded-User", "admin"),
    ("Forwarded", "for=203.0.113.9"),
    ("X-Real-IP", "203.0.113.9"),
    ("Remote-User", "admin"),
    ("X-Remote-User", "admin"),
    ("X-Request-Id", "own-id"),
    ("X_Request_Id", "own-id-2"),
];

#[test]
fn a_stranger_is_told_of_truthfully_and_says_nothing_itself() {
    let seen = seen("", &CLAIMED);
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.field("x-forwarded-proto"), Some("http"));
    assert_eq!(seen.field("x-forwarded-host"), Some("oms.example"));
    for claim in ["203.0.113", "evil.example", "444", "admin", "own-id"] {
        assert!(!seen.head.contains(claim), "{claim}: {}", seen.head);
    }
    assert!(seen.field("x-request-id").is_some_and(|id| id.len() >= 16), "{}", seen.head);
}

#[test]
fn what_a_trusted_peer_says_is_kept_and_extended() {
    let seen = seen("[forwarded]\ntrust = [\"127.0.0.1\"]\n", &CLAIMED);
    assert_eq!(seen.field("x-forwarded-for"), Some("203.0.113.9, 127.0.0.1"));
    assert_eq!(seen.field("forwarded"), Some("for=203.0.113.9, for=127.0.0.1"));
    for (name, value) in [
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-port", "444"),
        ("x-real-ip", "203.0.113.9"),
        ("remote-user", "admin"),
        ("x-request-id", "own-id"),
    ] {
        assert_eq!(seen.field(name), Some(value), "{name}");
    }
    assert_eq!(seen.field("x_forwarded_for"), None, "another spelling would stand beside the true one");
    assert_eq!(seen.field("x_request_id"), None);
}

#[test]
fn a_peer_of_another_network_is_a_stranger() {
    let seen = seen("[forwarded]\ntrust = [\"10.0.0.0/8\", \"127.0.0.2\"]\n", &CLAIMED);
    assert_eq!(seen.field("x-forwarded-for"), Some("127.0.0.1"));
    assert_ne!(seen.field("x-request-id"), Some("own-id"));
}

#[test]
fn an_odd_request_id_of_a_trusted_peer_is_replaced() {
    let trust = "[forwarded]\ntrust = [\"127.0.0.1\"]\n";
    let long = "x".repeat(129);
    for id in ["a b", "", long.as_str()] {
        let seen = seen(trust, &[("X-Request-Id", id)]);
        assert_ne!(seen.field("x-request-id"), Some(id));
        assert!(seen.field("x-request-id").is_some_and(|id| id.len() >= 16));
    }
    let longest = "x".repeat(128);
    assert_eq!(seen(trust, &[("X-Request-Id", &longest)]).field("x-request-id"), Some(&*longest));
}

#[test]
fn nothing_that_names_another_url_goes_up() {
    let overrides = [
        "X-Original-URL",
        "X-Original-URI",
        "X-Rewrite-URL",
        "X-Override-URL",
        "X-HTTP-DestinationURL",
        "X-Forwarded-Uri",
        "X-Forwarded-Path",
        "X-Forwarded-Prefix",
        "X-Envoy-Original-Path",
        "X-Script-Name",
        "SCRIPT_NAME",
        "Daphne-Root-Path",
        "x_original_url",
        "X.Rewrite.Url",
    ];
    for trust in ["", "[forwarded]\ntrust = [\"127.0.0.1\"]\n"] {
        let fields = overrides.map(|name| (name, "/api/updateInventory"));
        let seen = seen(trust, &fields);
        assert!(!seen.head.contains("/api/updateInventory"), "{trust}: {}", seen.head);
    }
}

#[test]
fn fields_that_pass_for_framing_are_400() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "");
    for name in ["Content_Length", "content.length", "Transfer_Encoding", "TRANSFER~ENCODING"] {
        let response = ask(sidecar.address, "POST", "/open", &[(name, "0")], "{}");
        assert_eq!((response.status, &*response.code()), (400, "request_malformed"), "{name}");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn the_host_is_kept_or_that_of_the_upstream() {
    assert_eq!(seen("", &[]).field("host"), Some("oms.example"));
    let upstream = Upstream::friendly();
    let toml = format!(
        "unmatched = \"open\"\n[upstream]\nurl = \"http://{}\"\nhost = \"upstream\"\n{}[[route]]\npath = \"/x\"\n",
        upstream.address,
        hotwax_issuer()
    );
    assert_eq!(ask(Sidecar::start(&toml).address, "GET", "/open", &[], "").status, 200);
    let seen = upstream.only();
    assert_eq!(seen.field("host"), Some(&*upstream.address.to_string()));
    assert_eq!(seen.field("x-forwarded-host"), Some("oms.example"));
}

#[test]
fn the_authority_of_the_target_is_the_host() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "");
    let mut client = Client::connect(sidecar.address);
    client.send(b"GET http://real.example:81/open?x=http://y HTTP/1.1\r\nHost: other.example\r\n\r\n");
    assert_eq!(client.response(false).status, 200);
    let seen = upstream.only();
    assert_eq!((seen.target(), seen.field("host")), ("/open?x=http://y", Some("real.example:81")));
    assert_eq!(seen.field("x-forwarded-host"), Some("real.example:81"));
    client.send(b"POST http://real.example/api/updateInventory HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.response(false).status, 401, "its path is judged as any other");
}

#[test]
fn a_host_that_is_none_is_400() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "");
    for host in ["a@b", "a b", "a/b", "a:99999", "[::1", ""] {
        let mut client = Client::connect(sidecar.address);
        client.send(format!("GET /open HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(client.response(false).status, 400, "{host:?}");
    }
    for target in ["http://u:p@h/open", "http://h:99999/open"] {
        let mut client = Client::connect(sidecar.address);
        client.send(format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes());
        assert_eq!(client.response(false).status, 400, "{target}");
    }
    let mut client = Client::connect(sidecar.address);
    client.send(b"GET /open HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    assert_eq!(client.response(false).status, 400, "two hosts");
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[test]
fn what_is_for_one_hop_does_not_go_further_up_or_down() {
    let upstream = Upstream::answering(|_| {
        Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\
              Keep-Alive: timeout=9\r\nProxy-Connection: x\r\nX-Kept: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n{}"
                .to_vec(),
        )
    });
    let sidecar = sidecar(&upstream, "");
    let token = bearer(&good());
    let fields = [
        ("Authorization", token.as_str()),
        ("Connection", "keep-alive, X-Hop"),
        ("X-Hop", "1"),
        ("Keep-Alive", "timeout=9"),
        ("Proxy-Connection", "x"),
        ("Proxy-Authorization", "Basic YTpi"),
        ("TE", "trailers"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
        ("X-Kept", "1"),
    ];
    let response = ask(sidecar.address, "POST", "/api/updateInventory", &fields, "{}");
    assert_eq!(response.status, 200);
    let seen = upstream.only();
    let hops = ["x-hop", "keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade", "http2-settings"];
    for name in hops {
        assert_eq!((seen.field(name), response.field(name)), (None, None), "{name}");
    }
    assert_eq!((seen.field("x-kept"), response.field("x-kept")), (Some("1"), Some("1")));
    assert!(seen.field("connection").is_none_or(|connection| connection == "keep-alive"), "{}", seen.head);
    assert_eq!(response.head.matches("et-cookie: ").count() + response.head.matches("et-Cookie: ").count(), 2);
}

#[test]
fn redirects_and_other_answers_come_down_as_they_are() {
    for status in ["302 Found", "401 Unauthorized", "404 Not Found", "418 I'm a teapot", "500 Oops", "503 Down"] {
        let upstream = Upstream::answering(move |_| {
            let head = format!("HTTP/1.1 {status}\r\nLocation: /login?token=t\r\nContent-Length: 2\r\n\r\nok");
            Answer::Bytes(head.into_bytes())
        });
        let response = ask(sidecar(&upstream, "").address, "GET", "/open", &[], "");
        assert_eq!(response.status.to_string(), status.split(' ').next().unwrap());
        assert_eq!(
            (response.field("location"), response.text()),
            (Some("/login?token=t"), "ok".to_owned()),
            "{status}"
        );
        assert_eq!(response.field("www-authenticate"), None, "{status}: a 401 of the upstream is its own");
    }
}
