//! NEW: queues come into being. Source: `smp-transport` 5.2.

use super::Broker;
use crate::base::id::{EntityId, ID_LEN, LinkId};
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::X25519Private;
use crate::crypto::sha::sha3_384;
use crate::smp::server::config::Creation;
use crate::smp::server::delivery::{Created, Refusal, Reply};
use crate::smp::server::id::{RecipientId, SenderId, ShortLinkId};
use crate::smp::server::message::Inbox;
use crate::smp::server::queue::{Access, Queue, ShortLink, Status};
use crate::smp::server::readers::Readers;
use crate::smp::server::store::CannotStore;
use crate::wire::smp::queue::{NewQueue, QueueRequest, SubscribeMode};
use alloc::boxed::Box;
use alloc::vec;

impl Broker {
    /// NEW: a queue, subscribed or not, with or without link and notifier.
    ///
    /// The correlation id matters where the client chose the ids.
    pub(in crate::smp::server) fn create(
        &mut self,
        link: LinkId,
        corr_id: &[u8],
        new: &NewQueue<'_>,
    ) -> Reply {
        let is_allowed = match &self.creation {
            Creation::Anybody => true,
            Creation::Nobody => false,
            Creation::WithPassword(password) => password.matches(new.password.unwrap_or_default()),
        };
        if !is_allowed {
            return Reply::Refused(Refusal::Auth);
        }
        let Some((sender, short_link)) = self.sender_and_link(corr_id, new.request) else {
            return Reply::Refused(Refusal::Prohibited);
        };
        let mode = new.request.as_ref().map(QueueRequest::mode);
        let own = X25519Private::generate(&mut self.keys);
        let notifier = new.notifier.map(|keys| self.make_notifier(keys.auth, keys.dh)).unzip();
        let created = Created {
            recipient: RecipientId::new(self.ids.bytes()),
            sender,
            dh: own.public(),
            mode,
            link: short_link.as_ref().map(|short_link| short_link.id.clone()),
            notifier: notifier.1,
        };
        let queue = Queue {
            recipient: created.recipient,
            sender,
            recipient_keys: vec![new.auth],
            secret: BoxKey::of_dh(&own.agree(&new.dh)),
            mode,
            access: Access::Open,
            status: Status::Active,
            notifier: notifier.0,
            link: short_link,
            inbox: Inbox::new(),
            readers: Readers::default(),
        };
        match self.store.create(queue) {
            Ok(no) => {
                self.counters.queues_created.count();
                if new.subscribe == SubscribeMode::Subscribe {
                    self.attach_subscriber(link, no);
                }
                Reply::Created(Box::new(created))
            }
            Err(CannotStore::Full) => Reply::Refused(Refusal::Internal),
            Err(CannotStore::Taken) => Reply::Refused(Refusal::Auth),
        }
    }

    /// The sender id, and the link if link data came along. `None` when the client's choice of a sender id
    /// is not the one that its correlation id gives: otherwise it could take the ids of others' links.
    fn sender_and_link(
        &mut self,
        corr_id: &[u8],
        request: Option<QueueRequest<'_>>,
    ) -> Option<(SenderId, Option<ShortLink>)> {
        let (id, sender, data) = match request {
            None | Some(QueueRequest::Messaging(None) | QueueRequest::Contact(None)) => {
                return Some((SenderId::new(self.ids.bytes()), None));
            }
            Some(QueueRequest::Messaging(Some(link))) => {
                (EntityId::new(&self.ids.bytes::<ID_LEN>())?, link.sender, link.data)
            }
            Some(QueueRequest::Contact(Some(link))) => (EntityId::new(link.link)?, link.sender, link.data),
        };
        let hash = sha3_384(corr_id);
        let derived = hash.first_chunk().filter(|derived| derived.as_slice() == sender)?;
        let link = ShortLink { id: ShortLinkId(id), fixed: data.fixed.into(), user: data.user.into() };
        Some((SenderId::new(*derived), Some(link)))
    }
}
