//! Names of what the server keeps: queues under three ids, messages, links to queues.
//!
//! The three ids of a queue are separate types, so that an id of the wrong kind cannot find anything:
//! on the wire it behaves as unknown (`smp-transport` 5.1).

use crate::base::id::{EntityId, ID_LEN};
use core::fmt;

macro_rules! queue_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) struct $name([u8; ID_LEN]);

        impl $name {
            /// The id with these bytes.
            pub(super) const fn new(bytes: [u8; ID_LEN]) -> Self {
                Self(bytes)
            }

            /// The bytes as they travel, without the length byte.
            pub(super) const fn as_bytes(&self) -> &[u8; ID_LEN] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

queue_id! {
    /// A queue as its recipient knows it.
    RecipientId
}
queue_id! {
    /// A queue as its sender knows it.
    SenderId
}
queue_id! {
    /// A queue as its notifier knows it.
    NotifierId
}
queue_id! {
    /// A service, as it and its events are told. Source: `smp-transport` 3.4.
    ServiceId
}
queue_id! {
    /// A message; also the nonce of its encryption. Source: `smp-transport` 5.5.
    MessageId
}

/// A short link to a queue: chosen by the client for contact queues, so of any length.
///
/// Source: `smp-transport` 5.2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ShortLinkId(pub(super) EntityId);

/// A queue's place in the store. Never reused, so a stale one finds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueNo(pub(super) u64);
