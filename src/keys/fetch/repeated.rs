//! The same asked again and again, at little cost for both ends.
//!
//! A body that is known by its tag (RFC 9110 section 8.8.3) is not sent again. The tags of some servers are made of a time
//! in whole seconds and a length, and miss a change within the second; so now and then the body is asked for all the same.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use tokio::time::{Instant, timeout};

use super::{FetchError, Request, client, exchange};
use crate::upstream::TlsClient;

/// How often the whole body is asked for, whatever its tag says.
const WHOLE: Duration = Duration::from_secs(10);
/// How long certificate files are not read again.
const TRUSTED: Duration = Duration::from_secs(60);

/// Asks the same again and again.
pub struct Repeated {
    request: Request,
    tls: Option<(TlsClient, Instant)>,
    /// The tag of the body that was taken, and when that was asked for as a whole.
    taken: Option<(HeaderValue, Instant)>,
}

/// A body that is another than the one taken, as far as anybody can tell.
pub struct Found {
    /// The body.
    pub body: Bytes,
    /// By what it is known from now on, once it was taken.
    pub tag: Tag,
}

/// The tag of a body, if it has one, and when the body was asked for.
pub struct Tag(Option<HeaderValue>, Instant);

impl Repeated {
    /// Nothing was asked yet.
    pub fn new(request: Request) -> Self {
        Self { request, tls: None, taken: None }
    }

    /// Asks once; `None`: the body is the one that was taken.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn ask(&mut self) -> Result<Option<Found>, FetchError> {
        let limit = self.request.timeout;
        timeout(limit, self.ask_at_leisure()).await.unwrap_or(Err(FetchError::Late(limit)))
    }

    /// What was found was taken, and need not be sent again.
    pub fn take(&mut self, tag: Tag) {
        self.taken = tag.0.map(|known| (known, tag.1));
    }

    async fn ask_at_leisure(&mut self) -> Result<Option<Found>, FetchError> {
        let asked = Instant::now();
        if self.request.to.secure && self.tls.as_ref().is_none_or(|(_, read)| read.elapsed() >= TRUSTED) {
            self.tls = Some((client(self.request.ca.clone()).await?, asked));
        }
        let known = self.taken.as_ref().filter(|(_, whole)| whole.elapsed() < WHOLE).map(|(tag, _)| tag);
        let tls = self.tls.as_ref().map(|(tls, _)| tls);
        match exchange(&self.request, tls, known).await {
            // Half a list is a list too, and would be taken for one.
            Ok(heard) if !heard.marked => Err(FetchError::Unmarked),
            Ok(heard) => Ok(Some(Found { body: heard.fetched.body, tag: Tag(heard.tag, asked) })),
            Err(FetchError::Status(status, _)) if known.is_some() && status == StatusCode::NOT_MODIFIED => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::keys::Address;

    #[tokio::test]
    async fn a_body_whose_end_nothing_marks_is_not_taken_for_whole() {
        for (head, whole) in [
            ("Content-Length: 2\r\n\r\n{}", true),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", true),
            ("Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", false),
            ("Content-Length: 3\r\n\r\n{}", false),
            ("\r\n{}", false),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let to = Address::parse(&format!("http://{}/", listener.local_addr().unwrap()), false).unwrap();
            let limit = Duration::from_secs(5);
            let mut repeated = Repeated::new(Request { to, ca: None, timeout: limit, most: 9, media: &["text/plain"] });
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 4096]).await.unwrap();
                stream.write_all(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{head}").as_bytes()).await.unwrap();
            };
            let (asked, ()) = tokio::join!(repeated.ask(), serve);
            assert_eq!(asked.is_ok(), whole, "{head}");
        }
    }

    /// A server that knows its body by a tag.
    async fn serve(listener: TcpListener) {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 4096];
            let read = stream.read(&mut asked).await.unwrap();
            let known = String::from_utf8_lossy(&asked[..read]).contains("if-none-match: \"one\"");
            let answer = match known {
                true => "HTTP/1.1 304 Not Modified\r\n\r\n",
                false => "HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: 2\r\n\r\n{}",
            };
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_body_is_sent_again_until_it_was_taken_and_now_and_then() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = Address::parse(&format!("http://{}/", listener.local_addr().unwrap()), false).unwrap();
        let limit = Duration::from_secs(5);
        let mut repeated = Repeated::new(Request { to, ca: None, timeout: limit, most: 2, media: &["text/plain"] });
        let asks = async {
            assert_eq!(repeated.ask().await.unwrap().unwrap().body, "{}");
            let found = repeated.ask().await.unwrap().expect("it was not taken");
            repeated.take(found.tag);
            assert!(repeated.ask().await.unwrap().is_none());
            // As if the whole body had been asked for long ago.
            repeated.taken = repeated.taken.take().map(|(tag, asked)| (tag, asked - WHOLE));
            assert!(repeated.ask().await.unwrap().is_some());
        };
        tokio::select! {
            () = asks => {}
            () = serve(listener) => {}
        }
    }
}
