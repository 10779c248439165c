//! What a subscriber asks of a push server, and what comes back.
//!
//! The push server sees a device token and ciphertext; it never sees a queue, a server or a count.

use crate::base::limits::NONCE_LEN;
use crate::model::token::{DeviceToken, InvalidReason};
use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

/// Names one order between a subscriber and its push server, so that a repeat is not a second push.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PushId(pub u64);

/// One push to one device.
#[derive(Clone, PartialEq, Eq)]
pub struct PushOrder {
    /// Names the order.
    pub id: PushId,
    /// The device.
    pub device: DeviceToken,
    /// What to push.
    pub payload: PushPayload,
}

impl fmt::Debug for PushOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushOrder({}, {:?})", self.id.0, self.payload.kind())
    }
}

/// What a push carries. Source: `ntf-protocol` 3.3.
#[derive(Clone, PartialEq, Eq)]
pub enum PushPayload {
    /// The encrypted registration code.
    Verification(Sealed),
    /// Encrypted notices, in an alert that the app replaces by what it finds.
    Message(Sealed),
    /// Encrypted notices that show nothing: the app decides what to show. Source: ours.
    Hidden(Sealed),
    /// A hidden hint to look for messages; carries nothing.
    CheckMessages,
    /// "You have a new message" in the words of the push server, in place of the last such alert.
    /// Source: ours; the reference has the type and never sends it (`ntf-protocol` 3.3, 7.3).
    Alert(CollapseId),
}

impl PushPayload {
    /// The kind, without the contents.
    #[must_use]
    pub const fn kind(&self) -> PushKind {
        match self {
            Self::Verification(_) => PushKind::Verification,
            Self::Message(_) => PushKind::Message,
            Self::Hidden(_) => PushKind::Hidden,
            Self::CheckMessages => PushKind::CheckMessages,
            Self::Alert(_) => PushKind::Alert,
        }
    }
}

impl fmt::Debug for PushPayload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushPayload({:?})", self.kind())
    }
}

/// The kind of a push, for counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PushKind {
    /// The registration code.
    Verification,
    /// Notices, in an alert that the app replaces.
    Message,
    /// Notices that show nothing.
    Hidden,
    /// A hint to look for messages.
    CheckMessages,
    /// A visible alert without notices.
    Alert,
}

/// Under which name the alerts of one registration replace each other on the device.
///
/// A keyed hash: the same for the alerts of one registration, another one after registering again, and
/// telling nothing of the device, its queues or its user. Source: ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollapseId(pub u64);

/// Ciphertext for the device, with its nonce.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The crypto_box nonce.
    pub nonce: [u8; NONCE_LEN],
    /// Tag and ciphertext of the padded payload.
    pub ciphertext: Box<[u8]>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.ciphertext.len())
    }
}

/// What became of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushOutcome {
    /// The order.
    pub id: PushId,
    /// Its result.
    pub result: PushResult,
}

/// The result of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushResult {
    /// The provider took it.
    Accepted,
    /// The provider no longer accepts the device token.
    TokenInvalid {
        /// The reason it named.
        reason: InvalidReason,
        /// Unix milliseconds since when, if the provider said so.
        since_millis: Option<u64>,
    },
    /// Not now: the provider is down, slow or limiting. The notices stay wanted.
    TryLater {
        /// How long to wait before this device is tried again.
        after: Duration,
    },
    /// The device had its share of hidden pushes; the provider was not asked. The notices stay wanted.
    Throttled {
        /// When the device may have the next one.
        after: Duration,
    },
    /// The provider takes no push of this size; a smaller one may pass.
    TooLarge,
    /// The provider refused this push for good; another may pass.
    Refused,
}
