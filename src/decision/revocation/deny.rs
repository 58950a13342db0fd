//! A list that names what was taken back: single tokens, all older tokens of a subject, all tokens of a key.
//!
//! An entry goes when the last token it could speak of has ended. Until then it stays even if the clock says otherwise for
//! a while: what is past comes again when a clock is set back.

use std::collections::HashMap;

use crate::time::UnixSeconds;

/// How long an entry is kept beyond its end, in seconds: a clock that was set back by less finds it again.
const SLACK: f64 = 3600.0;

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// What was taken back.
    pub mark: Mark,
    /// When the last token it speaks of ends; `None`: never.
    pub expires: Option<UnixSeconds>,
}

/// What an entry speaks of.
#[derive(Clone, Debug, PartialEq)]
pub enum Mark {
    /// The token of that id (`jti`).
    Token(Box<str>),
    /// Every token of that subject that was not issued at that moment or later, or does not say when it was.
    Subject {
        /// Whom the tokens speak for.
        subject: Box<str>,
        /// The moment.
        before: UnixSeconds,
    },
    /// Every token that the key of that name signed.
    Key(Box<str>),
}

/// By what a token is found in a list.
#[derive(Clone, Copy, Debug)]
pub struct Marks<'t> {
    /// Its id.
    pub token: Option<&'t str>,
    /// Whom it speaks for.
    pub subject: &'t str,
    /// When it was issued.
    pub issued_at: Option<UnixSeconds>,
    /// The key that signed it.
    pub key: Option<&'t str>,
}

/// When an entry ends; `None`: never.
type End = Option<UnixSeconds>;

/// A list of what was taken back.
#[derive(Debug, Default)]
pub struct DenyList {
    tokens: HashMap<Box<str>, End>,
    /// For each subject moments, the latest first, with ends that come later and later: of two entries the one with the
    /// earlier moment says more only if it ends later.
    subjects: HashMap<Box<str>, Vec<(UnixSeconds, End)>>,
    keys: HashMap<Box<str>, End>,
}

impl DenyList {
    /// A list of these entries without those that ended long before `now`. `leeway` is how many seconds tokens may outlive
    /// their end.
    pub fn new(entries: impl IntoIterator<Item = Entry>, leeway: f64, now: UnixSeconds) -> Self {
        let mut list = Self::default();
        for Entry { mark, expires } in entries {
            if !holds(expires, leeway + SLACK, now) {
                continue;
            }
            match mark {
                Mark::Token(id) => keep(&mut list.tokens, id, expires),
                Mark::Key(id) => keep(&mut list.keys, id, expires),
                Mark::Subject { subject, before } => list.subjects.entry(subject).or_default().push((before, expires)),
            }
        }
        list.subjects.values_mut().for_each(thin);
        list
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.keys.len() + self.subjects.values().map(Vec::len).sum::<usize>()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.keys.is_empty() && self.subjects.is_empty()
    }

    /// The entry that takes the token back, in words; `None`: there is none.
    pub fn hit(&self, marks: &Marks<'_>, leeway: f64, now: UnixSeconds) -> Option<String> {
        let named = |entries: &HashMap<Box<str>, End>, name: Option<&str>| {
            name.and_then(|name| entries.get(name)).is_some_and(|end| holds(*end, leeway, now))
        };
        if named(&self.tokens, marks.token) {
            return Some(format!("the token of jti {:?} was revoked", marks.token.unwrap_or_default()));
        }
        if named(&self.keys, marks.key) {
            return Some(format!("every token of kid {:?} was revoked", marks.key.unwrap_or_default()));
        }
        let older = |before: UnixSeconds| marks.issued_at.is_none_or(|issued| issued < before);
        let entries = self.subjects.get(marks.subject)?;
        // Of all entries that speak of the token, the last is the one that ends last.
        let speaking = entries.partition_point(|(before, _)| older(*before));
        let (before, end) = entries.get(speaking.checked_sub(1)?)?;
        if !holds(*end, leeway, now) {
            return None;
        }
        let issued = match marks.issued_at {
            Some(issued) => format!("this one was at {issued}"),
            None => "this one does not say when it was".to_owned(),
        };
        Some(format!("tokens of {:?} issued before {before} were revoked, and {issued}", marks.subject))
    }
}

/// Whether an entry still counts.
fn holds(end: End, leeway: f64, now: UnixSeconds) -> bool {
    end.is_none_or(|end| now < end.plus(leeway))
}

/// Of two entries for one name, the one that ends later counts.
fn keep(entries: &mut HashMap<Box<str>, End>, name: Box<str>, end: End) {
    let kept = entries.entry(name).or_insert(end);
    if number(*kept) < number(end) {
        *kept = end;
    }
}

/// Puts the entries of a subject in order, without those that say nothing more than another.
fn thin(entries: &mut Vec<(UnixSeconds, End)>) {
    let order = |(before, end): &(UnixSeconds, End)| (before.seconds(), number(*end));
    entries.sort_by(|one, other| {
        let ((before, end), (other_before, other_end)) = (order(one), order(other));
        other_before.total_cmp(&before).then(other_end.total_cmp(&end))
    });
    let mut latest = f64::NEG_INFINITY;
    entries.retain(|(_, end)| {
        let says_more = number(*end) > latest;
        latest = latest.max(number(*end));
        says_more
    });
    entries.shrink_to_fit();
}

/// An end as a number, to compare it.
fn number(end: End) -> f64 {
    end.map_or(f64::INFINITY, UnixSeconds::seconds)
}
