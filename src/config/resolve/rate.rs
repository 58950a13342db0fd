//! `rate` of a route.

use std::time::Duration;

use super::super::quantity::Time;
use super::super::raw::{Access, PerWord, Route as RawRoute};
use super::Context;
use crate::decision::rate::{Per, Rate};

/// The most requests that may come at once.
const MOST: u32 = 1_000_000;

/// How often each caller of a route may come; `None`: as often as it likes, or it was complained of.
pub(super) fn rate(raw: &RawRoute, access: Access, cx: &mut Context<'_, '_>) -> Option<Rate> {
    let rate = raw.rate.at()?;
    let key = format!("{}.rate", raw.label);
    if access == Access::Deny {
        cx.notes.error(&rate.span, &*key, "nobody passes here, so nothing is counted", "leave it out");
    }
    for (name, absent, advice) in [
        ("per", rate.value.per.is_absent(), "say what callers are told apart by: per = \"subject\" or \"address\""),
        ("requests", rate.value.requests.is_absent(), "say how many may come at once: requests = 100"),
    ] {
        if absent {
            cx.notes.error(&rate.span, &*key, format!("`{name}` is missing"), advice);
        }
    }
    let per = per(raw, access, &key, cx);
    let (requests, window) = (requests(raw, &key, cx), window(raw, &key, cx));
    let rate = Rate { per: per?, requests: requests?, window: window? };
    if rate.window / rate.requests < Rate::SHORTEST_INTERVAL {
        let advice = "leave `rate` out, or ask for less";
        let span = &raw.rate.at()?.span;
        cx.notes.error(span, &*key, "more than 100000 requests a second are not counted", advice);
        return None;
    }
    Some(rate)
}

fn per(raw: &RawRoute, access: Access, key: &str, cx: &mut Context<'_, '_>) -> Option<Per> {
    let per = raw.rate.get()?.per.at()?;
    match per.value {
        PerWord::Address => Some(Per::Address),
        PerWord::Subject => {
            if access == Access::Open {
                let problem = "nobody is known by name here: access = \"open\" looks at no token";
                cx.notes.error(&per.span, format!("{key}.per"), problem, "write per = \"address\"");
            }
            Some(Per::Subject)
        }
    }
}

fn requests(raw: &RawRoute, key: &str, cx: &mut Context<'_, '_>) -> Option<u32> {
    let requests = raw.rate.get()?.requests.at()?;
    match u32::try_from(requests.value) {
        Ok(number @ 1..=MOST) => Some(number),
        _ => {
            let advice = if requests.value == 0 {
                "to let nobody pass, write access = \"deny\""
            } else {
                "ask for fewer, or leave `rate` out"
            };
            let problem = format!("{} is not between 1 and {MOST}", requests.value);
            cx.notes.error(&requests.span, format!("{key}.requests"), problem, advice);
            None
        }
    }
}

fn window(raw: &RawRoute, key: &str, cx: &mut Context<'_, '_>) -> Option<Duration> {
    const USUAL: Duration = Duration::from_secs(1);
    let field = &raw.rate.get()?.window;
    let Some(window) = field.at() else { return field.is_absent().then_some(USUAL) };
    if window.value.0.is_zero() || window.value.0 > Rate::LONGEST {
        let problem = format!("{} is not between \"1ms\" and {:?}", window.value, Time(Rate::LONGEST).to_string());
        cx.notes.error(&window.span, format!("{key}.window"), problem, "write window = \"1s\" or \"1m\"");
        return None;
    }
    Some(window.value.0)
}
