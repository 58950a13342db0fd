//! Asks the admin front of the running process: one request, one answer, a few seconds at most.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::Failure;
use crate::admin::Settings;

/// How long a process that is well may take to answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read: a full report has some megabytes.
const LONGEST: u64 = 32 * 1024 * 1024;

/// Which of the two addresses is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `[admin] listen`, with its token.
    Whole,
    /// `[admin] probes` where there is one, else `[admin] listen`.
    Probes,
}

/// Asks for a path. The body of a good answer, or of another as the failure.
pub(super) fn ask(admin: &Settings, door: Door, target: &str) -> Result<String, Failure> {
    send(admin, door, &format!("GET {target}"), LIMIT)
}

/// Gives an order and waits until it was carried out, at most `limit`.
pub(super) fn order(admin: &Settings, target: &str, limit: Duration) -> Result<String, Failure> {
    send(admin, Door::Whole, &format!("POST {target}"), limit)
}

fn send(admin: &Settings, door: Door, what: &str, limit: Duration) -> Result<String, Failure> {
    let probes = admin.probes.filter(|_| door == Door::Probes);
    let setting = if probes.is_some() { "[admin] probes" } else { "[admin] listen" };
    let address = reachable(probes.unwrap_or(admin.listen));
    let token = admin.token.as_ref().filter(|_| probes.is_none());
    let authorization = token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
    let request =
        format!("{what} HTTP/1.1\r\nHost: {address}\r\n{authorization}Content-Length: 0\r\nConnection: close\r\n\r\n");
    let answer = exchange(address, request.as_bytes(), limit).map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::ConnectionRefused => "; is `waxseal run` running with this config?",
            _ => "",
        };
        Failure::at_work(format!("no answer from {address} (setting `{setting}`): {error}{hint}"))
    })?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = body.trim_end();
    if head.starts_with("HTTP/1.1 200 ") { Ok(body.to_owned()) } else { Err(Failure::at_work(body)) }
}

/// An address that can be connected to: "any address" is one to listen at only.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn exchange(address: SocketAddr, request: &[u8], limit: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
