//! The same program over HTTP/2, TLS and unix sockets, below and above.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use waxseal::time::Clock;

use crate::client::ask;
use crate::harness::Sidecar;
use crate::tokens::{bearer, good, hotwax_issuer};
use crate::upstream::{Upstream, ok};

const ROUTE: &str = "[[route]]\npath = \"/guarded\"\n";

fn toml(upstream: &str) -> String {
    format!("{upstream}unmatched = \"open\"\n{}{ROUTE}", hotwax_issuer())
}

/// Requests over one HTTP/2 connection: without a token, with one, and an open one with several cookies.
async fn over_http2(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, authority: &str) -> Vec<StatusCode> {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    let mut statuses = Vec::new();
    for (path, token, body) in [("/guarded", None, "{}"), ("/guarded", Some(good()), "{}"), ("/open", None, "")] {
        let mut request = Request::post(format!("http://{authority}{path}")).version(Version::HTTP_2);
        if let Some(token) = token {
            request = request.header("authorization", bearer(&token));
        }
        request = request.header("cookie", "a=1").header("cookie", "b=2");
        let request = request.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        let response = sender.send_request(request).await.unwrap();
        statuses.push(response.status());
        response.into_body().collect().await.unwrap();
    }
    statuses
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn assert_http2_arrived(upstream: &Upstream) {
    let seen = upstream.seen();
    assert_eq!(seen.iter().map(|seen| seen.target()).collect::<Vec<_>>(), ["/guarded", "/open"]);
    assert!(seen[0].head.starts_with("POST /guarded HTTP/1.1"));
    assert_eq!(seen[0].field("host"), Some("oms.example:81"));
    assert_eq!(seen[0].field("cookie"), Some("a=1; b=2"));
    assert_eq!(seen[0].body, b"{}");
}

#[test]
fn http2_by_prior_knowledge_is_judged_alike() {
    let upstream = Upstream::friendly();
    let sidecar = Sidecar::start(&toml(&upstream.line()));
    let statuses = block_on(async {
        let stream = tokio::net::TcpStream::connect(sidecar.address).await.unwrap();
        over_http2(stream, "oms.example:81").await
    });
    assert_eq!(statuses, [401, 200, 200].map(|status| StatusCode::from_u16(status).unwrap()));
    assert_http2_arrived(&upstream);
}

/// A self-signed certificate for `localhost` in two PEM files.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn connector(trusted: CertificateDer<'static>, protocols: &[&[u8]]) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

#[test]
fn tls_speaks_both_protocols_by_agreement() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let upstream = Upstream::friendly();
    let tls =
        format!("[tls]\ncert = {:?}\nkey = {:?}\n", folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let sidecar = Sidecar::at("listen = \"https://127.0.0.1:0\"\n", &(toml(&upstream.line()) + &tls), Clock::System);
    let name = ServerName::try_from("localhost").unwrap();
    let statuses = block_on(async {
        let stream = tokio::net::TcpStream::connect(sidecar.address).await.unwrap();
        let stream = connector(trusted.clone(), &[b"h2", b"http/1.1"]).connect(name.clone(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        over_http2(stream, "oms.example:81").await
    });
    assert_eq!(statuses[..2], [StatusCode::UNAUTHORIZED, StatusCode::OK]);
    let answer = block_on(async {
        let stream = tokio::net::TcpStream::connect(sidecar.address).await.unwrap();
        let mut stream = connector(trusted, &[]).connect(name, stream).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
        String::from_utf8(answer).unwrap()
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert_eq!(upstream.seen().last().unwrap().field("x-forwarded-proto"), Some("https"));
}

/// A TLS server that answers every request on a connection of its own.
fn tls_upstream(folder: &Path) -> std::net::SocketAddr {
    let certificates = CertificateDer::pem_file(folder.join("cert.pem"));
    let key = PrivateKeyDer::pem_file(folder.join("key.pem"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificates], key).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut seen = vec![0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut seen).await;
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &ok("sealed")).await;
                let _ = tokio::io::AsyncWriteExt::shutdown(&mut stream).await;
            }
        });
    });
    address
}

/// Reads one PEM file, whatever the trait is called.
trait PemFile: Sized {
    fn pem_file(path: std::path::PathBuf) -> Self;
}

impl PemFile for CertificateDer<'static> {
    fn pem_file(path: std::path::PathBuf) -> Self {
        rustls::pki_types::pem::PemObject::from_pem_file(path).unwrap()
    }
}

impl PemFile for PrivateKeyDer<'static> {
    fn pem_file(path: std::path::PathBuf) -> Self {
        rustls::pki_types::pem::PemObject::from_pem_file(path).unwrap()
    }
}

#[test]
fn an_https_upstream_is_checked_by_its_authority_and_its_name() {
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let address = tls_upstream(folder.path());
    let upstream = |more: &str| toml(&format!("upstream = {{ url = \"https://{address}\"{more} }}\n"));
    let ca = format!(", ca = {:?}", folder.path().join("cert.pem"));
    for (more, status) in [
        (format!("{ca}, server_name = \"localhost\""), 200),
        (format!("{ca}, server_name = \"other.example\""), 502),
        (ca, 502),
        (", server_name = \"localhost\"".to_owned(), 502),
    ] {
        let sidecar = Sidecar::start(&upstream(&more));
        let response = ask(sidecar.address, "GET", "/x", &[], "");
        assert_eq!(response.status, status, "{more}");
        if status == 502 {
            assert_eq!(response.code(), "upstream_unreachable", "{more}");
        }
    }
}

#[test]
fn unix_sockets_work_below_and_above() {
    let folder = tempfile::tempdir().unwrap();
    let (below, above) = (folder.path().join("waxseal.sock"), folder.path().join("oms.sock"));
    let listener = UnixListener::bind(&above).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut seen = [0; 4096];
            let read = stream.read(&mut seen).unwrap();
            let _ = stream.write_all(&ok(&String::from_utf8_lossy(&seen[..read]).replace("\r\n", "|")));
        }
    });
    let listen = format!("listen = \"unix:{}\"\n", below.display());
    let sidecar = Sidecar::at(&listen, &toml(&format!("upstream = \"unix:{}\"\n", above.display())), Clock::System);
    let mut stream = UnixStream::connect(&below).unwrap();
    stream
        .write_all(b"GET /x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 203.0.113.9\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("GET /x HTTP/1.1"), "{answer}");
    assert!(!answer.contains("203.0.113.9"), "a stranger's word about itself: {answer}");
    assert_eq!(sidecar.lines(1)[0]["peer"], "unix");
    drop(sidecar);
    assert!(!below.exists(), "the socket is gone after the stop");
}
