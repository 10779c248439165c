//! What goes out: messages and notifications sealed for their recipient, and the server's own answers.
//!
//! Source: `smp-transport` 5.5 and 6.1.

use super::id::{MessageId, NotifierId, RecipientId, SenderId, ShortLinkId};
use super::message::{Content, Message};
use super::notifier::Notification;
use super::presence::{Ending, Subscribed};
use super::queue::Mode;
use crate::base::limits::NONCE_LEN;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::X25519Public;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// Padded bytes of a message body, in every version. Source: `smp-transport` 5.5.
const BODY_PADDED_LEN: usize = 16106;

/// Padded bytes of a notification's metadata. Source: `smp-transport` 6.1.
const META_PADDED_LEN: usize = 128;

/// The answer to one command.
#[derive(Debug)]
pub(super) enum Reply {
    /// IDS: the queue exists.
    Created(Box<Created>),
    /// SOK, or OK to older clients.
    Subscribed,
    /// OK.
    Done,
    /// MSG.
    Message(SealedMessage),
    /// NID: the notifier exists.
    Notifier(NewNotifier),
    /// INFO, as JSON.
    Info(String),
    /// LNK.
    ShortLink {
        /// Where to send.
        sender: SenderId,
        /// The part that never changes.
        fixed: Box<[u8]>,
        /// The part that the owner may replace.
        user: Box<[u8]>,
    },
    /// PONG.
    Pong,
    /// ERR.
    Refused(Refusal),
}

/// A lawful no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Wrong state or wrong key for that state.
    Auth,
    /// The command may not be used here.
    Prohibited,
    /// Nothing was delivered that the acknowledgement could mean.
    NoMessage,
    /// The message is too long for the agreed version.
    LargeMessage,
    /// The queue is full.
    Quota,
    /// A bound of the server is reached.
    Internal,
    /// There is no service session.
    Service,
    /// There is no proxy here.
    NoProxy,
    /// There is no proxy session here.
    NoProxySession,
}

/// A queue as its creator is told of it.
#[derive(Debug)]
pub(super) struct Created {
    /// For the recipient.
    pub(super) recipient: RecipientId,
    /// For the sender.
    pub(super) sender: SenderId,
    /// The server's half of the agreement on message encryption.
    pub(super) dh: X25519Public,
    /// What the queue is for.
    pub(super) mode: Option<Mode>,
    /// The short link, if link data came along.
    pub(super) link: Option<ShortLinkId>,
    /// The notifier, if its credentials came along.
    pub(super) notifier: Option<NewNotifier>,
}

/// A notifier as its creator is told of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewNotifier {
    /// For the notifier.
    pub(super) id: NotifierId,
    /// The server's half of the agreement on notification encryption.
    pub(super) dh: X25519Public,
}

/// A message ready for its recipient.
pub(super) struct SealedMessage {
    /// Its id.
    pub(super) id: MessageId,
    /// The encrypted body: 16122 bytes.
    pub(super) body: Vec<u8>,
}

impl fmt::Debug for SealedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedMessage({} bytes)", self.body.len())
    }
}

/// What the server sends unasked.
#[derive(Debug)]
pub(super) enum Event {
    /// MSG.
    Message(RecipientId, SealedMessage),
    /// NMSG.
    Notification(NotifierId, SealedNotification),
    /// END or DELD.
    Ended(Subscribed, Ending),
}

/// A notification ready for the device.
#[derive(Debug)]
pub(super) struct SealedNotification {
    /// The nonce.
    pub(super) nonce: [u8; NONCE_LEN],
    /// The encrypted metadata: 144 bytes.
    pub(super) meta: Vec<u8>,
}

impl SealedMessage {
    /// Seals a message for the recipient. The same message always gives the same bytes, since its id is
    /// the nonce; so a repeated delivery tells an observer no more than the first.
    pub(super) fn seal(message: &Message, key: &BoxKey) -> Self {
        let mut body = Zeroizing::new(Vec::new());
        match &message.content {
            Content::Sent { notify, body: sent } => {
                body.reserve_exact(sent.len().saturating_add(16));
                body.extend_from_slice(&message.timestamp.to_be_bytes());
                body.extend_from_slice(if *notify { b"T " } else { b"F " });
                body.extend_from_slice(sent);
            }
            Content::QuotaMarker => {
                body.extend_from_slice(b"QUOTA ");
                body.extend_from_slice(&message.timestamp.to_be_bytes());
            }
        }
        let sealed = key.seal_padded(message.id.as_bytes(), &body, BODY_PADDED_LEN);
        debug_assert!(sealed.is_ok(), "SEND bounds a message below what the padding holds");
        Self { id: message.id, body: sealed.unwrap_or_default() }
    }
}

impl SealedNotification {
    /// Seals what tells the device which message waits.
    pub(super) fn seal(notification: &Notification, key: &BoxKey, nonce: [u8; NONCE_LEN]) -> Self {
        let mut meta = Vec::with_capacity(META_PADDED_LEN);
        meta.push(24);
        meta.extend_from_slice(notification.message.as_bytes());
        meta.extend_from_slice(&notification.timestamp.to_be_bytes());
        let sealed = key.seal_padded(&nonce, &meta, META_PADDED_LEN);
        debug_assert!(sealed.is_ok(), "an id and a time fit the padding");
        Self { nonce, meta: sealed.unwrap_or_default() }
    }
}
