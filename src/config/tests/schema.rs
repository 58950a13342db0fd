//! The schema says what the reader takes, and the README's reference what the schema says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(repository(name)).unwrap()
}

fn schema() -> Value {
    serde_json::from_str(&super::super::schema()).unwrap()
}

/// What is wrong with the TOML text, as an editor that has the schema would say.
pub(super) fn complaints(text: &str) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let document: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let document = serde_json::to_value(document).unwrap();
    validator.iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a variable says that the file is to be written anew")]
fn the_file_is_the_schema_of_this_version() {
    let path = repository("config.schema.json");
    if std::env::var_os("WAXSEAL_RENEW").is_some() {
        std::fs::write(&path, super::super::schema()).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let renew = "renew it: WAXSEAL_RENEW=1 cargo nextest run the_file_is_the_schema_of_this_version";
    assert!(found == super::super::schema(), "config.schema.json is not the schema of this version; {renew}");
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::is_valid(&schema()));
}

#[test]
fn the_shipped_file_and_the_examples_of_the_readme_fit() {
    let shipped = read("config.toml");
    assert!(shipped.starts_with("#:schema ./config.schema.json\n"), "editors look for it in the first line");
    let whole: Vec<&str> = shipped.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect();
    let readme = read("README.md");
    let examples: Vec<&str> =
        readme.split("```toml\n").skip(1).map(|rest| rest.split("\n```").next().unwrap()).collect();
    assert!(examples.len() > 2, "the examples were not found");
    for text in [&*shipped, &whole.join("\n")].into_iter().chain(examples) {
        // Some of the README show a part alone.
        let required = ["listen", "upstream", "unmatched"].into_iter().filter(|key| !text.contains(key));
        let top: String =
            required.map(|key| format!("{key} = {}\n", if key == "unmatched" { "'open'" } else { "''" })).collect();
        let text = format!("{top}{text}");
        assert_eq!(complaints(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_the_reader_refuses_by_its_shape_the_schema_refuses() {
    let issuer = "[issuer.a]\nsecret = { file = 'key' }\n";
    assert_eq!(complaints(&format!("{TOP}{issuer}")), Vec::<String>::new());
    for wrong in [
        "lisen = 1",
        "workers = 0",
        "workers = '2'",
        "[limits]\nheader_size = '64KB'",
        "[limits]\nheader_timeout = 10",
        "[limits]\nheader_timeout = '10 s'",
        "[log]\nlevel = 'wran'",
        "[tls]\ncert = 'a'",
        "[tls]\ncert = 'a'\nkey = 'b'\nclient_auth = 'required'",
        "[forwarded]\nproxy_protocol = true",
        "[[route]]\nname = 'x'",
        "[[route]]\npath = []",
        "[route]\npath = '/x'",
        "[issuer.a]\nsubject = 'sub'",
        "[issuer.a]\nsecret = { file = 'key' }\npem = 'public.pem'",
        "[issuer.a]\nsecret = { file = 'key', env = 'KEY' }",
        "[issuer.a]\nsecret = 'key'",
        "[issuer.a]\npem = 'public.pem'\nencoding = 'hex'",
        "[issuer.a]\nsecret = { file = 'key' }\nalgorithms = 'none'",
        "[issuer.a]\njwks = {}",
        "[ask]\nkind = 'nginx'",
    ] {
        let text = format!("{TOP}{wrong}\n");
        assert!(!complaints(&text).is_empty(), "{wrong}");
        assert!(Desk::new().parse(&text).is_err(), "the reader takes {wrong}");
    }
    assert!(!complaints("listen = 'a:1'\nunmatched = 'open'").is_empty(), "`upstream` is required");
    let lonely = TOP.replace("'http://127.0.0.1:8081'", "{ url = 'https://a', client_cert = 'c' }");
    assert!(!complaints(&lonely).is_empty(), "a client certificate has a key");
}

/// The documentation of each key by the name of its section in the README and its own: `[limits]` `headers`.
fn documented(schema: &Value) -> BTreeMap<(String, String), Value> {
    let table = |property: &Value| -> Option<Value> {
        let name = property["$ref"].as_str()?.strip_prefix("#/$defs/")?;
        // Values that happen to be tables are told in one row.
        let leaf = ["Source", "Jwks", "Revoked", "Upstream", "Duration", "Size", "Expected", "Claims", "Moment"]
            .contains(&name);
        (!leaf).then(|| schema["$defs"][name].clone())
    };
    let mut found = BTreeMap::new();
    let mut add = |section: &str, of: &Value| {
        for (key, property) in of["properties"].as_object().unwrap() {
            let Some(inner) = table(property) else {
                found.insert((section.to_owned(), key.clone()), property.clone());
                continue;
            };
            for (own, property) in inner["properties"].as_object().unwrap() {
                let place = if section.is_empty() {
                    (format!("[{key}]"), own.clone())
                } else {
                    (section.to_owned(), format!("{key}.{own}"))
                };
                found.insert(place, property.clone());
            }
        }
    };
    let mut top = schema.clone();
    let properties = top["properties"].as_object_mut().unwrap();
    for (key, section, definition) in
        [("issuer", "[issuer.NAME]", "Issuer"), ("route", "[[route]]", "Route"), ("test", "[[test]]", "Test")]
    {
        properties.remove(key).unwrap();
        add(section, &schema["$defs"][definition]);
    }
    add("[upstream]", &schema["$defs"]["UpstreamTable"]);
    add("", &top);
    found
}

/// The rows of the README's reference: section and key, and what stands in the column of defaults.
fn reference() -> BTreeMap<(String, String), String> {
    let readme = read("README.md");
    let reference = readme.split("\n## Config reference\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let mut rows = BTreeMap::new();
    for section in reference.split("\n### ").skip(1) {
        let (title, body) = section.split_once('\n').unwrap();
        let of_title = title.split('`').nth(1).unwrap_or_default();
        for row in body.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            let [keys, _, default] = cells.as_slice() else { panic!("three columns are expected: {row}") };
            let mut section = of_title;
            for key in keys.split('`').skip(1).step_by(2) {
                let key = key.rsplit_once("] ").map_or(key, |(table, key)| {
                    section = &keys[1..table.len() + 2];
                    key
                });
                assert!(rows.insert((section.to_owned(), key.to_owned()), (*default).to_owned()).is_none(), "{row}");
            }
        }
    }
    rows
}

#[test]
fn the_reference_of_the_readme_has_the_keys_and_defaults_of_the_schema() {
    let (schema, rows) = (schema(), reference());
    let documented = documented(&schema);
    let (known, told): (BTreeSet<_>, BTreeSet<_>) = (documented.keys().collect(), rows.keys().collect());
    let missing: Vec<_> = known.difference(&told).collect();
    assert!(missing.is_empty(), "the README's config reference has no row for {missing:?}");
    let unknown: Vec<_> = told.difference(&known).collect();
    assert!(unknown.is_empty(), "the README's config reference tells of keys that there are not: {unknown:?}");
    for (place, property) in &documented {
        let told = &rows[place];
        let value: Option<Value> = serde_json::from_str(&told.replace('`', "")).ok();
        assert_eq!(value.as_ref(), property.get("default"), "{place:?}: the README says {told:?}");
        let required = property["description"].as_str().unwrap().contains("Required");
        assert_eq!(told.starts_with("required"), required, "{place:?}: the README says {told:?}");
    }
}
