//! Heads and bodies over HTTP/1 that cost more than they carry.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::{PATIENCE, Siege};
use crate::client::{Client, request};

/// Sends `first`, then `more` again and again, until the other side closes, and gives what it said. It has to do so
/// before so many bytes were sent.
fn pour(siege: &Siege, first: &[u8], more: &[u8], most: usize) -> String {
    let mut stream = TcpStream::connect(siege.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    let mut sent = 0;
    let mut sending = stream.write_all(first);
    while sending.is_ok() && sent < most {
        sending = stream.write_all(more);
        sent += more.len();
    }
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it was not closed: {error}"),
    }
    String::from_utf8_lossy(&said).into_owned()
}

/// The status of each answer in what was said.
fn statuses(said: &str) -> Vec<&str> {
    said.split("HTTP/1.1 ").skip(1).map(|answer| answer.get(..3).unwrap_or_default()).collect()
}

#[test]
fn head_bombs_are_refused_or_cut() {
    let siege = Siege::lay("");
    let fields = (0..400).map(|number| format!("X-{number}: x\r\n")).collect::<String>();
    for bomb in [
        format!("GET /x HTTP/1.1\r\nHost: h\r\n{fields}\r\n"),
        format!("GET /x HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(1024 * 1024)),
        format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(1024 * 1024)),
        format!("{} /x HTTP/1.1\r\nHost: h\r\n\r\n", "X".repeat(1024 * 1024)),
    ] {
        for _ in 0..10 {
            let said = pour(&siege, bomb.as_bytes(), b"", 0);
            // The answer may be lost where bytes lie unread as the connection closes.
            assert!(statuses(&said).iter().all(|status| status.starts_with('4')), "{said}");
        }
    }
    let refused = || siege.refused("headers_too_large") + siege.refused("request_malformed");
    crate::harness::eventually("40 refusals", || (refused() >= 40).then_some(()));
    siege.lift();
}

#[test]
fn empty_lines_before_a_request_do_not_go_on_for_ever() {
    let siege = Siege::lay("");
    let said = pour(&siege, b"", &b"\r\n".repeat(1000), 64 * 1024 * 1024);
    assert!(statuses(&said).iter().all(|status| status.starts_with('4')), "{said}");
    let refused = || {
        let codes = ["headers_too_large", "request_malformed", "request_timeout"];
        codes.map(|code| siege.refused(code)).iter().sum::<u64>()
    };
    crate::harness::eventually("a refusal", || (refused() >= 1).then_some(()));
    siege.lift();
}

#[test]
fn chunks_of_a_byte_pass_as_they_are_and_endless_extensions_do_not() {
    let siege = Siege::lay("");
    let head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut small = Client::connect(siege.address);
    small.send(head).send(&b"1\r\nx\r\n".repeat(20_000)).send(b"0\r\n\r\n");
    assert_eq!(small.response(false).status, 200);
    let seen = siege.upstream.seen().into_iter().find(|seen| seen.target() == "/x").unwrap();
    assert_eq!(seen.body.len(), 20_000);
    drop(small);
    let extended = [&head[..], b"1;"].concat();
    let said = pour(&siege, &extended, &[b'e'; 4096], 64 * 1024 * 1024);
    assert!(statuses(&said).iter().all(|status| *status == "400"), "{said}");
    let lines = format!("1;{}\r\nx\r\n", "e".repeat(4000));
    let said = pour(&siege, head, lines.as_bytes(), 64 * 1024 * 1024);
    assert!(statuses(&said).iter().all(|status| *status == "400"), "{said}");
    siege.lift();
}

#[test]
fn trailers_are_bounded() {
    let siege = Siege::lay("");
    let head = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n";
    let said = pour(&siege, head, b"X-Trailer: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n", 64 * 1024 * 1024);
    assert!(statuses(&said).iter().all(|status| *status == "400"), "{said}");
    siege.lift();
}

#[test]
fn slow_bodies_and_bodies_that_wait_to_be_asked_are_408() {
    let siege = Siege::lay("");
    let slow: Vec<Client> = (0..200)
        .map(|number| {
            let mut client = Client::connect(siege.address);
            let expect = if number % 2 == 0 { "Expect: 100-continue\r\n" } else { "" };
            client.send(format!("POST /x HTTP/1.1\r\nHost: h\r\n{expect}Content-Length: 10\r\n\r\n").as_bytes());
            client
        })
        .collect();
    for mut client in slow {
        let response = client.response(false);
        assert_eq!((response.status, response.code()), (408, "request_timeout".to_owned()));
    }
    crate::harness::eventually("a line in the log", || {
        siege.logged(|line| line["code"] == "request_timeout" && line["path"] == "/x").then_some(())
    });
    siege.lift();
}

#[test]
fn requests_whose_answers_nobody_reads_are_not_served_without_end() {
    let siege = Siege::lay("");
    let mut stream = TcpStream::connect(siege.address).unwrap();
    stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let many = request("GET", "/medium", &[], "").repeat(1000);
    let mut sent = 0;
    // The buffers of the system hold the first of them; a cut or a full buffer ends it.
    while sent < 200_000 && stream.write_all(&many).is_ok() {
        sent += 1000;
    }
    assert!(sent < 200_000, "all were taken although none was read");
    crate::harness::eventually("it to be cut", || {
        (siege.counted("waxseal_connections{side=\"downstream\"}") == 1).then_some(())
    });
    siege.lift();
}
