//! What differs between the protocols that are spoken over TLS: names and block length.

use crate::model::server::Protocol;

/// ALPN names that servers know beside their own: some clients speak to web ports.
///
/// Source: `smp-transport` 2.4, 2.5; `ntf-protocol` 1.1.
const WEB_NAMES: &[&[u8]] = &[b"h2", b"http/1.1"];

/// A protocol as TLS sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The protocol's own ALPN name: what clients offer, and what servers know first.
    pub alpn: &'static [u8],
    /// Further names that servers accept; they mean the same.
    pub also_known: &'static [&'static [u8]],
    /// Bytes of a block, in both directions; at least 1.
    pub block_len: usize,
}

impl From<Protocol> for Profile {
    fn from(protocol: Protocol) -> Self {
        Self { alpn: protocol.alpn(), also_known: WEB_NAMES, block_len: protocol.block_len() }
    }
}

impl Profile {
    /// Whether a server accepts this name.
    #[must_use]
    pub fn knows(&self, name: &[u8]) -> bool {
        self.alpn == name || self.also_known.contains(&name)
    }
}
