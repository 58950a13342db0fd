//! A socket that tells `activity` what passes through it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::activity::Activity;
use super::census::Ticket;
use super::frames::Frames;
use super::framing::{Fault, Flaw, Framing};
use super::resets::Resets;
use super::stream::Stream;

/// What is spoken, as far as it matters to whoever looks at the bytes.
pub(super) enum Protocol {
    /// A head is what the framing says, and counts while nothing is in flight.
    Http1(Framing),
    /// A head is a header block.
    Http2(Frames, Resets),
}

/// The socket of one connection. It carries the connection's place in the census, so that a tunnel counts as long
/// as it lasts.
pub(super) struct Watched {
    stream: Stream,
    /// Bytes that were read to find out the protocol, to be read again.
    ahead: Bytes,
    protocol: Protocol,
    /// What is wrong with the body under way. No further byte of it is handed on.
    broken: Option<Flaw>,
    activity: Arc<Activity>,
    _ticket: Ticket,
}

impl Watched {
    /// Watches `stream`, of which `ahead` has been read already.
    pub(super) fn new(
        stream: Stream,
        ahead: Bytes,
        protocol: Protocol,
        activity: Arc<Activity>,
        ticket: Ticket,
    ) -> Self {
        Self { stream, ahead, protocol, broken: None, activity, _ticket: ticket }
    }
}

/// Takes note of bytes that came in.
///
/// # Errors
/// At what is wrong with the body under way, after so many good bytes.
fn note(protocol: &mut Protocol, activity: &Activity, bytes: &[u8]) -> Result<(), (usize, Flaw)> {
    match protocol {
        Protocol::Http1(framing) => {
            activity.note_first_byte();
            if activity.is_tunnel() {
                framing.stop();
            }
            match framing.feed(bytes) {
                Ok(()) => {}
                Err(Fault::Head(number, flaw)) => activity.note_flaw(number, flaw),
                Err(Fault::Body(before, flaw)) => return Err((before, flaw)),
            }
            if framing.in_head() && activity.in_flight() == 0 && activity.open_head().is_none() {
                activity.open_next_head();
            }
        }
        Protocol::Http2(frames, _) => {
            for _ in 0..frames.feed(bytes) {
                activity.open_next_head();
            }
            if !frames.in_block() {
                activity.close_head();
            }
            if !frames.in_preface() {
                activity.note_first_byte();
            }
        }
    }
    Ok(())
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(flaw) = this.broken {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flaw)));
        }
        let before = buf.filled().len();
        if this.ahead.is_empty() {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        } else {
            let length = this.ahead.len().min(buf.remaining());
            buf.put_slice(&this.ahead.split_to(length));
            if !this.ahead.has_remaining() {
                this.ahead = Bytes::new();
            }
        }
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if !bytes.is_empty() {
            this.activity.note_moved();
            if let Err((good, flaw)) = note(&mut this.protocol, &this.activity, bytes) {
                this.broken = Some(flaw);
                if good == 0 {
                    buf.set_filled(before);
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, flaw)));
                }
                buf.set_filled(before + good);
            }
        } else if buf.remaining() > 0 {
            this.activity.note_end();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Watched {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.activity.note_blocked(written.is_pending());
        if written.is_ready() {
            this.activity.note_moved();
        }
        if let (Protocol::Http2(_, resets), Poll::Ready(Ok(length))) = (&mut this.protocol, &written) {
            resets.feed(buf.get(..*length).unwrap_or_default());
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.activity.note_blocked(flushed.is_pending());
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
