//! Web origins (RFC 6454) and the patterns by which a config permits them.

/// An origin as the config writes it: exact, with `*.` before the host, or with `*` for the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern {
    scheme: Box<str>,
    host: Box<str>,
    /// Any name below `host` is meant instead of `host` itself.
    below: bool,
    port: Port,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Port {
    /// The scheme's own, not written.
    Default,
    Exact(u16),
    /// Any, written or not.
    Any,
}

impl OriginPattern {
    /// Reads `https://oms.example`, `https://*.hotwax.io` or `http://localhost:*`.
    ///
    /// # Errors
    /// Says what was expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("an origin begins with http:// or https://")?;
        if !matches!(scheme, "http" | "https") {
            return Err("an origin begins with http:// or https://");
        }
        let (host, port) = split_port(rest);
        let port = match port {
            None => Port::Default,
            Some("*") => Port::Any,
            Some(digits) => match (scheme, digits.parse().map_err(|_| "the port is no number up to 65535")?) {
                ("http", 80) | ("https", 443) => Port::Default,
                (_, port) => Port::Exact(port),
            },
        };
        let (below, host) = host.strip_prefix("*.").map_or((false, host), |host| (true, host));
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte)) {
            return Err("an origin is scheme, host and port alone; `*` stands for the first labels or for the port");
        }
        Ok(Self { scheme: scheme.into(), host: host.to_ascii_lowercase().into(), below, port })
    }

    /// Whether an `Origin` field names an origin that is meant.
    pub fn matches(&self, origin: &str) -> bool {
        let Some(rest) = origin.strip_prefix(&*self.scheme).and_then(|rest| rest.strip_prefix("://")) else {
            return false;
        };
        let (host, port) = split_port(rest);
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte)) {
            return false;
        }
        // The number's own reader would take a sign before it.
        if port.is_some_and(|digits| !digits.bytes().all(|digit| digit.is_ascii_digit())) {
            return false;
        }
        let port_fits = match (self.port, port) {
            (Port::Any, None) | (Port::Default, None) => true,
            (Port::Any, Some(digits)) => digits.parse::<u16>().is_ok(),
            (Port::Default, Some(_)) | (Port::Exact(_), None) => false,
            (Port::Exact(port), Some(digits)) => digits.parse() == Ok(port),
        };
        let host = host.to_ascii_lowercase();
        let host_fits = if self.below {
            host.strip_suffix(&*self.host).is_some_and(|name| name.len() > 1 && name.ends_with('.'))
        } else {
            host == *self.host
        };
        port_fits && host_fits
    }
}

/// Host and port, the port only where a colon stands outside the brackets of an IPv6 address.
fn split_port(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_what_they_say_and_nothing_else() {
        for (pattern, origin, expected) in [
            ("https://oms.example", "https://oms.example", true),
            ("https://oms.example", "https://OMS.example", true),
            ("https://oms.example", "http://oms.example", false),
            ("https://oms.example", "https://oms.example:8443", false),
            ("https://oms.example:443", "https://oms.example", true),
            ("https://oms.example:8443", "https://oms.example:8443", true),
            ("https://*.hotwax.io", "https://users.hotwax.io", true),
            ("https://*.hotwax.io", "https://a.b.hotwax.io", true),
            ("https://*.hotwax.io", "https://hotwax.io", false),
            ("https://*.hotwax.io", "https://.hotwax.io", false),
            ("https://*.hotwax.io", "https://evilhotwax.io", false),
            ("https://*.hotwax.io", "https://hotwax.io.evil.example", false),
            ("https://*.hotwax.io", "https://x@users.hotwax.io", false),
            ("http://localhost:*", "http://localhost:8100", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "http://localhost:x", false),
            ("http://localhost:*", "http://localhost:+80", false),
            ("https://oms.example:8443", "https://oms.example:+8443", false),
            ("http://[::1]:*", "http://[::1]:80", true),
            ("https://oms.example", "null", false),
            ("https://oms.example", "", false),
        ] {
            assert_eq!(OriginPattern::parse(pattern).unwrap().matches(origin), expected, "{pattern} {origin}");
        }
    }

    #[test]
    fn what_is_no_origin_is_refused() {
        for text in
            ["*", "oms.example", "ftp://x", "https://", "https://x/y", "https://a.*.b", "https://x:99999", "https://*."]
        {
            assert!(OriginPattern::parse(text).is_err(), "{text}");
        }
    }
}
