//! `waxseal health`: ask the running process whether it is ready.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{ConfigFile, Failure, tell};

/// How long a process that is well may take to answer.
const LIMIT: Duration = Duration::from_secs(2);
/// Bytes of an answer that are read.
const LONGEST: u64 = 64 * 1024;

/// Asks `/readyz` of the admin front that the config names.
pub(super) fn ask(file: &ConfigFile) -> Result<(), Failure> {
    let admin = file.load()?.admin;
    let setting = if admin.probes.is_some() { "[admin] probes" } else { "[admin] listen" };
    let address = reachable(admin.probes.unwrap_or(admin.listen));
    let token = admin.token.as_ref().filter(|_| admin.probes.is_none());
    let authorization = token.map(|token| format!("Authorization: Bearer {}\r\n", token.expose())).unwrap_or_default();
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\n{authorization}Connection: close\r\n\r\n");
    let answer = exchange(address, request.as_bytes())
        .map_err(|error| Failure::at_work(format!("no answer from {address} (setting `{setting}`): {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.starts_with("HTTP/1.1 200 ") { tell(body.trim_end()) } else { Err(Failure::at_work(body.trim_end())) }
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

fn exchange(address: SocketAddr, request: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
