//! How a moment is written and read: RFC 3339 in UTC.

use std::fmt;

use jiff::Timestamp;

use super::UnixSeconds;

/// A moment that prints as `2026-10-30T07:05:09.042Z`. What lies outside 1970 to 9999 prints as the nearer end.
#[derive(Clone, Copy, Debug)]
pub struct Stamp(Timestamp);

impl Stamp {
    /// The moment, cut to its millisecond.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a float becomes the nearest integer there is, and the end of the calendar is looked for"
    )]
    pub(super) fn of(moment: UnixSeconds) -> Self {
        // A double of today's seconds is exact to a quarter of a microsecond, so a tiny push keeps 0.042 from
        // becoming 41 without ever rounding up a real fraction.
        let milliseconds = (moment.seconds() * 1_000.0 + 1e-3).floor().max(0.0);
        Self(Timestamp::from_millisecond(milliseconds as i64).unwrap_or(Timestamp::MAX))
    }

    /// Without the fraction: for people, of moments that are whole seconds.
    pub fn to_the_second(self) -> String {
        format!("{:.0}", self.0)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// Reads a moment of RFC 3339 (`2026-10-30T07:05:09Z`, with any offset), or seconds since 1970.
///
/// # Errors
/// Says what was expected.
pub(super) fn parse(text: &str) -> Result<UnixSeconds, String> {
    let seconds = text.parse::<f64>().ok().and_then(UnixSeconds::new);
    let stamp = || text.parse::<Timestamp>().ok().and_then(|stamp| UnixSeconds::new(stamp.as_duration().as_secs_f64()));
    seconds.or_else(stamp).ok_or_else(|| {
        format!("{text:?} is no moment: write \"2026-10-30T07:05:09Z\" (RFC 3339), or seconds since 1970")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(seconds: f64) -> String {
        Stamp::of(UnixSeconds::new(seconds).unwrap()).to_string()
    }

    #[test]
    fn known_moments_print_as_the_calendar_has_them() {
        for (seconds, text) in [
            (0.0, "1970-01-01T00:00:00.000Z"),
            (951_782_400.0, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199.999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200.0, "2024-03-01T00:00:00.000Z"),
            (1_793_343_909.042, "2026-10-30T07:05:09.042Z"),
            (4_107_542_400.5, "2100-03-01T00:00:00.500Z"),
            (253_402_207_200.0, "9999-12-30T22:00:00.000Z"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }

    #[test]
    fn moments_beyond_the_format_print_as_its_ends() {
        assert_eq!(stamp(-1.0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(1e300), "9999-12-30T22:00:00.999Z");
    }

    #[test]
    fn every_millisecond_prints_as_itself() {
        for millisecond in 0..1_000 {
            let printed = stamp(1_793_343_909.0 + f64::from(millisecond) / 1_000.0);
            assert_eq!(printed, format!("2026-10-30T07:05:09.{millisecond:03}Z"));
        }
    }

    #[test]
    fn moments_are_read_with_any_offset_and_as_seconds() {
        for (text, seconds) in [
            ("2026-10-30T07:05:09Z", 1_793_343_909.0),
            ("2026-10-30T08:05:09.5+01:00", 1_793_343_909.5),
            ("2026-10-30 07:05:09Z", 1_793_343_909.0),
            ("1793343909", 1_793_343_909.0),
            ("1793343909.25", 1_793_343_909.25),
        ] {
            assert_eq!(parse(text), Ok(UnixSeconds::new(seconds).unwrap()), "{text}");
        }
        for text in ["", "now", "2026-10-30", "2026-10-30T07:05:09", "inf", "NaN", "2026-13-01T00:00:00Z"] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text}");
        }
    }
}
