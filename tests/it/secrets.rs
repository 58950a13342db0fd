//! The law that nothing secret gets into any output: what was sent or configured is looked for in everything that the
//! binary writes, answers and shows.

use std::path::Path;

use crate::client::{Client, Response, request};
use crate::harness::eventually;
use crate::program::{Program, folder_with, run};
use crate::tokens::{bearer, expired, good, now, signed, signed_with};
use crate::upstream::{Seen, Upstream};
use serde_json::json;

/// What must be found nowhere; each stands out, so that a hit is no accident.
struct Hidden(Vec<String>);

impl Hidden {
    fn add(&mut self, secret: &str) -> String {
        self.0.push(secret.to_owned());
        secret.to_owned()
    }

    /// A token: neither the whole of it, nor its claims, nor its signature.
    fn token(&mut self, token: String) -> String {
        self.0.extend(token.split('.').skip(1).filter(|part| part.len() > 8).map(str::to_owned));
        self.0.push(token.clone());
        token
    }

    /// Fails where any of it stands in `text`.
    fn check(&self, what: &str, text: &str) {
        for secret in &self.0 {
            let at = text.find(secret.as_str());
            let around =
                at.map(|at| text[..at].chars().rev().take(120).collect::<Vec<_>>().into_iter().rev().collect());
            assert_eq!(at, None, "{what} holds the secret {secret:?} after: {}", around.unwrap_or_else(String::new));
        }
    }
}

const KEY: &str = "Quokka-0123456789abcdef0123456789abcdef0123456789abcdef0123456789";
const SALT: &str = "Numbat-salt";
const OPERATOR: &str = "Bilby-operators-token";

fn config(upstream: &Upstream, format: &str) -> String {
    format!(
        r#"listen = "127.0.0.1:0"
{}unmatched = "open"
[log]
format = "{format}"
level = "trace"
[answers]
reason = "exact"
[cors]
origins = ["https://*.hotwax.io"]
[admin]
listen = "127.0.0.1:0"
token = {{ text = "{OPERATOR}" }}
[issuer.hotwax]
secret = {{ file = "jwtKey.txt" }}
subject = "userLoginId"
[issuer.salted]
secret = {{ text = "{KEY}" }}
salt = "{SALT}"
[[route]]
name = "inventory"
path = "/api/updateInventory"
issuer = "hotwax"
forward = {{ claims = {{ "X-Auth-User" = "userLoginId" }} }}
[[route]]
name = "anywhere"
path = "/api/anywhere"
token = ["header", "cookie:token", "query:access_token", "header:X-Api-Token"]
[[route]]
name = "watched"
path = "/api/watched"
mode = "report"
[[route]]
name = "gone"
path = "/gone"
access = "open"
upstream = "http://127.0.0.1:1"
"#,
        upstream.line()
    )
}

/// Requests of every kind, each with something to hide.
fn requests(hidden: &mut Hidden) -> Vec<(&'static str, Vec<u8>)> {
    let other = signed_with(&"Potoroo!".repeat(8), &json!({ "userLoginId": "boomi", "exp": now() + 600 }));
    let mapped = json!({ "userLoginId": { "deep": "Dunnart-claim" }, "exp": now() + 600 });
    let parts = good();
    let tampered = format!("{}.{}", parts.rsplit_once('.').unwrap().0, "Wombat-signature_000000000000");
    let mut tokens = vec![
        ("a good token", good()),
        ("an expired one", expired()),
        ("one of another key", other),
        ("a tampered one", tampered),
        ("one without exp", signed(&json!({ "userLoginId": "boomi" }))),
        ("one with an odd subject", signed(&mapped)),
        ("no token", "Bandicoot.is.no-token-at-all".to_owned()),
        ("a long one", format!("{}.x.y", "Kowari".repeat(4000))),
    ];
    hidden.add("Dunnart-claim");
    hidden.add("Kowari");
    for (_, token) in &mut tokens {
        *token = hidden.token(token.clone());
    }
    let session = hidden.add("Quoll-session-0123");
    let password = hidden.add("Mulgara-password");
    let query = hidden.add("Kultarr-query-value");
    let basic = hidden.add("UXVvbGw6TXVsZ2FyYQ");
    let cookie = format!("JSESSIONID={session}");
    let mut sent = Vec::new();
    for (case, token) in &tokens {
        let (shown, in_cookie) = (bearer(token), format!("token={token}; {cookie}"));
        for path in ["/api/updateInventory", "/api/watched", "/open", "/gone", "/a/../b"] {
            let target = format!("{path}?q={query}&password={password}");
            let fields = [("Authorization", shown.as_str()), ("Cookie", cookie.as_str()), ("api_key", &*password)];
            sent.push((*case, request("POST", &target, &fields, &format!("{{\"PASSWORD\":\"{password}\"}}"))));
        }
        if token.len() < 8000 {
            sent.push((*case, request("GET", &format!("/api/anywhere?access_token={token}"), &[], "")));
        }
        sent.push((*case, request("POST", "/api/anywhere", &[("Cookie", &in_cookie)], "{}")));
        sent.push((*case, request("POST", "/api/anywhere", &[("X-Api-Token", token)], "{}")));
        sent.push((*case, request("POST", "/api/updateInventory", &[("Authorization", shown.as_str()); 2], "{}")));
        sent.push((*case, request("TRACE", "/open", &[("Authorization", &shown)], "")));
        sent.push((*case, request("POST", "/api/updateInventory", &[("Authorization", token)], "{}")));
    }
    let in_path = format!("/open/x;jsessionid={session}/y;JSESSIONID={session}");
    sent.push(("a session in the path", request("GET", &in_path, &[], "")));
    sent.push(("Basic", request("GET", "/api/updateInventory", &[("Authorization", &format!("Basic {basic}"))], "")));
    let referrer = format!("https://x.hotwax.io/?token={}", tokens[0].1);
    let fields = [("Referer", referrer.as_str()), ("Origin", "https://x.hotwax.io")];
    sent.push(("a token in the referrer", request("GET", "/api/updateInventory", &fields, "")));
    let host = format!("GET http://u:{password}@h/open HTTP/1.1\r\nHost: h\r\n\r\n");
    sent.push(("a password in the target", host.into_bytes()));
    let broken = format!("GET /open HTTP/1.1\r\nAuthorization Bearer {}\r\n\r\n", tokens[0].1);
    sent.push(("a broken head", broken.into_bytes()));
    sent
}

fn whole(response: &Response) -> String {
    format!("{}{}", response.head, String::from_utf8_lossy(&response.body))
}

#[test]
fn a_run_of_good_and_bad_requests_gives_no_secret_away() {
    for format in ["json", "text"] {
        let mut hidden = Hidden(Vec::new());
        for secret in [KEY, SALT, OPERATOR, crate::tokens::SECRET] {
            hidden.add(secret);
        }
        let upstream = Upstream::friendly();
        let (folder, _) = folder_with(&config(&upstream, format));
        std::fs::write(folder.path().join("jwtKey.txt"), crate::tokens::SECRET).unwrap();
        let mut program = Program::start(&["run"], folder.path());
        let (address, admin) = program.addresses();
        let sent = requests(&mut hidden);
        let mut statuses = Vec::new();
        for (case, bytes) in &sent {
            let response = Client::connect(address).send(bytes).response(false);
            hidden.check(&format!("{format}: the answer to {case}"), &whole(&response));
            statuses.push(response.status);
        }
        for status in [200, 400, 401, 405, 502] {
            assert!(statuses.contains(&status), "nothing was answered by {status}: the suite misses its mark");
        }
        let fields = [("Authorization", bearer(OPERATOR))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        eventually("what was lifted in the report", || {
            let report = Client::connect(admin).send(&request("GET", "/report", &fields, "")).response(false);
            report.text().contains("route watched: token_expired").then_some(())
        });
        for path in ["/metrics", "/config", "/report", "/report?format=json", "/readyz", "/livez", "/nothing"] {
            for shown in [OPERATOR, "Bettong-wrong-token"] {
                let fields = [("Authorization", bearer(shown))];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                let response = Client::connect(admin).send(&request("GET", path, &fields, "")).response(false);
                hidden.check(path, &whole(&response));
            }
        }
        eventually("a line for each request", || (program.out().lines().count() >= sent.len()).then_some(()));
        program.signal("TERM");
        let ended = program.ended();
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains("token_expired") && ended.err.contains("listening"), "{}", ended.err);
        hidden.check(&format!("{format}: standard output"), &ended.out);
        hidden.check(&format!("{format}: standard error"), &ended.err);
        // The search itself can find: what went up holds what was hidden.
        let up: Vec<Seen> = upstream.seen();
        assert!(up.iter().any(|seen| hidden.0.iter().any(|secret| seen.head.contains(secret))));
    }
}

/// Runs a config that cannot be used and looks at what it says.
fn complains(hidden: &Hidden, case: &str, folder: &Path, toml: &str) {
    std::fs::write(folder.join("config.toml"), toml).unwrap();
    for command in [
        &["run"][..],
        &["health"],
        &["report"],
        &["token", "mint", "--user", "u", "--valid-for", "1d", "--purpose", "p"],
    ] {
        let ended = run(command, folder);
        assert_eq!(ended.code, Some(2), "{case} {command:?}: {}{}", ended.out, ended.err);
        hidden.check(case, &format!("{}{}", ended.out, ended.err));
    }
}

#[test]
fn complaints_about_a_config_do_not_quote_its_secrets() {
    let mut hidden = Hidden(Vec::new());
    for secret in [KEY, SALT, OPERATOR, "Quokka", "Numbat", "Bilby"] {
        hidden.add(secret);
    }
    let upstream = Upstream::friendly();
    let good = config(&upstream, "text");
    let (folder, _) = folder_with(&good);
    std::fs::write(folder.path().join("jwtKey.txt"), KEY).unwrap();
    let secret = format!("secret = {{ text = \"{KEY}\" }}");
    let short = format!("secret = {{ text = \"{}\" }}", "Quokka");
    let operator = format!("token = {{ text = \"{OPERATOR}\" }}");
    for (case, found, instead) in [
        ("a secret that is bare text", &secret, format!("secret = \"{KEY}\"")),
        ("a secret in a list", &secret, format!("secret = [\"{KEY}\"]")),
        ("a secret under a wrong name", &secret, format!("secret = {{ txt = \"{KEY}\" }}")),
        ("a secret under another name", &secret, format!("sekret = {{ text = \"{KEY}\" }}")),
        ("two sources", &secret, format!("secret = {{ text = \"{KEY}\", env = \"X\" }}")),
        ("a secret that is too short", &secret, short),
        ("a secret that is no base64", &secret, format!("{secret}\nencoding = \"base64\"")),
        ("a secret that is no hex", &secret, format!("{secret}\nencoding = \"hex\"")),
        ("a quote that does not close", &secret, format!("secret = {{ text = \"{KEY} }}")),
        ("no quotes", &secret, format!("secret = {{ text = {KEY} }}")),
        ("a secret as a file", &secret, "secret = { file = \"jwtKey.txt\" }\npem = \"jwtKey.txt\"".to_owned()),
        ("a secret as a key set", &secret, "jwks = { file = \"jwtKey.txt\" }".to_owned()),
        ("a secret as PEM", &secret, format!("pem = {{ text = \"{KEY}\" }}")),
        ("an operator's token that is bare text", &operator, format!("token = \"{OPERATOR}\"")),
        ("an operator's token with a blank", &operator, format!("token = {{ text = \"{OPERATOR} x\" }}")),
        ("a salt in a table", &format!("salt = \"{SALT}\""), format!("salt = {{ text = \"{SALT}\" }}")),
        ("a salt with base64", &format!("salt = \"{SALT}\""), format!("salt = \"{SALT}\"\nencoding = \"base64\"")),
    ] {
        assert!(good.contains(found.as_str()), "{case}");
        complains(&hidden, case, folder.path(), &good.replacen(found.as_str(), &instead, 1));
    }
}

#[test]
fn the_demo_that_plays_itself_shows_no_token_and_no_key() {
    let folder = tempfile::TempDir::new().unwrap();
    let ended = run(&["demo", "--once"], folder.path());
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let said = format!("{}{}", ended.out, ended.err);
    assert!(!said.contains("eyJ"), "every token begins so: {said}");
    let long = |word: &str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert!(!said.split(|character: char| !character.is_ascii_alphanumeric()).any(long), "{said}");
}
