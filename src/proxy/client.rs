//! Who is at the far end of a request: the peer, or whom trusted peers say it is.

use http::HeaderMap;
use std::net::{IpAddr, SocketAddr};

use super::headers::X_FORWARDED_FOR;
use super::settings::Trust;
use crate::decision::client::Client;
use crate::net::Peer;

/// Reads `X-Forwarded-For` from the right, as proxies wrote it: each address is the word of the one before. The first
/// that is not trusted is the client, since what stands left of it is its own word about itself. Several lines are one
/// list (RFC 9110 section 5.3); what is no address ends the search at the last that was.
pub(super) fn client(peer: Peer, headers: &HeaderMap, trust: &Trust) -> Client {
    let mut found = match peer {
        Peer::Ip(address) => Client::at(address.ip()),
        Peer::Unix => Client::Unix,
    };
    if !trust.includes(peer) {
        return found;
    }
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let members = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    for member in members.filter(|member| !member.is_empty()) {
        let Some(address) = address(member) else { break };
        found = Client::at(address);
        if !trust.includes_address(address) {
            break;
        }
    }
    found
}

/// An address as proxies write it: bare, in brackets, or with a port.
fn address(member: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(member).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: IpAddr = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn found(peer: &str, lines: &[&str]) -> String {
        let trust =
            Trust { networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8:ffff::/48".parse().unwrap()], unix: true };
        let peer = match peer {
            "unix" => Peer::Unix,
            address => Peer::Ip(SocketAddr::new(address.parse().unwrap(), 1)),
        };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        client(peer, &headers, &trust).to_string()
    }

    #[test]
    fn the_rightmost_address_that_is_not_trusted_is_the_client() {
        for (peer, lines, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.9,10.0.0.3", "10.0.0.2"], "203.0.113.9"),
            ("10.0.0.1", &["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            ("unix", &["203.0.113.9"], "203.0.113.9"),
            ("unix", &[], "unix"),
            ("2001:db8:ffff::1", &["2001:db8:1:2:3::4"], "2001:db8:1:2::/64"),
        ] {
            assert_eq!(found(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn garbage_ends_the_search_and_usual_spellings_are_none() {
        for (line, expected) in [
            ("203.0.113.9, unknown, 10.0.0.2", "10.0.0.2"),
            ("203.0.113.9, é", "10.0.0.1"),
            ("203.0.113.9, 256.1.1.1", "10.0.0.1"),
            ("203.0.113.9, _hidden", "10.0.0.1"),
            ("203.0.113.9 , , 10.0.0.2,", "203.0.113.9"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8:1:2::4]:4711", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::4]", "2001:db8:1:2::/64"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("203.0.113.9, ::ffff:10.0.0.2", "203.0.113.9"),
        ] {
            assert_eq!(found("10.0.0.1", &[line]), expected, "{line}");
        }
    }
}
