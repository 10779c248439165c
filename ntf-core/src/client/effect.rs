//! What a client asks of the world, and tells its application.

use crate::base::id::LinkId;
use crate::base::limits::NONCE_LEN;
use crate::client::advice::Advice;
use crate::client::direct::DirectState;
use crate::client::input::{QueueId, RequestTag};
use crate::link::event::{DownReason, LinkAction};
use crate::model::cron::Cron;
use crate::model::server::SenderAddress;
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::TokenStatus;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// An effect of the client.
#[derive(Debug)]
pub enum Effect {
    /// Do this to a link.
    Link(LinkAction),
    /// Let TCP ask the peer of an open link whether it is there, in the place of whatever the adapter does by
    /// itself. Unanswered questions end the link with [`DownReason::Broken`].
    Probe(Probe),
    /// Tell the application.
    Event(Event),
}

/// TCP's own keep-alive on one link. An adapter without such a thing may pass over it: the client finds out
/// that it does not help, and asks by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The link.
    pub link: LinkId,
    /// Silence before the first question, in whole seconds; the others follow
    /// [`PROBE_GAP`](crate::link::keepalive::PROBE_GAP) apart,
    /// [`PROBES_MAX`](crate::link::keepalive::PROBES_MAX) in all. `None`: no questions, so that the link is as
    /// silent as the client is.
    pub after: Option<Duration>,
}

/// What an application learns.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The token's status changed, or was asked for.
    Token(TokenStatus),
    /// The subscriber wakes the device this often from here on, or no longer.
    Periodic(Cron),
    /// The token is forgotten here, and will be at its subscriber.
    Unregistered,
    /// A queue exists; give the address to its sender.
    QueueCreated {
        /// The tag of the command.
        tag: RequestTag,
        /// The queue.
        queue: QueueId,
        /// For the sender.
        address: SenderAddress,
    },
    /// A queue is gone from its server.
    QueueDeleted {
        /// The queue.
        queue: QueueId,
    },
    /// A subscription's status changed, or was asked for.
    Subscription {
        /// The queue.
        queue: QueueId,
        /// What the subscriber says.
        status: SubscriptionStatus,
    },
    /// The messages of a queue cause no pushes any more. They are looked for once more after this event.
    NotificationsOff {
        /// The queue.
        queue: QueueId,
    },
    /// The subscription to a queue's messages changed, in [`Mode::Direct`](crate::client::Mode::Direct).
    Direct {
        /// The queue.
        queue: QueueId,
        /// How it is.
        state: DirectState,
    },
    /// A background refresh is over. Store the state; what is left goes first the next time.
    Refreshed {
        /// Messages that it brought.
        messages: u64,
        /// Queues that could not be looked into, or not to their end.
        queues_left: usize,
        /// Requests without an answer, those to servers that were not reached included.
        requests_left: usize,
    },
    /// The SMP server took a message.
    Sent {
        /// The tag of the command.
        tag: RequestTag,
    },
    /// A push was opened and names this queue.
    Pushed {
        /// The queue.
        queue: QueueId,
        /// The id of the message that caused it, if its metadata opened.
        message_id: Option<Vec<u8>>,
        /// The SMP server's nonce of the notice.
        nonce: [u8; NONCE_LEN],
    },
    /// A message was fetched and opened. Its acknowledgement goes out after this event, so that a crash in
    /// between repeats the message rather than losing it.
    Message {
        /// The queue.
        queue: QueueId,
        /// The SMP server's id of it.
        message_id: Vec<u8>,
        /// Unix seconds at which the SMP server received it.
        sent_at: i64,
        /// What the sender sent.
        message: Vec<u8>,
    },
    /// The queue was full; messages after this point were refused to the sender.
    QuotaReached {
        /// The queue.
        queue: QueueId,
    },
    /// A push could not be used. The words say why.
    PushRejected {
        /// Why, without any secret.
        why: &'static str,
    },
    /// Something failed: a command of the application for good, if it has a tag, or else a step that the client
    /// took by itself.
    Failed {
        /// The tag of the command, if it had one.
        tag: Option<RequestTag>,
        /// What to do about it.
        advice: Advice,
        /// What was attempted, on which kind of server, and what it said; for people.
        why: String,
    },
    /// A server cannot be reached; the client goes on trying.
    Unreachable {
        /// The address as text, for the application's own eyes.
        server: String,
        /// Why.
        reason: DownReason,
    },
}

impl Event {
    /// What the application should do about it; `None` where nothing has gone wrong, or the client deals with
    /// it without a word.
    #[must_use]
    pub const fn advice(&self) -> Option<Advice> {
        match self {
            Self::Failed { advice, .. } => Some(*advice),
            Self::Unreachable { reason, .. } => Some(Advice::of_loss(*reason)),
            Self::Token(TokenStatus::Invalid(reason)) => Some(Advice::of_invalid(*reason)),
            // Another queue, and another address for its sender.
            Self::Direct { state: DirectState::Gone, .. } => Some(Advice::AskUser),
            Self::Direct { state: DirectState::On | DirectState::Lost | DirectState::TakenOver, .. }
            | Self::Token(_)
            | Self::Periodic(_)
            | Self::Unregistered
            | Self::QueueCreated { .. }
            | Self::QueueDeleted { .. }
            | Self::Subscription { .. }
            | Self::NotificationsOff { .. }
            | Self::Refreshed { .. }
            | Self::Sent { .. }
            | Self::Pushed { .. }
            | Self::Message { .. }
            | Self::QuotaReached { .. }
            | Self::PushRejected { .. } => None,
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(status) => write!(f, "Token({status:?})"),
            Self::Periodic(cron) => write!(f, "Periodic({cron:?})"),
            Self::Unregistered => f.write_str("Unregistered"),
            Self::QueueCreated { .. } => f.write_str("QueueCreated"),
            Self::QueueDeleted { .. } => f.write_str("QueueDeleted"),
            Self::Subscription { status, .. } => write!(f, "Subscription({status:?})"),
            Self::NotificationsOff { .. } => f.write_str("NotificationsOff"),
            Self::Direct { state, .. } => write!(f, "Direct({state:?})"),
            Self::Refreshed { messages, queues_left, requests_left } => {
                write!(
                    f,
                    "Refreshed({messages} messages, {queues_left} queues, {requests_left} requests left)"
                )
            }
            Self::Sent { .. } => f.write_str("Sent"),
            Self::Pushed { .. } => f.write_str("Pushed"),
            Self::Message { .. } => f.write_str("Message"),
            Self::QuotaReached { .. } => f.write_str("QuotaReached"),
            Self::PushRejected { why } => write!(f, "PushRejected({why})"),
            Self::Failed { why, .. } => write!(f, "Failed({why})"),
            Self::Unreachable { reason, .. } => write!(f, "Unreachable({reason:?})"),
        }
    }
}
