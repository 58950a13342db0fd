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
use super::stream::Stream;

/// What is spoken, as far as it matters to whoever looks at the bytes.
pub(super) enum Protocol {
    /// A head begins with the first bytes while nothing is in flight.
    Http1,
    /// A head is a header block.
    Http2(Frames),
}

/// The socket of one connection. It carries the connection's place in the census, so that a tunnel counts as long
/// as it lasts.
pub(super) struct Watched {
    stream: Stream,
    /// Bytes that were read to find out the protocol, to be read again.
    ahead: Bytes,
    protocol: Protocol,
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
        Self { stream, ahead, protocol, activity, _ticket: ticket }
    }
}

/// Takes note of bytes that came in.
fn note(protocol: &mut Protocol, activity: &Activity, bytes: &[u8]) {
    match protocol {
        Protocol::Http1 => {
            activity.note_first_byte();
            if activity.in_flight() == 0 && activity.open_head().is_none() {
                activity.open_next_head();
                if has_fragment(bytes) {
                    activity.note_fragment();
                }
            }
        }
        Protocol::Http2(frames) => {
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
}

/// Whether `bytes` begin with a request line whose target has a fragment.
///
/// The line has to be whole: the tail of a head or body that was sent ahead of time must not pass for one.
fn has_fragment(bytes: &[u8]) -> bool {
    // Empty lines before a request are skipped by the parser too (RFC 9112 section 2.2).
    let start = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(bytes.len());
    let line = bytes.get(start..).unwrap_or_default();
    let Some(line) = line.iter().position(|byte| *byte == b'\n').and_then(|end| line.get(..end)) else { return false };
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    (line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")) && line.contains(&b'#')
}

impl AsyncRead for Watched {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
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
            note(&mut this.protocol, &this.activity, bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fragment_is_seen_in_a_whole_request_line_alone() {
        for (bytes, expected) in [
            ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", true),
            ("\r\nGET /a?q=1#b HTTP/1.0\n", true),
            ("GET /a HTTP/1.1\r\nX: #\r\n\r\n", false),
            ("GET /a%23 HTTP/1.1\r\n", false),
            ("tail of a cookie #1\r\n\r\n", false),
            ("GET /a#b HTTP/1.1", false),
            ("\r\n", false),
            ("", false),
        ] {
            assert_eq!(has_fragment(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
