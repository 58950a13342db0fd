//! Upstreams that are away, slow, or talk nonsense; and what is never sent twice.

use std::io::Write;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use waxseal::time::{Clock, UnixSeconds};

use crate::client::{Client, ask, request};
use crate::harness::{Sidecar, eventually};
use crate::upstream::{Answer, Upstream, ok};

fn open(upstream: &str, more: &str) -> Sidecar {
    Sidecar::start(&format!("unmatched = \"open\"\n{upstream}{more}"))
}

fn code(sidecar: &Sidecar, method: &str, body: &str) -> (u16, String) {
    let response = ask(sidecar.address, method, "/x", &[], body);
    (response.status, response.code())
}

#[test]
fn an_upstream_that_is_away_is_502_unreachable() {
    // Bound and never listening again: nobody answers there.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sidecar = open(&format!("upstream = \"http://{gone}\"\n"), "");
    assert_eq!(code(&sidecar, "GET", ""), (502, "upstream_unreachable".to_owned()));
    assert_eq!(code(&sidecar, "POST", "{}"), (502, "upstream_unreachable".to_owned()));
}

#[test]
fn a_socket_or_a_name_that_is_not_there_is_502_unreachable() {
    for upstream in ["upstream = \"unix:/nowhere/oms.sock\"\n", "upstream = \"http://no.such.host.invalid:80\"\n"] {
        assert_eq!(code(&open(upstream, ""), "GET", "").0, 502, "{upstream}");
    }
}

#[test]
fn another_server_of_the_upstream_takes_over_where_one_is_away() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = Upstream::friendly();
    let sidecar = open(&format!("upstream = [\"http://{gone}\", \"http://{}\"]\n", upstream.address), "");
    for _ in 0..4 {
        assert_eq!(ask(sidecar.address, "POST", "/x", &[], "{}").status, 200);
    }
    assert_eq!(upstream.seen().len(), 4);
}

#[test]
fn servers_of_an_upstream_take_turns_and_each_is_called_by_its_own_name() {
    let (one, two) = (Upstream::friendly(), Upstream::friendly());
    let servers = format!("url = [\"http://{}\", \"http://{}\"]", one.address, two.address);
    let sidecar = open(&format!("workers = 1\nupstream = {{ {servers}, host = \"upstream\" }}\n"), "");
    for _ in 0..6 {
        assert_eq!(ask(sidecar.address, "GET", "/x", &[], "").status, 200);
    }
    for server in [&one, &two] {
        let hosts: Vec<String> = server.seen().iter().map(|seen| seen.field("host").unwrap().to_owned()).collect();
        assert_eq!(hosts, vec![server.address.to_string(); 3]);
    }
}

#[test]
fn an_upstream_that_says_nothing_is_504() {
    let upstream = Upstream::answering(|_| Answer::Silence);
    let sidecar =
        open(&format!("upstream = {{ url = \"http://{}\", response_timeout = \"100ms\" }}\n", upstream.address), "");
    let started = Instant::now();
    assert_eq!(code(&sidecar, "GET", ""), (504, "upstream_timeout".to_owned()));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(code(&sidecar, "POST", "{}"), (504, "upstream_timeout".to_owned()));
    assert_eq!(upstream.seen().len(), 2, "nothing was sent twice");
}

#[test]
fn a_route_may_be_more_patient_than_its_upstream() {
    let upstream = Upstream::answering(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Answer::Bytes(ok("{}"))
    });
    let upstream_line =
        format!("upstream = {{ url = \"http://{}\", response_timeout = \"50ms\" }}\n", upstream.address);
    let sidecar = open(&upstream_line, "[[route]]\npath = \"/x\"\naccess = \"open\"\ntimeout = \"10s\"\n");
    assert_eq!(ask(sidecar.address, "GET", "/x", &[], "").status, 200);
    assert_eq!(ask(sidecar.address, "GET", "/y", &[], "").status, 504);
}

#[test]
fn nonsense_from_the_upstream_is_502_and_not_passed_on() {
    for nonsense in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nX Y: 1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "\r\n\r\n\r\n",
        "",
    ] {
        let upstream = Upstream::answering(move |_| Answer::Last(nonsense.into()));
        let sidecar = open(&upstream.line(), "");
        assert_eq!(code(&sidecar, "POST", "{}"), (502, "upstream_invalid".to_owned()), "{nonsense:?}");
        assert_eq!(upstream.seen().len(), 1, "{nonsense:?} was asked twice");
    }
}

#[test]
fn a_body_that_breaks_off_upstream_breaks_off_below() {
    let upstream = Upstream::answering(|seen| match seen.target() {
        "/x" => Answer::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()),
        _ => Answer::Bytes(ok("{}")),
    });
    let sidecar = open(&upstream.line(), "");
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/x", &[], ""));
    let mut got = Vec::new();
    loop {
        let bytes = client.bytes();
        if bytes.is_empty() {
            break;
        }
        got.extend(bytes);
    }
    assert!(got.ends_with(b"abc"), "{:?}", String::from_utf8_lossy(&got));
    assert_eq!(ask(sidecar.address, "GET", "/y", &[], "").status, 200, "others are served");
}

/// Answers once, then closes as soon as the next request has arrived: the race of an idle connection.
fn closing_on_second(upstream_closes: &'static AtomicBool) -> Upstream {
    Upstream::answering(move |seen| {
        if seen.target() == "/first" {
            upstream_closes.store(true, Ordering::SeqCst);
            Answer::Bytes(ok("{}"))
        } else if upstream_closes.swap(false, Ordering::SeqCst) {
            Answer::Last(Vec::new())
        } else {
            Answer::Bytes(ok("{}"))
        }
    })
}

#[test]
fn a_get_goes_once_more_where_the_idle_connection_closed_under_it() {
    static CLOSES: AtomicBool = AtomicBool::new(false);
    let upstream = closing_on_second(&CLOSES);
    let sidecar = open(&upstream.line(), "");
    let mut client = Client::connect(sidecar.address);
    assert_eq!(client.send(&request("GET", "/first", &[], "")).response(false).status, 200);
    assert_eq!(client.send(&request("GET", "/second", &[], "")).response(false).status, 200);
    let targets: Vec<String> = upstream.seen().iter().map(|seen| seen.target().to_owned()).collect();
    assert_eq!(targets, ["/first", "/second", "/second"]);
}

#[test]
fn a_post_is_never_sent_twice() {
    static CLOSES: AtomicBool = AtomicBool::new(false);
    let upstream = closing_on_second(&CLOSES);
    let sidecar = open(&upstream.line(), "");
    let mut client = Client::connect(sidecar.address);
    assert_eq!(client.send(&request("GET", "/first", &[], "")).response(false).status, 200);
    let response = client.send(&request("POST", "/second", &[], r#"{"availableDelta":-1}"#)).response(false);
    assert_eq!((response.status, response.code()), (502, "upstream_invalid".to_owned()));
    assert_eq!(upstream.seen().iter().filter(|seen| seen.target() == "/second").count(), 1);
}

#[test]
fn a_get_is_not_sent_twice_once_any_byte_of_an_answer_came() {
    for answer in ["HTTP/1.1 200 OK\r\nX-", "garbage\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n", "H"] {
        let upstream = Upstream::answering(move |seen| match seen.target() {
            "/first" => Answer::Bytes(ok("{}")),
            _ => Answer::Last(answer.into()),
        });
        let sidecar = open(&upstream.line(), "");
        let mut client = Client::connect(sidecar.address);
        client.send(&request("GET", "/first", &[], "")).response(false);
        let response = client.send(&request("GET", "/second", &[], "")).response(false);
        assert_eq!((response.status, response.code()), (502, "upstream_invalid".to_owned()), "{answer:?}");
        assert_eq!(upstream.seen().iter().filter(|seen| seen.target() == "/second").count(), 1, "{answer:?}");
    }
}

#[test]
fn a_get_with_a_body_is_not_sent_twice() {
    static CLOSES: AtomicBool = AtomicBool::new(false);
    let upstream = closing_on_second(&CLOSES);
    let sidecar = open(&upstream.line(), "");
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/first", &[], "")).response(false);
    assert_eq!(client.send(&request("GET", "/second", &[], "{}")).response(false).status, 502);
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn a_connection_that_closed_while_idle_costs_nobody_a_request() {
    let upstream = Upstream::answering(|_| Answer::Last(ok("{}")));
    let sidecar = open(&upstream.line(), "");
    for _ in 0..20 {
        assert_eq!(ask(sidecar.address, "POST", "/x", &[], "{}").status, 200);
        // Long enough for the close to be seen before the connection would be used again.
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(upstream.seen().len(), 20);
}

#[test]
fn a_panic_ends_one_request_with_500_and_nothing_else() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    static BREAKS: AtomicBool = AtomicBool::new(false);
    let upstream = Upstream::friendly();
    let clock = Clock::Given(std::sync::Arc::new(|| {
        CALLS.fetch_add(1, Ordering::SeqCst);
        assert!(!BREAKS.swap(false, Ordering::SeqCst), "the clock is broken on purpose");
        UnixSeconds::new(1_800_000_000.0).unwrap()
    }));
    let toml = format!("{}unmatched = \"open\"\n[log]\nformat = \"json\"\n", upstream.line());
    let sidecar = Sidecar::with_clock(&toml, clock);
    let mut other = Client::connect(sidecar.address);
    assert_eq!(other.send(&request("GET", "/a", &[], "")).response(false).status, 200);
    BREAKS.store(true, Ordering::SeqCst);
    let mut broken = Client::connect(sidecar.address);
    let response = broken.send(&request("GET", "/b", &[], "")).response(false);
    assert_eq!((response.status, response.code()), (500, "internal".to_owned()));
    assert!(response.field("x-request-id").is_some());
    assert_eq!(broken.send(&request("GET", "/c", &[], "")).response(false).status, 200, "the same connection goes on");
    assert_eq!(other.send(&request("GET", "/d", &[], "")).response(false).status, 200, "other connections go on");
    assert!(CALLS.load(Ordering::SeqCst) > 0);
    // The clock is read before anything else is known of a request, so the broken one has no line; its error has its id.
    assert_eq!(sidecar.lines(3).len(), 3);
}

#[test]
fn an_early_answer_reaches_the_client_while_it_still_sends() {
    let upstream = Upstream::answering(|_| Answer::Bytes(Vec::new()));
    let early = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = early.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in early.incoming().flatten() {
            let mut seen = [0; 64];
            let _ = std::io::Read::read(&mut stream, &mut seen);
            let _ = stream.write_all(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
            std::thread::sleep(Duration::from_secs(2));
        }
    });
    drop(upstream);
    let sidecar = open(&format!("upstream = \"http://{address}\"\n"), "");
    let mut client = Client::connect(sidecar.address);
    client.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\nsome");
    let response = client.response(false);
    assert_eq!((response.status, response.body.as_slice()), (413, &b"no"[..]));
}

#[test]
fn the_log_says_whose_fault_it_was() {
    let upstream = Upstream::answering(|_| Answer::Last(Vec::new()));
    let sidecar = open(&upstream.line(), "");
    let response = ask(sidecar.address, "POST", "/x", &[], "{}");
    assert_eq!(response.status, 502);
    let lines = sidecar.lines(1);
    assert_eq!(lines[0]["bytes_out"].as_u64(), Some(response.body.len() as u64), "{}", lines[0]);
    assert_eq!((lines[0]["verdict"].as_str(), lines[0]["code"].as_str()), (Some("allow"), Some("upstream_invalid")));
    assert!(lines[0]["detail"].as_str().unwrap().contains(&upstream.address.to_string()), "{}", lines[0]);
    eventually("the counter", || {
        let metrics = ask(sidecar.admin, "GET", "/metrics", &[], "").body;
        let line = r#"waxseal_requests_total{route="unmatched",verdict="allow",code="upstream_invalid"} 1"#;
        String::from_utf8(metrics).unwrap().contains(line).then_some(())
    });
}
