//! Bodies that come once they are asked for (RFC 9110 section 10.1.1).

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::Sidecar;
use crate::tokens::hotwax_issuer;
use crate::upstream::ok;

const HEAD: &[u8] = b"POST /open HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";

/// A sidecar before an upstream that reads a head and then does as it is told.
fn stage(answer: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Sidecar {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read(&mut byte).unwrap_or(0) == 0 {
                        return;
                    }
                    head.push(byte[0]);
                }
                assert!(String::from_utf8_lossy(&head).to_lowercase().contains("expect: 100-continue"));
                answer(stream);
            });
        }
    });
    let guarded = format!("{}[[route]]\npath = \"/guarded\"\n", hotwax_issuer());
    Sidecar::start(&format!("unmatched = \"open\"\nupstream = \"http://{address}\"\n{guarded}"))
}

fn connect(sidecar: &Sidecar) -> TcpStream {
    let stream = TcpStream::connect(sidecar.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

/// Everything up to the end of a head.
fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it was closed");
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn the_upstream_says_when_the_body_may_come() {
    let sidecar = stage(|mut stream| {
        std::thread::sleep(Duration::from_millis(400));
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        let mut body = [0; 2];
        stream.read_exact(&mut body).unwrap();
        assert_eq!(&body, b"{}");
        stream.write_all(&ok("done")).unwrap();
    });
    let mut stream = connect(&sidecar);
    let began = Instant::now();
    stream.write_all(HEAD).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 100 "));
    assert!(began.elapsed() >= Duration::from_millis(400), "it was asked for before the upstream had");
    assert!(began.elapsed() < Duration::from_millis(950), "the upstream was not heard");
    stream.write_all(b"{}").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_body_that_the_upstream_does_not_want_is_never_asked_for() {
    let sidecar = stage(|mut stream| {
        stream.write_all(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n").unwrap();
    });
    let mut stream = connect(&sidecar);
    stream.write_all(HEAD).unwrap();
    let refused = head(&mut stream);
    assert!(refused.starts_with("HTTP/1.1 417 "), "{refused}");
    // Whoever comes next is served.
    let mut next = connect(&sidecar);
    next.write_all(HEAD).unwrap();
    assert!(head(&mut next).starts_with("HTTP/1.1 417 "));
}

#[test]
fn an_upstream_that_knows_nothing_of_it_gets_the_body_all_the_same() {
    let sidecar = stage(|mut stream| {
        let mut body = [0; 2];
        stream.read_exact(&mut body).unwrap();
        stream.write_all(&ok("done")).unwrap();
    });
    let mut stream = connect(&sidecar);
    stream.write_all(HEAD).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 100 "));
    stream.write_all(b"{}").unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 200 "));
    // Nor does it hurt a client that does not wait.
    let mut hasty = connect(&sidecar);
    hasty.write_all(&[HEAD, b"{}"].concat()).unwrap();
    let first = head(&mut hasty);
    let last = if first.starts_with("HTTP/1.1 100 ") { head(&mut hasty) } else { first };
    assert!(last.starts_with("HTTP/1.1 200 "), "{last}");
}

#[test]
fn a_refused_client_is_never_asked() {
    let went_up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&went_up);
    let sidecar = stage(move |_| seen.store(true, Ordering::SeqCst));
    let mut stream = connect(&sidecar);
    let guarded = String::from_utf8_lossy(HEAD).replace("/open", "/guarded");
    stream.write_all(guarded.as_bytes()).unwrap();
    assert!(head(&mut stream).starts_with("HTTP/1.1 401 "));
    assert!(!went_up.load(Ordering::SeqCst));
}
