//! Addresses of servers and queues as text.
//!
//! ```text
//! server   = scheme "://" identity [":" password] "@" host *("," host) [":" port]
//! notifier = "smp://" identity "@" host *("," host) [":" port] "/" notifier id
//! sender   = "smp://" identity "@" host *("," host) [":" port] "/" sender id        ours
//! scheme   = "smp" | "ntf"         identity, ids: base64url         port: decimal
//! password = printable, no space, none of "@" ":" "/"
//! ```
//!
//! An IPv6 host is written without brackets and swallows a port after it, as in the reference; with
//! brackets it is read right. Ids of queues are secrets, so errors tell a position and never quote.
//! Source: `smp-transport` 1.8, `ntf-protocol` 3.4; the sender's form is ours, shaped like the notifier's.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::base::id::EntityId;
use crate::model::server::{Fingerprint, NotifierAddress, Protocol, SenderAddress, ServerAddress};
use crate::wire::text::sink::Sink;
use crate::wire::text::{base64, host};

/// What a text lacks to be an address, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressError {
    /// Bytes from the start of the text to the part that is wrong.
    pub position: usize,
    /// What should be there.
    pub expected: Expected,
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// `smp://` or `ntf://`, whichever is asked for.
    Scheme(Protocol),
    /// 32 bytes as base64url.
    Identity,
    /// A password of allowed characters.
    Password,
    /// No password: this address is given to others.
    NoPassword,
    /// The `@` before the hosts.
    At,
    /// A domain, an IP address or an onion host.
    Host,
    /// A number below 65536.
    Port,
    /// `/` and an id of 1 to 255 bytes as base64url.
    Id,
    /// The end of the text.
    End,
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = match self.expected {
            Expected::Scheme(Protocol::Smp) => "\"smp://\"",
            Expected::Scheme(Protocol::Ntf) => "\"ntf://\"",
            Expected::Scheme(Protocol::Relay) => "\"relay://\"",
            Expected::Identity => "the server's identity: 32 bytes as base64url, 44 characters",
            Expected::Password => "a password without spaces, '@', ':' and '/'",
            Expected::NoPassword => "an address without a password",
            Expected::At => "'@' and a host",
            Expected::Host => "a domain, an IP address or an onion host",
            Expected::Port => "a port, 0 to 65535",
            Expected::Id => "'/' and an id as base64url",
            Expected::End => "the end of the address",
        };
        write!(f, "at character {}: expected {expected}", self.position.saturating_add(1))
    }
}

impl core::error::Error for AddressError {}

/// A server address with the password for creating queues there. Prints neither.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerLogin {
    /// The server.
    pub server: ServerAddress,
    /// Its password, if it asks for one.
    pub password: Option<Zeroizing<String>>,
}

impl fmt::Debug for ServerLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerLogin(redacted)")
    }
}

/// Reads a server address without a password.
///
/// # Errors
///
/// Where the text stops being such an address.
pub fn parse_server(text: &str, protocol: Protocol) -> Result<ServerAddress, AddressError> {
    let mut parser = Parser::new(text);
    let server = parser.server(protocol)?;
    parser.end()?;
    Ok(server)
}

/// Reads a server address with or without a password.
///
/// # Errors
///
/// Where the text stops being such an address.
pub fn parse_login(text: &str, protocol: Protocol) -> Result<ServerLogin, AddressError> {
    let mut parser = Parser::new(text);
    let identity = parser.identity(protocol)?;
    let password = parser.password()?;
    let server = parser.hosts_and_port(identity)?;
    parser.end()?;
    Ok(ServerLogin { server, password })
}

/// Reads the address of a notifier, as it stands in pushes. Preset servers are not completed here.
///
/// # Errors
///
/// Where the text stops being such an address.
pub fn parse_notifier(text: &str) -> Result<NotifierAddress, AddressError> {
    let (server, notifier) = parse_queue(text)?;
    Ok(NotifierAddress { server, notifier })
}

/// Reads the address of a sender.
///
/// # Errors
///
/// Where the text stops being such an address.
pub fn parse_sender(text: &str) -> Result<SenderAddress, AddressError> {
    let (server, sender) = parse_queue(text)?;
    Ok(SenderAddress { server, sender })
}

/// The text of a server address.
#[must_use]
pub fn server(address: &ServerAddress, protocol: Protocol) -> String {
    let mut text = String::new();
    write_server(address, None, protocol, &mut text);
    text
}

/// The text of a server address with its password.
#[must_use]
pub fn login(login: &ServerLogin, protocol: Protocol) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::new());
    write_server(&login.server, login.password.as_deref().map(String::as_str), protocol, &mut *text);
    text
}

/// The text of a notifier's address.
#[must_use]
pub fn notifier(address: &NotifierAddress) -> String {
    let mut text = String::new();
    write_queue(&address.server, address.notifier.as_bytes(), &mut text);
    text
}

/// The text of a sender's address.
#[must_use]
pub fn sender(address: &SenderAddress) -> String {
    let mut text = String::new();
    write_queue(&address.server, address.sender.as_bytes(), &mut text);
    text
}

/// Writes the address of a queue at an SMP server.
pub(crate) fn write_queue(address: &ServerAddress, id: &[u8], text: &mut impl Sink) {
    write_server(address, None, Protocol::Smp, text);
    text.str("/");
    text.base64(id);
}

fn write_server(address: &ServerAddress, password: Option<&str>, protocol: Protocol, text: &mut impl Sink) {
    text.str(protocol.scheme());
    text.str("://");
    text.base64(address.identity.as_bytes());
    if let Some(password) = password {
        text.str(":");
        text.str(password);
    }
    for (number, host) in address.hosts.iter().enumerate() {
        text.str(if number == 0 { "@" } else { "," });
        text.str(host);
    }
    if !address.port.is_empty() {
        text.str(":");
        text.str(&address.port);
    }
}

fn parse_queue(text: &str) -> Result<(ServerAddress, EntityId), AddressError> {
    let mut parser = Parser::new(text);
    let server = parser.server(Protocol::Smp)?;
    let expected = parser.error(Expected::Id);
    let id = parser.rest.strip_prefix('/').and_then(base64::decode).ok_or(expected)?;
    Ok((server, EntityId::new(&id).ok_or(expected)?))
}

/// What is left of the text.
struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    const fn new(text: &'a str) -> Self {
        Self { text, rest: text }
    }

    /// An address without a password, up to what follows the port.
    fn server(&mut self, protocol: Protocol) -> Result<ServerAddress, AddressError> {
        let identity = self.identity(protocol)?;
        if self.rest.starts_with(':') {
            return Err(self.error(Expected::NoPassword));
        }
        self.hosts_and_port(identity)
    }

    fn identity(&mut self, protocol: Protocol) -> Result<Fingerprint, AddressError> {
        let scheme = self.error(Expected::Scheme(protocol));
        self.rest = self
            .rest
            .strip_prefix(protocol.scheme())
            .and_then(|rest| rest.strip_prefix("://"))
            .ok_or(scheme)?;
        let expected = self.error(Expected::Identity);
        let text = self.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '='));
        base64::decode_array(text).map(Fingerprint::new).ok_or(expected)
    }

    fn password(&mut self) -> Result<Option<Zeroizing<String>>, AddressError> {
        if !self.skip(':') {
            return Ok(None);
        }
        let expected = self.error(Expected::Password);
        let text = self.take_while(|c| c.is_ascii_graphic() && !matches!(c, '@' | ':' | '/'));
        // The password travels behind a length byte.
        match text.is_empty() || text.len() > 255 {
            true => Err(expected),
            false => Ok(Some(Zeroizing::new(text.into()))),
        }
    }

    fn hosts_and_port(&mut self, identity: Fingerprint) -> Result<ServerAddress, AddressError> {
        if !self.skip('@') {
            return Err(self.error(Expected::At));
        }
        let mut hosts = Vec::new();
        loop {
            let expected = self.error(Expected::Host);
            let (host, rest) = host::split(self.rest).map_err(|_| expected)?;
            // The count of hosts travels in one byte.
            if hosts.len() == 255 {
                return Err(expected);
            }
            hosts.push(host.into());
            self.rest = rest;
            if !self.skip(',') {
                break;
            }
        }
        let mut port = "";
        if self.skip(':') {
            let expected = self.error(Expected::Port);
            port = self.take_while(|c| c.is_ascii_digit());
            if port.is_empty() || !host::is_port(port) {
                return Err(expected);
            }
        }
        Ok(ServerAddress { hosts, port: port.into(), identity })
    }

    fn end(&self) -> Result<(), AddressError> {
        match self.rest.is_empty() {
            true => Ok(()),
            false => Err(self.error(Expected::End)),
        }
    }

    fn skip(&mut self, c: char) -> bool {
        let rest = self.rest.strip_prefix(c);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        taken
    }

    const fn error(&self, expected: Expected) -> AddressError {
        AddressError { position: self.text.len() - self.rest.len(), expected }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::format;

    const IDENTITY: &str = "LcJUMfVhwD8yxjAiSaDzzGF3-kLG4Uh0Fl_ZIjrRwjI=";

    #[test]
    fn the_reference_test_server_reads_and_writes() {
        let text = format!("smp://{IDENTITY}@localhost:5001");
        let address = parse_server(&text, Protocol::Smp).unwrap();
        assert_eq!(address.identity.as_bytes()[..4], [0x2d, 0xc2, 0x54, 0x31]);
        assert_eq!(&*address.hosts, [Box::from("localhost")]);
        assert_eq!(&*address.port, "5001");
        assert_eq!(server(&address, Protocol::Smp), text);
    }

    #[test]
    fn an_error_tells_the_position_of_what_is_wrong() {
        for (text, position, expected) in [
            ("", 0, Expected::Scheme(Protocol::Smp)),
            ("ntf://x", 0, Expected::Scheme(Protocol::Smp)),
            ("smp:/x", 0, Expected::Scheme(Protocol::Smp)),
            ("smp://@localhost", 6, Expected::Identity),
            ("smp://AAAA@localhost", 6, Expected::Identity),
            ("smp://ID", 50, Expected::At),
            ("smp://ID:secret@localhost", 50, Expected::NoPassword),
            ("smp://ID@", 51, Expected::Host),
            ("smp://ID@a,", 53, Expected::Host),
            ("smp://ID@a,,b", 53, Expected::Host),
            ("smp://ID@A.onion", 51, Expected::Host),
            ("smp://ID@a:", 53, Expected::Port),
            ("smp://ID@a:x", 53, Expected::Port),
            ("smp://ID@a:65536", 53, Expected::Port),
            ("smp://ID@a/", 52, Expected::End),
            ("smp://ID@a:1 ", 54, Expected::End),
            ("smp://ID@192.168.0.0.1", 62, Expected::End),
        ] {
            let text = text.replace("ID", IDENTITY);
            let error = parse_server(&text, Protocol::Smp).unwrap_err();
            assert_eq!(error, AddressError { position, expected }, "{text}");
        }
    }

    #[test]
    fn hosts_keep_their_order_and_ipv6_reads_with_brackets() {
        for (hosts, port) in [("[::1]:5223", "5223"), ("::1", ""), ("[::1]", "")] {
            let address = parse_server(&format!("ntf://{IDENTITY}@{hosts}"), Protocol::Ntf).unwrap();
            assert_eq!(&*address.hosts, [Box::from("::1")], "{hosts}");
            assert_eq!(&*address.port, port, "{hosts}");
        }
        let text = format!("smp://{IDENTITY}@b.example.org,abc.onion,10.0.0.1:443");
        let address = parse_server(&text, Protocol::Smp).unwrap();
        assert_eq!(&*address.hosts, ["b.example.org", "abc.onion", "10.0.0.1"].map(Box::from));
        assert_eq!(server(&address, Protocol::Smp), text);
    }

    #[test]
    fn the_identity_reads_without_padding() {
        let short = IDENTITY.trim_end_matches('=');
        let address = parse_server(&format!("smp://{short}@a"), Protocol::Smp).unwrap();
        assert_eq!(server(&address, Protocol::Smp), format!("smp://{IDENTITY}@a"));
    }

    #[test]
    fn a_password_is_printable_and_fits_its_length_byte() {
        for (password, is_one) in [
            ("secret!?", true),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("a:b", false),
            ("é", false),
            (&"x".repeat(254), true),
            (&"x".repeat(255), true),
            (&"x".repeat(256), false),
        ] {
            let text = format!("smp://{IDENTITY}:{password}@localhost");
            let parsed = parse_login(&text, Protocol::Smp);
            assert_eq!(parsed.is_ok(), is_one, "{password:?}");
            if let Ok(parsed) = parsed {
                assert_eq!(parsed.password.as_deref().map(String::as_str), Some(password));
                assert_eq!(*login(&parsed, Protocol::Smp), text);
                assert_eq!(format!("{parsed:?}"), "ServerLogin(redacted)");
            }
        }
        let without = parse_login(&format!("smp://{IDENTITY}@localhost"), Protocol::Smp).unwrap();
        assert_eq!(without.password, None);
    }

    #[test]
    fn queue_addresses_end_in_an_id() {
        let text = format!("smp://{IDENTITY}@localhost:5001/AgICAgICAgICAgICAgICAgICAgICAgIC");
        let address = parse_sender(&text).unwrap();
        assert_eq!(address.sender.as_bytes(), [2; 24]);
        assert_eq!(sender(&address), text);
        let address = parse_notifier(&text).unwrap();
        assert_eq!(address.notifier.as_bytes(), [2; 24]);
        assert_eq!(notifier(&address), text);
        for wrong in ["", "/", "/!", "AgIC"] {
            let text = format!("smp://{IDENTITY}@localhost:5001{wrong}");
            let error = AddressError { position: 65, expected: Expected::Id };
            assert_eq!(parse_sender(&text), Err(error), "{wrong:?}");
        }
    }

    #[test]
    fn an_error_reads_as_a_sentence_without_the_address() {
        let error = parse_server("smp://secret", Protocol::Smp).unwrap_err();
        let text = "at character 7: expected the server's identity: 32 bytes as base64url, 44 characters";
        assert_eq!(format!("{error}"), text);
    }
}
