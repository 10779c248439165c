//! What one shard tells another.

use crate::base::id::TokenId;
use crate::crypto::keys::AuthPrivateKey;
use crate::model::index::TokenIndex;
use crate::model::server::NotifierAddress;
use crate::model::token::{DeviceTag, DeviceToken};
use crate::subscriber::on_device::DeviceLink;
use crate::subscriber::sources::{News, SourceMark};
use crate::token::registration::{Origin, Registration, Spent, Turn};
use alloc::vec::Vec;
use core::fmt;

/// Names what a shard waits for, among the things it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// A queue, as shards name it to each other: 64 bits of a keyed hash of server and notifier id, of which 56 tell
/// queues apart.
///
/// Two queues of ten million share these once in 1,400 subscribers. The second is then refused, its device makes
/// other credentials, and these have another mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueueMark(pub(super) u64);

impl fmt::Debug for QueueMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("QueueMark(redacted)")
    }
}

/// A device, as shards name it to each other: a hash of its device token under the key that they share.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceMark(pub(super) u64);

impl fmt::Debug for DeviceMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceMark(redacted)")
    }
}

/// A verification: of two of one device token, the later one stands, whatever order shards hear of them in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Victor {
    /// When it was verified, in the order that shards agree on.
    pub turn: Turn,
    /// Which registration; decides between two of one turn.
    pub token: TokenId,
}

/// A letter from one shard to another.
#[derive(Debug)]
pub enum Letter {
    /// A device token was verified: registrations of it that were verified earlier or never have to go.
    /// Answered by [`Letter::Done`].
    Supersede {
        /// What the sender waits for.
        ticket: Ticket,
        /// The device token.
        device: DeviceToken,
        /// What the push server calls the device, if it was sealed and the push server has said so.
        tag: Option<DeviceTag>,
        /// The registration that stays.
        victor: Victor,
    },
    /// A token of the sender wants to watch a queue. Answered by [`Letter::Claimed`].
    Claim {
        /// The queue.
        queue: QueueMark,
    },
    /// The answer to [`Letter::Claim`].
    Claimed {
        /// The queue.
        queue: QueueMark,
        /// Whether it may.
        claimed: Claimed,
    },
    /// Queues that are watched no more. Answered by [`Letter::Done`] if there is a ticket.
    Release {
        /// What the sender waits for, if it does.
        ticket: Option<Ticket>,
        /// The queues.
        queues: Vec<QueueMark>,
    },
    /// A registration wants to come, or to move to another device, where it has yet to prove itself. Answered by
    /// [`Letter::Placed`]; whoever has to go for it is told by [`Letter::Displace`].
    Unproved {
        /// What the sender waits for.
        ticket: Ticket,
        /// Its device.
        device: DeviceMark,
        /// What it is called, or will be.
        token: TokenId,
        /// Where it was asked for.
        origin: Origin,
    },
    /// The answer to [`Letter::Unproved`].
    Placed {
        /// What the receiver waits for.
        ticket: Ticket,
        /// The device.
        device: DeviceMark,
        /// Which registration.
        token: TokenId,
        /// Whether it has a place.
        is_placed: bool,
    },
    /// That registration has proved itself, or is gone; not answered.
    Settled {
        /// Its device.
        device: DeviceMark,
        /// Which one.
        token: TokenId,
    },
    /// This registration of the receiver has to go, if it has not proved itself meanwhile; not answered.
    Displace {
        /// The device it is to be of.
        device: DeviceMark,
        /// Which one.
        token: TokenId,
    },
    /// What was counted or booked of a source address; not answered.
    Source {
        /// The source.
        mark: SourceMark,
        /// What happened.
        news: News,
    },
    /// What the device of a device token has used up of its budgets; not answered.
    Spent {
        /// The device token.
        device: DeviceToken,
        /// What it has used.
        what: Spent,
    },
    /// A hidden push went out to the device of a device token, under a policy that counts them; not answered.
    HiddenPush {
        /// The device token.
        device: DeviceToken,
    },
    /// What the receiver asked for is done.
    Done {
        /// What it waits for.
        ticket: Ticket,
    },
}

/// Whether a queue may be watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It may, until it is released.
    Granted,
    /// Another token watches it.
    Taken,
    /// There is no room for another claim.
    Full,
}

/// A device's link on its way to the shard of its next command, with the commands it has yet to do.
#[derive(Debug)]
pub struct Parcel(pub(in crate::subscriber) DeviceLink);

/// What an SNEW asks for.
pub(in crate::subscriber) struct Wish {
    pub(in crate::subscriber) owner: TokenIndex,
    pub(in crate::subscriber) queue: NotifierAddress,
    pub(in crate::subscriber) key: AuthPrivateKey,
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wish(redacted)")
    }
}

/// What needs a place among the registrations of a device that have yet to prove themselves.
#[derive(Debug)]
pub(in crate::subscriber) enum Arrival {
    /// TNEW: a registration that is not there yet.
    New { id: TokenId, wanted: Registration },
    /// TRPL: one that moves to another device.
    Moved { id: TokenId, device: DeviceToken, origin: Origin },
}
