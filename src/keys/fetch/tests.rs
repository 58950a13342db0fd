//! Answers of every kind, from a server that sends bytes as it is told.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const JSON: &[&str] = &["application/json", "application/jwk-set+json"];

/// What becomes of an answer, of which `most` bytes are taken; the connection is closed after it unless it `stays`.
async fn fetched(answer: &str, most: usize, stays: bool) -> Result<Fetched, FetchError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = Address::parse(&format!("http://{}/keys?a=b", listener.local_addr().unwrap()), false).unwrap();
    let host = to.authority.clone();
    let serve = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 4096];
        let read = stream.read(&mut asked).await.unwrap();
        let asked = String::from_utf8_lossy(&asked[..read]).to_lowercase();
        assert!(asked.starts_with("get /keys?a=b http/1.1\r\n"), "{asked}");
        assert!(asked.contains(&format!("\r\nhost: {host}\r\n")), "{asked}");
        let _ = stream.write_all(answer.as_bytes()).await;
        if stays {
            std::future::pending::<()>().await;
        }
        drop(stream);
        std::future::pending::<()>().await;
    };
    let request = Request { to, ca: None, timeout: Duration::from_millis(500), most, media: JSON };
    tokio::select! {
        got = get(&request) => got,
        () = serve => unreachable!("it serves for ever"),
    }
}

fn answer(fields: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{fields}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_whole_answer_is_taken() {
    for head in [
        "Content-Type: application/json\r\n",
        "Content-Type: Application/JWK-Set+JSON ; charset=utf-8\r\n",
        "Content-Encoding: identity\r\n",
        "",
    ] {
        let got = fetched(&answer(head, "{}"), 2, true).await.unwrap();
        assert_eq!((&got.body[..], got.fresh), (&b"{}"[..], None), "{head}");
    }
    let kept = fetched(&answer("Cache-Control: max-age=60\r\n", "{}"), 2, true).await.unwrap();
    assert_eq!(kept.fresh, Some(Duration::from_secs(60)));
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n";
    assert_eq!(fetched(chunked, 2, true).await.unwrap().body, "{}");
    assert_eq!(fetched("HTTP/1.0 200 OK\r\n\r\n{}", 2, false).await.unwrap().body, "{}");
}

#[tokio::test]
async fn anything_else_is_a_failed_fetch() {
    let late = Err(FetchError::Late(Duration::from_millis(500)));
    for (sent, stays, expected) in [
        (answer("", "{}").replace("200", "500"), true, "it answered 500"),
        (answer("", "{}").replace("200", "404"), true, "it answered 404"),
        (answer("", "{}").replace("200", "203"), true, "it answered 203"),
        (answer("Location: /x\r\n", "{}").replace("200", "302"), true, "no redirect is followed"),
        (answer("Content-Type: text/html\r\n", "{}"), true, "content type \"text/html\", not application/json"),
        (answer("Content-Type: text/plain\r\n", "{}"), true, "content type"),
        (answer("Content-Type: application/json\r\nContent-Type: text/html\r\n", "{}"), true, "content type"),
        (answer("Content-Encoding: gzip\r\n", "{}"), true, "content coding"),
        (answer("", "{ }"), true, "more than 2 bytes"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{ }\r\n".into(), true, "more than 2 bytes"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{".into(), false, "broke off"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n".into(), false, "broke off"),
        ("SSH-2.0\r\n\r\n".into(), true, "no HTTP"),
        (String::new(), false, "broke off"),
    ] {
        let error = fetched(&sent, 2, stays).await.expect_err(&sent).to_string();
        assert!(error.contains(expected), "{sent}: {error}");
    }
    for sent in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{"] {
        assert_eq!(fetched(sent, 2, true).await, late, "{sent}");
    }
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\n{{}}", "x".repeat(4 * HEAD));
    let got = fetched(&huge, 2, true).await;
    assert!(matches!(got, Err(FetchError::Broken(_))), "{got:?}");
}

#[tokio::test]
async fn who_is_not_there_or_speaks_no_tls_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let ask = |url: String| async move {
        let to = Address::parse(&url, false).unwrap();
        get(&Request { to, ca: None, timeout: Duration::from_secs(5), most: 2, media: JSON }).await
    };
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    };
    let (got, ()) = tokio::join!(ask(format!("https://{address}/")), plain);
    assert!(matches!(got, Err(FetchError::Unreachable(_))), "{got:?}");
    drop(listener);
    let got = ask(format!("http://{address}/")).await;
    assert!(matches!(got, Err(FetchError::Unreachable(_))), "{got:?}");
}
