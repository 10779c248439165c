//! The client's side of an open link: from commands to blocks, from blocks to replies.
//!
//! A request takes a tag of whoever asks and comes back with it: as a reply, as a late reply, as timed out,
//! or as lost with the link. Commands are authorized and packed into blocks in the order they come.
//! The module does not know what a command does, nor how links are opened; that is
//! [`engine`](super::engine)'s.

use super::dialect::{Dialect, Signing};
use super::event::Block;
use super::pending::{Answer, Expired, PendingTable};
use super::state::{ClientSession, LinkFault, Unreadable};
use crate::base::fault::PeerFault;
use crate::base::id::{CorrId, EntityId};
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::crypto::auth::{self, Authorization, CannotAuthorize};
use crate::crypto::keys::AuthPrivateKey;
use crate::wire::batch::BatchReader;
use crate::wire::transmission::{self, Outgoing, Transmission};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use zeroize::{Zeroize as _, Zeroizing};

/// The client's end of one open link; `T` is the tag of whoever asks.
pub struct Requester<D: Dialect, T> {
    open: ClientSession<D>,
    /// A request without a tag is a PING of ours.
    pending: PendingTable<Option<T>>,
    correlation: Rng,
    /// Room for the bytes to authorize. Wiped after each use: a command may hold a private key (SNEW).
    to_auth: Zeroizing<Vec<u8>>,
}

/// How a requester waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequesterPlan {
    /// How long to wait for a reply. Default 30 s. Source: `smp-transport` 7.1, background.
    pub timeout: Duration,
    /// Most requests that wait for a reply at a time. At the bound [`NotSent::Full`] is the answer.
    /// Default 4096, about 30 blocks of NSUB: several of them are always on the way, and a record of
    /// each takes about 100 bytes. Source: ours.
    pub in_flight_max: usize,
}

impl Default for RequesterPlan {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(30), in_flight_max: 4096 }
    }
}

/// Why a request was not sent. Nothing will come back for its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// There is no open link. Wait for [`ClientEvent::Ready`](super::engine::ClientEvent::Ready).
    NotReady,
    /// Enough requests are on their way; try again after the next replies.
    Full,
    /// The command is longer than a block. It never will be sent.
    TooLong,
    /// The key cannot be used with this server or in this build.
    CannotAuthorize(CannotAuthorize),
    /// The command is for services, and we are none here.
    NoService,
}

impl<D: Dialect, T: Copy> Requester<D, T> {
    /// The client's end of the link that this session was opened on.
    pub(crate) fn new(open: ClientSession<D>, plan: RequesterPlan, correlation: Rng) -> Self {
        let pending = PendingTable::new(plan.timeout, plan.in_flight_max);
        Self { open, pending, correlation, to_auth: Zeroizing::default() }
    }

    /// The agreed version.
    pub const fn version(&self) -> D::Version {
        self.open.version()
    }

    /// How many requests may be made before the next replies: the complement of the gauge.
    pub fn room(&self) -> usize {
        if self.open.outgoing.is_congested() { 0 } else { self.pending.room() }
    }

    /// The id of the service that we are on this link, if we are one.
    pub fn service(&self) -> Option<&EntityId> {
        self.open.service()
    }

    /// Sends a command about `entity`, authorized with `key`. What a service has to sign is signed, and what
    /// it signs alone needs no key.
    ///
    /// # Errors
    ///
    /// See [`NotSent`].
    pub fn request(
        &mut self,
        now: Mono,
        entity: Option<&EntityId>,
        key: Option<&AuthPrivateKey>,
        command: &D::Command<'_>,
        tag: T,
    ) -> Result<(), NotSent> {
        if self.room() == 0 {
            return Err(NotSent::Full);
        }
        self.send(now, entity, key, command, Some(tag))
    }

    /// Sends a PING; its reply is swallowed.
    pub(crate) fn ping(&mut self, now: Mono) {
        // A PING needs no key and always fits. It goes out also when the window is used up.
        let sent = self.send(now, None, None, &D::ping(), None);
        debug_assert_eq!(sent, Ok(()), "a PING fits any block");
    }

    fn send(
        &mut self,
        now: Mono,
        entity: Option<&EntityId>,
        key: Option<&AuthPrivateKey>,
        command: &D::Command<'_>,
        tag: Option<T>,
    ) -> Result<(), NotSent> {
        let version = self.version();
        let session_id = &*self.open.session.id;
        let corr = CorrId::new(self.correlation.bytes());
        let entity_id = entity.map_or(&[][..], EntityId::as_bytes);

        let signing = match (&self.open.service, D::signing(command)) {
            (None, Signing::Service) => return Err(NotSent::NoService),
            (None, Signing::OwnerAndService) => Signing::Owner,
            (_, signing) => signing,
        };

        // Room at once for all but messages, so that no unwiped copy is left by growing.
        self.to_auth.reserve(TO_AUTH_KEPT);
        if let (Signing::OwnerAndService, Some(service)) = (signing, &self.open.service) {
            self.to_auth.extend_from_slice(service.identity.as_bytes());
        }
        let service_prefix_len = self.to_auth.len();
        transmission::write_authorized(session_id, &[], &mut self.to_auth);
        let prefix_len = self.to_auth.len();
        transmission::write_body(corr.as_bytes(), entity_id, &mut self.to_auth, |out| {
            D::encode_command(command, version, out);
        });
        let packed = match signing {
            Signing::Owner => self.pack(corr, key, None, prefix_len),
            Signing::OwnerAndService => self.pack(corr, key, Some(service_prefix_len), prefix_len),
            Signing::Service => {
                let key = self.open.service.as_ref().map(|service| service.key.clone().into());
                self.pack(corr, key.as_ref(), None, prefix_len)
            }
        };
        self.to_auth.zeroize();
        // A message of 16 KiB must not stay allocated on each of thousands of links.
        self.to_auth.shrink_to(TO_AUTH_KEPT);
        packed?;
        self.pending.insert(now, corr, entity.cloned(), tag);
        Ok(())
    }

    /// Authorizes the bytes in `to_auth` and puts the transmission into a block. The service signs, if it has
    /// to, what begins at `service_from`; the body begins at `body_from`.
    fn pack(
        &mut self,
        corr: CorrId,
        key: Option<&AuthPrivateKey>,
        service_from: Option<usize>,
        body_from: usize,
    ) -> Result<(), NotSent> {
        let ClientSession { session, server_key, outgoing, service } = &mut self.open;
        let authorization = key
            .map(|key| auth::authorize(key, server_key.as_ref(), corr.as_bytes(), &self.to_auth))
            .transpose()
            .map_err(NotSent::CannotAuthorize)?;
        let signed_by_service = service_from.and_then(|from| self.to_auth.get(from..));
        let service_signature =
            signed_by_service.zip(service.as_ref()).map(|(to_auth, service)| service.key.sign(to_auth));
        let transmission = Outgoing {
            authorization: authorization.as_ref().map_or(&[], Authorization::as_bytes),
            service_signature: service_signature.as_ref().map(|signature| signature.as_slice()),
            session_id: &session.id,
            body: self.to_auth.get(body_from..).unwrap_or_default(),
        };
        let format = D::format(session.version);
        outgoing.push(|out| transmission.encode(format, out)).map_err(|_| NotSent::TooLong)
    }

    /// Takes a block and gives what is in it.
    ///
    /// A block that cannot be split is counted as one [`Stray`] and the link goes on; one that does not
    /// decrypt ends it. Source: `smp-transport` 7.3.
    ///
    /// # Errors
    ///
    /// The fault for which the link must be closed.
    pub fn on_block<'b>(&mut self, block: &'b mut [u8]) -> Result<Result<Messages<'b>, Stray>, LinkFault> {
        let content = match self.open.session.open(block) {
            Ok(content) => content,
            Err(Unreadable::Len) => return Err(LinkFault::WrongBlockLen),
            Err(Unreadable::Seal) => return Err(LinkFault::Undecryptable),
            Err(Unreadable::Padding) => return Ok(Err(Stray::Block(PeerFault::BadBlock))),
        };
        let batch = BatchReader::new(content, D::format(self.version())).map_err(Stray::Block);
        Ok(batch.map(|batch| Messages { batch }))
    }

    /// The next reply or event of a block.
    pub fn next_message<'b>(&mut self, messages: &mut Messages<'b>) -> Option<Incoming<'b, D, T>> {
        loop {
            let incoming = match messages.batch.next()? {
                Ok(transmission) => self.sort(&transmission),
                Err(fault) => Some(Incoming::Stray(Stray::Message(fault))),
            };
            if incoming.is_some() {
                return incoming;
            }
        }
    }

    /// Takes one request whose time is over. `None` as tag is a PING of ours.
    pub(crate) fn expire(&mut self, now: Mono) -> Option<Expired<Option<T>>> {
        self.pending.expire(now)
    }

    /// The tags of all requests that wait for a reply, oldest first.
    pub fn into_lost(self) -> impl Iterator<Item = T> {
        self.pending.into_waiting().flatten()
    }

    /// When the next request times out.
    pub fn deadline(&self) -> Option<Mono> {
        self.pending.deadline()
    }

    /// Requests that wait for a reply: the gauge.
    pub const fn in_flight(&self) -> usize {
        self.pending.len()
    }

    /// Takes the next block to send.
    pub fn take_block(&mut self) -> Option<Block> {
        self.open.outgoing.take()
    }

    /// Takes the next block that has no room for more.
    pub fn take_whole_block(&mut self) -> Option<Block> {
        self.open.outgoing.take_whole()
    }

    /// The adapter has sent so many more blocks.
    pub const fn on_sent(&mut self, blocks: u32) {
        self.open.outgoing.on_sent(blocks);
    }

    /// Whose is it? `None` for the answer to a PING.
    fn sort<'b>(&mut self, transmission: &Transmission<'b>) -> Option<Incoming<'b, D, T>> {
        let entity = transmission.entity_id;
        let message = match transmission.session_id {
            // Another session's answer says nothing about this one (`smp-transport` 4.3).
            Some(id) if id != &*self.open.session.id => Err(PeerFault::Malformed { field: "session id" }),
            Some(_) | None => D::decode_message(transmission.command, self.version()),
        };
        if transmission.corr_id.is_empty() {
            return Some(match message {
                Ok(message) if !entity.is_empty() && D::may_have_entity(&message, entity) => {
                    Incoming::Unasked { entity, message }
                }
                // An error that names neither request nor entity can only be counted.
                Ok(message) if D::is_error(&message) => Incoming::Stray(Stray::Error),
                Ok(_) => Incoming::Stray(Stray::Message(PeerFault::Malformed { field: "entity id" })),
                Err(fault) => Incoming::Stray(Stray::Message(fault)),
            });
        }
        let is_bare_error = entity.is_empty() && matches!(&message, Ok(message) if D::is_error(message));
        let (tag, timeliness, is_right_entity) = match self.pending.answer(transmission.corr_id, entity) {
            Answer::Known(tag) => (tag, Timeliness::InTime, true),
            Answer::Late(tag) => (tag, Timeliness::Late, true),
            // Servers answer BLOCK and SESSION without the entity (`smp-transport` 4.6).
            Answer::WrongEntity(tag) => (tag, Timeliness::InTime, is_bare_error),
            Answer::LateWrongEntity(tag) => (tag, Timeliness::Late, is_bare_error),
            Answer::Unknown => return Some(Incoming::Stray(Stray::Unknown)),
        };
        let result = match message {
            Ok(_) if !is_right_entity => Err(ReplyFault::WrongEntity),
            Ok(message) if !D::may_have_entity(&message, entity) => {
                Err(ReplyFault::Malformed(PeerFault::Malformed { field: "entity id" }))
            }
            Ok(message) => Ok(message),
            Err(fault) => Err(ReplyFault::Malformed(fault)),
        };
        Some(Incoming::Reply { tag: tag?, timeliness, result })
    }
}

impl<D: Dialect, T> fmt::Debug for Requester<D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requester({:?})", self.open.session)
    }
}

const TO_AUTH_KEPT: usize = 512;

/// The messages of one block that are not read yet.
#[derive(Debug)]
pub struct Messages<'b> {
    batch: BatchReader<'b>,
}

/// What a server says.
#[derive(Debug)]
pub enum Incoming<'b, D: Dialect, T> {
    /// The reply to a request.
    Reply {
        /// The request's tag.
        tag: T,
        /// Whether the request had timed out already.
        timeliness: Timeliness,
        /// The reply, `ERR` included.
        result: Result<D::Message<'b>, ReplyFault>,
    },
    /// An event: MSG, NMSG, END, ENDS, DELD, or `ERR BLOCKED` about an entity.
    Unasked {
        /// What it is about; not empty.
        entity: &'b [u8],
        /// The event.
        message: D::Message<'b>,
    },
    /// Nothing that anybody waits for.
    Stray(Stray),
}

/// Whether a reply came before its request timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeliness {
    /// In time.
    InTime,
    /// The tag was reported as timed out before.
    Late,
}

/// What is wrong with a reply. It concerns one request only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyFault {
    /// It does not parse, or has an entity id where none may be, or none where one must be.
    Malformed(PeerFault),
    /// It names another entity than the request.
    WrongEntity,
}

/// What nobody waits for; to be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stray {
    /// A block that is no batch.
    Block(PeerFault),
    /// A message that does not parse or names no entity, and answers no request.
    Message(PeerFault),
    /// A reply to no request that we remember.
    Unknown,
    /// An error about nothing in particular: the server could not read what we sent.
    Error,
}
