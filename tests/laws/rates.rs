//! Laws about rates.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use waxseal::decision::client::Client;
use waxseal::decision::policy::Policy;
use waxseal::decision::rate::{Key, Per, Rate, Rates};
use waxseal::time::UnixSeconds;

use super::drawn::cases;
use crate::made::{NOW, route};

/// Callers that are few enough for the table to keep them all.
const CALLERS: u32 = 8;

/// When and by whom requests come: milliseconds after the one before, and a caller.
fn arrivals() -> impl Strategy<Value = Vec<(u32, u32)>> {
    let pause = prop_oneof![4 => 0..3_u32, 2 => 0..200_u32, 1 => 0..5_000_u32];
    prop::collection::vec((pause, 0..CALLERS), 1..400)
}

fn rate() -> impl Strategy<Value = Rate> {
    let window = prop_oneof![1..50_u64, 50..2_000_u64, Just(86_400_000)];
    (1..60_u32, window).prop_map(|(requests, milliseconds)| Rate {
        per: Per::Address,
        requests,
        window: Duration::from_millis(milliseconds),
    })
}

fn caller(number: u32) -> Key<'static> {
    Key::Client(Client::V4(number.into()))
}

fn at(milliseconds: u32) -> UnixSeconds {
    UnixSeconds::new(NOW + f64::from(milliseconds) / 1000.0).unwrap()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn nobody_gets_more_than_a_bucket_and_what_came_back_since(rate in rate(), arrivals in arrivals()) {
        let (rates, route) = (Rates::default(), route("/x", Policy::Open));
        let mut passed: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut now = 0;
        for (pause, number) in arrivals {
            now += pause;
            if rates.take(&route, &rate, caller(number), at(now)).is_ok() {
                passed.entry(number).or_default().push(now);
            }
        }
        for moments in passed.values() {
            // Over every stretch from one request that passed to another; a clock is exact to a microsecond at best.
            for (first, from) in moments.iter().enumerate() {
                for (last, to) in moments.iter().enumerate().skip(first) {
                    let elapsed = f64::from(to - from) / 1000.0 + 1e-6;
                    let most = f64::from(rate.requests) * (1.0 + elapsed / rate.window.as_secs_f64());
                    let count = u32::try_from(last - first + 1).unwrap();
                    prop_assert!(f64::from(count) <= most, "{} in {} s under {}", count, elapsed, rate);
                }
            }
        }
    }

    #[test]
    fn who_keeps_to_the_pace_is_never_refused(rate in rate(), others in arrivals(), extra in 0..400_u32) {
        let (rates, route) = (Rates::default(), route("/x", Policy::Open));
        let pace = rate.window.as_secs_f64() / f64::from(rate.requests) + 1e-6 + f64::from(extra % 3) * 1e-3;
        let mut others = others.into_iter();
        for turn in 0..400_u32 {
            let now = UnixSeconds::new(NOW + pace * f64::from(turn)).unwrap();
            prop_assert!(rates.take(&route, &rate, caller(CALLERS), now).is_ok(), "turn {} under {}", turn, rate);
            // What others do is none of its business.
            for (_, number) in others.by_ref().take(2) {
                let _ = rates.take(&route, &rate, caller(number), now);
            }
        }
    }

    #[test]
    fn a_caller_that_waits_as_it_is_told_passes(rate in rate(), arrivals in arrivals()) {
        let (rates, route) = (Rates::default(), route("/x", Policy::Open));
        let mut now = UnixSeconds::new(NOW).unwrap();
        for (pause, number) in arrivals {
            now = now.plus(f64::from(pause) / 1000.0);
            if let Err(wait) = rates.take(&route, &rate, caller(number), now) {
                prop_assert!(wait <= rate.window, "{:?} under {}", wait, rate);
                let later = now.plus(wait.as_secs_f64() + 1e-6);
                prop_assert!(rates.take(&route, &rate, caller(number), later).is_ok(), "{:?} under {}", wait, rate);
                now = later;
            }
        }
    }

    #[test]
    fn few_callers_are_never_taken_for_one_another(rate in rate(), arrivals in arrivals()) {
        let (rates, route) = (Rates::default(), route("/x", Policy::Open));
        // The same by a map that forgets nobody: how many nanoseconds each bucket is short of, and since when.
        let mut buckets: BTreeMap<u32, (u128, u128)> = BTreeMap::new();
        let whole = rate.window.as_nanos();
        let mut now = 0;
        for (pause, number) in arrivals {
            now += pause;
            let nanoseconds = u128::from(now) * 1_000_000;
            let (short, since) = buckets.get(&number).copied().unwrap_or_default();
            let wanted = short.saturating_sub(nanoseconds - since) + whole / u128::from(rate.requests);
            // Where it is a matter of microseconds, both may be right.
            let close = wanted.abs_diff(whole) < 20_000;
            let passes = rates.take(&route, &rate, caller(number), at(now)).is_ok();
            prop_assert!(close || passes == (wanted < whole), "{} short of {} under {}", wanted, whole, rate);
            if passes {
                buckets.insert(number, (wanted, nanoseconds));
            }
        }
    }
}
