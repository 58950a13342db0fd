//! Floods of HTTP/2 frames (RFC 9113 section 10.5).

use std::time::{Duration, Instant};

use super::{PATIENCE, Siege};
use crate::harness::eventually;
use crate::http2::{
    CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, Http2, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    block, frame, get, literal, number,
};

/// Frames in one write.
const AT_ONCE: usize = 500;

#[test]
fn frames_that_carry_nothing_of_a_request_end_the_connection() {
    let siege = Siege::lay("");
    for (number_of_it, (name, bytes)) in [
        ("PING", frame(PING, 0, 0, b"12345678")),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100])),
        ("empty SETTINGS", frame(SETTINGS, 0, 0, b"")),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 16])),
        ("WINDOW_UPDATE", number(WINDOW_UPDATE, 0, 1)),
        ("unknown", frame(0xbb, 0, 0, b"what")),
        ("large unknown", frame(0xbb, 0, 0, &[0; 16_384])),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = Http2::connect(siege.address);
        assert!(client.flood(|| bytes.repeat(AT_ONCE), PATIENCE), "{name} goes on");
        siege.refuses("rate_exceeded", number_of_it as u64 + 1);
    }
    siege.lift();
}

#[test]
fn frames_of_a_stream_that_carry_nothing_end_the_connection() {
    let siege = Siege::lay("");
    let begun = frame(HEADERS, END_HEADERS, 1, &block("POST", "/x", &[]));
    for (name, first, bytes) in [
        ("empty DATA", &begun, frame(DATA, 0, 1, b"")),
        ("padded DATA", &begun, frame(DATA, 0x8, 1, b"\x03\0\0\0")),
        ("DATA of a byte", &begun, frame(DATA, 0, 1, b"x")),
        ("CONTINUATION", &frame(HEADERS, END_STREAM, 1, b"\x82"), frame(CONTINUATION, 0, 1, &literal("x", "x"))),
        ("empty CONTINUATION", &frame(HEADERS, END_STREAM, 1, b"\x82"), frame(CONTINUATION, 0, 1, b"")),
        ("a header again and again", &get(1, "/x"), frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82")),
    ] {
        let mut client = Http2::connect(siege.address);
        client.send(first).unwrap();
        let closed = client.flood(|| bytes.repeat(AT_ONCE), Duration::from_secs(20));
        assert!(closed, "{name} goes on");
    }
    let refused = || ["rate_exceeded", "request_malformed", "headers_too_large"].map(|code| siege.refused(code));
    eventually("refusals", || (refused().iter().sum::<u64>() >= 5).then_some(()));
    siege.lift();
}

#[test]
fn many_updates_on_one_connection_are_no_flood() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    let (at_once, turns) = (50, 60);
    for turn in 0..turns {
        let streams = (0..at_once).map(|at| 1 + 2 * (turn * at_once + at));
        // Many clients widen the window of each stream and end a body by an empty frame; an answer need not have one.
        let update = |stream| {
            let head = frame(HEADERS, END_HEADERS, stream, &block("POST", "/nothing", &[]));
            let wider = number(WINDOW_UPDATE, stream, 1 << 20);
            [head, wider, frame(DATA, 0, stream, b"{}"), frame(DATA, END_STREAM, stream, b"")].concat()
        };
        client.send(&streams.flat_map(update).collect::<Vec<u8>>()).unwrap();
        for answer in 0..at_once {
            assert!(client.next_of(HEADERS, PATIENCE).is_some(), "answer {answer} of turn {turn}");
        }
    }
    assert_eq!(siege.refused("rate_exceeded"), 0);
    drop(client);
    siege.lift();
}

#[test]
fn requests_taken_back_at_once_end_the_connection() {
    let siege = Siege::lay("");
    let mut next = 1;
    let mut burst = || {
        let pairs = (0..50).flat_map(|_| {
            next += 2;
            [get(next, "/x"), number(RST_STREAM, next, 8)].concat()
        });
        pairs.collect()
    };
    assert!(Http2::connect(siege.address).flood(&mut burst, PATIENCE));
    siege.refuses("rate_exceeded", 1);
    siege.lift();
}

#[test]
fn requests_taken_back_one_by_one_end_the_connection_too() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    let (mut stream, mut closed) = (1, false);
    while !closed && stream < 4000 {
        closed = client.send(&get(stream, "/large")).is_err()
            // Long enough for the request to be on its way.
            || client.next(Duration::from_millis(5)).is_err()
            || client.send(&number(RST_STREAM, stream, 8)).is_err();
        stream += 2;
    }
    assert!(closed, "{} were taken back", stream / 2);
    siege.refuses("rate_exceeded", 1);
    siege.lift();
}

#[test]
fn faults_that_make_the_server_reset_end_the_connection() {
    let siege = Siege::lay("");
    // A window that grows by nothing, a window that overflows, DATA after the end (CVE-2025-8671).
    for fault in [
        |stream| number(WINDOW_UPDATE, stream, 0),
        |stream| number(WINDOW_UPDATE, stream, 0x7fff_ffff),
        |stream| frame(DATA, 0, stream, b"x"),
        |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &block("GET", "/x", &[])),
    ] {
        let mut next = 1;
        let mut burst = || {
            let pairs = (0..20).flat_map(|_| {
                next += 2;
                [get(next, "/large"), fault(next)].concat()
            });
            pairs.collect()
        };
        assert!(Http2::connect(siege.address).flood(&mut burst, PATIENCE));
    }
    let refused = || siege.refused("rate_exceeded") + siege.refused("request_malformed");
    eventually("refusals", || (refused() >= 4).then_some(()));
    siege.lift();
}

#[test]
fn more_streams_than_allowed_are_refused_and_then_the_connection_ends() {
    let siege = Siege::lay("");
    let mut next = 1;
    let mut burst = || {
        let requests = (0..50).flat_map(|_| {
            next += 2;
            // Their bodies never come, so they stay.
            frame(HEADERS, END_HEADERS, next, &block("POST", "/x", &[]))
        });
        requests.collect()
    };
    assert!(Http2::connect(siege.address).flood(&mut burst, PATIENCE));
    siege.refuses("rate_exceeded", 1);
    siege.lift();
}

#[test]
fn bodies_that_come_behind_their_refusal_are_no_flood() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    for turn in 0..250 {
        let (refused, good) = (1 + 4 * turn, 3 + 4 * turn);
        client.send(&frame(HEADERS, END_HEADERS, refused, &block("POST", "/api/guarded", &[]))).unwrap();
        assert!(client.next_of(HEADERS, PATIENCE).is_some(), "the refusal of turn {turn}");
        let late = [frame(DATA, 0, refused, &[b'x'; 4000]), frame(DATA, END_STREAM, refused, b"x")].concat();
        client.send(&[late, get(good, "/x")].concat()).unwrap();
        assert!(client.next_of(HEADERS, PATIENCE).is_some(), "the valid request of turn {turn} was lost");
    }
    assert_eq!(siege.refused("rate_exceeded"), 0);
    drop(client);
    siege.lift();
}

#[test]
fn streams_opened_before_the_limit_was_told_cost_no_other() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    client.send(&(0..300).flat_map(|at| get(1 + 2 * at, "/x")).collect::<Vec<u8>>()).unwrap();
    for answer in 0..100 {
        assert!(client.next_of(HEADERS, PATIENCE).is_some(), "answer {answer}");
    }
    drop(client);
    siege.lift();
}

#[test]
fn what_the_library_refuses_by_itself_is_counted() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    let coded = block("POST", "/x", &[("transfer-encoding", "chunked")]);
    client.send(&frame(HEADERS, END_HEADERS, 1, &coded)).unwrap();
    assert!(client.next_of(RST_STREAM, PATIENCE).is_some());
    siege.refuses("request_malformed", 1);
    // Three times as large as a head may be.
    let mut large = block("GET", "/x", &[]);
    large.extend([0x40, 1, b'x', 127, 0xa1, 0x1e]);
    large.extend([b'y'; 4000]);
    large.extend([0xbe; 24]);
    client.send(&frame(HEADERS, END_HEADERS, 3, &large)).unwrap();
    siege.refuses("headers_too_large", 1);
    client.send(&get(5, "/x")).unwrap();
    assert!(client.next_of(DATA, PATIENCE).is_some(), "the connection goes on");
    drop(client);
    siege.lift();
}

#[test]
fn trailers_that_unfold_to_much_end_at_a_limit() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    let begun = [frame(HEADERS, END_HEADERS, 1, &block("POST", "/x", &[])), frame(DATA, 0, 1, b"{}")].concat();
    let mut bomb = vec![0x40, 1, b'x', 127, 0xa1, 0x1e];
    bomb.extend([b'y'; 4000]);
    bomb.extend([0xbe; 8000]);
    client.send(&[begun, frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)].concat()).unwrap();
    assert!(client.is_closed(PATIENCE));
    siege.lift();
}

#[test]
fn header_blocks_that_unfold_to_much_are_refused() {
    let siege = Siege::lay("");
    // A field that is remembered, and a block that names it thousands of times.
    let mut remembered = vec![0x40, 1, b'x', 127, 0xa1, 0x1e];
    remembered.extend([b'y'; 4000]);
    let mut bomb = block("GET", "/x", &[]);
    bomb.extend(&remembered);
    bomb.extend([0xbe; 8000]);
    let mut client = Http2::connect(siege.address);
    client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &bomb)).unwrap();
    assert!(client.is_closed(PATIENCE));
    // A table that grows beyond what was offered, again and again.
    let mut client = Http2::connect(siege.address);
    let growing = frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0x3f, 0xff, 0xff, 0xff, 0x0f]);
    assert!(client.flood(|| growing.clone(), PATIENCE));
    let refused = || siege.refused("rate_exceeded") + siege.refused("request_malformed");
    eventually("refusals", || (refused() >= 2).then_some(()));
    siege.lift();
}

#[test]
fn a_header_block_that_never_ends_is_cut_while_it_goes_on() {
    let siege = Siege::lay("");
    let mut client = Http2::connect(siege.address);
    // A frame of 16,000 bytes without the flag of its end, byte by byte.
    client.send(&frame(HEADERS, END_STREAM, 1, &[0; 16_000])[..9]).unwrap();
    let started = Instant::now();
    while client.send(b"\0").is_ok() {
        assert!(started.elapsed() < PATIENCE, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    siege.refuses("request_timeout", 1);
    siege.lift();
}
