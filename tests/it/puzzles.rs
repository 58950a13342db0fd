//! `docs/refusals.md` tells what the program says.
//!
//! `WAXSEAL_RENEW=1 cargo nextest run -E 'test(puzzles::)'` writes the outputs anew; read the difference.

use std::path::{Path, PathBuf};
use std::process::Command;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::program::folder_with;
use crate::tokens::SECRET;

/// 2026-11-24T12:00:00Z, the moment at which the page judges.
const NOW: i64 = 1_795_521_600;

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/refusals.md")
}

/// A token with these claims in place of the usual ones; `null` takes one out.
fn token(secret: &str, change: &Value) -> String {
    let mut claims = json!({
        "iss": "https://idp.example/", "aud": "orders", "sub": "ada", "iat": NOW - 60, "exp": NOW + 3540,
        "scope": "orders.read", "role": "clerk",
    });
    for (name, value) in change.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS512), &claims, &key).unwrap()
}

fn tokens() -> Vec<(&'static str, String)> {
    let good = |change: Value| token(SECRET, &change);
    let mut cut = good(json!({}));
    cut.pop();
    vec![
        ("GOOD", good(json!({}))),
        ("WITHOUT_SLASH", good(json!({ "iss": "https://idp.example" }))),
        ("FOR_BILLING", good(json!({ "aud": ["billing", "reports"] }))),
        ("FROM_THE_FUTURE", good(json!({ "iat": NOW + 42 }))),
        ("OF_ANOTHER_KEY", token(&SECRET.replace('0', "1"), &json!({}))),
        ("CUT", cut),
        ("WITHOUT_SCOPE", good(json!({ "scope": "orders.list profile" }))),
    ]
}

/// The first part of what a command of the page prints.
fn output(command: &str, folder: &Path) -> String {
    let binary = env!("CARGO_BIN_EXE_waxseal");
    let command = command.strip_prefix("waxseal ").expect(command);
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{binary} {command}")]).current_dir(folder).env_remove("WAXSEAL_CONFIG");
    let told = shell.env("KEY", SECRET).envs(tokens()).output().unwrap();
    assert_eq!(told.status.code(), Some(1), "{command}: {}", String::from_utf8_lossy(&told.stderr));
    let text = String::from_utf8(told.stdout).unwrap();
    let parts: Vec<&str> = text.split("\n\n").take(2).collect();
    parts.join("\n\n")
}

#[test]
fn the_page_tells_what_the_program_says() {
    let text = std::fs::read_to_string(page()).unwrap();
    let config = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let (folder, _) = folder_with(config);
    let mut pieces = text.split("```console\n");
    let mut made = pieces.next().unwrap().to_owned();
    let mut played = 0;
    for piece in pieces {
        let (block, rest) = piece.split_once("\n```").unwrap();
        let command = block.lines().next().unwrap().strip_prefix("$ ").unwrap();
        made += &format!("```console\n$ {command}\n{}\n```{rest}", output(command, folder.path()));
        played += 1;
    }
    assert_eq!(played, 10);
    if std::env::var_os("WAXSEAL_RENEW").is_some() {
        std::fs::write(page(), made).unwrap();
    } else {
        assert!(made == text, "the page differs (see the head of this file):\n{made}");
    }
}
