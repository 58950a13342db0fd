//! The JSON Schema of the config file, for editors and for whoever writes configs by program.
//!
//! It is derived from the structs of `raw` and their documentation. What the derive cannot know is said by the words of
//! that documentation, decided here alone: "Required." makes a key required, "Default X." with a plain X its default.
//! The schema describes what one file can show; rules between tables stay with the program.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::Value;

use super::raw;

/// The schema of a config file (JSON Schema draft 2020-12), as text that ends with a line feed.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&of::<raw::File>()).unwrap_or_default();
    text.push('\n');
    text
}

/// The schema of a table and of all that it holds.
fn of<T: JsonSchema>() -> Schema {
    let mut schema = SchemaSettings::draft2020_12().with_transform(Finish).into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), "waxseal's config.toml".into());
    schema
}

/// Adds to each schema what the documentation says in words.
#[derive(Clone, Debug)]
struct Finish;

impl Transform for Finish {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        // The formats of Rust's numbers mean nothing to others; `minimum` says as much.
        schema.remove("format");
        let description = schema.get("description").and_then(Value::as_str).map(joined);
        let default = description.as_deref().and_then(plain_default);
        if let Some(description) = description {
            schema.insert("description".to_owned(), description.into());
        }
        if let Some(default) = default {
            schema.insert("default".to_owned(), default);
        }
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        let required: Vec<String> =
            properties.iter().filter(|(_, property)| is_required(property)).map(|(key, _)| key.clone()).collect();
        schema.remove("required");
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.insert("additionalProperties".to_owned(), false.into());
    }
}

/// Lines of a paragraph as one; the wrapping of the source is nobody's business.
fn joined(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
    paragraphs.join("\n\n")
}

/// Whether the documentation of a property says "Required.".
fn is_required(property: &Value) -> bool {
    property["description"].as_str().is_some_and(|text| {
        text.split(". ").any(|sentence| {
            let word = sentence.strip_suffix('.').unwrap_or(sentence);
            word == "Required" || word.starts_with("Required:")
        })
    })
}

/// The default that a documentation tells as a plain value: ``Default `"10s"`.``, `Default 100.`
fn plain_default(text: &str) -> Option<Value> {
    let (_, rest) = text.split_once("Default ")?;
    let plain = match rest.strip_prefix('`') {
        Some(code) => code.split('`').next(),
        None => rest.split([' ', '.', ';', ',']).next(),
    };
    serde_json::from_str(plain?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_is_what_the_words_say() {
        for (text, expected) in [
            ("Size. Default `\"32KiB\"`.", Some(Value::from("32KiB"))),
            ("Number. Default 10000; 0 turns it off.", Some(10_000.into())),
            ("Whether. Default false.", Some(false.into())),
            ("Default `[\"\", \"JWT\"]`.", Some(vec!["", "JWT"].into())),
            ("Default: the number of cores.", None),
            ("Default by key: a secret `HS512`.", None),
            ("No word of it.", None),
        ] {
            assert_eq!(plain_default(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_required_says_so() {
        for (text, expected) in [
            ("A path. Required.", true),
            ("A word. Required: there is no silent default.", true),
            ("Required.", true),
            ("Claims that are required. Default: none.", false),
        ] {
            assert_eq!(is_required(&serde_json::json!({ "description": text })), expected, "{text}");
        }
    }
}
