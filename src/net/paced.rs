//! Reads an HTTP/2 connection such that it leaves the others of its worker their turn.
//!
//! The library below goes over every frame that is there before it gives the thread back. Of the small ones a peer can
//! send them faster than they are gone over, and every other connection of the worker would wait meanwhile.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;

/// Reads in a turn; one is of 8 to 16 KiB. Small frames take about a millisecond then.
const READS: u32 = 4;

/// A connection that is read a few pieces at a time, and no further once its peer is flooding.
pub(super) struct Paced<IO> {
    io: IO,
    activity: Arc<Activity>,
    reads: u32,
}

impl<IO> Paced<IO> {
    /// Paces `io`; `activity` knows of a flood.
    pub(super) fn new(io: IO, activity: Arc<Activity>) -> Self {
        Self { io, activity, reads: 0 }
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Paced<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.activity.credit() == 0 {
            return Poll::Ready(Err(io::Error::other("the peer floods the connection with frames")));
        }
        if this.reads == READS {
            this.reads = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut this.io).poll_read(cx, buf);
        this.reads = if read.is_pending() { 0 } else { this.reads + 1 };
        read
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Paced<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    /// Reads once, and says how many bytes came.
    fn read(paced: &mut Paced<&[u8]>) -> Poll<io::Result<usize>> {
        let mut bytes = [0; 4];
        let mut buffer = ReadBuf::new(&mut bytes);
        let outcome = Pin::new(paced).poll_read(&mut Context::from_waker(Waker::noop()), &mut buffer);
        outcome.map_ok(|()| buffer.filled().len())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn after_a_few_reads_others_have_their_turn() {
        let bytes = [0; 4 * READS as usize + 4];
        let mut paced = Paced::new(&bytes[..], Activity::new());
        for _ in 0..READS {
            assert!(matches!(read(&mut paced), Poll::Ready(Ok(4))));
        }
        assert!(read(&mut paced).is_pending());
        assert!(matches!(read(&mut paced), Poll::Ready(Ok(4))));
        // It wakes itself: the rest is read without anything new coming in.
        let mut rest = Paced::new(&bytes[..], Activity::new());
        let mut total = 0;
        while total < bytes.len() {
            total += poll_fn(|cx| {
                let mut piece = [0; 4];
                let mut buffer = ReadBuf::new(&mut piece);
                Pin::new(&mut rest).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
            })
            .await
            .unwrap();
        }
    }

    #[test]
    fn a_flooding_peer_is_read_no_further() {
        let activity = Activity::new();
        let mut paced = Paced::new(&b"12345678"[..], Arc::clone(&activity));
        assert!(matches!(read(&mut paced), Poll::Ready(Ok(4))));
        activity.spend(activity.credit());
        assert!(matches!(read(&mut paced), Poll::Ready(Err(_))));
    }
}
