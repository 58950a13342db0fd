//! How long an answer may be kept, by what its head says (RFC 9111 section 4.2).

use std::time::Duration;

use http::header::{AGE, CACHE_CONTROL, DATE, EXPIRES};
use http::{HeaderMap, HeaderName};

/// How long an answer says that it may be kept from now on; `None`: it does not say.
pub(super) fn of(headers: &HeaderMap) -> Option<Duration> {
    let control = headers.get_all(CACHE_CONTROL).iter().filter_map(|field| field.to_str().ok());
    let mut lifetime = None;
    for directive in control.flat_map(|field| field.split(',')) {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-store" | "no-cache" => return Some(Duration::ZERO),
            // Of several the shortest counts; what is no number says that something is wrong.
            "max-age" => {
                let own = seconds(value.trim().trim_matches('"'));
                lifetime = Some(lifetime.map_or(own, |other: Duration| other.min(own)));
            }
            _ => {}
        }
    }
    let age = text(headers, &AGE).map_or(Duration::ZERO, seconds);
    lifetime.or_else(|| expires(headers)).map(|lifetime| lifetime.saturating_sub(age))
}

/// From when it was sent to when it expires. A date that cannot be read lies in the past (RFC 9111 section 5.3).
fn expires(headers: &HeaderMap) -> Option<Duration> {
    let moment = |text: &str| httpdate::parse_http_date(text).ok();
    let Some(expires) = moment(text(headers, &EXPIRES)?) else { return Some(Duration::ZERO) };
    let sent = text(headers, &DATE).and_then(moment)?;
    Some(expires.duration_since(sent).unwrap_or_default())
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default().trim())
}

/// A number of seconds (RFC 9111 section 1.2.2): one that is too large is very large, no number is nothing.
fn seconds(text: &str) -> Duration {
    /// What that section has a number count as that overflows.
    const MOST: u64 = 1 << 31;
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    Duration::from_secs(if digits { text.parse().unwrap_or(MOST).min(MOST) } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_says_how_long() {
        const SENT: (&str, &str) = ("date", "Tue, 24 Nov 2026 20:00:00 GMT");
        const HOUR_LATER: (&str, &str) = ("expires", "Tue, 24 Nov 2026 21:00:00 GMT");
        for (fields, expected) in [
            (&[][..], None),
            (&[("cache-control", "public")], None),
            (&[("cache-control", "public, max-age=300")], Some(300)),
            (&[("cache-control", "MAX-AGE = \"300\"")], Some(300)),
            (&[("cache-control", "max-age=300"), ("age", "100")], Some(200)),
            (&[("cache-control", "max-age=300"), ("age", "400")], Some(0)),
            (&[("cache-control", "max-age=300"), ("cache-control", "max-age=60")], Some(60)),
            (&[("cache-control", "max-age=300, no-store")], Some(0)),
            (&[("cache-control", "no-cache")], Some(0)),
            (&[("cache-control", "max-age=x")], Some(0)),
            (&[("cache-control", "max-age=99999999999999999999")], Some(1 << 31)),
            (&[SENT, HOUR_LATER], Some(3600)),
            (&[SENT, HOUR_LATER, ("age", "600")], Some(3000)),
            (&[SENT, HOUR_LATER, ("cache-control", "max-age=60")], Some(60)),
            (&[SENT, ("expires", "0")], Some(0)),
            (&[("expires", "Tue, 24 Nov 2026 21:00:00 GMT")], None),
            (&[("date", "Tue, 24 Nov 2026 22:00:00 GMT"), HOUR_LATER], Some(0)),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            assert_eq!(of(&headers), expected.map(Duration::from_secs), "{fields:?}");
        }
    }
}
