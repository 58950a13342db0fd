//! How a moment is written in a log line: RFC 3339 in UTC with milliseconds.
//!
//! Thirty lines of calendar instead of a crate: log lines need no time zones, no parsing and no other format.

use std::fmt;

use crate::time::UnixSeconds;

/// The last moment with a four-digit year, in milliseconds: RFC 3339 can write no later one.
const LAST_MILLISECOND: f64 = 253_402_300_799_999.0;

/// A moment that prints as `2026-10-30T07:05:09.042Z`. What lies outside 1970 to 9999 prints as the nearer end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp {
    milliseconds: i64,
}

impl Stamp {
    /// The moment, cut to its millisecond.
    #[allow(clippy::cast_possible_truncation, reason = "clamped to a range that i64 holds")]
    pub(super) fn of(moment: UnixSeconds) -> Self {
        // A double of today's seconds is exact to a quarter of a microsecond, so a tiny push keeps 0.042 from
        // becoming 41 without ever rounding up a real fraction.
        let milliseconds = (moment.seconds() * 1_000.0 + 1e-3).floor().clamp(0.0, LAST_MILLISECOND);
        Self { milliseconds: milliseconds as i64 }
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.milliseconds / 1_000;
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        let millisecond = self.milliseconds % 1_000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z")
    }
}

/// Year, month and day of a day counted from 1970-01-01, for days from then on.
///
/// Years are counted from March, so that the leap day is the last of its year (Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0000 = days + 719_468;
    let era = since_march_0000 / 146_097;
    let day_of_era = since_march_0000 % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
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
            (253_402_300_799.0, "9999-12-31T23:59:59.000Z"),
        ] {
            assert_eq!(stamp(seconds), text);
        }
    }

    #[test]
    fn moments_beyond_the_format_print_as_its_ends() {
        assert_eq!(stamp(-1.0), "1970-01-01T00:00:00.000Z");
        assert_eq!(stamp(1e300), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn every_millisecond_prints_as_itself() {
        for millisecond in 0..1_000 {
            let printed = stamp(1_793_343_909.0 + f64::from(millisecond) / 1_000.0);
            assert_eq!(printed, format!("2026-10-30T07:05:09.{millisecond:03}Z"));
        }
    }

    #[test]
    fn days_follow_one_another_without_gap() {
        let mut before = civil(0);
        for day in 1..60_000 {
            let now = civil(day);
            let next_day = now.2 == before.2 + 1 && (now.0, now.1) == (before.0, before.1);
            let next_month = now.2 == 1 && before.2 >= 28 && now.1 == before.1 % 12 + 1;
            assert!(next_day || next_month, "{before:?} then {now:?}");
            before = now;
        }
    }
}
