//! A slow and simple model of the readings of a path.
//!
//! It takes every choice at every stage, whether it can make a difference or not, and works on single units: a byte, or
//! the mark that an encoded slash leaves where it is a letter. It shares nothing with waxseal's own reader but what the
//! mark looks like in a reading.

use std::collections::{BTreeMap, BTreeSet};

use unicode_normalization::UnicodeNormalization;
use waxseal::decision::path::SLASH_AS_LETTER;

/// A byte, or [`LETTER`].
type Unit = u16;
/// An encoded slash that is a letter.
const LETTER: Unit = 0x100;

/// What an encoded `?`, `#` or `;` does.
#[derive(Clone, Copy, PartialEq)]
enum Late {
    Letter,
    CutAtQuery,
    CutAtAny,
}

/// One choice of each kind, for the whole path.
#[derive(Clone, Copy)]
struct Choice {
    slash: bool,
    late: Late,
    overlong: bool,
}

/// No sound client sends it.
#[derive(Debug, PartialEq)]
pub struct Refused;

/// Each reading with whether it can only bring a guard into play.
pub fn readings(path: &str) -> Result<BTreeMap<String, bool>, Refused> {
    refuse_raw(path.as_bytes())?;
    let raw: Vec<Unit> = path.bytes().map(Unit::from).collect();
    let mut found = BTreeMap::new();
    for slash in [false, true] {
        for late in [Late::Letter, Late::CutAtQuery, Late::CutAtAny] {
            for overlong in [false, true] {
                under(&raw, Choice { slash, late, overlong }, &mut found)?;
            }
        }
    }
    if path.contains('%') {
        for text in [raw.clone(), without_parameters(&raw)] {
            for text in slashes(&read(&text)?) {
                found.entry(text).or_insert(true);
            }
        }
    }
    if found.len() > 64 { Err(Refused) } else { Ok(found) }
}

/// All readings under one choice: of each layer, parameters cut or kept anew before each.
fn under(raw: &[Unit], choice: Choice, found: &mut BTreeMap<String, bool>) -> Result<(), Refused> {
    let both = |text: &Vec<Unit>| [text.clone(), without_parameters(text)];
    let mut texts: BTreeSet<Vec<Unit>> = both(&raw.to_vec()).into_iter().collect();
    for text in texts.iter().filter(|text| !has_escape(text)) {
        found.extend(slashes(&read(text)?).into_iter().map(|text| (text, false)));
    }
    for layer in 1.. {
        let mut next = BTreeSet::new();
        for text in texts.iter().filter(|text| has_escape(text)) {
            next.extend(both(&decoded(text, choice)?));
        }
        if next.is_empty() {
            return Ok(());
        }
        if layer > 5 {
            return Err(Refused);
        }
        for text in &next {
            found.extend(slashes(&read(text)?).into_iter().map(|text| (text, false)));
        }
        texts = next;
    }
    Ok(())
}

fn refuse_raw(path: &[u8]) -> Result<(), Refused> {
    let hex = |at: usize| path.get(at).is_some_and(u8::is_ascii_hexdigit);
    let good = path.first() == Some(&b'/')
        && path.iter().enumerate().all(|(at, byte)| match byte {
            b'%' => hex(at + 1) && hex(at + 2),
            byte => byte.is_ascii_graphic() && !b"\\\"<>^{|}`#?".contains(byte),
        });
    let raw: Vec<Unit> = path.iter().copied().map(Unit::from).collect();
    if good { read(&raw).map(drop) } else { Err(Refused) }
}

fn hex(unit: Option<&Unit>) -> Option<Unit> {
    let digits = b"0123456789abcdef";
    let letter = u8::try_from(*unit?).ok()?.to_ascii_lowercase();
    digits.iter().position(|digit| *digit == letter).and_then(|value| Unit::try_from(value).ok())
}

fn escape(text: &[Unit], at: usize) -> Option<Unit> {
    if text[at] != Unit::from(b'%') {
        return None;
    }
    Some(hex(text.get(at + 1))? * 16 + hex(text.get(at + 2))?)
}

fn has_escape(text: &[Unit]) -> bool {
    (0..text.len()).any(|at| escape(text, at).is_some())
}

/// One layer of encoding taken off.
fn decoded(text: &[Unit], choice: Choice) -> Result<Vec<Unit>, Refused> {
    let (mut plain, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let Some(byte) = escape(text, at) else {
            plain.push(text[at]);
            at += 1;
            continue;
        };
        at += 3;
        if byte < 0x20 || byte == 0x7f || byte == Unit::from(b'\\') {
            return Err(Refused);
        }
        if ends(byte.into(), choice) {
            break;
        }
        plain.push(if byte == Unit::from(b'/') && !choice.slash { LETTER } else { byte });
    }
    if choice.overlong {
        plain = long_forms(&plain, choice);
    }
    Ok(compatibility_slashes(&plain))
}

fn ends(character: u32, choice: Choice) -> bool {
    match char::from_u32(character) {
        Some('?' | '#') => choice.late != Late::Letter,
        Some(';') => choice.late == Late::CutAtAny,
        _ => false,
    }
}

/// Reads UTF-8 as its bits say, whatever the number of bytes, up to six.
fn long_forms(text: &[Unit], choice: Choice) -> Vec<Unit> {
    let (mut short, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let bits = |at: usize| text.get(at).filter(|unit| **unit < 0x100).map(|unit| format!("{unit:08b}"));
        let ones = bits(at).map_or(0, |bits| bits.find('0').unwrap_or(8));
        let rest: Vec<String> = (1..ones).filter_map(|more| bits(at + more)).collect();
        let whole = (2..=6).contains(&ones) && rest.len() + 1 == ones && rest.iter().all(|bits| bits.starts_with("10"));
        let point = whole.then(|| {
            let tail: String = rest.iter().map(|bits| &bits[2..]).collect();
            u32::from_str_radix(&format!("{}{tail}", &bits(at).unwrap()[ones..]), 2).unwrap()
        });
        match point.and_then(char::from_u32) {
            Some(character) if ends(character.into(), choice) => break,
            Some(character) => {
                short.extend(character.to_string().bytes().map(Unit::from));
                at += ones;
            }
            None => {
                short.push(text[at]);
                at += 1;
            }
        }
    }
    short
}

/// The pieces of a text: a character of UTF-8, or a unit that is part of none.
fn pieces(text: &[Unit]) -> Vec<Result<char, Unit>> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    while at < text.len() {
        let whole = (1..=4).find_map(|length| {
            let bytes: Option<Vec<u8>> =
                text.get(at..at + length)?.iter().map(|unit| u8::try_from(*unit).ok()).collect();
            let text = String::from_utf8(bytes?).ok()?;
            Some((text.chars().next()?, length))
        });
        pieces.push(whole.map(|(character, _)| character).ok_or(text[at]));
        at += whole.map_or(1, |(_, length)| length);
    }
    pieces
}

/// A character whose compatibility form holds a slash, a backslash or a control character is what it hides.
fn compatibility_slashes(text: &[Unit]) -> Vec<Unit> {
    let mut shown = Vec::new();
    for piece in pieces(text) {
        match piece {
            Ok(character) => {
                let form: String = character.to_string().nfkc().collect();
                let hides = form.contains(['/', '\\']) || form.contains(|part: char| part.is_ascii_control());
                let text = if hides { form } else { character.to_string() };
                shown.extend(text.bytes().map(Unit::from));
            }
            Err(unit) => shown.push(unit),
        }
    }
    shown
}

fn without_parameters(text: &[Unit]) -> Vec<Unit> {
    let segments = text.split(|unit| *unit == Unit::from(b'/'));
    let cut = segments.map(|segment| segment.split(|unit| *unit == Unit::from(b';')).next().unwrap().to_vec());
    cut.collect::<Vec<_>>().join(&Unit::from(b'/'))
}

/// Whether a percent sign is followed by `uXXXX`.
fn has_wide_escape(text: &[Unit]) -> bool {
    let is = |at: usize, letters: &[u8]| {
        text.get(at).is_some_and(|unit| letters.iter().any(|own| *unit == Unit::from(*own)))
    };
    (0..text.len()).any(|at| is(at, b"%") && is(at + 1, b"uU") && (2..6).all(|more| hex(text.get(at + more)).is_some()))
}

/// The text of a path, what is not UTF-8 as Latin-1.
fn read(text: &[Unit]) -> Result<String, Refused> {
    if has_wide_escape(text) {
        return Err(Refused);
    }
    let latin1 = |unit: Unit| if unit == LETTER { SLASH_AS_LETTER } else { char::from(u8::try_from(unit).unwrap()) };
    let text: String = pieces(text).into_iter().map(|piece| piece.unwrap_or_else(latin1)).collect();
    let bad = |character: char| character == '\\' || character.is_ascii_control();
    let dots = text.split(['/', SLASH_AS_LETTER]).any(|segment| {
        let name = segment.split(';').next().unwrap();
        let form: String = name.nfkc().collect();
        [name, &*form]
            .into_iter()
            .flat_map(|name| name.split(['/', ';']))
            .any(|name| [".", ".."].contains(&name.trim()))
    });
    if dots || text.contains(bad) { Err(Refused) } else { Ok(text) }
}

/// Doubled slashes kept and merged, a leading `//name` kept and dropped.
fn slashes(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::from([text.to_owned()]);
    if let Some(rest) = text.strip_prefix("//") {
        let name: String = rest.chars().skip_while(|letter| *letter == '/').collect();
        let path: String = name.chars().skip_while(|letter| *letter != '/').collect();
        all.insert(if path.is_empty() { "/".to_owned() } else { path });
    }
    let merged = all.iter().map(|text| {
        let mut text = text.clone();
        while text.contains("//") {
            text = text.replace("//", "/");
        }
        text
    });
    let merged: Vec<String> = merged.collect();
    all.extend(merged);
    all
}
