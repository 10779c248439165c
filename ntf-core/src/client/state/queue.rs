//! Queues, read: all of them, or those that a push names.
//!
//! Making a key of its bytes computes its public half, which costs more than everything else about a queue. A program
//! that is started for one push reads the others past it.

use super::read::{Spans, entity, key_of};
use super::{Duration, ImportError, Now, PeerFault, Queue, QueuePhase, Reader, Version};
use crate::base::id::EntityId;
use crate::base::limits::NONCE_LEN;
use crate::client::Client;
use crate::client::input::QueueId;
use crate::client::mode::Notifications;
use crate::client::on_timer::Timer;
use crate::client::queue::{Check, Live, Notifier, NotifierKeys, Removal, Subscription};
use crate::client::receive::NotifierKey;
use crate::crypto::keys::DhSecret;
use crate::model::server::ServerAddress;
use crate::model::subscription::SubscriptionStatus;
use crate::wire::server;
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Which queues are read.
pub(super) enum Wanted {
    All,
    Named(BTreeSet<NotifierKey>),
}

impl Wanted {
    fn has(&self, record: &Record<'_>) -> bool {
        match (self, &record.notifier) {
            (Self::All, _) => true,
            (Self::Named(names), Written::Keys { id, .. }) => {
                names.contains(&NotifierKey::new(&record.server, id))
            }
            (Self::Named(_), Written::None(_)) => false,
        }
    }
}

/// A queue as it is written; keys are bytes still.
struct Record<'a> {
    id: QueueId,
    server: ServerAddress,
    auth: &'a [u8],
    recipient: EntityId,
    sender: EntityId,
    secret: DhSecret,
    notifications: Notifications,
    notifier: Written<'a>,
    subscription: Option<(EntityId, Duration)>,
    is_to_be_fetched: bool,
    broker_time: i64,
    messages: Vec<[u8; NONCE_LEN]>,
}

/// A notifier as it is written.
enum Written<'a> {
    Keys { id: EntityId, auth: &'a [u8], secret: DhSecret },
    None(Notifier),
}

impl Client {
    pub(super) fn read_queue(
        &mut self,
        now: Now,
        reader: &mut Reader<'_>,
        spans: Spans,
        wanted: &Wanted,
    ) -> Result<(), ImportError> {
        let id = self.read_queue_id(reader)?;
        let usual = self.config.first_check.max(self.config.later_checks);
        let record = Record::read(id, reader, spans, usual)?;
        if wanted.has(&record) {
            self.enter_queue(now, record)?;
        }
        Ok(())
    }

    fn enter_queue(&mut self, now: Now, record: Record<'_>) -> Result<(), PeerFault> {
        let id = record.id;
        let mut live = Live::new(record.recipient, record.sender, record.secret);
        live.notifications = record.notifications;
        live.notifier = match record.notifier {
            Written::Keys { id, auth, secret } => {
                Notifier::Ready(NotifierKeys { id, auth: key_of(auth, "key of a notifier")?, secret })
            }
            Written::None(notifier) => notifier,
        };
        if let Some((subscription, due)) = record.subscription {
            let (status, check) = (SubscriptionStatus::New, Check::Idle);
            live.subscription = Subscription::Made { id: subscription, status, check };
            self.timers.set(Timer::Subscription(id), now.mono + due);
        }
        if record.is_to_be_fetched {
            self.soon(now, Timer::Fetch(id));
        }
        for message in &record.messages {
            live.seen.note_message(message, record.broker_time);
        }
        live.seen.broker_time = record.broker_time;
        let auth = key_of(record.auth, "key of a queue")?;
        self.queues
            .insert(id, Queue { server: record.server, auth, phase: QueuePhase::Live(Box::new(live)) });
        Ok(())
    }
}

impl<'a> Record<'a> {
    fn read(id: QueueId, reader: &mut Reader<'a>, spans: Spans, usual: Duration) -> Result<Self, PeerFault> {
        let is_first = spans.version == Version::One;
        Ok(Self {
            id,
            server: server::decode(reader)?,
            auth: reader.short("key of a queue")?,
            recipient: entity(reader, "recipient id")?,
            sender: entity(reader, "sender id")?,
            secret: DhSecret::new(reader.array("secret of a queue")?),
            notifications: match is_first || reader.bool("notifications")? {
                true => Notifications::default(),
                false => Notifications::Off,
            },
            notifier: Written::read(reader, spans.version)?,
            subscription: reader.maybe("subscription", |reader| {
                Ok((entity(reader, "subscription id")?, spans.left(reader, usual)?))
            })?,
            is_to_be_fetched: !is_first && reader.bool("fetch")?,
            broker_time: reader.i64("time of the last message")?,
            messages: (0..reader.u8("number of messages")?)
                .map(|_| reader.array("message id"))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> Written<'a> {
    fn read(reader: &mut Reader<'a>, version: Version) -> Result<Self, PeerFault> {
        let keys = |reader: &mut Reader<'a>| {
            Ok(Self::Keys {
                id: entity(reader, "notifier id")?,
                auth: reader.short("key of a notifier")?,
                secret: DhSecret::new(reader.array("secret of a notifier")?),
            })
        };
        if version == Version::One {
            return Ok(reader.maybe("notifier", keys)?.unwrap_or(Self::None(Notifier::Missing)));
        }
        Ok(match reader.u8("notifier")? {
            b'K' => keys(reader)?,
            b'M' => Self::None(Notifier::Missing),
            b'R' => Self::None(Notifier::Removing(Removal::Wanted)),
            b'O' => Self::None(Notifier::Off),
            _ => return Err(PeerFault::Malformed { field: "notifier" }),
        })
    }
}
