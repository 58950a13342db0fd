//! Watches the frame boundaries of incoming HTTP/2 (RFC 9113 section 4.1), to know whether a header block has begun
//! and not ended, and what the frames cost that carry nothing of a request.
//!
//! The library below holds a header block back until it is whole and tells nobody, so a peer that never ends one would
//! otherwise keep its connection for ever. It also answers every PING and SETTINGS and goes over every WINDOW_UPDATE,
//! PRIORITY and unknown frame, however many there are (RFC 9113 section 10.5).

use std::sync::Arc;

use super::activity::Activity;

/// What every HTTP/2 client sends first (RFC 9113 section 3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Bytes of a frame header.
pub(super) const HEADER: usize = 9;
/// Frame types that carry a body, a header block, and the end of a stream before its time.
const DATA: u8 = 0x0;
pub(super) const RST_STREAM: u8 = 0x3;
pub(super) const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;
/// The flag on the last frame of a stream, and that on the last frame of a header block.
pub(super) const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// What a frame costs that carries nothing of a request, and one that takes a request back: the work for it may have
/// been done (CVE-2023-44487).
const CONTROL_COST: usize = 1;
pub(super) const RESET_COST: usize = 4;

/// Where in the stream of frames the peer is.
#[derive(Debug)]
pub(super) struct Frames {
    preface_left: usize,
    header: [u8; HEADER],
    header_filled: usize,
    payload_left: usize,
    in_block: bool,
    block_ends: bool,
    /// Pays for them.
    activity: Arc<Activity>,
}

impl Frames {
    /// Before the first byte of the preface; `activity` pays for what the frames cost.
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self {
            preface_left: PREFACE.len(),
            header: [0; HEADER],
            header_filled: 0,
            payload_left: 0,
            in_block: false,
            block_ends: false,
            activity,
        }
    }

    /// Whether the preface is still due.
    pub(super) fn in_preface(&self) -> bool {
        self.preface_left > 0
    }

    /// Whether a header block has begun and not ended.
    pub(super) fn in_block(&self) -> bool {
        self.in_block
    }

    /// Takes note of the next bytes, and says how many header blocks began in them.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let mut begun = 0;
        while !bytes.is_empty() {
            if self.preface_left > 0 {
                bytes = skip(bytes, &mut self.preface_left);
            } else if self.payload_left > 0 {
                bytes = skip(bytes, &mut self.payload_left);
                self.end_of_frame();
            } else if let Some((byte, rest)) = bytes.split_first() {
                bytes = rest;
                if let Some(place) = self.header.get_mut(self.header_filled) {
                    *place = *byte;
                    self.header_filled += 1;
                }
                if self.header_filled == HEADER {
                    begun += usize::from(self.start_of_frame());
                }
            }
        }
        begun
    }

    /// A frame header is whole. Says whether it opens a header block.
    fn start_of_frame(&mut self) -> bool {
        self.header_filled = 0;
        let [high, middle, low, kind, flags, ..] = self.header;
        self.payload_left = (usize::from(high) << 16) | (usize::from(middle) << 8) | usize::from(low);
        let carries_block = kind == HEADERS || kind == CONTINUATION;
        let opens = carries_block && !self.in_block;
        self.in_block |= carries_block;
        self.block_ends = carries_block && flags & END_HEADERS != 0;
        match kind {
            HEADERS => {}
            DATA | CONTINUATION if self.payload_left > 0 => {}
            // Many clients end every body so: it is a part of the request.
            DATA if flags & END_STREAM != 0 => {}
            RST_STREAM => self.activity.spend(RESET_COST),
            _ => self.activity.spend(CONTROL_COST),
        }
        self.end_of_frame();
        opens
    }

    fn end_of_frame(&mut self) {
        if self.payload_left == 0 && self.block_ends {
            self.in_block = false;
            self.block_ends = false;
        }
    }
}

/// Goes over as many of `left` bytes as there are.
pub(super) fn skip<'a>(bytes: &'a [u8], left: &mut usize) -> &'a [u8] {
    let gone = bytes.len().min(*left);
    *left -= gone;
    bytes.get(gone..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = length[1..].to_vec();
        bytes.extend([kind, flags, 0, 0, 0, 1]);
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn a_block_lasts_from_headers_to_the_last_continuation() {
        let mut frames = Frames::new(Activity::new());
        assert_eq!(frames.feed(PREFACE), 0);
        assert!(!frames.in_preface());
        frames.feed(&frame(0x4, 0, b"123456"));
        assert!(!frames.in_block());
        assert_eq!(frames.feed(&frame(HEADERS, 0, b"abc")), 1);
        assert!(frames.in_block());
        assert_eq!(frames.feed(&frame(CONTINUATION, 0, b"")), 0);
        assert!(frames.in_block());
        frames.feed(&frame(CONTINUATION, END_HEADERS, b"def"));
        assert!(!frames.in_block());
    }

    #[test]
    fn byte_by_byte_is_the_same_as_all_at_once() {
        let mut bytes = PREFACE.to_vec();
        bytes.extend(frame(0x4, 0, b""));
        bytes.extend(frame(HEADERS, END_HEADERS, b"abcdef"));
        bytes.extend(frame(0x0, 0x1, &[b'x'; 300]));
        bytes.extend(frame(HEADERS, 0, b"ab"));
        let (mut slow, mut fast) = (Frames::new(Activity::new()), Frames::new(Activity::new()));
        let begun: usize = bytes.iter().map(|byte| slow.feed(&[*byte])).sum();
        assert_eq!(begun, fast.feed(&bytes));
        assert_eq!(begun, 2);
        assert!(slow.in_block() && fast.in_block());
    }

    #[test]
    fn frames_that_carry_nothing_of_a_request_cost() {
        for (kind, flags, payload, cost) in [
            (DATA, 0, &b"x"[..], 0),
            (DATA, 0, b"", CONTROL_COST),
            (DATA, END_STREAM, b"", 0),
            (HEADERS, END_HEADERS, b"x", 0),
            (CONTINUATION, END_HEADERS, b"", CONTROL_COST),
            (RST_STREAM, 0, b"1234", RESET_COST),
            (0x4, 0, b"", CONTROL_COST),
            (0x6, 0, b"12345678", CONTROL_COST),
            (0x8, 0, b"1234", CONTROL_COST),
            (0xbb, 0, b"unknown", CONTROL_COST),
        ] {
            let activity = Activity::new();
            let mut frames = Frames::new(Arc::clone(&activity));
            frames.feed(PREFACE);
            let before = activity.credit();
            frames.feed(&frame(kind, flags, payload));
            assert_eq!(before - activity.credit(), cost, "type {kind:#x}");
        }
    }
}
