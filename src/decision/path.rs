//! Every way in which a server behind may read a path.
//!
//! A plain path has one reading and costs nothing. A path with escapes, parameters or doubled slashes may be read in
//! several ways; all of them are judged, because it is not known which one the server behind will take. What no sound
//! client sends (dot segments, backslashes, control bytes, broken escapes) has no reading: it is refused wherever it
//! points.
//!
//! Nothing here changes a byte of the request: the path that is forwarded is the path that was read.

mod decode;
mod fold;

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::rejection::{Code, Rejection};
pub use decode::SLASH_AS_LETTER;
use decode::{Choice, Seen};
pub(super) use fold::{fold, letters, trim};

/// The most readings that a path may have.
const MOST_READINGS: usize = 64;
/// The most times that a path may be percent-encoded over.
const MOST_LAYERS: usize = 5;

/// One way to read a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    text: Box<str>,
    guards_only: bool,
}

impl Reading {
    /// The path as this reading has it, beginning with `/`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether this reading can only bring a guard into play, never an exemption: the undecoded path.
    pub fn guards_only(&self) -> bool {
        self.guards_only
    }
}

/// All readings of one path; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readings<'a> {
    /// A plain path means what it spells.
    Plain(&'a str),
    /// Any other.
    Several {
        /// The distinct readings.
        readings: Vec<Reading>,
        /// Whether there is one that is not what decoding once as UTF-8 gives.
        ambiguous: bool,
    },
}

impl<'a> Readings<'a> {
    /// Reads the path of a request-target: everything before the `?`.
    ///
    /// # Errors
    /// `path_ambiguous` where no sound client would send such a path, or where it has too many readings.
    pub fn of(path: &'a str) -> Result<Self, Rejection> {
        if is_plain(path) {
            return Ok(Readings::Plain(path));
        }
        refuse_raw(path)?;
        let mut found = Found(Vec::new());
        let mut seen = Seen::default();
        found.read(path, Choice::FIRST, &mut seen)?;
        for choice in Choice::others(&seen) {
            found.read(path, choice, &mut Seen::default())?;
        }
        let usual = percent_decode_str(path).decode_utf8();
        let ambiguous = found.0.iter().any(|reading| usual.as_ref().ok().is_none_or(|usual| **usual != *reading.text));
        found.undecoded(path)?;
        Ok(Readings::Several { readings: found.0, ambiguous })
    }

    /// Each reading: its text, and whether it can only bring a guard into play.
    pub fn iter(&self) -> impl Iterator<Item = (&str, bool)> {
        let (plain, several) = match self {
            Readings::Plain(path) => (Some((*path, false)), [].as_slice()),
            Readings::Several { readings, .. } => (None, readings.as_slice()),
        };
        plain.into_iter().chain(several.iter().map(|reading| (reading.text(), reading.guards_only)))
    }

    /// Whether anything but one UTF-8 percent-decoding could change what the path means.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self, Readings::Several { ambiguous: true, .. })
    }
}

fn ambiguous(why: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection::new(Code::PathAmbiguous, why)
}

/// Whether the path consists of bytes that every server reads alike, in segments that are neither empty nor dots.
fn is_plain(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return false;
    }
    // The byte before, so that `//`, `/.` and `/..` are seen in one pass; a segment that begins with a dot is left to
    // the slow way, which knows `.well-known` from `..`.
    let mut before = 0;
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',')
            || matches!(byte, b':' | b'=' | b'@')
            || (matches!(byte, b'/' | b'.') && before != b'/');
        if !plain {
            return false;
        }
        before = byte;
    }
    true
}

/// Refuses what stands in the path undecoded and has no sound meaning there.
fn refuse_raw(path: &str) -> Result<(), Rejection> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(ambiguous("the path does not begin with a slash"));
    }
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            0..=0x1f | 0x7f => return Err(ambiguous("a control byte in the path")),
            b'\\' => return Err(ambiguous("a backslash in the path")),
            b' ' | b'"' | b'<' | b'>' | b'^' | b'{' | b'|' | b'}' | b'`' | b'#' | b'?' => {
                return Err(ambiguous(format!("the byte {:?} unescaped in the path", char::from(byte))));
            }
            0x80.. => return Err(ambiguous("a byte outside ASCII unescaped in the path")),
            b'%' => {
                let escape = bytes.get(at + 1..at + 3).unwrap_or_default();
                if escape.len() < 2 || !escape.iter().all(u8::is_ascii_hexdigit) {
                    return Err(ambiguous("a broken percent-escape in the path"));
                }
            }
            _ => {}
        }
    }
    decode::refuse_dots(path)
}

/// The readings found so far.
struct Found(Vec<Reading>);

impl Found {
    /// Adds the readings of `path` under one choice: one for each layer of encoding, its parameters cut before the
    /// layer is decoded, after it, both or neither, since a path may pass through several servers.
    fn read(&mut self, path: &str, choice: Choice, seen: &mut Seen) -> Result<(), Rejection> {
        let mut texts: Vec<Vec<u8>> = std::iter::once(path.as_bytes().to_vec()).collect();
        texts.extend(decode::cut_parameters(path.as_bytes()));
        for layer in 0..=MOST_LAYERS {
            let mut next: Vec<Vec<u8>> = Vec::new();
            for text in &texts {
                let Some(decoded) = choice.decode(text, seen)? else {
                    if layer == 0 {
                        self.add_with_slashes(&decode::text(text)?, false)?;
                    }
                    continue;
                };
                let cut = decode::cut_parameters(&decoded);
                for one in std::iter::once(decoded).chain(cut) {
                    if !next.contains(&one) {
                        self.add_with_slashes(&decode::text(&one)?, false)?;
                        next.push(one);
                    }
                }
            }
            if next.is_empty() {
                return Ok(());
            }
            texts = next;
        }
        Err(ambiguous("the path is percent-encoded more than five times over"))
    }

    /// The undecoded path is a reading too, but one that can only add a guard.
    fn undecoded(&mut self, path: &str) -> Result<(), Rejection> {
        if !path.contains('%') {
            return Ok(());
        }
        self.add_with_slashes(path, true)?;
        match decode::cut_parameters(path.as_bytes()) {
            Some(cut) => self.add_with_slashes(&decode::text(&cut)?, true),
            None => Ok(()),
        }
    }

    /// Adds a reading with its doubled slashes kept and merged, and a leading `//name` kept and dropped as an
    /// authority.
    fn add_with_slashes(&mut self, text: &str, guards_only: bool) -> Result<(), Rejection> {
        self.add(text, guards_only)?;
        if !text.contains("//") {
            return Ok(());
        }
        self.add(&merge_slashes(text), guards_only)?;
        if text.starts_with("//") {
            let named = text.trim_start_matches('/');
            let rest = named.find('/').and_then(|at| named.get(at..)).unwrap_or("/");
            self.add(rest, guards_only)?;
            self.add(&merge_slashes(rest), guards_only)?;
        }
        Ok(())
    }

    fn add(&mut self, text: &str, guards_only: bool) -> Result<(), Rejection> {
        if let Some(known) = self.0.iter_mut().find(|reading| *reading.text == *text) {
            known.guards_only &= guards_only;
            return Ok(());
        }
        if self.0.len() == MOST_READINGS {
            return Err(ambiguous("the path can be read in more than 64 ways"));
        }
        self.0.push(Reading { text: text.into(), guards_only });
        Ok(())
    }
}

fn merge_slashes(text: &str) -> Cow<'_, str> {
    if !text.contains("//") {
        return Cow::Borrowed(text);
    }
    let mut merged = String::with_capacity(text.len());
    for character in text.chars() {
        if character != '/' || !merged.ends_with('/') {
            merged.push(character);
        }
    }
    Cow::Owned(merged)
}

#[cfg(test)]
mod tests;
