//! The front for the operator.

use std::net::SocketAddr;

use crate::secret::Secret;

/// Everything that this room is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the whole front listens.
    pub listen: SocketAddr,
    /// A second address with `/livez`, `/readyz` and `/metrics` alone.
    pub probes: Option<SocketAddr>,
    /// The Bearer token that the whole front demands; required beyond loopback.
    pub token: Option<Secret<String>>,
    /// Whether the process is ready before every issuer has its keys.
    pub ready_without_keys: bool,
}
