//! The broker: what commands do to queues, and which events that causes on which links.
//!
//! Knows links as names and bytes not at all: it takes commands that were checked, answers each with a
//! [`Reply`], and keeps the events until the server asks for them ([`Broker::next_delivery`],
//! [`Broker::next_notification`], [`Broker::next_ending`]), which it does when the link takes them and
//! the round has come. Handlers are by party: `create`, `recipient`, `sender`, `notifier`, `service`.

mod create;
mod notifier;
mod recipient;
mod sender;
mod service;

use super::config::{Config, Creation};
use super::delivery::{Event, SealedMessage};
use super::id::QueueNo;
use super::meter::Counters;
use super::notifier::Turn;
use super::presence::{Ending, Presence, Subscribed};
use super::services::Services;
use super::store::{Store, StoreLimits};
use crate::base::id::LinkId;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Mono, Now};
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

/// Places looked at in one slice of the sweep for expired things. Source: ours; a fraction of a
/// millisecond of work.
const SWEEP_SLICE: usize = 256;

/// Queues, subscriptions and the events between them.
#[derive(Debug)]
pub(super) struct Broker {
    creation: Creation,
    recipient_keys_max: usize,
    endings_max: usize,
    message_lifetime: Duration,
    notification_lifetime: Duration,
    store: Store,
    services: Services,
    presences: BTreeMap<LinkId, Presence>,
    /// Links that are owed a message.
    owed: BTreeSet<LinkId>,
    /// Links with notifications for the next round.
    in_line: BTreeSet<LinkId>,
    /// Links with endings for the next round.
    ending: BTreeSet<LinkId>,
    /// Links with more endings than they may have.
    overrun: BTreeSet<LinkId>,
    next_turn: u64,
    ids: Rng,
    keys: Rng,
    nonces: Rng,
    counters: Counters,
}

impl Broker {
    /// A broker without queues.
    pub(super) fn new(config: &Config, seed: &Seed) -> Self {
        let limits = config.limits;
        Self {
            creation: config.creation.clone(),
            recipient_keys_max: limits.recipient_keys,
            endings_max: limits.events_per_link,
            message_lifetime: config.message_lifetime,
            notification_lifetime: config.notification_lifetime,
            store: Store::new(StoreLimits {
                queues: limits.queues,
                queue_quota: limits.queue_quota,
                bytes: limits.bytes,
                notifications_per_notifier: limits.notifications_per_notifier,
                notifications: limits.notifications,
            }),
            services: Services::new(limits.services),
            presences: BTreeMap::new(),
            owed: BTreeSet::new(),
            in_line: BTreeSet::new(),
            ending: BTreeSet::new(),
            overrun: BTreeSet::new(),
            next_turn: 0,
            ids: seed.stream(Stream::Ids),
            keys: seed.stream(Stream::Keys),
            nonces: seed.stream(Stream::Nonces),
            counters: Counters::default(),
        }
    }

    /// The store, to look things up in.
    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// The services, to look things up in.
    pub(super) const fn services(&self) -> &Services {
        &self.services
    }

    /// The generator of keys, also for those of sessions: one purpose, one stream.
    pub(super) const fn keys_mut(&mut self) -> &mut Rng {
        &mut self.keys
    }

    /// The counters, also for what the server counts.
    pub(super) const fn counters_mut(&mut self) -> &mut Counters {
        &mut self.counters
    }

    /// The counters.
    pub(super) const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What this link is subscribed to and owed.
    pub(super) fn presence(&self, link: LinkId) -> Option<&Presence> {
        self.presences.get(&link)
    }

    /// All links that hold or held subscriptions and are up.
    pub(super) fn presences(&self) -> impl Iterator<Item = &Presence> {
        self.presences.values()
    }

    /// A link is up.
    pub(super) fn on_link_up(&mut self, link: LinkId) {
        self.presences.insert(link, Presence::default());
    }

    /// A link is down: its subscriptions are gone, without any event. Queues go on naming it as their
    /// subscriber, which costs nothing: without a presence it counts as nobody.
    pub(super) fn on_link_down(&mut self, link: LinkId) {
        let presence = self.presences.remove(&link);
        if let Some(service) = presence.and_then(|presence| presence.service) {
            self.services.on_link_down(service, link);
        }
        self.owed.remove(&link);
        self.in_line.remove(&link);
        self.ending.remove(&link);
        self.overrun.remove(&link);
    }

    /// A link takes blocks again: what it was skipped for comes in the next round.
    pub(super) fn on_link_drained(&mut self, link: LinkId) {
        if let Some(presence) = self.presences.get(&link) {
            if !presence.owed.is_empty() {
                self.owed.insert(link);
            }
            if !presence.line.is_empty() {
                self.in_line.insert(link);
            }
            if !presence.endings.is_empty() {
                self.ending.insert(link);
            }
        }
    }

    /// A link takes no more blocks: rounds skip it, and it keeps what it is owed.
    pub(super) fn on_link_blocked(&mut self, link: LinkId) {
        self.owed.remove(&link);
        self.in_line.remove(&link);
        self.ending.remove(&link);
    }

    /// Forgets all queues and services; the counters stay.
    pub(super) fn forget(&mut self) {
        self.store.clear();
        self.services.clear();
    }

    /// The first link after `after` that is owed a message.
    pub(super) fn owed_link(&self, after: Option<LinkId>) -> Option<LinkId> {
        first_after(&self.owed, after)
    }

    /// The first link after `after` with notifications for the round.
    pub(super) fn link_in_line(&self, after: Option<LinkId>) -> Option<LinkId> {
        first_after(&self.in_line, after)
    }

    /// The first link after `after` with endings for the round.
    pub(super) fn link_with_endings(&self, after: Option<LinkId>) -> Option<LinkId> {
        first_after(&self.ending, after)
    }

    /// Takes a link that has more endings waiting than it may have.
    pub(super) fn pop_overrun(&mut self) -> Option<LinkId> {
        self.overrun.pop_first()
    }

    /// The next message that this link is owed, counted as delivered.
    pub(super) fn next_delivery(&mut self, now: Now, link: LinkId) -> Option<Event> {
        while let Some(no) = self.presences.get_mut(&link).and_then(|presence| presence.owed.pop_first()) {
            self.expire_messages(now.mono, no);
            if let Some(event) = self.deliver(link, no) {
                return Some(event);
            }
        }
        self.owed.remove(&link);
        None
    }

    /// The next ending that this link is to be told.
    pub(super) fn next_ending(&mut self, link: LinkId) -> Option<Event> {
        if let Some((of, ending)) =
            self.presences.get_mut(&link).and_then(|presence| presence.endings.pop_first())
        {
            self.counters.endings_sent.count();
            return Some(Event::Ended(of, ending));
        }
        self.ending.remove(&link);
        None
    }

    /// Drops what has expired in the next few queues from `from` on. Gives where to go on, or `None` when
    /// all were looked at.
    pub(super) fn sweep(&mut self, now: Mono, from: QueueNo) -> Option<QueueNo> {
        let places: heapless::Vec<QueueNo, SWEEP_SLICE> = self.store.places_from(from, SWEEP_SLICE).collect();
        for no in &places {
            self.expire_messages(now, *no);
            self.expire_notifications(now, *no);
        }
        let last = places.last().filter(|_| places.is_full())?;
        Some(QueueNo(last.0.saturating_add(1)))
    }

    /// Pushes the first message of a queue to `link` if that is its subscriber and idle.
    fn deliver(&mut self, link: LinkId, no: QueueNo) -> Option<Event> {
        let queue = self.store.queue_mut(no)?;
        queue.readers.idle_subscriber().filter(|idle| *idle == link)?;
        let message = queue.inbox.first()?;
        let sealed = SealedMessage::seal(message, &queue.secret);
        queue.readers.delivered(sealed.id);
        self.counters.messages_delivered.count();
        Some(Event::Message(queue.recipient, sealed))
    }

    /// Notes that the subscriber of a queue is owed a message, if it is up and idle and there is one.
    fn owe(&mut self, no: QueueNo) {
        let Some(queue) = self.store.queue(no).filter(|queue| !queue.inbox.is_empty()) else {
            return;
        };
        let Some(link) = queue.readers.idle_subscriber() else {
            return;
        };
        if let Some(presence) = self.presences.get_mut(&link) {
            presence.owed.insert(no);
            self.owed.insert(link);
        }
    }

    /// Notes that a subscription of `link` ended, if the link is up.
    fn end(&mut self, link: LinkId, of: Subscribed, ending: Ending) {
        let Some(presence) = self.presences.get_mut(&link) else {
            return;
        };
        presence.endings.insert(of, ending);
        if presence.endings.len() > self.endings_max {
            self.overrun.insert(link);
        }
        self.ending.insert(link);
    }

    fn expire_messages(&mut self, now: Mono, no: QueueNo) {
        let expired = self.store.expire_messages(no, now, self.message_lifetime);
        self.counters.messages_expired.add(expired);
    }

    fn expire_notifications(&mut self, now: Mono, no: QueueNo) {
        let expired = self.store.expire_notifications(no, now, self.notification_lifetime);
        self.counters.notifications_expired.add(expired);
    }

    const fn turn(&mut self) -> Turn {
        let turn = Turn(self.next_turn);
        self.next_turn = self.next_turn.saturating_add(1);
        turn
    }
}

fn first_after(links: &BTreeSet<LinkId>, after: Option<LinkId>) -> Option<LinkId> {
    match after {
        None => links.first().copied(),
        Some(after) => {
            links.range((core::ops::Bound::Excluded(after), core::ops::Bound::Unbounded)).next().copied()
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]
mod tests;
