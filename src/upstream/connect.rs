//! Making a connection to a server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::time::timeout;

use super::stream::Stream;
use super::tls::Client;
use super::{Server, Upstream};

/// Connects to a server, TLS included, within the upstream's `connect_timeout`.
///
/// # Errors
/// What the system or the server said. Nothing was sent.
pub(super) async fn connect(upstream: &Upstream, server: &Server) -> Result<Stream, String> {
    let limit = upstream.settings.connect_timeout;
    let late = |_| Err(format!("no connection within {limit:?}"));
    timeout(limit, open(upstream, server)).await.unwrap_or_else(late)
}

async fn open(upstream: &Upstream, server: &Server) -> Result<Stream, String> {
    let (host, port, secure) = match server {
        Server::Unix(path) => {
            return UnixStream::connect(path).await.map(Stream::Unix).map_err(|error| error.to_string());
        }
        Server::Tcp { host, port, tls } => (host, *port, *tls),
    };
    dial(host, port, upstream.tls.as_ref().filter(|_| secure), upstream.settings.connect_timeout).await
}

/// Connects to a name or address, by TLS where its client is given. Each address of the name has its share of `limit`;
/// the time of all of it, handshake included, is limited by whoever calls.
///
/// # Errors
/// What the system or the server said. Nothing was sent.
pub async fn dial(host: &str, port: u16, tls: Option<&Client>, limit: Duration) -> Result<Stream, String> {
    let stream = tcp(host, port, limit).await.map_err(|error| error.to_string())?;
    match tls {
        Some(tls) => Ok(Stream::Tls(Box::new(tls.connect(host, stream).await?))),
        None => Ok(Stream::Tcp(stream)),
    }
}

/// Tries each address of a name in turn, each for its share of `limit`, so that one that does not answer leaves time for
/// the next.
async fn tcp(host: &str, port: u16, limit: Duration) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = match host.parse() {
        Ok(address) => vec![SocketAddr::new(address, port)],
        Err(_) => lookup_host((host, port)).await?.collect(),
    };
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let share = limit / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
    for address in addresses {
        let late = |_| Err(io::ErrorKind::TimedOut.into());
        match timeout(share, TcpStream::connect(address)).await.unwrap_or_else(late) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
