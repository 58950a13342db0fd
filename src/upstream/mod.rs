//! Connections to the servers behind; knows nothing of tokens.
//!
//! Each worker has a [`Pool`] of its own. A request goes out once: to a connection that is open already, or to a new
//! one. Only what certainly was not sent, or what is safe to ask twice, goes to a second connection.

mod connect;
mod pool;
mod stream;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use connect::dial;
pub use pool::{Answer, Lease, Pool, Progress};
pub use stream::Stream;
pub use tls::{Client as TlsClient, TlsError};

use crate::telemetry::metrics::UpstreamMeters;

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

/// An upstream ready to be sent to.
pub struct Upstream {
    settings: Settings,
    tls: Option<tls::Client>,
    meters: Arc<UpstreamMeters>,
}

impl Upstream {
    /// Reads what its settings name.
    ///
    /// # Errors
    /// A certificate file that is missing or unusable.
    pub fn new(settings: Settings, meters: Arc<UpstreamMeters>) -> Result<Self, TlsError> {
        let secure = settings.servers.iter().any(|server| matches!(server, Server::Tcp { tls: true, .. }));
        let tls = secure.then(|| tls::Client::load(&settings.tls)).transpose()?;
        Ok(Self { settings, tls, meters })
    }

    /// Whether both are described by the same settings and files, so that a connection to one is as good for the other.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_tls = match (&self.tls, &other.tls) {
            (Some(own), Some(other)) => own.is_same(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        same_tls && self.settings == other.settings
    }

    /// As the operator describes it.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upstream({})", self.settings.name())
    }
}

impl Settings {
    /// Its first server, by which logs and metrics call it.
    pub fn name(&self) -> String {
        self.servers.first().map(Server::to_string).unwrap_or_default()
    }
}

impl Server {
    /// What it takes for its own `Host`.
    pub fn authority(&self) -> String {
        match self {
            Server::Unix(_) => "localhost".to_owned(),
            Server::Tcp { host, port, tls } => {
                let name = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                let usual = if *tls { 443 } else { 80 };
                if *port == usual { name } else { format!("{name}:{port}") }
            }
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Tcp { host, port, tls } => {
                let scheme = if *tls { "https" } else { "http" };
                if host.contains(':') {
                    write!(f, "{scheme}://[{host}]:{port}")
                } else {
                    write!(f, "{scheme}://{host}:{port}")
                }
            }
            Server::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No connection could be made to any of its servers. Nothing was sent.
    #[error("cannot connect to {server}: {why}")]
    Unreachable {
        /// The server that was tried last.
        server: String,
        /// What the system said.
        why: String,
    },
    /// It answered what is no HTTP, or closed the connection instead of answering.
    #[error("{server} gave no valid answer: {why}")]
    Invalid {
        /// The server that was asked.
        server: String,
        /// What was wrong.
        why: String,
    },
    /// It did not begin to answer in time.
    #[error("{server} did not answer within {limit:?}")]
    Timeout {
        /// The server that was asked.
        server: String,
        /// The limit that ran out.
        limit: Duration,
    },
    /// The body of the request broke off.
    #[error("the request body ended early")]
    RequestBody,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::Metrics;
    use crate::time::Clock;

    #[test]
    fn one_whose_authorities_have_changed_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let ca = folder.path().join("ca.pem");
        let certify = || {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            std::fs::write(&ca, made.cert.pem()).unwrap();
        };
        let settings = Settings {
            servers: vec![Server::Tcp { host: "localhost".into(), port: 443, tls: true }],
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(1),
            max_idle: 1,
            host: HostMode::Preserve,
            tls: TlsSettings { ca: Some(ca.clone()), ..TlsSettings::default() },
        };
        let made = || Upstream::new(settings.clone(), Metrics::new(Clock::System).upstream("x")).unwrap();
        certify();
        let (first, second) = (made(), made());
        assert!(first.is_same(&second));
        certify();
        assert!(!first.is_same(&made()));
    }
}
