//! `upstream`: a URL, a list of URLs, or a table, at the top level and on a route.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::super::diagnostic::Notes;
use super::super::quantity::Time;
use super::super::reader::{At, Choice, Field, Many, Node, Read, Table, words};
use crate::upstream::HostMode;

/// Where requests go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upstream(pub(crate) Server);

/// The table of an upstream.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(
    rename = "UpstreamTable",
    extend("dependentRequired" = { "client_cert": ["client_key"], "client_key": ["client_cert"] }),
)]
pub(crate) struct Server {
    /// Its URL, or a list of URLs that are used in turn: `http://`, `https://`, `unix:/path`. Required.
    #[schemars(extend("examples" = ["http://127.0.0.1:8081", ["http://10.0.0.1:8081", "http://10.0.0.2:8081"]]))]
    pub(crate) url: Field<Many<String>>,
    /// How long making a connection may take, TLS included. Default `"5s"`.
    pub(crate) connect_timeout: Field<Time>,
    /// From the last byte of a request to the head of its response. Default `"15m"`.
    pub(crate) response_timeout: Field<Time>,
    /// How long a connection may lie unused. Default `"4s"`: below every common server's own.
    pub(crate) idle_timeout: Field<Time>,
    /// PEM file of the authorities to trust instead of the system's. Default: the system's and the built-in ones.
    #[schemars(extend("examples" = ["/run/secrets/upstream/ca.pem"]))]
    pub(crate) ca: Field<String>,
    /// PEM file of a client certificate. Default: none. With `client_key`.
    pub(crate) client_cert: Field<String>,
    /// PEM file of its private key. Default: none. With `client_cert`.
    pub(crate) client_key: Field<String>,
    /// The name to ask for and to check in TLS. Default: the URL's host.
    #[schemars(extend("examples" = ["oms.internal"]))]
    pub(crate) server_name: Field<String>,
    /// Which `Host` it receives: the client's (`"preserve"`) or its own (`"upstream"`). Default `"preserve"`.
    #[schemars(schema_with = "words::<HostMode>")]
    pub(crate) host: Field<HostMode>,
    /// Unused connections that a worker keeps for each server. Default 256.
    pub(crate) max_idle: Field<usize>,
}

impl Choice for HostMode {
    const WORDS: &'static [(&'static str, Self)] = &[("preserve", Self::Preserve), ("upstream", Self::Upstream)];
}

impl Read for Upstream {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        match node.value {
            DeValue::Table(_) => Server::read(node, notes).map(Self),
            DeValue::String(_) | DeValue::Array(_) => {
                let url = Field::Given(At { value: Many::read(node, notes)?, span: node.span.clone() });
                Some(Self(Server { url, ..Server::default() }))
            }
            _ => node.unexpected("a URL, a list of URLs, or a table", notes),
        }
    }
}

impl Read for Server {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let server = Self {
            url: table.take("url"),
            connect_timeout: table.take("connect_timeout"),
            response_timeout: table.take("response_timeout"),
            idle_timeout: table.take("idle_timeout"),
            ca: table.take("ca"),
            client_cert: table.take("client_cert"),
            client_key: table.take("client_key"),
            server_name: table.take("server_name"),
            host: table.take("host"),
            max_idle: table.take("max_idle"),
        };
        table.later(&["health"]);
        table.close();
        Some(server)
    }
}

impl JsonSchema for Upstream {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Upstream".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (urls, table) = (generator.subschema_for::<Many<String>>(), generator.subschema_for::<Server>());
        json_schema!({ "anyOf": [urls, table] })
    }
}
