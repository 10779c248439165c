//! What the shards of one subscriber owe each other, in an order that hides them from devices.
//!
//! A token lives on the shard that its verify key falls to, with its subscriptions and their connections.
//! Four promises reach beyond one shard, and letters keep them:
//!
//! - a link may name tokens of several shards: it moves, whole, to the shard of the command that is next
//!   ([`Parcel`]);
//! - a device token that is verified here ends its other registrations, wherever they are
//!   ([`Letter::Supersede`]);
//! - a queue is watched for one token only: the shard that its address falls to keeps the claim on it
//!   ([`Letter::Claim`]);
//! - a device token has a bounded number of registrations that were never verified: the shard that it falls to keeps
//!   the roster of them, and says who may come and who has to go for it ([`Letter::Unproved`], [`Letter::Displace`]).
//!
//! Commands of a link are done one after another, so a command that needs another shard's word keeps its link
//! waiting, and an answer tells that the word is given: whoever was told that a token is deleted, or verified,
//! finds it so on every shard. Shards of one subscriber share a seed for the hash that spreads names.
//! Letters between two shards arrive in the order they were sent.
//!
//! What a source address or the device of a device token has used up is booked by the shard that saw it, which tells all
//! others ([`Letter::Source`], [`Letter::Spent`]). Nobody waits for that, so a limit may be passed by what other shards
//! admit while such a letter is on its way.

mod all;
mod claims;
mod letter;
mod roster;
mod waits;

pub use all::Shards;
pub use letter::{Claimed, DeviceMark, Letter, Parcel, QueueMark, Ticket, Victor};

pub(super) use claims::Claims;
pub(super) use letter::{Arrival, Wish};
pub(super) use roster::Roster;
pub(super) use waits::{Owed, Then, Wait, Waits};

use crate::base::hash::HashKey;
use crate::base::rng::{Seed, Stream};
use crate::crypto::keys::AuthPublicKey;
use crate::model::server::{NotifierAddress, ServerAddress};
use crate::model::shard::{ShardId, ShardPlan};
use crate::model::token::DeviceToken;
use core::num::NonZeroU8;

/// Which shard of a subscriber this is. Equal for all of them but for the number.
#[derive(Clone, Debug)]
pub struct Sharding {
    plan: ShardPlan,
    key: HashKey,
}

impl Sharding {
    /// All shards of a subscriber. `shared` must be fresh and known to them only: it decides where things
    /// belong, so whoever knows it can make one shard do all the work.
    pub fn all(count: NonZeroU8, shared: &Seed) -> impl Iterator<Item = Self> {
        let key = HashKey::new(&mut shared.stream(Stream::Hashing));
        ShardPlan::all(count).map(move |plan| Self { plan, key: key.clone() })
    }

    /// The only shard.
    pub(super) fn alone(seed: &Seed) -> Self {
        Self { plan: ShardPlan::ALONE, key: HashKey::new(&mut seed.stream(Stream::Hashing)) }
    }

    /// Who of how many.
    #[must_use]
    pub const fn plan(&self) -> ShardPlan {
        self.plan
    }

    /// Where a registration with this verify key lives. The key stays when a token moves to another device.
    pub(super) fn home_of_key(&self, key: &AuthPublicKey) -> ShardId {
        self.plan.of_hash(self.key.of(key))
    }

    /// The name of a device between shards.
    pub(super) fn mark_of_device(&self, device: &DeviceToken) -> DeviceMark {
        DeviceMark(self.key.of(device))
    }

    /// Who keeps the roster of a device.
    pub(super) const fn home_of_device(&self, mark: DeviceMark) -> ShardId {
        self.plan.of_hash(mark.0)
    }

    /// The key under which shards hash what they tell each other of.
    pub(super) fn key(&self) -> HashKey {
        self.key.clone()
    }

    /// The name of a queue between shards.
    pub(super) fn mark(&self, queue: &NotifierAddress) -> QueueMark {
        self.mark_of(&queue.server, queue.notifier.as_bytes())
    }

    pub(super) fn mark_of(&self, server: &ServerAddress, notifier: &[u8]) -> QueueMark {
        QueueMark(self.key.of(&(server, notifier)))
    }

    /// Who keeps the claim on a queue.
    pub(super) const fn home_of_queue(&self, mark: QueueMark) -> ShardId {
        self.plan.of_hash(mark.0)
    }
}
