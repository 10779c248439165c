//! A queue's notifier: its credentials, who watches it, and the notifications that wait for the next
//! round.
//!
//! Stored is what the round needs to write an NMSG, not the NMSG itself: sealing is left to the moment of
//! delivery, so that a day of undelivered notifications costs little.
//!
//! Source: `smp-transport` 6.1 to 6.3.

use super::id::{MessageId, NotifierId};
use super::services::ServiceNo;
use crate::base::id::LinkId;
use crate::base::time::Mono;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::AuthPublicKey;
use alloc::collections::VecDeque;
use core::time::Duration;

/// The notifier credentials of a queue and what hangs on them.
#[derive(Debug)]
pub(super) struct Notifier {
    /// The id it is watched under.
    pub(super) id: NotifierId,
    /// What authorizes NSUB.
    pub(super) key: AuthPublicKey,
    /// Shared with the recipient only; opens what NMSG carries.
    pub(super) secret: BoxKey,
    /// The link that watches: the latest to send NSUB. It may be down.
    pub(super) watcher: Option<LinkId>,
    /// The service that it is tied to: whose NSUBS brings the watcher back.
    pub(super) service: Option<ServiceNo>,
    /// The place in the watcher's line for the next round; `None` when it does not stand in line.
    pub(super) turn: Option<Turn>,
    stored: VecDeque<Notification>,
}

/// A place in line: the lower goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn(pub(super) u64);

/// What tells the device that a message waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Notification {
    /// The message, under the id with which the recipient will get it.
    pub(super) message: MessageId,
    /// The message's time in Unix seconds, likewise.
    pub(super) timestamp: i64,
    /// When it was stored, for expiry.
    pub(super) stored: Mono,
}

impl Notifier {
    /// A notifier that nobody watches yet.
    pub(super) const fn new(id: NotifierId, key: AuthPublicKey, secret: BoxKey) -> Self {
        Self { id, key, secret, watcher: None, service: None, turn: None, stored: VecDeque::new() }
    }

    /// Stores a notification. When `bound` are stored the oldest gives way and is handed back: the
    /// device fetches what its queue holds, so the newer notifications are worth more.
    pub(super) fn store(&mut self, notification: Notification, bound: usize) -> Option<Notification> {
        self.stored.push_back(notification);
        if self.stored.len() > bound { self.stored.pop_front() } else { None }
    }

    /// Takes the oldest notification.
    pub(super) fn take(&mut self) -> Option<Notification> {
        self.stored.pop_front()
    }

    /// Takes the oldest notification when it was stored longer than `lifetime` ago.
    pub(super) fn pop_expired(&mut self, now: Mono, lifetime: Duration) -> Option<Notification> {
        self.stored.front().filter(|oldest| now.since(oldest.stored) >= lifetime)?;
        self.stored.pop_front()
    }

    /// Notifications stored.
    pub(super) fn len(&self) -> usize {
        self.stored.len()
    }

    /// Whether none is stored.
    pub(super) fn is_empty(&self) -> bool {
        self.stored.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::Ed25519Public;

    #[test]
    fn a_full_store_gives_up_its_oldest() {
        let mut notifier = notifier();
        assert!(notifier.store(notification(1), 2).is_none());
        assert!(notifier.store(notification(2), 2).is_none());
        let dropped = notifier.store(notification(3), 2).map(|dropped| dropped.timestamp);
        assert_eq!(dropped, Some(1));
        assert_eq!(notifier.len(), 2);
        assert_eq!(notifier.take().map(|oldest| oldest.timestamp), Some(2));
    }

    #[test]
    fn expiry_bounds() {
        let lifetime = Duration::from_micros(10);
        for (now, expired) in [(1, false), (10, false), (11, true)] {
            let mut notifier = notifier();
            notifier.store(notification(1), 2);
            assert_eq!(notifier.pop_expired(Mono::from_micros(now), lifetime).is_some(), expired, "{now}");
        }
    }

    fn notifier() -> Notifier {
        let key = AuthPublicKey::Ed25519(Ed25519Public::new([1; 32]));
        Notifier::new(NotifierId::new([2; 24]), key, BoxKey::of_key(&[3; 32]))
    }

    fn notification(number: u8) -> Notification {
        Notification {
            message: MessageId::new([number; 24]),
            timestamp: i64::from(number),
            stored: Mono::from_micros(u64::from(number)),
        }
    }
}
