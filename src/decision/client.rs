//! Who is at the far end, as far as an address tells.
//!
//! Whose word is believed about it is for the front to say; here an address only becomes what callers are told apart
//! by. One household or host has a whole IPv6 network of 2^64 addresses (RFC 6177), so the network is the caller.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The far end of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 network of 64 bits.
    V6(Ipv6Addr),
    /// A process on this machine, over a unix socket.
    Unix,
}

impl Client {
    /// The client of an address. IPv4 that is written as IPv6 (`::ffff:a.b.c.d`) is IPv4.
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Client::V4(address),
            IpAddr::V6(address) => Client::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Client::V4(address) => address.fmt(f),
            Client::V6(network) => write!(f, "{network}/64"),
            Client::Unix => f.write_str("unix"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_become_what_callers_are_told_apart_by() {
        for (address, shown) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::", "2001:db8:1:2::/64"),
            ("::1", "::/64"),
        ] {
            assert_eq!(Client::at(address.parse().unwrap()).to_string(), shown, "{address}");
        }
        assert_ne!(Client::at("2001:db8:1:2::1".parse().unwrap()), Client::at("2001:db8:1:3::1".parse().unwrap()));
    }
}
