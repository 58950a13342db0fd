//! Limits of size and time hold, and say which of them did.

use std::time::{Duration, Instant};

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::upstream::{Answer, Upstream, ok};

fn sidecar(upstream: &Upstream, more: &str) -> Sidecar {
    Sidecar::start(&format!("{}unmatched = \"open\"\n{more}", upstream.line()))
}

#[test]
fn a_body_over_the_limit_is_413_announced_or_not() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(
        &upstream,
        "[limits]\nbody_size = \"10B\"\n[[route]]\npath = \"/large\"\naccess = \"open\"\nbody_size = \"100B\"\n",
    );
    assert_eq!(ask(sidecar.address, "POST", "/x", &[], "0123456789").status, 200);
    let announced = ask(sidecar.address, "POST", "/x", &[], "0123456789a");
    assert_eq!((announced.status, announced.code()), (413, "body_too_large".to_owned()));
    let chunked =
        b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n012345\r\n6\r\n678901\r\n0\r\n\r\n";
    let unannounced = Client::connect(sidecar.address).send(chunked).response(false);
    assert_eq!((unannounced.status, unannounced.code()), (413, "body_too_large".to_owned()));
    assert_eq!(ask(sidecar.address, "POST", "/large", &[], &"x".repeat(100)).status, 200);
    assert_eq!(ask(sidecar.address, "POST", "/large", &[], &"x".repeat(101)).status, 413);
}

#[test]
fn a_body_that_stalls_is_408() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "[limits]\nbody_stall = \"100ms\"\n");
    let mut client = Client::connect(sidecar.address);
    let response = client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").response(false);
    assert_eq!((response.status, response.code()), (408, "request_timeout".to_owned()));
}

#[test]
fn an_upload_that_the_upstream_stops_taking_is_504() {
    let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = deaf.local_addr().unwrap();
    std::thread::spawn(move || {
        // Accepted and never read: the buffers fill, then nothing moves.
        let held: Vec<_> = deaf.incoming().take(1).collect();
        std::thread::sleep(Duration::from_secs(20));
        drop(held);
    });
    let sidecar = Sidecar::start(&format!(
        "unmatched = \"open\"\nupstream = \"http://{address}\"\n[limits]\nbody_stall = \"150ms\"\n"
    ));
    let started = Instant::now();
    let stream = std::net::TcpStream::connect(sidecar.address).unwrap();
    let mut sending = stream.try_clone().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        let _ = sending.write_all(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\n");
        // More than all buffers between hold; ends when the sidecar closes.
        while sending.write_all(&[b'x'; 65536]).is_ok() {}
    });
    let line = sidecar.lines(1).remove(0);
    assert_eq!(line["code"], "upstream_timeout", "{line}");
    assert!(started.elapsed() < Duration::from_secs(8));
    drop(stream);
}

#[test]
fn a_silent_grpc_call_is_not_cut() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "[limits]\nbody_stall = \"100ms\"\n");
    let mut client = Client::connect(sidecar.address);
    client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: application/grpc\r\nContent-Length: 4\r\n\r\nab");
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(client.send(b"cd").response(false).status, 200);
}

#[test]
fn a_slow_body_that_keeps_moving_is_not_cut() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "[limits]\nbody_stall = \"300ms\"\n");
    let mut client = Client::connect(sidecar.address);
    client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 8\r\n\r\n");
    for _ in 0..8 {
        client.send(b"x");
        std::thread::sleep(Duration::from_millis(80));
    }
    assert_eq!(client.response(false).status, 200);
}

#[test]
fn an_answer_that_stalls_is_cut_and_a_silent_event_stream_is_not() {
    let upstream = Upstream::answering(|seen| {
        let kind = if seen.target() == "/events" { "text/event-stream" } else { "text/plain" };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 10\r\n\r\nabc");
        Answer::Take(Box::new(move |mut stream| {
            use std::io::Write;
            stream.write_all(head.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(600));
            let _ = stream.write_all(b"defghij");
        }))
    });
    let sidecar = sidecar(&upstream, "[limits]\nbody_stall = \"100ms\"\n");
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/plain", &[], ""));
    let mut got = Vec::new();
    loop {
        let bytes = client.bytes();
        if bytes.is_empty() {
            break;
        }
        got.extend(bytes);
    }
    assert!(got.ends_with(b"abc"), "{:?}", String::from_utf8_lossy(&got));
    let events = ask(sidecar.address, "GET", "/events", &[], "");
    assert_eq!(events.body, b"abcdefghij");
}

#[test]
fn the_time_of_a_whole_request_is_limited() {
    let upstream = Upstream::answering(|_| Answer::Silence);
    let sidecar = sidecar(&upstream, "[limits]\nrequest_timeout = \"150ms\"\n");
    let started = Instant::now();
    let response = ask(sidecar.address, "GET", "/x", &[], "");
    assert_eq!((response.status, response.code()), (504, "upstream_timeout".to_owned()));
    let mut slow = Client::connect(sidecar.address);
    let response = slow.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc").response(false);
    assert_eq!((response.status, response.code()), (408, "request_timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn heads_over_the_limits_are_431_and_counted() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "[limits]\nheaders = 10\nheader_size = \"8KiB\"\n");
    let many: Vec<(String, &str)> = (0..9).map(|number| (format!("x-{number}"), "1")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    assert_eq!(ask(sidecar.address, "GET", "/x", &many, "").status, 200, "ten fields with Host");
    let more: Vec<(&str, &str)> = many.iter().copied().chain([("x-more", "1")]).collect();
    assert_eq!(ask(sidecar.address, "GET", "/x", &more, "").status, 431);
    assert_eq!(ask(sidecar.address, "GET", "/x", &[("x", &"y".repeat(9000))], "").status, 431);
    eventually("the counter", || {
        let metrics = String::from_utf8(ask(sidecar.admin, "GET", "/metrics", &[], "").body).unwrap();
        let line = r#"waxseal_requests_total{route="(none)",verdict="reject",code="headers_too_large"} 2"#;
        metrics.contains(line).then_some(())
    });
}

#[test]
fn a_slow_head_is_cut_and_an_idle_connection_is_not() {
    let upstream = Upstream::answering(|_| Answer::Bytes(ok("{}")));
    let sidecar = sidecar(&upstream, "[limits]\nheader_timeout = \"200ms\"\nidle_timeout = \"30s\"\n");
    let mut idle = Client::connect(sidecar.address);
    assert_eq!(idle.send(&request("GET", "/1", &[], "")).response(false).status, 200);
    let mut slow = Client::connect(sidecar.address);
    assert!(slow.send(b"GET /2 HTTP/1.1\r\nHo").is_closed());
    assert_eq!(idle.send(&request("GET", "/3", &[], "")).response(false).status, 200);
}

#[test]
fn connections_over_the_limit_are_told_so() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "[limits]\nconnections = 2\n");
    let mut held: Vec<Client> = (0..2).map(|_| Client::connect(sidecar.address)).collect();
    for client in &mut held {
        assert_eq!(client.send(&request("GET", "/x", &[], "")).response(false).status, 200);
    }
    let response = Client::connect(sidecar.address).send(&request("GET", "/x", &[], "")).response(false);
    assert_eq!((response.status, response.field("retry-after")), (503, Some("1")));
    drop(held);
    eventually("a place", || {
        let mut client = Client::connect(sidecar.address);
        (client.send(&request("GET", "/x", &[], "")).response(false).status == 200).then_some(())
    });
}
