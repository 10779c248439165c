//! The sender's commands, and those of whoever has a short link. Source: `smp-transport` 5.4.

use super::Broker;
use crate::base::time::Now;
use crate::crypto::keys::AuthPublicKey;
use crate::smp::server::delivery::{Refusal, Reply};
use crate::smp::server::id::{MessageId, QueueNo};
use crate::smp::server::message::{Content, Message, Put};
use crate::smp::server::notifier::Notification;
use crate::smp::server::queue::{SecuredOtherwise, Status};
use crate::smp::server::store::Stored;
use crate::wire::smp::queue::QueueMode;

impl Broker {
    /// SEND: a message for the recipient, and a notification if the sender asked for one.
    ///
    /// `len_max` is what the agreed version allows.
    pub(in crate::smp::server) fn send(
        &mut self,
        now: Now,
        no: QueueNo,
        notify: bool,
        body: &[u8],
        len_max: usize,
    ) -> Reply {
        if body.len() > len_max {
            return Reply::Refused(Refusal::LargeMessage);
        }
        match self.store.queue(no).map(|queue| queue.status) {
            Some(Status::Active) => {}
            Some(Status::Suspended) | None => return Reply::Refused(Refusal::Auth),
        }
        self.expire_messages(now.mono, no);
        let id = MessageId::new(self.ids.bytes());
        let timestamp = now.wall.unix_secs();
        let content = Content::Sent { notify, body: body.into() };
        let put = self.store.put(no, Message { id, timestamp, received: now.mono, content });
        match put {
            Put::Stored => {
                self.counters.messages_accepted.count();
                if notify {
                    self.notify(no, Notification { message: id, timestamp, stored: now.mono });
                }
                self.owe(no);
                Reply::Done
            }
            Put::Marked => {
                self.counters.messages_refused.count();
                self.owe(no);
                Reply::Refused(Refusal::Quota)
            }
            Put::Refused => {
                self.counters.messages_refused.count();
                Reply::Refused(Refusal::Quota)
            }
        }
    }

    /// Stores a notification for the next round, if the queue has a notifier.
    fn notify(&mut self, no: QueueNo, notification: Notification) {
        match self.store.store_notification(no, notification) {
            None => return,
            Some(Stored::No) => {
                self.counters.notifications_dropped.count();
                return;
            }
            Some(Stored::InPlaceOfOldest) => {
                self.counters.notifications_dropped.count();
                self.counters.notifications_stored.count();
            }
            Some(Stored::Yes) => self.counters.notifications_stored.count(),
        }
        self.line_up(no);
    }

    /// SKEY: the sender secures the queue with its own key. Messaging queues only.
    pub(in crate::smp::server) fn secure_by_sender(&mut self, no: QueueNo, key: AuthPublicKey) -> Reply {
        match self.set_sender_key(no, key) {
            Ok(()) => Reply::Done,
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    /// LGET: what a contact queue's short link leads to.
    pub(in crate::smp::server) fn follow_contact_link(&self, no: QueueNo) -> Reply {
        self.follow(no, QueueMode::Contact)
    }

    /// LKEY: what a messaging queue's short link leads to; secures the queue for whoever follows it first.
    pub(in crate::smp::server) fn follow_and_secure(&mut self, no: QueueNo, key: AuthPublicKey) -> Reply {
        match self.set_sender_key(no, key) {
            Ok(()) => self.follow(no, QueueMode::Messaging),
            Err(refusal) => Reply::Refused(refusal),
        }
    }

    fn set_sender_key(&mut self, no: QueueNo, key: AuthPublicKey) -> Result<(), Refusal> {
        let queue = self.store.queue_mut(no).filter(|queue| queue.mode == Some(QueueMode::Messaging));
        queue.ok_or(Refusal::Auth)?.access.secure(key).map_err(|SecuredOtherwise| Refusal::Auth)
    }

    fn follow(&self, no: QueueNo, mode: QueueMode) -> Reply {
        let queue = self.store.queue(no).filter(|queue| queue.mode == Some(mode));
        match queue.and_then(|queue| Some((queue.sender, queue.link.as_ref()?))) {
            Some((sender, link)) => {
                Reply::ShortLink { sender, fixed: link.fixed.clone(), user: link.user.clone() }
            }
            None => Reply::Refused(Refusal::Auth),
        }
    }
}
