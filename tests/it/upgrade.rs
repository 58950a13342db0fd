//! Upgrades: judged first, tunnelled only after a valid 101.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::upstream::{Answer, Upstream, ok};

const UPGRADE: [(&str, &str); 4] = [
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
];
const SWITCHED: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/// An upstream that changes the protocol and echoes.
fn echo() -> Upstream {
    Upstream::answering(|_| {
        Answer::Take(Box::new(|mut stream: TcpStream| {
            stream.write_all(SWITCHED).unwrap();
            let mut chunk = [0; 1024];
            while let Ok(read) = stream.read(&mut chunk) {
                if read == 0 || stream.write_all(&chunk[..read]).is_err() {
                    return;
                }
            }
        }))
    })
}

fn sidecar(upstream: &Upstream) -> Sidecar {
    Sidecar::start(&format!(
        "{}unmatched = \"open\"\n[limits]\nidle_timeout = \"200ms\"\nheader_timeout = \"200ms\"\nbody_stall = \"200ms\"\n{}\
         [[route]]\npath = \"/guarded\"\n",
        upstream.line(),
        hotwax_issuer()
    ))
}

#[test]
fn a_tunnel_carries_both_ways_and_is_not_cut_by_the_times_of_requests() {
    let upstream = echo();
    let sidecar = sidecar(&upstream);
    let mut client = Client::connect(sidecar.address);
    let response = client.send(&request("GET", "/notws", &UPGRADE, "")).response(false);
    assert_eq!((response.status, response.field("upgrade")), (101, Some("websocket")));
    for word in ["one", "two"] {
        std::thread::sleep(std::time::Duration::from_millis(400));
        let mut got = client.send(word.as_bytes()).bytes();
        while got.len() < word.len() {
            got.extend(client.bytes());
        }
        assert_eq!(got, word.as_bytes());
    }
    let seen = upstream.only();
    assert_eq!((seen.field("connection"), seen.field("upgrade")), (Some("upgrade"), Some("websocket")));
    assert_eq!(seen.field("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    drop(client);
    let lines = sidecar.lines(1);
    assert_eq!((lines[0]["status"].as_u64(), lines[0]["bytes_in"].as_u64()), (Some(101), Some(6)), "{}", lines[0]);
}

#[test]
fn an_upgrade_does_not_open_a_guarded_route() {
    let upstream = echo();
    let sidecar = sidecar(&upstream);
    let response = ask(sidecar.address, "GET", "/guarded", &UPGRADE, "");
    assert_eq!(response.status, 401);
    assert!(upstream.seen().is_empty());
    let token = bearer(&good());
    let fields: Vec<(&str, &str)> = UPGRADE.iter().copied().chain([("Authorization", token.as_str())]).collect();
    let mut client = Client::connect(sidecar.address);
    assert_eq!(client.send(&request("GET", "/guarded", &fields, "")).response(false).status, 101);
}

#[test]
fn nothing_is_tunnelled_before_a_101() {
    let upstream = Upstream::answering(|_| Answer::Bytes(ok("no upgrade here")));
    let sidecar = sidecar(&upstream);
    let behind = request("POST", "/guarded", &[("X-Smuggled", "yes")], "{}");
    let mut client = Client::connect(sidecar.address);
    client.send(&[request("GET", "/notws", &UPGRADE, ""), behind].concat());
    assert_eq!(client.response(false).status, 200);
    eventually("the first request", || (!upstream.seen().is_empty()).then_some(()));
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_change_to_http_2_is_never_passed_on() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream);
    let fields =
        [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "AAMAAABkAARAAAAAAAIAAAAA")];
    assert_eq!(ask(sidecar.address, "GET", "/x", &fields, "").status, 200);
    let seen = upstream.only();
    for name in ["connection", "upgrade", "http2-settings"] {
        assert_eq!(seen.field(name), None, "{name}");
    }
}

#[test]
fn a_choice_of_protocols_or_a_hidden_one_is_no_upgrade() {
    for protocol in ["websocket, h2c", "h2c, websocket", "H2C", "HTTP/2.0", "TLS/1.0", ""] {
        let upstream = Upstream::friendly();
        let sidecar = sidecar(&upstream);
        let fields = [("Connection", "Upgrade"), ("Upgrade", protocol)];
        assert_eq!(ask(sidecar.address, "GET", "/x", &fields, "").status, 200, "{protocol}");
        assert_eq!(upstream.only().field("upgrade"), None, "{protocol}");
    }
}

#[test]
fn a_101_to_another_protocol_than_was_asked_for_is_502() {
    let upstream = Upstream::answering(|_| {
        Answer::Last(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tls\r\n\r\n".to_vec())
    });
    let response = ask(sidecar(&upstream).address, "GET", "/x", &UPGRADE, "");
    assert_eq!((response.status, response.code()), (502, "upstream_invalid".to_owned()));
}
