//! A client's state as bytes, for programs that end between two commands.
//!
//! ```text
//! state  = "NTFC" version(1) body checksum
//! body   = Word32 queues made || maybe(token) || list32(leaving)
//!        || list32(queue) || list32(deleting) || list32(sender)
//! token  = server provider short(device) short(key) dh(32) phase
//! phase  = "N" | "R" issued | "V" issued code(32) | "A" issued | "I" issued short(status)
//! issued = short(token id) secret(32)
//! leaving = server short(token id) short(key)
//! queue  = Word32 id server short(key) short(recipient id) short(sender id) secret(32)
//!          maybe(short(notifier id) short(key) secret(32)) maybe(short(subscription id))
//!          Int64 broker time list(message id(24))
//! deleting = Word32 id server short(key) short(recipient id)
//! sender = server short(sender id) short(key) Bool secured
//! checksum = the first 8 bytes of the SHA-256 of all before
//! ```
//!
//! `server` and the primitives are those of [`crate::wire`]; keys are PKCS#8. The bytes hold every secret of
//! the device in the clear: whoever stores them owns their protection. The checksum finds accidents,
//! not attacks. What was under way (requests, a queue that is being created) is not part of it: a client
//! that is restored begins those anew or has forgotten them.

use crate::base::backoff::Backoff;
use crate::base::fault::PeerFault;
use crate::base::id::EntityId;
use crate::base::limits::NONCE_LEN;
use crate::base::rng::Seed;
use crate::base::secret::Secret;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::config::Config;
use crate::client::input::QueueId;
use crate::client::leave::{Leaving, Left};
use crate::client::queue::{
    Check, DeleteStep, Lane, Live, Notifier, NotifierKeys, Phase as QueuePhase, Queue, Subscription,
};
use crate::client::send::Phase as SenderPhase;
use crate::client::token::{Issued, Phase, Token};
use crate::crypto::keys::{AuthPrivateKey, DhSecret, X25519Private};
use crate::crypto::sha::sha256;
use crate::model::server::SenderAddress;
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::DeviceToken;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::ntf::command::Device;
use crate::wire::server;
use crate::wire::text::status;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

const MAGIC: &[u8; 4] = b"NTFC";

/// The version of the format that is written, and the only one that is read.
const VERSION: u8 = 1;

const CHECKSUM_LEN: usize = 8;

/// Why bytes are not the state of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// They do not begin as a state does.
    NotAState,
    /// They were written by a program of another version.
    OtherVersion {
        /// The version of the bytes.
        found: u8,
    },
    /// They are cut short or were changed.
    Damaged,
    /// They are whole, but hold something that cannot be.
    Malformed {
        /// The field that is wrong.
        field: &'static str,
    },
    /// They hold more than the configuration allows.
    TooMany {
        /// Of what.
        what: &'static str,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAState => f.write_str("this is not the state of a device"),
            Self::OtherVersion { found } => {
                write!(f, "the state is of version {found}; this program reads version {VERSION}")
            }
            Self::Damaged => f.write_str("the state is damaged: its checksum does not fit"),
            Self::Malformed { field } => write!(f, "the state is whole, but its {field} is not possible"),
            Self::TooMany { what } => write!(f, "the state holds more {what} than the configuration allows"),
        }
    }
}

impl core::error::Error for ImportError {}

impl From<PeerFault> for ImportError {
    fn from(fault: PeerFault) -> Self {
        Self::Malformed { field: fault.field() }
    }
}

impl Client {
    /// Everything a device must not lose, as bytes. They hold secrets; see the module.
    #[must_use]
    pub fn export(&self) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once: a vector that grows leaves copies of secrets behind.
        let room = 4096 + 2048 * (self.queues.len() + self.senders.kept().count() + self.leavings.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        let mut writer = Writer::new(&mut bytes);
        writer.bytes(MAGIC).u8(VERSION).u32(self.queues_made);
        writer.maybe(self.token.as_ref(), write_token);
        let tokens = self.leavings.iter().filter(|leaving| leaving.what == Left::Token);
        write_list(&mut writer, tokens, |writer, leaving| {
            server::encode(&leaving.server, writer);
            writer.short(leaving.id.as_bytes()).short(&leaving.auth.to_pkcs8());
        });
        let kept = || self.queues.iter().filter_map(|(id, queue)| Some((id, queue, queue.live()?)));
        write_list(&mut writer, kept(), |writer, (id, queue, live)| write_queue(writer, *id, queue, live));
        let deleting = || {
            self.queues.iter().filter_map(|(id, queue)| match &queue.phase {
                QueuePhase::Deleting { recipient, .. } => Some((id, queue, recipient)),
                QueuePhase::Creating { .. } | QueuePhase::Live(_) => None,
            })
        };
        write_list(&mut writer, deleting(), |writer, (id, queue, recipient)| {
            writer.u32(id.0);
            server::encode(&queue.server, writer);
            writer.short(&queue.auth.to_pkcs8()).short(recipient.as_bytes());
        });
        write_list(&mut writer, self.senders.kept(), |writer, sender| {
            server::encode(&sender.address.server, writer);
            writer.short(sender.address.sender.as_bytes()).short(&sender.auth.to_pkcs8());
            writer.bool(sender.phase == SenderPhase::Secured);
        });
        let checksum = sha256(&bytes);
        bytes.extend(checksum.into_iter().take(CHECKSUM_LEN));
        bytes
    }

    /// A client with the state that [`export`](Self::export) gave.
    ///
    /// It does nothing by itself: `Register` with the same device token checks the registration, and goes
    /// on with one that was interrupted.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes. Nothing of them is used then.
    pub fn import(config: Config, seed: Seed, now: Now, bytes: &[u8]) -> Result<Self, ImportError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ImportError::NotAState)?;
        match rest.first() {
            Some(&VERSION) => {}
            Some(&found) => return Err(ImportError::OtherVersion { found }),
            None => return Err(ImportError::Damaged),
        }
        let (content, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_LEN)
            .and_then(|len| bytes.split_at_checked(len))
            .ok_or(ImportError::Damaged)?;
        if !sha256(content).starts_with(checksum) {
            return Err(ImportError::Damaged);
        }
        let body = content.get(MAGIC.len() + 1..).ok_or(ImportError::Damaged)?;

        let mut client = Self::new(config, seed, now);
        let mut reader = Reader::new(body);
        client.queues_made = reader.u32("number of queues")?;
        if let Some(token) = reader.maybe("token", |reader| read_token(reader, &mut client))? {
            client.generation = token.generation;
            client.token = Some(token);
        }
        for _ in 0..reader.u32("number of old tokens")? {
            let leaving = Leaving {
                what: Left::Token,
                server: server::decode(&mut reader)?,
                id: entity(&mut reader, "token id")?,
                auth: key(&mut reader, "key of an old token")?,
                until: now.mono + client.config.deletion_age_max,
                lane: Lane::Free,
                backoff: Backoff::new(),
            };
            client.enter_leaving(leaving);
        }
        for _ in 0..reader.u32("number of queues")? {
            if client.queues.len() >= client.config.queues_max {
                return Err(ImportError::TooMany { what: "queues" });
            }
            let (id, queue) = read_queue(&mut reader)?;
            client.queues.insert(id, queue);
            client.note_notifier(id);
        }
        for _ in 0..reader.u32("number of queues to delete")? {
            let id = QueueId(reader.u32("queue")?);
            let server = server::decode(&mut reader)?;
            let auth = key(&mut reader, "key of a queue")?;
            let recipient = entity(&mut reader, "recipient id")?;
            let (step, lane, backoff) = (DeleteStep::Notifier, Lane::Free, Backoff::new());
            let until = now.mono + client.config.deletion_age_max;
            let phase = QueuePhase::Deleting { recipient, step, lane, until, backoff };
            client.queues.insert(id, Queue { server, auth, phase });
        }
        for _ in 0..reader.u32("number of senders")? {
            let server = server::decode(&mut reader)?;
            let address = SenderAddress { server, sender: entity(&mut reader, "sender id")? };
            let auth = key(&mut reader, "key of a sender")?;
            let phase = if reader.bool("secured")? { SenderPhase::Secured } else { SenderPhase::Open };
            let bound = client.config.senders_max;
            client
                .senders
                .enter(address, bound, || auth, phase)
                .ok_or(ImportError::TooMany { what: "addresses" })?;
        }
        reader.finish("state")?;
        Ok(client)
    }
}

fn write_list<'w, T>(
    writer: &mut Writer<'w>,
    items: impl Iterator<Item = T> + Clone,
    mut write: impl FnMut(&mut Writer<'w>, T),
) {
    writer.u32(u32::try_from(items.clone().count()).expect("the tables are bounded far below 2^32"));
    for item in items {
        write(writer, item);
    }
}

fn write_token(writer: &mut Writer<'_>, token: &Token) {
    server::encode(&token.server, writer);
    Device::of(&token.device).encode(writer);
    writer.short(&token.auth.to_pkcs8()).bytes(token.dh.expose());
    let issued = |writer: &mut Writer<'_>, tag: u8, issued: &Issued| {
        writer.u8(tag).short(issued.id.as_bytes()).bytes(issued.secret.expose());
    };
    match &token.phase {
        Phase::New => {
            writer.u8(b'N');
        }
        Phase::Registered(by) => issued(writer, b'R', by),
        Phase::Verifying(by, code) => {
            issued(writer, b'V', by);
            writer.bytes(code.expose());
        }
        Phase::Active(by) => issued(writer, b'A', by),
        Phase::Refused(by, refusal) => {
            issued(writer, b'I', by);
            writer.short(status::token(*refusal).as_bytes());
        }
    }
}

fn read_token(reader: &mut Reader<'_>, client: &mut Client) -> Result<Token, PeerFault> {
    let server = server::decode(reader)?;
    let device: DeviceToken = Device::decode(reader)?.to_token();
    let auth = key(reader, "key of the token")?;
    let dh = X25519Private::from_bytes(reader.array("agreement key of the token")?);
    let tag = reader.u8("phase of the token")?;
    let mut issued = || -> Result<Issued, PeerFault> {
        Ok(Issued {
            id: entity(reader, "token id")?,
            secret: DhSecret::new(reader.array("secret of the token")?),
        })
    };
    let phase = match tag {
        b'N' => Phase::New,
        b'R' => Phase::Registered(issued()?),
        b'V' => Phase::Verifying(issued()?, Secret::new(reader.array("code")?)),
        b'A' => Phase::Active(issued()?),
        b'I' => {
            let issued = issued()?;
            let text = reader.short_text("token status")?;
            let refusal = status::parse_token(text).ok_or(PeerFault::Malformed { field: "token status" })?;
            Phase::Refused(issued, refusal)
        }
        _ => return Err(PeerFault::Malformed { field: "phase of the token" }),
    };
    let fresh = Token::new(client.generation.next(), server, device, &mut client.keys);
    Ok(Token { auth, dh, phase, ..fresh })
}

fn write_queue(writer: &mut Writer<'_>, id: QueueId, queue: &Queue, live: &Live) {
    writer.u32(id.0);
    server::encode(&queue.server, writer);
    writer.short(&queue.auth.to_pkcs8());
    writer.short(live.recipient.as_bytes()).short(live.sender.as_bytes()).bytes(live.secret.expose());
    writer.maybe(live.notifier_keys(), |writer, keys| {
        writer.short(keys.id.as_bytes()).short(&keys.auth.to_pkcs8()).bytes(keys.secret.expose());
    });
    let subscription = match &live.subscription {
        Subscription::Made { id, .. } => Some(id),
        Subscription::Missing | Subscription::Delayed | Subscription::Asked => None,
    };
    writer.maybe(subscription, |writer, id| {
        writer.short(id.as_bytes());
    });
    let messages: Vec<_> = live.seen.messages().copied().collect();
    writer.i64(live.seen.broker_time).list(&messages, |writer, id| {
        writer.bytes(id);
    });
}

fn read_queue(reader: &mut Reader<'_>) -> Result<(QueueId, Queue), PeerFault> {
    let id = QueueId(reader.u32("queue")?);
    let server = server::decode(reader)?;
    let auth = key(reader, "key of a queue")?;
    let recipient = entity(reader, "recipient id")?;
    let sender = entity(reader, "sender id")?;
    let mut live = Live::new(recipient, sender, DhSecret::new(reader.array("secret of a queue")?));
    let keys = reader.maybe("notifier", |reader| {
        Ok(NotifierKeys {
            id: entity(reader, "notifier id")?,
            auth: key(reader, "key of a notifier")?,
            secret: DhSecret::new(reader.array("secret of a notifier")?),
        })
    })?;
    if let Some(keys) = keys {
        live.notifier = Notifier::Ready(keys);
    }
    if let Some(id) = reader.maybe("subscription", |reader| entity(reader, "subscription id"))? {
        live.subscription = Subscription::Made { id, status: SubscriptionStatus::New, check: Check::Idle };
    }
    let broker_time = reader.i64("time of the last message")?;
    for _ in 0..reader.u8("number of messages")? {
        let message: [u8; NONCE_LEN] = reader.array("message id")?;
        live.seen.note_message(&message, broker_time);
    }
    live.seen.broker_time = broker_time;
    Ok((id, Queue { server, auth, phase: QueuePhase::Live(Box::new(live)) }))
}

fn entity(reader: &mut Reader<'_>, field: &'static str) -> Result<EntityId, PeerFault> {
    EntityId::new(reader.short(field)?).ok_or(PeerFault::Malformed { field })
}

fn key(reader: &mut Reader<'_>, field: &'static str) -> Result<AuthPrivateKey, PeerFault> {
    AuthPrivateKey::from_pkcs8(reader.short(field)?).map_err(|_| PeerFault::Malformed { field })
}
