//! A notice that a message waits on an SMP server.

use crate::base::limits::NONCE_LEN;
use alloc::boxed::Box;
use core::fmt;

/// One NMSG as a subscriber holds it: it can say when it came and from which queue, not what it says.
///
/// Nonce and metadata are opened by the device only. Source: `smp-transport` 6.1.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// Unix seconds at which the subscriber received it.
    pub received_at: i64,
    /// The SMP server's nonce.
    pub nonce: [u8; NONCE_LEN],
    /// Encrypted message id and time, 144 bytes from the reference.
    pub meta: Box<[u8]>,
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notice(redacted)")
    }
}

/// Most notices in one push. Source: `ntf-protocol` 4.5.
pub const NOTICES_PER_PUSH_MAX: usize = 6;
