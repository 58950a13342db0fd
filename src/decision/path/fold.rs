//! The form in which guards compare segments.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The form in which guards compare a segment: its [`letters`], no blanks around it and no dots behind it.
pub(in crate::decision) fn fold(segment: &str) -> Cow<'_, str> {
    match letters(segment) {
        Cow::Borrowed(folded) => Cow::Borrowed(trim(folded)),
        Cow::Owned(folded) => Cow::Owned(trim(&folded).to_owned()),
    }
}

/// The compatibility form in one letter case.
pub(in crate::decision) fn letters(segment: &str) -> Cow<'_, str> {
    if segment.is_ascii() {
        return if segment.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(segment.to_ascii_lowercase())
        } else {
            Cow::Borrowed(segment)
        };
    }
    let mut folded = String::with_capacity(segment.len());
    let upper: String = segment.nfkc().flat_map(char::to_uppercase).collect();
    for character in upper.chars().flat_map(char::to_lowercase).nfkc() {
        // The dotted capital I comes apart into i and a dot, which a comparison of single characters does not see.
        if character != '\u{307}' || !folded.ends_with('i') {
            folded.push(character);
        }
    }
    Cow::Owned(folded)
}

/// A segment without the blanks around it and the dots behind it.
pub(in crate::decision) fn trim(segment: &str) -> &str {
    let blank_or_dot = |character: char| character == '.' || character.is_whitespace();
    segment.trim_start().trim_end_matches(blank_or_dot)
}
