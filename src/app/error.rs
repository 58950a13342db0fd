//! Why the program does not start.

use std::io;
use std::net::SocketAddr;

use crate::net::ListenError;
use crate::telemetry::NoRandomness;
use crate::upstream;

/// Why the program could not start as asked.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address of `listen`.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// An address of the admin front.
    #[error(
        "cannot listen at {address} (setting `{setting}`): {source}; stop the other program or choose another port"
    )]
    Admin {
        /// The address.
        address: SocketAddr,
        /// Where the config says so.
        setting: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A certificate file of an upstream.
    #[error("upstream {0}")]
    Upstream(#[from] upstream::TlsError),
    /// No random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// No thread or no event queue.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] io::Error),
}

impl From<NoRandomness> for StartError {
    fn from(_: NoRandomness) -> Self {
        StartError::NoRandomness
    }
}
