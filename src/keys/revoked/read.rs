//! From bytes to a list of what was taken back. Which kind of list it is shows in them.
//!
//! A list is taken whole or not at all: a line that cannot be read may be the very one that matters.

use std::str;

use super::{lines, token};
use crate::decision::keys::IssuerSlot;
use crate::decision::rejection::Rejection;
use crate::decision::revocation::{DenyList, List};
use crate::keys::fetch::FetchError;
use crate::time::UnixSeconds;

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ListError {
    /// The file cannot be read, or is none.
    #[error("it cannot be read: {0}")]
    File(String),
    /// It could not be fetched.
    #[error("it cannot be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// It is larger than what is taken.
    #[error("it is bigger than 64 MiB")]
    Large,
    /// It holds what no text does.
    #[error("it is no UTF-8 text")]
    NoText,
    /// A line of a deny list.
    #[error("line {line}: {problem}")]
    Line {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A status list token that is not of the form of its standard.
    #[error("it is no status list token: {0}")]
    Token(String),
    /// A status list token that its issuer did not sign, as far as its keys are known.
    #[error("the issuer did not sign this status list token: {0}")]
    Unsigned(Rejection),
    /// The reader is no longer there.
    #[error("it could not be read to its end")]
    Lost,
}

/// What a list is read for.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    /// Whose tokens it speaks of, with the keys that sign a status list.
    pub(super) slot: IssuerSlot,
    /// What a status list calls itself; `None`: it was not fetched, and may call itself anything.
    pub(super) uri: Option<Box<str>>,
    /// When.
    pub(super) now: UnixSeconds,
}

impl Reader {
    /// Reads a list.
    pub(super) fn read(&self, bytes: &[u8]) -> Result<List, ListError> {
        let text = str::from_utf8(bytes).map_err(|_| ListError::NoText)?;
        let trimmed = text.trim();
        if is_token(trimmed) {
            return token::read(trimmed, self).map(List::Status);
        }
        let mut broken = None;
        let good = lines::entries(text).map_while(|entry| entry.map_err(|error| broken = Some(error)).ok());
        let list = DenyList::new(good, self.slot.issuer.leeway, self.now);
        broken.map_or(Ok(List::Deny(list)), Err)
    }
}

/// Whether a text looks like a compact JWS, which no line of JSON does.
fn is_token(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.bytes().all(letter) && text.bytes().filter(|byte| *byte == b'.').count() == 2
}
