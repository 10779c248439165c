//! A queue of this device: its keys at the SMP server, its notifier, its subscription, its fetching.
//!
//! The four go on side by side, each with at most one command out. Knows no bytes and no links.

use crate::base::backoff::Backoff;
use crate::base::id::EntityId;
use crate::base::limits::NONCE_LEN;
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::client::input::RequestTag;
use crate::client::mode::Notifications;
use crate::crypto::boxed::nonce_from;
use crate::crypto::keys::{AuthPrivateKey, DhSecret, Ed25519Private, X25519Private};
use crate::model::server::ServerAddress;
use crate::model::subscription::SubscriptionStatus;
use alloc::boxed::Box;

/// A queue.
pub(super) struct Queue {
    /// The SMP server that holds it.
    pub(super) server: ServerAddress,
    /// The recipient's key. Source: `smp-transport` 5.2.
    pub(super) auth: AuthPrivateKey,
    /// How far it is.
    pub(super) phase: Phase,
}

/// The life of a queue.
pub(super) enum Phase {
    /// NEW is not answered yet.
    Creating {
        /// Echoed when the queue exists.
        tag: RequestTag,
        /// Our half of the secret that seals messages.
        dh: X25519Private,
        /// What becomes of it once it exists.
        fate: Fate,
        /// Whether NEW is out.
        lane: Lane,
    },
    /// It exists.
    Live(Box<Live>),
    /// NDEL or DEL is not answered yet.
    Deleting {
        /// The recipient id.
        recipient: EntityId,
        /// Which of the two.
        step: DeleteStep,
        /// Whether it is out.
        lane: Lane,
        /// When the deletion is given up.
        until: Mono,
        /// Spreads attempts after refusals.
        backoff: Backoff,
    },
}

/// Whether an answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// The next command may go out.
    Free,
    /// A command is out.
    Busy,
    /// The last command was refused for a reason that may pass; the next goes out when a timer fires.
    Delayed,
}

/// Whether a queue under creation is still wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is.
    Keep,
    /// The application changed its mind.
    Delete,
}

/// The steps of a deletion, one after the other: a server executes a batch in any order.
///
/// Source: `smp-transport` 4.8, execution order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeleteStep {
    /// NDEL, so that the subscriber hears of it even if the next step is delayed.
    Notifier,
    /// DEL.
    Queue,
}

/// A queue that exists.
pub(super) struct Live {
    /// Names it to its recipient.
    pub(super) recipient: EntityId,
    /// Names it to its sender.
    pub(super) sender: EntityId,
    /// Opens message bodies. Source: `smp-transport` 5.5.
    pub(super) secret: DhSecret,
    /// The application has not been told yet that the queue exists.
    pub(super) unannounced: Option<RequestTag>,
    /// Whether the application wants pushes for its messages.
    pub(super) notifications: Notifications,
    /// What the subscriber watches.
    pub(super) notifier: Notifier,
    /// The subscriber's record.
    pub(super) subscription: Subscription,
    /// Tells answers about an earlier subscription from those about this one.
    pub(super) attempt: Attempt,
    /// Spreads attempts after refusals.
    pub(super) backoff: Backoff,
    /// Getting messages.
    pub(super) fetch: Fetch,
    /// Spreads fetching after refusals.
    pub(super) fetch_backoff: Backoff,
    /// Whether its SMP server hands us its messages by itself.
    pub(super) watch: Watch,
    /// Spreads SUB after refusals.
    pub(super) watch_backoff: Backoff,
    /// What was seen of it.
    pub(super) seen: Seen,
}

/// The subscription to the messages of a queue at its SMP server: SUB. Source: `smp-transport` 5.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// Not wanted.
    Off,
    /// SUB goes out when it can.
    Wanted,
    /// SUB is out.
    Asked,
    /// Messages come by themselves, over the open link.
    On,
    /// SUB goes out again when the queue's timer fires, or when circumstances change.
    Delayed,
    /// Another connection has it, or the server has not got the queue any more: SUB goes out again with
    /// the next connection only.
    Ended,
}

/// Counts a queue's notifier credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt(u32);

impl Attempt {
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Notifier credentials. Source: `smp-transport` 5.3, NKEY.
pub(super) enum Notifier {
    /// To be made when nothing forbids it.
    Missing,
    /// To be made again when the queue's timer fires, or on the next check.
    Delayed,
    /// NKEY is not answered yet.
    Asked {
        /// Authorizes NSUB; goes to the subscriber.
        auth: AuthPrivateKey,
        /// Our half of the secret that seals metadata.
        dh: X25519Private,
    },
    /// The SMP server makes a notice of each message.
    Ready(NotifierKeys),
    /// To be removed: the queue is not watched any more.
    Removing(Removal),
    /// The SMP server has none, and none are wanted.
    Off,
}

/// Removing notifier credentials with NDEL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Removal {
    /// NDEL goes out when it can.
    Wanted,
    /// It goes out again when the queue's timer fires, or on the next check.
    Delayed,
    /// It is out.
    Asked,
}

/// Notifier credentials that the SMP server has accepted.
pub(super) struct NotifierKeys {
    /// Names the queue to the subscriber.
    pub(super) id: EntityId,
    /// Authorizes NSUB; goes to the subscriber.
    pub(super) auth: AuthPrivateKey,
    /// Opens metadata. Source: `ntf-protocol` 3.4.
    pub(super) secret: DhSecret,
}

/// What the subscriber has of the queue.
pub(super) enum Subscription {
    /// Nothing; SNEW goes out when the notifier is ready and the token active.
    Missing,
    /// To be made again when the queue's timer fires, or on the next check.
    Delayed,
    /// SNEW is not answered yet.
    Asked,
    /// A subscription.
    Made {
        /// Names it at the subscriber.
        id: EntityId,
        /// What the subscriber last said.
        status: SubscriptionStatus,
        /// Whether it is being checked.
        check: Check,
    },
}

impl Subscription {
    /// Whether the subscriber has it, as far as we know.
    pub(super) const fn is_made(&self) -> bool {
        matches!(self, Self::Made { .. })
    }
}

/// Checking a subscription with SCHK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nobody asked for it.
    Idle,
    /// SCHK goes out when it can.
    Wanted,
    /// SCHK is out.
    Asked,
}

/// Getting messages: GET, ACK, GET … until there are none. Source: `ntf-protocol` 5.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fetch {
    /// Nothing to get that we know of.
    Idle,
    /// In the line of queues that wait for their turn, or for their server.
    Waiting,
    /// GET is out.
    Getting(Again),
    /// ACK is out.
    Acking,
}

/// Whether a notice came while GET was out: its message may have missed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// None came.
    No,
    /// One did; an empty answer is not the last word.
    Yes,
}

impl Queue {
    /// A queue to be created, with fresh keys.
    pub(super) fn new(server: ServerAddress, tag: RequestTag, keys: &mut Rng) -> Self {
        Self {
            server,
            auth: AuthPrivateKey::Ed25519(Ed25519Private::generate(keys)),
            phase: Phase::Creating {
                tag,
                dh: X25519Private::generate(keys),
                fate: Fate::Keep,
                lane: Lane::Free,
            },
        }
    }

    /// The queue, once it exists and while it is wanted.
    pub(super) const fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Live(live) => Some(live),
            Phase::Creating { .. } | Phase::Deleting { .. } => None,
        }
    }

    /// As [`live`](Self::live), to change it.
    pub(super) const fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.phase {
            Phase::Live(live) => Some(live),
            Phase::Creating { .. } | Phase::Deleting { .. } => None,
        }
    }
}

impl Live {
    /// A queue that was just created: no notifier, no subscription, nothing seen.
    pub(super) fn new(recipient: EntityId, sender: EntityId, secret: DhSecret) -> Self {
        Self {
            recipient,
            sender,
            secret,
            unannounced: None,
            notifications: Notifications::On,
            notifier: Notifier::Missing,
            subscription: Subscription::Missing,
            attempt: Attempt::default(),
            backoff: Backoff::new(),
            fetch: Fetch::Idle,
            fetch_backoff: Backoff::new(),
            watch: Watch::Off,
            watch_backoff: Backoff::new(),
            seen: Seen::default(),
        }
    }

    /// The notifier credentials in use.
    pub(super) const fn notifier_keys(&self) -> Option<&NotifierKeys> {
        match &self.notifier {
            Notifier::Ready(keys) => Some(keys),
            Notifier::Missing
            | Notifier::Delayed
            | Notifier::Asked { .. }
            | Notifier::Removing(_)
            | Notifier::Off => None,
        }
    }
}

/// Notices and messages remembered per queue, to tell repeats.
///
/// Source: ours; a push repeats up to six notices, and one that is older than the last sixteen of its
/// queue fails the test of time.
const SEEN_MAX: usize = 16;

/// What a queue has seen: enough to drop repeats, no more.
#[derive(Default)]
pub(super) struct Seen {
    /// Time of the newest message known to have been read, in Unix seconds of its SMP server.
    pub(super) broker_time: i64,
    /// Time of the newest notice that led to fetching.
    pub(super) notice_time: i64,
    /// Made with the first notice: a queue that is not watched gets none.
    notices: Option<Box<heapless::HistoryBuf<[u8; NONCE_LEN], SEEN_MAX>>>,
    messages: heapless::HistoryBuf<[u8; NONCE_LEN], SEEN_MAX>,
}

impl Seen {
    /// Whether this notice came before.
    pub(super) fn has_notice(&self, nonce: &[u8; NONCE_LEN]) -> bool {
        self.notices.as_ref().is_some_and(|notices| notices.as_slice().contains(nonce))
    }

    /// Remembers a notice in the place of the oldest.
    pub(super) fn note_notice(&mut self, nonce: [u8; NONCE_LEN]) {
        self.notices.get_or_insert_default().write(nonce);
    }

    /// Whether this message was handed to the application before.
    pub(super) fn has_message(&self, id: &[u8]) -> bool {
        self.messages.as_slice().contains(&nonce_from(id))
    }

    /// Remembers a message, and that everything up to its time has been read.
    pub(super) fn note_message(&mut self, id: &[u8], time: i64) {
        self.messages.write(nonce_from(id));
        self.broker_time = self.broker_time.max(time);
    }

    /// Messages remembered, oldest first.
    pub(super) fn messages(&self) -> impl Iterator<Item = &[u8; NONCE_LEN]> {
        self.messages.oldest_ordered()
    }
}
