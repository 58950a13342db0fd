//! Connections to the servers behind; knows nothing of tokens.

use std::path::PathBuf;
use std::time::Duration;

/// One upstream as the operator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its servers, asked in turn; at least one.
    pub servers: Vec<Server>,
    /// How long making a connection may take, TLS included.
    pub connect_timeout: Duration,
    /// From the last byte of a request to the head of its response.
    pub response_timeout: Duration,
    /// How long a connection may lie unused in the pool.
    pub idle_timeout: Duration,
    /// Unused connections a worker keeps for each server.
    pub max_idle: usize,
    /// Which `Host` it receives.
    pub host: HostMode,
    /// How `https://` servers are spoken to.
    pub tls: TlsSettings,
}

/// One server of an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// `http://` or `https://`, by name or address.
    Tcp {
        /// Name or address, an IPv6 address without brackets.
        host: String,
        /// Its port.
        port: u16,
        /// Whether it speaks TLS.
        tls: bool,
    },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Which `Host` the upstream receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostMode {
    /// The one that the client sent.
    Preserve,
    /// The server's own.
    Upstream,
}

/// How `https://` servers are spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file of the authorities to trust instead of the system's and the built-in ones.
    pub ca: Option<PathBuf>,
    /// PEM files of a client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// The name to ask for and to check, instead of the URL's.
    pub server_name: Option<String>,
}
