//! Where a link comes from, as far as limits need to know.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// The source address of a link, for counting what comes from there. Prints nothing of it.
///
/// An IPv6 address counts as its /64 network, which is the least that one customer has; a mapped IPv4 address
/// counts as the IPv4 address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// The source of a link whose peer has this address.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(redacted)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn what_counts_as_one_source() {
        let source = |text: &str| Source::new(text.parse().unwrap());
        for (left, right, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", false),
        ] {
            assert_eq!(source(left) == source(right), same, "{left} {right}");
        }
    }

    #[test]
    fn it_prints_nothing_of_the_address() {
        let printed = format!("{:?}", Source::new("192.0.2.1".parse().unwrap()));
        assert!(!printed.chars().any(|c| c.is_ascii_digit()), "{printed}");
    }
}
