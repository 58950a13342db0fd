//! A record as a line, in JSON or for the eye.
//!
//! Whatever a stranger may have chosen goes through [`treacherous`](crate::telemetry::treacherous).

use std::fmt::{self, Display, Write};
use std::time::Duration;

use super::{AccessRecord, TokenMark};
use crate::telemetry::CODE_OK;
use crate::telemetry::treacherous::{quoted, word};

/// Appends the record as one JSON object. Every field is always there; what is absent is `null`.
pub(super) fn json(record: &AccessRecord, out: &mut String) {
    let mut object = Object { out, begun: false };
    // Writing into a string does not fail.
    let _ = object.fill(record);
}

/// Appends the record as `TIME VERDICT CODE STATUS METHOD PATH name=value …`; what is absent is left out.
pub(super) fn text(record: &AccessRecord, out: &mut String) {
    // Writing into a string does not fail.
    let _ = write_text(record, out);
}

/// The word for what went wrong.
fn code(record: &AccessRecord) -> &'static str {
    record.code.map_or(CODE_OK, |code| code.name())
}

/// The token's id and its digest, of which at most one is there.
fn marks(record: &AccessRecord) -> (Option<&str>, Option<&str>) {
    match &record.token {
        Some(TokenMark::Id(id)) => (Some(id.as_str()), None),
        Some(TokenMark::Digest(digest)) => (None, Some(digest)),
        None => (None, None),
    }
}

/// A JSON object on its way.
struct Object<'a> {
    out: &'a mut String,
    begun: bool,
}

impl Object<'_> {
    fn fill(&mut self, record: &AccessRecord) -> fmt::Result {
        let (token_id, token_digest) = marks(record);
        self.display("time", &record.time.stamp())?;
        self.string("request_id", Some(record.request_id.as_str()))?;
        self.display("peer", &record.peer)?;
        self.string("method", Some(record.method.as_str()))?;
        self.string("host", record.host.as_ref().map(|host| host.as_str()))?;
        self.string("path", Some(record.path.as_str()))?;
        self.string("route", record.route.as_deref())?;
        self.string("verdict", Some(record.outcome.name()))?;
        self.string("code", Some(code(record)))?;
        self.number("status", record.status.map(|status| status.as_u16()))?;
        self.string("subject", record.subject.as_ref().map(|subject| subject.as_str()))?;
        self.string("token_id", token_id)?;
        self.string("token_digest", token_digest)?;
        self.number("bytes_in", Some(record.bytes_in))?;
        self.number("bytes_out", Some(record.bytes_out))?;
        self.number("duration_ms", Some(Milliseconds(record.duration)))?;
        self.number("upstream_ms", record.upstream.map(Milliseconds))?;
        self.string("detail", record.detail.as_ref().map(|detail| detail.as_str()))?;
        self.out.write_char('}')
    }

    fn name(&mut self, name: &'static str) -> fmt::Result {
        let before = if self.begun { ',' } else { '{' };
        self.begun = true;
        write!(self.out, "{before}\"{name}\":")
    }

    fn string(&mut self, name: &'static str, value: Option<&str>) -> fmt::Result {
        self.name(name)?;
        match value {
            Some(value) => quoted(value, self.out),
            None => self.out.write_str("null"),
        }
    }

    /// A value that prints itself and holds nothing to escape.
    fn display(&mut self, name: &'static str, value: &impl Display) -> fmt::Result {
        self.name(name)?;
        write!(self.out, "\"{value}\"")
    }

    fn number(&mut self, name: &'static str, value: Option<impl Display>) -> fmt::Result {
        self.name(name)?;
        match value {
            Some(value) => write!(self.out, "{value}"),
            None => self.out.write_str("null"),
        }
    }
}

fn write_text(record: &AccessRecord, out: &mut String) -> fmt::Result {
    write!(out, "{} {} {} ", record.time.stamp(), record.outcome.name(), code(record))?;
    match record.status {
        Some(status) => write!(out, "{} ", status.as_u16())?,
        None => out.write_str("- ")?,
    }
    word(record.method.as_str(), out)?;
    out.write_char(' ')?;
    word(record.path.as_str(), out)?;
    let (token_id, token_digest) = marks(record);
    pair("host", record.host.as_ref().map(|host| host.as_str()), out)?;
    pair("route", record.route.as_deref(), out)?;
    write!(out, " peer={}", record.peer)?;
    pair("subject", record.subject.as_ref().map(|subject| subject.as_str()), out)?;
    pair("token_id", token_id, out)?;
    pair("token_digest", token_digest, out)?;
    write!(out, " in={} out={} ms={}", record.bytes_in, record.bytes_out, Milliseconds(record.duration))?;
    if let Some(upstream) = record.upstream {
        write!(out, " upstream_ms={}", Milliseconds(upstream))?;
    }
    pair("id", Some(record.request_id.as_str()), out)?;
    pair("detail", record.detail.as_ref().map(|detail| detail.as_str()), out)
}

fn pair(name: &str, value: Option<&str>, out: &mut String) -> fmt::Result {
    let Some(value) = value else { return Ok(()) };
    write!(out, " {name}=")?;
    word(value, out)
}

/// A duration as milliseconds with three decimals.
struct Milliseconds(Duration);

impl Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let microseconds = self.0.as_micros();
        write!(f, "{}.{:03}", microseconds / 1_000, microseconds % 1_000)
    }
}
