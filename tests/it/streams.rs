//! Streams: a tunnel, a stream of events and a gRPC answer end with the token that opened them; nothing else does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use waxseal::time::{Clock, UnixSeconds};

use crate::client::{Client, ask, request};
use crate::harness::Sidecar;
use crate::tokens::{bearer, hotwax_issuer, signed};
use crate::upstream::{Answer, Upstream};

/// A close frame with the code 1008 and the word for a bad token.
const CLOSE: &[u8] = b"\x88\x0f\x03\xf0invalid_token";
/// A text frame.
pub(crate) const HELLO: &[u8] = b"\x81\x05hello";

/// A clock that goes as the machine's does, and is set by so many seconds.
#[derive(Clone, Default)]
struct Set(Arc<AtomicI64>);

impl Set {
    fn by(&self, seconds: i64) {
        self.0.store(seconds, Ordering::Relaxed);
    }

    fn clock(&self) -> Clock {
        let by = Arc::clone(&self.0);
        Clock::Given(Arc::new(move || {
            let by = i32::try_from(by.load(Ordering::Relaxed)).unwrap();
            UnixSeconds::new(Clock::System.now().seconds() + f64::from(by)).unwrap()
        }))
    }
}

fn sidecar_by(upstream: &Upstream, clock: Clock) -> Sidecar {
    let times = "[limits]\nidle_timeout = \"5s\"\nbody_stall = \"5s\"\n";
    let routes = "[[route]]\npath = \"/guarded\"\n[[route]]\npath = \"/told\"\nmode = \"report\"\n";
    let toml = format!("{}unmatched = \"open\"\n{times}{}{routes}", upstream.line(), hotwax_issuer());
    Sidecar::with_clock(&toml, clock)
}

fn sidecar(upstream: &Upstream) -> Sidecar {
    sidecar_by(upstream, Clock::System)
}

/// A token that ends in so many seconds, to the moment.
fn token(seconds: f64) -> String {
    bearer(&signed(&json!({ "userLoginId": "boomi", "exp": Clock::System.now().seconds() + seconds })))
}

/// An upstream that changes to a protocol and then does as it is told; what came up to it afterwards is sent on.
pub(crate) fn switching(
    protocol: &'static str,
    then: impl Fn(&mut TcpStream) + Send + Sync + 'static,
) -> (Upstream, mpsc::Receiver<Vec<u8>>) {
    let (tell, told) = mpsc::channel();
    let then = Arc::new(then);
    let upstream = Upstream::answering(move |_| {
        let (then, tell) = (Arc::clone(&then), tell.clone());
        Answer::Take(Box::new(move |mut stream| {
            let head =
                format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            then(&mut stream);
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all);
            let _ = tell.send(all);
        }))
    });
    (upstream, told)
}

pub(crate) fn switched(to: SocketAddr, protocol: &str, token: &str) -> Client {
    let fields = [("Connection", "Upgrade"), ("Upgrade", protocol), ("Authorization", token)];
    let mut client = Client::connect(to);
    assert_eq!(client.send(&request("GET", "/guarded", &fields, "")).response(false).status, 101);
    client
}

/// Everything that comes to the end.
fn rest(client: &mut Client) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        let bytes = client.bytes();
        if bytes.is_empty() {
            return all;
        }
        all.extend(bytes);
    }
}

/// The one line of the log says that a stream was ended, and so does the counter.
fn check_told(sidecar: &Sidecar, route: &str, status: u16) {
    let line = sidecar.lines(1).remove(0);
    assert_eq!((&line["verdict"], &line["code"]), (&json!("allow"), &json!("token_expired")), "{line}");
    assert_eq!(line["status"], status, "{line}");
    assert!(line["detail"].as_str().unwrap().starts_with("the stream was ended: exp was "), "{line}");
    let metric = format!("waxseal_requests_total{{route=\"{route}\",verdict=\"allow\",code=\"token_expired\"}}");
    assert_eq!(sidecar.counted(&metric), 1);
}

/// Takes the mask off a frame of a client's.
fn unmasked(frame: &[u8]) -> Vec<u8> {
    assert_eq!(frame[1] & 0x80, 0x80, "{frame:?}");
    let (mask, payload) = frame[2..].split_at(4);
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    [frame[0], frame[1] & 0x7f].into_iter().chain(payload).collect()
}

#[test]
fn a_websocket_is_closed_with_1008_on_both_sides() {
    let (upstream, came_up) = switching("WebSocket", |stream| stream.write_all(HELLO).unwrap());
    let sidecar = sidecar(&upstream);
    let mut client = switched(sidecar.address, "websocket", &token(2.0));
    client.send(b"\x81\x82\0\0\0\0ab");
    let down = rest(&mut client);
    assert_eq!(down, [HELLO, CLOSE].concat());
    drop(client);
    let up = came_up.recv_timeout(Duration::from_secs(5)).unwrap();
    let (own, close) = up.split_at(8);
    assert_eq!((own, unmasked(close).as_slice()), (&b"\x81\x82\0\0\0\0ab"[..], CLOSE));
    let line = sidecar.lines(1).remove(0);
    assert_eq!((&line["bytes_in"], &line["bytes_out"]), (&json!(8), &json!(HELLO.len())), "{line}");
    check_told(&sidecar, "/guarded", 101);
}

#[test]
fn a_websocket_is_closed_behind_the_frame_that_has_begun() {
    let (upstream, _came_up) = switching("websocket", |stream| {
        stream.write_all(&HELLO[..4]).unwrap();
        std::thread::sleep(Duration::from_millis(1100));
        stream.write_all(&[&HELLO[4..], HELLO].concat()).unwrap();
    });
    let sidecar = sidecar(&upstream);
    let mut client = switched(sidecar.address, "websocket", &token(1.0));
    assert_eq!(rest(&mut client), [HELLO, CLOSE].concat());
}

#[test]
fn a_frame_that_does_not_end_is_cut() {
    let (upstream, _came_up) = switching("websocket", |stream| {
        stream.write_all(b"\x82\x7f\0\0\0\xff\0\0\0\0").unwrap();
        while stream.write_all(b"more").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let sidecar = sidecar(&upstream);
    let mut client = switched(sidecar.address, "websocket", &token(1.0));
    let started = Instant::now();
    assert!(rest(&mut client).ends_with(b"more"));
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[test]
fn a_tunnel_of_another_protocol_is_cut() {
    let (upstream, came_up) = switching("custom", |_| {});
    let sidecar = sidecar(&upstream);
    let mut client = switched(sidecar.address, "custom", &token(1.0));
    assert!(client.is_closed(), "nothing of waxseal's own is put into it");
    assert!(came_up.recv_timeout(Duration::from_secs(5)).unwrap().is_empty());
    check_told(&sidecar, "/guarded", 101);
}

/// An upstream that sends a part every 50 ms, until nobody takes it or `most` were sent.
fn parts(kind: &'static str, most: usize) -> (Upstream, mpsc::Receiver<usize>) {
    let (tell, told) = mpsc::channel();
    let upstream = Upstream::answering(move |_| {
        let tell = tell.clone();
        Answer::Take(Box::new(move |mut stream| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
            let mut sent = 0;
            let mut alive = stream.write_all(head.as_bytes()).is_ok();
            while alive && sent < most {
                alive = stream.write_all(b"9\r\ndata: 1\n\n\r\n").is_ok();
                sent += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = stream.write_all(b"0\r\n\r\n");
            let _ = tell.send(sent);
        }))
    });
    (upstream, told)
}

const FOR_EVER: usize = 10_000;

#[test]
fn a_stream_of_events_ends_as_if_it_were_whole() {
    let (upstream, told) = parts("Text/Event-Stream; charset=utf-8", FOR_EVER);
    let sidecar = sidecar(&upstream);
    let token = token(2.0);
    let started = Instant::now();
    let events = ask(sidecar.address, "GET", "/guarded", &[("Authorization", &token)], "");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert_eq!(events.status, 200);
    assert!(events.body.ends_with(b"data: 1\n\n"), "the last part is whole, and so is the framing");
    told.recv_timeout(Duration::from_secs(5)).expect("the upstream goes on into nothing");
    check_told(&sidecar, "/guarded", 200);
    let again = ask(sidecar.address, "GET", "/guarded", &[("Authorization", &token)], "");
    assert_eq!(again.status, 401, "it comes again and learns why");
}

#[test]
fn a_silent_stream_ends_too() {
    let upstream = Upstream::answering(|_| {
        Answer::Take(Box::new(|mut stream| {
            let head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head).unwrap();
            let _ = stream.read(&mut [0; 1]);
        }))
    });
    let sidecar = sidecar(&upstream);
    let events = ask(sidecar.address, "GET", "/guarded", &[("Authorization", &token(1.0))], "");
    assert_eq!((events.status, events.body.len()), (200, 0));
}

#[test]
fn any_other_answer_runs_to_its_end() {
    let (upstream, _told) = parts("application/json", 50);
    let sidecar = sidecar(&upstream);
    let answer = ask(sidecar.address, "GET", "/guarded", &[("Authorization", &token(1.0))], "");
    assert_eq!((answer.status, answer.body.len()), (200, 50 * 9));
    assert_eq!(sidecar.lines(1)[0]["code"], "ok");
}

#[test]
fn a_stream_that_no_token_opened_ends_with_none() {
    let (upstream, _told) = parts("text/event-stream", 50);
    let sidecar = sidecar(&upstream);
    for target in ["/open", "/told"] {
        let events = ask(sidecar.address, "GET", target, &[("Authorization", &token(1.0))], "");
        assert_eq!((events.status, events.body.len()), (200, 50 * 9), "{target}");
    }
}

#[test]
fn a_grpc_answer_over_http_2_ends_with_trailers() {
    let (upstream, told) = parts("application/grpc+proto", FOR_EVER);
    let sidecar = sidecar(&upstream);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let trailers = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(sidecar.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = http::Request::post(format!("http://{}/guarded", sidecar.address));
        let request = request.header("content-type", "application/grpc").header("authorization", token(2.0));
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        let whole = response.into_body().collect().await.unwrap();
        whole.trailers().cloned().expect("there are trailers")
    });
    assert_eq!(
        (&trailers["grpc-status"], &trailers["grpc-message"]),
        (&"16".parse().unwrap(), &"invalid_token".parse().unwrap())
    );
    told.recv_timeout(Duration::from_secs(5)).expect("the upstream goes on into nothing");
    check_told(&sidecar, "/guarded", 200);
}

#[test]
fn a_grpc_call_that_only_sends_ends_too() {
    // Its server waits for all of it before it answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = format!("upstream = \"http://{}\"\n", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        tell.send(all.len()).unwrap();
    });
    let route = "[[route]]\npath = \"/guarded\"\n";
    let sidecar = Sidecar::start(&format!("{upstream}unmatched = \"open\"\n{}{route}", hotwax_issuer()));
    let mut client = TcpStream::connect(sidecar.address).unwrap();
    let head = format!(
        "POST /guarded HTTP/1.1\r\nHost: a\r\nContent-Type: application/grpc\r\nAuthorization: {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        token(1.0)
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut sends = client.try_clone().unwrap();
    std::thread::spawn(move || {
        while sends.write_all(b"1\r\na\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = [0; 4096];
    let read = client.read(&mut answer).expect("it goes on");
    let answer = String::from_utf8_lossy(&answer[..read]).to_lowercase();
    assert!(answer.starts_with("http/1.1 200 ") && answer.contains("grpc-status: 16\r\n"), "{answer}");
    assert!(told.recv_timeout(Duration::from_secs(5)).expect("it goes on above") > 0);
    assert_eq!(sidecar.lines(1)[0]["code"], "token_expired");
}

#[test]
fn the_clock_in_force_says_when_a_stream_ends() {
    let (upstream, told) = parts("text/event-stream", FOR_EVER);
    let set = Set::default();
    let sidecar = sidecar_by(&upstream, set.clock());
    let token = token(600.0);
    let mut client = Client::connect(sidecar.address);
    client.send(&request("GET", "/guarded", &[("Authorization", &token)], ""));
    let events = |client: &mut Client| assert!(!client.bytes().is_empty());
    events(&mut client);
    set.by(-3600);
    let back = Instant::now();
    while back.elapsed() < Duration::from_millis(1500) {
        events(&mut client);
    }
    assert!(told.try_recv().is_err(), "a clock that was set back ends nothing");
    set.by(3600);
    let forth = Instant::now();
    told.recv_timeout(Duration::from_secs(5)).expect("a clock that was set forth ends it");
    assert!(forth.elapsed() < Duration::from_millis(2500), "{:?}", forth.elapsed());
    let refused = ask(sidecar.address, "GET", "/guarded", &[("Authorization", &token)], "");
    assert_eq!(refused.status, 401);
    set.by(0);
    let mut again = Client::connect(sidecar.address);
    again.send(&request("GET", "/guarded", &[("Authorization", &token)], ""));
    events(&mut again);
}
