//! WebSocket frames (RFC 6455 section 5), as far as it takes to end a connection between two of them.
//!
//! Only headers are looked at, never a payload, and nothing is copied: what matters is where a frame ends, since a frame
//! of waxseal's own may go between any two others, also between the parts of a message (section 5.4).

/// The longest reason that a control frame has room for, beside the code.
const LONGEST_REASON: usize = 123;
/// The code of a close frame for what is no longer permitted (section 7.4.1).
const POLICY_VIOLATION: u16 = 1008;
/// The opcode of a close frame, and the bits of the first byte that hold it.
const CLOSE: u8 = 0x8;
const OPCODE: u8 = 0xf;
/// The bit that ends a message, and the one that says that the payload is masked.
const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

/// Where one direction of a connection is between its frames.
#[derive(Debug, Default)]
pub(super) struct Frames {
    place: Place,
    /// Whether the frame that has begun is a close frame.
    closing: bool,
    closed: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A frame, or none.
    #[default]
    Between,
    /// The byte that says how long the payload is, and whether it is masked.
    Length,
    /// Bytes of a longer length.
    Longer { left: u8, length: u64, masked: bool },
    /// What is left of mask and payload.
    Inside { left: u64 },
}

impl Frames {
    /// Takes note of bytes that come next.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = match self.place {
                Place::Inside { left } => {
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    self.enter(left.saturating_sub(taken as u64));
                    bytes.split_at(taken).1
                }
                _ => {
                    self.step(*first);
                    rest
                }
            };
        }
    }

    /// Of bytes that come next, those that belong to the frame that has begun; 0 between two frames.
    pub(super) fn rest_of_frame(&self, bytes: &[u8]) -> usize {
        let mut ahead = Self { place: self.place, ..Self::default() };
        let mut taken: usize = 0;
        while ahead.place != Place::Between {
            let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) else { break };
            let step = match ahead.place {
                Place::Inside { left } => usize::try_from(left).unwrap_or(usize::MAX).min(rest.len()),
                _ => 1,
            };
            ahead.pass(rest.split_at(step).0);
            taken = taken.saturating_add(step);
        }
        taken
    }

    /// Whether the last frame has ended and no other has begun.
    pub(super) fn between(&self) -> bool {
        self.place == Place::Between
    }

    /// Whether a close frame has passed: nothing may follow it (section 5.5.1).
    pub(super) fn have_closed(&self) -> bool {
        self.closed
    }

    /// Goes past one byte of a header.
    fn step(&mut self, byte: u8) {
        match self.place {
            Place::Between => {
                self.closing = byte & OPCODE == CLOSE;
                self.place = Place::Length;
            }
            Place::Length => {
                let masked = byte & MASKED != 0;
                match byte & !MASKED {
                    126 => self.place = Place::Longer { left: 2, length: 0, masked },
                    127 => self.place = Place::Longer { left: 8, length: 0, masked },
                    short => self.measured(u64::from(short), masked),
                }
            }
            Place::Longer { left, length, masked } => {
                let length = (length << 8) | u64::from(byte);
                match left {
                    0 | 1 => self.measured(length, masked),
                    _ => self.place = Place::Longer { left: left - 1, length, masked },
                }
            }
            Place::Inside { left } => self.enter(left.saturating_sub(1)),
        }
    }

    /// The header has said how long the payload is.
    fn measured(&mut self, length: u64, masked: bool) {
        self.enter(length.saturating_add(if masked { 4 } else { 0 }));
    }

    fn enter(&mut self, left: u64) {
        self.place = if left == 0 { Place::Between } else { Place::Inside { left } };
        self.closed |= left == 0 && self.closing;
    }
}

/// A close frame for what is no longer permitted. `mask`: that of a client, whose frames must have one (section 5.3).
pub(super) fn close_frame(reason: &'static str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let reason = reason.as_bytes().split_at_checked(LONGEST_REASON).map_or(reason.as_bytes(), |(short, _)| short);
    let payload = [&POLICY_VIOLATION.to_be_bytes(), reason].concat();
    let length = u8::try_from(payload.len()).unwrap_or_default();
    let mut frame = vec![FIN | CLOSE, length | if mask.is_some() { MASKED } else { 0 }];
    let mask = mask.inspect(|mask| frame.extend(mask)).unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as RFC 6455 section 5.2 draws it, with a length in a form that may be longer than it need be.
    fn frame(first: u8, form: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
        let length = payload.len();
        let masked = if mask.is_some() { 0x80 } else { 0 };
        let mut bytes = vec![first];
        match form {
            0 if length < 126 => bytes.push(masked | u8::try_from(length).unwrap()),
            0 | 1 => {
                bytes.push(masked | 126);
                bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                bytes.push(masked | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(mask.into_iter().flatten());
        bytes.extend(payload);
        bytes
    }

    fn frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let payload = prop_oneof![
            prop::collection::vec(any::<u8>(), 0..12),
            prop::collection::vec(any::<u8>(), 120..132),
            (65_530..65_540_usize).prop_map(|length| vec![0x88; length.min(65_535)]),
        ];
        let one = (any::<u8>(), 0..3_u8, payload, any::<Option<[u8; 4]>>());
        prop::collection::vec(one.prop_map(|(first, form, payload, mask)| frame(first, form, &payload, mask)), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

        /// Against whoever knows where each frame ends, since it wrote them, in pieces of any length.
        #[test]
        fn frames_end_where_they_were_made_to_end(frames in frames(), pieces in prop::collection::vec(1..70_000_usize, 1..9)) {
            let bytes = frames.concat();
            let ends: Vec<usize> =
                frames.iter().scan(0, |end, frame| { *end += frame.len(); Some(*end) }).collect();
            let closed = |at: usize| {
                ends.iter().zip(&frames).any(|(end, frame)| *end <= at && frame[0] & 0xf == 8)
            };
            let (mut followed, mut at) = (Frames::default(), 0);
            for piece in pieces.iter().cycle().take(pieces.len() + 60) {
                let next = (at + piece).min(bytes.len());
                let end = ends.iter().copied().find(|end| *end >= at && !(followed.between() && *end == at));
                let rest = if followed.between() { 0 } else { end.unwrap_or(bytes.len()).min(next) - at };
                prop_assert_eq!(followed.rest_of_frame(&bytes[at..next]), rest);
                followed.pass(&bytes[at..next]);
                at = next;
                prop_assert_eq!(followed.between(), at == 0 || ends.contains(&at), "at {}", at);
                prop_assert_eq!(followed.have_closed(), closed(at), "at {}", at);
            }
        }

        #[test]
        fn any_bytes_whatever_are_followed_alike_at_once_and_one_by_one(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (mut whole, mut single) = (Frames::default(), Frames::default());
            whole.pass(&bytes);
            bytes.iter().for_each(|byte| single.pass(&[*byte]));
            prop_assert_eq!(whole.place, single.place);
            prop_assert_eq!(whole.have_closed(), single.have_closed());
        }
    }

    #[test]
    fn the_longest_length_is_not_too_long() {
        let mut frames = Frames::default();
        frames.pass(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
        assert!(!frames.between());
        assert_eq!(frames.rest_of_frame(&[0; 100]), 100);
    }

    #[test]
    fn a_close_frame_is_one() {
        assert_eq!(close_frame("", None), [0x88, 2, 0x03, 0xf0]);
        assert_eq!(close_frame("ab", None), [0x88, 4, 0x03, 0xf0, b'a', b'b']);
        let masked = close_frame("ab", Some([1, 2, 3, 4]));
        assert_eq!(masked, [0x88, 0x84, 1, 2, 3, 4, 0x03 ^ 1, 0xf0 ^ 2, b'a' ^ 3, b'b' ^ 4]);
        for frame in [close_frame("token_expired", None), close_frame("token_expired", Some([7; 4]))] {
            let mut frames = Frames::default();
            frames.pass(&frame);
            assert!(frames.between() && frames.have_closed());
        }
    }
}
