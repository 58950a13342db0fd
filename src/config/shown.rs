//! The settings in effect as text: TOML for people, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::effective::{Effective, Origin, Setting, Table};
use crate::telemetry::treacherous::is_treacherous;

/// Where the sources begin, unless a setting is longer.
const COLUMN: usize = 44;

impl Effective {
    /// A TOML document that means the same config once its secrets are put back. Behind each value stands its source.
    pub fn toml(&self) -> String {
        let mut text = String::new();
        let mut last = &Table::Top;
        // What belongs to no table stands above all of them.
        let (top, rest): (Vec<_>, Vec<_>) = self.settings.iter().partition(|setting| setting.table == Table::Top);
        for setting in top.into_iter().chain(rest) {
            if setting.table != *last {
                last = &setting.table;
                // A string takes whatever is written.
                let _ = write!(text, "\n{}\n", header(last));
            }
            let line = match &setting.origin {
                Origin::Unset(meaning) => format!("# {} is not set: {meaning}", setting.key),
                _ => {
                    let line = format!("{} = {}", setting.key, value(&setting.value));
                    format!("{line:<COLUMN$}  # {}", self.source(&setting.origin))
                }
            };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// A JSON list of `{key, value, source, line}`; what is not set is null, and so is the line of what is not written.
    pub fn json(&self) -> String {
        let told = |setting: &Setting| {
            let line = match setting.origin {
                Origin::File(line) => Some(line),
                _ => None,
            };
            let key = format!("{}{}", path(&setting.table), setting.key);
            json!({ "key": key, "value": setting.value, "source": self.source(&setting.origin), "line": line })
        };
        pretty(&self.settings.iter().map(told).collect())
    }

    /// The settings alone as a JSON object of the shape of the file.
    pub fn tree(&self) -> String {
        let mut root = Map::new();
        for Setting { table, key, value, .. } in &self.settings {
            if let Some(place) = place(&mut root, table) {
                place.insert((*key).to_owned(), value.clone());
            }
        }
        // A file without routes has no list of them either.
        root.entry("route").or_insert_with(|| json!([]));
        pretty(&Value::Object(root))
    }

    fn source(&self, origin: &Origin) -> String {
        match origin {
            Origin::File(line) => format!("{}:{line}", self.file),
            Origin::Default | Origin::Unset(_) => "default".to_owned(),
            Origin::Found(what) => (*what).to_owned(),
        }
    }
}

/// A tree of plain values can always be written.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// The table of a setting in a tree of all.
fn place<'r>(root: &'r mut Map<String, Value>, table: &Table) -> Option<&'r mut Map<String, Value>> {
    let object = || Value::Object(Map::new());
    let listed = |root: &'r mut Map<String, Value>, list: &str, at: usize| -> Option<&'r mut Value> {
        let members = root.entry(list).or_insert_with(|| json!([])).as_array_mut()?;
        if members.len() <= at {
            members.push(object());
        }
        members.get_mut(at)
    };
    match table {
        Table::Top => Some(root),
        Table::One(name) => root.entry(*name).or_insert_with(object).as_object_mut(),
        Table::Issuer(name) => {
            let issuers = root.entry("issuer").or_insert_with(object).as_object_mut()?;
            issuers.entry(name).or_insert_with(object).as_object_mut()
        }
        Table::Route(at) => listed(root, "route", *at)?.as_object_mut(),
        Table::Test(at) => listed(root, "test", *at)?.as_object_mut(),
        Table::OfRoute(at, name) => {
            listed(root, "route", *at)?.as_object_mut()?.entry(*name).or_insert_with(object).as_object_mut()
        }
    }
}

/// The line under which a table stands.
fn header(table: &Table) -> String {
    match table {
        Table::Top => String::new(),
        Table::One(name) => format!("[{name}]"),
        Table::Issuer(name) => format!("[issuer.{}]", quoted_key(name)),
        Table::Route(_) => "[[route]]".to_owned(),
        Table::OfRoute(_, name) => format!("[route.{name}]"),
        Table::Test(_) => "[[test]]".to_owned(),
    }
}

/// What stands before a key outside of its table.
fn path(table: &Table) -> String {
    match table {
        Table::Top => String::new(),
        Table::One(name) => format!("{name}."),
        Table::Issuer(name) => format!("issuer.{}.", quoted_key(name)),
        Table::Route(at) => format!("route[{at}]."),
        Table::OfRoute(at, name) => format!("route[{at}].{name}."),
        Table::Test(at) => format!("test[{at}]."),
    }
}

/// A value on one line.
fn value(of: &Value) -> String {
    match of {
        Value::String(text) => quoted(text),
        Value::Array(members) => format!("[{}]", members.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) if members.is_empty() => "{}".to_owned(),
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, own)| format!("{} = {}", quoted_key(name), value(own))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => of.to_string(),
    }
}

/// Any name as a key of TOML.
pub fn quoted_key(name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// Any text as a basic string of TOML, on one line.
pub fn quoted(text: &str) -> String {
    // The strings of JSON are such strings, but for what TOML wants escaped (DEL) and what a terminal would obey.
    let mut shown = String::with_capacity(text.len() + 2);
    for character in Value::from(text).to_string().chars() {
        if is_treacherous(character) {
            // A string takes whatever is written.
            let _ = write!(shown, "\\U{:08X}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_from_its_quotes() {
        for text in
            ["", "plain", "a\"b\\c", "é\u{7f}\u{1}\n\r\t", "#'''\"\"\"", "\u{2028}\u{feff}", "\u{9b}\u{202e}\u{e0001}"]
        {
            let line = format!("{} = {}  # x", quoted_key(text), quoted(text));
            assert_eq!(line.lines().count(), 1, "{line:?}");
            assert!(!line.contains(is_treacherous), "{line:?}");
            let table: toml::Table = line.parse().unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(table.get(text).and_then(toml::Value::as_str), Some(text), "{line}");
        }
    }
}
