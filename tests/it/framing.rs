//! Where a message ends: what two readers could see in two ways is refused or cut off in both directions, and nobody
//! else is disturbed by it.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::http2::{DATA, END_HEADERS, END_STREAM, HEADERS, Http2, RST_STREAM, block, frame, get};
use crate::tokens::hotwax_issuer;
use crate::upstream::{Answer, Upstream, ok};

/// Everything is open: what is refused is refused for its form alone.
fn open(upstream: &Upstream) -> Sidecar {
    Sidecar::start(&format!("unmatched = \"open\"\nworkers = 1\n{}", upstream.line()))
}

/// Sends bytes, closes that side, and reads all that comes back.
fn talk(sidecar: &Sidecar, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(sidecar.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(bytes).unwrap();
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

const SMUGGLED: &str = "POST /smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";

#[test]
fn a_request_that_could_end_in_two_places_never_goes_up() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let post = |lines: &str, body: &str| format!("POST /a HTTP/1.1\r\nHost: x\r\n{lines}\r\n{body}");
    let both = "0\r\n\r\n".to_owned() + SMUGGLED;
    let refused = [
        post("Content-Length: 60\r\nTransfer-Encoding: chunked\r\n", &both),
        post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", &both),
        post("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n", &both),
        post("Transfer-Encoding: gzip, chunked\r\n", &both),
        post("Content-Length: 0\r\nX: y\nTransfer-Encoding: chunked\r\n", &both),
        post("Content-Length: 0\r\nContent-Length: 0\r\n", SMUGGLED),
        post("X: y\n", SMUGGLED),
    ];
    for bytes in &refused {
        let answer = talk(&sidecar, bytes.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("request_malformed"), "{bytes}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bytes}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{bytes}: {answer}");
    }
    let bare = [
        post("Content-Length: 0, 0\r\n", SMUGGLED),
        post("Transfer-Encoding : chunked\r\n", &both),
        post("Transfer-Encoding: chunked\r\n", &both).replace("1.1", "1.0"),
        post("Content-Length: +5\r\n", "abcde"),
        post("Content-Length: 5 5\r\n", "abcde"),
        post("X: y\r\n Transfer-Encoding: chunked\r\n", &both),
        post("X: y\rTransfer-Encoding: chunked\r\n", &both),
        post("X\0: y\r\n", ""),
    ];
    for bytes in &bare {
        let answer = talk(&sidecar, bytes.as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{bytes}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() < 2, "{bytes}: {answer}");
    }
    assert_eq!(upstream.seen().len(), 0, "{:?}", upstream.seen());
    assert_eq!(ask(sidecar.address, "GET", "/next", &[], "").status, 200);
    let lines = sidecar.lines(refused.len() + 1);
    let coded = lines.iter().filter(|line| line["code"] == "request_malformed").count();
    assert!(coded >= refused.len(), "{lines:?}");
    let all = refused.len() + bare.len();
    eventually("every refusal is counted", || {
        let metrics = ask(sidecar.admin, "GET", "/metrics", &[], "").text();
        let counts = metrics
            .lines()
            .filter(|line| line.starts_with("waxseal_requests_total") && line.contains("request_malformed"));
        let sum: usize = counts.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum();
        (sum == all).then_some(())
    });
}

#[test]
fn a_target_over_http2_is_judged_and_forwarded_without_its_fragment() {
    let upstream = Upstream::friendly();
    let guarded = format!("{}[[route]]\npath = \"/guarded\"\n", hotwax_issuer());
    let sidecar = Sidecar::start(&format!("unmatched = \"open\"\n{}{guarded}", upstream.line()));
    let mut client = Http2::connect(sidecar.address);
    for (stream, target) in [(1, "#a"), (3, "/a#/guarded"), (5, "/a?b#c"), (7, "?b"), (9, "/guarded#a")] {
        client.send(&get(stream, target)).unwrap();
        assert!(client.next_of(HEADERS, Duration::from_secs(10)).is_some(), "{target}");
    }
    let seen: Vec<String> = upstream.seen().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(seen, ["/", "/a", "/a?b", "/?b"]);
}

/// A refused POST over HTTP/2, its body still to come: what the answer is followed by.
#[test]
fn a_body_behind_its_refusal_over_http2_may_still_arrive() {
    let upstream = Upstream::friendly();
    let guarded = format!("{}[[route]]\npath = \"/guarded\"\n", hotwax_issuer());
    let sidecar = Sidecar::start(&format!("unmatched = \"open\"\n{}{guarded}", upstream.line()));
    let mut client = Http2::connect(sidecar.address);
    let refused = |client: &mut Http2, stream: u32| {
        client.send(&frame(HEADERS, END_HEADERS, stream, &block("POST", "/guarded", &[]))).unwrap();
        let answer = client.next_of(DATA, Duration::from_secs(10)).expect("an answer");
        assert!(String::from_utf8_lossy(&answer.payload).contains("credential_missing"));
    };
    // Some clients that are still sending lose the answer where the stream is reset behind it.
    refused(&mut client, 1);
    assert!(client.next_of(RST_STREAM, Duration::from_millis(200)).is_none(), "it was not given the time");
    client.send(&frame(DATA, END_STREAM, 1, b"{}")).unwrap();
    assert!(client.next_of(RST_STREAM, Duration::from_millis(1500)).is_none(), "it had ended");
    // One that never ends, and one that is too much.
    refused(&mut client, 3);
    let reset = client.next_of(RST_STREAM, Duration::from_secs(10)).expect("a reset once that has lasted");
    assert_eq!(reset.payload, [0; 4], "RFC 9113 section 8.1");
    refused(&mut client, 5);
    client.send(&frame(DATA, 0, 5, &[0; 16_384]).repeat(5)).unwrap();
    assert!(client.next_of(RST_STREAM, Duration::from_millis(800)).is_some(), "nobody wants as much");
    client.send(&get(7, "/open")).unwrap();
    assert!(client.next_of(HEADERS, Duration::from_secs(10)).is_some(), "the connection goes on");
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_flaw_behind_good_requests_ends_the_connection_there() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let good = String::from_utf8(request("POST", "/good", &[], "{}")).unwrap();
    let flawed = "POST /bad HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = talk(&sidecar, format!("{good}{good}{flawed}{good}").as_bytes());
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
    assert_eq!(answer.matches("HTTP/1.1 400").count(), 1, "{answer}");
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn a_body_with_a_flaw_is_never_whole_upstream() {
    let upstream = Upstream::friendly();
    let sidecar = open(&upstream);
    let head = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n";
    for rest in [
        "0\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "zz\r\n",
        "-1\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0\r\nX: y\nZ: z\r\n\r\n",
        "0\r\nno field\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "10000000000000000\r\nabc",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "0\r\n: x\r\n\r\n",
    ] {
        let answer = talk(&sidecar, format!("{head}{rest}{SMUGGLED}").as_bytes());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{rest:?}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() < 2, "{rest:?}: {answer}");
    }
    assert_eq!(upstream.seen().len(), 0, "{:?}", upstream.seen());
    let all = format!("{head}3;x=\"y\"\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n");
    assert_eq!(Client::connect(sidecar.address).send(all.as_bytes()).response(false).status, 200);
    assert_eq!(upstream.only().body, b"abcdef");
}

#[test]
fn what_comes_behind_a_refusal_is_judged_by_itself() {
    let upstream = Upstream::friendly();
    let guarded = "[issuer.i]\nsecret = { text = \"0123456789012345678901234567890123456789012345678901234567890123\" }\n[[route]]\npath = \"/guarded\"\n";
    let sidecar = Sidecar::start(&format!("unmatched = \"open\"\n{}{guarded}", upstream.line()));
    let mut client = Client::connect(sidecar.address);
    // The refused request's body looks like a request, and is none.
    client.send(&request("POST", "/guarded", &[], SMUGGLED));
    assert_eq!(client.response(false).status, 401);
    client.send(&request("POST", "/guarded", &[], SMUGGLED));
    client.send(&request("GET", "/open", &[], ""));
    assert_eq!(client.response(false).status, 401);
    assert_eq!(client.response(false).status, 200);
    assert_eq!(upstream.only().target(), "/open");
}

#[test]
fn a_lying_upstream_is_502_and_its_connection_is_not_used_again() {
    let upstream = Upstream::answering(|seen| match seen.target() {
        "/both" => Answer::Bytes(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n".to_vec(),
        ),
        "/coding" => {
            Answer::Bytes(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n".to_vec())
        }
        "/two" => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc".to_vec()),
        "/old" => Answer::Bytes(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
        "/unasked" => {
            Answer::Bytes(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_vec())
        }
        "/folded" => Answer::Bytes(b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n".to_vec()),
        _ => Answer::Bytes(ok("mine")),
    });
    let sidecar = open(&upstream);
    for path in ["/both", "/coding", "/two", "/old", "/unasked", "/folded"] {
        let response = ask(sidecar.address, "POST", path, &[], "{}");
        assert_eq!((response.status, response.code().as_str()), (502, "upstream_invalid"), "{path}");
        let connections = upstream.connections();
        let next = ask(sidecar.address, "GET", "/next", &[], "");
        assert_eq!((next.status, next.text().as_str()), (200, "mine"), "{path}");
        assert!(upstream.connections() > connections, "{path}: the connection was used again");
    }
}

#[test]
fn bytes_behind_an_answer_reach_nobody() {
    let evil = "HTTP/1.1 200 OK\r\nX-Evil: 1\r\nContent-Length: 4\r\n\r\nevil";
    let upstream = Upstream::answering(move |seen| {
        let head = match seen.target() {
            "/short" => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "/none" => "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "/unchanged" => "HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
            "/chunked" => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            _ => return Answer::Bytes(ok("mine")),
        };
        Answer::Bytes(format!("{head}{evil}").into_bytes())
    });
    let sidecar = open(&upstream);
    for path in ["/short", "/none", "/unchanged", "/chunked"] {
        let mut client = Client::connect(sidecar.address);
        for _ in 0..3 {
            client.send(&request("GET", path, &[], ""));
            let response = client.response(false);
            assert!(
                !response.head.contains("X-Evil") && !response.text().contains("evil"),
                "{path}: {}",
                response.head
            );
            client.send(&request("GET", "/next", &[], ""));
            assert_eq!(client.response(false).text(), "mine", "{path}");
        }
    }
    // A HEAD that is answered with a body.
    let mut client = Client::connect(sidecar.address);
    client.send(&request("HEAD", "/short", &[], ""));
    assert_eq!(client.response(true).status, 200);
    client.send(&request("GET", "/next", &[], ""));
    assert_eq!(client.response(false).text(), "mine");
}

#[test]
fn equal_lengths_of_an_answer_are_said_once() {
    let upstream = Upstream::answering(|_| {
        Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok".to_vec())
    });
    let response = ask(open(&upstream).address, "GET", "/", &[], "");
    assert_eq!((response.field("content-length"), response.text().as_str()), (Some("2"), "ok"));
}

/// Answers as soon as it has seen a head, and keeps what comes after it. On `/early` it is still owed a body then.
fn hasty() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let rest = Arc::<Mutex<Vec<u8>>>::default();
    let kept = Arc::clone(&rest);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                stream.write_all(&ok(if head.starts_with(b"POST /early") { "early" } else { "mine" })).unwrap();
                let mut piece = [0; 1024];
                while let Ok(length @ 1..) = stream.read(&mut piece) {
                    kept.lock().unwrap().extend_from_slice(&piece[..length]);
                }
            });
        }
    });
    (address, rest)
}

#[test]
fn an_early_answer_disturbs_no_request_of_the_next_person() {
    let (upstream, rest) = hasty();
    let idle = "idle_timeout = \"1ms\"";
    let sidecar = Sidecar::start(&format!(
        "unmatched = \"open\"\nworkers = 1\nupstream = {{ url = \"http://{upstream}\", {idle} }}\n"
    ));
    let mut slow = Client::connect(sidecar.address);
    slow.send(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n\r\n");
    assert_eq!(slow.response(false).text(), "early");
    // Its body is still arriving; everyone else has connections of their own.
    for at in 0..3 {
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(ask(sidecar.address, "GET", "/next", &[], "").text(), "mine", "{at}");
        slow.send(&[b'x'; 100]);
    }
    std::thread::sleep(Duration::from_millis(20));
    slow.send(&request("GET", "/after", &[], ""));
    assert_eq!(slow.response(false).text(), "mine");
    let rest = rest.lock().unwrap().clone();
    assert!(rest.iter().all(|byte| *byte == b'x') && rest.len() <= 300, "{:?}", String::from_utf8_lossy(&rest));
}
