//! One connection: protocols, limits, time limits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::harness::{Client, Server, certificate, eventually, settings, tcp};
use super::super::{Listen, Settings};
use super::*;

fn server() -> Server {
    Server::open(settings(vec![tcp()]))
}

/// Limits of time that a test does not run into.
fn patient() -> Settings {
    let mut settings = settings(vec![tcp()]);
    settings.limits.header_timeout = Duration::from_secs(5);
    settings.limits.idle_timeout = Duration::from_secs(5);
    settings
}

async fn http2<IO>(stream: IO) -> SendRequest<Empty<Bytes>>
where
    IO: AsyncReadExt + AsyncWriteExt + Unpin + Send + 'static,
{
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn get(path: &str) -> http::request::Builder {
    Request::get(format!("http://localhost{path}"))
}

async fn text(sender: &mut SendRequest<Empty<Bytes>>, request: http::request::Builder) -> (u16, String) {
    let response = sender.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test(flavor = "current_thread")]
async fn a_kept_alive_connection_outlives_header_timeout_and_ends_at_idle_timeout() {
    let server = server();
    let mut client = server.connect().await;
    client.ask("/").await;
    tokio::time::sleep(server.settings.limits.header_timeout * 3 / 2).await;
    client.ask("/").await;
    let begun = Instant::now();
    assert!(client.closed().await.is_empty());
    let lasted = begun.elapsed();
    let idle = server.settings.limits.idle_timeout;
    assert!(lasted > idle - Duration::from_millis(50) && lasted < idle * 2, "{lasted:?}");
    assert!(server.heard.refused().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_head_that_is_not_whole_in_time_is_cut_and_told() {
    let server = server();
    // The first of a connection, and a later one.
    for earlier in [0, 1] {
        let mut client = server.connect().await;
        for _ in 0..earlier {
            client.ask("/").await;
        }
        client.send("GET / HTTP/1.1\r\nX-Slow: ").await;
        let begun = Instant::now();
        client.closed().await;
        assert!(begun.elapsed() < server.settings.limits.idle_timeout - Duration::from_millis(50), "{earlier}");
    }
    eventually("both are told", || server.heard.refused() == [Code::RequestTimeout; 2]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_says_nothing_is_closed_and_counts_for_nothing() {
    let server = server();
    assert!(server.connect().await.closed().await.is_empty());
    assert!(server.heard.refused().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_long_answer_is_not_cut() {
    let server = server();
    let mut client = server.connect().await;
    client.send("GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").await;
    tokio::time::sleep(server.settings.limits.idle_timeout * 3 / 2).await;
    server.gate.add_permits(1);
    assert!(client.receive().await.starts_with("http/1.1 200"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_peer_that_takes_none_of_its_answer_is_cut() {
    let server = server();
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("it is open", || server.heard.open() == 1).await;
    eventually("the connection is gone", || server.heard.open() == 0).await;
    assert!(server.heard.refused().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn http2_by_prior_knowledge_is_served_on_the_same_port() {
    let server = server();
    let mut sender = http2(TcpStream::connect(server.address()).await.unwrap()).await;
    assert_eq!(text(&mut sender, get("/")).await.0, 200);
    // No streams: said goodbye to at idle_timeout.
    let begun = Instant::now();
    eventually("the connection is gone", || server.heard.open() == 0).await;
    assert!(begun.elapsed() > server.settings.limits.idle_timeout - Duration::from_millis(50));
}

#[tokio::test(flavor = "current_thread")]
async fn an_http2_header_block_that_never_ends_is_cut_and_told() {
    let server = server();
    let mut client = server.connect().await;
    client.send(PREFACE).await;
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    // HEADERS of 8 bytes without END_HEADERS, of which one arrives.
    client.send([0, 0, 8, 1, 0, 0, 0, 0, 1, 0x82]).await;
    let begun = Instant::now();
    client.closed().await;
    assert!(begun.elapsed() < server.settings.limits.idle_timeout - Duration::from_millis(50));
    eventually("it is told", || server.heard.refused() == [Code::RequestTimeout]).await;
}

async fn tls(server: &Server, root: &rustls_pki_types::CertificateDer<'static>, alpn: &[u8]) -> TlsStream<TcpStream> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.to_vec()];
    let stream = TcpStream::connect(server.address()).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn tls_serves_the_protocol_that_was_agreed_on() {
    let folder = tempfile::tempdir().unwrap();
    let (files, root) = certificate(folder.path());
    let listen = Listen::Tcp { address: "127.0.0.1:0".parse().unwrap(), tls: true };
    let server = Server::open(Settings { tls: Some(files), listen: vec![listen], ..patient() });
    let stream = tls(&server, &root, b"h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (status, body) = text(&mut http2(stream).await, get("/")).await;
    assert!(status == 200 && body.contains("tls=true"), "{body}");
    let stream = tls(&server, &root, b"http/1.1").await;
    assert!(Client(stream).ask("/").await.contains("tls=true"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_tls_handshake_that_does_not_come_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (files, _) = certificate(folder.path());
    let listen = Listen::Tcp { address: "127.0.0.1:0".parse().unwrap(), tls: true };
    let server = Server::open(Settings { tls: Some(files), ..settings(vec![listen]) });
    assert!(server.connect().await.closed().await.is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn as_many_fields_as_the_limit_pass_and_one_more_is_refused() {
    let server = Server::open(patient());
    let fields = |count: usize| (0..count).map(|number| format!("X-{number}: x\r\n")).collect::<String>();
    let limit = server.settings.limits.headers;
    for (count, status) in [(limit, "200"), (limit + 1, "431")] {
        let mut client = server.connect().await;
        client.send(format!("GET / HTTP/1.1\r\n{}\r\n", fields(count))).await;
        assert!(client.receive().await.starts_with(&format!("http/1.1 {status}")), "{count}");
        let mut sender = http2(TcpStream::connect(server.address()).await.unwrap()).await;
        let request = (0..count).fold(get("/"), |request, number| request.header(format!("x-{number}"), "x"));
        assert_eq!(text(&mut sender, request).await.0.to_string(), status, "{count}");
    }
    eventually("both are told", || server.heard.refused() == [Code::HeadersTooLarge; 2]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn cookies_in_fields_of_their_own_are_one_field() {
    let server = Server::open(patient());
    let mut sender = http2(TcpStream::connect(server.address()).await.unwrap()).await;
    let crumbs = 2 * server.settings.limits.headers;
    let request = (0..crumbs).fold(get("/"), |request, number| request.header("cookie", format!("{number}=x")));
    assert_eq!(text(&mut sender, request).await.0, 200);
    assert!(server.heard.refused().is_empty());
}

#[tokio::test(flavor = "current_thread")]
async fn a_head_of_the_limit_passes_and_a_larger_one_is_refused() {
    let server = Server::open(patient());
    let head = |size: usize| {
        let start = "GET / HTTP/1.1\r\nX: ";
        format!("{start}{}\r\n\r\n", "x".repeat(size - start.len() - 4))
    };
    let limit = server.settings.limits.header_size;
    for (size, status) in [(limit, "200"), (limit + 1, "431"), (1 << 20, "431")] {
        let (read, mut write) = server.connect().await.0.into_split();
        let sending = tokio::spawn(async move {
            _ = write.write_all(head(size).as_bytes()).await;
            write
        });
        let answer = Client(tokio::io::join(read, tokio::io::sink())).receive().await;
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{size}");
        drop(sending.await);
    }
    let mut sender = http2(TcpStream::connect(server.address()).await.unwrap()).await;
    assert_eq!(text(&mut sender, get("/").header("x", "x".repeat(limit))).await.0, 431);
    eventually("all are told", || server.heard.refused() == [Code::HeadersTooLarge; 3]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_no_http_is_answered_and_told() {
    let server = Server::open(patient());
    let mut client = server.connect().await;
    client.send("G\x01T / HTTP/1.1\r\n\r\n").await;
    assert!(client.receive().await.starts_with("http/1.1 400"));
    let mut client = server.connect().await;
    client.send(PREFACE).await;
    // CONTINUATION without HEADERS.
    client.send([0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 9, 4, 0, 0, 0, 1]).await;
    client.closed().await;
    eventually("both are told", || server.heard.refused() == [Code::RequestMalformed; 2]).await;
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_is_readable_although_the_body_was_not_taken() {
    let server = Server::open(patient());
    let mut client = server.connect().await;
    client.send("POST /refuse HTTP/1.1\r\nContent-Length: 10000000\r\n\r\n").await;
    client.send(vec![b'x'; 200_000]).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(client.receive().await.starts_with("http/1.1 401"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_flaw_marks_its_own_request_and_ends_the_connection() {
    let server = Server::open(patient());
    let good = "POST /body HTTP/1.1\r\nContent-Length: 9\r\n\r\n# a body ";
    let flawed = "POST /a#b HTTP/1.1\r\n\r\n";
    // In pieces, and ahead of time.
    for size in [1, 7, 1000] {
        let mut client = server.connect().await;
        for piece in [good, flawed, good].concat().as_bytes().chunks(size) {
            client.send(piece).await;
        }
        assert!(client.receive().await.contains("flaw=None"), "{size}");
        let marked = client.receive().await;
        assert!(marked.contains("flaw=Some(Fragment)") && marked.contains("connection: close"), "{size}: {marked}");
        assert!(client.closed().await.is_empty(), "{size}");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_body_ends_before_its_flaw() {
    let server = Server::open(patient());
    let mut client = server.connect().await;
    // The parser would take the line of the first chunk.
    client.send("POST /body HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n").await;
    assert!(client.receive().await.contains("body=false"));
}

#[tokio::test(flavor = "current_thread")]
async fn a_tunnel_is_not_held_to_the_time_limits() {
    let server = server();
    let mut client = server.connect().await;
    client.send("GET /tunnel HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n").await;
    assert!(client.receive().await.starts_with("http/1.1 101"));
    tokio::time::sleep(server.settings.limits.idle_timeout * 3 / 2).await;
    client.send("still here").await;
    let mut echo = [0; 10];
    client.0.read_exact(&mut echo).await.unwrap();
    assert_eq!((&echo[..], server.heard.open()), (&b"still here"[..], 1));
}

#[tokio::test(flavor = "current_thread")]
async fn a_panic_ends_its_own_request_alone() {
    let server = Server::open(patient());
    let mut neighbours = Vec::new();
    for _ in 0..4 {
        neighbours.push(server.connect().await);
    }
    let mut client = server.connect().await;
    client.send("GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.closed().await;
    let mut sender = http2(TcpStream::connect(server.address()).await.unwrap()).await;
    sender.send_request(get("/panic").body(Empty::new()).unwrap()).await.unwrap_err();
    assert_eq!(text(&mut sender, get("/")).await.0, 200);
    for neighbour in &mut neighbours {
        assert!(neighbour.ask("/").await.starts_with("http/1.1 200"));
    }
    drop((sender, neighbours));
    eventually("all are counted out", || server.heard.open() == 0).await;
}
