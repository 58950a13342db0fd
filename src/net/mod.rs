//! Sockets and connections; knows nothing of tokens.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

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
