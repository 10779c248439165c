//! NEW: queues come into being. Source: `smp-transport` 5.2.

use super::Broker;
use crate::base::id::{EntityId, LinkId};
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::crypto::sha::sha3_384;
use crate::smp::server::config::Creation;
use crate::smp::server::delivery::{Created, Refusal, Reply};
use crate::smp::server::id::{RecipientId, SenderId, ShortLinkId};
use crate::smp::server::message::Inbox;
use crate::smp::server::queue::{Access, Mode, Queue, ShortLink, Status};
use crate::smp::server::readers::Readers;
use crate::smp::server::store::CannotStore;
use alloc::boxed::Box;
use alloc::vec;

/// A NEW whose authorization by `key` was checked.
#[derive(Debug)]
pub(in crate::smp::server) struct NewQueue<'a> {
    /// The command's correlation id, from which a sender id of the client's choice must derive.
    pub(in crate::smp::server) corr_id: &'a [u8],
    /// The recipient's key.
    pub(in crate::smp::server) key: AuthPublicKey,
    /// The recipient's half of the agreement on message encryption.
    pub(in crate::smp::server) dh: X25519Public,
    /// The password for creating queues.
    pub(in crate::smp::server) password: Option<&'a [u8]>,
    /// Whether the link subscribes at once.
    pub(in crate::smp::server) subscribe: bool,
    /// What the queue is for, as far as the client says.
    pub(in crate::smp::server) mode: Option<Mode>,
    /// Ids of the client's choice and what they lead to.
    pub(in crate::smp::server) link_data: Option<LinkData<'a>>,
    /// Notifier key and the recipient's half of the agreement on notification encryption.
    pub(in crate::smp::server) notifier: Option<(AuthPublicKey, X25519Public)>,
}

/// Link data that comes with NEW.
#[derive(Debug)]
pub(in crate::smp::server) struct LinkData<'a> {
    /// The link id, for contact queues; the server makes that of a messaging queue.
    pub(in crate::smp::server) id: Option<&'a [u8]>,
    /// The sender id that the client derived.
    pub(in crate::smp::server) sender: &'a [u8],
    /// The part that never changes.
    pub(in crate::smp::server) fixed: &'a [u8],
    /// The part that the owner may replace.
    pub(in crate::smp::server) user: &'a [u8],
}

impl Broker {
    /// NEW: a queue, subscribed or not, with or without link and notifier.
    pub(in crate::smp::server) fn create(&mut self, link: LinkId, new: &NewQueue<'_>) -> Reply {
        let is_allowed = match &self.creation {
            Creation::Anybody => true,
            Creation::Nobody => false,
            Creation::WithPassword(password) => password.matches(new.password.unwrap_or_default()),
        };
        if !is_allowed {
            return Reply::Refused(Refusal::Auth);
        }
        let (sender, short_link) = match &new.link_data {
            None => (SenderId::new(self.ids.bytes()), None),
            Some(data) => match self.chosen_ids(new.corr_id, data) {
                Some((sender, short_link)) => (sender, Some(short_link)),
                None => return Reply::Refused(Refusal::Prohibited),
            },
        };
        let own = X25519Private::generate(&mut self.keys);
        let notifier = new.notifier.map(|(key, dh)| self.make_notifier(key, dh)).unzip();
        let created = Created {
            recipient: RecipientId::new(self.ids.bytes()),
            sender,
            dh: own.public(),
            mode: new.mode,
            link: short_link.as_ref().map(|short_link| short_link.id.clone()),
            notifier: notifier.1,
        };
        let queue = Queue {
            recipient: created.recipient,
            sender,
            recipient_keys: vec![new.key],
            secret: BoxKey::of_dh(&own.agree(&new.dh)),
            mode: new.mode,
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
                if new.subscribe {
                    self.attach_subscriber(link, no);
                }
                Reply::Created(Box::new(created))
            }
            Err(CannotStore::Full) => Reply::Refused(Refusal::Internal),
            Err(CannotStore::Taken) => Reply::Refused(Refusal::Auth),
        }
    }

    /// The sender id and the link that a client chose. `None` when the sender id is not the one that its
    /// correlation id gives: otherwise a client could take the ids of others' links.
    fn chosen_ids(&mut self, corr_id: &[u8], data: &LinkData<'_>) -> Option<(SenderId, ShortLink)> {
        let hash = sha3_384(corr_id);
        let derived = hash.first_chunk().filter(|derived| derived.as_slice() == data.sender)?;
        let id = match data.id {
            Some(id) => EntityId::new(id)?,
            None => EntityId::new(&self.ids.bytes::<24>())?,
        };
        let short_link = ShortLink { id: ShortLinkId(id), fixed: data.fixed.into(), user: data.user.into() };
        Some((SenderId::new(*derived), short_link))
    }
}
