//! Watches the outgoing frames of HTTP/2 for streams that the library below resets by a fault of the peer's.
//!
//! The library tells nobody of a request that it refuses by itself; the reset is what is counted. The library's own
//! bound on such resets is no rate but a sum over the whole life of a connection, which a connection that many people
//! share reaches some day. So each is paid for here like a reset of the peer's own (CVE-2025-8671).

use std::sync::Arc;

use super::activity::Activity;
use super::frames::{END_STREAM, HEADER, HEADERS, RESET_COST, RST_STREAM, skip};
use crate::decision::rejection::Code;

/// Bytes of RST_STREAM: a frame header and a number.
const RESET: usize = HEADER + 4;
/// What is no fault of the peer's (RFC 9113 section 7): the rest of a body that nobody needs, a failure of our own, and
/// a stream that is not needed any more.
const NO_ERROR: u32 = 0x0;
const INTERNAL_ERROR: u32 = 0x2;
const CANCEL: u32 = 0x8;
/// A request that breaks HTTP/2 or has too large a head, and one stream too many.
const PROTOCOL_ERROR: u32 = 0x1;
const REFUSED_STREAM: u32 = 0x7;

/// Where in the stream of outgoing frames we are.
pub(super) struct Resets {
    /// A frame header, and behind it the payload where that is the number of a reset.
    frame: [u8; RESET],
    filled: usize,
    payload_left: usize,
    /// The stream of the last answer that was a head alone: where a body is to follow a head that is too large, the
    /// library refuses it by such an answer and a reset.
    answered: [u8; 4],
    /// Pays for them.
    activity: Arc<Activity>,
    /// Is told what was refused.
    refused: Box<dyn Fn(Code) + Send>,
}

impl Resets {
    /// Before the first frame; `activity` pays for the resets, and `refused` is told what they refuse.
    pub(super) fn new(activity: Arc<Activity>, refused: impl Fn(Code) + Send + 'static) -> Self {
        let refused = Box::new(refused);
        Self { frame: [0; RESET], filled: 0, payload_left: 0, answered: [0; 4], activity, refused }
    }

    /// Takes note of the next bytes.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                bytes = skip(bytes, &mut self.payload_left);
                continue;
            }
            bytes = rest;
            if let Some(place) = self.frame.get_mut(self.filled) {
                *place = *byte;
                self.filled += 1;
            }
            let [high, middle, low, kind, flags, stream @ .., _, _, _, _] = self.frame;
            if self.filled == HEADER && kind != RST_STREAM {
                self.filled = 0;
                if kind == HEADERS && flags & END_STREAM != 0 {
                    self.answered = stream;
                }
                self.payload_left = (usize::from(high) << 16) | (usize::from(middle) << 8) | usize::from(low);
            } else if self.filled == RESET {
                self.filled = 0;
                self.reset();
            }
        }
    }

    /// A stream was reset.
    fn reset(&mut self) {
        let [_, _, _, _, _, stream @ .., a, b, c, d] = self.frame;
        let number = u32::from_be_bytes([a, b, c, d]);
        if matches!(number, NO_ERROR | INTERNAL_ERROR | CANCEL) {
            return;
        }
        self.activity.spend(RESET_COST);
        match number {
            PROTOCOL_ERROR if stream == self.answered => (self.refused)(Code::HeadersTooLarge),
            PROTOCOL_ERROR => (self.refused)(Code::RequestMalformed),
            REFUSED_STREAM => (self.refused)(Code::RateExceeded),
            // The request was taken, and is accounted for.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    #[test]
    fn what_is_refused_is_told_by_its_code() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&told);
        let mut resets = Resets::new(Activity::new(), move |code| hears.lock().unwrap().push(code));
        let reset = |stream, number: u32| frame(RST_STREAM, 0, stream, &number.to_be_bytes());
        resets.feed(&[frame(HEADERS, 0x4, 1, b"x"), reset(1, PROTOCOL_ERROR), reset(3, REFUSED_STREAM)].concat());
        resets.feed(&[reset(5, 0x5), reset(7, CANCEL), reset(9, NO_ERROR)].concat());
        resets.feed(&[frame(HEADERS, 0x4 | END_STREAM, 11, b"x"), reset(11, PROTOCOL_ERROR)].concat());
        assert_eq!(*told.lock().unwrap(), [Code::RequestMalformed, Code::RateExceeded, Code::HeadersTooLarge]);
    }

    #[test]
    fn resets_by_a_fault_of_the_peer_cost_it() {
        for (number, cost) in [(NO_ERROR, 0), (0x1, RESET_COST), (INTERNAL_ERROR, 0), (0x5, RESET_COST), (CANCEL, 0)] {
            let frames = [
                frame(0x4, 0, 0, &[]),
                frame(0x0, 0, 1, b"0123456789"),
                frame(RST_STREAM, 0, 1, &number.to_be_bytes()),
            ]
            .concat();
            for at_once in [1, 7, frames.len()] {
                let activity = Activity::new();
                let mut resets = Resets::new(Arc::clone(&activity), |_| ());
                let before = activity.credit();
                for _ in 0..2 {
                    frames.chunks(at_once).for_each(|piece| resets.feed(piece));
                }
                assert_eq!(before - activity.credit(), 2 * cost, "{number} by {at_once}");
            }
        }
    }
}
