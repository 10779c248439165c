//! Requests on their way from bytes to authorized commands.

use crate::crypto::keys::AuthPublicKey;
use crate::link::dialect::Dialect;
use crate::wire::batch::BatchReader;
use crate::wire::transmission::Transmission;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// The requests of one block that are not read yet.
#[derive(Debug)]
pub struct Requests<'b> {
    pub(super) batch: Option<BatchReader<'b>>,
    /// The same as it was before the last request was read.
    pub(super) before: Option<BatchReader<'b>>,
}

impl<'b> Requests<'b> {
    pub(super) const fn new(batch: Option<BatchReader<'b>>) -> Self {
        Self { batch, before: None }
    }

    /// What is left, for [`Responder::resume`](super::Responder::resume) when the block is gone.
    #[must_use]
    pub fn rest(&self) -> Option<Rest> {
        self.batch.as_ref().and_then(BatchReader::rest).map(Rest)
    }

    /// The same with the request that was given last, which nobody has answered.
    #[must_use]
    pub fn rest_with_last(&self) -> Option<Rest> {
        self.before.as_ref().and_then(BatchReader::rest).map(Rest)
    }
}

/// Requests that wait to be read, without the block they came in. Wiped on drop: requests may hold private
/// keys.
pub struct Rest(pub(super) Zeroizing<Vec<u8>>);

impl fmt::Debug for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rest({} bytes)", self.0.len())
    }
}

/// A [`ReplyTo`] that outlives its block.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyLater {
    corr: Box<[u8]>,
    entity: Box<[u8]>,
}

impl ReplyLater {
    /// Where the reply goes.
    #[must_use]
    pub fn to(&self) -> ReplyTo<'_> {
        ReplyTo { corr: &self.corr, entity: &self.entity }
    }
}

impl From<ReplyTo<'_>> for ReplyLater {
    fn from(to: ReplyTo<'_>) -> Self {
        Self { corr: to.corr.into(), entity: to.entity.into() }
    }
}

impl fmt::Debug for ReplyLater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyLater(redacted)")
    }
}

/// Where a reply goes: the ids of its request. [`ReplyLater`] keeps them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplyTo<'b> {
    /// The correlation id, of the client's choosing: 0 to 255 bytes.
    pub corr: &'b [u8],
    /// The entity id, perhaps empty.
    pub entity: &'b [u8],
}

impl ReplyTo<'_> {
    /// The request's ids could not be read.
    pub(super) const NOBODY: ReplyTo<'static> = ReplyTo { corr: &[], entity: &[] };
}

impl fmt::Debug for ReplyTo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyTo(redacted)")
    }
}

/// A readable request with the right credentials, which nobody has verified.
#[derive(Debug)]
pub struct Request<'b, D: Dialect> {
    pub(super) transmission: Transmission<'b>,
    pub(super) command: D::Command<'b>,
}

impl<'b, D: Dialect> Request<'b, D> {
    /// What is asked for; for looking up the key, not for doing it.
    #[must_use]
    pub const fn command(&self) -> &D::Command<'b> {
        &self.command
    }

    /// What it is about, or empty.
    #[must_use]
    pub const fn entity(&self) -> &'b [u8] {
        self.transmission.entity_id
    }

    /// Where the reply goes.
    #[must_use]
    pub const fn reply_to(&self) -> ReplyTo<'b> {
        ReplyTo { corr: self.transmission.corr_id, entity: self.transmission.entity_id }
    }
}

/// What a request's entity asks of its authorization.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'k> {
    /// The entity exists and this key must have authorized the request.
    Key(&'k AuthPublicKey),
    /// The entity exists and one of these keys must have.
    AnyOf(&'k [AuthPublicKey]),
    /// Nothing: the command has no entity or it is open to all. An authorization that is there all the
    /// same is refused (SEND to a queue without a sender key, `smp-transport` 5.4).
    Open,
    /// There is no such entity, or it may not be used so.
    Unknown,
}

/// A command whose authorization was verified. Only [`Responder::verify`](super::Responder::verify) can make one.
#[derive(Debug)]
pub struct Authorized<'b, D: Dialect> {
    pub(super) request: Request<'b, D>,
}

impl<'b, D: Dialect> Authorized<'b, D> {
    /// What to do.
    #[must_use]
    pub const fn command(&self) -> &D::Command<'b> {
        &self.request.command
    }

    /// What to do it to, or empty.
    #[must_use]
    pub const fn entity(&self) -> &'b [u8] {
        self.request.transmission.entity_id
    }

    /// Where the reply goes.
    #[must_use]
    pub const fn reply_to(&self) -> ReplyTo<'b> {
        self.request.reply_to()
    }

    /// The command by value, with where the reply goes.
    #[must_use]
    pub fn into_parts(self) -> (D::Command<'b>, ReplyTo<'b>) {
        (
            self.request.command,
            ReplyTo { corr: self.request.transmission.corr_id, entity: self.request.transmission.entity_id },
        )
    }
}

/// The request was refused, and its sender told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;
