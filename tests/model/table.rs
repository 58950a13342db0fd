//! A slow and simple model of which rules hold for a path: every rule is put to every reading.

use std::cmp::Ordering;

use unicode_normalization::UnicodeNormalization;

use super::readings::{Refused, readings};

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Access {
    Open,
    Protected,
    Deny,
}

/// A pattern and what it does.
#[derive(Clone, Debug)]
pub struct Rule {
    pub pattern: String,
    pub access: Access,
}

/// What becomes of a request without a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Passes,
    AsksForToken,
    Denied,
    Refused,
}

/// How closely one segment of a rule fits; less is closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// A literal; the less was lost as a suffix, the closer.
    Literal { lost: usize },
    /// A partly literal segment; the more of its letters are literal, the closer.
    Partial { missing: usize },
    /// `*`
    Any,
    /// `**`
    Deep,
}

/// How closely a rule fits.
#[derive(Clone, Debug)]
struct Closeness {
    fits: Vec<Fit>,
    /// The segments as guards compare them.
    texts: Vec<String>,
    /// Whether the path ends where the rule does, its suffix aside.
    ends: bool,
}

impl Closeness {
    /// Segment by segment, then the longer before the shorter; but of a rule and the same with `**` behind it the one
    /// at whose end the path ends.
    fn compare(&self, other: &Self) -> Ordering {
        let shorter = self.fits.len().min(other.fits.len());
        let lengths = other.fits.len().cmp(&self.fits.len());
        let alike = self.texts[..shorter] == other.texts[..shorter];
        let ends = if self.fits.len() < other.fits.len() { self.ends } else { other.ends };
        let lengths = if alike && ends { lengths.reverse() } else { lengths };
        self.fits[..shorter].cmp(&other.fits[..shorter]).then(lengths).then(other.ends.cmp(&self.ends))
    }
}

/// The fate of a path under these rules, where `unmatched` says what happens to what none of them names.
pub fn fate(path: &str, rules: &[Rule], unmatched: Access) -> Fate {
    let readings = match readings(path) {
        Ok(readings) => readings,
        Err(Refused) => return Fate::Refused,
    };
    let mut held = Vec::new();
    for (text, guards_only) in readings {
        let fits = rules.iter().filter_map(|rule| Some((fit(rule, &text)?, rule.access)));
        let closest = fits.min_by(|(one, _), (other, _)| one.compare(other));
        match closest {
            Some((_, Access::Open)) if guards_only => {}
            Some((_, access)) => held.push(access),
            None if guards_only => {}
            None => held.push(unmatched),
        }
    }
    if held.contains(&Access::Deny) {
        Fate::Denied
    } else if held.contains(&Access::Protected) {
        Fate::AsksForToken
    } else {
        Fate::Passes
    }
}

/// The segments of a path or pattern; none of `/`.
fn segments(path: &str) -> Vec<&str> {
    let path = path.strip_prefix('/').unwrap();
    if path.is_empty() { vec![] } else { path.split('/').collect() }
}

fn fit(rule: &Rule, path: &str) -> Option<Closeness> {
    let (mut wanted, found) = (segments(&rule.pattern), segments(path));
    let deep = wanted.last() == Some(&"**");
    if deep {
        wanted.pop();
    }
    match rule.access {
        Access::Open => exact(&wanted, deep, &found).then(|| closeness(&wanted, deep, &found, None)),
        Access::Protected | Access::Deny => wide(&wanted, deep, &found),
    }
}

/// How an exemption fits: letter for letter.
fn exact(wanted: &[&str], deep: bool, found: &[&str]) -> bool {
    let alike = |(wanted, found): (&&str, &&str)| match *wanted {
        "*" => !found.is_empty(),
        partial if partial.contains('*') => wildcard(partial, found),
        literal => literal == *found,
    };
    let long = if deep { found.len() >= wanted.len() } else { found.len() == wanted.len() };
    long && wanted.iter().zip(found).all(alike)
}

/// How a guard fits: widely.
fn wide(wanted: &[&str], deep: bool, found: &[&str]) -> Option<Closeness> {
    if found.len() < wanted.len() {
        return None;
    }
    let last = wanted.len().checked_sub(1);
    let mut suffix = None;
    for (at, (wanted, found)) in wanted.iter().zip(found).enumerate() {
        let plain = alike(wanted, found);
        if !plain {
            let found = &*folded(found);
            let stems = found.char_indices().rev().filter(|(_, letter)| *letter == '.').map(|(at, _)| &found[..at]);
            let fits = |stem: &&str| alike(wanted, stem) || (wanted.contains('*') && alike(wanted, &squeezed(stem)));
            let stem = stems.filter(|_| Some(at) == last).find(|stem| *wanted != "*" && fits(stem))?;
            suffix = Some(found.chars().count() - stem.chars().count());
        }
    }
    Some(closeness(wanted, deep, found, suffix))
}

/// The fit of a pattern that was found to fit; `suffix`: what the last segment has more than the pattern's.
fn closeness(wanted: &[&str], deep: bool, found: &[&str], suffix: Option<usize>) -> Closeness {
    let mut fits: Vec<Fit> = wanted
        .iter()
        .enumerate()
        .map(|(at, segment)| match *segment {
            "*" => Fit::Any,
            partial if partial.contains('*') => {
                let letters = folded(partial).chars().filter(|letter| *letter != '*').count();
                Fit::Partial { missing: usize::MAX - letters }
            }
            _ => Fit::Literal { lost: suffix.filter(|_| at + 1 == wanted.len()).unwrap_or(0) },
        })
        .collect();
    if deep {
        fits.push(Fit::Deep);
    }
    let texts = wanted.iter().map(|segment| trimmed(&folded(segment)).to_owned()).chain(deep.then(|| "**".to_owned()));
    let rest = &found[wanted.len()..];
    let ends = !deep && (rest.is_empty() || rest == [""] || suffix.is_some());
    Closeness { fits, texts: texts.collect(), ends }
}

/// Whether a segment is what a guard says, but for letter case, blanks around it and dots behind it.
fn alike(wanted: &str, found: &str) -> bool {
    if wanted == "*" {
        return !found.is_empty();
    }
    if !wanted.contains('*') {
        return trimmed(&folded(wanted)) == trimmed(&folded(found));
    }
    let (wanted, found) = (folded(wanted), folded(found));
    let wanted = trimmed(&wanted);
    wildcard(wanted, &found) || wildcard(wanted, trimmed(&found))
}

fn folded(text: &str) -> String {
    let one_case: String =
        text.nfkc().collect::<String>().to_uppercase().chars().flat_map(char::to_lowercase).collect();
    one_case.nfkc().collect::<String>().replace("i\u{307}", "i")
}

/// A segment without blanks and dots before its dots: a partly literal one is compared with that as well.
fn squeezed(text: &str) -> String {
    let mut squeezed = String::new();
    for letter in text.chars() {
        if letter == '.' {
            squeezed = trimmed(&squeezed).to_owned();
        }
        squeezed.push(letter);
    }
    squeezed
}

fn trimmed(text: &str) -> &str {
    let mut text = text.trim();
    while let Some(less) = text.strip_suffix('.') {
        text = less.trim_end();
    }
    text
}

/// `*` stands for any run of characters.
fn wildcard(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| wildcard(&pattern[1..], &text[at..]))
        }
        Some(letter) => text.strip_prefix(letter).is_some_and(|rest| wildcard(&pattern[letter.len_utf8()..], rest)),
    }
}
