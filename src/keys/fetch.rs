//! One answer over HTTP, whole or not at all, within limits of time and size.
//!
//! Nothing is followed and nothing is guessed: a redirect, a page for people or a body that broke off is a failed fetch,
//! since an answer may say whose tokens are good. No proxy of the environment is asked.

mod freshness;
mod repeated;

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HOST, IF_NONE_MATCH, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Body;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub use repeated::{Found, Repeated, Tag};

use super::address::Address;
use crate::upstream::{TlsClient, TlsSettings, dial};

/// The largest head of an answer.
const HEAD: usize = 64 << 10;
/// Bytes of a field that are told to people.
const TOLD: usize = 100;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Where.
    pub to: Address,
    /// PEM file of the authorities to trust instead of the system's and the built-in ones. It is read for each fetch.
    pub ca: Option<PathBuf>,
    /// For all of it, from the name's address to the last byte.
    pub timeout: Duration,
    /// The most bytes that the body may have.
    pub most: usize,
    /// The media types that are taken, without parameters; an answer that names none is taken as well.
    pub media: &'static [&'static str],
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its body.
    pub body: Bytes,
    /// How long the answer says that it may be kept; `None`: it does not say.
    pub fresh: Option<Duration>,
}

/// Why there is no answer to be used. None of these tells what stood in its body.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// A certificate file that is no good.
    #[error("{0}")]
    Tls(String),
    /// No connection, or no TLS.
    #[error("no connection: {0}")]
    Unreachable(String),
    /// It took too long.
    #[error("no whole answer within {0:?}")]
    Late(Duration),
    /// Another status than 200.
    #[error("it answered {0}{1}")]
    Status(u16, &'static str),
    /// Another media type.
    #[error("it answered with content type {0}, not {1}")]
    Media(String, &'static str),
    /// A coding that was not asked for.
    #[error("it answered with a content coding, which was not asked for")]
    Coded,
    /// More than is taken.
    #[error("it answered with more than {0} bytes")]
    Large(usize),
    /// A body of which nothing says whether it is whole.
    #[error("it answered with a body that may have been cut: neither Content-Length nor a last chunk")]
    Unmarked,
    /// No HTTP, or a body that ended before its time.
    #[error("the answer broke off or is no HTTP: {0}")]
    Broken(String),
}

/// Asks once.
///
/// # Errors
/// See [`FetchError`]. Nothing of such an answer may be used.
pub async fn get(request: &Request) -> Result<Fetched, FetchError> {
    let late = |_| Err(FetchError::Late(request.timeout));
    timeout(request.timeout, whole(request)).await.unwrap_or_else(late)
}

async fn whole(request: &Request) -> Result<Fetched, FetchError> {
    let tls = match request.to.secure {
        true => Some(client(request.ca.clone()).await?),
        false => None,
    };
    exchange(request, tls.as_ref(), None).await.map(|heard| heard.fetched)
}

/// A whole answer, and what else its head says.
struct Heard {
    fetched: Fetched,
    /// The tag of its body.
    tag: Option<HeaderValue>,
    /// Whether the end of the body was told beforehand or marked. Else it is where the connection ends, and one that broke
    /// off looks whole (RFC 9112 section 8).
    marked: bool,
}

/// One exchange over a connection of its own. `known` is the tag of a body that need not be sent again.
async fn exchange(
    request: &Request,
    tls: Option<&TlsClient>,
    known: Option<&HeaderValue>,
) -> Result<Heard, FetchError> {
    let to = &request.to;
    let stream = dial(&to.host, to.port, tls, request.timeout).await.map_err(FetchError::Unreachable)?;
    let handshake = http1::Builder::new().max_buf_size(HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(broken)?;
    let exchange = async {
        let mut asked = http::Request::get(&*to.target)
            .header(HOST, &*to.authority)
            .header(ACCEPT, request.media.join(", "))
            .header(USER_AGENT, concat!("waxseal/", env!("CARGO_PKG_VERSION")))
            .body(Empty::<Bytes>::new())
            .map_err(|error| FetchError::Unreachable(error.to_string()))?;
        if let Some(known) = known {
            asked.headers_mut().insert(IF_NONE_MATCH, known.clone());
        }
        let answer = sender.send_request(asked).await.map_err(broken)?;
        check(answer.status(), answer.headers(), request)?;
        let fresh = freshness::of(answer.headers());
        let tag = answer.headers().get(ETAG).cloned();
        let marked = answer.body().size_hint().exact().is_some() || answer.headers().contains_key(TRANSFER_ENCODING);
        let body = Limited::new(answer.into_body(), request.most).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => FetchError::Large(request.most),
            false => FetchError::Broken(error.to_string()),
        })?;
        Ok(Heard { fetched: Fetched { body: body.to_bytes(), fresh }, tag, marked })
    };
    // The connection is what moves the bytes. When it ends, what the exchange still holds of them goes on.
    let moved = async {
        let _ = connection.await;
        std::future::pending().await
    };
    tokio::select! {
        done = exchange => done,
        never = moved => never,
    }
}

/// TLS with the authorities that hold now. Reading those of the system takes a while.
async fn client(ca: Option<PathBuf>) -> Result<TlsClient, FetchError> {
    let settings = TlsSettings { ca, ..TlsSettings::default() };
    let loaded = tokio::task::spawn_blocking(move || TlsClient::load(&settings)).await;
    let loaded = loaded.map_err(|error| FetchError::Tls(error.to_string()))?;
    loaded.map_err(|error| FetchError::Tls(error.to_string()))
}

/// Whether an answer with this head may be used.
fn check(status: StatusCode, headers: &HeaderMap, request: &Request) -> Result<(), FetchError> {
    if status != StatusCode::OK {
        let why = if status.is_redirection() { ", and no redirect is followed" } else { "" };
        return Err(FetchError::Status(status.as_u16(), why));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    if let Some(first) = types.next() {
        let text = String::from_utf8_lossy(first.as_bytes());
        let plain = text.split(';').next().unwrap_or_default().trim();
        let taken = request.media.iter().any(|media| media.eq_ignore_ascii_case(plain));
        if !taken || types.next().is_some() {
            let told: String = text.chars().take(TOLD).collect();
            let usual = request.media.first().copied().unwrap_or_default();
            return Err(FetchError::Media(format!("{told:?}"), usual));
        }
    }
    let plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().any(|coding| !plain(coding)) {
        return Err(FetchError::Coded);
    }
    Ok(())
}

fn broken(error: hyper::Error) -> FetchError {
    FetchError::Broken(error.to_string())
}

#[cfg(test)]
mod tests;
