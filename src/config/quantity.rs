//! Durations and sizes: a whole number and a unit, in text.
//!
//! A bare number is refused, since nobody can tell seconds from milliseconds by looking at it.

mod meant;

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Units of time in milliseconds, the longest first.
const TIMES: [(&str, u64); 7] =
    [("y", 365 * DAY), ("w", 7 * DAY), ("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND), ("ms", 1)];
/// Nothing that is timed here lasts longer, and sums of such times stay far from overflowing.
const LONGEST: u64 = 100 * 365 * DAY;
/// Units of size in bytes, the biggest first.
const SIZES: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// A length of time, written `"250ms"`, `"30s"`, `"5m"`, `"12h"`, `"90d"`, `"1w"` or `"1y"` (365 days).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

/// A number of bytes, written `"512B"`, `"64KiB"`, `"16MiB"` or `"1GiB"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl Time {
    /// Reads a duration.
    ///
    /// # Errors
    /// Says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::exact(text).map_err(|problem| match meant::time(text).filter(|length| *length <= LONGEST) {
            Some(meant) => format!("{problem}: write \"{}\"", Self(Duration::from_millis(meant))),
            None => problem,
        })
    }

    /// Reads a duration that is written as it should be.
    fn exact(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text, "a duration", "\"30s\"")?;
        let Some((_, factor)) = TIMES.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("unknown unit {unit:?}, a duration has one of ms, s, m, h, d, w, y"));
        };
        let milliseconds = number.checked_mul(*factor).filter(|length| *length <= LONGEST);
        let milliseconds = milliseconds.ok_or("a duration is at most a hundred years (\"100y\")")?;
        Ok(Self(Duration::from_millis(milliseconds)))
    }
}

impl Size {
    /// Reads a size.
    ///
    /// # Errors
    /// Says what was expected.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Self::exact(text).map_err(|problem| match meant::size(text) {
            Some(meant) => format!("{problem}: write \"{}\" (1 KiB is 1024 bytes)", Self(meant)),
            None => problem,
        })
    }

    /// Reads a size that is written as it should be.
    fn exact(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text, "a size", "\"64KiB\"")?;
        let Some((_, factor)) = SIZES.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("unknown unit {unit:?}, a size has one of B, KiB, MiB, GiB"));
        };
        number.checked_mul(*factor).map(Self).ok_or_else(|| String::from("the size does not fit in 64 bits"))
    }
}

/// The number and the unit of a quantity.
fn split<'t>(text: &'t str, what: &str, example: &str) -> Result<(u64, &'t str), String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).unwrap_or(("", text));
    if text.starts_with('-') {
        return Err(format!("{what} cannot be negative"));
    }
    if number.is_empty() {
        return Err(format!("{what} is a whole number and a unit, like {example}"));
    }
    if unit.is_empty() {
        return Err(format!("{what} needs a unit, like {example}"));
    }
    if unit.bytes().any(|byte| !byte.is_ascii_alphabetic()) {
        return Err(format!("{what} is one whole number and one unit without blanks, like {example}"));
    }
    let number = number.parse().map_err(|_| format!("{what} does not fit in 64 bits"))?;
    Ok((number, unit))
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0.as_millis();
        // Weeks and years say less to the eye than days do.
        let fitting = TIMES.iter().skip(2).find(|(_, factor)| milliseconds.is_multiple_of(u128::from(*factor)));
        match fitting {
            Some((unit, factor)) if milliseconds > 0 => write!(f, "{}{unit}", milliseconds / u128::from(*factor)),
            _ => f.write_str("0s"),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SIZES.iter().find(|(_, factor)| self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) if self.0 > 0 => write!(f, "{}{unit}", self.0 / factor),
            _ => f.write_str("0B"),
        }
    }
}

/// The pattern of a number with one of these units.
fn unit_pattern(units: &[(&str, u64)]) -> String {
    let units: Vec<&str> = units.iter().map(|(unit, _)| *unit).collect();
    format!("^[0-9]+({})$", units.join("|"))
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": unit_pattern(&TIMES), "examples": ["250ms", "30s", "90d"] })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": unit_pattern(&SIZES), "examples": ["64KiB", "16MiB"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, milliseconds, shown) in [
            ("250ms", 250, "250ms"),
            ("0s", 0, "0s"),
            ("0ms", 0, "0s"),
            ("30s", 30_000, "30s"),
            ("90s", 90_000, "90s"),
            ("5m", 300_000, "5m"),
            ("120m", 7_200_000, "2h"),
            ("90d", 7_776_000_000, "90d"),
            ("1w", 604_800_000, "7d"),
            ("1y", 31_536_000_000, "365d"),
            ("100y", 3_153_600_000_000, "36500d"),
        ] {
            let time = Time::parse(text).unwrap();
            assert_eq!(time.0, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(time.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_duration_is_told_why() {
        for (text, words) in [
            ("", "like \"30s\""),
            ("5", "needs a unit"),
            ("-5s", "negative"),
            ("s", "whole number"),
            ("1.5h", "one whole number"),
            ("1.5h", ": write \"90m\""),
            ("1h30m", "one whole number"),
            ("1h30m", ": write \"90m\""),
            ("5 s", "without blanks"),
            ("5min", "unknown unit \"min\", a duration has one of ms, s, m, h, d, w, y: write \"5m\""),
            ("5M", "unknown unit \"M\""),
            ("101y", "hundred years"),
            ("99999999999999999s", "hundred years"),
            ("99999999999999999999s", "64 bits"),
        ] {
            let error = Time::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn sizes_are_read_and_written() {
        for (text, bytes, shown) in [
            ("0B", 0, "0B"),
            ("512B", 512, "512B"),
            ("64KiB", 65536, "64KiB"),
            ("1024KiB", 1 << 20, "1MiB"),
            ("16MiB", 1 << 24, "16MiB"),
            ("2GiB", 1 << 31, "2GiB"),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!(size, Size(bytes), "{text}");
            assert_eq!(size.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_size_is_told_what_to_write() {
        for (text, words) in [
            ("64KB", "write \"64KiB\""),
            ("1M", "write \"1MiB\""),
            ("1kib", "write \"1KiB\""),
            ("1.5GiB", "write \"1536MiB\""),
            ("7x", "one of B, KiB"),
            ("64", "needs a unit"),
            ("99999999999GiB", "64 bits"),
        ] {
            let error = Size::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
