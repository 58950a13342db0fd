//! Characters that a terminal, a pager or a reader's eye obeys instead of showing them.
//!
//! Whatever prints text that a stranger chose asks here first. All of them are escaped in the same way, for the eye and in
//! JSON; serde_json would let everything pass that JSON itself permits.

use std::borrow::Cow;
use std::fmt::{self, Write};

/// Whether a terminal or a reader's eye may be led astray by this character: controls (C0, DEL, C1), line and paragraph
/// separators, marks and overrides of direction, and what takes no room.
pub fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The text with every such character written out, as in `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_treacherous) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_treacherous(character) {
            // Writing into a string does not fail.
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// The same for text of several lines, whose breaks stay.
pub fn visible_lines(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(visible).collect();
    lines.join("\n")
}

/// JSON text with every such character written as JSON escapes it (RFC 8259 section 7). Line breaks between its members
/// stay; inside its strings there are none.
pub fn visible_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if character != '\n' && is_treacherous(character) {
            // Writing into a string does not fail.
            let _ = escaped(character, &mut shown);
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A character as JSON escapes it.
fn escaped(character: char, out: &mut String) -> fmt::Result {
    character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

/// Text that is one word to the eye: as it is where it can be mistaken for nothing else, else in quotes.
pub(super) fn word(text: &str, out: &mut String) -> fmt::Result {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !text.is_empty() && text.bytes().all(plain) {
        return out.write_str(text);
    }
    quoted(text, out)
}

/// Text in quotes, as a JSON string (RFC 8259 section 7).
pub(super) fn quoted(text: &str, out: &mut String) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            _ if is_treacherous(character) => escaped(character, out)?,
            _ => out.write_char(character)?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_json_of_the_same_value() {
        let value = serde_json::json!({ "a\u{202e}": ["\u{9b}31m", "\n", "\u{e0001}", "é"] });
        let shown = visible_json(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!shown.contains(|letter| letter != '\n' && is_treacherous(letter)), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    #[test]
    fn what_leads_astray_is_written_out_and_the_rest_stays() {
        assert_eq!(visible("boomi é 中"), "boomi é 中");
        assert_eq!(visible("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\u{a}");
        assert_eq!(visible("\u{202e}evil"), "\\u{202e}evil");
        assert_eq!(visible_lines("a\u{7}\n\r\nb\n"), "a\\u{7}\n\\u{d}\nb\n");
    }
}
