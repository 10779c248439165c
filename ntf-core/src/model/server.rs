//! Addresses of SMP and NTF servers. Their text and byte forms are in [`crate::wire::text`] and
//! [`crate::wire`].

use crate::base::id::EntityId;
use crate::base::limits::FINGERPRINT_LEN;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// SHA-256 of a server's identity certificate, the whole DER.
///
/// Source: `smp-transport` 1.9.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; FINGERPRINT_LEN]);

impl Fingerprint {
    /// The fingerprint with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; FINGERPRINT_LEN]) -> Self {
        Self(bytes)
    }

    /// The bytes as they travel, without the length byte.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; FINGERPRINT_LEN] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(redacted)")
    }
}

/// A server as its users name it: hosts, port and identity, exactly as given.
///
/// Two addresses are the same server only if all three are equal; an empty port and an explicit default
/// port differ. Source: `smp-transport` 1.8, `ntf-protocol` 2.1.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerAddress {
    /// Host texts in the order given (domain, IPv4, IPv6 without brackets, onion); never empty.
    pub hosts: Vec<Box<str>>,
    /// Decimal port as given; empty means the protocol's default.
    pub port: Box<str>,
    /// Whom to expect there.
    pub identity: Fingerprint,
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServerAddress(redacted)")
    }
}

/// Which protocol a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Messaging servers: queues. Blocks of 16384 bytes, default port 5223, ALPN `smp/1`.
    Smp,
    /// Notification subscribers. Blocks of 512 bytes, default port 443, ALPN `ntf/1`.
    Ntf,
    /// Push servers, as subscribers reach them: [`crate::relay`]. Blocks of 4096 bytes, default port
    /// 5238, ALPN `ntf-relay/1`; both sides show certificates.
    Relay,
}

impl Protocol {
    /// Bytes of a transport block.
    #[must_use]
    pub const fn block_len(self) -> usize {
        match self {
            Self::Smp => crate::base::limits::SMP_BLOCK_LEN,
            Self::Ntf => crate::base::limits::NTF_BLOCK_LEN,
            Self::Relay => crate::base::limits::RELAY_BLOCK_LEN,
        }
    }

    /// The port an address without a port means. Source: `smp-transport` 2.5; `docs/protocol/relay.md`.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Smp => 5223,
            Self::Ntf => 443,
            Self::Relay => 5238,
        }
    }

    /// The ALPN name of the protocol. Source: `smp-transport` 2.4, `ntf-protocol` 1.1;
    /// `docs/protocol/relay.md`.
    #[must_use]
    pub const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Smp => b"smp/1",
            Self::Ntf => b"ntf/1",
            Self::Relay => b"ntf-relay/1",
        }
    }

    /// The scheme of an address in text.
    #[must_use]
    pub const fn scheme(self) -> &'static str {
        match self {
            Self::Smp => "smp",
            Self::Ntf => "ntf",
            Self::Relay => "relay",
        }
    }
}

/// Where to send messages of one queue: what a recipient gives to its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderAddress {
    /// The SMP server that holds the queue.
    pub server: ServerAddress,
    /// The queue's sender id.
    pub sender: EntityId,
}

/// What a subscriber watches: one queue's notifier address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NotifierAddress {
    /// The SMP server that holds the queue.
    pub server: ServerAddress,
    /// The queue's notifier id.
    pub notifier: EntityId,
}

/// A notifier address whose parts lie where they are kept.
#[derive(Clone, Copy, Debug)]
pub struct NotifierRef<'a> {
    /// The server.
    pub server: &'a ServerAddress,
    /// The queue's notifier id.
    pub notifier: &'a [u8],
}

impl<'a> From<&'a NotifierAddress> for NotifierRef<'a> {
    fn from(address: &'a NotifierAddress) -> Self {
        Self { server: &address.server, notifier: address.notifier.as_bytes() }
    }
}
