//! Which addresses a role may open connections to, when strangers name the hosts.
//!
//! Whoever may name a host can make the name resolve to anything. A subscriber that connected wherever it
//! is told would knock at the doors of its operator's own network for a stranger, so it connects to public
//! addresses only, unless its configuration says otherwise.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where connections may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Anywhere: whoever names the hosts is the one who connects.
    #[default]
    Anywhere,
    /// Public addresses only: the hosts are named by strangers.
    Public,
}

impl Reach {
    /// Whether a connection to this address may be opened. The question is to be put for each address that
    /// a name resolved to, and the connection opened to that very address: asking the resolver again could
    /// give another answer.
    #[must_use]
    pub fn permits(self, address: IpAddr) -> bool {
        match self {
            Self::Anywhere => true,
            Self::Public => is_public(address),
        }
    }
}

/// Whether an address belongs to the public internet.
///
/// It does not if it names this host or network, a private or shared network, or a link; if it is kept for
/// documentation, tests or protocols; or if it is a group or a broadcast. An IPv6 address that stands for an
/// IPv4 address (mapped, or translated under `64:ff9b::/96`) is judged by that; other forms that hold one
/// (6to4, Teredo) go out of use and are not public.
/// Source: the special-purpose registries of RFC 6890 as IANA keeps them.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This host and network, loopback, groups, and what is reserved up to the broadcast address.
        (0 | 127 | 224..=255, _, _) => true,
        // Private networks, and the shared ones of providers (100.64.0.0/10).
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) | (100, 64..=127, _) => true,
        // Link-local, where clouds keep their metadata.
        (169, 254, _) => true,
        // Protocol assignments, documentation, 6to4 relays.
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (192, 88, 99) => true,
        // Benchmarks.
        (198, 18 | 19, _) => true,
        _ => false,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(address) = address.to_ipv4_mapped() {
        return is_public_v4(address);
    }
    match address.segments() {
        // The last two are the IPv4 address.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Protocol assignments with Teredo, documentation, 6to4.
        [0x2001, 0..=0x1ff | 0xdb8, ..] | [0x2002, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast is what was ever given out; all else (loopback, unspecified, unique local,
        // link-local, groups) lies outside of it.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_every_special_range() {
        for (address, public) in [
            ("0.0.0.0", false),
            ("0.255.255.255", false),
            ("1.0.0.0", true),
            ("9.255.255.255", true),
            ("10.0.0.0", false),
            ("10.255.255.255", false),
            ("11.0.0.0", true),
            ("100.63.255.255", true),
            ("100.64.0.0", false),
            ("100.127.255.255", false),
            ("100.128.0.0", true),
            ("126.255.255.255", true),
            ("127.0.0.1", false),
            ("127.255.255.255", false),
            ("128.0.0.0", true),
            ("169.253.255.255", true),
            ("169.254.169.254", false),
            ("169.255.0.0", true),
            ("172.15.255.255", true),
            ("172.16.0.0", false),
            ("172.31.255.255", false),
            ("172.32.0.0", true),
            ("192.0.0.8", false),
            ("192.0.1.0", true),
            ("192.0.2.1", false),
            ("192.0.3.0", true),
            ("192.88.99.1", false),
            ("192.167.255.255", true),
            ("192.168.0.0", false),
            ("192.168.255.255", false),
            ("192.169.0.0", true),
            ("198.17.255.255", true),
            ("198.18.0.0", false),
            ("198.19.255.255", false),
            ("198.20.0.0", true),
            ("198.51.100.7", false),
            ("203.0.113.7", false),
            ("223.255.255.255", true),
            ("224.0.0.1", false),
            ("239.255.255.255", false),
            ("240.0.0.0", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::8.8.8.8", false),
            ("::ffff:8.8.8.8", true),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.1.2.3", false),
            ("64:ff9b::8.8.8.8", true),
            ("64:ff9b::192.168.1.1", false),
            ("64:ff9b:1::8.8.8.8", false),
            ("100::1", false),
            ("1fff::1", false),
            ("2000::1", true),
            ("2001::1", false),
            ("2001:1ff::1", false),
            ("2001:200::1", true),
            ("2001:db7::1", true),
            ("2001:db8::1", false),
            ("2001:db9::1", true),
            ("2001:4860:4860::8888", true),
            ("2002:a00:1::1", false),
            ("2003::1", true),
            ("3ffe::1", true),
            ("3fff::1", false),
            ("3fff:fff::1", false),
            ("3fff:1000::1", true),
            ("4000::1", false),
            ("fc00::1", false),
            ("fdff::1", false),
            ("fe80::1", false),
            ("febf::1", false),
            ("fec0::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), public, "{address}");
            assert_eq!(Reach::Public.permits(address.parse().unwrap()), public, "{address}");
            assert!(Reach::Anywhere.permits(address.parse().unwrap()), "{address}");
        }
    }
}
