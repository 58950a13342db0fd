//! `listen` and `[tls]`.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use super::super::diagnostic::Notes;
use super::super::raw::{ClientAuth, File, Tls, TlsVersion};
use super::super::reader::{At, Field};
use super::Context;
use crate::net::{Listen, TlsSettings};

/// What is longer is no scheme that anybody knows (RFC 3986 section 3.1 sets no limit).
const LONGEST_SCHEME: usize = 16;

/// The addresses to listen at.
pub(super) fn listen(file: &File, cx: &mut Context<'_, '_>) -> Vec<Listen> {
    let mut found: Vec<Listen> = Vec::new();
    for text in file.listen.get().map(|many| many.0.as_slice()).unwrap_or_default() {
        match one(&text.value, cx) {
            Err((problem, advice)) => cx.notes.error(&text.span, "listen", problem, advice),
            Ok(address) if found.contains(&address) => {
                cx.notes.error(&text.span, "listen", format!("{:?} stands twice", text.value), "leave one out");
            }
            Ok(Listen::Tcp { tls: true, .. }) if file.tls.is_absent() => {
                let advice = "add below all settings of the top:\n[tls]\ncert = \"FILE\"\nkey = \"FILE\"";
                cx.notes.error(&text.span, "listen", "an https:// address needs [tls]", advice);
            }
            Ok(address) => found.push(address),
        }
    }
    found
}

/// One address, or a problem and an advice.
fn one(text: &str, cx: &Context<'_, '_>) -> Result<Listen, (String, String)> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix(path, cx)
            .map(Listen::Unix)
            .map_err(|problem| (problem, String::from("write \"unix:/run/waxseal.sock\"")));
    }
    if text.starts_with('/') {
        return Err((String::from("a socket begins with unix:"), format!("write \"unix:{text}\"")));
    }
    let (tls, rest) = match text.split_once("://") {
        None => (false, text),
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => return Err((String::from("cleartext has no scheme here"), format!("write {rest:?}"))),
        Some((scheme, _)) => {
            let advice = "write \"host:port\", \"[v6]:port\", \"unix:/path\" or \"https://host:port\"";
            // What has no form of a scheme may be a text that swallowed the lines below it, and a secret with them.
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            let plain = scheme.len() <= LONGEST_SCHEME && scheme.bytes().all(letter);
            let problem = if plain { format!("unknown scheme {scheme:?}") } else { String::from("unknown scheme") };
            return Err((problem, advice.to_owned()));
        }
    };
    address(rest, &everywhere).map(|address| Listen::Tcp { address, tls })
}

/// The path after `unix:`, from the folder of the config file.
pub(super) fn unix(path: &str, cx: &Context<'_, '_>) -> Result<PathBuf, String> {
    // As a URL it would be written with two slashes more.
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains('\0') {
        return Err(String::from("a socket is written \"unix:/path\""));
    }
    Ok(cx.outside.path(path))
}

/// An address to bind, its host by name or number; or a problem and an advice. Of the addresses that a name has, the
/// first of IPv4 is taken before the first of IPv6: a container may know `localhost` as `::1` and have no IPv6. `usual` says what to write for a port alone.
pub(super) fn address(text: &str, usual: &dyn Fn(&str) -> String) -> Result<SocketAddr, (String, String)> {
    let wrong = |problem: String, advice: &str| Err((problem, advice.to_owned()));
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if text.parse::<IpAddr>().is_ok() {
        let advice =
            if text.contains(':') { format!("write \"[{text}]:8080\"") } else { format!("write \"{text}:8080\"") };
        return Err((format!("{text:?} has no port"), advice));
    }
    if text.parse::<u16>().is_ok() {
        return wrong(format!("{text:?} names no host"), &usual(text));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let advice =
            if text.is_empty() { String::from("write \"host:port\"") } else { format!("write \"{text}:8080\"") };
        return wrong(format!("{text:?} has no port"), &advice);
    };
    let Ok(port) = port.parse::<u16>() else {
        let problem = format!("{text:?} has no port that is a number up to 65535");
        return wrong(problem, &format!("write \"{host}:8080\", or another port"));
    };
    match host {
        "" | "*" => wrong(format!("{text:?} names no host"), &usual(&port.to_string())),
        host if host.contains([':', '/', '@', ' ']) => {
            wrong(format!("{text:?} is no host:port"), "an IPv6 address stands in brackets: \"[::1]:8080\"")
        }
        host => {
            let found: Vec<SocketAddr> = match (host, port).to_socket_addrs() {
                Ok(found) => found.collect(),
                Err(error) => {
                    return wrong(
                        format!("{host:?} is no address and no name that resolves: {error}"),
                        "write an address, like \"0.0.0.0:8080\"",
                    );
                }
            };
            let chosen = found.iter().find(|address| address.is_ipv4()).or(found.first()).copied();
            chosen.ok_or_else(|| {
                (format!("{host:?} has no address"), String::from("write an address, like \"0.0.0.0:8080\""))
            })
        }
    }
}

/// What to write for a port of every address.
fn everywhere(port: &str) -> String {
    format!("write \"0.0.0.0:{port}\" for all IPv4 addresses, \"[::]:{port}\" for IPv6 as well")
}

/// What the `https://` addresses show.
pub(super) fn tls(field: &Field<Tls>, listen: &[Listen], cx: &mut Context<'_, '_>) -> Option<TlsSettings> {
    let At { value: tls, span } = field.at()?;
    if !listen.iter().any(|address| matches!(address, Listen::Tcp { tls: true, .. })) {
        let advice = "write listen = \"https://host:port\" where TLS is meant";
        cx.notes.warning(span, "tls", "no address of `listen` begins with https://, so this is not used", advice);
    }
    if tls.client_auth.or(ClientAuth::Off) != ClientAuth::Off {
        let span = tls.client_auth.span().unwrap_or(span);
        cx.notes.error(span, "tls.client_auth", "not in this version yet", "leave it out, or write \"off\"");
    }
    let mut file = |path: &Field<String>, key: &str| -> Option<PathBuf> {
        if path.is_absent() {
            missing(span, key, cx.notes);
        }
        path.at().map(|path| cx.outside.readable(path, key, cx.notes))
    };
    let (cert, key) = (file(&tls.cert, "tls.cert"), file(&tls.key, "tls.key"));
    Some(TlsSettings { cert: cert?, key: key?, tls12: tls.min_version.or(TlsVersion::Tls12) == TlsVersion::Tls12 })
}

fn missing(span: &std::ops::Range<usize>, key: &str, notes: &mut Notes<'_>) {
    notes.error(span, key, "is missing", "name a PEM file");
}
