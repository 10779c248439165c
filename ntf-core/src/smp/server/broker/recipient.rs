//! The recipient's commands. Source: `smp-transport` 5.3.

use super::Broker;
use crate::base::id::LinkId;
use crate::base::time::Now;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::smp::server::delivery::{NewNotifier, Refusal, Reply, SealedMessage};
use crate::smp::server::id::{NotifierId, QueueNo, ShortLinkId};
use crate::smp::server::info;
use crate::smp::server::notifier::Notifier;
use crate::smp::server::presence::{Ending, Subscribed};
use crate::smp::server::queue::{Access, ShortLink, Status};
use crate::smp::server::readers::{Acknowledged, Reading};
use crate::smp::server::store::CannotStore;
use crate::wire::smp::queue::{LinkData, QueueMode};

impl Broker {
    /// SUB: messages of this queue are pushed to `link` from now on. What is held follows as an event.
    pub(in crate::smp::server) fn subscribe(&mut self, now: Now, link: LinkId, no: QueueNo) -> Reply {
        let Some(queue) = self.store.queue(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        if queue.readers.reading(link) == Reading::Fetching {
            return Reply::Refused(Refusal::Prohibited);
        }
        self.expire_messages(now.mono, no);
        self.attach_subscriber(link, no);
        Reply::Subscribed
    }

    /// Makes `link` the subscriber. Repeating it delivers the unacknowledged message again.
    pub(super) fn attach_subscriber(&mut self, link: LinkId, no: QueueNo) {
        let Some(queue) = self.store.queue_mut(no) else {
            return;
        };
        let subscribed = Subscribed::Messages(queue.recipient);
        let former = queue.readers.subscribe(link);
        if let Some(former) = former.filter(|former| *former != link) {
            self.detach_subscriber(former, no);
            self.end(former, subscribed, Ending::TakenOver);
        }
        if let Some(presence) = self.presences.get_mut(&link) {
            presence.subscribed.insert(no);
            // A link that lost the queue and took it back must not be told that it lost it.
            presence.endings.remove(&subscribed);
        }
        self.owe(no);
    }

    fn detach_subscriber(&mut self, link: LinkId, no: QueueNo) {
        if let Some(presence) = self.presences.get_mut(&link) {
            presence.subscribed.remove(&no);
            presence.owed.remove(&no);
        }
    }

    /// GET: one message, without a subscription.
    pub(in crate::smp::server) fn fetch(&mut self, now: Now, link: LinkId, no: QueueNo) -> Reply {
        self.expire_messages(now.mono, no);
        let Some(queue) = self.store.queue_mut(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        if queue.readers.reading(link) == Reading::Subscribed {
            return Reply::Refused(Refusal::Prohibited);
        }
        let sealed = queue.inbox.first().map(|message| SealedMessage::seal(message, &queue.secret));
        queue.readers.fetched(link, sealed.as_ref().map(|sealed| sealed.id));
        self.answer_with(sealed)
    }

    /// ACK: the last delivered message is done with.
    pub(in crate::smp::server) fn acknowledge(
        &mut self,
        now: Now,
        link: LinkId,
        no: QueueNo,
        named: &[u8],
    ) -> Reply {
        let Some(queue) = self.store.queue_mut(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        let Some(acknowledged) = queue.readers.acknowledge(link, named) else {
            return Reply::Refused(Refusal::NoMessage);
        };
        let (Acknowledged::BySubscriber(id) | Acknowledged::ByFetcher(id)) = acknowledged;
        if self.store.remove_message(no, id).is_some() {
            self.counters.messages_acknowledged.count();
        }
        match acknowledged {
            Acknowledged::ByFetcher(_) => Reply::Done,
            Acknowledged::BySubscriber(_) => {
                self.expire_messages(now.mono, no);
                let sealed = self.store.queue_mut(no).and_then(|queue| {
                    let sealed = SealedMessage::seal(queue.inbox.first()?, &queue.secret);
                    queue.readers.delivered(sealed.id);
                    Some(sealed)
                });
                self.answer_with(sealed)
            }
        }
    }

    fn answer_with(&mut self, sealed: Option<SealedMessage>) -> Reply {
        match sealed {
            Some(sealed) => {
                self.counters.messages_delivered.count();
                Reply::Message(sealed)
            }
            None => Reply::Done,
        }
    }

    /// KEY: from now on only the owner of `key` may send.
    pub(in crate::smp::server) fn secure(&mut self, no: QueueNo, key: AuthPublicKey) -> Reply {
        match self.store.queue_mut(no).map(|queue| queue.access.secure(key)) {
            Some(Ok(())) => Reply::Done,
            Some(Err(_)) | None => Reply::Refused(Refusal::Auth),
        }
    }

    /// RKEY: these keys replace the recipient's. For contact queues, which several devices may own.
    pub(in crate::smp::server) fn replace_recipient_keys(
        &mut self,
        no: QueueNo,
        keys: &[AuthPublicKey],
    ) -> Reply {
        if keys.len() > self.recipient_keys_max {
            return Reply::Refused(Refusal::Internal);
        }
        match self.store.queue_mut(no) {
            Some(queue) if queue.mode == Some(QueueMode::Contact) && !keys.is_empty() => {
                queue.recipient_keys = keys.into();
                Reply::Done
            }
            Some(_) | None => Reply::Refused(Refusal::Auth),
        }
    }

    /// NKEY: a fresh notifier replaces the former, whose id is gone even if the key is the same.
    pub(in crate::smp::server) fn set_notifier(
        &mut self,
        no: QueueNo,
        key: AuthPublicKey,
        dh: X25519Public,
    ) -> Reply {
        if self.store.queue(no).is_none() {
            return Reply::Refused(Refusal::Auth);
        }
        let (notifier, told) = self.make_notifier(key, dh);
        if self.store.has_notifier(notifier.id) {
            return Reply::Refused(Refusal::Internal);
        }
        let former = self.store.replace_notifier(no, Some(notifier));
        self.withdraw(no, former);
        Reply::Notifier(told)
    }

    /// NDEL: no notifier. Also fine when there was none.
    pub(in crate::smp::server) fn remove_notifier(&mut self, no: QueueNo) -> Reply {
        if self.store.queue(no).is_none() {
            return Reply::Refused(Refusal::Auth);
        }
        let former = self.store.replace_notifier(no, None);
        self.withdraw(no, former);
        Reply::Done
    }

    /// OFF: nobody may send; reading goes on.
    pub(in crate::smp::server) fn suspend(&mut self, no: QueueNo) -> Reply {
        match self.store.queue_mut(no) {
            Some(queue) => {
                queue.status = Status::Suspended;
                Reply::Done
            }
            None => Reply::Refused(Refusal::Auth),
        }
    }

    /// DEL: the queue and all that it holds is gone. Other links that were subscribed learn of it.
    pub(in crate::smp::server) fn delete(&mut self, link: LinkId, no: QueueNo) -> Reply {
        let Some(mut queue) = self.store.remove(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        self.counters.queues_deleted.count();
        if let Some(subscriber) = queue.readers.subscriber() {
            self.detach_subscriber(subscriber, no);
            if subscriber != link {
                self.end(subscriber, Subscribed::Messages(queue.recipient), Ending::Deleted);
            }
        }
        self.withdraw(no, queue.notifier.take());
        Reply::Done
    }

    /// QUE: what is known of the queue, for its owner's debugging.
    pub(in crate::smp::server) fn describe(&self, link: LinkId, no: QueueNo) -> Reply {
        let Some(queue) = self.store.queue(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        let is_owed = self.presences.get(&link).is_some_and(|presence| presence.owed.contains(&no));
        Reply::Info(info::describe(&info::View {
            is_secured: matches!(queue.access, Access::Secured(_)),
            has_notifier: queue.notifier.is_some(),
            messages: queue.inbox.len(),
            first: queue.inbox.first(),
            reading: queue.readers.reading(link),
            is_owed,
            unacknowledged: queue.readers.unacknowledged_by(link),
        }))
    }

    /// LSET: sets what the short link leads to, or replaces the part that may change.
    pub(in crate::smp::server) fn set_short_link(
        &mut self,
        no: QueueNo,
        id: ShortLinkId,
        data: LinkData<'_>,
    ) -> Reply {
        let Some(queue) = self.store.queue(no) else {
            return Reply::Refused(Refusal::Auth);
        };
        if queue.link.as_ref().is_some_and(|link| link.id != id || *link.fixed != *data.fixed) {
            return Reply::Refused(Refusal::Auth);
        }
        let link = ShortLink { id, fixed: data.fixed.into(), user: data.user.into() };
        match self.store.replace_link(no, Some(link)) {
            Ok(()) => Reply::Done,
            Err(CannotStore::Taken) => Reply::Refused(Refusal::Auth),
            Err(CannotStore::Full) => Reply::Refused(Refusal::Internal),
        }
    }

    /// LDEL: the short link leads nowhere. Also fine when there was none.
    pub(in crate::smp::server) fn remove_short_link(&mut self, no: QueueNo) -> Reply {
        if self.store.queue(no).is_none() {
            return Reply::Refused(Refusal::Auth);
        }
        match self.store.replace_link(no, None) {
            Ok(()) => Reply::Done,
            Err(CannotStore::Taken | CannotStore::Full) => Reply::Refused(Refusal::Internal),
        }
    }

    /// A notifier under a fresh id, and what its owner is told of it.
    pub(super) fn make_notifier(&mut self, key: AuthPublicKey, dh: X25519Public) -> (Notifier, NewNotifier) {
        let id = NotifierId::new(self.ids.bytes());
        let own = X25519Private::generate(&mut self.keys);
        let secret = BoxKey::of_dh(&own.agree(&dh));
        (Notifier::new(id, key, secret), NewNotifier { id, dh: own.public() })
    }
}
