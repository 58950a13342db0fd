//! The example file of the repository works as it is, and with every setting that it offers.

use super::*;
use crate::decision::policy::Policy;
use crate::proxy::Style;

/// The file with its secrets in the desk's folder.
pub(super) fn shipped(desk: &Desk) -> String {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    for (path, file) in [
        ("hotwax/jwtKey.txt", "key"),
        ("partners/public.pem", "public.pem"),
        ("tls/tls.crt", "key"),
        ("tls/tls.key", "key"),
        ("upstream/ca.pem", "key"),
        ("upstream/client.pem", "key"),
        ("upstream/client.key", "key"),
        ("admin/token", "key"),
    ] {
        let target = desk.path("run").join(path);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(desk.path(file), target).unwrap();
    }
    std::fs::write(desk.path("run/hotwax/revoked.jsonl"), "").unwrap();
    let authority = rcgen::generate_simple_self_signed(["idp.example".to_owned()]).unwrap();
    std::fs::create_dir_all(desk.path("run/idp")).unwrap();
    std::fs::write(desk.path("run/idp/ca.pem"), authority.cert.pem()).unwrap();
    text.replace("/run/secrets", desk.path("run").to_str().unwrap())
}

/// The file with every setting that it offers.
pub(super) fn whole(desk: &Desk) -> String {
    let text = shipped(desk);
    let lines: Vec<&str> = text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).collect();
    lines.join("\n")
}

#[test]
fn as_it_is() {
    let desk = Desk::new();
    let config = desk.parse(&shipped(&desk)).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.proxy.answers.style, Style::Hotwax);
    assert_eq!(config.upstreams[0].response_timeout.as_secs(), 7200);
    assert!(config.proxy.cors.origins[0].matches("https://launchpad.hotwax.io"));
    let [inventory, unmatched] = config.snapshot.routes.routes() else { panic!("two routes") };
    assert_eq!(inventory.patterns.len(), 3);
    assert_eq!(inventory.forwarding.strip, ["api-key".into(), "login-key".into()]);
    assert_eq!(unmatched.policy, Policy::Open);
    assert_eq!(config.issuers[0].issuer.subject.as_str(), "userLoginId");
}

#[test]
fn with_every_setting_that_it_offers() {
    let desk = Desk::new();
    let config = desk.parse(&whole(&desk)).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(config.snapshot.routes.routes().len(), 8);
    assert_eq!(config.issuers.len(), 3);
    assert!(config.net.tls.is_some() && config.admin.probes.is_some());
}

#[test]
fn every_key_that_is_known_is_documented_in_it() {
    let schema = schemars::schema_for!(super::super::raw::File).to_value();
    let mut known = vec![&schema["properties"]];
    known.extend(schema["$defs"].as_object().unwrap().values().map(|table| &table["properties"]));
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("config.toml")).unwrap();
    for (key, property) in known.into_iter().filter_map(|table| table.as_object()).flatten() {
        // Some are not built but for their default, the others are other ways to give a secret.
        if ["client_auth", "proxy_protocol", "env", "text"].contains(&key.as_str()) {
            continue;
        }
        let found = text.contains(&format!("{key} = ")) || text.contains(&format!("[{key}"));
        assert!(found, "{key} is not in config.toml");
        assert!(property.get("description").is_some() || key == "file", "{key} is not documented");
    }
}

#[test]
fn it_is_warned_of_no_more_than_it_says_itself() {
    let desk = Desk::new();
    let told = |config: &super::super::Config| -> Vec<(String, String)> {
        let warnings = config.warnings.iter().filter(|warning| warning.key != "limits.connections");
        warnings.map(|warning| (warning.key.clone(), warning.problem.clone())).collect()
    };
    let as_it_is = desk.parse(&shipped(&desk)).unwrap();
    let keys: Vec<String> = told(&as_it_is).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["issuer.hotwax", "issuer.hotwax"], "`iss` and `aud` are not looked at");
    let text = shipped(&desk).replace("\n#: ", "\n");
    let found: Vec<String> = told(&desk.parse(&text).unwrap()).into_iter().map(|(key, _)| key).collect();
    let unused = ["upstream.ca", "upstream.client_cert", "upstream.client_key", "upstream.server_name"];
    let weak = ["issuer.hotwax.short_key", "route \"orders\"", "tls"];
    assert_eq!(found, [unused.as_slice(), &weak].concat(), "settings for https://, and two that weaken on purpose");
}
