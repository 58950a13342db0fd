//! `[issuer.NAME]`: who may issue tokens.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::de::DeValue;

use super::super::diagnostic::Notes;
use super::super::quantity::Time;
use super::super::reader::{Choice, Field, List, Many, Node, Read, Table, words};
use super::super::source::Source;
use crate::decision::keys::Algorithm;
use crate::decision::revocation::Missing;
use crate::secret::Secret;

/// One issuer. Its keys come from exactly one of `secret`, `pem`, `jwks` and `discovery`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(extend(
    "oneOf" = [{ "required": ["secret"] }, { "required": ["pem"] }, { "required": ["jwks"] }, { "required": ["discovery"] }],
    "dependentRequired" = { "encoding": ["secret"], "salt": ["secret"], "short_key": ["secret"] },
))]
pub(crate) struct Issuer {
    /// The `iss` of its tokens, text or list. Default: `iss` is not looked at.
    #[schemars(extend("examples" = ["https://idp.example/"]))]
    pub(crate) issuer: Field<Many<String>>,
    /// Audiences of which one must be in `aud`, text or list. Default: `aud` is not looked at.
    pub(crate) audience: Field<Many<String>>,
    /// The shared secret it signs with: `{ file = "…" }`, `{ env = "…" }` or, for trying out, `{ text = "…" }`.
    #[schemars(extend("examples" = [{ "file": "/run/secrets/hotwax/jwtKey.txt" }, { "env": "HOTWAX_JWT_KEY" }]))]
    pub(crate) secret: Field<Source>,
    /// How the bytes of the secret are written: `"utf8"`, `"base64"` or `"hex"`. Default `"utf8"`.
    #[schemars(schema_with = "words::<Encoding>")]
    pub(crate) encoding: Field<Encoding>,
    /// A salt before the secret, applied as OFBiz does. Default: none.
    pub(crate) salt: Field<Salt>,
    /// Its public key: the path of a PEM file, its text, or `{ file = "…" }`.
    #[schemars(extend("examples" = ["/run/secrets/partners/public.pem"]))]
    pub(crate) pem: Field<Pem>,
    /// Its keys as a JWK Set: `{ url = "…" }`, or `{ file = "…" }`.
    #[schemars(extend("examples" = [{ "url": "https://idp.example/jwks" }, { "file": "/run/secrets/partners/jwks.json" }]))]
    pub(crate) jwks: Field<Jwks>,
    /// `true`: its keys are where it says by OpenID Connect Discovery or RFC 8414, asked of `issuer`.
    #[schemars(extend("const" = true))]
    pub(crate) discovery: Field<bool>,
    /// The key id of `secret` or `pem`; a token that names another is refused. Default: the token's is not looked at.
    pub(crate) kid: Field<String>,
    /// The algorithms it signs with. Default by key: a secret `HS512`, RSA `RS256`, EC by its curve, Ed25519 `EdDSA`.
    #[schemars(schema_with = "algorithms")]
    pub(crate) algorithms: Field<Many<String>>,
    /// The claim that names the subject. Default `"sub"`; HotWax, OFBiz and Moqui use `"userLoginId"`.
    #[schemars(extend("examples" = ["userLoginId", "/user/id"]))]
    pub(crate) subject: Field<String>,
    /// Allowed clock difference at `exp`, `nbf` and `iat`. Default `"0s"`.
    pub(crate) leeway: Field<Time>,
    /// The longest `exp - iat` that is taken. Default: any.
    pub(crate) max_lifetime: Field<Time>,
    /// Claims that must be present besides `exp`, which always must. Default: none.
    pub(crate) require: Field<List<String>>,
    /// Accepted `typ` headers; `""` stands for none at all. Default `["", "JWT", "at+jwt"]`.
    pub(crate) types: Field<Many<String>>,
    /// `"accept"`: take an HMAC key shorter than the hash. Default: it is refused.
    #[schemars(schema_with = "words::<ShortKey>")]
    pub(crate) short_key: Field<ShortKey>,
    /// How long a fetched key set is used before the next fetch; cache headers may shorten it. Default `"10m"`.
    pub(crate) refresh: Field<Time>,
    /// The least time between two fetches that tokens cause. Default `"10s"`.
    pub(crate) pause: Field<Time>,
    /// How long a fetch of keys may take. Default `"5s"`.
    pub(crate) fetch_timeout: Field<Time>,
    /// PEM file of the authorities to trust where keys or `revoked` are fetched. Default: the system's and those built in.
    pub(crate) ca: Field<String>,
    /// A file that keeps the last good key set over a restart. Default: none.
    #[schemars(extend("examples" = ["/var/lib/waxseal/idp.json"]))]
    pub(crate) shelf: Field<String>,
    /// How long a key set may be used after it was fetched, however many fetches fail. Default `"24h"`.
    pub(crate) stale: Field<Time>,
    /// Whether keys and `revoked` are fetched by `http://` from beyond this machine. Default false.
    pub(crate) insecure_http: Field<bool>,
    /// Tokens that were taken back: `{ file = "…" }` or `{ url = "…" }`, and what holds while that is `missing`.
    #[schemars(extend("examples" = [{ "file": "/run/waxseal/revoked.jsonl" }]))]
    pub(crate) revoked: Field<Revoked>,
}

/// The schema of algorithms: by name, one or several.
fn algorithms(_: &mut SchemaGenerator) -> Schema {
    let one = json_schema!({ "type": "string", "enum": Algorithm::ALL.map(Algorithm::name) });
    json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
}

/// How the bytes of a secret are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As they are.
    Utf8,
    /// In Base64.
    Base64,
    /// In hexadecimal digits.
    Hex,
}

impl Choice for Encoding {
    const WORDS: &'static [(&'static str, Self)] =
        &[("utf8", Self::Utf8), ("base64", Self::Base64), ("hex", Self::Hex)];
}

/// That a short key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ShortKey {
    /// It is.
    Accept,
}

impl Choice for ShortKey {
    const WORDS: &'static [(&'static str, Self)] = &[("accept", Self::Accept)];
}

/// A salt, as much a secret as the key it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Salt(pub(crate) Secret<String>);

impl Read for Salt {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        String::read(node, notes).map(|text| Self(Secret::new(text)))
    }
}

/// Where a PEM text is.
#[derive(Clone, Debug)]
pub(crate) enum Pem {
    /// In a file.
    File(String),
    /// As a secret would be given, though it is none.
    Source(Source),
}

impl Read for Pem {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) if text.trim_start().starts_with("-----BEGIN") => {
                Some(Self::Source(Source::Text(Secret::new(text.to_string()))))
            }
            DeValue::String(path) => Some(Self::File(path.to_string())),
            _ => Source::read(node, notes).map(Self::Source),
        }
    }
}

/// Where a JWK Set is.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct Jwks {
    /// The path of a file that holds it.
    pub(crate) file: Field<String>,
    /// Where it is fetched from: `https://`, or `http://` on this machine.
    pub(crate) url: Field<String>,
}

impl Read for Jwks {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        if node.value.is_str() {
            return node.unexpected("`{ file = \"…\" }` or `{ url = \"…\" }`", notes);
        }
        let mut table = Table::open(node, notes)?;
        let jwks = Self { file: table.take("file"), url: table.take("url") };
        table.close();
        Some(jwks)
    }
}

/// Where a list of revoked tokens is: a deny list or a Token Status List, told apart by what is in it.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(extend("oneOf" = [{ "required": ["file"] }, { "required": ["url"] }]))]
pub(crate) struct Revoked {
    /// The path of a file. Exactly one of `file` and `url` is there.
    pub(crate) file: Field<String>,
    /// Where it is fetched from, again and again: `https://`, or `http://` on this machine.
    pub(crate) url: Field<String>,
    /// `"closed"`: while the list cannot be had, tokens are refused. `"open"`: none counts as revoked. Default `"closed"`.
    #[schemars(schema_with = "words::<Missing>")]
    pub(crate) missing: Field<Missing>,
}

impl Read for Revoked {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        if node.value.is_str() {
            return node.unexpected("`{ file = \"…\" }`", notes);
        }
        let mut table = Table::open(node, notes)?;
        let revoked = Self { file: table.take("file"), url: table.take("url"), missing: table.take("missing") };
        table.close();
        Some(revoked)
    }
}

impl Choice for Missing {
    const WORDS: &'static [(&'static str, Self)] = &[("closed", Self::Closed), ("open", Self::Open)];
}

impl Read for Issuer {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let later_source = node.value.get("introspection").is_some();
        let mut table = Table::open(node, notes)?;
        let mut issuer = Self {
            issuer: table.take("issuer"),
            audience: table.take("audience"),
            secret: table.take("secret"),
            encoding: table.take("encoding"),
            salt: table.take("salt"),
            pem: table.take("pem"),
            jwks: table.take("jwks"),
            discovery: table.take("discovery"),
            kid: table.take("kid"),
            algorithms: table.take("algorithms"),
            subject: table.take("subject"),
            leeway: table.take("leeway"),
            max_lifetime: table.take("max_lifetime"),
            require: table.take("require"),
            types: table.take("types"),
            short_key: table.take("short_key"),
            refresh: table.take("refresh"),
            pause: table.take("pause"),
            fetch_timeout: table.take("fetch_timeout"),
            ca: table.take("ca"),
            shelf: table.take("shelf"),
            stale: table.take("stale"),
            insecure_http: table.take("insecure_http"),
            revoked: table.take("revoked"),
        };
        table.later(&["introspection"]);
        table.close();
        if later_source && issuer.jwks.is_absent() {
            // Its key source was complained of; that there is none must not be said as well.
            issuer.jwks = Field::Wrong(node.span.clone());
        }
        Some(issuer)
    }
}

impl JsonSchema for Salt {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Salt".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

impl JsonSchema for Pem {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pem".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let source = generator.subschema_for::<Source>();
        json_schema!({ "anyOf": [{ "type": "string" }, source] })
    }
}
