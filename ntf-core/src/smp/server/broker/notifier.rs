//! The notifier's command, and the line in which notifications wait for their round.
//!
//! Source: `smp-transport` 6.

use super::Broker;
use crate::base::id::LinkId;
use crate::base::time::Now;
use crate::smp::server::delivery::{Event, Refusal, Reply, SealedNotification};
use crate::smp::server::id::QueueNo;
use crate::smp::server::notifier::{Notifier, Turn};
use crate::smp::server::presence::{Ending, Subscribed};

impl Broker {
    /// NSUB: notifications of this queue go to `link` from now on, those stored included. The former
    /// watcher stops at once and is told in the next event round.
    ///
    /// A service takes all its other queues along, and the queue is tied to it; anybody else unties it.
    pub(in crate::smp::server) fn watch(&mut self, link: LinkId, no: QueueNo) -> Reply {
        let Some(id) = self.store.notifier(no).map(|notifier| notifier.id) else {
            return Reply::Refused(Refusal::Auth);
        };
        let service = self.service_of(link);
        if let Some(service) = service {
            self.move_service(service, link);
        }
        let watched = Subscribed::Notifications(id);
        if let Some(former) = self.move_watcher(link, no) {
            self.end(former, watched, Ending::TakenOver);
        }
        if let Some(presence) = self.presences.get_mut(&link) {
            // A link that lost the notifier and took it back must not be told that it lost it.
            presence.endings.remove(&watched);
        }
        match self.tie(no, service) {
            Some(service) => Reply::SubscribedFor(service),
            None => Reply::Subscribed,
        }
    }

    /// Makes `link` the watcher of a queue. Gives the former one, if it was another.
    pub(super) fn move_watcher(&mut self, link: LinkId, no: QueueNo) -> Option<LinkId> {
        let notifier = self.store.notifier_mut(no)?;
        let former = notifier.watcher.replace(link).filter(|former| *former != link);
        if let Some(former) = former {
            let turn = notifier.turn.take();
            self.detach_watcher(former, no, turn);
        }
        if let Some(presence) = self.presences.get_mut(&link) {
            presence.watched.insert(no);
        }
        self.line_up(no);
        former
    }

    /// A notifier id is gone: what was stored for it is dropped, and its watcher is told.
    pub(super) fn withdraw(&mut self, no: QueueNo, former: Option<Notifier>) {
        let Some(former) = former else {
            return;
        };
        self.counters.notifications_withdrawn.add(u64::try_from(former.len()).unwrap_or(u64::MAX));
        if let Some(service) = former.service {
            self.untie(no, service);
        }
        if let Some(watcher) = former.watcher {
            self.detach_watcher(watcher, no, former.turn);
            self.end(watcher, Subscribed::Notifications(former.id), Ending::Deleted);
        }
    }

    /// The next notification for this link: one of the notifier whose turn it is, oldest first.
    pub(in crate::smp::server) fn next_notification(&mut self, now: Now, link: LinkId) -> Option<Event> {
        while let Some((_, no)) = self.presences.get_mut(&link).and_then(|presence| presence.line.pop_first())
        {
            self.expire_notifications(now.mono, no);
            if let Some(notifier) = self.store.notifier_mut(no) {
                notifier.turn = None;
            }
            let Some(notification) = self.store.take_notification(no) else {
                continue;
            };
            self.line_up(no);
            let Some(notifier) = self.store.notifier(no) else {
                continue;
            };
            self.counters.notifications_sent.count();
            let sealed = SealedNotification::seal(&notification, &notifier.secret, self.nonces.bytes());
            return Some(Event::Notification(notifier.id, sealed));
        }
        self.in_line.remove(&link);
        None
    }

    /// Gives a notifier a place in its watcher's line, if there is something to tell and somebody to tell.
    pub(super) fn line_up(&mut self, no: QueueNo) {
        let turn = self.turn();
        let Some(notifier) = self.store.notifier_mut(no) else {
            return;
        };
        if notifier.is_empty() || notifier.turn.is_some() {
            return;
        }
        let Some(watcher) = notifier.watcher else {
            return;
        };
        if let Some(presence) = self.presences.get_mut(&watcher) {
            notifier.turn = Some(turn);
            presence.line.insert(turn, no);
            self.in_line.insert(watcher);
        }
    }

    fn detach_watcher(&mut self, link: LinkId, no: QueueNo, turn: Option<Turn>) {
        if let Some(presence) = self.presences.get_mut(&link) {
            presence.watched.remove(&no);
            if let Some(turn) = turn {
                presence.line.remove(&turn);
            }
        }
    }
}
