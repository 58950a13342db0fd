//! Which keys there are, and which of them hold no secret.
//!
//! The keys are those of the schema that is made from `raw`, so that a new setting is known here by itself. What may hold
//! a secret is named here, by its word, wherever it stands.

use std::sync::OnceLock;

use serde_json::Value;

use super::raw;

/// Words below which everything is secret but the way to it.
const SECRET: [&str; 7] = ["secret", "salt", "text", "password", "client_secret", "token", "headers"];
/// Ways to a secret, which are none.
const WAYS: [&str; 2] = ["file", "env"];

/// Whether a setting of that path is known.
pub(super) fn is(path: &[String]) -> bool {
    !settings(path).is_empty()
}

/// Whether a setting of that path is known and its key is a word of the file format, not a name of somebody's choice.
pub(super) fn is_word(path: &[String]) -> bool {
    path.last().is_some_and(|last| word(last).is_some()) && is(path)
}

/// Whether a kind of table (`""` is the whole file) has that key.
pub(super) fn in_table(kind: &str, key: &str) -> bool {
    let above: &[&str] = match kind {
        "" => &[],
        "issuer" => &["issuer", "NAME"],
        "secret" | "jwks" => &["issuer", "NAME", kind],
        "forward" => &["route", kind],
        _ => &[kind],
    };
    let path: Vec<String> = above.iter().chain([&key]).map(|word| (*word).to_owned()).collect();
    is(&path)
}

/// A word that is the key of some table.
pub(super) fn word(word: &str) -> Option<&'static str> {
    let tables = schema().get("$defs").and_then(Value::as_object).into_iter().flat_map(|tables| tables.values());
    let members = tables.chain([schema()]).filter_map(|table| table.get("properties")?.as_object());
    members.flat_map(|members| members.keys()).find(|key| *key == word).map(String::as_str)
}

/// Whether the value of a setting may be shown.
pub(super) fn shows(path: &[String]) -> bool {
    let is_way = path.last().is_some_and(|last| WAYS.contains(&last.as_str()));
    // An issuer is a table. A value in its place belongs to a key whose table was lost, and may be anything.
    let is_issuer = path.len() == 2 && path.first().is_some_and(|first| first == "issuer");
    is_free(path) || (is(path) && !is_issuer && (is_way || !hides(path)))
}

/// Whether something on that path says that a secret follows.
pub(super) fn hides(path: &[String]) -> bool {
    let first = path.first().map(String::as_str);
    let harmless = |word: &str| match word {
        // Where the token of a request may be, and how many fields it may have.
        "token" => first == Some("route"),
        "headers" => first == Some("limits"),
        _ => false,
    };
    path.iter().any(|word| SECRET.contains(&word.as_str()) && !harmless(word))
}

/// Whether the values below are claims or cases: any text, of which none is a secret of this process.
pub(super) fn is_free(path: &[String]) -> bool {
    let first = path.first().map(String::as_str);
    let claims = first == Some("route") && path.iter().any(|word| word == "claim" || word == "claims");
    (claims || (first == Some("test") && !is_request(path))) && !hides(path)
}

/// Whether the value is the request of a case, which may have a query with a token in it.
pub(super) fn is_request(path: &[String]) -> bool {
    path.len() == 2 && path.iter().map(String::as_str).eq(["test", "request"])
}

/// The schema of the whole file.
fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(raw::File).to_value())
}

/// Whether the value of a setting may well have blanks in it.
pub(super) fn is_spaced(path: &[String]) -> bool {
    path.last().is_some_and(|last| ["name", "realm", "scope", "subject", "method", "request"].contains(&last.as_str()))
}

/// The schemas that the setting of a path may have.
fn settings(path: &[String]) -> Vec<&'static Value> {
    let root = schema();
    let mut at = vec![root];
    for name in path {
        let mut below = Vec::new();
        for schema in at {
            step(root, schema, name, &mut below);
        }
        at = below;
    }
    at
}

/// Adds what a schema says of a member of that name.
fn step<'s>(root: &'s Value, schema: &'s Value, name: &str, found: &mut Vec<&'s Value>) {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        target.into_iter().for_each(|target| step(root, target, name, found));
    }
    let choices = schema.get("anyOf").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for inner in choices.iter().chain(schema.get("items")) {
        step(root, inner, name, found);
    }
    let member = schema.get("properties").and_then(|members| members.get(name));
    found.extend(member.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_says_what_is_known_and_words_what_is_secret() {
        for (path, known, shown) in [
            ("listen", true, true),
            ("lisen", false, false),
            ("limits.headers", true, true),
            ("issuer.hotwax", true, false),
            ("issuer.hotwax.subject", true, true),
            ("issuer.hotwax.subjekt", false, false),
            ("issuer.hotwax.secret", true, false),
            ("issuer.hotwax.secret.file", true, true),
            ("issuer.hotwax.secret.text", true, false),
            ("issuer.hotwax.secret.url", false, false),
            ("issuer.hotwax.pem", true, true),
            ("issuer.hotwax.pem.text", true, false),
            ("issuer.hotwax.salt", true, false),
            ("upstream.url", true, true),
            ("upstream.client_key", true, true),
            ("admin.token", true, false),
            ("admin.token.env", true, true),
            ("route.token", true, true),
            ("route.claim.anything", true, true),
            ("route.forward.claims.X-User", true, true),
            ("desk.password", false, false),
        ] {
            let path: Vec<String> = path.split('.').map(str::to_owned).collect();
            assert_eq!((is(&path), shows(&path)), (known, shown), "{path:?}");
        }
    }
}
