//! What a token says, whether a config would take it, and what ends it.
//!
//! Its signature is never shown: what is printed is no token any more.

use std::fmt::{self, Display};

use serde::Serialize;
use serde_json::Value;

use super::text::{Fact, step as step_text};
use super::{Principal, Step, advice, principal, step};
use crate::config::Config;
use crate::decision::examine;
use crate::decision::jws::Jws;
use crate::decision::revocation::Revocations;
use crate::decision::witness::Record;
use crate::secret::Secret;
use crate::telemetry::treacherous::visible;
use crate::telemetry::{CODE_OK, Outcome};
use crate::time::UnixSeconds;

/// The claims that are moments (RFC 7519 section 4.1, OpenID Connect Core section 2).
const MOMENTS: [&str; 4] = ["exp", "nbf", "iat", "auth_time"];

/// All there is to say about one token. Its JSON form is what `waxseal token inspect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// The moment at which it is judged, in RFC 3339.
    pub at: String,
    /// The JOSE header; absent where the token cannot be read.
    pub header: Option<Header>,
    /// What it claims, proven or not; absent where the token cannot be read.
    pub claims: Option<Value>,
    /// What was looked at, in order.
    pub steps: Vec<Step>,
    /// `allow` where a route that takes any issuer and demands nothing more would let it pass, else `reject`.
    pub verdict: &'static str,
    /// The reason, or `ok`.
    pub code: &'static str,
    /// What was expected and what was found.
    pub detail: Option<String>,
    /// What an operator can do about it.
    pub advice: Option<&'static str>,
    /// Who was proven.
    pub principal: Option<Principal>,
    /// When it ends, leeway included, in RFC 3339; absent where it is not taken.
    pub ends: Option<String>,
    /// Seconds until then.
    pub seconds_left: Option<i64>,
}

/// What the header of a token says; it chooses nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Header {
    /// The algorithm.
    pub alg: String,
    /// The key it was signed with.
    pub kid: Option<String>,
    /// What kind of token it is.
    pub typ: Option<String>,
}

/// Looks into a token and examines it by a config at that moment.
pub fn inspect(config: &Config, token: &Secret<String>, now: UnixSeconds) -> Inspection {
    let bytes = token.expose().as_bytes();
    let read = Jws::parse(bytes).ok();
    let mut record = Record::default();
    let snapshot = config.snapshot.disregarding(Revocations::is_elsewhere);
    let examined = examine(&mut record, bytes, &snapshot, now);
    let taken = examined.as_ref().ok();
    let leeway = taken.and_then(|own| config.snapshot.issuer(own.issuer_id())).map_or(0.0, |issuer| issuer.leeway);
    let ends = taken.map(|own| own.expires().plus(leeway));
    let refused = examined.as_ref().err();
    Inspection {
        at: now.stamp().to_string(),
        header: read.as_ref().map(Jws::parts).map(|parts| Header {
            alg: parts.algorithm().to_owned(),
            kid: parts.kid().map(str::to_owned),
            typ: parts.typ().map(str::to_owned),
        }),
        claims: read.map(|jws| jws.unverified_claims().json().clone()),
        steps: record.steps.into_iter().map(|look| step(look, &config.snapshot)).collect(),
        verdict: if refused.is_none() { Outcome::Allow.name() } else { Outcome::Reject.name() },
        code: refused.map_or(CODE_OK, |rejection| rejection.code().name()),
        detail: refused.map(|rejection| rejection.detail().to_owned()),
        advice: refused.map(|rejection| advice::advice(rejection.code())),
        principal: taken.map(|own| principal(own)),
        ends: ends.map(|ends| ends.stamp().to_the_second()),
        seconds_left: ends.and_then(|ends| UnixSeconds::new(ends.since(now))).map(UnixSeconds::whole),
    }
}

impl Inspection {
    /// Whether the config would take the token.
    pub fn is_taken(&self) -> bool {
        self.verdict == Outcome::Allow.name()
    }
}

impl Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(header) = &self.header {
            writeln!(f, "header (it chooses nothing)")?;
            writeln!(f, "  alg  {}", Fact(&header.alg))?;
            for (name, value) in [("kid", &header.kid), ("typ", &header.typ)] {
                writeln!(f, "  {name}  {}", Fact(value.as_deref().unwrap_or("none")))?;
            }
        }
        if let Some(Value::Object(claims)) = &self.claims {
            writeln!(f, "\nclaims{}", if self.is_taken() { "" } else { " (not proven)" })?;
            claims.iter().try_for_each(|(name, value)| claim(f, name, value))?;
        }
        match &self.principal {
            Some(own) => writeln!(
                f,
                "\ntaken: issuer {:?} proves it for {}",
                own.issuer,
                visible(&format!("{:?}", own.subject))
            )?,
            None => writeln!(f, "\nnot taken: {}", self.code)?,
        }
        if let Some(detail) = &self.detail {
            writeln!(f, "  {}", Fact(detail))?;
        }
        if let Some(advice) = self.advice {
            writeln!(f, "  {advice}")?;
        }
        if let (Some(ends), Some(left)) = (&self.ends, self.seconds_left) {
            writeln!(f, "  it ends {ends}, in {}", Span(left))?;
        }
        writeln!(f, "\nwhat was looked at (judged at {})", self.at)?;
        self.steps.iter().try_for_each(|own| step_text(f, own))
    }
}

fn claim(f: &mut fmt::Formatter<'_>, name: &str, value: &Value) -> fmt::Result {
    let moment = value.as_f64().filter(|_| MOMENTS.contains(&name)).and_then(UnixSeconds::new);
    match moment {
        Some(moment) => writeln!(f, "  {name}: {moment}"),
        None => writeln!(f, "  {}: {}", visible(name), Fact(&value.to_string())),
    }
}

/// A number of seconds in its two largest units.
struct Span(i64);

impl Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0);
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
        match (days, hours, minutes) {
            (0, 0, 0) => write!(f, "{seconds}s"),
            (0, 0, _) => write!(f, "{minutes}m {}s", seconds % 60),
            (0, ..) => write!(f, "{hours}h {minutes}m"),
            _ => write!(f, "{days}d {hours}h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_its_two_largest_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (61, "1m 1s"),
            (3_660, "1h 1m"),
            (90_000, "1d 1h"),
            (31_536_000, "365d 0h"),
            (-5, "0s"),
        ] {
            assert_eq!(Span(seconds).to_string(), text);
        }
    }
}
