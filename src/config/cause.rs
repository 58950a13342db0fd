//! What probably caused an error of the TOML parser, in plain words.
//!
//! The parser says what it expected where it stopped. A person wants to know what is wrong, which mostly can be seen from
//! the line: YAML, curly quotes, a path of Windows, a missing `=`. Words of the file are never repeated, but keys that are
//! known: the line may hold a secret.

use std::ops::Range;

use super::{known, veil};

/// A likely cause.
#[derive(Debug)]
pub(super) struct Cause {
    /// What is meant.
    pub(super) span: Range<usize>,
    pub(super) problem: String,
    pub(super) advice: String,
}

/// Text without quotes, in the words of the parser.
const QUOTE: &str = "put text, durations, sizes and addresses in quotes";
/// Quotes that word processors and chats make of straight ones.
const CURLY: [char; 8] = ['“', '”', '„', '‟', '‘', '’', '«', '»'];

/// An error and the line in which it stands.
struct Case<'t> {
    text: &'t str,
    span: Range<usize>,
    message: &'t str,
    /// The bytes of the line.
    line: Range<usize>,
}

/// The likely cause of an error at `span`.
pub(super) fn of(text: &str, span: &Range<usize>, message: &str) -> Cause {
    let at = span.start.min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
    let case = Case { text, span: at..span.end.clamp(at, text.len()), message, line: start..end };
    case.of_letters()
        .or_else(|| case.of_other_formats())
        .or_else(|| case.of_headers())
        .or_else(|| case.of_values())
        .or_else(|| case.of_keys())
        .or_else(|| case.of_rests())
        .unwrap_or_else(|| {
            cause(case.span.clone(), &format!("TOML: {message}"), "write settings as KEY = VALUE, one a line")
        })
}

fn cause(span: Range<usize>, problem: &str, advice: &str) -> Cause {
    Cause { span, problem: problem.to_owned(), advice: advice.to_owned() }
}

impl<'t> Case<'t> {
    fn line(&self) -> &'t str {
        self.text.get(self.line.clone()).unwrap_or_default()
    }

    fn says(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.message.starts_with(word))
    }

    /// The first byte of the line that is no blank.
    fn first(&self) -> usize {
        self.line.start + (self.line().len() - self.line().trim_start().len())
    }

    /// The key at the beginning of the line, where it is one that is known somewhere.
    fn key(&self) -> &'static str {
        let found = veil::keys(self.text, self.first());
        found.and_then(|found| known::word(found.names.last()?)).unwrap_or("KEY")
    }

    /// Letters that have no business in a config.
    fn of_letters(&self) -> Option<Cause> {
        let find = |wanted: &dyn Fn(char) -> bool| self.line().char_indices().find(|(_, letter)| wanted(*letter));
        let span = |(at, letter): (usize, char)| self.line.start + at..self.line.start + at + letter.len_utf8();
        if let Some(found) = find(&|letter| letter == '\0') {
            return Some(cause(span(found), "a NUL byte: this is no text file", "save the file as UTF-8 text"));
        }
        let values = ["string values must be quoted", "invalid unquoted key", "key with no value", "unexpected key"];
        if let Some(found) = find(&|letter| CURLY.contains(&letter)).filter(|_| self.says(&values)) {
            return Some(cause(span(found), "a curly quote", "write the straight quote \" on both sides"));
        }
        let blank = |letter: char| letter.is_whitespace() && !letter.is_ascii();
        if let Some(found) = find(&blank).filter(|_| self.says(&values)) {
            return Some(cause(span(found), "a blank that is no plain blank", "write it anew with the space bar"));
        }
        let control = find(&|letter| letter.is_control() && !matches!(letter, '\t' | '\r'));
        if let Some(found) = control {
            return Some(cause(span(found), "a control character", "take it out; the line may look right without it"));
        }
        self.says(&["carriage return"]).then(|| {
            cause(self.span.clone(), "a carriage return without a line feed", "save the file with line ends LF or CRLF")
        })
    }

    /// YAML, JSON, and other languages.
    fn of_other_formats(&self) -> Option<Cause> {
        let line = self.line().trim_start();
        let first = self.first();
        let at = |length: usize| first..first + length;
        let above = self.text.get(..self.line.start).unwrap_or_default();
        let begins = above.lines().all(|line| line.trim().is_empty() || line.starts_with('#'));
        if line.starts_with('{') && begins {
            return Some(cause(
                at(1),
                "this looks like JSON, and a config is TOML",
                "write settings as KEY = VALUE, one a line",
            ));
        }
        if line.starts_with("---") || line.starts_with("- ") {
            let advice = "write settings as KEY = VALUE, and each route below a line [[route]]";
            return Some(cause(at(1), "this looks like YAML, and a config is TOML", advice));
        }
        for mark in ["//", ";", "--", "/*"] {
            if line.starts_with(mark) {
                return Some(cause(at(mark.len()), "this begins no comment", "write # for a comment"));
            }
        }
        if line.starts_with('<') {
            return Some(cause(at(1), "this looks like XML, and a config is TOML", "write settings as KEY = VALUE"));
        }
        let colon = self.colon()?;
        let key = Some(self.key()).filter(|key| *key != "secret").unwrap_or("KEY");
        let advice = format!("write = for : as in {key} = \"…\"");
        Some(cause(colon, "`:` stands where TOML has `=`", &advice))
    }

    /// A `:` that stands behind a key, at the beginning of the line or within braces.
    fn colon(&self) -> Option<Range<usize>> {
        let keys = ["key with no value", "missing assignment", "extra assignment", "invalid unquoted key"];
        if !self.says(&keys) {
            return None;
        }
        let line = self.line();
        let letter = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '"' | '\'');
        let found = line.match_indices(':').find(|(at, _)| {
            let before = line.get(..*at).unwrap_or_default().trim_end();
            let key = before.len() - before.trim_end_matches(letter).len();
            let open = before.trim_end_matches(letter).trim_end();
            key > 0 && (open.is_empty() || open.ends_with(['{', ',']))
        })?;
        Some(self.line.start + found.0..self.line.start + found.0 + 1)
    }

    fn of_headers(&self) -> Option<Cause> {
        let line = self.line().trim();
        if !line.starts_with('[')
            || !self.says(&[
                "unclosed table",
                "unclosed array table",
                "unquoted keys cannot be",
                "invalid unquoted key",
                "unexpected",
            ])
        {
            return None;
        }
        let line = line.split('#').next().unwrap_or_default().trim_end();
        let span = self.first()..self.first() + line.len();
        let inner = line.trim_matches(['[', ']']).trim();
        let follows = line.split_once(']').is_some_and(|(_, rest)| !rest.trim_start_matches(']').trim().is_empty());
        let found = match () {
            () if inner.is_empty() => ("this header names no table", "write a name in it, as in [limits]"),
            () if follows => ("more than a header on its line", "write settings on lines of their own"),
            () if line.starts_with("[[") && !line.ends_with("]]") => ("[[ is closed by ]]", "write ]] at its end"),
            () if !line.starts_with("[[") && line.ends_with("]]") => {
                ("]] closes what [[ opens", "write as many [ as ]")
            }
            () if !line.contains(']') => {
                ("this header is not closed", "write ] at its end, and settings on lines of their own")
            }
            () if inner.contains(char::is_whitespace) => {
                ("a name with a blank stands in quotes", "write [issuer.\"A B\"], or a name without blanks")
            }
            () => ("a name has letters, digits, - and _", "put other names in quotes, as in [issuer.\"a:b\"]"),
        };
        Some(cause(span, found.0, found.1))
    }

    fn of_values(&self) -> Option<Cause> {
        if self.says(&["missing escaped value", "too few unicode", "invalid escape", "invalid unicode", "invalid hex"])
            || self.message.contains("escape")
        {
            let advice = "put the text in single quotes, in which \\ is a letter: 'C:\\keys\\jwt.txt'; or write \\\\";
            return Some(cause(self.span.clone(), "\\ begins an escape in double quotes, and this is none", advice));
        }
        if self.says(&["unexpected leading zero"]) {
            return Some(cause(
                self.whole_word(),
                "a number does not begin with 0",
                "leave the 0 out; put text in quotes",
            ));
        }
        if !self.says(&[
            "string values must be quoted",
            "invalid boolean",
            "invalid float",
            "invalid integer",
            "invalid date",
            "missing value",
            "missing opening quote",
        ]) {
            return None;
        }
        let span = self.whole_word();
        let raw = self.text.get(span.clone()).unwrap_or_default();
        let word = raw.trim_end_matches([',', ';']).to_ascii_lowercase();
        let key = self.key();
        let (problem, advice) = match word.as_str() {
            "" => ("there is no value behind =", format!("write one, as in {key} = \"…\", or leave the key out")),
            "true" | "false" | "yes" | "no" | "on" | "off" => {
                ("this is no truth value", String::from("write true or false, in small letters"))
            }
            "null" | "nil" | "none" | "undefined" => {
                ("TOML has no empty value", String::from("leave the key out, or put the word in quotes"))
            }
            _ if raw.starts_with('$') || raw.starts_with('%') => (
                "variables are not filled in",
                String::from("a secret from the environment is written { env = \"NAME\" }"),
            ),
            _ if raw.starts_with(['>', ':']) => ("a setting is written with = alone", format!("write {key} = …")),
            _ if key == "secret" => ("text without quotes", String::from("write secret = { file = \"FILE\" }")),
            _ if raw.ends_with(['"', '\'']) => {
                ("the text that ends here has no opening quote", format!("write {key} = \"…\""))
            }
            _ if raw.ends_with(';') => ("a line does not end in ;", String::from("leave the ; out")),
            _ => ("text without quotes", format!("{QUOTE}: {key} = \"…\"")),
        };
        Some(cause(span, problem, &advice))
    }

    /// The word around the place, up to blanks, commas and brackets.
    fn whole_word(&self) -> Range<usize> {
        let ends = |letter: char| letter.is_whitespace() || "=,[]{}#".contains(letter);
        let before = self.text.get(self.line.start..self.span.start).unwrap_or_default();
        let start = before.rfind(ends).map_or(self.line.start, |at| self.line.start + at + 1);
        let rest = self.text.get(start..self.line.end).unwrap_or_default();
        let end = start + rest.find(ends).unwrap_or(rest.len());
        if end > start { start..end } else { self.span.clone() }
    }

    fn of_keys(&self) -> Option<Cause> {
        if !self.says(&[
            "key with no value",
            "missing assignment",
            "invalid unquoted key",
            "unquoted keys",
            "extra `=`",
            "invalid key-value",
            "missing table open",
        ]) {
            return None;
        }
        let first = self.first();
        if self.line().trim_start().starts_with([']', '}']) {
            return Some(cause(first..first + 1, "this bracket closes nothing", "leave it out"));
        }
        if self.says(&["extra `=`"]) {
            return Some(cause(self.span.clone(), "one `=` too many", "write KEY = VALUE"));
        }
        let Some(found) = veil::keys(self.text, first).filter(|_| self.says(&["key with no value"])) else {
            let advice = "a key has letters, digits, - and _; put others in quotes";
            let span = if self.says(&["invalid unquoted key"]) { self.span.clone() } else { first..first + 1 };
            return Some(cause(span, "this is no key", advice));
        };
        let span = first..found.end;
        let rest = self.text.get(found.end..self.line.end).unwrap_or_default().trim();
        let key = self.key();
        Some(match () {
            () if rest.is_empty() || rest.starts_with('#') => cause(
                span,
                "a key without a value",
                &format!("write {key} = …, or leave it out; a table is written [NAME]"),
            ),
            () if rest.contains('=') => {
                cause(span, "a key is one word", "write KEY = VALUE; a key with a blank stands in quotes")
            }
            () => cause(span, "`=` is missing behind this key", &format!("write {key} = …")),
        })
    }

    /// More than a value.
    fn of_rests(&self) -> Option<Cause> {
        let rest = self.text.get(self.span.start..self.line.end).unwrap_or_default();
        let skipped = rest.len() - rest.trim_start().len();
        let at = self.span.start + skipped;
        let rest = rest.trim_start();
        let span = at..at + rest.chars().next().map_or(0, char::len_utf8);
        if self.says(&["extra comma"]) {
            return Some(cause(self.span.clone(), "one comma too many", "leave it out"));
        }
        if self.says(&["missing comma"]) {
            return Some(cause(span, "a comma is missing before this", "write commas between values: [\"a\", \"b\"]"));
        }
        if !self.says(&["unexpected key or value", "unexpected content"]) {
            return None;
        }
        let glued = skipped == 0 && self.text.get(..at).is_some_and(|before| before.ends_with(['\'', '"']));
        Some(match rest.chars().next() {
            Some(']' | '}') => cause(span, "this bracket closes nothing", "leave it out"),
            Some(',' | ';') => cause(
                span,
                "nothing follows a value on its line but a comment",
                "leave it out; write one setting a line, and several values as a list: [\"a\", \"b\"]",
            ),
            Some('/') if rest.starts_with("//") => cause(span, "this begins no comment", "write # for a comment"),
            Some(_) if glued => cause(
                span,
                "the text ended before this",
                "put text that holds ' in double quotes, and text that holds \" in single ones",
            ),
            _ => cause(
                span,
                "something follows the value on its line",
                "write one setting a line; several values are a list: [\"a\", \"b\"]",
            ),
        })
    }
}
