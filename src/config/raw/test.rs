//! `[[test]]`: cases kept with the config.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};
use toml::de::DeValue;

use super::super::diagnostic::Notes;
use super::super::reader::{At, Field, List, Node, Read, Table};
use crate::time::UnixSeconds;

/// One case.
#[derive(Clone, Debug, Default, JsonSchema)]
pub(crate) struct Test {
    /// `METHOD TARGET`, as in `"POST /api/updateInventory"`. Required.
    pub(crate) request: Field<String>,
    /// What must come of it: `"allow"`, a reason code, or a status. Required.
    pub(crate) expect: Field<Expected>,
    /// The issuer that signs the token; needed where there are several. Default: the only one, if `claims` is given.
    pub(crate) issuer: Field<String>,
    /// The claims of the token; `exp`, `iat`, `iss` and `aud` are added as the issuer would. Default: no token is sent.
    pub(crate) claims: Field<TestClaims>,
    /// Header fields, each `"Name: value"`. Default: none.
    pub(crate) headers: Field<List<String>>,
    /// The moment at which it is judged: RFC 3339, or seconds since 1970. Default: now.
    pub(crate) at: Field<Moment>,
}

/// What must come of a case, as it is written.
#[derive(Clone, Debug)]
pub(crate) struct Expected(pub(crate) String);

/// The claims of a token.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClaims(pub(crate) Map<String, Value>);

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment(pub(crate) UnixSeconds);

/// All cases, in the order of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tests(pub(crate) Vec<At<Test>>);

impl Read for Tests {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let Some(list) = node.value.as_array() else {
            return node.unexpected("a list of tables, each under a line [[test]]", notes);
        };
        let mut tests = Vec::with_capacity(list.len());
        for (at, value) in list.iter().enumerate() {
            let node = Node { value: value.get_ref(), span: value.span(), name: format!("test {}", at + 1) };
            if let Some(value) = Test::read(&node, notes) {
                tests.push(At { value, span: node.span });
            }
        }
        Some(Self(tests))
    }
}

impl Read for Test {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let mut table = Table::open(node, notes)?;
        let test = Self {
            request: table.take("request"),
            expect: table.take("expect"),
            issuer: table.take("issuer"),
            claims: table.take("claims"),
            headers: table.take("headers"),
            at: table.take("at"),
        };
        table.close();
        Some(test)
    }
}

impl Read for Expected {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        match node.value {
            DeValue::String(text) => Some(Self(text.to_string())),
            DeValue::Integer(number) => Some(Self(number.to_string())),
            _ => node.unexpected("\"allow\", a reason code like \"token_expired\", or a status like 401", notes),
        }
    }
}

impl Read for Moment {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let text = match node.value {
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => return node.unexpected("a moment like \"2026-10-30T07:05:09Z\"", notes),
        };
        let wrong = |problem: String| {
            let (problem, forms) = problem.split_once(": write ").unwrap_or((&problem, "\"2026-10-30T07:05:09Z\""));
            notes.error(&node.span, &*node.name, problem, format!("write {forms}"));
        };
        UnixSeconds::parse(&text).map_err(wrong).ok().map(Self)
    }
}

impl Read for TestClaims {
    fn read(node: &Node<'_, '_>, notes: &mut Notes<'_>) -> Option<Self> {
        let DeValue::Table(_) = node.value else { return node.unexpected("a table of claims", notes) };
        match json(node.value) {
            Ok(Value::Object(claims)) => Some(Self(claims)),
            Ok(_) => None,
            Err(problem) => {
                notes.error(&node.span, &*node.name, problem, "write moments as seconds since 1970: exp = 1793343909");
                None
            }
        }
    }
}

/// A value as it stands in the claims of a token.
fn json(value: &DeValue<'_>) -> Result<Value, String> {
    Ok(match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(number) => {
            let read = i64::from_str_radix(number.as_str(), number.radix());
            Value::from(read.map_err(|_| format!("{number} does not fit in 64 bits"))?)
        }
        DeValue::Float(number) => {
            let read = number.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
            Value::Number(read.ok_or("infinity and NaN are no numbers of JSON")?)
        }
        DeValue::Datetime(_) => return Err("a token has no dates".to_owned()),
        DeValue::Array(list) => {
            Value::Array(list.iter().map(|member| json(member.get_ref())).collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => {
            let member = |(name, value): (&toml::Spanned<Cow<'_, str>>, &toml::Spanned<DeValue<'_>>)| {
                Ok::<_, String>((name.get_ref().to_string(), json(value.get_ref())?))
            };
            Value::Object(table.iter().map(member).collect::<Result<_, _>>()?)
        }
    })
}

impl JsonSchema for Tests {
    fn schema_name() -> Cow<'static, str> {
        "Tests".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let test = generator.subschema_for::<Test>();
        json_schema!({ "type": "array", "items": test })
    }
}

impl JsonSchema for Expected {
    fn schema_name() -> Cow<'static, str> {
        "Expected".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}

impl JsonSchema for TestClaims {
    fn schema_name() -> Cow<'static, str> {
        "Claims".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl JsonSchema for Moment {
    fn schema_name() -> Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"] })
    }
}
