//! One layer of percent-encoding taken off a path, and what is refused on the way.
//!
//! Between layers a path is bytes: a character may have one byte from one layer and one from the next.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::super::rejection::Rejection;
use super::ambiguous;

/// Stands in a reading where an encoded slash is taken as a letter: a code point that Unicode keeps free of meaning.
pub const SLASH_AS_LETTER: char = '\u{fdd0}';

/// One choice for each thing that servers do differently when they decode, made once for the whole path.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// An encoded slash separates segments.
    slash: bool,
    late: Late,
    /// Overlong UTF-8 is decoded; otherwise bytes that are no UTF-8 are Latin-1.
    overlong: bool,
}

/// What an escaped `?`, `#` or `;` does to the rest of the path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Late {
    /// Nothing: it is a letter.
    Kept,
    /// A `?` or `#` ends the path, a `;` begins a parameter.
    Query,
    /// Any of them ends the path.
    Any,
}

/// What was met in a path about which servers differ.
#[derive(Debug, Default)]
pub(super) struct Seen {
    slash: bool,
    query: bool,
    parameter: bool,
    foreign: bool,
}

impl Choice {
    /// The choice under which everything comes to light about which servers differ.
    pub(super) const FIRST: Choice = Choice { slash: true, late: Late::Kept, overlong: true };

    /// The other choices that can make a difference to a path in which all this was seen.
    pub(super) fn others(seen: &Seen) -> impl Iterator<Item = Choice> {
        let letter = seen.slash.then_some(false);
        let query = seen.query.then_some(Late::Query);
        let any = (seen.query || seen.parameter).then_some(Late::Any);
        let latin1 = seen.foreign.then_some(false);
        let all = std::iter::once(true).chain(letter).flat_map(move |slash| {
            let late = std::iter::once(Late::Kept).chain(query).chain(any);
            late.flat_map(move |late| {
                let overlong = std::iter::once(true).chain(latin1);
                overlong.map(move |overlong| Choice { slash, late, overlong })
            })
        });
        all.skip(1)
    }

    /// Decodes one layer of percent-encoding; `None`: there is none.
    pub(super) fn decode(self, path: &[u8], seen: &mut Seen) -> Result<Option<Vec<u8>>, Rejection> {
        let (mut escaped, mut rest) = (false, path);
        let mut bytes = Vec::with_capacity(path.len());
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            let Some(decoded) = (byte == b'%').then(|| escape(tail)).flatten() else {
                if byte == b'%' && looks_like_unicode_escape(tail) {
                    return Err(ambiguous("a %u escape in the path"));
                }
                bytes.push(byte);
                continue;
            };
            escaped = true;
            rest = rest.get(2..).unwrap_or_default();
            match decoded {
                0..=0x1f | 0x7f => return Err(ambiguous("an escaped control byte in the path")),
                b'\\' => return Err(ambiguous("an escaped backslash in the path")),
                b'/' => {
                    seen.slash = true;
                    let character = if self.slash { '/' } else { SLASH_AS_LETTER };
                    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ if self.ends_at(char::from(decoded), seen) => break,
                _ => bytes.push(decoded),
            }
        }
        if !escaped {
            return Ok(None);
        }
        if !bytes.is_ascii() {
            seen.foreign |= str::from_utf8(&bytes).is_err();
            if self.overlong {
                bytes = self.shorten(&bytes, seen);
            }
            bytes = expand_compatibility_slashes(&bytes);
        }
        Ok(Some(bytes))
    }

    /// Whether the path ends at a character that stood there in disguise.
    fn ends_at(self, character: char, seen: &mut Seen) -> bool {
        match character {
            '?' | '#' => {
                seen.query = true;
                self.late != Late::Kept
            }
            ';' => {
                seen.parameter = true;
                self.late == Late::Any
            }
            _ => false,
        }
    }

    /// Reads bytes as a decoder does that does not mind more bytes than a character needs (RFC 3629 section 10). Bytes
    /// that make no character that way either stay as they are.
    fn shorten(self, bytes: &[u8], seen: &mut Seen) -> Vec<u8> {
        let mut short = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while let Some((&lead, tail)) = rest.split_first() {
            rest = tail;
            let (length, bits) = match lead {
                0xc0..=0xdf => (1, lead & 0x1f),
                0xe0..=0xef => (2, lead & 0x0f),
                0xf0..=0xf7 => (3, lead & 0x07),
                0xf8..=0xfb => (4, lead & 0x03),
                0xfc..=0xfd => (5, lead & 0x01),
                _ => (0, lead),
            };
            let more = tail.get(..length).unwrap_or_default();
            let whole = more.len() == length && length > 0 && more.iter().all(|byte| byte & 0xc0 == 0x80);
            let point = more.iter().fold(u32::from(bits), |point, byte| (point << 6) | u32::from(byte & 0x3f));
            match char::from_u32(point).filter(|_| whole) {
                Some(character) if self.ends_at(character, seen) => break,
                Some(character) => {
                    short.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = rest.get(length..).unwrap_or_default();
                }
                None => short.push(lead),
            }
        }
        short
    }
}

/// The byte that the two hexadecimal digits at the front of `tail` stand for.
fn escape(tail: &[u8]) -> Option<u8> {
    let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

/// Whether a percent sign is followed by `uXXXX`, which some servers decode.
fn looks_like_unicode_escape(tail: &[u8]) -> bool {
    matches!(tail.first(), Some(b'u' | b'U'))
        && tail.get(1..5).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// A slash hidden in the compatibility form of a character counts as one in every reading; a backslash or a control
/// character there comes to light as well, to be refused.
fn expand_compatibility_slashes(bytes: &[u8]) -> Vec<u8> {
    let mut expanded = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let form = || std::iter::once(character).nfkc();
            let hides = |part: char| matches!(part, '/' | '\\') || part.is_ascii_control();
            let shown = !character.is_ascii() && form().any(hides);
            let text: String = if shown { form().collect() } else { character.into() };
            expanded.extend_from_slice(text.as_bytes());
        }
        expanded.extend_from_slice(chunk.invalid());
    }
    expanded
}

/// The text of a path: UTF-8, and where it is not UTF-8 Latin-1.
///
/// # Errors
/// `path_ambiguous` where a dot segment, a backslash or a control character has come to light.
pub(super) fn text(bytes: &[u8]) -> Result<Cow<'_, str>, Rejection> {
    let text = str::from_utf8(bytes).map_or_else(|_| Cow::Owned(latin1(bytes)), Cow::Borrowed);
    for character in text.chars() {
        match character {
            '\\' => return Err(ambiguous("a disguised backslash in the path")),
            control if control.is_ascii_control() => return Err(ambiguous("a disguised control byte in the path")),
            _ => {}
        }
    }
    refuse_dots(&text)?;
    Ok(text)
}

fn latin1(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 8);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| char::from(*byte)));
    }
    text
}

/// Refuses dot segments, also with parameters or blanks, and where only the compatibility form is one (U+2025).
pub(super) fn refuse_dots(text: &str) -> Result<(), Rejection> {
    let dots = |segment: &str| matches!(segment, "." | "..");
    for segment in text.split(['/', SLASH_AS_LETTER]) {
        let name = segment.split(';').next().unwrap_or_default();
        let hidden = || {
            let form: String = name.nfkc().collect();
            form.split(['/', ';']).any(|part| dots(part.trim()))
        };
        if dots(name.trim()) || (!name.is_ascii() && hidden()) {
            return Err(ambiguous("a dot segment in the path"));
        }
    }
    Ok(())
}

/// The path without the parameters of its segments (everything from a `;` to the end of the segment), where it has any.
pub(super) fn cut_parameters(path: &[u8]) -> Option<Vec<u8>> {
    if !path.contains(&b';') {
        return None;
    }
    let (mut cut, mut within) = (Vec::with_capacity(path.len()), false);
    for &byte in path {
        within = byte != b'/' && (within || byte == b';');
        if !within {
            cut.push(byte);
        }
    }
    Some(cut)
}
