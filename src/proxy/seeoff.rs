//! What becomes of the body of a request that is refused before it was read.
//!
//! Over HTTP/1 the connection knows: it reads on for a little, or closes. Over HTTP/2 whoever drops a body resets its stream
//! (RFC 9113 section 8.1), which no client should mind after a whole answer; some that are still sending lose the answer
//! by it all the same. So a small body is given the time to arrive.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use bytes::Buf;
use http::{Request, Version};
use http_body::Body;
use hyper::body::Incoming;
use tokio::task::spawn_local;
use tokio::time::timeout;

/// The most bytes that are taken. Larger bodies are told at once that nobody wants them.
const MOST: u64 = 64 * 1024;
/// How long they may take to arrive: several round trips round the world.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes the rest of a body that nobody reads, within bounds.
pub(super) fn see_off(request: Request<Incoming>) {
    let worth_it = request.version() == Version::HTTP_2
        && !request.body().is_end_stream()
        && request.body().size_hint().lower() <= MOST;
    if !worth_it {
        return;
    }
    let mut body = request.into_body();
    spawn_local(timeout(PATIENCE, async move {
        let mut taken = 0;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            taken += frame.data_ref().map_or(0, Buf::remaining) as u64;
            if taken > MOST {
                return;
            }
        }
    }));
}
