//! `upstream`, at the top level and on routes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use super::super::diagnostic::Notes;
use super::super::raw::Upstream;
use super::super::reader::{At, Field};
use super::Context;
use super::listen::unix;
use super::server::positive;
use crate::net::Listen;
use crate::upstream::{HostMode, Server, Settings, TlsSettings};

/// A machine that does not answer in this time will not.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// AI runs of minutes pass, a server that hangs is given up within a quarter of an hour.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(15 * 60);
/// Below the shortest keep-alive of common servers (Node's, 5 s): a request never meets a closing connection.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
/// As many as a worker can use at a time under heavy load; they cost little and live for seconds.
const MAX_IDLE: usize = 256;

/// The upstreams of a file; equal ones are one.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    /// The upstreams; a route names one by its place.
    pub(super) list: Vec<Settings>,
    /// Places by the text of the first URL, so that many upstreams are not compared each with each.
    places: HashMap<String, Vec<usize>>,
    /// Where this process listens itself.
    own: Vec<Listen>,
}

impl Upstreams {
    /// None yet, of a process that listens there.
    pub(super) fn of(own: &[Listen]) -> Self {
        Self { own: own.to_vec(), ..Self::default() }
    }

    /// The place of an upstream; one that cannot be used was complained of, and gets the first place.
    pub(super) fn add(&mut self, upstream: &At<Upstream>, key: &str, cx: &mut Context<'_, '_>) -> usize {
        let Some(settings) = settings(upstream, key, &self.own, cx) else { return 0 };
        let first = upstream.value.0.url.get().and_then(|many| many.0.first());
        let places = self.places.entry(first.map(|url| url.value.clone()).unwrap_or_default()).or_default();
        let known = places.iter().copied().find(|place| self.list.get(*place) == Some(&settings));
        known.unwrap_or_else(|| {
            places.push(self.list.len());
            self.list.push(settings);
            self.list.len() - 1
        })
    }
}

fn settings(upstream: &At<Upstream>, key: &str, own: &[Listen], cx: &mut Context<'_, '_>) -> Option<Settings> {
    let raw = &upstream.value.0;
    if raw.url.is_absent() {
        let advice = "add url = \"http://127.0.0.1:8081\"";
        cx.notes.error(&upstream.span, key, "`url` is missing", advice);
    }
    let mut servers = Vec::new();
    let urls = raw.url.get()?;
    for url in &urls.0 {
        match server(&url.value, cx) {
            Ok(server) if servers.contains(&server) => {
                cx.notes.error(&url.span, key, "the same server twice", "leave one out")
            }
            Ok(server) => {
                if own.iter().any(|own| is_own(&server, own)) {
                    let problem = "waxseal itself listens there: each request would come back to it";
                    cx.notes.warning(&url.span, key, problem, "name the address of the API that stands behind");
                }
                servers.push(server);
            }
            Err((problem, advice)) => cx.notes.error(&url.span, key, problem, advice),
        }
    }
    let mut time =
        |field: &Field<_>, name: &str, default| positive(field, &format!("{key}.{name}"), cx.notes).unwrap_or(default);
    let connect_timeout = time(&raw.connect_timeout, "connect_timeout", CONNECT_TIMEOUT);
    let response_timeout = time(&raw.response_timeout, "response_timeout", RESPONSE_TIMEOUT);
    let idle_timeout = time(&raw.idle_timeout, "idle_timeout", IDLE_TIMEOUT);
    let tls = tls(upstream, &servers, key, cx);
    let whole = servers.len() == urls.0.len();
    whole.then_some(Settings {
        servers,
        connect_timeout,
        response_timeout,
        idle_timeout,
        max_idle: raw.max_idle.or(MAX_IDLE),
        host: raw.host.or(HostMode::Preserve),
        tls,
    })
}

/// Whether a server is an address of this process, as far as can be seen without asking for names.
fn is_own(server: &Server, own: &Listen) -> bool {
    match (own, server) {
        (Listen::Unix(own), Server::Unix(path)) => own == path,
        (Listen::Tcp { address, .. }, Server::Tcp { host, port, .. }) if address.port() == *port => {
            let local = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
            match host.parse::<IpAddr>() {
                Ok(ip) => ip == address.ip() || (address.ip().is_unspecified() && local(ip)),
                Err(_) => host == "localhost" && local(address.ip()),
            }
        }
        _ => false,
    }
}

/// How `https://` servers are spoken to.
fn tls(upstream: &At<Upstream>, servers: &[Server], key: &str, cx: &mut Context<'_, '_>) -> TlsSettings {
    let raw = &upstream.value.0;
    let name = |name: &str| format!("{key}.{name}");
    for (own, own_name, other, other_name) in [
        (&raw.client_cert, "client_cert", &raw.client_key, "client_key"),
        (&raw.client_key, "client_key", &raw.client_cert, "client_cert"),
    ] {
        if let (Some(span), true) = (own.span(), other.is_absent()) {
            let problem = format!("{own_name} without {other_name}");
            cx.notes.error(span, name(own_name), problem, "a client certificate needs both");
        }
    }
    let some_tls = servers.iter().any(|server| matches!(server, Server::Tcp { tls: true, .. }));
    for (field, own_name) in [
        (&raw.ca, "ca"),
        (&raw.client_cert, "client_cert"),
        (&raw.client_key, "client_key"),
        (&raw.server_name, "server_name"),
    ] {
        if let (Some(span), false) = (field.span(), some_tls || servers.is_empty()) {
            cx.notes.warning(
                span,
                name(own_name),
                "no URL begins with https://, so this is not used",
                "leave it out, or write https://",
            );
        }
    }
    let mut file =
        |field: &Field<String>, own: &str| field.at().map(|path| cx.outside.readable(path, &name(own), cx.notes));
    let (ca, cert, client_key) =
        (file(&raw.ca, "ca"), file(&raw.client_cert, "client_cert"), file(&raw.client_key, "client_key"));
    server_name(&raw.server_name, &name("server_name"), cx.notes);
    TlsSettings { ca, client: cert.zip(client_key), server_name: raw.server_name.get().cloned() }
}

fn server_name(field: &Field<String>, key: &str, notes: &mut Notes<'_>) {
    if let Some(name) = field.at()
        && rustls_pki_types::ServerName::try_from(name.value.as_str()).is_err()
    {
        notes.error(&name.span, key, "is no host name and no address", "write a name like \"oms.internal\"");
    }
}

/// A problem and an advice for a text that begins with none of the schemes. Only a plain `host:port` is told again.
fn no_scheme(rest: &str) -> (String, String) {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    let shown = if rest.contains(':') && rest.len() <= 100 && rest.bytes().all(plain) { rest } else { "host:port" };
    (String::from("a URL begins with http://, https:// or unix:"), format!("write \"http://{shown}\""))
}

/// The server that a URL names, or a problem and an advice. The URL is not told: it may hold a password.
fn server(url: &str, cx: &Context<'_, '_>) -> Result<Server, (String, String)> {
    let wrong = |problem: &str, advice: &str| Err((problem.to_owned(), advice.to_owned()));
    if let Some(path) = url.strip_prefix("unix:") {
        return unix(path, cx)
            .map(Server::Unix)
            .map_err(|problem| (problem, String::from("write \"unix:/run/oms.sock\"")));
    }
    let (scheme, rest) = match url.split_once("://") {
        Some(("h2c", _)) => return wrong("h2c:// is not in this version yet", "write http://host:port"),
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some(("ws" | "wss", _)) => {
            return wrong("WebSocket upstreams are written http:// or https://", "write \"http://host:port\"");
        }
        Some((_, rest)) => return Err(no_scheme(rest)),
        None => return Err(no_scheme(url)),
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains('@') {
        return wrong("a URL with a user or password in it", "leave them out: what a client sends goes up as it is");
    }
    if authority.contains(['/', '?', '#']) {
        return wrong("a URL with a path or query", "leave it out: the path of each request goes up as it came");
    }
    let parsed = authority.parse::<http::uri::Authority>().ok().filter(|parsed| !parsed.host().is_empty());
    let Some(parsed) = parsed else {
        return wrong("what follows :// is no host or host:port", "write \"http://host:port\"");
    };
    let default = if scheme == "https" { 443 } else { 80 };
    let port = match parsed.port() {
        None if authority.ends_with(':') || parsed.as_str().len() > parsed.host().len() => None,
        None => Some(default),
        Some(port) => Some(port.as_u16()).filter(|port| *port != 0),
    };
    let Some(port) = port else { return wrong("the port is no number from 1 to 65535", "write \"http://host:port\"") };
    let host = parsed.host();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Server::Tcp { host: host.to_owned(), port, tls: scheme == "https" })
}
