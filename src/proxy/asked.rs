//! A body that comes once it is asked for: `Expect: 100-continue` (RFC 9110 section 10.1.1).
//!
//! Whether it is wanted is for the upstream to say. The client is told to go on when the first byte of its body is
//! wanted here, so nothing of it may be wanted before the upstream has said so, and a client that is refused below or
//! above never sends it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::EXPECT;
use http::{HeaderValue, Request, StatusCode, Version};
use http_body::Body;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

/// How long the upstream may take to ask at most. Servers that know nothing of it never do, and clients give up too.
const PATIENCE: Duration = Duration::from_secs(1);

/// Whether the client of a request waits with its body until it is asked for. Over HTTP/2 nobody here could tell it.
pub(super) fn expects<B: Body>(request: &Request<B>) -> bool {
    let expected = || request.headers().get(EXPECT).map(HeaderValue::as_bytes);
    request.version() == Version::HTTP_11
        && !request.body().is_end_stream()
        && expected().is_some_and(|word| word.eq_ignore_ascii_case(b"100-continue"))
}

/// Resolves when the body may come.
pub(super) struct Asked {
    word: Option<oneshot::Receiver<()>>,
    patience: Pin<Box<Sleep>>,
}

impl Asked {
    /// What the body of a request waits for, of which the upstream tells that it is sent to. `stall`: how long a body may
    /// stand still, of which this takes the smaller part.
    pub(super) fn told_by_upstream<B>(request: &mut Request<B>, stall: Duration) -> Self {
        let (tell, word) = oneshot::channel();
        // The library calls it from one thread, and cannot know.
        let tell = Mutex::new(Some(tell));
        hyper::ext::on_informational(request, move |informational| {
            if informational.status() == StatusCode::CONTINUE
                && let Some(tell) = tell.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                let _ = tell.send(());
            }
        });
        Self { word: Some(word), patience: Box::pin(sleep(PATIENCE.min(stall / 2))) }
    }
}

impl Future for Asked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Where the word cannot come any more, the answer has come in its place, or the connection has ended.
        if let Some(word) = &mut self.word
            && let Poll::Ready(said) = Pin::new(word).poll(cx)
        {
            if said.is_ok() {
                return Poll::Ready(());
            }
            self.word = None;
        }
        self.patience.as_mut().poll(cx)
    }
}
