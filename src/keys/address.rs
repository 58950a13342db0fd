//! Where something is fetched from: a URL that may be asked.
//!
//! Whoever can change what is fetched in cleartext can sign tokens, so that is taken on this machine alone, or where the
//! operator says that the way is safe.

use std::fmt;
use std::net::IpAddr;

use http::uri::{Scheme, Uri};
use rustls_pki_types::ServerName;

/// A URL that may be asked.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Whether by TLS.
    pub(super) secure: bool,
    /// Name or address, an IPv6 address without brackets.
    pub(super) host: String,
    /// Its port.
    pub(super) port: u16,
    /// What stands in `Host`.
    pub(super) authority: String,
    /// Path and query.
    pub(super) target: String,
}

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not begin with `https://`.
    #[error("it does not begin with https://")]
    Scheme,
    /// It is in cleartext, and leads beyond this machine.
    #[error("http:// beyond this machine: whoever is on the way could change what is fetched")]
    Cleartext,
    /// It holds what may be a secret.
    #[error("it has a user or password in it")]
    User,
    /// Only a browser knows what to do with that.
    #[error("it has a fragment (#)")]
    Fragment,
    /// No identifier of an issuer has one (RFC 8414 section 2).
    #[error("it has a query (?)")]
    Query,
    /// It is malformed.
    #[error("it is no URL of a server")]
    Malformed,
}

impl Address {
    /// Reads a URL. `insecure`: cleartext is taken beyond this machine as well.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn parse(url: &str, insecure: bool) -> Result<Self, AddressError> {
        if url.contains('#') {
            return Err(AddressError::Fragment);
        }
        let uri: Uri = url.parse().map_err(|_| AddressError::Malformed)?;
        let secure = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(AddressError::Scheme),
        };
        let authority = uri.authority().ok_or(AddressError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(AddressError::User);
        }
        let host = authority.host();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            // A colon without a number behind it.
            None if authority.as_str().len() > authority.host().len() => return Err(AddressError::Malformed),
            None if secure => 443,
            None => 80,
        };
        if port == 0 || ServerName::try_from(host.as_str()).is_err() {
            return Err(AddressError::Malformed);
        }
        if !secure && !insecure && !is_here(&host) {
            return Err(AddressError::Cleartext);
        }
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { secure, host, port, authority: authority.as_str().to_owned(), target })
    }

    /// All of it, also what may be a secret.
    pub(super) fn whole(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority, self.target)
    }
}

/// Whether a host is this machine (RFC 6761 section 6.3 keeps `localhost` for it).
fn is_here(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    name.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Address {
    /// Without the query, in which some services want a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.whole();
        match whole.split_once('?') {
            Some((shown, _)) => write!(f, "{shown}?…"),
            None => f.write_str(&whole),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let address = Address::parse("https://idp.example/a/b?key=swordfish", false).unwrap();
        assert_eq!((&*address.host, address.port, &*address.target), ("idp.example", 443, "/a/b?key=swordfish"));
        assert_eq!(address.to_string(), "https://idp.example/a/b?…");
        let here = Address::parse("http://[::1]:8080", false).unwrap();
        assert_eq!((&*here.host, here.port, &*here.target, &*here.authority), ("::1", 8080, "/", "[::1]:8080"));
    }

    #[test]
    fn cleartext_stays_on_this_machine() {
        for url in
            ["http://127.0.0.1/", "http://127.8.8.8/", "http://[::1]/", "http://localhost:1/", "HTTP://LocalHost./"]
        {
            assert!(Address::parse(url, false).is_ok(), "{url}");
        }
        for url in ["http://idp.example/", "http://10.0.0.1/", "http://0.0.0.0/", "http://localhost.example/"] {
            assert_eq!(Address::parse(url, false), Err(AddressError::Cleartext), "{url}");
            assert!(Address::parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for (url, error) in [
            ("ftp://idp.example/", AddressError::Scheme),
            ("/jwks", AddressError::Scheme),
            ("idp.example", AddressError::Scheme),
            ("https://user:swordfish@idp.example/", AddressError::User),
            ("https://idp.example/#keys", AddressError::Fragment),
            ("https://idp.example:/", AddressError::Malformed),
            ("https://idp.example:0/", AddressError::Malformed),
            ("https://idp.example:70000/", AddressError::Malformed),
            ("https://a b/", AddressError::Malformed),
            ("https:///jwks", AddressError::Malformed),
            ("", AddressError::Malformed),
        ] {
            assert_eq!(Address::parse(url, true), Err(error), "{url}");
        }
    }
}
