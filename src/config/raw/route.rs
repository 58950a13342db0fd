//! `[[route]]`: what needs a token.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::super::diagnostic::Notes;
use super::super::quantity::{Size, Time};
use super::super::reader::{At, Choice, Field, List, Many, Named, Node, Read, Table, words};
use super::{Rate, Upstream};

/// One route.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Route {
    /// How complaints call it.
    #[schemars(skip)]
    pub(crate) label: String,
    /// For people, logs and metrics. Default: the first path.
    pub(crate) name: Field<String>,
    /// Path or list, written decoded: `*` is one segment or a part of one, `**` any number of segments at the end.
    /// Required.
    #[schemars(extend("examples" = ["/api/service/**", ["/api/updateInventory", "/api/*/orders"]]))]
    pub(crate) path: Field<Many<String>>,
    /// Methods. Default: all.
    #[schemars(extend("examples" = [["GET", "POST"]]))]
    pub(crate) method: Field<Many<String>>,
    /// Hosts, `*.` before one for everything below it. Default: all.
    #[schemars(extend("examples" = ["oms.example", "*.hotwax.io"]))]
    pub(crate) host: Field<Many<String>>,
    /// `"protected"`, `"open"` or `"deny"`. Default `"protected"`.
    #[schemars(schema_with = "words::<Access>")]
    pub(crate) access: Field<Access>,
    /// Names of issuers. Default: all.
    pub(crate) issuer: Field<Many<String>>,
    /// Audiences of which one must be in `aud`. Default: as the issuer says.
    pub(crate) audience: Field<Many<String>>,
    /// Scopes that must all be granted. Default: none.
    pub(crate) scope: Field<Many<String>>,
    /// Claims, by name or JSON pointer, and the texts of which one must fit; `*` is any run of characters. Default:
    /// none.
    #[schemars(extend("examples" = [{ "userLoginId": ["boomi", "pos-*"], "/realm/roles": "orders" }]))]
    pub(crate) claim: Field<Named<Many<String>>>,
    /// Where the token may be: `"header"`, `"cookie:NAME"`, `"query:NAME"`, `"header:NAME"`. Default `["header"]`.
    pub(crate) token: Field<Many<String>>,
    /// What happens to the headers of a request that passes.
    pub(crate) forward: Field<Forward>,
    /// `"enforce"`, or `"report"`: refusals are logged and counted, and the request passes. Default `"enforce"`.
    #[schemars(schema_with = "words::<ModeWord>")]
    pub(crate) mode: Field<ModeWord>,
    /// Where its requests go. Default: as the top level says.
    pub(crate) upstream: Field<Upstream>,
    /// How long the upstream may take to answer. Default: the upstream's `response_timeout`.
    pub(crate) timeout: Field<Time>,
    /// Size of a request body. Default: `limits.body_size`.
    pub(crate) body_size: Field<Size>,
    /// How often each caller may come. Default: as often as it likes.
    pub(crate) rate: Field<Rate>,
}

/// Whether and how something is guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anyone may pass.
    Open,
    /// Whoever has a good token may pass.
    Protected,
    /// Nobody may pass.
    Deny,
}

impl Choice for Access {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("protected", Self::Protected), ("deny", Self::Deny)];
    const OTHERS: &'static [(&'static str, &'static str)] = &[
        ("auth", "protected"),
        ("authenticated", "protected"),
        ("jwt", "protected"),
        ("private", "protected"),
        ("required", "protected"),
        ("token", "protected"),
        ("block", "deny"),
        ("closed", "deny"),
        ("forbid", "deny"),
        ("none", "deny"),
        ("refuse", "deny"),
        ("reject", "deny"),
    ];
}

/// Whether a refusal is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModeWord {
    /// It is.
    Enforce,
    /// It is only told.
    Report,
}

impl Choice for ModeWord {
    const WORDS: &'static [(&'static str, Self)] = &[("enforce", Self::Enforce), ("report", Self::Report)];
}

/// What happens to the headers of a request that passes.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Forward {
    /// Headers to set, and the claims they are made of. Default: none.
    #[schemars(extend("examples" = [{ "X-Auth-User": "userLoginId" }]))]
    pub(crate) claims: Field<Named<String>>,
    /// Whether the token goes up (`"keep"`) or stays here (`"strip"`). Default `"keep"`.
    #[schemars(schema_with = "words::<Authorization>")]
    pub(crate) authorization: Field<Authorization>,
    /// Further headers to remove. Default: none.
    #[schemars(extend("examples" = [["Cookie", "api_key"]]))]
    pub(crate) strip: Field<List<String>>,
}

/// What happens to the token of a request that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authorization {
    /// It goes up.
    Keep,
    /// It stays here.
    Strip,
}

impl Choice for Authorization {
    const WORDS: &'static [(&'static str, Self)] = &[("keep", Self::Keep), ("strip", Self::Strip)];
}

impl Read for Forward {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let forward = Self {
            claims: table.take("claims"),
            authorization: table.take("authorization"),
            strip: table.take("strip"),
        };
        table.close();
        Some(forward)
    }
}

/// All routes, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routes(pub(crate) Vec<At<Route>>);

impl Read for Routes {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let Some(list) = node.value.as_array() else {
            return node.unexpected("a list of tables, each under a line [[route]]", notes);
        };
        let mut routes = Vec::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let node = Node { value: value.get_ref(), span: value.span(), name: label(value.get_ref(), at) };
            if let Some(value) = Route::read(&node, notes) {
                routes.push(At { value, span: node.span });
            }
        }
        Some(Self(routes))
    }
}

/// How complaints call a route: by its name, its first path, or its place.
fn label(value: &DeValue<'_>, at: usize) -> String {
    let text = |key| value.get(key).map(|value| value.get_ref());
    let path = || match text("path") {
        Some(DeValue::Array(list)) => list.first().and_then(|first| first.get_ref().as_str()),
        other => other.and_then(DeValue::as_str),
    };
    match text("name").and_then(DeValue::as_str).or_else(path) {
        Some(name) => format!("route {name:?}"),
        None => format!("route {}", at + 1),
    }
}

impl Read for Route {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let route = Self {
            label: node.name.clone(),
            name: table.take("name"),
            path: table.take("path"),
            method: table.take("method"),
            host: table.take("host"),
            access: table.take("access"),
            issuer: table.take("issuer"),
            audience: table.take("audience"),
            scope: table.take("scope"),
            claim: table.take("claim"),
            token: table.take("token"),
            forward: table.take("forward"),
            mode: table.take("mode"),
            upstream: table.take("upstream"),
            timeout: table.take("timeout"),
            body_size: table.take("body_size"),
            rate: table.take("rate"),
        };
        table.close();
        Some(route)
    }
}

impl JsonSchema for Routes {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Routes".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let route = generator.subschema_for::<Route>();
        json_schema!({ "type": "array", "items": route })
    }
}
