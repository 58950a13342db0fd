//! The one place where the wall clock is read.
//!
//! Everything that judges is handed the time it judges at; nothing below the gate looks at a clock of its own.

mod stamp;

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

pub use stamp::Stamp;

/// Seconds since 1970-01-01T00:00:00Z without leap seconds: the NumericDate of RFC 7519 section 2, fraction included.
///
/// Always finite, so that comparing two of them is never undecided.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct UnixSeconds(f64);

impl UnixSeconds {
    /// The number of seconds, or `None` where it is infinite or no number.
    pub fn new(seconds: f64) -> Option<Self> {
        seconds.is_finite().then_some(Self(seconds))
    }

    /// Reads a moment of RFC 3339, or seconds since 1970.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        stamp::parse(text)
    }

    /// The plain number, for arithmetic.
    pub fn seconds(self) -> f64 {
        self.0
    }

    /// The whole second that this moment is in: what tokens are stamped with, since not every reader takes fractions.
    #[allow(clippy::cast_possible_truncation, reason = "a float becomes the nearest integer there is, never garbage")]
    pub fn whole(self) -> i64 {
        self.0.floor() as i64
    }

    /// This moment as a calendar has it.
    pub fn stamp(self) -> Stamp {
        Stamp::of(self)
    }

    /// This moment and `seconds` more.
    pub fn plus(self, seconds: f64) -> Self {
        Self(self.0 + seconds)
    }

    /// Seconds from `earlier` to this moment; negative where `earlier` lies ahead.
    pub fn since(self, earlier: UnixSeconds) -> f64 {
        self.0 - earlier.0
    }
}

impl fmt::Display for UnixSeconds {
    /// The number that stands in tokens, and the moment that people know it by.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A clock tells more digits than anybody wants to read.
        write!(f, "{} ({})", (self.0 * 1_000.0).round() / 1_000.0, self.stamp().to_the_second())
    }
}

/// A source of the current time.
#[derive(Clone)]
pub enum Clock {
    /// The machine's own clock.
    System,
    /// A clock that someone else turns: tests, and a look at another moment.
    Given(Arc<dyn Fn() -> UnixSeconds + Send + Sync>),
}

impl Clock {
    /// A clock that stands still at `moment`.
    pub fn fixed(moment: UnixSeconds) -> Self {
        Clock::Given(Arc::new(move || moment))
    }

    /// The time now. A machine whose clock is before 1970 is taken to be at 1970.
    #[allow(clippy::disallowed_methods, reason = "this is the one reader of the wall clock")]
    pub fn now(&self) -> UnixSeconds {
        match self {
            Clock::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                UnixSeconds(since.as_secs_f64())
            }
            Clock::Given(read) => read(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Clock::System => "Clock::System",
            Clock::Given(_) => "Clock::Given",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_finite_numbers_are_moments() {
        assert!(UnixSeconds::new(1.5).is_some());
        assert!(UnixSeconds::new(f64::NAN).is_none());
        assert!(UnixSeconds::new(f64::INFINITY).is_none());
    }

    #[test]
    fn a_whole_second_never_lies_ahead() {
        for (moment, whole) in [(1.0, 1), (1.9, 1), (-0.5, -1), (1e300, i64::MAX)] {
            assert_eq!(UnixSeconds(moment).whole(), whole);
        }
    }

    #[test]
    fn the_system_clock_is_past_the_writing_of_this_line() {
        assert!(Clock::System.now() > UnixSeconds(1_790_000_000.0));
    }
}
