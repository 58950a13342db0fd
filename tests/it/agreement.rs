//! An explanation and the running proxy never disagree: whatever can be put to both is put to both.
//!
//! The attack corpus is played where it is at hand (`WAXSEAL_CORPUS`, else `../shared/corpus`); its tokens are made by
//! its own generator, by the Python that `WAXSEAL_PYTHON` names.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use waxseal::config::{self, Config};
use waxseal::explain::{Explanation, explain};
use waxseal::proxy::preview::Asked;
use waxseal::time::Clock;

use crate::client::Client;
use crate::harness::Sidecar;
use crate::tokens::{bearer, expired, good, hotwax_issuer, signed};
use crate::upstream::{Seen, Upstream};

/// Both of them, with the same config.
struct Both {
    config: Config,
    sidecar: Sidecar,
    upstream: Upstream,
    played: usize,
    left_out: usize,
}

/// A request line and header lines, one character a byte.
struct Case<'c> {
    name: &'c str,
    method: &'c str,
    target: &'c str,
    fields: Vec<String>,
}

impl Case<'_> {
    /// A body as it is announced: an empty one in chunks, or so many bytes.
    fn body(&self) -> String {
        let announced = |name: &str| self.fields.iter().find_map(|field| field.strip_prefix(name));
        if self.fields.iter().any(|field| field.to_ascii_lowercase().starts_with("transfer-encoding:")) {
            return "0\r\n\r\n".to_owned();
        }
        "x".repeat(announced("Content-Length: ").and_then(|length| length.parse().ok()).unwrap_or(0))
    }
}

impl Both {
    fn new(toml: &str) -> Self {
        let upstream = Upstream::friendly();
        let toml = format!("{}{toml}\n[answers]\nreason = \"exact\"\n", upstream.line());
        let sidecar = Sidecar::start(&toml);
        let whole = format!("listen = \"127.0.0.1:0\"\n{toml}");
        let config = config::parse(&whole, Path::new("test.toml"), &|_| None).unwrap();
        Self { config, sidecar, upstream, played: 0, left_out: 0 }
    }

    /// Puts a request to both.
    fn put(&mut self, case: &Case<'_>) {
        let lines = case.fields.iter().map(|field| format!("{field}\r\n")).collect::<String>();
        let text =
            format!("{} {} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{}", case.method, case.target, case.body());
        let bytes: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect(case.name)).collect();
        let before = self.upstream.seen().len();
        let answer = Client::connect(self.sidecar.address).send(&bytes).response(case.method == "HEAD");
        let sent_up = self.upstream.seen().split_off(before);
        let Some(asked) = asked(case) else {
            // No header field at all: nobody can ask an explanation for it, and no server takes it.
            assert!((400..500).contains(&answer.status), "{}: {}", case.name, answer.head);
            self.left_out += 1;
            return;
        };
        let told = explain(&self.config, &asked, Clock::System.now());
        assert_eq!(told.passes(), !sent_up.is_empty() || told.status == Some(204), "{}\n{told}", case.name);
        assert_eq!(told.status.unwrap_or(200), answer.status, "{}\n{}\n{told}", case.name, answer.head);
        // What the HTTP parser refuses is answered without a body.
        if !told.passes() && !answer.body.is_empty() {
            assert_eq!(told.code, answer.code(), "{}\n{told}", case.name);
        }
        if let [seen] = sent_up.as_slice() {
            check_sent_up(case, &told, seen);
        }
        self.played += 1;
    }
}

fn asked(case: &Case<'_>) -> Option<Asked> {
    let mut asked = Asked::new(case.method, case.target).ok()?;
    case.fields.iter().try_for_each(|field| asked.header(field)).ok()?;
    asked.header("Connection: close").ok()?;
    // An explanation assumes a host where none is named.
    asked.headers.contains_key("host").then_some(asked)
}

/// The upstream got the fields that were told, but for the id, and credentials, which are not told.
fn check_sent_up(case: &Case<'_>, told: &Explanation, seen: &Seen) {
    let promised = told.upstream.as_ref().expect(case.name);
    assert_eq!(promised.method, seen.method(), "{}", case.name);
    assert_eq!(promised.target.split('?').next(), seen.target().split('?').next(), "{}", case.name);
    let compared = |(name, value): (&str, &str)| {
        let hidden = matches!(&*name.to_ascii_lowercase(), "authorization" | "cookie" | "x-request-id" | "x-token");
        let value = if hidden { String::new() } else { value.trim().to_owned() };
        (name.to_ascii_lowercase(), value)
    };
    let lines = seen.head.lines().skip(1).filter_map(|line| line.split_once(':'));
    let mut arrived: Vec<_> = lines.map(compared).collect();
    let mut expected: Vec<_> = promised.headers.iter().map(|(name, value)| compared((name, value))).collect();
    arrived.sort();
    expected.sort();
    assert_eq!(arrived, expected, "{}\n{told}", case.name);
}

/// Every kind of route, place and demand.
const POLICY: &str = "unmatched = \"open\"\n[cors]\norigins = [\"https://*.hotwax.io\"]\npreflight = \"answer\"\n\
    [[route]]\nname = \"inventory\"\npath = \"/api/service/updateInventory\"\nmethod = [\"POST\"]\n\
    forward = { claims = { X-Auth-Subject = \"userLoginId\", X-Auth-Role = \"role\" }, strip = [\"api_key\"] }\n\
    [[route]]\npath = \"/closed\"\naccess = \"deny\"\n\
    [[route]]\nname = \"scoped\"\npath = \"/scoped/**\"\nscope = [\"a\", \"b\"]\nclaim = { \"/deep/er\" = \"x*\" }\n\
    [[route]]\npath = \"/scoped/open\"\naccess = \"open\"\n\
    [[route]]\npath = \"/cookie\"\ntoken = [\"cookie:t\", \"header:X-Token\", \"query:t\"]\n\
    forward = { authorization = \"strip\" }\n\
    [[route]]\nname = \"tried\"\npath = \"/tried\"\nmode = \"report\"\n\
    [[route]]\nname = \"hosted\"\npath = \"/hosted\"\nhost = \"*.oms.example\"\n";

#[test]
fn on_requests_of_every_kind() {
    let mut both = Both::new(&format!("{POLICY}{}", hotwax_issuer()));
    let scoped = signed(&serde_json::json!({
        "userLoginId": "b", "exp": crate::tokens::now() + 60, "scope": "a b", "deep": { "er": ["no", "xy"] },
    }));
    let fraction = signed(&serde_json::json!({ "userLoginId": "b", "exp": crate::tokens::now() + 60, "role": 1.5 }));
    let tokens = [
        vec![],
        vec![format!("Authorization: {}", bearer(&good()))],
        vec![format!("Authorization: {}", bearer(&expired()))],
        vec![format!("Authorization: {}", bearer(&scoped))],
        vec![format!("Authorization: {}", bearer(&fraction))],
        vec!["Authorization: Bearer junk".to_owned()],
        vec!["Authorization: Basic eA==".to_owned()],
        vec![format!("Cookie: a=b; t={}", good())],
        vec![format!("X-Token: {}", good())],
        vec![format!("X-Token: {}", good()), format!("Cookie: t={}", good())],
        vec![format!("Authorization: {}", bearer(&good())), "X_Auth_Subject: evil".to_owned()],
        vec!["Origin: https://a.hotwax.io".to_owned(), "Access-Control-Request-Method: POST".to_owned()],
        vec!["Origin: https://evil.example".to_owned(), format!("Cookie: t={}", good())],
        vec!["X-HTTP-Method-Override: POST".to_owned()],
    ];
    let targets = [
        "/",
        "/api/service/updateInventory",
        "/API/service/updateInventory.json/x?a=b",
        "/api/service/updateInventory;x=1",
        "/api//service/updateInventory",
        "/closed/x",
        "/scoped",
        "/scoped/open",
        "/scoped/open/",
        "/cookie",
        "/tried",
        "/hosted",
        "/a/../b",
        "http://x.oms.example/hosted",
    ];
    for target in targets {
        for method in ["GET", "POST", "OPTIONS", "HEAD", "TRACE"] {
            for host in ["Host: oms.example", "Host: a.oms.example:8080", "Host: a@b"] {
                for token in &tokens {
                    let fields = [vec![host.to_owned()], token.clone()].concat();
                    both.put(&Case { name: &format!("{method} {target} {fields:?}"), method, target, fields });
                }
            }
        }
    }
    assert_eq!((both.played, both.left_out), (targets.len() * 5 * 3 * tokens.len(), 0));
}

/// Settings that have a say besides the routes, and routes that hold together.
const SETTINGS: &str = "unmatched = \"open\"\n[forwarded]\ntrust = [\"127.0.0.0/8\"]\n[paths]\nstrict = true\n\
    [limits]\nbody_size = \"100B\"\nheader_size = \"8KiB\"\nheaders = 12\n\
    [[route]]\nname = \"all\"\npath = \"/r/**\"\nmode = \"report\"\nscope = \"x\"\n\
    [[route]]\nname = \"some\"\npath = \"/r/b\"\nmode = \"report\"\nbody_size = \"10B\"\n\
    [[route]]\npath = \"/d\"\ntoken = [\"cookie:t\"]\nforward = { claims = { X-User = \"userLoginId\" } }\n\
    [[route]]\npath = \"/e\"\nhost = \"one.example\"\nmethod = \"GET\"\n";

#[test]
fn on_requests_at_the_edges_of_every_setting() {
    let mut both = Both::new(&format!("{SETTINGS}{}", hotwax_issuer()));
    let (cookie, shown) = (format!("Cookie: t={}", good()), format!("Authorization: {}", bearer(&good())));
    let edge = |length: usize| vec![format!("X: {}", "x".repeat(length))];
    let many = |count: usize| (0..count).map(|at| format!("X-{at}: 1")).collect();
    let lists = [
        "",
        "X-Forwarded-For: 203.0.113.9, 127.0.0.1|X-Forwarded-Proto: https|X-Forwarded-Host: h|X-Real-IP: 192.0.2.1",
        "Forwarded: for=192.0.2.1|X-Request-Id: mine|X-Forwarded-Prefix: /x|X-Forwarded-Port: 1",
        "X-Request-Id: not good|Remote-User: root|X_Forwarded_For: 192.0.2.1",
        "X-HTTP-Method: PUT, GET|X-Method-Override: no method at all",
        "X-Original-URL: /d|X-Rewrite-URL: /e",
        "Origin: https://evil.example|Access-Control-Request-Method: POST|Content-Length: 0",
        "Origin: https://evil.example|Access-Control-Request-Method: POST|Access-Control-Request-Method: GET",
        "Expect: 100-continue",
        "Connection: upgrade|Upgrade: websocket|Sec-WebSocket-Version: 13|Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Connection: upgrade, x-user, host, x-forwarded-for|Upgrade: h2c|X-User: evil|x_user: evil",
        "TE: trailers|Trailer: X-User|Transfer-Encoding: chunked",
        "Content-Type: application/grpc",
        "Content-Length: 11",
        "Content-Length: 101",
        "Content-Length: +5",
        "Content-Length: 5, 5",
        "Content-Length: 5|Content-Length: 5",
        "Content-Length: 5|Content-Length: 6",
        "Content-Length: 3|Transfer-Encoding: chunked",
        "Transfer-Encoding: gzip, Chunked",
        "Transfer-Encoding: chunked|Transfer-Encoding: gzip",
    ];
    let mut sets: Vec<Vec<String>> =
        lists.map(|list| list.split('|').filter(|field| !field.is_empty()).map(str::to_owned).collect()).into();
    sets.push([&cookie, "Origin: http://one.example"].map(str::to_owned).to_vec());
    sets.push([&cookie, "Origin: null"].map(str::to_owned).to_vec());
    sets.push(vec![cookie.clone(), cookie.clone()]);
    sets.push(vec![cookie, shown.clone()]);
    sets.push(vec![shown]);
    sets.extend([9, 10, 11].map(many));
    for target in ["/?", "*", "/r/b/c?x", "/d", "/D;x", "http://ONE.example.:80/e?", "one.example:80", "/e%3fx", "//e"]
    {
        for method in ["GET", "POST", "OPTIONS", "CONNECT", "get"] {
            for host in ["Host: one.example", "Host:"] {
                for set in &sets {
                    let fields = [vec![host.to_owned()], set.clone()].concat();
                    both.put(&Case { name: &format!("{method} {target} {fields:?}"), method, target, fields });
                }
            }
        }
    }
    for length in 8190 - 70..8190 {
        let fields = [vec!["Host: one.example".to_owned()], edge(length)].concat();
        both.put(&Case { name: &format!("a field of {length} bytes"), method: "GET", target: "/", fields });
    }
    assert!(both.played > 1500, "{} played, {} left out", both.played, both.left_out);
}

/// The folder of the corpus, where it is at hand.
fn corpus() -> Option<PathBuf> {
    let usual = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("WAXSEAL_CORPUS").map_or_else(usual, PathBuf::from);
    folder.join("paths.jsonl").exists().then_some(folder)
}

fn cases(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'v>(case: &'v Value, member: &str) -> Option<&'v str> {
    case.get(member).and_then(Value::as_str)
}

fn lines(case: &Value, member: &str) -> Vec<String> {
    let list = case.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let pair = |pair: &Value| match pair {
        Value::Array(pair) => format!("{}: {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        other => other.as_str().unwrap().to_owned(),
    };
    list.iter().map(pair).collect()
}

#[test]
fn on_the_paths_and_headers_of_the_corpus() {
    let Some(corpus) = corpus() else { return eprintln!("left out: the corpus is not at hand") };
    for route in ["path = \"/api/service/updateInventory\"\nmethod = [\"POST\"]\n", "path = \"/api/service/*\"\n"] {
        let forward = "forward = { claims = { X-Auth-Subject = \"userLoginId\", X-Auth-Role = \"role\" } }\n";
        let mut both = Both::new(&format!("unmatched = \"open\"\n[[route]]\n{route}{forward}{}", hotwax_issuer()));
        for case in cases(&corpus.join("paths.jsonl")) {
            let host = match case.get("host") {
                None => vec!["Host: 127.0.0.1".to_owned()],
                Some(Value::String(host)) => vec![format!("Host: {host}")],
                Some(_) => vec![],
            };
            let fields = [host, lines(&case, "headers")].concat();
            let (method, target) = (text(&case, "method").unwrap_or("POST"), text(&case, "target").unwrap());
            both.put(&Case { name: text(&case, "id").unwrap(), method, target, fields });
        }
        for case in cases(&corpus.join("headers.jsonl")) {
            let auth = match text(&case, "auth").unwrap() {
                "valid" => vec![format!("Authorization: {}", bearer(&good()))],
                "junk" => vec!["Authorization: Bearer junk".to_owned()],
                _ => vec![],
            };
            let spelt = |line: String| line.replace("{ID}", "X-Auth-Subject").replace("{id}", "x-auth-subject");
            let own = lines(&case, "raw_headers").into_iter().map(spelt).collect();
            let fields = [vec!["Host: 127.0.0.1".to_owned()], auth, own].concat();
            let (method, target) = (text(&case, "method").unwrap_or("POST"), text(&case, "target").unwrap());
            both.put(&Case { name: text(&case, "id").unwrap(), method, target, fields });
        }
        println!("{} played, {} left out", both.played, both.left_out);
        assert!(both.played > 190, "{} played, {} left out", both.played, both.left_out);
    }
}

#[test]
fn on_the_tokens_of_the_corpus() {
    let Some(corpus) = corpus() else { return eprintln!("left out: the corpus is not at hand") };
    let Ok(python) = std::env::var("WAXSEAL_PYTHON") else { return eprintln!("left out: WAXSEAL_PYTHON is not set") };
    let keys = tempfile::TempDir::new().unwrap();
    let generate = |arguments: &[&str]| {
        let mut command = Command::new(&python);
        command.arg(corpus.join("gen_jwt.py")).arg("--keys").arg(keys.path()).args(arguments);
        let made = command.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    generate(&["--init"]);
    let tokens = keys.path().join("tokens.jsonl");
    generate(&["--out", tokens.to_str().unwrap()]);
    let mut both = Both::new(&profile(keys.path()));
    for case in cases(&tokens) {
        let fields = [vec!["Host: 127.0.0.1".to_owned()], lines(&case, "raw_headers")].concat();
        let (method, target) = (text(&case, "method").unwrap(), text(&case, "target").unwrap());
        both.put(&Case { name: text(&case, "id").unwrap(), method, target, fields });
    }
    println!("{} played, {} left out", both.played, both.left_out);
    assert!(both.played > 220, "{} played, {} left out", both.played, both.left_out);
}

/// The corpus's profile as a config: an issuer for each of its keys.
fn profile(keys: &Path) -> String {
    let profile: Value = serde_json::from_slice(&std::fs::read(keys.join("profile.json")).unwrap()).unwrap();
    let mut toml = "unmatched = \"open\"\n[[route]]\npath = \"/api/service/updateInventory\"\nmethod = [\"POST\"]\n\
                    forward = { claims = { X-Auth-Subject = \"sub\", X-Auth-Role = \"role\" } }\n"
        .to_owned();
    for (key, algorithm) in profile["algorithms"].as_object().unwrap() {
        let source = match algorithm.as_str().unwrap().starts_with("HS") {
            true => format!("secret = {{ file = \"{}/{key}.secret\" }}", keys.display()),
            false => format!("pem = {{ file = \"{}/{key}.pub.pem\" }}", keys.display()),
        };
        toml += &format!(
            "[issuer.{key}]\nissuer = {}\naudience = {}\nalgorithms = [{algorithm}]\n{source}\nkid = {}\n\
             leeway = \"30s\"\nrequire = [\"iss\", \"aud\", \"sub\"]\n",
            profile["issuer"], profile["audience"], profile["kid"][key],
        );
    }
    toml
}
