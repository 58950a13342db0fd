//! `waxseal token`: issue tokens from a terminal.

use clap::Args;
use serde_json::{Map, Value, json};

use super::{ConfigFile, Failure, STDIN, input, moment, tell, tell_json};
use crate::config::{self, Config};
use crate::decision::claims::ClaimPath;
use crate::explain;
use crate::keys;
use crate::secret::Secret;
use crate::time::Clock;

/// What `token mint` is told.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  waxseal token mint --user boomi --valid-for 30d --purpose \"stock feed\"")]
pub(super) struct Mint {
    #[command(flatten)]
    config: ConfigFile,
    /// The issuer whose secret signs; may be left out where the config has one. Example: hotwax
    #[arg(long, value_name = "NAME")]
    issuer: Option<String>,
    /// Whom the token speaks for: the user id of the OMS. Example: boomi
    #[arg(long, value_name = "USER")]
    user: String,
    /// How long it is valid. Examples: 30d, 12h, 1y
    #[arg(long, value_name = "DURATION")]
    valid_for: String,
    /// What it is for; written into the token. Example: "stock feed"
    #[arg(long, value_name = "TEXT")]
    purpose: String,
}

/// What `token inspect` is told.
#[derive(Debug, Args)]
pub(super) struct Inspect {
    #[command(flatten)]
    config: ConfigFile,
    /// The token, with or without `Bearer` before it; `-`, and nothing at all, read it from standard input, out of
    /// sight of other processes.
    #[arg(value_name = "TOKEN", default_value = "-", hide_default_value = true)]
    token: String,
    /// The moment at which it is judged: 2026-10-30T07:05:09Z, or seconds since 1970 [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Tells what a token says, and whether the config would take it.
pub(super) fn inspect(asked: &Inspect) -> Result<bool, Failure> {
    let config = asked.config.load()?;
    let text = if asked.token == STDIN { input()? } else { asked.token.clone() };
    let text = Secret::new(text);
    let bare = text.expose().trim();
    let bare = bare.strip_prefix("Authorization:").unwrap_or(bare).trim_start();
    let token = Secret::new(bare.strip_prefix("Bearer ").unwrap_or(bare).trim().to_owned());
    let told = explain::inspect(&config, &token, moment(asked.at.as_deref())?);
    match asked.json {
        true => tell_json(&told)?,
        false => tell(told.to_string().trim_end())?,
    }
    Ok(told.is_taken())
}

/// Issues a token and prints it.
pub(super) fn mint(asked: &Mint) -> Result<(), Failure> {
    let config = asked.config.load()?;
    let settings = issuer(&config, asked.issuer.as_deref())?;
    let lifetime = config::duration(&asked.valid_for)
        .map_err(|problem| Failure::at_start(format!("--valid-for {:?}: {problem}", asked.valid_for)))?;
    let now = Clock::System.now();
    let claims = claims(settings, asked, now.whole(), now.plus(lifetime.as_secs_f64()).whole());
    let token = keys::Signer::of(settings).and_then(|signer| signer.sign(&claims)).map_err(Failure::at_start)?;
    tell(token.expose())
}

fn issuer<'c>(config: &'c Config, name: Option<&str>) -> Result<&'c keys::Settings, Failure> {
    let names: Vec<&str> = config.issuers.iter().map(|settings| &*settings.issuer.name).collect();
    let wrong = |problem: String| Failure::at_start(format!("{problem}; the config has: {}", names.join(", ")));
    match (name, config.issuers.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => Err(wrong("--issuer NAME must say which issuer signs".to_owned())),
        (Some(name), all) => {
            let found = all.iter().find(|settings| *settings.issuer.name == *name);
            found.ok_or_else(|| wrong(format!("there is no issuer {name:?}")))
        }
    }
}

/// The claims, so that this config itself would take the token.
fn claims(settings: &keys::Settings, asked: &Mint, issued: i64, expires: i64) -> Value {
    let mut claims = Map::new();
    claims.insert("iat".to_owned(), json!(issued));
    claims.insert("exp".to_owned(), json!(expires));
    if let Some(iss) = settings.issuer.issuers.first() {
        claims.insert("iss".to_owned(), json!(iss));
    }
    if let Some(audience) = settings.issuer.audiences.first() {
        claims.insert("aud".to_owned(), json!(audience));
    }
    claims.insert("purpose".to_owned(), json!(asked.purpose));
    insert_at(&mut claims, &settings.issuer.subject, json!(asked.user));
    Value::Object(claims)
}

/// Puts a value where a path says, making the objects on the way.
fn insert_at(claims: &mut Map<String, Value>, path: &ClaimPath, value: Value) {
    let Some(pointer) = path.as_str().strip_prefix('/') else {
        claims.insert(path.as_str().to_owned(), value);
        return;
    };
    let names = pointer.split('/').rev().map(|name| name.replace("~1", "/").replace("~0", "~"));
    let nested = names.fold(value, |inner, name| Value::Object(Map::from_iter([(name, inner)])));
    if let Value::Object(outer) = nested {
        claims.extend(outer);
    }
}
