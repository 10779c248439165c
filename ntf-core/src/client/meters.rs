//! Numbers about a client: what it has done, and what it holds.

use crate::base::meter::Counter;
use crate::client::Client;
use crate::client::queue::{Live, Queue};

/// What a client has done, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Pushes that came, of any kind and quality.
    pub pushes: Counter,
    /// Pushes that could not be used.
    pub pushes_rejected: Counter,
    /// Notices in pushes that led to fetching.
    pub notices: Counter,
    /// Notices that were known already: pushes repeat the latest ones of other queues.
    pub notices_repeated: Counter,
    /// Notices of queues that are not ours, or no longer.
    pub notices_unknown: Counter,
    /// Messages handed to the application.
    pub messages: Counter,
    /// Messages that came a second time because an acknowledgement was lost.
    pub messages_repeated: Counter,
    /// Messages that did not open.
    pub messages_unreadable: Counter,
    /// Messages that SMP servers took.
    pub sent: Counter,
    /// Answers that did not fit their request.
    pub answers_unfit: Counter,
}

/// What a client holds. Each has a bound in the [`Config`](crate::client::Config).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Queues, those being created or deleted too.
    pub queues: usize,
    /// Queues with notifier credentials.
    pub notifiers: usize,
    /// Queues that a subscriber watches.
    pub subscriptions: usize,
    /// Queues in line to be fetched from, or being fetched from.
    pub fetches: usize,
    /// Tokens and subscriptions that a subscriber should forget and has not confirmed to.
    pub deletions: usize,
    /// Servers of both kinds that were talked to.
    pub servers: usize,
    /// Subscribers to choose from.
    pub subscribers: usize,
    /// Addresses sent to.
    pub senders: usize,
    /// Messages that wait to be sent.
    pub outgoing: usize,
    /// Timers.
    pub timers: usize,
    /// Effects not polled yet.
    pub effects: usize,
}

impl Client {
    /// What it has done so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What it holds now. Costs a look at every queue.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let is_made = |live: &&Live| live.subscription.is_made();
        Gauges {
            queues: self.queues.len(),
            notifiers: self.notifiers.len(),
            subscriptions: self.queues.values().filter_map(Queue::live).filter(is_made).count(),
            fetches: self.line.len(),
            deletions: self.leavings.len(),
            servers: self.servers.len(),
            subscribers: self.subscribers.len(),
            senders: self.senders.len(),
            outgoing: self.senders.waiting(),
            timers: self.timers.len(),
            effects: self.outbox.len(),
        }
    }
}
