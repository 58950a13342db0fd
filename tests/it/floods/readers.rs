//! Readers that take little or nothing of large and of endless answers.

use std::io::Read;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{PATIENCE, Siege};
use crate::client::{Client, request};
use crate::harness::eventually;
use crate::http2::{DATA, HEADERS, Http2, INITIAL_WINDOW_SIZE, PING, RST_STREAM, WINDOW_UPDATE, frame, get, number};

/// The widest window that there is.
const WIDEST: u32 = 0x7fff_ffff;

/// Waits until an answer of `path` was cut since nobody took it, and the upstream's connections are free.
fn is_cut(siege: &Siege, path: &str) {
    eventually("an answer that was cut", || {
        let cut = |line: &serde_json::Value| {
            let detail = line["detail"].as_str().unwrap_or_default();
            line["path"] == path && line["code"] == "request_timeout" && detail.contains("took nothing")
        };
        siege.logged(cut).then_some(())
    });
    let cut = "waxseal_requests_total{route=\"unmatched\",verdict=\"allow\",code=\"request_timeout\"}";
    assert!(siege.counted(cut) >= 1);
}

#[test]
fn an_http1_answer_that_nobody_reads_is_cut() {
    let siege = Siege::lay("");
    let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(siege.address)).collect();
    for client in &mut clients {
        client.send(&request("GET", "/large", &[], ""));
    }
    is_cut(&siege, "/large");
    eventually("the others", || (siege.counted("waxseal_connections{side=\"downstream\"}") == 1).then_some(()));
    drop(clients);
    siege.lift();
}

#[test]
fn a_slow_http1_reader_that_goes_on_gets_everything() {
    let siege = Siege::lay("");
    let mut stream = TcpStream::connect(siege.address).unwrap();
    std::io::Write::write_all(&mut stream, &request("GET", "/large", &[], "")).unwrap();
    let (mut got, started) = (0, Instant::now());
    let mut piece = vec![0; super::LARGE / 16];
    while got < super::LARGE {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "it was cut after {got} bytes and {:?}", started.elapsed());
        got += read;
        std::thread::sleep(Duration::from_millis(60));
    }
    drop(stream);
    siege.lift();
}

#[test]
fn streams_without_a_window_are_reset_although_the_peer_pings() {
    let siege = Siege::lay("");
    let mut client = Http2::with_settings(siege.address, &[(INITIAL_WINDOW_SIZE, 0)]);
    for stream in 0..50 {
        client.send(&get(2 * stream + 1, "/large")).unwrap();
    }
    let (mut reset, started) = (0, Instant::now());
    while reset < 50 {
        assert!(started.elapsed() < PATIENCE, "{reset} were reset");
        client.send(&frame(PING, 0, 0, b"12345678")).unwrap();
        while let Some(frame) = client.next(Duration::from_millis(20)).unwrap() {
            reset += usize::from(frame.kind == RST_STREAM);
            assert_ne!(frame.kind, DATA);
        }
    }
    assert!(started.elapsed() >= Duration::from_millis(900), "at idle_timeout, not before");
    is_cut(&siege, "/large");
    // The connection itself is as good as before.
    client
        .send(&[number(WINDOW_UPDATE, 0, 65_535), get(1001, "/small"), number(WINDOW_UPDATE, 1001, 1000)].concat())
        .unwrap();
    assert_eq!(client.next_of(DATA, PATIENCE).unwrap().payload, b"{\"ok\":true}");
    drop(client);
    siege.lift();
}

#[test]
fn an_event_stream_with_a_closed_window_is_reset_and_one_with_an_open_window_is_not() {
    let siege = Siege::lay("");
    let mut closed = Http2::with_settings(siege.address, &[(INITIAL_WINDOW_SIZE, 100)]);
    let mut open = Http2::with_settings(siege.address, &[(INITIAL_WINDOW_SIZE, WIDEST)]);
    closed.send(&get(1, "/events")).unwrap();
    open.send(&[get(1, "/events"), number(WINDOW_UPDATE, 0, WIDEST - 65_535)].concat()).unwrap();
    assert!(closed.next_of(RST_STREAM, PATIENCE).is_some());
    is_cut(&siege, "/events");
    let until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < until {
        let frame = open.next(Duration::from_secs(2)).unwrap().expect("events");
        assert_ne!(frame.kind, RST_STREAM);
    }
    drop(open);
    drop(closed);
    siege.lift();
}

#[test]
fn a_window_that_opens_by_a_byte_at_a_time_is_no_way_to_stay() {
    let siege = Siege::lay("");
    let mut client = Http2::with_settings(siege.address, &[(INITIAL_WINDOW_SIZE, 0)]);
    client.send(&get(1, "/large")).unwrap();
    assert!(client.next_of(HEADERS, PATIENCE).is_some());
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < PATIENCE, "it is still there");
        if client.send(&number(WINDOW_UPDATE, 1, 1)).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        match client.next(Duration::from_millis(10)) {
            Ok(Some(frame)) if frame.kind == RST_STREAM => break,
            Ok(_) => {}
            Err(_) => break,
        }
    }
    is_cut(&siege, "/large");
    drop(client);
    siege.lift();
}

#[test]
fn many_streams_of_large_answers_take_bounded_memory() {
    let siege = Siege::lay("");
    let mut clients: Vec<Http2> = (0..4)
        .map(|_| {
            let mut client = Http2::with_settings(siege.address, &[(INITIAL_WINDOW_SIZE, 1)]);
            for stream in 0..100 {
                client.send(&get(2 * stream + 1, "/large")).unwrap();
            }
            client
        })
        .collect();
    for client in &mut clients {
        assert!(client.next_of(RST_STREAM, PATIENCE).is_some());
    }
    is_cut(&siege, "/large");
    drop(clients);
    siege.lift();
}
