//! Sizes that more than one layer must agree on.

/// Bytes of an SMP transport block. Source: `smp-transport` 3.1.
pub const SMP_BLOCK_LEN: usize = 16384;

/// Bytes of an NTF transport block. Source: `ntf-protocol` 1.2.
pub const NTF_BLOCK_LEN: usize = 512;

/// Bytes of a block between a subscriber and its push server: the largest order fits with its frame.
///
/// Source: `docs/protocol/relay.md`.
pub const RELAY_BLOCK_LEN: usize = 4096;

/// Bytes of a certificate fingerprint (SHA-256). Source: `smp-transport` 1.9.
pub const FINGERPRINT_LEN: usize = 32;

/// Bytes of a crypto_box nonce. Source: `smp-transport` 1.5.
pub const NONCE_LEN: usize = 24;

/// Bytes of a Poly1305 tag. Source: `smp-transport` 1.5.
pub const TAG_LEN: usize = 16;

/// Bytes of a registration code. Source: `ntf-protocol` 3.1.
pub const CODE_LEN: usize = 32;

/// Blocks a link may have handed to its adapter without hearing that they were sent.
///
/// At the limit a server stops reading from that link (adapter) and skips it in event rounds (role).
/// Source: ours; 64 batches is what the reference queues per client (`ntf-protocol` 4.1).
pub const LINK_WINDOW_BLOCKS: u32 = 64;
