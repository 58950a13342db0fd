//! A path as a route names it.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::super::path::{letters, trim};
use super::super::policy::wildcard_matches;

/// Segments of literals, `*` and at the end `**`, written decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    pub(super) segments: Vec<Segment>,
    /// It ends in `**`.
    pub(super) deep: bool,
    /// For each segment how specific it is; less is more.
    pub(super) ranks: Arc<[u32]>,
}

/// One segment of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    Literal(Box<str>),
    /// Text around one or more `*`.
    Partial(Partial),
    /// `*`: one segment that is not empty.
    Any,
}

/// Text around one or more `*`, as written and folded for guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) written: Box<str>,
    pub(super) folded: Box<str>,
    /// The same with any suffix (`.json`).
    suffixed: Box<str>,
    /// Bytes of `folded` before the first `*`.
    start: usize,
}

/// What is wrong with a pattern, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct PatternError {
    /// What was found and what to write instead.
    pub problem: String,
    /// The byte of the pattern at which it stands.
    pub at: usize,
}

impl Pattern {
    /// Reads a pattern. `exact` says that it belongs to an exemption, whose literals are ASCII.
    ///
    /// # Errors
    /// Where it is not a path of literals, `*` and a final `**`.
    pub fn parse(text: &str, exact: bool) -> Result<Self, PatternError> {
        let wrong = |at: usize, problem: &str| Err(PatternError { problem: problem.to_owned(), at });
        let Some(path) = text.strip_prefix('/') else {
            return wrong(0, "a path begins with `/`");
        };
        for (at, character) in text.char_indices() {
            match character {
                '?' => return wrong(at, "the query plays no part in routing: leave out everything from the `?` on"),
                '#' => return wrong(at, "a fragment is never sent to a server: leave out everything from the `#` on"),
                ';' => return wrong(at, "parameters after `;` are judged by themselves: leave out the `;` part"),
                '\\' => return wrong(at, "a path separates its segments by `/`"),
                _ if character.is_control() => return wrong(at, "a path holds no control characters"),
                _ if exact && !character.is_ascii() => {
                    return wrong(at, "the path of an open route is ASCII; guards may hold any character");
                }
                _ => {}
            }
        }
        let (mut segments, mut deep) = (Vec::new(), false);
        let mut at = 1;
        for segment in path.split('/') {
            if deep {
                return wrong(at, "`**` stands for any number of segments and can only be the last");
            }
            match segment {
                "" if path.is_empty() => {}
                "" => return wrong(at, "an empty segment: write one `/`, and none at the end"),
                "." | ".." => return wrong(at, "dot segments are refused in requests and have no meaning here"),
                "**" => deep = true,
                "*" => segments.push(Segment::Any),
                partial if partial.contains("**") => {
                    return wrong(at, "`**` stands alone in its segment; within a segment write `*`");
                }
                partial if partial.contains('*') => segments.push(Segment::Partial(Partial::new(partial))),
                literal => segments.push(Segment::Literal(literal.into())),
            }
            at += segment.len() + 1;
        }
        let ranks = segments.iter().map(Segment::rank).chain(deep.then_some(u32::MAX)).collect();
        Ok(Self { text: text.into(), segments, deep, ranks })
    }

    /// As the config writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// As guards compare it: two patterns of one folded text are one to them.
    pub fn folded(&self) -> String {
        let fold = |segment: &Segment| match segment {
            Segment::Literal(literal) => format!("/{}", super::super::path::fold(literal)),
            Segment::Partial(partial) => format!("/{}", partial.folded),
            Segment::Any => "/*".to_owned(),
        };
        self.segments.iter().map(fold).chain(self.deep.then(|| "/**".to_owned())).collect()
    }

    /// Whether the path is exactly what this pattern says, letter for letter: how an exemption matches.
    pub(super) fn matches_exactly(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        if self.segments.is_empty() && !self.deep {
            return path.is_empty();
        }
        let mut rest = path.split('/');
        for segment in &self.segments {
            let Some(found) = rest.next() else { return false };
            let fits = match segment {
                Segment::Literal(literal) => found == &**literal,
                Segment::Partial(partial) => wildcard_matches(&partial.written, found),
                Segment::Any => !found.is_empty(),
            };
            if !fits {
                return false;
            }
        }
        self.deep || rest.next().is_none()
    }
}

impl Segment {
    /// Literal before partly literal before `*` before `**`; of two that are partly literal, the one with more letters.
    fn rank(&self) -> u32 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Partial(partial) => {
                let letters = partial.folded.chars().filter(|character| *character != '*').count();
                u32::MAX - 2 - u32::try_from(letters).unwrap_or(u32::MAX - 3).min(u32::MAX - 3)
            }
            Segment::Any => u32::MAX - 1,
        }
    }
}

impl Partial {
    fn new(written: &str) -> Self {
        let letters = letters(written);
        let folded = trim(&letters);
        let start = folded.find('*').unwrap_or(folded.len());
        Self { written: written.into(), folded: folded.into(), suffixed: format!("{folded}.*").into(), start }
    }

    /// Whether a segment fits as guards match: `Some(true)` with a suffix (`.json`) that the pattern does not name.
    pub(super) fn fits(&self, name: &Name<'_>) -> Option<bool> {
        // A dot at the end of a segment counts for nothing, unless the pattern names it.
        let (letters, trimmed) = (&*name.letters, name.trimmed());
        // Among thousands of siblings nearly all are told apart by how they begin.
        let start = self.start();
        if !(trimmed.starts_with(start) || letters.starts_with(start) || name.squeezed.starts_with(start)) {
            return None;
        }
        if wildcard_matches(&self.folded, letters) || wildcard_matches(&self.folded, trimmed) {
            return Some(false);
        }
        wildcard_matches(&self.suffixed, &name.squeezed).then_some(true)
    }

    /// What stands before the first `*`, folded.
    pub(super) fn start(&self) -> &str {
        self.folded.get(..self.start).unwrap_or_default()
    }

    /// Whether some segment could fit both.
    pub(super) fn overlaps(&self, other: &Partial) -> bool {
        // Nearly all pairs differ in how they begin.
        let (own, against) = (self.start(), other.start());
        let alike = own.starts_with(against) || against.starts_with(own);
        alike && overlap(self.folded.as_bytes(), other.folded.as_bytes())
    }
}

/// A segment of a request in the forms in which partly literal segments are compared with it.
pub(super) struct Name<'s> {
    letters: Cow<'s, str>,
    /// Where in them stands what is left without the blanks around and the dots behind.
    trimmed: Range<usize>,
    /// Without the blanks around it, and without those and other dots before any dot.
    squeezed: String,
}

impl<'s> Name<'s> {
    pub(super) fn of(segment: &'s str) -> Self {
        let letters = letters(segment);
        let mut squeezed = String::with_capacity(letters.len());
        for character in letters.trim().chars() {
            if character == '.' {
                squeezed.truncate(trim(&squeezed).len());
            }
            squeezed.push(character);
        }
        let start = letters.len() - letters.trim_start().len();
        let trimmed = start..start + trim(&letters).len();
        Self { letters, trimmed, squeezed }
    }

    fn trimmed(&self) -> &str {
        self.letters.get(self.trimmed.clone()).unwrap_or_default()
    }
}

/// Whether two wildcard texts have a text in common: whether they can be walked along together to the end, a `*` of
/// either standing still while the other moves on.
fn overlap(a: &[u8], b: &[u8]) -> bool {
    // For each place in `b` whether it can be reached together with the current place in `a`.
    let spread = |row: &mut Vec<bool>, star: bool| {
        let mut before = false;
        for (at, here) in row.iter_mut().enumerate() {
            let moved = star || at.checked_sub(1).and_then(|at| b.get(at)) == Some(&b'*');
            *here |= before && moved;
            before = *here;
        }
    };
    let mut row: Vec<bool> = (0..=b.len()).map(|at| at == 0).collect();
    spread(&mut row, a.first() == Some(&b'*'));
    for (at, &letter) in a.iter().enumerate() {
        let mut next = vec![false; row.len()];
        for (to, _) in row.iter().enumerate().filter(|(_, reached)| **reached) {
            let stays = letter == b'*' || b.get(to) == Some(&b'*');
            let meets = letter != b'*' && b.get(to) == Some(&letter);
            if let Some(place) = next.get_mut(to).filter(|_| stays) {
                *place = true;
            }
            if let Some(place) = next.get_mut(to + 1).filter(|_| meets) {
                *place = true;
            }
        }
        spread(&mut next, a.get(at + 1) == Some(&b'*'));
        row = next;
    }
    row.last() == Some(&true)
}
