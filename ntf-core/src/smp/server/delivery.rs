//! What goes out: messages and notifications sealed for their recipient, and the server's own answers.
//!
//! Source: `smp-transport` 5.5 and 6.1.

use super::id::{MessageId, NotifierId, RecipientId, SenderId, ServiceId, ShortLinkId};
use super::message::{Content, Message};
use super::notifier::Notification;
use super::presence::{Ending, Subscribed};
use crate::base::limits::NONCE_LEN;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::X25519Public;
use crate::wire::error_code::{CommandError, ErrorCode, ProxyError};
use crate::wire::payload::{MSG_BODY_PADDED_LEN, MessageBody, NMSG_META_PADDED_LEN, NmsgMeta};
use crate::wire::smp::queue::{LinkData, NotifierIds, QueueIds, QueueMode};
use crate::wire::smp::response as wire;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// The answer to one command.
#[derive(Debug)]
pub(super) enum Reply {
    /// IDS: the queue exists.
    Created(Box<Created>),
    /// SOK, or OK to older clients.
    Subscribed,
    /// SOK: the queue is tied to the service.
    SubscribedFor(ServiceId),
    /// SOKS, with the queues tied to the service.
    ServiceSubscribed(usize),
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
    pub(super) mode: Option<QueueMode>,
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
        let body = match &message.content {
            Content::Sent { notify, body } => {
                MessageBody::Message { sent_at: message.timestamp, notify: *notify, message: body }
            }
            Content::QuotaMarker => MessageBody::Quota { at: message.timestamp },
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(MSG_BODY_PADDED_LEN));
        body.encode(&mut plain);
        let sealed = key.seal_padded(message.id.as_bytes(), &plain, MSG_BODY_PADDED_LEN);
        debug_assert!(sealed.is_ok(), "SEND bounds a message below what the padding holds");
        Self { id: message.id, body: sealed.unwrap_or_default() }
    }
}

impl SealedNotification {
    /// Seals what tells the device which message waits.
    pub(super) fn seal(notification: &Notification, key: &BoxKey, nonce: [u8; NONCE_LEN]) -> Self {
        let meta = NmsgMeta { message: notification.message.as_bytes(), sent_at: notification.timestamp };
        let mut plain = Zeroizing::new(Vec::with_capacity(NMSG_META_PADDED_LEN));
        meta.encode(&mut plain);
        let sealed = key.seal_padded(&nonce, &plain, NMSG_META_PADDED_LEN);
        debug_assert!(sealed.is_ok(), "an id and a time fit the padding");
        Self { nonce, meta: sealed.unwrap_or_default() }
    }
}

impl Reply {
    /// The answer as it travels. Older versions know some of it under another name, which is the
    /// codec's to say.
    pub(super) fn message(&self) -> wire::Message<'_> {
        match self {
            Self::Created(created) => wire::Message::Ids(created.ids()),
            Self::Subscribed => wire::Message::Sok { service: None },
            Self::SubscribedFor(service) => wire::Message::Sok { service: Some(service.as_bytes()) },
            Self::ServiceSubscribed(count) => wire::Message::Soks { count: counted(*count) },
            Self::Done => wire::Message::Ok,
            Self::Message(sealed) => sealed.message(),
            Self::Notifier(notifier) => wire::Message::Nid(notifier.ids()),
            Self::Info(json) => wire::Message::Info { json: json.as_bytes() },
            Self::ShortLink { sender, fixed, user } => {
                wire::Message::Lnk { sender: sender.as_bytes(), data: LinkData { fixed, user } }
            }
            Self::Pong => wire::Message::Pong,
            Self::Refused(refusal) => wire::Message::Err(refusal.code()),
        }
    }
}

impl Refusal {
    /// What the refusal is called on the wire.
    pub(super) const fn code(self) -> ErrorCode<'static> {
        match self {
            Self::Auth => ErrorCode::Auth,
            Self::Prohibited => ErrorCode::Cmd(CommandError::Prohibited),
            Self::NoMessage => ErrorCode::NoMsg,
            Self::LargeMessage => ErrorCode::LargeMsg,
            Self::Quota => ErrorCode::Quota,
            Self::Internal => ErrorCode::Internal,
            Self::Service => ErrorCode::Service,
            Self::NoProxy => ErrorCode::Proxy(ProxyError::BasicAuth),
            Self::NoProxySession => ErrorCode::Proxy(ProxyError::NoSession),
        }
    }
}

impl Created {
    fn ids(&self) -> QueueIds<'_> {
        QueueIds {
            recipient: self.recipient.as_bytes(),
            sender: self.sender.as_bytes(),
            dh: self.dh,
            mode: self.mode,
            link: self.link.as_ref().map(|link| link.0.as_bytes()),
            service: None,
            notifier: self.notifier.as_ref().map(NewNotifier::ids),
        }
    }
}

impl NewNotifier {
    const fn ids(&self) -> NotifierIds<'_> {
        NotifierIds { notifier: self.id.as_bytes(), dh: self.dh }
    }
}

impl SealedMessage {
    fn message(&self) -> wire::Message<'_> {
        wire::Message::Msg { id: self.id.as_bytes(), body: &self.body }
    }
}

impl Event {
    /// Whom it is about.
    pub(super) const fn entity(&self) -> &[u8] {
        match self {
            Self::Message(recipient, _) => recipient.as_bytes(),
            Self::Notification(notifier, _) => notifier.as_bytes(),
            Self::Ended(subscribed, _) => subscribed.entity(),
        }
    }

    /// The event as it travels.
    pub(super) fn message(&self) -> wire::Message<'_> {
        match self {
            Self::Message(_, sealed) => sealed.message(),
            Self::Notification(_, sealed) => wire::Message::Nmsg { nonce: sealed.nonce, meta: &sealed.meta },
            Self::Ended(_, Ending::TakenOver) => wire::Message::End,
            Self::Ended(_, Ending::Deleted) => wire::Message::Deld,
            Self::Ended(_, Ending::ServiceTaken { queues }) => {
                wire::Message::Ends { count: counted(*queues) }
            }
        }
    }
}

fn counted(queues: usize) -> i64 {
    i64::try_from(queues).unwrap_or(i64::MAX)
}
