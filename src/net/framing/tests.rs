//! Boundaries and flaws of HTTP/1 messages, and the law that the parser sees the same boundaries.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const LIMIT: usize = 1024;

fn feed(text: &str) -> (Framing, Result<(), Fault>) {
    let mut framing = Framing::new(LIMIT);
    let outcome = framing.feed(text.as_bytes());
    (framing, outcome)
}

/// A request with these further lines.
fn head(lines: &str) -> String {
    format!("POST /a HTTP/1.1\r\nHost: x\r\n{lines}\r\n")
}

#[test]
fn what_two_servers_could_read_in_two_ways_is_a_flaw() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    for (text, flaw) in [
        (head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Flaw::LengthAndCoding),
        (head("transfer-ENCODING:chunked\r\nCONTENT-length:0\r\n"), Flaw::LengthAndCoding),
        (head("Content-Length: 5\r\nContent-Length: 5\r\n"), Flaw::TwoLengths),
        (head("Content-Length: 5\r\nContent-Length: 6\r\n"), Flaw::TwoLengths),
        (head("Content-Length: 5, 5\r\n"), Flaw::TwoLengths),
        (head("Content-Length: +5\r\n"), Flaw::BadLength),
        (head("Content-Length: 0x5\r\n"), Flaw::BadLength),
        (head("Content-Length: \r\n"), Flaw::BadLength),
        (head("Content-Length: 18446744073709551615\r\n"), Flaw::BadLength),
        (head("Content-Length: 18446744073709551616\r\n"), Flaw::BadLength),
        (head("Content-Length: 5\x0b\r\n"), Flaw::BadLength),
        (head(&format!("{chunked}{chunked}")), Flaw::BadCoding),
        (head("Transfer-Encoding: cow\r\nTransfer-Encoding: chunked\r\n"), Flaw::BadCoding),
        (head("Transfer-Encoding: gzip, chunked\r\n"), Flaw::BadCoding),
        (head("Transfer-Encoding: chunked, identity\r\n"), Flaw::BadCoding),
        (head("Transfer-Encoding: \"chunked\"\r\n"), Flaw::BadCoding),
        (head("Transfer-Encoding: \x0bchunked\r\n"), Flaw::BadCoding),
        (head("Transfer-Encoding:\r\n"), Flaw::BadCoding),
        (head("X: y\r\n Content-Length: 5\r\n"), Flaw::Folded),
        (head("X: y\r\n\tz\r\n"), Flaw::Folded),
        (head("X: y\nTransfer-Encoding: chunked\r\n"), Flaw::BareLf),
        ("POST /a HTTP/1.1\nHost: x\r\n\r\n".to_owned(), Flaw::BareLf),
        ("\nPOST /a HTTP/1.1\r\n\r\n".to_owned(), Flaw::BareLf),
        (head("").replace("\r\n\r\n", "\r\n\n"), Flaw::BareLf),
        (head(chunked).replace("1.1", "1.0"), Flaw::CodingInOld),
        (head("").replace("/a", "/a#b"), Flaw::Fragment),
        (head("").replace("/a", "/a?q=1#"), Flaw::Fragment),
        (head(&format!("X: {}\r\n", "y".repeat(LIMIT))), Flaw::TooLarge),
        (format!("{}{}", "\r\n".repeat(LIMIT / 2), head("")), Flaw::TooLarge),
    ] {
        assert_eq!(feed(&text).1, Err(Fault::Head(1, flaw)), "{text:?}");
        // The same behind a request that is as it should be.
        let before = head("Content-Length: 3\r\n") + "abc";
        assert_eq!(feed(&format!("{before}{text}")).1, Err(Fault::Head(2, flaw)), "{text:?}");
    }
}

#[test]
fn ordinary_requests_are_none_of_its_business() {
    for text in [
        head(""),
        head("Content-Length: 0\r\n"),
        head("Content-Length: 00\r\nContent-Lengths: 7\r\nX-Content-Length: 8\r\n"),
        head("X: #\r\nY: a\tb\r\nZ:\r\n"),
        head("Content-Length:  \t5 \t\r\n") + "a#b\nc",
        "\r\n".to_owned() + &head(""),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        head("transfer-encoding: Chunked \r\n") + "3\r\nabc\r\n0\r\n\r\n",
        head("Transfer-Encoding: chunked\r\n") + "0003;a=\"b;c\"\r\nabc\r\n2 ;x\r\n\r\n\r\n0\r\nX: y\r\nZ:\r\n\r\n",
    ] {
        let (framing, outcome) = feed(&text.repeat(3));
        assert_eq!((outcome, framing.heads, framing.at, framing.size), (Ok(()), 3, At::Head, 0), "{text:?}");
    }
}

#[test]
fn a_chunk_that_does_not_say_its_length_ends_the_body_there() {
    let start = head("Transfer-Encoding: chunked\r\n") + "1\r\na\r\n";
    for (rest, flaw) in [
        ("\r\n", Flaw::BadChunk),
        ("x\r\n", Flaw::BadChunk),
        ("0x1\r\na\r\n", Flaw::BadChunk),
        ("-1\r\n", Flaw::BadChunk),
        (" 1\r\na\r\n", Flaw::BadChunk),
        ("1 \r\na\r\n", Flaw::BadChunk),
        ("1 1\r\na\r\n", Flaw::BadChunk),
        ("00000000000000001\r\na\r\n", Flaw::BadChunk),
        ("1\na\r\n", Flaw::BareLf),
        ("1;a\rb\r\n", Flaw::BadChunk),
        ("1;a\nb\r\n", Flaw::BareLf),
        ("0\r\n\n", Flaw::BareLf),
        ("0\r\nno field\r\n\r\n", Flaw::BadTrailer),
        ("0\r\n X: folded\r\n\r\n", Flaw::BadTrailer),
        ("0\r\nX: y\nContent-Length: 5\r\n\r\n", Flaw::BareLf),
        ("0\r\nX: y\rz\r\n\r\n", Flaw::BadTrailer),
        ("0\r\n: y\r\n\r\n", Flaw::BadTrailer),
    ] {
        let Err(Fault::Body(before, found)) = feed(&format!("{start}{rest}")).1 else { panic!("{rest:?}") };
        assert_eq!(found, flaw, "{rest:?}");
        assert!(before >= start.len() && before < start.len() + rest.len(), "{rest:?}: {before}");
    }
    let long = format!("{start}1;{}\r\n", "x".repeat(CHUNK_LINE));
    assert_eq!(feed(&long).1, Err(Fault::Body(start.len(), Flaw::TooLarge)));
    let behind = format!("{start}1\r\nab\r\n");
    assert_eq!(feed(&behind).1, Err(Fault::Body(behind.len() - 3, Flaw::BadChunk)));
}

#[test]
fn after_a_flaw_and_in_a_tunnel_nothing_matters() {
    let (mut framing, _) = feed("GET /#\r\n");
    assert_eq!(framing.feed(b"Content-Length: x\r\n\r\n\n\n"), Ok(()));
    let mut tunnel = Framing::new(LIMIT);
    tunnel.stop();
    assert_eq!(tunnel.feed(&[b'\n'; 4 * LIMIT]), Ok(()));
    assert!(!tunnel.in_head());
}

#[test]
fn every_flaw_has_its_number() {
    for (at, flaw) in Flaw::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(flaw as u8), at + 1);
        assert_eq!(Flaw::of(flaw as u8), Some(flaw));
    }
    assert_eq!((Flaw::of(0), Flaw::of(200)), (None, None));
}

/// What was seen of one request: its target, and its body where it came whole.
type Seen = (String, Option<Vec<u8>>);

/// The requests as the framing sees them, byte by byte, up to the first flaw.
fn framed(bytes: &[u8]) -> Vec<Seen> {
    let mut framing = Framing::new(LIMIT);
    let (mut seen, mut head, mut body) = (Vec::<Seen>::new(), Vec::new(), Vec::new());
    for byte in bytes {
        match framing.at {
            At::Head => head.push(*byte),
            At::Body(_) | At::Chunk(_) => body.push(*byte),
            _ => {}
        }
        let before = framing.heads;
        if framing.feed(&[*byte]).is_err() {
            break;
        }
        if framing.heads > before {
            let text = String::from_utf8_lossy(&std::mem::take(&mut head)).into_owned();
            seen.push((text.split(' ').nth(1).unwrap_or_default().to_owned(), None));
        }
        if framing.at == At::Head
            && framing.size == 0
            && (framing.heads > before || !body.is_empty() || head.is_empty())
            && let Some((_, whole @ None)) = seen.last_mut()
        {
            *whole = Some(std::mem::take(&mut body));
        }
    }
    seen
}

/// The requests as the parser hands them on.
fn parsed(bytes: &[u8]) -> Vec<Seen> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let seen = Rc::new(RefCell::new(Vec::<Seen>::new()));
    let note = Rc::clone(&seen);
    let service = service_fn(move |request: Request<Incoming>| {
        let note = Rc::clone(&note);
        async move {
            let at = note.borrow().len();
            note.borrow_mut().push((request.uri().to_string(), None));
            if let Ok(body) = request.into_body().collect().await {
                note.borrow_mut()[at].1 = Some(body.to_bytes().to_vec());
            }
            Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new()))
        }
    });
    runtime.block_on(async {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(bytes).await.unwrap();
        client.shutdown().await.unwrap();
        let mut builder = http1::Builder::new();
        builder.half_close(true).max_header_size(LIMIT).header_read_timeout(None);
        let _ =
            tokio::time::timeout(Duration::from_secs(5), builder.serve_connection(TokioIo::new(server), service)).await;
        let _ = client.read_to_end(&mut Vec::new()).await;
    });
    seen.take()
}

/// Pieces of HTTP/1, good and odd, that a stream of messages is made of.
fn piece() -> impl Strategy<Value = &'static str> {
    let odd = [
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        ";",
        "0\r\n",
        "1\r\nx\r\n",
        "A\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.0\r\n",
        "Content-Length: 4\r\n",
        "Content-Length: 0\r\n",
        "content-length:3\r\n",
        "Content-Length : 3\r\n",
        "Content-Length: 3\n",
        "Content-Length: 3, 3\r\n",
        "Content-Length\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\n",
        "Transfer-Encoding: x\r\n",
        "transfer-encoding:\tchunked\r\n",
        "Transfer-Encoding: x, chunked\r\n",
        "Transfer_Encoding: chunked\r\n",
        "X: y\r\n",
        " X: y\r\n",
        "Expect: 100-continue\r\n",
        "Connection: close\r\n",
        "abc",
        "3;x=\"\r\n\"",
        "0;\r\n",
        "X: y\r\n\r\n",
        "3\nabc\n",
        "0\r\nX: y\r\n\r\n",
        "\x0b",
        "\0",
    ];
    let whole = [
        "GET /g HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd",
        "POST /t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "POST /t HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /c HTTP/1.1\r\nContent-Length: 12\r\n\r\n",
        "GET /g HTTP/1.1\r\n",
        "POST /o HTTP/1.0\r\nConnection: keep-alive\r\n",
    ];
    prop_oneof![3 => prop::sample::select(odd.to_vec()), 2 => prop::sample::select(whole.to_vec())]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parser_hands_on_no_request_that_the_framing_did_not_see(pieces in prop::collection::vec(piece(), 1..12)) {
        let bytes = pieces.concat();
        let (framed, parsed) = (framed(bytes.as_bytes()), parsed(bytes.as_bytes()));
        let whole = |seen: &[Seen]| seen.iter().take_while(|(_, body)| body.is_some()).cloned().collect::<Vec<_>>();
        let (ours, theirs) = (whole(&framed), whole(&parsed));
        // Where the framing saw a flaw, the parser may hand that one request on: it is marked.
        let common = ours.len().min(theirs.len());
        prop_assert_eq!(&ours[..common], &theirs[..common], "{:?}", bytes);
        let flawed = Framing::new(LIMIT).feed(bytes.as_bytes());
        match flawed {
            Ok(()) => prop_assert!(parsed.len() <= framed.len(), "{:?}: {:?} {:?}", bytes, framed, parsed),
            Err(Fault::Head(number, _)) => prop_assert!(common == theirs.len() || common >= number - 1, "{:?}: {:?} {:?}", bytes, framed, parsed),
            Err(Fault::Body(before, _)) => {
                // The parser is given no byte of the flaw.
                let given = self::parsed(&bytes.as_bytes()[..before]);
                prop_assert!(whole(&given).len() <= ours.len(), "{:?}: {:?} {:?}", bytes, framed, given);
            }
        }
    }

    #[test]
    fn byte_by_byte_is_the_same_as_all_at_once(pieces in prop::collection::vec(piece(), 1..12), cut in any::<prop::sample::Index>()) {
        let bytes = pieces.concat().into_bytes();
        let (first, second) = bytes.split_at(cut.index(bytes.len()));
        let (mut whole, mut cut, mut slow) = (Framing::new(LIMIT), Framing::new(LIMIT), Framing::new(LIMIT));
        let kind = |outcome: Result<(), Fault>| outcome.map_err(|fault| match fault {
            Fault::Head(number, flaw) => (number, flaw),
            Fault::Body(_, flaw) => (0, flaw),
        });
        let outcome = kind(whole.feed(&bytes));
        prop_assert_eq!(outcome, kind(cut.feed(first).and_then(|()| cut.feed(second))));
        prop_assert_eq!(outcome, kind(bytes.iter().try_for_each(|byte| slow.feed(&[*byte]))));
        prop_assert_eq!((whole.at, whole.heads, whole.size), (slow.at, slow.heads, slow.size));
    }
}

#[test]
fn an_empty_line_between_requests_begins_no_head() {
    let mut framing = Framing::new(1024);
    framing.feed(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi\r\n").unwrap();
    assert!(!framing.in_head());
    framing.feed(b"\r").unwrap();
    assert!(framing.in_head(), "a line that is not whole may be the first of a head");
    framing.feed(b"\nG").unwrap();
    assert!(framing.in_head());
    framing.feed(b"ET / HTTP/1.1\r\n").unwrap();
    assert!(framing.in_head());
    framing.feed(b"\r\n").unwrap();
    assert!(!framing.in_head());
}
