//! What was probably meant by a duration or a size in another way of writing.
//!
//! `"5min"`, `"1m30s"`, `"30 days"`, `"1.5h"` and `"PT5M"` say plainly what is meant, and are refused all the same: there
//! is one way to write each. Where a unit could be two (`M` is a month to some), nothing is guessed.

use super::{DAY, HOUR, MINUTE, SECOND};

/// Words for units of time in milliseconds, without the plural's `s`.
const TIMES: [(&[&str], u64); 8] = [
    (&["ms", "msec", "milli", "millisecond"], 1),
    (&["s", "sec", "second"], SECOND),
    (&["m", "min", "minute"], MINUTE),
    (&["h", "hr", "hour"], HOUR),
    (&["d", "day"], DAY),
    (&["w", "wk", "week"], 7 * DAY),
    (&["mo", "month"], 30 * DAY),
    (&["y", "yr", "year"], 365 * DAY),
];
/// Words for units of size in bytes. A thousand is not told from 1024: which one was meant hardly matters here.
const SIZES: [(&[&str], u64); 4] = [
    (&["b", "byte"], 1),
    (&["k", "kb", "kib"], 1 << 10),
    (&["m", "mb", "mib"], 1 << 20),
    (&["g", "gb", "gib"], 1 << 30),
];

/// The milliseconds of a duration in words, in several units, with a fraction, or of ISO 8601.
pub(super) fn time(text: &str) -> Option<u64> {
    match text.strip_prefix("PT") {
        Some(clock) => sum(&clock.to_ascii_lowercase(), &TIMES),
        None if text.contains('M') => None,
        None => sum(&text.strip_prefix('P').unwrap_or(text).to_ascii_lowercase(), &TIMES),
    }
}

/// The bytes of a size in other units, with a blank or a fraction.
pub(super) fn size(text: &str) -> Option<u64> {
    sum(&text.to_ascii_lowercase(), &SIZES)
}

/// The sum of numbers with units.
fn sum(text: &str, units: &[(&[&str], u64)]) -> Option<u64> {
    let mut rest = text.trim();
    let mut total: Option<u64> = None;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at_checked(rest.find(|letter: char| !number_letter(letter))?)?;
        let behind = behind.trim_start();
        let end = behind.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(end)?;
        let value = scaled(number, factor(unit, units)?)?;
        total = Some(total.unwrap_or(0).checked_add(value)?);
        rest = behind.trim_start_matches([' ', ',']);
    }
    total
}

fn number_letter(letter: char) -> bool {
    letter.is_ascii_digit() || letter == '.'
}

fn factor(unit: &str, units: &[(&[&str], u64)]) -> Option<u64> {
    let named = |name: &str| units.iter().find(|(names, _)| names.contains(&name)).map(|(_, factor)| *factor);
    named(unit).or_else(|| named(unit.strip_suffix('s')?))
}

/// A decimal number times a factor, where that is whole.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    let parts = 10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let product = digits.checked_mul(factor)?;
    product.is_multiple_of(parts).then(|| product / parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_words_are_understood() {
        for (text, expected) in [
            ("5min", Some(5 * MINUTE)),
            ("1m30s", Some(90 * SECOND)),
            ("1h30m", Some(90 * MINUTE)),
            ("30 days", Some(30 * DAY)),
            ("1 hour, 5 minutes", Some(65 * MINUTE)),
            ("0.5h", Some(30 * MINUTE)),
            ("5 m", Some(5 * MINUTE)),
            ("30S", Some(30 * SECOND)),
            ("PT5M", Some(5 * MINUTE)),
            ("PT1H30M", Some(90 * MINUTE)),
            ("P30D", Some(30 * DAY)),
            ("2 months", Some(60 * DAY)),
            ("500 msecs", Some(500)),
            ("5M", None),
            ("P1M", None),
            ("5", None),
            ("", None),
            ("min", None),
            ("5 parsecs", None),
            ("1..5h", None),
            ("0.3ms", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn sizes_in_other_units_are_understood() {
        for (text, expected) in [
            ("1mb", Some(1 << 20)),
            ("1.5MiB", Some(3 << 19)),
            ("64 KB", Some(64 << 10)),
            ("16 bytes", Some(16)),
            ("1G", Some(1 << 30)),
            ("32", None),
            ("7x", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }
}
