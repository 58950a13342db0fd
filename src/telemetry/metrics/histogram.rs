//! The two things that are counted with: a number that grows, and durations sorted into buckets.
//!
//! Both are plain atomics with relaxed order: each is right by itself, and no reader draws conclusions from two of them
//! at once. The histogram of prometheus-client would take a lock for every observation.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Several more.
    pub fn add_many(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The number so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Durations sorted into `N` buckets and one for what is longer than all of them.
#[derive(Debug)]
pub(super) struct Histogram<const N: usize> {
    /// Upper bounds in nanoseconds, inclusive, ascending.
    bounds: &'static [u64; N],
    counts: [Count; N],
    beyond: Count,
    /// Nanoseconds. It starts anew after 584 years of summed time, which a reader takes for a restart.
    sum: Count,
}

/// What a histogram held at one moment.
#[derive(Debug)]
pub(super) struct Reading {
    /// Sum of all durations in seconds.
    pub(super) sum: f64,
    /// Number of all durations.
    pub(super) count: u64,
    /// Upper bound in seconds, and how many fell between the bound before and this one; the last bound is infinite.
    pub(super) buckets: Vec<(f64, u64)>,
}

impl<const N: usize> Histogram<N> {
    /// An empty one with these upper bounds, in nanoseconds, ascending.
    pub(super) fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: std::array::from_fn(|_| Count::default()),
            beyond: Count::default(),
            sum: Count::default(),
        }
    }

    /// Takes one duration in.
    pub(super) fn observe(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.sum.add_many(nanoseconds);
        for (bound, count) in self.bounds.iter().zip(&self.counts) {
            if nanoseconds <= *bound {
                return count.add();
            }
        }
        self.beyond.add();
    }

    /// What it holds now.
    pub(super) fn read(&self) -> Reading {
        let bounded = self.bounds.iter().zip(&self.counts).map(|(bound, count)| (seconds(*bound), count.value()));
        let buckets: Vec<_> = bounded.chain([(f64::INFINITY, self.beyond.value())]).collect();
        // Counted from the buckets, so that `_count` and the last bucket can never disagree.
        let count = buckets.iter().map(|(_, count)| count).sum();
        Reading { sum: seconds(self.sum.value()), count, buckets }
    }
}

impl Reading {
    /// Takes in what another histogram of the same bounds held.
    pub(super) fn merge(&mut self, other: &Reading) {
        self.sum += other.sum;
        self.count += other.count;
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            mine.1 += theirs.1;
        }
    }
}

/// Nanoseconds as seconds.
fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    static BOUNDS: [u64; 2] = [1_000, 2_000_000];

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::new(&BOUNDS);
        for nanoseconds in [0, 1_000, 1_001, 2_000_000, 2_000_001] {
            histogram.observe(Duration::from_nanos(nanoseconds));
        }
        histogram.observe(Duration::MAX);
        let reading = histogram.read();
        assert_eq!(reading.buckets, [(0.000_001, 2), (0.002, 2), (f64::INFINITY, 2)]);
        assert_eq!(reading.count, 6);
    }

    #[test]
    fn readings_add_up() {
        let (one, two) = (Histogram::new(&BOUNDS), Histogram::new(&BOUNDS));
        one.observe(Duration::from_secs(1));
        two.observe(Duration::from_nanos(5));
        let mut sum = one.read();
        sum.merge(&two.read());
        assert_eq!(sum.count, 2);
        assert_eq!(sum.buckets, [(0.000_001, 1), (0.002, 0), (f64::INFINITY, 1)]);
        assert!((sum.sum - 1.000_000_005).abs() < 1e-12);
    }
}
