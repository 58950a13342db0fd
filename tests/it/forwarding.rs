//! What goes up and what comes down, byte for byte.

use std::net::Shutdown;
use std::time::Duration;

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::upstream::{Answer, Upstream, ok};

fn open(upstream: &Upstream) -> Sidecar {
    Sidecar::start(&format!("{}unmatched = \"open\"\n", upstream.line()))
}

#[test]
fn a_request_arrives_as_it_was_sent_but_for_what_is_told_of_the_peer() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let fields =
        [("X-Multi", "1"), ("X-Multi", "2"), ("Cookie", "a=b"), ("Authorization", "Basic eDp5"), ("X-Empty", "")];
    assert_eq!(ask(sidecar.address, "PUT", "/a%20b?q=%2f&q", &fields, "body").status, 200);
    let seen = upstream.only();
    let mut lines: Vec<String> = seen.head.lines().map(str::to_lowercase).collect();
    lines.retain(|line| !line.starts_with("x-request-id: "));
    lines[1..].sort();
    assert_eq!(
        lines,
        [
            "put /a%20b?q=%2f&q http/1.1",
            "authorization: basic edp5",
            "content-length: 4",
            "cookie: a=b",
            "host: oms.example",
            "x-empty: ",
            "x-forwarded-for: 127.0.0.1",
            "x-forwarded-host: oms.example",
            "x-forwarded-proto: http",
            "x-multi: 1",
            "x-multi: 2",
        ]
    );
    assert_eq!(seen.body, b"body");
}

#[test]
fn an_answer_goes_down_as_it_came_but_for_what_was_for_the_connection() {
    let answer = "HTTP/1.1 201 Made\r\nX-A: 1\r\nX-A: 2\r\nSet-Cookie: s=1\r\nConnection: X-Private, keep-alive\r\n\
                  X-Private: 1\r\nKeep-Alive: timeout=20\r\nLocation: /x?token=t\r\nContent-Length: 2\r\n\r\nhi";
    let upstream = Upstream::answering(move |_| Answer::Bytes(answer.into()));
    let response = ask(open(&upstream).address, "GET", "/", &[], "");
    let mut lines: Vec<String> = response.head.trim().lines().map(str::to_lowercase).collect();
    lines.retain(|line| !line.starts_with("date: "));
    lines[1..].sort();
    assert_eq!(
        lines,
        ["http/1.1 201 made", "content-length: 2", "location: /x?token=t", "set-cookie: s=1", "x-a: 1", "x-a: 2"]
    );
    assert_eq!(response.body, b"hi");
}

#[test]
fn a_redirect_is_passed_on_and_not_followed() {
    let upstream = Upstream::answering(|_| {
        Answer::Bytes(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec())
    });
    assert_eq!(ask(open(&upstream).address, "GET", "/", &[], "").status, 302);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let upstream = Upstream::answering(|_| {
        Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n".to_vec(),
        )
    });
    let sidecar = open(&upstream);
    let sent = "POST /x HTTP/1.1\r\nHost: h\r\nTrailer: X-Sum, Authorization\r\nTransfer-Encoding: chunked\r\n\r\n\
                2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Sum: 7\r\nAuthorization: Bearer x\r\n\r\n";
    let response = Client::connect(sidecar.address).send(sent.as_bytes()).response(false);
    assert_eq!(response.body, b"abcde");
    let seen = upstream.only();
    assert_eq!(seen.body, b"hello");
    assert_eq!(seen.trailers.to_lowercase().trim(), "x-sum: 7");
}

#[test]
fn the_body_of_a_get_goes_up_whether_its_length_is_known_or_not() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let chunked = b"GET /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    assert_eq!(Client::connect(sidecar.address).send(chunked).response(false).status, 200);
    assert_eq!(ask(sidecar.address, "GET", "/x", &[], "hello").status, 200);
    assert!(upstream.seen().iter().all(|seen| seen.body == b"hello"), "{:?}", upstream.seen());
}

#[test]
fn head_and_bodiless_statuses_keep_the_connection_in_step() {
    let upstream = Upstream::answering(|seen| match (seen.method(), seen.target()) {
        ("HEAD", _) => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n".to_vec()),
        (_, "/204") => Answer::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        (_, "/304") => Answer::Bytes(b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\n".to_vec()),
        _ => Answer::Bytes(ok("{}")),
    });
    let sidecar = open(&upstream);
    let mut client = Client::connect(sidecar.address);
    let head = client.send(&request("HEAD", "/", &[], "")).response(true);
    assert_eq!((head.status, head.field("content-length")), (200, Some("99")));
    assert_eq!(client.send(&request("GET", "/204", &[], "")).response(false).status, 204);
    assert_eq!(client.send(&request("GET", "/304", &[], "")).response(false).status, 304);
    assert_eq!(client.send(&request("GET", "/200", &[], "")).response(false).body, b"{}");
    assert_eq!(upstream.connections(), 1, "one connection to the upstream serves them all");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let upstream = Upstream::answering(|seen| Answer::Bytes(ok(seen.target())));
    let sidecar = open(&upstream);
    let mut client = Client::connect(sidecar.address);
    client.send(
        &[request("GET", "/1", &[], ""), request("POST", "/2", &[], "xy"), request("GET", "/3", &[], "")].concat(),
    );
    let bodies: Vec<Vec<u8>> = (0..3).map(|_| client.response(false).body).collect();
    assert_eq!(bodies, [b"/1", b"/2", b"/3"]);
}

#[test]
fn an_event_is_passed_on_as_soon_as_it_comes() {
    let upstream = Upstream::answering(|_| {
        Answer::Take(Box::new(|mut stream| {
            use std::io::Write;
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n").unwrap();
            // The next event never comes; the first must not wait for it.
            std::thread::sleep(Duration::from_secs(3));
        }))
    });
    let sidecar = open(&upstream);
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/events", &[], ""));
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("data: 1") {
        let bytes = client.bytes();
        assert!(!bytes.is_empty(), "closed before the first event");
        got.extend(bytes);
    }
}

#[test]
fn a_client_that_leaves_ends_the_request_upstream() {
    let (tell, told) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    let upstream = Upstream::answering(move |_| {
        let tell = tell.lock().unwrap().clone();
        Answer::Take(Box::new(move |mut stream| {
            use std::io::Read;
            tell.send(stream.read(&mut [0; 1]).map_err(|error| error.kind())).unwrap();
        }))
    });
    let sidecar = open(&upstream);
    let stream = std::net::TcpStream::connect(sidecar.address).unwrap();
    std::io::Write::write_all(&mut &stream, &request("GET", "/slow", &[], "")).unwrap();
    eventually("the request upstream", || (!upstream.seen().is_empty()).then_some(()));
    stream.shutdown(Shutdown::Both).unwrap();
    drop(stream);
    let ended = told.recv_timeout(Duration::from_secs(5)).expect("the upstream's connection was left open");
    assert!(matches!(ended, Ok(0) | Err(_)));
}

#[test]
fn large_bodies_stream_through_both_ways() {
    let megabytes = 8;
    let upstream = Upstream::answering(move |seen| Answer::Bytes(ok(&"z".repeat(seen.body.len()))));
    let sidecar = open(&upstream);
    let body = "y".repeat(megabytes << 20);
    let response = ask(sidecar.address, "POST", "/big", &[], &body);
    assert_eq!((response.status, response.body.len()), (200, body.len()));
}

#[test]
fn a_client_of_http_1_0_is_served() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let mut client = Client::connect(sidecar.address);
    let response = client.send(b"GET /old HTTP/1.0\r\n\r\n").response(false);
    assert_eq!(response.status, 200);
    assert!(client.is_closed());
    assert_eq!(upstream.only().field("host"), Some(upstream.address.to_string().as_str()));
}
