//! What this room is told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::decision::origin::OriginPattern;
use crate::net::Peer;

/// Everything that this room is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The form of its own answers.
    pub answers: Answers,
    /// Who may read them in a browser.
    pub cors: Cors,
    /// Whose word about the client is believed.
    pub trust: Trust,
    /// Bytes of a request body; `None`: any number.
    pub body_size: Option<u64>,
    /// How long a body that is due may be silent.
    pub body_stall: Duration,
    /// From the head of a request to the end of its answer; `None`: any time.
    pub request_timeout: Option<Duration>,
}

/// The form of waxseal's own answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// The shape of the body.
    pub style: Style,
    /// The realm of the challenge.
    pub realm: String,
    /// Whether a client learns the exact code of a 401, or two words.
    pub exact: bool,
}

/// The shape of an answer's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `application/problem+json` (RFC 9457).
    Problem,
    /// The object that clients of HotWax, OFBiz and Moqui read.
    Hotwax,
}

/// Cross-origin reading of waxseal's own answers.
#[derive(Clone, Debug)]
pub struct Cors {
    /// The origins whose pages may read them.
    pub origins: Arc<[OriginPattern]>,
    /// Whether waxseal answers preflights itself instead of letting the upstream do it.
    pub answer_preflight: bool,
}

/// Peers whose forwarding fields are believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Networks.
    pub networks: Vec<IpNet>,
    /// Whoever comes over a unix socket.
    pub unix: bool,
}

impl Trust {
    /// Whether the word of this peer about the client is believed.
    pub(super) fn includes(&self, peer: Peer) -> bool {
        match peer {
            Peer::Ip(address) => self.includes_address(address.ip()),
            Peer::Unix => self.unix,
        }
    }

    /// Whether the word of whoever has this address is believed.
    pub(super) fn includes_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}
