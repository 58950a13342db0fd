//! An orderly stop: not ready, finish what runs, close, end.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use waxseal::net::Signal;

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::upstream::{Answer, Upstream, ok};

fn slow() -> Upstream {
    Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(500));
        Answer::Bytes(ok("{}"))
    })
}

fn sidecar(upstream: &Upstream, drain: &str) -> Sidecar {
    Sidecar::start(&format!("{}unmatched = \"open\"\n[drain]\n{drain}\n", upstream.line()))
}

#[test]
fn what_runs_is_finished_and_the_connection_is_closed_behind_it() {
    let upstream = slow();
    let sidecar = sidecar(&upstream, "timeout = \"10s\"");
    let address = sidecar.address;
    let mut client = Client::connect(address);
    client.send(&request("GET", "/x", &[], ""));
    eventually("the request upstream", || (!upstream.seen().is_empty()).then_some(()));
    sidecar.signal(Signal::Drain);
    let response = client.response(false);
    assert_eq!((response.status, response.field("connection")), (200, Some("close")));
    assert!(client.is_closed());
    let started = Instant::now();
    sidecar.join();
    assert!(started.elapsed() < Duration::from_secs(5), "nothing was left to wait for");
    assert!(TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn it_is_not_ready_and_still_serves_during_the_delay() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "delay = \"700ms\"");
    assert_eq!(ask(sidecar.admin, "GET", "/readyz", &[], "").status, 200);
    sidecar.signal(Signal::Drain);
    eventually("not ready", || (ask(sidecar.admin, "GET", "/readyz", &[], "").status == 503).then_some(()));
    assert_eq!(ask(sidecar.address, "GET", "/x", &[], "").status, 200);
    sidecar.join();
}

#[test]
fn a_request_that_never_ends_is_cut_at_the_timeout() {
    let upstream = Upstream::answering(|_| Answer::Silence);
    let sidecar = sidecar(&upstream, "timeout = \"300ms\"");
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/x", &[], ""));
    eventually("the request upstream", || (!upstream.seen().is_empty()).then_some(()));
    let started = Instant::now();
    sidecar.signal(Signal::Drain);
    sidecar.join();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(client.is_closed());
}

#[test]
fn a_second_signal_ends_at_once() {
    let upstream = Upstream::answering(|_| Answer::Silence);
    let sidecar = sidecar(&upstream, "timeout = \"60s\"");
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/x", &[], ""));
    eventually("the request upstream", || (!upstream.seen().is_empty()).then_some(()));
    sidecar.signal(Signal::Drain);
    sidecar.signal(Signal::End);
    let started = Instant::now();
    sidecar.join();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn the_access_log_is_whole_after_the_stop() {
    let upstream = Upstream::friendly();
    let sidecar = sidecar(&upstream, "timeout = \"5s\"");
    for number in 0..50 {
        assert_eq!(ask(sidecar.address, "GET", &format!("/{number}"), &[("Connection", "close")], "").status, 200);
    }
    let lines = sidecar.lines(50);
    assert_eq!(lines.len(), 50);
}
