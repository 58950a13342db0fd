//! The tables about the process itself.

use std::time::Duration;

use super::super::diagnostic::Notes;
use super::super::quantity::{Size, Time};
use super::super::raw::{Admin, Drain, Limits as RawLimits, Log, Memo};
use super::super::reader::Field;
use super::super::source::{self, Source};
use super::listen::address;
use super::{Context, table};
use crate::decision::memo;
use crate::net::{DrainSettings, Limits, Listen};
use crate::secret::Secret;
use crate::telemetry::LogFormat;
use crate::{admin, telemetry};

/// The least that hyper can read a head into.
const LEAST_HEADER_SIZE: u64 = 8 << 10;
/// More is no head but an attack; HTTP/2 counts in 32 bits.
const MOST_HEADER_SIZE: u64 = 16 << 20;
/// Room for proxies and browsers at their worst, four times what OFBiz's Tomcat takes.
const HEADER_SIZE: u64 = 32 << 10;
/// What Tomcat takes as well.
const HEADERS: usize = 100;
/// A map of headers holds no more.
const MOST_HEADERS: usize = 24_576;
/// Bounds what a slow sender can hold.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any stall of a network that comes back.
const BODY_STALL: Duration = Duration::from_secs(60);
/// A little above the minute that most clients and balancers keep a connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// Where the memory of a small container ends.
pub(in crate::config) const CONNECTIONS: usize = 20_000;
/// What browsers and gRPC clients ask for.
const STREAMS: usize = 100;
/// RFC 9113 section 5.1.1.
const MOST_STREAMS: usize = (1 << 31) - 1;
/// More threads than any machine has cores; each has a runtime of its own.
const MOST_WORKERS: usize = 1024;

/// Data threads.
pub(super) fn workers(field: &Field<usize>, notes: &mut Notes<'_>) -> usize {
    let default = std::thread::available_parallelism().map_or(1, usize::from);
    within(field, "workers", default, 1, MOST_WORKERS, notes)
}

/// A number in its bounds.
fn within(field: &Field<usize>, key: &str, default: usize, least: usize, most: usize, notes: &mut Notes<'_>) -> usize {
    let Some(number) = field.at() else { return default };
    if !(least..=most).contains(&number.value) {
        let problem = format!("{} is not between {least} and {most}", number.value);
        notes.error(&number.span, key, problem, "leave it out, or write a number within");
    }
    number.value
}

/// A time in which something can happen.
pub(super) fn positive(field: &Field<Time>, key: &str, notes: &mut Notes<'_>) -> Option<Duration> {
    let time = field.at()?;
    if time.value.0.is_zero() {
        notes.error(&time.span, key, "in no time at all nothing can happen", "write how long it may take");
    }
    Some(time.value.0)
}

/// How much and how long.
pub(super) fn limits(field: &Field<RawLimits>, notes: &mut Notes<'_>) -> Limits {
    let raw = table(field);
    let header_size = raw.header_size.or(Size(HEADER_SIZE)).0;
    if !(LEAST_HEADER_SIZE..=MOST_HEADER_SIZE).contains(&header_size) {
        let span = raw.header_size.span().cloned().unwrap_or(0..0);
        let problem = format!("{} is not between \"8KiB\" and \"16MiB\"", Size(header_size));
        notes.error(&span, "limits.header_size", problem, "leave it out for \"32KiB\"");
    }
    let most = usize::MAX;
    let streams = within(&raw.streams, "limits.streams", STREAMS, 1, MOST_STREAMS, notes);
    Limits {
        header_size: usize::try_from(header_size).unwrap_or(most),
        headers: within(&raw.headers, "limits.headers", HEADERS, 1, MOST_HEADERS, notes),
        header_timeout: positive(&raw.header_timeout, "limits.header_timeout", notes).unwrap_or(HEADER_TIMEOUT),
        idle_timeout: positive(&raw.idle_timeout, "limits.idle_timeout", notes).unwrap_or(IDLE_TIMEOUT),
        connections: connections(&raw.connections, descriptors(), notes),
        streams: u32::try_from(streams).unwrap_or(u32::MAX),
    }
}

/// How long a body that is due may be silent.
pub(super) fn body_stall(raw: &RawLimits, notes: &mut Notes<'_>) -> Duration {
    positive(&raw.body_stall, "limits.body_stall", notes).unwrap_or(BODY_STALL)
}

/// Connections at a time. Each takes a descriptor, and mostly another one towards the upstream.
fn connections(field: &Field<usize>, descriptors: Option<usize>, notes: &mut Notes<'_>) -> usize {
    const KEY: &str = "limits.connections";
    let share = descriptors.map(|limit| (limit.saturating_mul(2) / 5).max(1));
    let advice = "raise it (ulimit -n, LimitNOFILE) for more";
    if let Some(given) = field.at() {
        if let Some(share) = share.filter(|share| given.value > *share) {
            let problem = format!("{} is more than 40 % of the process's descriptor limit ({share})", given.value);
            notes.warning(&given.span, KEY, problem, advice);
        }
        return within(field, KEY, CONNECTIONS, 1, usize::MAX, notes);
    }
    match share.filter(|share| *share < CONNECTIONS) {
        None => CONNECTIONS,
        Some(share) => {
            let problem = format!("cut from {CONNECTIONS} to {share}, 40 % of the process's descriptor limit");
            notes.remark(KEY, problem, advice);
            share
        }
    }
}

/// The soft limit of open files; `None` where there is none or nobody says.
fn descriptors() -> Option<usize> {
    soft_limit(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn soft_limit(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// How to stop.
pub(super) fn drain(field: &Field<Drain>) -> DrainSettings {
    /// What Kubernetes gives a pod.
    const TIMEOUT: Duration = Duration::from_secs(30);
    let raw = table(field);
    DrainSettings { delay: raw.delay.or(Time(Duration::ZERO)).0, timeout: raw.timeout.or(Time(TIMEOUT)).0 }
}

/// What is logged.
pub(super) fn log(field: &Field<Log>) -> telemetry::Settings {
    let raw = table(field);
    telemetry::Settings {
        format: raw.format.or(LogFormat::Json),
        level: raw.level.or(tracing::level_filters::LevelFilter::INFO),
        access: raw.access.or(true),
    }
}

/// What is remembered.
pub(super) fn memo(field: &Field<Memo>) -> memo::Settings {
    /// The tokens of a day's busy clients, many times over.
    const ENTRIES: usize = 10_000;
    /// Room for as many tokens of a kilobyte and a half.
    const SIZE: Size = Size(16 << 20);
    let raw = table(field);
    memo::Settings { entries: raw.entries.or(ENTRIES), size: raw.size.or(SIZE).0 }
}

/// The operator's front.
pub(super) fn admin(field: &Field<Admin>, listen: &[Listen], cx: &mut Context<'_, '_>) -> admin::Settings {
    const DEFAULT: std::net::SocketAddr =
        std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);
    let raw = table(field);
    let mut bind = |field: &Field<String>, key: &str| {
        let text = field.at()?;
        let host = if key == "admin.listen" { "127.0.0.1" } else { "0.0.0.0" };
        let usual = |port: &str| format!("write \"{host}:{port}\"");
        let address = address(&text.value, &usual).map_err(|(problem, advice)| {
            cx.notes.error(&text.span, key, problem, advice);
        });
        let address = address.ok()?;
        let taken = |own: &Listen| matches!(own, Listen::Tcp { address: own, .. } if *own == address);
        if address.port() != 0 && listen.iter().any(taken) {
            cx.notes.error(&text.span, key, format!("{address} is also an address of `listen`"), "take another port");
        }
        Some(address)
    };
    let address = bind(&raw.listen, "admin.listen").unwrap_or(DEFAULT);
    let probes = bind(&raw.probes, "admin.probes");
    if let Some(text) = raw.probes.at().filter(|_| probes == Some(address) && address.port() != 0) {
        cx.notes.error(&text.span, "admin.probes", "is the same address as `listen`", "take another port");
    }
    if let Some(text) = raw.listen.at().filter(|_| !address.ip().to_canonical().is_loopback() && raw.token.is_absent())
    {
        let advice = "add token = { file = \"FILE\" }, or listen at 127.0.0.1; for probes and metrics set `probes`";
        cx.notes.error(&text.span, "admin.listen", "beyond loopback the operator's front needs a token", advice);
    }
    if let Some(text) = raw.listen.at().filter(|_| !address.ip().to_canonical().is_loopback() && !raw.token.is_absent())
    {
        let problem = "beyond loopback the operator's token crosses the network in cleartext";
        let advice =
            "listen at 127.0.0.1, or keep this network to the operators; probes and metrics need only `probes`";
        cx.notes.warning(&text.span, "admin.listen", problem, advice);
    }
    let token = admin_token(&raw.token, cx);
    admin::Settings { listen: address, probes, token, ready_without_keys: raw.ready_without_keys.or(true) }
}

fn admin_token(field: &Field<Source>, cx: &mut Context<'_, '_>) -> Option<Secret<String>> {
    const KEY: &str = "admin.token";
    let source = field.at()?;
    warn_of_text(source, KEY, cx.notes);
    let bytes = match cx.outside.fetch(&source.value) {
        Ok(bytes) => bytes,
        Err(problem) => {
            cx.notes.error(&source.span, KEY, &*problem, source::advice(&problem));
            return None;
        }
    };
    let sendable = !bytes.expose().is_empty() && bytes.expose().iter().all(u8::is_ascii_graphic);
    if !sendable {
        cx.notes.error(
            &source.span,
            KEY,
            "a token is visible ASCII without blanks, and not empty",
            "make one: openssl rand -hex 32 > FILE",
        );
    }
    std::str::from_utf8(bytes.expose()).ok().map(|text| Secret::new(text.to_owned()))
}

/// A secret in the file is read by whoever reads the file.
pub(super) fn warn_of_text(source: &super::At<Source>, key: &str, notes: &mut Notes<'_>) {
    if matches!(source.value, Source::Text(_)) {
        let advice = "write { file = \"FILE\" } or { env = \"NAME\" } outside of trials";
        notes.warning(&source.span, key, "the secret stands in the config file", advice);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::super::reader::At;
    use super::*;

    #[test]
    fn the_soft_limit_is_the_first_number_of_its_line() {
        let text = "Limit                     Soft Limit           Hard Limit           Units\n\
                    Max open files            1024                 524288               files\n";
        assert_eq!(soft_limit(text), Some(1024));
        assert_eq!(soft_limit("Max open files            unlimited            unlimited            files\n"), None);
        assert_eq!(soft_limit(""), None);
    }

    #[test]
    fn connections_are_cut_to_the_descriptors_there_are() {
        let cases = [(None, 20_000, 0), (Some(1 << 20), 20_000, 0), (Some(1024), 409, 1), (Some(1), 1, 1)];
        for (limit, expected, warnings) in cases {
            let mut notes = Notes::new("", Path::new("x"));
            assert_eq!(connections(&Field::Absent, limit, &mut notes), expected, "{limit:?}");
            assert_eq!(notes.finish().unwrap().len(), warnings, "{limit:?}");
        }
        let mut notes = Notes::new("", Path::new("x"));
        let given = Field::Given(At { value: 500, span: 0..0 });
        assert_eq!(connections(&given, Some(1024), &mut notes), 500, "what is asked for is not cut");
        assert_eq!(notes.finish().unwrap().len(), 1);
    }
}
