//! The file, field for field, with the documentation of each.
//!
//! What stands here is what was written, each value with its place. What it means, and whether it fits the rest, is
//! found out in `resolve`.

mod front;
mod issuer;
mod rate;
mod route;
mod server;
mod test;
mod upstream;

use schemars::JsonSchema;
use toml::de::DeTable;

pub(super) use front::{Answers, Cors, Forwarded, Preflight, Reason};
pub(super) use issuer::{Encoding, Issuer, Pem, Revoked};
pub(super) use rate::{PerWord, Rate};
pub(super) use route::{Access, Authorization, Forward, ModeWord, Route, Routes};
pub(super) use server::{Admin, ClientAuth, Drain, Limits, Log, Memo, Paths, Tls, TlsVersion};
pub(super) use test::{Test, Tests};
pub(super) use upstream::Upstream;

use super::diagnostic::Notes;
use super::reader::{Field, Many, Named, Table, words};

/// The keys of the top level; one that stands in a table has slipped below its header.
pub(super) const TOP_LEVEL: [&str; 4] = ["listen", "upstream", "unmatched", "workers"];

/// The settings of waxseal, a reverse-proxy authentication sidecar.
#[derive(Debug, Default, JsonSchema)]
pub(super) struct File {
    /// Where to listen: `host:port`, `[v6]:port`, `unix:/path` (cleartext), `https://host:port` (needs `[tls]`); one
    /// or a list. Required.
    #[schemars(extend("examples" = ["0.0.0.0:8080", "unix:/run/waxseal.sock", ["0.0.0.0:8080", "https://0.0.0.0:8443"]]))]
    pub(super) listen: Field<Many<String>>,
    /// Where allowed requests go: a URL (`http://`, `https://`, `unix:/path`), a list of them, or a table. Required.
    #[schemars(extend("examples" = ["http://127.0.0.1:8081", "unix:/run/oms/oms.sock"]))]
    pub(super) upstream: Field<Upstream>,
    /// What happens to a request that no route names: `"open"`, `"protected"` or `"deny"`. Required: there is no silent
    /// default.
    #[schemars(schema_with = "words::<Access>")]
    pub(super) unmatched: Field<Access>,
    /// Data threads. Default: the CPU limit of the container, or the number of cores.
    #[schemars(extend("minimum" = 1, "maximum" = 1024))]
    pub(super) workers: Field<usize>,
    /// TLS for the `https://` addresses of `listen`. Default: none.
    pub(super) tls: Field<Tls>,
    /// How much and how long.
    pub(super) limits: Field<Limits>,
    /// How paths are read.
    pub(super) paths: Field<Paths>,
    /// The form of waxseal's own answers.
    pub(super) answers: Field<Answers>,
    /// Which origins may read waxseal's own answers.
    pub(super) cors: Field<Cors>,
    /// Whose word about the client is believed.
    pub(super) forwarded: Field<Forwarded>,
    /// The listener for the operator.
    pub(super) admin: Field<Admin>,
    /// What is logged.
    pub(super) log: Field<Log>,
    /// How to stop.
    pub(super) drain: Field<Drain>,
    /// What is remembered of tokens that were proven.
    pub(super) memo: Field<Memo>,
    /// Who may issue tokens, by a name of your choice.
    pub(super) issuer: Field<Named<Issuer>>,
    /// What needs a token. The order carries no meaning: the most specific route counts.
    pub(super) route: Field<Routes>,
    /// Cases that must hold before the config is taken.
    pub(super) test: Field<Tests>,
}

impl File {
    /// Reads the tree of a file.
    pub(super) fn read(tree: &DeTable<'_>, notes: &mut Notes<'_>) -> Self {
        let mut table = Table::root(tree, notes);
        let file = Self {
            listen: table.take("listen"),
            upstream: table.take("upstream"),
            unmatched: table.take("unmatched"),
            workers: table.take("workers"),
            tls: table.take("tls"),
            limits: table.take("limits"),
            paths: table.take("paths"),
            answers: table.take("answers"),
            cors: table.take("cors"),
            forwarded: table.take("forwarded"),
            admin: table.take("admin"),
            log: table.take("log"),
            drain: table.take("drain"),
            memo: table.take("memo"),
            issuer: table.take("issuer"),
            route: table.take("route"),
            test: table.take("test"),
        };
        table.later(&["ask", "desk", "telemetry"]);
        table.close();
        file
    }
}
