//! Which parts of a file may be shown to whoever reads a complaint.
//!
//! Works on words, not on the tree, since it is needed most where the file is broken and there is no tree. Nothing is
//! shown by default: a value is shown where its key is known to hold no secret (`known`), a key where a value follows
//! it. Comments, what follows a whole value, and everything whose place is unclear are hidden. When in doubt a good line
//! is hidden; the other way round is the danger.

use std::borrow::Cow;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use super::known;

/// Deeper brackets than any good file has; below them everything is hidden.
const DEEPEST: usize = 32;
/// Bytes in which a key and the beginning of its value must stand to be shown.
const FARTHEST: usize = 256;

/// Tells the pieces of `text` up to the byte `end`, each with whether it may be shown. Outside of the windows, which
/// come in order of their beginnings, everything is told to be hidden.
pub(super) fn pieces(text: &str, windows: &[Range<usize>], end: usize, told: &mut dyn FnMut(Range<usize>, bool)) {
    let widest = windows.iter().map(Range::len).max().unwrap_or(0);
    let (header, path, open) = (Vec::new(), Vec::new(), Vec::new());
    let mut walk = Walk { text, windows, widest, told, header, path, open, slot: Slot::Key };
    let mut at = 0;
    while at < end {
        at = walk.step(at);
    }
}

/// A word of a file.
#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) kind: TokenKind,
    pub(super) span: Range<usize>,
}

/// The word that begins at a byte.
pub(super) fn word(text: &str, at: usize) -> Word {
    match text.get(at..).and_then(|rest| Source::new(rest).lex().next()) {
        Some(token) => {
            // Past a byte order mark the lexer begins behind it.
            let end = at + token.span().end();
            Word { kind: token.kind(), span: at..end }
        }
        None => Word { kind: TokenKind::Eof, span: at..at },
    }
}

/// An open bracket.
#[derive(Clone, Copy, Debug)]
struct Open {
    list: bool,
    /// How much of the path belongs to what is around it.
    depth: usize,
}

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// A key, or the header of a table.
    Key,
    /// A value.
    Value,
    /// More of a value without quotes, no blank between.
    More,
    /// Nothing but the end of the line, a comma or a closing bracket.
    End,
}

struct Walk<'t, 'w> {
    text: &'t str,
    windows: &'w [Range<usize>],
    /// Bytes of the widest window.
    widest: usize,
    told: &'w mut dyn FnMut(Range<usize>, bool),
    /// The keys of the table that the last header named.
    header: Vec<String>,
    /// The keys from the header down to what is read.
    path: Vec<String>,
    open: Vec<Open>,
    slot: Slot,
}

impl Walk<'_, '_> {
    /// Tells of the next word or words, and gives the byte behind them.
    fn step(&mut self, at: usize) -> usize {
        let word = word(self.text, at);
        let plain = match word.kind {
            TokenKind::Eof => return self.text.len().max(at + 1),
            TokenKind::Comment => {
                let blank = self.text.get(at + 1..).is_some_and(|rest| rest.starts_with(' '));
                let text = at + 1 + usize::from(blank);
                (self.told)(at..text, true);
                (self.told)(text..word.span.end, false);
                return word.span.end;
            }
            TokenKind::Newline => {
                self.new_line(word.span.end);
                true
            }
            TokenKind::Whitespace => {
                if self.slot == Slot::More {
                    self.slot = Slot::End;
                }
                true
            }
            _ if self.open.len() > DEEPEST => {
                self.bracket(word.kind);
                false
            }
            _ if self.slot == Slot::Key => return self.key(&word),
            _ => return self.value(&word),
        };
        (self.told)(word.span.clone(), plain);
        word.span.end
    }

    /// A line begins. One that looks like a statement or a header is one, also where a bracket was left open.
    fn new_line(&mut self, at: usize) {
        let broken = self.open.last().is_none_or(|open| begins_anew(self.text, at, open.list));
        if broken {
            self.open.clear();
            self.path.truncate(self.header.len());
            self.slot = Slot::Key;
        }
    }

    /// Where a key should be: tells of it as far as its value.
    fn key(&mut self, first: &Word) -> usize {
        match first.kind {
            TokenKind::LeftSquareBracket if self.open.is_empty() => return self.header(first.span.start),
            TokenKind::RightCurlyBracket | TokenKind::Comma => {
                self.bracket(first.kind);
                (self.told)(first.span.clone(), true);
                return first.span.end;
            }
            _ => {}
        }
        let found = keys(self.text, first.span.start);
        let Some(found) = found.filter(|found| self.is_shown_key(found)) else {
            if self.open.is_empty() {
                self.slot = Slot::End;
            }
            (self.told)(first.span.clone(), false);
            return first.span.end;
        };
        let plain = self.text.get(first.span.start..found.end).is_some_and(is_plain_key);
        let hidden = (known::hides(&self.path) || !plain) && !known::is(&self.with(&found.names));
        (self.told)(first.span.start..found.end, !hidden);
        self.path.extend(found.names);
        self.slot = Slot::Value;
        found.end
    }

    /// A key that is followed by a value, or one that is known where it stands.
    fn is_shown_key(&self, found: &Keys) -> bool {
        (found.assigned && found.valued) || known::is_word(&self.with(&found.names))
    }

    fn with(&self, names: &[String]) -> Vec<String> {
        self.path.iter().chain(names).cloned().collect()
    }

    /// The header of a table, up to the end of its names.
    fn header(&mut self, at: usize) -> usize {
        let mut end = at;
        let mut names: Vec<String> = Vec::new();
        let (mut wanted, mut closed) = (true, false);
        loop {
            let word = word(self.text, end);
            match word.kind {
                _ if word.span.end - at > FARTHEST => break,
                TokenKind::RightSquareBracket => closed = true,
                _ if closed => break,
                TokenKind::LeftSquareBracket | TokenKind::Whitespace => {}
                TokenKind::Dot => wanted = true,
                _ if !wanted => break,
                TokenKind::Atom => names.push(plain(self.text, &word).into_owned()),
                // Text in quotes is a name below a table of this program, and may be anything elsewhere.
                TokenKind::BasicString | TokenKind::LiteralString
                    if known::is(&names) && !names.is_empty() && self.is_name(&word) =>
                {
                    names.push(plain(self.text, &word).into_owned());
                }
                _ => break,
            }
            wanted =
                matches!(word.kind, TokenKind::LeftSquareBracket | TokenKind::Whitespace | TokenKind::Dot) && wanted;
            end = word.span.end;
        }
        let end = end.max(at + 1);
        (self.told)(at..end, true);
        self.header.clone_from(&names);
        self.path = names;
        self.slot = Slot::End;
        end
    }

    /// Whether a name in quotes is no more than one.
    fn is_name(&self, word: &Word) -> bool {
        self.text.get(word.span.clone()).is_some_and(|raw| !raw.contains('='))
    }

    /// Where a value should be.
    fn value(&mut self, word: &Word) -> usize {
        let span = word.span.clone();
        match word.kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket if self.slot == Slot::Value => {
                self.bracket(word.kind);
                (self.told)(span.clone(), true);
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket | TokenKind::Comma
                if !self.open.is_empty() =>
            {
                self.bracket(word.kind);
                (self.told)(span.clone(), true);
            }
            TokenKind::Equals if self.slot == Slot::Value => (self.told)(span.clone(), true),
            TokenKind::Atom | TokenKind::Dot if self.slot != Slot::End => {
                self.slot = Slot::More;
                let raw = self.text.get(span.clone()).unwrap_or_default();
                let rest = raw.split_once("://").map_or(raw, |(_, rest)| rest);
                let address = raw.contains(':') && !rest.starts_with("unix:");
                let clear = !raw.contains('@') && (!address || is_authority(rest));
                let shown = clear && self.looked_at(&span) && known::shows(&self.path);
                (self.told)(span.clone(), shown);
            }
            TokenKind::BasicString | TokenKind::LiteralString if self.slot == Slot::Value => {
                self.slot = Slot::End;
                self.quoted(word);
            }
            TokenKind::MlBasicString | TokenKind::MlLiteralString if self.slot == Slot::Value => {
                self.slot = Slot::End;
                let quotes = span.start..(span.start + 3).min(span.end);
                (self.told)(quotes.clone(), true);
                (self.told)(quotes.end..span.end, false);
            }
            _ => {
                self.slot = Slot::End;
                (self.told)(span.clone(), false);
            }
        }
        span.end
    }

    /// Whether anyone asks for this place.
    fn looked_at(&self, span: &Range<usize>) -> bool {
        let before = self.windows.partition_point(|window| window.start < span.end);
        let near = self.windows.iter().take(before).rev();
        near.take_while(|window| span.start < window.start + self.widest).any(|window| span.start < window.end)
    }

    /// A text in quotes, on one line.
    fn quoted(&mut self, word: &Word) {
        let span = word.span.clone();
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let quote = raw.chars().next().unwrap_or_default();
        let closed = raw.len() > 1 && raw.ends_with(quote) && !raw.ends_with("\\\"");
        let inner = span.start + 1..if closed { span.end - 1 } else { span.end };
        (self.told)(span.start..inner.start, true);
        let mut told = inner.start;
        if self.looked_at(&span) && (known::shows(&self.path) || known::is_free(&self.path)) {
            for shown in self.shown_parts(word, &inner, closed) {
                (self.told)(told..shown.start, false);
                (self.told)(shown.clone(), true);
                told = shown.end;
            }
        }
        (self.told)(told..inner.end, false);
        (self.told)(inner.end..span.end, true);
    }

    /// The parts of a text that may be shown although its key holds no secret: no user of a URL, no query, no key in
    /// PEM, nothing that a missing quote made part of the text.
    fn shown_parts(&self, word: &Word, inner: &Range<usize>, closed: bool) -> [Range<usize>; 2] {
        let raw = self.text.get(inner.clone()).unwrap_or_default();
        let value = plain(self.text, word);
        let none = || inner.start..inner.start;
        let free = known::is_free(&self.path);
        // A comment, or another setting.
        let swallowed = raw.contains('#') || (raw.contains('=') && !free);
        let disguised = value.contains('@') && !raw.contains('@');
        if swallowed || disguised || value.contains("-----BEGIN") || (!closed && raw.contains('@')) {
            return [none(), none()];
        }
        let from = |at: usize| inner.start + at;
        let host = raw.find("://").map(|at| at + 3);
        let unclear = |host: &usize| !raw.contains('@') && !is_authority(raw.get(*host..).unwrap_or_default());
        if let Some(host) = host.filter(unclear) {
            // What remains of a user and a password where the `@` is lost.
            return [none(), inner.start..from(host)];
        }
        if !closed {
            let end = raw.find(|letter: char| !letter.is_ascii_alphanumeric() && !"./:*-_[]".contains(letter));
            return [none(), inner.start..from(end.unwrap_or(raw.len()))];
        }
        if free {
            return [none(), inner.clone()];
        }
        let query = match known::is_request(&self.path) {
            true => raw.find('?'),
            false => host.and_then(|host| raw.get(host..)?.find('?').map(|at| host + at)),
        };
        let query = query.unwrap_or(raw.len());
        // Behind a blank, a comment may have slipped in.
        let blank = raw.find([' ', '\t']).filter(|_| !known::is_spaced(&self.path)).unwrap_or(raw.len());
        let query = query.min(blank);
        match raw.rfind('@') {
            None => [none(), inner.start..from(query)],
            Some(at) => {
                let scheme = host.filter(|host| *host < at).unwrap_or_default();
                [inner.start..from(scheme), from(at)..from(query.max(at))]
            }
        }
    }

    /// Opens or closes a bracket, or goes on behind a comma.
    fn bracket(&mut self, kind: TokenKind) {
        match kind {
            TokenKind::LeftSquareBracket | TokenKind::LeftCurlyBracket => {
                let list = kind == TokenKind::LeftSquareBracket;
                self.open.push(Open { list, depth: self.path.len() });
                self.slot = if list { Slot::Value } else { Slot::Key };
            }
            TokenKind::RightSquareBracket | TokenKind::RightCurlyBracket => {
                if let Some(open) = self.open.pop() {
                    self.path.truncate(open.depth);
                }
                self.slot = Slot::End;
            }
            TokenKind::Comma => {
                if let Some(open) = self.open.last() {
                    self.path.truncate(open.depth);
                    self.slot = if open.list { Slot::Value } else { Slot::Key };
                }
            }
            _ => {}
        }
    }
}

/// Whether a key is one that needs no quotes; others are unlikely to be meant as keys.
fn is_plain_key(key: &str) -> bool {
    key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_. \t:".contains(letter))
}

/// Whether what follows `://` begins with a host and perhaps a port, and nothing else.
fn is_authority(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(&byte)) => ("", port),
        Some(_) => return false,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte))
        && port.strip_prefix(':').unwrap_or(port).bytes().all(|byte| byte.is_ascii_digit() || byte == b'*')
}

/// Whether a line within brackets is so clearly a setting or a header that the brackets must have been left open.
pub(super) fn begins_anew(text: &str, line: usize, in_list: bool) -> bool {
    let rest = text.get(line..).unwrap_or_default();
    let start = line + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    is_header(text, start) || (in_list && keys(text, start).is_some_and(|found| found.assigned))
}

/// Whether a table that is known at the top of a file is opened here.
fn is_header(text: &str, at: usize) -> bool {
    let rest = text.get(at..).unwrap_or_default();
    let Some(inner) = rest.strip_prefix("[[").or_else(|| rest.strip_prefix('[')) else { return false };
    let first: String = inner.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    known::is(&[first])
}

/// What stands where a key should be.
pub(super) struct Keys {
    pub(super) names: Vec<String>,
    /// The byte behind the names, and behind a `:` that was meant for `=`.
    pub(super) end: usize,
    /// Whether `=` or `:` follows.
    pub(super) assigned: bool,
    /// Whether a value follows it on the same line.
    valued: bool,
}

/// The dotted key at a byte, if there is one.
pub(super) fn keys(text: &str, at: usize) -> Option<Keys> {
    let mut names = Vec::new();
    let mut end = at;
    let mut next = at;
    let mut dotted = true;
    let mut assigned = false;
    loop {
        let word = word(text, next);
        if word.span.end - at > FARTHEST {
            return None;
        }
        next = word.span.end;
        match word.kind {
            TokenKind::Whitespace if !names.is_empty() => {}
            TokenKind::Dot if !dotted => dotted = true,
            TokenKind::Atom if text.get(word.span.clone()) == Some(":") && !names.is_empty() && !dotted => {
                (end, assigned) = (next, true);
                break;
            }
            TokenKind::Atom | TokenKind::BasicString | TokenKind::LiteralString if dotted => {
                let name = plain(text, &word);
                let bare = name.strip_suffix(':').filter(|_| word.kind == TokenKind::Atom);
                names.push(bare.unwrap_or(&name).to_owned());
                end = next;
                dotted = false;
                if bare.is_some() {
                    assigned = true;
                    break;
                }
            }
            TokenKind::Equals => {
                assigned = true;
                break;
            }
            _ => break,
        }
    }
    let value = std::iter::successors(Some(word(text, next)), |before| Some(word(text, before.span.end)))
        .find(|word| word.kind != TokenKind::Whitespace)?;
    let valued = !matches!(
        value.kind,
        TokenKind::Newline
            | TokenKind::Eof
            | TokenKind::Comment
            | TokenKind::Equals
            | TokenKind::Dot
            | TokenKind::Comma
            | TokenKind::RightSquareBracket
            | TokenKind::RightCurlyBracket
    );
    (!names.is_empty()).then_some(Keys { names, end, assigned, valued })
}

/// What a word says, without its quotes and escapes.
fn plain<'t>(text: &'t str, word: &Word) -> Cow<'t, str> {
    let raw = text.get(word.span.clone()).unwrap_or_default();
    let mut out = Cow::Borrowed("");
    let span = toml_parser::Span::new_unchecked(0, raw.len());
    match word.kind.encoding() {
        None => return Cow::Borrowed(raw),
        encoding => toml_parser::Raw::new_unchecked(raw, encoding, span).decode_key(&mut out, &mut ()),
    }
    out
}
