//! The settings in effect are whole, true, traceable, and without secrets.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

fn list(config: &Config) -> Vec<Value> {
    serde_json::from_str(&config.effective().json()).unwrap()
}

/// Keys and values alone.
fn values(config: &Config) -> Vec<(Value, Value)> {
    list(config).into_iter().map(|setting| (setting["key"].clone(), setting["value"].clone())).collect()
}

fn setting(config: &Config, key: &str) -> (Value, String) {
    let found = list(config).into_iter().find(|setting| setting["key"] == key);
    let found = found.unwrap_or_else(|| panic!("{key}\n{}", config.effective().json()));
    (found["value"].clone(), found["source"].as_str().unwrap().to_owned())
}

#[test]
fn each_value_has_its_source() {
    let config = Desk::new().good(
        "[limits]\nheaders = 50\nbody_size = '1MiB'\n[issuer.'a b']\nsecret = { file = 'key' }\n[[route]]\npath = '/x'\n\
         scope = [\n  's']\n[[route]]\npath = '/y'\ntimeout = '120m'\n",
    );
    for (key, value, source) in [
        ("unmatched", "\"open\"", "config.toml:3"),
        ("upstream.url", "[\"http://127.0.0.1:8081\"]", "config.toml:2"),
        ("upstream.response_timeout", "\"15m\"", "default"),
        ("limits.headers", "50", "config.toml:5"),
        ("limits.header_timeout", "\"10s\"", "default"),
        ("limits.request_timeout", "null", "default"),
        ("issuer.\"a b\".secret", "{\"file\":\"key\"}", "config.toml:8"),
        ("issuer.\"a b\".encoding", "\"utf8\"", "default"),
        ("issuer.\"a b\".algorithms", "[\"HS512\"]", "the key"),
        ("route[0].name", "\"/x\"", "the first path"),
        ("route[0].issuer", "[\"a b\"]", "all issuers"),
        ("route[0].scope", "[\"s\"]", "config.toml:11"),
        ("route[0].timeout", "\"15m\"", "the upstream's response_timeout"),
        ("route[0].body_size", "\"1MiB\"", "limits.body_size"),
        ("route[1].timeout", "\"2h\"", "config.toml:15"),
        ("tls", "null", "default"),
    ] {
        let (found, told) = setting(&config, key);
        assert_eq!((found.to_string().as_str(), told.as_str()), (value, source), "{key}");
    }
    let (workers, told) = setting(&config, "workers");
    assert_eq!(workers, config.net.workers);
    assert!(told == "the number of cores" || told == "the CPU limit of the container", "{told}");
    let (connections, told) = setting(&config, "limits.connections");
    assert_eq!(connections, config.net.limits.connections);
    assert_eq!(told == "default", connections == 20_000, "{told}");
    let lines: Vec<_> = list(&config).into_iter().filter(|setting| !setting["line"].is_null()).collect();
    assert!(lines.len() > 8 && lines.iter().all(|own| own["source"] == format!("config.toml:{}", own["line"])));
}

#[test]
fn the_document_tells_value_source_and_what_is_not_set() {
    let text = Desk::new().good("[issuer.a]\nsecret = { file = 'key' }\n").effective().toml();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    assert!(
        line("unmatched").starts_with("unmatched = \"open\"  ") && line("unmatched").ends_with("  # config.toml:3")
    );
    assert!(line("header_timeout").ends_with("  # default"));
    assert_eq!(line("# audience"), "# audience is not set: `aud` is not looked at");
    let at = |header: &str| text.find(header).unwrap_or_else(|| panic!("{header}\n{text}"));
    assert!(["[upstream]", "[issuer.a]", "[limits]", "[memo]"].map(at).is_sorted(), "in the order of the reference");
}

/// What decides besides routes and keys, whose defaults may be told in more words than the file had.
fn settings(config: &Config) -> String {
    format!(
        "{:?}",
        (&config.net, &config.proxy, &config.telemetry, &config.admin, config.memo, &config.upstreams, &config.issuers)
    )
}

#[test]
fn the_document_means_the_config_that_it_tells_of() {
    let desk = Desk::new();
    let every_address = "listen = ['127.0.0.1:1', '[::1]:2', 'unix:sock', 'https://0.0.0.0:4']\nunmatched = 'protected'\n\
        upstream = ['http://a', 'https://b/', 'http://[::1]:5', 'unix:y']\n[tls]\ncert = 'key'\nkey = 'key'\n\
        [issuer.'a\"\\ ß']\nsecret = { text = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef' }\n\
        [issuer.b]\nissuer = ['i', 'j']\nsecret = { file = 'hex' }\nencoding = 'hex'\nleeway = '1m'\nmax_lifetime = '1y'\n\
        [[route]]\npath = ['/ä \"x\"/*', '/y']\nhost = ['*.example', 'oms.example:80']\nmethod = 'get'\n\
        claim = { '/a b/c' = ['x'], u = 'y' }\nforward = { claims = { X-User = '/a b/c' }, strip = ['A_B'] }\n\
        [[route]]\npath = '/z'\naccess = 'open'\nmethod = 'GET'\n[route.upstream]\nurl = 'http://c'\nconnect_timeout = '1s'\n\
        [[route]]\npath = '/w'\naccess = 'deny'\nupstream = 'http://a'\n";
    for text in [TOP.to_owned(), shipped::shipped(&desk), shipped::whole(&desk), every_address.to_owned()] {
        let config = desk.parse(&text).unwrap_or_else(|report| panic!("{report}"));
        let told = config.effective().toml();
        assert_eq!(schema::complaints(&told), Vec::<String>::new(), "{told}");
        let again = desk.parse(&told.replace("[hidden]", KEY)).unwrap_or_else(|report| panic!("{report}\n{told}"));
        assert_eq!(values(&again), values(&config), "{told}");
        assert_eq!(settings(&again), settings(&config), "{told}");
    }
}

/// The last names of all keys of a schema that are no tables.
fn keys(table: &Value) -> BTreeSet<String> {
    table["properties"].as_object().unwrap().keys().cloned().collect()
}

#[test]
fn no_setting_is_left_out() {
    let desk = Desk::new();
    let config = desk.parse(&shipped::whole(&desk)).unwrap_or_else(|report| panic!("{report}"));
    let told: BTreeSet<String> = list(&config)
        .iter()
        .map(|setting| setting["key"].as_str().unwrap().rsplit('.').next().unwrap().to_owned())
        .collect();
    let schema: Value = serde_json::from_str(&super::super::schema()).unwrap();
    let mut known = keys(&schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        // How a value is given is part of the value.
        if definition.get("properties").is_some() && !["Source", "Jwks", "Revoked"].contains(&name.as_str()) {
            known.extend(keys(definition));
        }
    }
    // Tables, whose keys are looked for themselves, and the key source that the shipped issuers do not have.
    let tables = keys(&schema).into_iter().chain(["forward".to_owned(), "rate".to_owned(), "jwks".to_owned()]);
    let tables: BTreeSet<_> =
        tables.filter(|key| !["listen", "unmatched", "workers"].contains(&key.as_str())).collect();
    let missing: Vec<_> = known.difference(&told).filter(|key| !tables.contains(*key)).collect();
    assert!(missing.is_empty(), "`Config::effective` leaves out {missing:?}");
}

#[test]
fn no_secret_is_told() {
    let desk = Desk::new();
    let config = desk.good(&format!(
        "[admin]\ntoken = {{ text = 'swordfish' }}\n[issuer.a]\nsecret = {{ text = '{KEY}' }}\nsalt = 'pepper'\n\
         [issuer.b]\nsecret = {{ file = 'key' }}\n[[route]]\npath = '/x'\n"
    ));
    let effective = config.effective();
    let shown: Value = serde_json::from_str(&effective.tree()).unwrap();
    assert_eq!(shown["limits"]["header_timeout"], "10s");
    assert_eq!(shown["issuer"]["b"]["secret"]["file"], "key");
    assert_eq!(shown["issuer"]["b"]["encoding"], "utf8");
    assert_eq!(shown["issuer"]["a"]["secret"]["text"], "[hidden]");
    assert_eq!(shown["route"][0]["token"][0], "header");
    let everything =
        [effective.tree(), effective.json(), effective.toml(), format!("{config:?}{effective:?}")].concat();
    for secret in [KEY, "swordfish", "pepper"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}
