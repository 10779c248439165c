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
    /// itself. Unanswered questions end the link with [`DownReason::TimedOut`].
    Probe(Probe),
    /// Tell the application.
    Event(Event),
}

/// TCP's own keep-alive on one link. Asked for only where
/// [`DirectPlan::tcp_asks`](crate::client::DirectPlan::tcp_asks) says that somebody performs it; otherwise the client
/// asks by itself.
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
///
/// An application's whole reaction may be a handler like this one: it shows messages, keeps what it has to give to
/// others, stores the exported state where the state of the client has changed, and follows advice.
///
/// ```
/// use ntf_core::base::id::EntityId;
/// use ntf_core::client::effect::Event;
/// use ntf_core::client::input::{QueueId, RequestTag};
/// use ntf_core::client::{Advice, DirectState};
/// use ntf_core::link::event::DownReason;
/// use ntf_core::model::cron::Cron;
/// use ntf_core::model::server::{Protocol, SenderAddress};
/// use ntf_core::model::subscription::SubscriptionStatus;
/// use ntf_core::model::token::{InvalidReason, TokenStatus};
/// use ntf_core::wire::text::address;
/// use std::time::Duration;
///
/// #[derive(Debug, PartialEq)]
/// enum Do {
///     Show(String),
///     /// Store what `Client::export` gives, then go on.
///     Store,
///     /// Tell the operating system that the time it gave is not needed any more.
///     Sleep,
///     AskForDeviceToken,
///     Nothing,
/// }
///
/// fn on_event(event: Event) -> Do {
///     match event.advice() {
///         Some(Advice::Register) => return Do::AskForDeviceToken,
///         Some(Advice::AskUser) => return Do::Show("somebody has to give another address".into()),
///         Some(Advice::CheckNetwork) => return Do::Show("offline".into()),
///         // What passes, the client sees to by itself; a command that was refused can be given again.
///         Some(_) | None => {}
///     }
///     match event {
///         Event::Message { message, .. } => Do::Show(String::from_utf8_lossy(&message).into()),
///         Event::QueueCreated { address, .. } => Do::Show(address::sender(&address)),
///         Event::QuotaReached { .. } => Do::Show("messages were refused from here on".into()),
///         Event::Token(_)
///         | Event::Periodic(_)
///         | Event::Unregistered
///         | Event::Subscription { .. }
///         | Event::NotificationsOff { .. }
///         | Event::QueueDeleted { .. } => Do::Store,
///         Event::Refreshed { .. } => Do::Sleep,
///         Event::Sent { .. } => Do::Show("sent".into()),
///         // A push names the queue; its messages come as events of their own.
///         Event::Pushed { .. } | Event::PushRejected { .. } | Event::Direct { .. } => Do::Nothing,
///         Event::Failed { why, .. } => Do::Show(why),
///         other => unreachable!("an event of a later version: {other:?}"),
///     }
/// }
///
/// let queue = QueueId(0);
/// let message = Event::Message { queue, message_id: vec![1; 24], sent_at: 1_700_000_000, message: b"hi".to_vec() };
/// assert_eq!(on_event(message), Do::Show("hi".into()));
/// assert_eq!(on_event(Event::QuotaReached { queue }), Do::Show("messages were refused from here on".into()));
///
/// // Registration: verified, with periodic pushes off; and one that the provider ended.
/// assert_eq!(on_event(Event::Token(TokenStatus::Active)), Do::Store);
/// assert_eq!(on_event(Event::Periodic(Cron::Off)), Do::Store);
/// let invalid = TokenStatus::Invalid(Some(InvalidReason::Unregistered));
/// assert_eq!(on_event(Event::Token(invalid)), Do::AskForDeviceToken);
/// assert_eq!(on_event(Event::Unregistered), Do::Store);
///
/// // Queues.
/// let server = "smp://u2dS9sG8nMNURyZwqASV4yROM28Er0luVTx5X1CsMrU=@smp4.example.org";
/// let server = address::parse_server(server, Protocol::Smp).unwrap();
/// let address = SenderAddress { server, sender: EntityId::new(b"sender").unwrap() };
/// let text = address::sender(&address);
/// assert_eq!(on_event(Event::QueueCreated { tag: RequestTag(1), queue, address }), Do::Show(text));
/// assert_eq!(on_event(Event::Subscription { queue, status: SubscriptionStatus::Active }), Do::Store);
/// assert_eq!(on_event(Event::NotificationsOff { queue }), Do::Store);
/// assert_eq!(on_event(Event::QueueDeleted { queue }), Do::Store);
/// assert_eq!(on_event(Event::Sent { tag: RequestTag(7) }), Do::Show("sent".into()));
///
/// // Pushes and direct connections.
/// assert_eq!(on_event(Event::Pushed { queue, message_id: None, nonce: [0; 24] }), Do::Nothing);
/// assert_eq!(on_event(Event::PushRejected { why: "it repeats an earlier one" }), Do::Nothing);
/// assert_eq!(on_event(Event::Direct { queue, state: DirectState::On }), Do::Nothing);
/// let gone = Event::Direct { queue, state: DirectState::Gone };
/// assert_eq!(on_event(gone), Do::Show("somebody has to give another address".into()));
///
/// // A background refresh is over.
/// assert_eq!(on_event(Event::Refreshed { messages: 2, queues_left: 0, requests_left: 0 }), Do::Sleep);
///
/// // Failures say what to do, and until when to wait.
/// let failed = |advice| Event::Failed { tag: None, advice, why: "GET: no answer".into() };
/// let wait = failed(Advice::Wait { next: Duration::from_secs(2) });
/// assert_eq!(wait.advice().and_then(Advice::delay), Some(Duration::from_secs(2)));
/// assert_eq!(on_event(wait), Do::Show("GET: no answer".into()));
/// let again = failed(Advice::TryAgain { after: Duration::from_secs(5) });
/// assert_eq!(again.advice().map(Advice::name), Some("try again"));
/// let lost = |reason| Event::Unreachable { server: "smp4.example.org".into(), reason };
/// assert_eq!(on_event(lost(DownReason::TimedOut)), Do::Show("offline".into()));
/// // Somebody else answers in the server's place: trying again would be no help.
/// assert_eq!(lost(DownReason::WrongIdentity).advice(), Some(Advice::AskUser));
/// ```
///
/// No type of the client's face is generic. Two have a lifetime, [`Input`](crate::client::input::Input) and
/// [`StepInput`](crate::client::push_step::StepInput): they lend a block or a push for one call, as a pointer and a length
/// would.
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
