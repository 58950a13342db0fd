//! `waxseal demo`: everything in one process, to see the main job without any set-up.
//!
//! A small sample OMS is the upstream, the routes of the shipped `config.toml` stand in front of it, the key is drawn
//! afresh. What is shown goes over real sockets.

mod client;
mod oms;

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::rc::Rc;

use serde_json::json;
use tokio::runtime;
use tokio::task::LocalSet;

use crate::app::{App, StartError};
use crate::config::{self, Config};
use crate::keys;
use crate::net::{Listen, Signals};
use crate::secret::Secret;
use crate::time::Clock;

/// The config that waxseal ships; the demo changes its addresses and its secret alone.
const SHIPPED: &str = include_str!("../../config.toml");
/// Where the parts listen if nobody else does.
const SIDECAR: u16 = 8080;
const OMS: u16 = 8081;
const ADMIN: u16 = 9090;
/// The route that is shown.
const PATH: &str = "/api/service/updateInventory";
const BODY: &str = r#"{"facilityId":"STORE_1","idType":"SKU","idValue":"MH09-S-Blue","availableDelta":-1}"#;

/// Runs the demo until Ctrl-C, or with `once` plays it and ends. `out` takes what is shown.
///
/// # Errors
/// What kept it from starting, or what it showed wrongly.
pub fn run(once: bool, mut out: impl Write) -> Result<(), String> {
    let oms = listener(OMS)?;
    let upstream = oms.local_addr().map_err(text)?;
    let key = fresh_key()?;
    let (app, token, issuer) = match start(&key, free(SIDECAR)?, upstream, free(ADMIN)?, once) {
        // Another demo took a port between the look and the start.
        Err(Refused::Ports(_)) => start(&key, 0, upstream, 0, once),
        started => started,
    }
    .map_err(text)?;
    let Some(Listen::Tcp { address: sidecar, .. }) = app.addresses.first().cloned() else {
        return Err("the shipped config listens nowhere".to_owned());
    };
    let admin = app.admin;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(text)?;
    LocalSet::new().block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(oms).map_err(text)?;
        tokio::task::spawn_local(oms::serve(listener, Rc::new(issuer)));
        if once {
            return play(sidecar, &token, &mut out).await;
        }
        explain(sidecar, admin, upstream, &token, &mut out).map_err(text)?;
        let mut signals = Signals::catch().map_err(text)?;
        app.run(async || signals.next().await).await.map_err(text)
    })
}

/// Why the demo did not start.
#[derive(Debug, thiserror::Error)]
enum Refused {
    /// An address that somebody else has.
    #[error(transparent)]
    Ports(StartError),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Starts waxseal in front of `upstream`, with a token and the issuer that signed it.
fn start(
    key: &Secret<String>,
    sidecar: u16,
    upstream: SocketAddr,
    admin: u16,
    once: bool,
) -> Result<(App, Secret<String>, keys::Settings), Refused> {
    let config = demo_config(key, sidecar, upstream, admin).map_err(Refused::Other)?;
    let (token, issuer) = token(&config).map_err(Refused::Other)?;
    let access: Box<dyn Write + Send> = if once { Box::new(io::sink()) } else { Box::new(io::stderr()) };
    let app = App::start(config, Clock::System, access).map_err(|error| match error {
        StartError::Listen(_) | StartError::Admin { .. } => Refused::Ports(error),
        other => Refused::Other(other.to_string()),
    })?;
    Ok((app, token, issuer))
}

/// One refusal and one pass.
async fn play(sidecar: SocketAddr, token: &Secret<String>, out: &mut impl Write) -> Result<(), String> {
    let refused = client::post(sidecar, PATH, None, BODY).await?;
    let passed = client::post(sidecar, PATH, Some(token), BODY).await?;
    writeln!(out, "POST {PATH}").map_err(text)?;
    writeln!(out, "  without a token  {} {}", refused.status, refused.member("code")).map_err(text)?;
    writeln!(out, "  with a token     {} {}", passed.status, passed.member("successMessage")).map_err(text)?;
    if (refused.status, passed.status) == (401, 200) {
        Ok(())
    } else {
        Err("expected 401 without a token and 200 with one".to_owned())
    }
}

fn explain(
    sidecar: SocketAddr,
    admin: SocketAddr,
    upstream: SocketAddr,
    token: &Secret<String>,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(out, "waxseal stands at http://{sidecar} in front of a sample OMS at http://{upstream}\n")?;
    writeln!(out, "Refused, there is no token:\n")?;
    writeln!(out, "  curl -i -X POST http://{sidecar}{PATH} -d '{BODY}'\n")?;
    writeln!(out, "Passes, the token is good for an hour:\n")?;
    writeln!(
        out,
        "  curl -i -X POST http://{sidecar}{PATH} -d '{BODY}' \\\n    -H 'Authorization: Bearer {}'\n",
        token.expose()
    )?;
    writeln!(out, "Passes without a token, the route is open:\n")?;
    writeln!(out, "  curl -i http://{sidecar}/api/checkLoginOptions\n")?;
    writeln!(out, "What waxseal counts:\n\n  curl http://{admin}/metrics\n")?;
    writeln!(out, "Each request writes a line below. Ctrl-C ends the demo.")?;
    out.flush()
}

/// The shipped config at other addresses and with another secret.
fn demo_config(key: &Secret<String>, sidecar: u16, upstream: SocketAddr, admin: u16) -> Result<Config, String> {
    let mut table: toml::Table = SHIPPED.parse().map_err(text)?;
    let set = |table: &mut toml::Table, name: &str, value: String| {
        table.insert(name.to_owned(), toml::Value::String(value));
    };
    set(&mut table, "listen", format!("127.0.0.1:{sidecar}"));
    match table.get_mut("upstream") {
        Some(toml::Value::Table(settings)) => set(settings, "url", format!("http://{upstream}")),
        _ => set(&mut table, "upstream", format!("http://{upstream}")),
    }
    section(&mut table, "admin", |admin_table| set(admin_table, "listen", format!("127.0.0.1:{admin}")));
    section(&mut table, "log", |log| set(log, "format", "text".to_owned()));
    section(&mut table, "answers", |answers| set(answers, "reason", "exact".to_owned()));
    section(&mut table, "issuer", |issuers| {
        section(issuers, "hotwax", |issuer| {
            section(issuer, "secret", |secret| {
                secret.clear();
                set(secret, "text", key.expose().clone());
            });
        });
    });
    let shown = Secret::new(table.to_string());
    config::parse(shown.expose(), Path::new("config.toml"), &|_| None).map_err(text)
}

fn section(table: &mut toml::Table, name: &str, change: impl FnOnce(&mut toml::Table)) {
    let section = table.entry(name).or_insert_with(|| toml::Value::Table(toml::Table::new()));
    if !section.is_table() {
        *section = toml::Value::Table(toml::Table::new());
    }
    if let Some(section) = section.as_table_mut() {
        change(section);
    }
}

/// A token of the demo's own key, and the issuer that signed it.
fn token(config: &Config) -> Result<(Secret<String>, keys::Settings), String> {
    let issuer = config.issuers.first().cloned().ok_or("the shipped config has no issuer")?;
    let now = Clock::System.now();
    let claims = json!({ "userLoginId": "demo", "iat": now.whole(), "exp": now.plus(3600.0).whole() });
    Ok((keys::Signer::of(&issuer).and_then(|signer| signer.sign(&claims)).map_err(text)?, issuer))
}

/// 64 random bytes in hex: as long as HS512 wants.
fn fresh_key() -> Result<Secret<String>, String> {
    let mut bytes = [0; 64];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gives no random numbers")?;
    Ok(Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// A listener at the usual port, or at any other where that is taken.
fn listener(usual: u16) -> Result<TcpListener, String> {
    let at = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = at(usual).or_else(|_| at(0)).map_err(text)?;
    listener.set_nonblocking(true).map_err(text)?;
    Ok(listener)
}

/// The usual port, or 0 for any where that is taken.
fn free(usual: u16) -> Result<u16, String> {
    let found = listener(usual)?.local_addr().map_err(text)?.port();
    Ok(if found == usual { usual } else { 0 })
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
