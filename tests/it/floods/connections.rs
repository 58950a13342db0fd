//! Many connections, and heads that never end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{PATIENCE, Siege, tally};
use crate::client::{Client, ask, request};
use crate::harness::eventually;
use crate::program::own_port;

/// Connects, and waits for nothing longer than [`PATIENCE`].
fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Everything that comes until the other side closes.
fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it was not closed: {error}"),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends `first`, then a byte of `drip` to every connection in turn until all are cut. Says how long that took.
fn drip(streams: &mut [TcpStream], first: &[u8], drip: u8) -> Duration {
    let started = Instant::now();
    for stream in &mut *streams {
        stream.write_all(first).unwrap();
    }
    let mut cut = vec![false; streams.len()];
    while cut.contains(&false) {
        assert!(started.elapsed() < PATIENCE, "{:?}", tally(cut));
        for (stream, cut) in streams.iter_mut().zip(&mut cut) {
            *cut = *cut || stream.write_all(&[drip]).is_err();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

#[test]
fn slow_heads_are_cut_at_header_timeout_however_many() {
    let siege = Siege::lay("");
    let mut slow: Vec<_> = (0..300).map(|_| connect(siege.address)).collect();
    drip(&mut slow, b"GET /x HTTP/1.1\r\nHost: h\r\nX: ", b'x');
    siege.refuses("request_timeout", 300);
    siege.lift();
}

#[test]
fn a_slow_http2_preface_is_cut_at_header_timeout() {
    let siege = Siege::lay("");
    let mut slow: Vec<_> = (0..50).map(|_| connect(siege.address)).collect();
    drip(&mut slow, b"PRI * HTTP/2.0\r\n\r\nSM\r", b'\n');
    // The second byte too many makes it no preface, which is no better.
    eventually_refused(&siege, 50);
    siege.lift();
}

/// Waits until so many were refused, for time or for form.
fn eventually_refused(siege: &Siege, least: u64) {
    eventually("refusals", || {
        let refused = siege.refused("request_timeout") + siege.refused("request_malformed");
        (refused >= least).then_some(())
    });
}

/// Descriptors that this process may open, and the program too.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap_or(1024)
}

#[test]
fn ten_thousand_half_open_connections_take_little_and_are_closed() {
    // As many as descriptors allow, and never more than the program takes in.
    let many = 10_000.min(descriptors() / 2 - 500);
    let siege = Siege::lay(&format!("connections = {}\n", many + 100));
    let mut open: Vec<_> = (0..many).map(|_| connect(siege.address)).collect();
    // Half of them say something and stop, half of them say nothing. Some are cut before their turn comes.
    for stream in open.iter_mut().step_by(2) {
        let _ = stream.write_all(b"GET / HTTP/1.1\r\n");
    }
    for stream in &mut open {
        assert_eq!(rest(stream), "", "nothing was asked, so nothing is answered");
    }
    assert!(siege.refused("request_timeout") > 0);
    // Ten kilobytes each, and what any test may take.
    siege.lift_within(super::MOST_KILOBYTES + 10 * many as u64);
}

#[test]
fn connections_beyond_the_limit_are_told_so_and_those_at_work_are_served() {
    let siege = Siege::lay("connections = 200\n");
    // With the witness as many as may be; how they fall to the two workers is the system's choice.
    let at_work = || {
        let mut stream = connect(siege.address);
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: h\r\n\r\n").unwrap();
        let mut begun = [0; 12];
        // One of before may still be about to leave.
        (stream.read_exact(&mut begun).is_ok() && &begun == b"HTTP/1.1 200").then_some(stream)
    };
    let mut busy: Vec<_> = (0..199).map(|_| eventually("a place", at_work)).collect();
    let mut beyond: Vec<_> = (0..1000).map(|_| connect(siege.address)).collect();
    let answers = tally(beyond.iter_mut().map(|stream| rest(stream).lines().next().unwrap_or("closed").to_owned()));
    assert!(answers.keys().all(|answer| answer == "closed" || answer.contains(" 503 ")), "{answers:?}");
    assert!(answers.keys().any(|answer| answer.contains(" 503 ")), "{answers:?}");
    siege.refuses("overloaded", 1000);
    for stream in &mut busy {
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    drop(busy);
    siege.lift();
}

#[test]
fn whoever_asks_for_nothing_keeps_nobody_out() {
    let siege = Siege::lay("connections = 200\nheader_timeout = \"20s\"\n");
    let mut open = Vec::new();
    for number in 0..600 {
        let mut stream = connect(siege.address);
        // Some say nothing, some begin a head, some speak HTTP/2 and open no stream.
        let said = ["", "GET /open HTTP/1.1\r\nHost:", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"][number % 3];
        let _ = stream.write_all(said.as_bytes());
        open.push(stream);
    }
    // For as long as they may have only come, it is the newcomer who is refused; then each gives way to one.
    std::thread::sleep(Duration::from_secs(2));
    for number in 0..100 {
        assert_eq!(ask(siege.address, "GET", "/open", &[], "").status, 200, "the newcomer {number}");
    }
    siege.refuses("overloaded", 401);
    drop(open);
    siege.lift();
}

#[test]
fn who_has_been_silent_for_long_gives_way() {
    let siege = Siege::lay("connections = 200\nidle_timeout = \"8s\"\n");
    // They have asked, and are silent since then for longer than a quarter of what is allowed.
    let mut idle: Vec<_> = (0..199).map(|_| Client::connect(siege.address)).collect();
    for client in &mut idle {
        assert_eq!(client.send(&request("GET", "/open", &[], "")).response(false).status, 200);
    }
    std::thread::sleep(Duration::from_millis(2500));
    for _ in 0..50 {
        assert_eq!(ask(siege.address, "GET", "/open", &[], "").status, 200);
    }
    drop(idle);
    siege.lift();
}

#[test]
fn connections_that_open_and_close_at_once_leave_nothing() {
    let siege = Siege::lay("");
    for _ in 0..3000 {
        drop(connect(siege.address));
    }
    siege.lift();
}

/// A siege that has a port with TLS too, and where that is. The folder holds its certificate.
fn tls_siege() -> (Siege, SocketAddr, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = own_port();
    let siege = Siege::with(
        &format!(", \"https://127.0.0.1:{port}\""),
        "",
        &format!("[tls]\ncert = \"{}\"\nkey = \"{}\"\n", cert.display(), key.display()),
    );
    (siege, SocketAddr::from(([127, 0, 0, 1], port)), folder)
}

#[test]
fn tls_handshakes_that_do_not_come_whole_are_cut() {
    let (siege, address, _folder) = tls_siege();
    // The first bytes of a ClientHello of 512 bytes, and then one at a time.
    let mut slow: Vec<_> = (0..100).map(|_| connect(address)).collect();
    drip(&mut slow, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03], 0x2a);
    let mut silent: Vec<_> = (0..100).map(|_| connect(address)).collect();
    for stream in &mut silent {
        assert_eq!(rest(stream), "");
    }
    siege.refuses("request_timeout", 200);
    siege.lift();
}

/// A client that trusts this certificate.
fn trusting(certificate: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
}

#[test]
fn connections_that_say_nothing_behind_a_handshake_are_cut() {
    let (siege, address, folder) = tls_siege();
    let config = trusting(&folder.path().join("cert.pem"));
    let mut open: Vec<_> = (0..100)
        .map(|number| {
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream =
                StreamOwned::new(ClientConnection::new(Arc::clone(&config), name).unwrap(), connect(address));
            // Half of them begin a request and leave it at that.
            stream.write_all(if number % 2 == 0 { b"" } else { b"GET /open HTTP/1.1\r\nHost:" }).unwrap();
            stream.flush().unwrap();
            stream
        })
        .collect();
    for stream in &mut open {
        let began = Instant::now();
        let _ = stream.read_to_end(&mut Vec::new());
        assert!(began.elapsed() < PATIENCE, "it was not cut");
    }
    siege.refuses("request_timeout", 50);
    siege.lift();
}
