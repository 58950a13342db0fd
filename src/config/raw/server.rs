//! The tables about the process itself: `[tls]`, `[limits]`, `[paths]`, `[admin]`, `[log]`, `[drain]`, `[memo]`.

use schemars::JsonSchema;
use tracing::level_filters::LevelFilter;

use super::super::diagnostic::Notes;
use super::super::quantity::{Size, Time};
use super::super::reader::{Choice, Field, Node, Read, Table, words};
use super::super::source::Source;
use crate::telemetry::LogFormat;

/// TLS for the `https://` addresses of `listen`.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Tls {
    /// PEM file: the certificate, then its issuers. Required.
    #[schemars(extend("examples" = ["/run/secrets/tls/tls.crt"]))]
    pub(crate) cert: Field<String>,
    /// PEM file: the private key. Required.
    #[schemars(extend("examples" = ["/run/secrets/tls/tls.key"]))]
    pub(crate) key: Field<String>,
    /// The oldest TLS that is spoken: `"1.2"` or `"1.3"`. Default `"1.2"`.
    #[schemars(schema_with = "words::<TlsVersion>")]
    pub(crate) min_version: Field<TlsVersion>,
    /// Whether clients show certificates: `"off"`; others are not in this version yet. Default `"off"`.
    #[schemars(schema_with = "words::<ClientAuth>", extend("enum" = ["off"]))]
    pub(crate) client_auth: Field<ClientAuth>,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl Choice for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.2", Self::Tls12), ("1.3", Self::Tls13)];
}

/// Whether clients show certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientAuth {
    /// They are not asked to.
    Off,
    /// They may.
    Optional,
    /// They must.
    Required,
}

impl Choice for ClientAuth {
    const WORDS: &'static [(&'static str, Self)] =
        &[("off", Self::Off), ("optional", Self::Optional), ("required", Self::Required)];
}

impl Read for Tls {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let tls = Self {
            cert: table.take("cert"),
            key: table.take("key"),
            min_version: table.take("min_version"),
            client_auth: table.take("client_auth"),
        };
        table.later(&["certificate", "client_ca"]);
        table.close();
        Some(tls)
    }
}

/// How much and how long.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Limits {
    /// Size of a request head. Default `"32KiB"`.
    pub(crate) header_size: Field<Size>,
    /// Fields of a request head. Default 100.
    #[schemars(extend("minimum" = 1))]
    pub(crate) headers: Field<usize>,
    /// How long a request head may take to arrive. Default `"10s"`.
    pub(crate) header_timeout: Field<Time>,
    /// Size of a request body. Default: any.
    pub(crate) body_size: Field<Size>,
    /// How long a body that is due may be silent. Default `"60s"`.
    pub(crate) body_stall: Field<Time>,
    /// From the head of a request to the end of its answer. Default: any time.
    pub(crate) request_timeout: Field<Time>,
    /// How long a kept-alive connection may be silent between requests. Default `"75s"`.
    pub(crate) idle_timeout: Field<Time>,
    /// Connections at a time. Default: 20000, or 40 % of the descriptor limit where that is less.
    #[schemars(extend("minimum" = 1))]
    pub(crate) connections: Field<usize>,
    /// Streams at a time on one HTTP/2 connection. Default 100.
    #[schemars(extend("minimum" = 1))]
    pub(crate) streams: Field<usize>,
}

impl Read for Limits {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let limits = Self {
            header_size: table.take("header_size"),
            headers: table.take("headers"),
            header_timeout: table.take("header_timeout"),
            body_size: table.take("body_size"),
            body_stall: table.take("body_stall"),
            request_timeout: table.take("request_timeout"),
            idle_timeout: table.take("idle_timeout"),
            connections: table.take("connections"),
            streams: table.take("streams"),
        };
        table.close();
        Some(limits)
    }
}

/// How paths are read.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Paths {
    /// Whether every path is refused where anything but one UTF-8 percent-decoding could change what it means.
    /// Default false.
    pub(crate) strict: Field<bool>,
}

impl Read for Paths {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let paths = Self { strict: table.take("strict") };
        table.close();
        Some(paths)
    }
}

/// The listener for the operator.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Admin {
    /// Where the operator's front listens. Default `"127.0.0.1:9090"`; beyond loopback it needs `token`.
    pub(crate) listen: Field<String>,
    /// A second address with `/livez`, `/readyz` and `/metrics` alone, for kubelet and Prometheus. Default: none.
    #[schemars(extend("examples" = ["0.0.0.0:9091"]))]
    pub(crate) probes: Field<String>,
    /// The Bearer token that the front at `listen` demands: `{ file = "…" }` or `{ env = "…" }`. Default: none.
    #[schemars(extend("examples" = [{ "file": "/run/secrets/admin/token" }]))]
    pub(crate) token: Field<Source>,
    /// Whether the process is ready before every issuer has its keys. Default true.
    pub(crate) ready_without_keys: Field<bool>,
}

impl Read for Admin {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let admin = Self {
            listen: table.take("listen"),
            probes: table.take("probes"),
            token: table.take("token"),
            ready_without_keys: table.take("ready_without_keys"),
        };
        table.later(&["client_ca"]);
        table.close();
        Some(admin)
    }
}

/// What is logged.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Log {
    /// `"json"`, one object a line, or `"text"`, for the eye. Default `"json"`.
    #[schemars(schema_with = "words::<LogFormat>")]
    pub(crate) format: Field<LogFormat>,
    /// The least weighty diagnostics that are written. Default `"info"`.
    #[schemars(schema_with = "words::<LevelFilter>")]
    pub(crate) level: Field<LevelFilter>,
    /// Whether there is an access log. Default true.
    pub(crate) access: Field<bool>,
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("text", Self::Text)];
}

impl Choice for LevelFilter {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self::OFF),
        ("error", Self::ERROR),
        ("warn", Self::WARN),
        ("info", Self::INFO),
        ("debug", Self::DEBUG),
        ("trace", Self::TRACE),
    ];
    const OTHERS: &'static [(&'static str, &'static str)] =
        &[("critical", "error"), ("fatal", "error"), ("none", "off"), ("notice", "info"), ("verbose", "debug")];
}

impl Read for Log {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let log = Self { format: table.take("format"), level: table.take("level"), access: table.take("access") };
        table.close();
        Some(log)
    }
}

/// How to stop.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Drain {
    /// From "not ready" to the end of accepting. Default `"0s"`.
    pub(crate) delay: Field<Time>,
    /// How long what is under way may take to finish. Default `"30s"`.
    pub(crate) timeout: Field<Time>,
}

impl Read for Drain {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let drain = Self { delay: table.take("delay"), timeout: table.take("timeout") };
        table.close();
        Some(drain)
    }
}

/// What is remembered of tokens that were proven.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Memo {
    /// Proven tokens that a worker remembers. Default 10000; 0 turns the memo off.
    pub(crate) entries: Field<usize>,
    /// What they may take of a worker's memory. Default `"16MiB"`.
    pub(crate) size: Field<Size>,
}

impl Read for Memo {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let memo = Self { entries: table.take("entries"), size: table.take("size") };
        table.close();
        Some(memo)
    }
}
