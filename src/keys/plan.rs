//! How the keys of an issuer are fetched, and one fetch from beginning to end.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;

use super::address::{Address, AddressError};
use super::fetch::{self, FetchError};
use super::{Loaded, Wanted, discovery, jwks};
use crate::decision::keys::Fetched;
use crate::telemetry::treacherous::visible;

/// The most bytes of a key set or a discovery document: hundreds of keys.
const MOST: usize = 1 << 20;
/// The media types of both (RFC 7517 section 8.5, RFC 8414 section 3.2).
const MEDIA: &[&str] = &["application/json", "application/jwk-set+json"];

/// How the keys of an issuer are fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Where they are.
    pub origin: Origin,
    /// The algorithms that they are for.
    pub wanted: Wanted,
    /// How long a set is used before the next fetch; what an answer says of itself may shorten it.
    pub refresh: Duration,
    /// The least time between two fetches that tokens cause.
    pub pause: Duration,
    /// The most time that a fetch may take.
    pub timeout: Duration,
    /// How long a set may be used after it was fetched.
    pub stale: Duration,
    /// PEM file of the authorities to trust instead of the system's and the built-in ones.
    pub ca: Option<PathBuf>,
    /// Where the last good set is kept over a restart.
    pub shelf: Option<PathBuf>,
    /// Whether cleartext is taken beyond this machine.
    pub insecure: bool,
}

/// Where a key set is.
#[derive(Clone, Debug, PartialEq)]
pub enum Origin {
    /// There.
    Url(Address),
    /// Where the issuer says.
    Discovery {
        /// The identifier of the issuer, exactly as it calls itself.
        issuer: Box<str>,
        /// Where it may say so, in the order in which they are asked.
        places: [Address; 2],
    },
}

impl Origin {
    /// The issuer of that name says where its keys are.
    ///
    /// # Errors
    /// Where the name of the issuer is no URL that may be asked.
    pub fn discovery(issuer: &str, insecure: bool) -> Result<Self, AddressError> {
        Ok(Self::Discovery { issuer: issuer.into(), places: discovery::places(issuer, insecure)? })
    }

    /// Tells it apart from every other origin. It may hold what is not for everybody's eyes.
    pub(super) fn exact(&self) -> String {
        match self {
            Origin::Url(address) => address.whole(),
            Origin::Discovery { issuer, .. } => format!("discovery {issuer}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Url(address) => write!(f, "{address}"),
            Origin::Discovery { issuer, .. } => write!(f, "discovery of {issuer}"),
        }
    }
}

/// A key set that was fetched.
#[derive(Debug)]
pub struct Brought {
    /// As it was sent.
    pub text: String,
    /// What it holds.
    pub loaded: Loaded,
    /// How long the answer says that it may be kept.
    pub fresh: Option<Duration>,
}

impl Plan {
    /// What is known before the first fetch.
    pub fn unfetched(&self) -> Fetched {
        Fetched { good: None, stale: self.stale.as_secs_f64(), asked: None, pause: self.pause.as_secs_f64() }
    }

    /// Whether it fetches what another does, and trusts what the other trusts; when and how often does not matter.
    pub(super) fn brings_the_same(&self, other: &Self) -> bool {
        let what = |plan: &Self| (plan.wanted, plan.insecure);
        self.origin == other.origin && self.ca == other.ca && what(self) == what(other)
    }

    /// Fetches the set once.
    ///
    /// # Errors
    /// Says for people what went wrong.
    pub async fn bring(&self) -> Result<Brought, String> {
        let late = |_| Err(FetchError::Late(self.timeout).to_string());
        timeout(self.timeout, self.bring_whole()).await.unwrap_or_else(late).map_err(|why| told(&why))
    }

    async fn bring_whole(&self) -> Result<Brought, String> {
        let address = match &self.origin {
            Origin::Url(address) => address.clone(),
            Origin::Discovery { issuer, places } => {
                let ask = |place: Address| async move { fetch::get(&self.ask(&place)).await };
                discovery::find(issuer, places, self.insecure, ask).await?
            }
        };
        let fetched = fetch::get(&self.ask(&address)).await.map_err(|error| format!("{address}: {error}"))?;
        let wanted = self.wanted;
        // Hundreds of RSA keys take a while.
        let read = tokio::task::spawn_blocking(move || {
            let text = String::from_utf8(fetched.body.to_vec()).map_err(|_| String::from("it is no text"))?;
            let loaded = jwks::load(&text, wanted).map_err(|error| error.to_string())?;
            Ok(Brought { text, loaded, fresh: fetched.fresh })
        });
        let read = read.await.map_err(|error| error.to_string()).and_then(|read| read);
        read.map_err(|error| format!("{address}: {error}"))
    }

    fn ask(&self, to: &Address) -> fetch::Request {
        fetch::Request { to: to.clone(), ca: self.ca.clone(), timeout: self.timeout, most: MOST, media: MEDIA }
    }
}

/// What went wrong, as much of it as a line for people holds: some of it is the issuer's own words.
fn told(why: &str) -> String {
    /// Room for two addresses and what was found at them.
    const MOST: usize = 600;
    let shown = visible(why);
    match shown.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}… (cut)", shown.get(..end).unwrap_or_default()),
        None => shown.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_one_short_line() {
        assert_eq!(told("it answered 500"), "it answered 500");
        let long = told(&format!("\n\u{1b}[2J{}", "\u{e9}".repeat(10_000)));
        assert!(long.chars().count() < 620 && long.ends_with("… (cut)"), "{long}");
        assert!(!long.contains(char::is_control), "{long}");
    }
}
