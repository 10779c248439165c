//! What one link is subscribed to and what it is owed. Dropped whole when the link goes down.
//!
//! Queues name their subscriber and watcher by link id only; here is the other direction. A link without
//! a presence is down, and what still names it counts as nobody.

use super::id::{NotifierId, QueueNo, RecipientId, ServiceId};
use super::notifier::Turn;
use super::services::ServiceNo;
use alloc::collections::{BTreeMap, BTreeSet};

/// The subscriptions of one link and the events that wait for it.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The service that the link has introduced itself as.
    pub(super) service: Option<ServiceNo>,
    /// Queues whose messages are pushed to it.
    pub(super) subscribed: BTreeSet<QueueNo>,
    /// Queues whose notifications go to it.
    pub(super) watched: BTreeSet<QueueNo>,
    /// Subscribed queues with a message to push as soon as the link takes one.
    pub(super) owed: BTreeSet<QueueNo>,
    /// Watched queues with notifications, in the order of their turns.
    pub(super) line: BTreeMap<Turn, QueueNo>,
    /// Subscriptions that ended, to be told in the next event round.
    pub(super) endings: BTreeMap<Subscribed, Ending>,
}

impl Presence {
    /// Whether the link holds any subscription, which exempts it from the deadline on silence.
    pub(super) fn is_subscribed(&self) -> bool {
        !self.subscribed.is_empty() || !self.watched.is_empty()
    }
}

/// What a subscription is to: the entity of its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subscribed {
    /// Messages of a queue.
    Messages(RecipientId),
    /// Notifications of a queue.
    Notifications(NotifierId),
    /// Notifications of all queues tied to a service.
    Service(ServiceId),
}

impl Subscribed {
    /// The entity id on the wire.
    pub(super) const fn entity(&self) -> &[u8] {
        match self {
            Self::Messages(id) => id.as_bytes(),
            Self::Notifications(id) => id.as_bytes(),
            Self::Service(id) => id.as_bytes(),
        }
    }
}

/// Why a subscription ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Another link took it: END.
    TakenOver,
    /// Its entity is gone: DELD.
    Deleted,
    /// Another link took the service: ENDS.
    ServiceTaken {
        /// The queues that were tied to it.
        queues: usize,
    },
}
