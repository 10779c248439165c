//! The queue store: queues by place, and the indexes by which peers name them.
//!
//! Owns the bounds on queues, message bytes and notifications, and keeps the totals behind the gauges.
//! Everything that changes a total goes through here. Ordered maps throughout: ids that clients choose
//! are hashes or cannot be steered to a cost, and iteration is the same in every run.

use super::id::{MessageId, NotifierId, QueueNo, RecipientId, SenderId, ShortLinkId};
use super::message::{Message, Put, Room};
use super::notifier::{Notification, Notifier};
use super::queue::{Queue, ShortLink};
use crate::base::time::Mono;
use alloc::collections::BTreeMap;
use core::time::Duration;

/// All queues.
#[derive(Debug)]
pub(super) struct Store {
    limits: StoreLimits,
    queues: BTreeMap<QueueNo, Queue>,
    by_recipient: BTreeMap<RecipientId, QueueNo>,
    by_sender: BTreeMap<SenderId, QueueNo>,
    by_notifier: BTreeMap<NotifierId, QueueNo>,
    by_link: BTreeMap<ShortLinkId, QueueNo>,
    next: u64,
    totals: Totals,
}

/// Bounds of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct StoreLimits {
    /// Queues.
    pub(super) queues: usize,
    /// Messages of one queue before the quota marker.
    pub(super) queue_quota: usize,
    /// Bytes of message bodies and link data of all queues.
    pub(super) bytes: usize,
    /// Notifications stored for one notifier.
    pub(super) notifications_per_notifier: usize,
    /// Notifications stored for all notifiers.
    pub(super) notifications: usize,
}

/// What the store holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Messages of all queues, quota markers included.
    pub(super) messages: usize,
    /// Bytes of their bodies and of link data.
    pub(super) bytes: usize,
    /// Notifications of all notifiers.
    pub(super) notifications: usize,
}

/// Why a queue or its link data cannot be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CannotStore {
    /// A bound is reached.
    Full,
    /// An id that the client chose is taken.
    Taken,
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// It waits for the next round.
    Yes,
    /// It waits; an older one of the same notifier gave way.
    InPlaceOfOldest,
    /// The store is full and this notifier has none to give.
    No,
}

impl Store {
    /// An empty store.
    pub(super) const fn new(limits: StoreLimits) -> Self {
        Self {
            limits,
            queues: BTreeMap::new(),
            by_recipient: BTreeMap::new(),
            by_sender: BTreeMap::new(),
            by_notifier: BTreeMap::new(),
            by_link: BTreeMap::new(),
            next: 0,
            totals: Totals { messages: 0, bytes: 0, notifications: 0 },
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.limits);
    }

    /// Adds a queue with an empty inbox.
    pub(super) fn create(&mut self, queue: Queue) -> Result<QueueNo, CannotStore> {
        debug_assert!(queue.inbox.is_empty(), "a queue starts empty");
        let link_len = queue.link.as_ref().map_or(0, ShortLink::len);
        if self.queues.len() >= self.limits.queues || !self.has_room_for(link_len) {
            return Err(CannotStore::Full);
        }
        let is_taken = self.by_recipient.contains_key(&queue.recipient)
            || self.by_sender.contains_key(&queue.sender)
            || queue.notifier.as_ref().is_some_and(|notifier| self.by_notifier.contains_key(&notifier.id))
            || queue.link.as_ref().is_some_and(|link| self.by_link.contains_key(&link.id));
        if is_taken {
            return Err(CannotStore::Taken);
        }
        let no = QueueNo(self.next);
        self.next = self.next.saturating_add(1);
        self.by_recipient.insert(queue.recipient, no);
        self.by_sender.insert(queue.sender, no);
        if let Some(notifier) = &queue.notifier {
            self.by_notifier.insert(notifier.id, no);
        }
        if let Some(link) = &queue.link {
            self.by_link.insert(link.id.clone(), no);
        }
        self.totals.bytes = self.totals.bytes.saturating_add(link_len);
        self.queues.insert(no, queue);
        Ok(no)
    }

    /// The place of the queue that its recipient calls so.
    pub(super) fn by_recipient(&self, id: &[u8]) -> Option<QueueNo> {
        self.by_recipient.get(&RecipientId::new(id.try_into().ok()?)).copied()
    }

    /// The place of the queue that its sender calls so.
    pub(super) fn by_sender(&self, id: &[u8]) -> Option<QueueNo> {
        self.by_sender.get(&SenderId::new(id.try_into().ok()?)).copied()
    }

    /// The place of the queue that its notifier calls so.
    pub(super) fn by_notifier(&self, id: &[u8]) -> Option<QueueNo> {
        self.by_notifier.get(&NotifierId::new(id.try_into().ok()?)).copied()
    }

    /// The place of the queue that this short link leads to.
    pub(super) fn by_link(&self, id: &ShortLinkId) -> Option<QueueNo> {
        self.by_link.get(id).copied()
    }

    /// The queue at this place.
    pub(super) fn queue(&self, no: QueueNo) -> Option<&Queue> {
        self.queues.get(&no)
    }

    /// The queue at this place, to change what no index or total depends on.
    pub(super) fn queue_mut(&mut self, no: QueueNo) -> Option<&mut Queue> {
        self.queues.get_mut(&no)
    }

    /// The notifier of the queue at this place.
    pub(super) fn notifier(&self, no: QueueNo) -> Option<&Notifier> {
        self.queues.get(&no)?.notifier.as_ref()
    }

    /// The notifier of the queue at this place, to change who watches.
    pub(super) fn notifier_mut(&mut self, no: QueueNo) -> Option<&mut Notifier> {
        self.queues.get_mut(&no)?.notifier.as_mut()
    }

    /// Removes a queue and all that it holds.
    pub(super) fn remove(&mut self, no: QueueNo) -> Option<Queue> {
        let queue = self.queues.remove(&no)?;
        self.by_recipient.remove(&queue.recipient);
        self.by_sender.remove(&queue.sender);
        if let Some(notifier) = &queue.notifier {
            self.by_notifier.remove(&notifier.id);
            self.totals.notifications = self.totals.notifications.saturating_sub(notifier.len());
        }
        if let Some(link) = &queue.link {
            self.by_link.remove(&link.id);
            self.totals.bytes = self.totals.bytes.saturating_sub(link.len());
        }
        self.totals.messages = self.totals.messages.saturating_sub(queue.inbox.len());
        self.totals.bytes = self.totals.bytes.saturating_sub(queue.inbox.body_len());
        Some(queue)
    }

    /// Sets or removes the notifier of a queue and gives the former one, whose id is unknown from then on.
    pub(super) fn replace_notifier(&mut self, no: QueueNo, notifier: Option<Notifier>) -> Option<Notifier> {
        let queue = self.queues.get_mut(&no)?;
        if let Some(notifier) = &notifier {
            self.by_notifier.insert(notifier.id, no);
        }
        let former = core::mem::replace(&mut queue.notifier, notifier)?;
        self.by_notifier.remove(&former.id);
        self.totals.notifications = self.totals.notifications.saturating_sub(former.len());
        Some(former)
    }

    /// Whether this notifier id is in use.
    pub(super) fn has_notifier(&self, id: NotifierId) -> bool {
        self.by_notifier.contains_key(&id)
    }

    /// Sets or removes what a queue's short link leads to.
    pub(super) fn replace_link(&mut self, no: QueueNo, link: Option<ShortLink>) -> Result<(), CannotStore> {
        let Some(queue) = self.queues.get_mut(&no) else {
            return Ok(());
        };
        let former_len = queue.link.as_ref().map_or(0, ShortLink::len);
        let bytes = self.totals.bytes.saturating_sub(former_len);
        let bytes = bytes.saturating_add(link.as_ref().map_or(0, ShortLink::len));
        if let Some(link) = &link {
            if bytes > self.limits.bytes {
                return Err(CannotStore::Full);
            }
            if self.by_link.get(&link.id).is_some_and(|holder| *holder != no) {
                return Err(CannotStore::Taken);
            }
        }
        if let Some(former) = &queue.link {
            self.by_link.remove(&former.id);
        }
        if let Some(link) = &link {
            self.by_link.insert(link.id.clone(), no);
        }
        queue.link = link;
        self.totals.bytes = bytes;
        Ok(())
    }

    /// Puts a message into a queue's inbox. A queue that is gone refuses it.
    pub(super) fn put(&mut self, no: QueueNo, message: Message) -> Put {
        let body_len = message.content.len();
        let room = if self.has_room_for(body_len) { Room::Yes } else { Room::No };
        let Some(queue) = self.queues.get_mut(&no) else {
            return Put::Refused;
        };
        let put = queue.inbox.put(message, self.limits.queue_quota, room);
        match put {
            Put::Stored => {
                self.totals.messages = self.totals.messages.saturating_add(1);
                self.totals.bytes = self.totals.bytes.saturating_add(body_len);
            }
            Put::Marked => self.totals.messages = self.totals.messages.saturating_add(1),
            Put::Refused => {}
        }
        put
    }

    /// Removes the first message of a queue when it is the one with this id.
    pub(super) fn remove_message(&mut self, no: QueueNo, id: MessageId) -> Option<Message> {
        let message = self.queues.get_mut(&no)?.inbox.remove_first(id)?;
        self.count_out(&message);
        Some(message)
    }

    /// Removes the messages of a queue that came longer than `lifetime` ago, and says how many.
    pub(super) fn expire_messages(&mut self, no: QueueNo, now: Mono, lifetime: Duration) -> u64 {
        let mut expired = 0_u64;
        while let Some(message) =
            self.queues.get_mut(&no).and_then(|queue| queue.inbox.pop_expired(now, lifetime))
        {
            self.count_out(&message);
            expired = expired.saturating_add(1);
        }
        expired
    }

    /// Stores a notification for a queue's notifier; `None` when it has none.
    pub(super) fn store_notification(&mut self, no: QueueNo, notification: Notification) -> Option<Stored> {
        let is_full = self.totals.notifications >= self.limits.notifications;
        let notifier = self.queues.get_mut(&no)?.notifier.as_mut()?;
        let bound = if is_full {
            notifier.len().min(self.limits.notifications_per_notifier)
        } else {
            self.limits.notifications_per_notifier
        };
        if bound == 0 {
            return Some(Stored::No);
        }
        Some(match notifier.store(notification, bound) {
            Some(_oldest) => Stored::InPlaceOfOldest,
            None => {
                self.totals.notifications = self.totals.notifications.saturating_add(1);
                Stored::Yes
            }
        })
    }

    /// Takes the oldest notification of a queue's notifier.
    pub(super) fn take_notification(&mut self, no: QueueNo) -> Option<Notification> {
        let notification = self.notifier_mut(no)?.take()?;
        self.totals.notifications = self.totals.notifications.saturating_sub(1);
        Some(notification)
    }

    /// Removes the notifications of a queue that were stored longer than `lifetime` ago, and says how many.
    pub(super) fn expire_notifications(&mut self, no: QueueNo, now: Mono, lifetime: Duration) -> u64 {
        let mut expired = 0_u64;
        while self.notifier_mut(no).and_then(|notifier| notifier.pop_expired(now, lifetime)).is_some() {
            self.totals.notifications = self.totals.notifications.saturating_sub(1);
            expired = expired.saturating_add(1);
        }
        expired
    }

    /// Up to `count` places, in order, from `from` on.
    pub(super) fn places_from(&self, from: QueueNo, count: usize) -> impl Iterator<Item = QueueNo> {
        self.queues.range(from..).map(|(no, _)| *no).take(count)
    }

    /// Queues held.
    pub(super) fn len(&self) -> usize {
        self.queues.len()
    }

    /// Queues that have a notifier.
    pub(super) fn notifiers_len(&self) -> usize {
        self.by_notifier.len()
    }

    /// What the store holds beside queues.
    pub(super) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Any one notifier id, for a demonstration.
    pub(super) fn any_notifier(&self) -> Option<NotifierId> {
        self.by_notifier.keys().next().copied()
    }

    /// Any one recipient id, for a demonstration.
    pub(super) fn any_recipient(&self) -> Option<RecipientId> {
        self.by_recipient.keys().next().copied()
    }

    fn has_room_for(&self, len: usize) -> bool {
        self.totals.bytes.saturating_add(len) <= self.limits.bytes
    }

    fn count_out(&mut self, message: &Message) {
        self.totals.messages = self.totals.messages.saturating_sub(1);
        self.totals.bytes = self.totals.bytes.saturating_sub(message.content.len());
    }
}
