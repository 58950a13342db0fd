//! Sockets and connections; knows nothing of tokens.
//!
//! [`bind`] takes the addresses, [`start`] serves them on one thread a worker. Below that, in the order a connection
//! meets them: `accept` takes it in, `census` counts it, `roster` gives it the place of another where all are taken, `conn` finds out what it speaks and serves it, `watched` and
//! `activity` note what passes, `framing`, `frames` and `resets` follow its messages, `oversee` holds it to its time limits,
//! `reader` its readers to theirs, `paced` lets the others have their turn, and [`Drain`] brings all of it to an end.

mod accept;
mod activity;
mod census;
mod conn;
mod controls;
mod drain;
mod frames;
mod framing;
#[cfg(test)]
mod harness;
mod listener;
mod oversee;
mod paced;
mod reader;
mod refuse;
mod resets;
mod roster;
mod signal;
mod stream;
mod tls;
mod watched;
mod workers;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::decision::rejection::Code;

pub use activity::{Answer, Flawed};
pub use controls::{Change, Controls};
pub use drain::{Drain, DrainSignal, Phase};
pub use framing::{Flaw, check_length};
pub use listener::{Bound, ListenError, bind};
pub use reader::is_forsaken;
pub use signal::{Signal, Signals};
pub use tls::{ServerTls, TlsError};
pub use workers::{WorkerLost, Workers, serve_cold, start};

/// Everything that this room is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen; at least one.
    pub listen: Vec<Listen>,
    /// Data threads; at least one.
    pub workers: usize,
    /// What `https://` listeners show; present when there is one.
    pub tls: Option<TlsSettings>,
    /// How much and how long.
    pub limits: Limits,
    /// How to stop.
    pub drain: DrainSettings,
}

/// One address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address, with TLS or without.
    Tcp {
        /// The address; port 0 lets the system choose.
        address: SocketAddr,
        /// Whether connections speak TLS.
        tls: bool,
    },
    /// A socket in the file system, always cleartext.
    Unix(PathBuf),
}

impl fmt::Display for Listen {
    /// As the config writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Listen::Tcp { address, tls: false } => write!(f, "{address}"),
            Listen::Tcp { address, tls: true } => write!(f, "https://{address}"),
            Listen::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// The certificate of the `https://` listeners.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// PEM file: the certificate, then its issuers.
    pub cert: PathBuf,
    /// PEM file: the private key.
    pub key: PathBuf,
    /// Whether TLS 1.2 is still spoken, or 1.3 alone.
    pub tls12: bool,
}

/// Bounds on what one client may cost.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of a request head.
    pub header_size: usize,
    /// Fields of a request head.
    pub headers: usize,
    /// From the first byte of a head (or of the connection) to its last.
    pub header_timeout: Duration,
    /// How long a kept-alive connection may be silent between requests.
    pub idle_timeout: Duration,
    /// Connections at a time, all workers together.
    pub connections: usize,
    /// Streams at a time on one HTTP/2 connection.
    pub streams: u32,
}

/// The acts of stopping.
#[derive(Clone, Copy, Debug)]
pub struct DrainSettings {
    /// From "not ready" to the end of accepting.
    pub delay: Duration,
    /// How long what is under way may take to finish.
    pub timeout: Duration,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address; IPv4 that came in over an IPv6 socket is written as IPv4.
    Ip(SocketAddr),
    /// A process on this machine, over a unix socket.
    Unix,
}

/// What is known of a connection before its first request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnInfo {
    /// The other end.
    pub peer: Peer,
    /// The address that the peer connected to; `None` on a unix socket.
    pub local: Option<SocketAddr>,
    /// Whether the connection speaks TLS.
    pub tls: bool,
    /// A number that no other connection to the same listeners has.
    pub id: u64,
}

/// Who is told of what happens to connections, since this room neither counts nor logs.
///
/// Each is called from whatever thread serves the connection, for no request that goes well.
#[derive(Clone)]
pub struct Hooks {
    /// A connection was taken in.
    pub opened: Arc<dyn Fn() + Send + Sync>,
    /// A connection that was taken in is gone, tunnels included.
    pub closed: Arc<dyn Fn() + Send + Sync>,
    /// Something was refused before there was a request.
    pub refused: Arc<dyn Fn(Code, Peer) + Send + Sync>,
}

impl Hooks {
    /// Nobody is told.
    pub fn none() -> Self {
        Self { opened: Arc::new(|| ()), closed: Arc::new(|| ()), refused: Arc::new(|_, _| ()) }
    }
}
