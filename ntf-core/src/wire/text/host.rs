//! Host names and ports as texts.
//!
//! ```text
//! host   = IPv4 | IPv6 | "[" IPv6 "]" | onion | domain, the first that fits
//! onion  = one or more of a-z 0-9, then ".onion"
//! domain = one or more characters other than : # , ; / space tab CR LF, not ending in ".onion"
//! ```
//!
//! What begins as an IPv4 address must end as one: `192.168.0.0.1` is no host. What is only almost an
//! address, such as `192.256.0.1`, is a domain. Source: `smp-transport` 1.8.

use core::net::Ipv6Addr;

/// Most bytes of a host text: its length travels in one byte.
pub const HOST_LEN_MAX: usize = 255;

/// The text is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAHost;

/// The host in a text that is a host from start to end, without the brackets of IPv6.
///
/// # Errors
///
/// [`NotAHost`].
pub fn check(text: &str) -> Result<&str, NotAHost> {
    match split(text)? {
        (host, "") => Ok(host),
        (_, _) => Err(NotAHost),
    }
}

/// The host that a text begins with, and the rest.
///
/// # Errors
///
/// [`NotAHost`] when it begins with none.
pub fn split(text: &str) -> Result<(&str, &str), NotAHost> {
    let found = ipv4(text).or_else(|| ipv6(text)).or_else(|| onion(text)).or_else(|| domain(text));
    found.filter(|(host, _)| host.len() <= HOST_LEN_MAX).ok_or(NotAHost)
}

/// Whether the host is reached through Tor.
#[must_use]
pub fn is_onion(host: &str) -> bool {
    host.ends_with(ONION)
}

/// Whether the text is a port: empty for the default, else a decimal number below 65536.
#[must_use]
pub fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

const ONION: &str = ".onion";

fn ipv4(text: &str) -> Option<(&str, &str)> {
    // The reference reads four numbers greedily and is then committed: what follows is the next field.
    let mut rest = text;
    for part in 0..4 {
        if part > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at_checked(end)?;
        number.parse::<u8>().ok()?;
        rest = after;
    }
    text.split_at_checked(text.len() - rest.len())
}

fn ipv6(text: &str) -> Option<(&str, &str)> {
    if let Some(inner) = text.strip_prefix('[') {
        let (address, rest) = inner.split_once(']')?;
        address.parse::<Ipv6Addr>().ok()?;
        return Some((address, rest));
    }
    let end = text.find(|c: char| !c.is_ascii_hexdigit() && c != ':').unwrap_or(text.len());
    let (address, rest) = text.split_at_checked(end)?;
    address.parse::<Ipv6Addr>().ok()?;
    Some((address, rest))
}

fn onion(text: &str) -> Option<(&str, &str)> {
    let name = text.find(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit())?;
    let rest = text.get(name..)?;
    match name > 0 && rest.starts_with(ONION) {
        true => text.split_at_checked(name + ONION.len()),
        false => None,
    }
}

fn domain(text: &str) -> Option<(&str, &str)> {
    let end = text.find([':', '#', ',', ';', '/', ' ', '\t', '\r', '\n']).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    (!name.is_empty() && !name.ends_with(ONION)).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn a_host_is_what_the_reference_takes_for_one() {
        for (text, expected) in [
            ("192.168.0.1", Ok("192.168.0.1")),
            ("192.256.0.1", Ok("192.256.0.1")),
            ("192.168.1", Ok("192.168.1")),
            ("192.168.0.0.1", Err(NotAHost)),
            ("1.2.3.4.example.org", Err(NotAHost)),
            ("::1", Ok("::1")),
            ("[::1]", Ok("::1")),
            ("[::1", Err(NotAHost)),
            ("[example.org]", Ok("[example.org]")),
            ("2001:db8:0:1::ff", Ok("2001:db8:0:1::ff")),
            ("abc7.onion", Ok("abc7.onion")),
            ("ABC.onion", Err(NotAHost)),
            ("a-b.onion", Err(NotAHost)),
            (".onion", Err(NotAHost)),
            ("abc.onion.org", Err(NotAHost)),
            ("localhost", Ok("localhost")),
            ("smp1.example.org", Ok("smp1.example.org")),
            ("cafe", Ok("cafe")),
            ("", Err(NotAHost)),
            ("a b", Err(NotAHost)),
            ("a,b", Err(NotAHost)),
            ("a;b", Err(NotAHost)),
            ("a#b", Err(NotAHost)),
            ("a/b", Err(NotAHost)),
            ("a:b", Err(NotAHost)),
            ("a\r", Err(NotAHost)),
        ] {
            assert_eq!(check(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_host_fits_its_length_byte() {
        for (len, is_host) in [(254, true), (255, true), (256, false)] {
            let text: String = core::iter::repeat_n('a', len).collect();
            assert_eq!(check(&text).is_ok(), is_host, "{len} bytes");
        }
    }

    #[test]
    fn a_port_is_empty_or_a_number_below_65536() {
        for (text, expected) in [
            ("", true),
            ("0", true),
            ("443", true),
            ("65535", true),
            ("65536", false),
            ("05223", true),
            ("005223", false),
            ("-1", false),
            ("+1", false),
            ("5223,443", false),
        ] {
            assert_eq!(is_port(text), expected, "{text:?}");
        }
    }
}
