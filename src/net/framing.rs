//! Follows the boundaries of incoming HTTP/1 messages (RFC 9112) and finds what two servers could read in two ways.
//!
//! The parser above cleans up where a strict proxy must refuse: it drops a `Content-Length` that stands beside a
//! `Transfer-Encoding`, merges equal lengths, takes any last coding for the only one, ends a line at a bare LF and cuts
//! a `#fragment` off. What it hands on shows none of this, so the bytes are looked at here, before it sees them. Every
//! rule here is as strict as the parser's or stricter: where this sees a message end, so does the parser.

use std::fmt;

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderName, TRANSFER_ENCODING};
use memchr::{memchr, memchr_iter};

use crate::decision::rejection::{Code, Rejection};

/// The longest line that says how long a chunk is, extensions included.
const CHUNK_LINE: usize = 4096;
/// The longest body; the parser keeps the two lengths above it for itself.
const LONGEST_BODY: u64 = u64::MAX - 2;
/// Hexadecimal digits of the largest chunk: more do not fit 64 bits.
const CHUNK_DIGITS: usize = 16;

/// What is wrong with a request that the parser would take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Flaw {
    /// Its target has a `#fragment` (RFC 9112 section 3.2 permits none).
    Fragment = 1,
    /// A line ends in LF without CR.
    BareLf,
    /// A line begins with white space (RFC 9112 section 5.2).
    Folded,
    /// `Content-Length` twice, or a list of them.
    TwoLengths,
    /// `Content-Length` beside `Transfer-Encoding` (RFC 9112 section 6.3).
    LengthAndCoding,
    /// `Content-Length` that is no number.
    BadLength,
    /// `Transfer-Encoding` that is not `chunked` alone.
    BadCoding,
    /// `Transfer-Encoding` in HTTP/1.0.
    CodingInOld,
    /// A chunk whose line does not say its length.
    BadChunk,
    /// A trailer that is no field.
    BadTrailer,
    /// Larger than the limit.
    TooLarge,
}

impl Flaw {
    const ALL: [Flaw; 11] = [
        Flaw::Fragment,
        Flaw::BareLf,
        Flaw::Folded,
        Flaw::TwoLengths,
        Flaw::LengthAndCoding,
        Flaw::BadLength,
        Flaw::BadCoding,
        Flaw::CodingInOld,
        Flaw::BadChunk,
        Flaw::BadTrailer,
        Flaw::TooLarge,
    ];

    /// The flaw of this number; none has 0.
    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }
}

impl From<Flaw> for Rejection {
    fn from(flaw: Flaw) -> Self {
        let code = match flaw {
            Flaw::Fragment => Code::PathAmbiguous,
            Flaw::TooLarge => Code::HeadersTooLarge,
            _ => Code::RequestMalformed,
        };
        Rejection::new(code, flaw.to_string())
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Fragment => "a fragment in the target",
            Flaw::BareLf => "a line that ends in LF without CR",
            Flaw::Folded => "a line that begins with white space",
            Flaw::TwoLengths => "more than one Content-Length",
            Flaw::LengthAndCoding => "Content-Length beside Transfer-Encoding",
            Flaw::BadLength => "a Content-Length that is no number",
            Flaw::BadCoding => "a Transfer-Encoding other than chunked alone",
            Flaw::CodingInOld => "a Transfer-Encoding in HTTP/1.0",
            Flaw::BadChunk => "a chunk that does not say its length",
            Flaw::BadTrailer => "a trailer that is no field",
            Flaw::TooLarge => "a head larger than permitted",
        })
    }
}

impl std::error::Error for Flaw {}

/// Where in the stream of messages the peer is.
#[derive(Debug)]
pub(super) struct Framing {
    at: At,
    head: Head,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// Bytes of the head, or of the trailers, so far.
    size: usize,
    /// The most of them.
    limit: usize,
    /// Heads that have ended.
    heads: usize,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// A line of a head.
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The line that says how long a chunk is.
    ChunkLine,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// A line of trailers.
    Trailer,
    /// Nothing that matters: a flaw was found, or the connection is a tunnel.
    Over,
}

/// What the lines of a head have said so far.
#[derive(Clone, Copy, Debug, Default)]
struct Head {
    begun: bool,
    old: bool,
    length: Option<u64>,
    chunked: bool,
}

/// What [`Framing::feed`] found wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// In the head of this number, counted from 1. The parser may still hand it on: it is to be refused there.
    Head(usize, Flaw),
    /// In the body that the last head announced; so many bytes of those that were fed come before it.
    Body(usize, Flaw),
}

impl Framing {
    /// Before the first byte. A head may have `limit` bytes, and trailers as many.
    pub(super) fn new(limit: usize) -> Self {
        Self { at: At::Head, head: Head::default(), line: Vec::new(), size: 0, limit, heads: 0 }
    }

    /// Whether a head has begun and not ended. An empty line begins none: old clients send one behind a body.
    pub(super) fn in_head(&self) -> bool {
        self.at == At::Head && (self.head.begun || !self.line.is_empty())
    }

    /// The connection speaks something else from now on.
    pub(super) fn stop(&mut self) {
        self.at = At::Over;
        self.line = Vec::new();
    }

    /// Takes note of the next bytes.
    ///
    /// # Errors
    /// At the first fault. Whatever comes after it is not looked at.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut from = 0;
        while let Some(rest) = bytes.get(from..).filter(|rest| !rest.is_empty()) {
            match &mut self.at {
                At::Over => return Ok(()),
                At::Body(left) | At::Chunk(left) => {
                    let gone = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
                    *left -= gone as u64;
                    from += gone;
                    if *left == 0 {
                        self.at = if matches!(self.at, At::Body(_)) { At::Head } else { At::ChunkEnd };
                    }
                }
                At::Head | At::ChunkLine | At::ChunkEnd | At::Trailer => {
                    from += self.feed_lines(rest).map_err(|(before, flaw)| self.fault(from + before, flaw))?;
                }
            }
        }
        Ok(())
    }

    /// Takes lines off `bytes` as long as lines are due, and keeps the beginning of the last. Says how many bytes were
    /// taken.
    fn feed_lines(&mut self, bytes: &[u8]) -> Result<usize, (usize, Flaw)> {
        let mut from = 0;
        for end in memchr_iter(b'\n', bytes) {
            let piece = bytes.get(from..=end).unwrap_or_default();
            self.grow(piece).map_err(|flaw| (from, flaw))?;
            if !self.is_no_matter(piece) {
                self.end_line(piece).map_err(|flaw| (from, flaw))?;
            }
            from = end + 1;
            if matches!(self.at, At::Body(_) | At::Chunk(_)) {
                return Ok(from);
            }
        }
        let piece = bytes.get(from..).unwrap_or_default();
        if !piece.is_empty() {
            self.grow(piece).map_err(|flaw| (from, flaw))?;
            self.line.extend_from_slice(piece);
        }
        Ok(bytes.len())
    }

    /// Whether a whole line is a field that says nothing of where its message ends: nearly all are.
    #[inline]
    fn is_no_matter(&self, piece: &[u8]) -> bool {
        self.head.begun
            && self.line.is_empty()
            && piece.ends_with(b"\r\n")
            && !matches!(piece.first(), Some(b'c' | b'C' | b't' | b'T' | b' ' | b'\t' | b'\r'))
    }

    /// Counts more of a head, a chunk's line or trailers.
    #[inline]
    fn grow(&mut self, piece: &[u8]) -> Result<(), Flaw> {
        self.size += piece.len();
        let limit = if self.at == At::ChunkLine { CHUNK_LINE } else { self.limit };
        if self.size > limit { Err(Flaw::TooLarge) } else { Ok(()) }
    }

    /// Gives up at a flaw behind so many good bytes.
    fn fault(&mut self, before: usize, flaw: Flaw) -> Fault {
        let in_head = self.at == At::Head;
        self.stop();
        if in_head { Fault::Head(self.heads + 1, flaw) } else { Fault::Body(before, flaw) }
    }

    /// A line is whole, its end included.
    fn end_line(&mut self, piece: &[u8]) -> Result<(), Flaw> {
        if !self.line.is_empty() {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            return self.end_line(&line);
        }
        let line = piece.strip_suffix(b"\r\n").ok_or(Flaw::BareLf)?;
        let next = match self.at {
            At::Head if line.is_empty() && self.head.begun => self.end_head()?,
            At::Head => {
                self.head.take(line)?;
                return Ok(());
            }
            At::ChunkLine => match chunk_length(line).ok_or(Flaw::BadChunk)? {
                0 => At::Trailer,
                length => At::Chunk(length),
            },
            At::ChunkEnd if line.is_empty() => At::ChunkLine,
            At::ChunkEnd => return Err(Flaw::BadChunk),
            At::Trailer if line.is_empty() => At::Head,
            At::Trailer if is_field(line) => return Ok(()),
            At::Trailer => return Err(Flaw::BadTrailer),
            At::Body(_) | At::Chunk(_) | At::Over => return Ok(()),
        };
        self.at = next;
        self.size = 0;
        Ok(())
    }

    /// A head is whole; says what follows it.
    fn end_head(&mut self) -> Result<At, Flaw> {
        let head = std::mem::take(&mut self.head);
        if head.chunked && head.length.is_some() {
            return Err(Flaw::LengthAndCoding);
        }
        if head.chunked && head.old {
            return Err(Flaw::CodingInOld);
        }
        self.heads += 1;
        Ok(match head.length {
            _ if head.chunked => At::ChunkLine,
            None | Some(0) => At::Head,
            Some(length) => At::Body(length),
        })
    }
}

impl Head {
    /// Takes note of a line other than the empty one at the end.
    fn take(&mut self, line: &[u8]) -> Result<(), Flaw> {
        if !self.begun {
            // Empty lines before a request are skipped by the parser too (RFC 9112 section 2.2).
            self.begun = !line.is_empty();
            self.old = line.ends_with(b" HTTP/1.0");
            return if memchr(b'#', line).is_some() { Err(Flaw::Fragment) } else { Ok(()) };
        }
        match line.first() {
            Some(b' ' | b'\t') => Err(Flaw::Folded),
            Some(b'c' | b'C') => match value_of(b"content-length", line) {
                Some(value) => self.take_length(value),
                None => Ok(()),
            },
            Some(b't' | b'T') => match value_of(b"transfer-encoding", line) {
                Some(value) => self.take_coding(value),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn take_length(&mut self, value: &[u8]) -> Result<(), Flaw> {
        if self.length.is_some() {
            return Err(Flaw::TwoLengths);
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(if value.contains(&b',') { Flaw::TwoLengths } else { Flaw::BadLength });
        }
        let digits = std::str::from_utf8(value).map_err(|_| Flaw::BadLength)?;
        let length = digits.parse().ok().filter(|length| *length <= LONGEST_BODY);
        self.length = Some(length.ok_or(Flaw::BadLength)?);
        Ok(())
    }

    fn take_coding(&mut self, value: &[u8]) -> Result<(), Flaw> {
        if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Flaw::BadCoding);
        }
        self.chunked = true;
        Ok(())
    }
}

/// Looks at fields that did not come in by a socket as at those that did: how long is the body?
///
/// # Errors
/// What two servers could read in two ways.
pub fn check_length(fields: &HeaderMap) -> Result<(), Flaw> {
    let mut head = Head::default();
    for value in fields.get_all(CONTENT_LENGTH) {
        head.take_length(value.as_bytes().trim_ascii())?;
    }
    for value in fields.get_all(TRANSFER_ENCODING) {
        head.take_coding(value.as_bytes().trim_ascii())?;
    }
    if head.chunked && head.length.is_some() { Err(Flaw::LengthAndCoding) } else { Ok(()) }
}

/// The value of a field, if `line` is one of this name. A name with white space before the colon is no name; the
/// parser refuses it.
fn value_of<'l>(name: &[u8], line: &'l [u8]) -> Option<&'l [u8]> {
    let (own, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    own.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

/// The length that a chunk's line says; extensions are cut off (RFC 9112 section 7.1.1).
fn chunk_length(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let (size, rest) = line.split_at_checked(digits)?;
    if size.is_empty() || size.len() > CHUNK_DIGITS {
        return None;
    }
    if !rest.is_empty() && (!rest.trim_ascii_start().starts_with(b";") || rest.contains(&b'\r')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// Whether a line has the form of a field (RFC 9112 section 5).
fn is_field(line: &[u8]) -> bool {
    let Some((name, value)) = memchr(b':', line).and_then(|at| line.split_at_checked(at)) else { return false };
    HeaderName::from_bytes(name).is_ok() && !value.contains(&b'\r')
}

#[cfg(test)]
mod tests;
