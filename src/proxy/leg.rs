//! One leg of a tunnel: what comes in by it is passed on and counted, and its WebSocket frames are followed, so that it
//! can be ended with a close frame of waxseal's own.
//!
//! A leg reads from one side for the other. Told to end, it passes on the rest of the frame that has begun, puts the close
//! frame behind it, and takes what still comes without passing it on until that side has closed too: a socket that is
//! closed with bytes unread is reset, and the close frame might be lost with it.

use std::cell::OnceCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::websocket::Frames;

/// The frame that goes out last, behind what came in by a leg, once there is to be one.
pub(super) type LastFrame = Rc<OnceCell<Vec<u8>>>;

/// A side of a tunnel.
pub(super) struct Leg<S> {
    stream: S,
    frames: Frames,
    last: LastFrame,
    stage: Stage,
    passed: u64,
}

/// How far a leg has come.
#[derive(Clone, Copy)]
enum Stage {
    /// It passes on what comes.
    Passing,
    /// So much of the last frame has gone out.
    Telling(usize),
    /// It waits for its side to close.
    Closing,
}

impl<S> Leg<S> {
    /// A leg that ends once `last` is set, which only one of WebSocket frames may be told.
    pub(super) fn new(stream: S, last: &LastFrame) -> Self {
        Self { stream, frames: Frames::default(), last: Rc::clone(last), stage: Stage::Passing, passed: 0 }
    }

    /// Bytes that came in by it and were passed on.
    pub(super) fn passed(&self) -> u64 {
        self.passed
    }

    /// Goes on from between two frames.
    fn end(&mut self) {
        // Nothing may follow a close frame, no other either.
        self.stage = if self.frames.have_closed() { Stage::Closing } else { Stage::Telling(0) };
    }

    /// Passes on what there is room for of the last frame.
    fn tell(&mut self, told: usize, buffer: &mut ReadBuf<'_>) {
        let last = self.last.get().and_then(|last| last.get(told..)).unwrap_or_default();
        let some = last.split_at_checked(buffer.remaining()).map_or(last, |(some, _)| some);
        buffer.put_slice(some);
        let whole = some.len() == last.len();
        self.stage = if whole { Stage::Closing } else { Stage::Telling(told.saturating_add(some.len())) };
    }
}

impl<S: AsyncRead + Unpin> Leg<S> {
    /// Passes on what comes; once the leg is to end, no more than the rest of a frame.
    fn poll_pass(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let came = buffer.filled().split_at_checked(before).map_or(&[][..], |(_, came)| came);
        let ends = self.last.get().is_some();
        let kept = if ends { self.frames.rest_of_frame(came) } else { came.len() };
        let (kept, dropped) = came.split_at_checked(kept).unwrap_or((came, &[]));
        self.frames.pass(kept);
        self.passed = self.passed.saturating_add(kept.len() as u64);
        if ends && self.frames.between() {
            self.end();
        }
        self.frames.pass(dropped);
        let kept = kept.len();
        buffer.set_filled(before.saturating_add(kept));
        Poll::Ready(Ok(()))
    }

    /// Takes what comes without passing it on, until that side has closed.
    fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut scratch = [0; 1024];
        while !self.frames.have_closed() {
            let mut scratch = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut scratch))?;
            if scratch.filled().is_empty() {
                break;
            }
            self.frames.pass(scratch.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leg<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let leg = self.get_mut();
        if matches!(leg.stage, Stage::Passing) && leg.last.get().is_some() && leg.frames.between() {
            leg.end();
        }
        match leg.stage {
            Stage::Passing => leg.poll_pass(cx, buffer),
            Stage::Telling(told) => {
                leg.tell(told, buffer);
                Poll::Ready(Ok(()))
            }
            Stage::Closing => leg.poll_closed(cx),
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leg<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const HELLO: &[u8] = &[0x81, 5, b'h', b'e', b'l', b'l', b'o'];
    const CLOSE: &[u8] = &[0x88, 2, 0x03, 0xf0];

    /// What a leg passes on where `first` came before it was told to end, and `then` after.
    async fn passed_on(first: &[u8], then: &[u8], room: usize) -> (Vec<u8>, u64) {
        let (mut far, near) = duplex(4096);
        let last = LastFrame::default();
        let mut leg = Leg::new(near, &last);
        far.write_all(first).await.unwrap();
        let mut all = Vec::new();
        while all.len() < first.len() {
            let mut some = vec![0; room];
            let read = leg.read(&mut some).await.unwrap();
            all.extend_from_slice(&some[..read]);
        }
        last.set(CLOSE.to_vec()).unwrap();
        far.write_all(then).await.unwrap();
        drop(far);
        loop {
            let mut some = vec![0; room];
            match leg.read(&mut some).await.unwrap() {
                0 => return (all, leg.passed()),
                read => all.extend_from_slice(&some[..read]),
            }
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_frame_that_has_begun_is_the_last_but_the_close_frame() {
        for cut in 0..=HELLO.len() {
            for room in [1, 3, 100] {
                let (first, rest) = HELLO.split_at(cut);
                let (passed, bytes) = passed_on(first, &[rest, HELLO, HELLO].concat(), room).await;
                let own = if cut == 0 { &[][..] } else { HELLO };
                assert_eq!(passed, [own, CLOSE].concat(), "cut at {cut}, room for {room}");
                assert_eq!(bytes, own.len() as u64, "waxseal's own frame is no byte of theirs");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against whoever knows where each frame ends, since it wrote them.
        #[test]
        fn what_is_passed_on_are_whole_frames_and_one_close_frame(
            lengths in prop::collection::vec((0..5_u8, any::<bool>()), 0..8),
            cut in any::<prop::sample::Index>(),
            room in 1..40_usize,
        ) {
            let frames: Vec<Vec<u8>> = lengths.iter().map(|(length, masked)| {
                let (bit, mask) = if *masked { (0x80, 4) } else { (0, 0) };
                [vec![0x82, bit | length], vec![0x88; usize::from(*length) + mask]].concat()
            }).collect();
            let bytes = frames.concat();
            let (first, then) = bytes.split_at(cut.index(bytes.len() + 1));
            let ends = frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) });
            let end = std::iter::once(0).chain(ends).find(|end| *end >= first.len()).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (passed, counted) = runtime.block_on(passed_on(first, then, room));
            prop_assert_eq!(passed, [&bytes[..end], CLOSE].concat());
            prop_assert_eq!(counted, end as u64);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn nothing_follows_a_close_frame_that_passed() {
        let going = [0x88, 2, 0x03, 0xe8];
        assert_eq!(passed_on(&going, HELLO, 100).await.0, going);
        assert_eq!(passed_on(&going[..3], &going[3..], 100).await.0, going);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_frame_that_never_ends_gets_no_other_into_it() {
        let endless = [&[0x82, 0x7f, 0, 0, 0xff, 0, 0, 0, 0, 0][..], b"abc"].concat();
        assert_eq!(passed_on(&endless, b"def", 100).await.0, [&endless, &b"def"[..]].concat());
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn it_ends_when_its_side_has_closed_and_not_before() {
        let (mut far, near) = duplex(4096);
        let last = LastFrame::default();
        last.set(CLOSE.to_vec()).unwrap();
        let mut leg = Leg::new(near, &last);
        let mut told = [0; 4];
        leg.read_exact(&mut told).await.unwrap();
        assert_eq!(told, CLOSE);
        far.write_all(HELLO).await.unwrap();
        let patience = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(patience, leg.read(&mut told)).await.is_err(), "it said no goodbye yet");
        far.write_all(CLOSE).await.unwrap();
        assert_eq!(leg.read(&mut told).await.unwrap(), 0);
    }
}
