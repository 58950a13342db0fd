//! All workers together: spreading, the limit of connections, stopping.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::service::service_fn;
use tokio::net::UnixStream;

use super::super::harness::{Client, Server, eventually, settings, tcp};
use super::super::{Drain, DrainSettings, Listen, Settings};
use super::*;

fn patient() -> Settings {
    let mut settings = settings(vec![tcp()]);
    settings.limits.header_timeout = Duration::from_secs(5);
    settings.limits.idle_timeout = Duration::from_secs(5);
    settings
}

#[tokio::test(flavor = "current_thread")]
async fn a_unix_socket_is_dealt_out_to_all_workers_in_turn() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::open(Settings { listen: vec![Listen::Unix(path.clone())], workers: 3, ..patient() });
    let mut clients = Vec::new();
    let mut served = BTreeMap::new();
    for _ in 0..9 {
        let mut client = Client(UnixStream::connect(&path).await.unwrap());
        let answer = client.ask("/").await;
        *served.entry(answer.split("worker=").nth(1).unwrap()[..1].to_owned()).or_insert(0) += 1;
        clients.push(client);
    }
    assert_eq!(served.into_values().collect::<Vec<_>>(), [3, 3, 3]);
    drop(clients);
    server.stop().await;
    assert!(!path.exists());
}

#[tokio::test(flavor = "current_thread")]
async fn one_connection_too_many_is_told_so() {
    let mut settings = patient();
    settings.limits.connections = 2;
    let server = Server::open(settings);
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.ask("/").await;
    second.ask("/").await;
    let mut third = server.connect().await;
    third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let answer = third.receive().await;
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
    assert!(third.closed().await.is_empty());
    assert_eq!(server.heard.refused(), [Code::Overloaded]);
    drop(first);
    eventually("a place is free", || server.heard.open() == 1).await;
    assert!(server.connect().await.ask("/").await.starts_with("http/1.1 200"));
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_under_way_finishes_with_connection_close_and_no_one_new_comes_in() {
    let server = Server::open(patient());
    let (mut busy, mut idle, mut fresh) = (server.connect().await, server.connect().await, server.connect().await);
    idle.ask("/").await;
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("three are open", || server.heard.open() == 3).await;
    let (address, gate, drain) = (server.address(), Arc::clone(&server.gate), server.drain.clone());
    let client = async {
        drain.signal().reached(Phase::Stopping).await;
        // A request that was on its way is still served, for a second: so this comes first.
        let late = idle.ask("/").await;
        assert!(late.starts_with("http/1.1 200") && late.contains("connection: close"), "{late}");
        eventually("nobody listens", || std::net::TcpStream::connect(address).is_err()).await;
        assert!(idle.closed().await.is_empty());
        assert!(fresh.closed().await.is_empty());
        gate.add_permits(1);
        let last = busy.receive().await;
        assert!(last.starts_with("http/1.1 200") && last.contains("connection: close"), "{last}");
        assert!(busy.closed().await.is_empty());
    };
    tokio::join!(server.stop(), client);
}

#[tokio::test(flavor = "current_thread")]
async fn an_http2_peer_is_told_at_once_and_its_streams_finish() {
    let server = Server::open(patient());
    let stream = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http2::handshake(
        hyper_util::rt::TokioExecutor::new(),
        hyper_util::rt::TokioIo::new(stream),
    )
    .await
    .unwrap();
    let connection = tokio::spawn(connection);
    let request = |path| Request::get(format!("http://localhost{path}")).body(Full::<Bytes>::default()).unwrap();
    let answer = tokio::spawn(sender.send_request(request("/wait")));
    eventually("it is open", || server.heard.open() == 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let (gate, drain) = (Arc::clone(&server.gate), server.drain.clone());
    let client = async {
        drain.signal().reached(Phase::Stopping).await;
        // Until the peer has heard of it, its requests are served.
        while sender.send_request(request("/")).await.is_ok() {}
        gate.add_permits(1);
        let answer = answer.await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        answer.into_body().collect().await.unwrap();
        connection.await.unwrap().unwrap();
    };
    tokio::join!(server.stop(), client);
}

#[tokio::test(flavor = "current_thread")]
async fn what_does_not_finish_in_time_is_cut_tunnels_included() {
    let mut settings = patient();
    settings.drain = DrainSettings { delay: Duration::ZERO, timeout: Duration::from_millis(100) };
    let server = Server::open(settings);
    let (mut busy, mut tunnel) = (server.connect().await, server.connect().await);
    busy.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tunnel.send("GET /tunnel HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    assert!(tunnel.receive().await.starts_with("http/1.1 101"));
    let begun = Instant::now();
    server.stop().await;
    assert!(begun.elapsed() >= Duration::from_millis(100) && begun.elapsed() < Duration::from_secs(2));
    assert!(busy.closed().await.is_empty() && tunnel.closed().await.is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_worker_that_cannot_be_made_is_reported() {
    let settings = patient();
    let bound = super::super::bind(&settings).unwrap();
    let drain = Drain::default();
    let workers = start(bound, &settings, &drain.signal(), Hooks::none(), |number| {
        assert_ne!(number, 1, "as asked");
        |_| service_fn(async |_| Ok(Response::new(Full::<Bytes>::default())))
    });
    let error = workers.unwrap().join().await.unwrap_err();
    assert!(error.to_string().contains("waxseal-worker-1"), "{error}");
}

#[tokio::test(flavor = "current_thread")]
async fn a_cold_listener_serves_on_the_runtime_of_its_caller() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = Client(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    let drain = Drain::default();
    let make = |_| service_fn(async |_| Ok(Response::new(Full::<Bytes>::from("cold"))));
    let serving = serve_cold(listener, patient().limits, drain.signal(), Hooks::none(), make);
    let asking = async {
        assert!(client.ask("/").await.ends_with("cold"));
        drain.end();
    };
    tokio::join!(serving, asking);
}

#[tokio::test(flavor = "current_thread")]
async fn limits_that_change_hold_for_connections_to_come() {
    let server = Server::open(patient());
    let mut before = server.connect().await;
    assert!(before.ask("/").await.starts_with("http/1.1 200"));
    let controls = server.workers.controls();
    let mut changed = server.settings.clone();
    changed.limits.headers = 2;
    controls.apply(controls.prepare(&changed).unwrap());
    let many = "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n";
    before.send(many).await;
    assert!(before.receive().await.starts_with("http/1.1 200"), "an open connection keeps its own");
    let mut after = server.connect().await;
    after.send(many).await;
    assert!(after.receive().await.starts_with("http/1.1 431"));
    changed.limits.connections = 2;
    drop(after);
    controls.apply(controls.prepare(&changed).unwrap());
    eventually("the second is gone", || server.heard.open() == 1).await;
    let mut second = server.connect().await;
    assert!(second.ask("/").await.starts_with("http/1.1 200"));
    let mut third = server.connect().await;
    third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(third.receive().await.starts_with("http/1.1 503"));
    drop((before, second, third));
    server.stop().await;
}
