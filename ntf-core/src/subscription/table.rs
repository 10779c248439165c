//! All subscriptions: found by (server, notifier id), by subscription id, and by the token they belong to.
//!
//! A server holds millions of these rows, so they are packed: 128 bytes each, plus a hash table of five bytes an
//! entry. `table/tests.rs` holds the sum to at most 140 bytes. The id of a subscription is its place in the table,
//! encrypted ([`NameKey`]), so neither the id nor an index of ids is kept.

use crate::base::hash::HashKey;
use crate::base::id::{EntityId, SubscriptionId};
use crate::base::list::{Links, List};
use crate::base::mutant;
use crate::base::rng::Rng;
use crate::base::slab::{Index, Slab};
use crate::crypto::keys::{AuthPrivateKey, Ed448Private};
use crate::crypto::names::NameKey;
use crate::model::index::{ServerIndex, SubscriptionIndex, TokenIndex};
use crate::model::server::ServerAddress;
use crate::model::subscription::SubscriptionStatus;
use crate::subscription::limits::{SubscriptionLimits, SubscriptionsFull};
use crate::subscription::row::{Ask, PackedId, PackedKey, Subscription, Wanted};
use crate::subscription::servers::{Server, Servers};
use crate::subscription::state::{Failure, Over, Session, Standing};
use crate::subscription::table::lists::{OnOwner, OnServer, Place};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hashbrown::HashTable;

#[cfg(any(test, feature = "sim"))]
mod audit;
mod lists;
#[cfg(test)]
mod tests;

/// All subscriptions of a subscriber.
#[derive(Debug)]
pub struct Subscriptions {
    rows: Slab<Subscription>,
    /// What few rows have and has no room in any, by their slots.
    ed448: BTreeMap<u32, Box<Ed448Private>>,
    long_ids: BTreeMap<u32, EntityId>,
    servers: Servers,
    by_queue: HashTable<u32>,
    names: NameKey,
    by_owner: BTreeMap<TokenIndex, Owned>,
    hash: HashKey,
    limits: SubscriptionLimits,
}

/// What one token has.
#[derive(Debug, Default)]
struct Owned {
    rows: List,
    /// The servers they are at, with their number. Few enough to be looked through.
    servers: Vec<(u32, u32)>,
}

impl Subscriptions {
    /// An empty table, whose subscriptions are named with this key.
    #[must_use]
    pub fn new(limits: SubscriptionLimits, hashing: &mut Rng, names: NameKey) -> Self {
        Self {
            rows: Slab::new(limits.subscriptions.min(u32::MAX - 1)),
            ed448: BTreeMap::new(),
            long_ids: BTreeMap::new(),
            servers: Servers::new(limits.servers, hashing),
            by_queue: HashTable::new(),
            names,
            by_owner: BTreeMap::new(),
            hash: HashKey::new(hashing),
            limits,
        }
    }

    /// The subscription with this index.
    #[must_use]
    pub fn get(&self, index: SubscriptionIndex) -> Option<&Subscription> {
        self.rows.get(index.0)
    }

    /// The subscription with this id.
    #[must_use]
    pub fn by_id(&self, id: &SubscriptionId) -> Option<SubscriptionIndex> {
        let index = Index::from_bits(self.names.place(id.as_bytes())?);
        self.rows.get(index).map(|_| SubscriptionIndex(index))
    }

    /// The name of the subscription with this index, which the client uses.
    #[must_use]
    pub fn id(&self, index: SubscriptionIndex) -> SubscriptionId {
        debug_assert!(self.get(index).is_some(), "only what is there has a name");
        SubscriptionId::new(self.names.name(index.0.to_bits()))
    }

    /// The subscription to this queue.
    #[must_use]
    pub fn by_queue(&self, server: ServerIndex, notifier: &[u8]) -> Option<SubscriptionIndex> {
        let server = server.0.slot();
        let same = |slot: &u32| {
            self.rows.at(*slot).is_some_and(|row| row.server == server)
                && notifier_at(&self.rows, &self.long_ids, *slot) == Some(notifier)
        };
        let slot = self.by_queue.find(hash_of_queue(&self.hash, server, notifier), same)?;
        self.rows.index_at(*slot).map(SubscriptionIndex)
    }

    /// The notifier id of the queue of a subscription.
    #[must_use]
    pub fn notifier(&self, index: SubscriptionIndex) -> Option<&[u8]> {
        self.get(index)?;
        notifier_at(&self.rows, &self.long_ids, index.0.slot())
    }

    /// The server with this address, if anything is subscribed there.
    #[must_use]
    pub fn server_by_address(&self, address: &ServerAddress) -> Option<ServerIndex> {
        self.servers.find(address)
    }

    /// The server with this index.
    #[must_use]
    pub fn server(&self, index: ServerIndex) -> Option<&Server> {
        self.servers.rows.get(index.0)
    }

    /// The server that holds the queue of a subscription.
    #[must_use]
    pub fn server_of(&self, index: SubscriptionIndex) -> Option<ServerIndex> {
        self.servers.rows.index_at(self.get(index)?.server).map(ServerIndex)
    }

    /// All servers, in a stable order.
    pub fn servers(&self) -> impl Iterator<Item = &Server> {
        self.servers.rows.iter().map(|(_, server)| server)
    }

    /// All subscriptions, in a stable order.
    pub fn iter(&self) -> impl Iterator<Item = (SubscriptionIndex, &Subscription)> {
        self.rows.iter().map(|(index, row)| (SubscriptionIndex(index), row))
    }

    /// Subscriptions held: the gauge.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.rows.len()
    }

    /// Whether nothing is subscribed.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// SMP servers watched: the gauge.
    #[must_use]
    pub const fn servers_len(&self) -> u32 {
        self.servers.rows.len()
    }

    /// The status as SCHK reports it.
    #[must_use]
    pub fn status(&self, index: SubscriptionIndex) -> Option<SubscriptionStatus> {
        let row = self.get(index)?;
        if matches!(self.place(row), Place::Fresh | Place::Waiting)
            && let Some(failure) = self.servers.rows.at(row.server).and_then(|server| server.outage)
        {
            return Some(Over::Failed(failure).status());
        }
        let session = match self.servers.rows.at(row.server) {
            Some(server) if row.is_tied && server.tie == row.session && server.is_served => Session::Current,
            Some(server) if !row.is_tied && server.session == row.session => Session::Current,
            Some(_) | None => Session::Past,
        };
        Some(row.standing.status(session))
    }

    /// Whether NSUB for this subscription is out or confirmed in the current session.
    #[must_use]
    pub fn is_live(&self, index: SubscriptionIndex) -> bool {
        self.get(index).is_some_and(|row| match self.place(row) {
            Place::Live => true,
            Place::Tied => self.servers.rows.at(row.server).is_some_and(|server| server.is_served),
            Place::Fresh | Place::Waiting | Place::Failed | Place::Nowhere => false,
        })
    }

    /// Whether the subscription was made with this notifier key. Takes constant time for keys of one kind.
    #[must_use]
    pub fn has_key(&self, index: SubscriptionIndex, key: &AuthPrivateKey) -> bool {
        match (self.get(index).map(|row| &row.key), key) {
            (Some(PackedKey::Ed448), AuthPrivateKey::Ed448(key)) => {
                self.ed448.get(&index.0.slot()).is_some_and(|own| **own == *key)
            }
            (own, key) => own.is_some_and(|own| own.matches(key)),
        }
    }

    /// Adds a subscription, to be asked for. The caller has looked for it with [`by_queue`](Self::by_queue).
    ///
    /// # Errors
    ///
    /// The bound that stands in the way.
    pub fn create(&mut self, wanted: Wanted) -> Result<SubscriptionIndex, SubscriptionsFull> {
        self.has_room(wanted.owner, &wanted.server)?;
        let server = self.servers.find_or_add(&wanted.server).ok_or(SubscriptionsFull::Servers)?.0.slot();
        let (key, ed448) = PackedKey::new(wanted.key);
        let by_queue = hash_of_queue(&self.hash, server, wanted.notifier.as_bytes());
        let notifier = PackedId::new(&wanted.notifier);
        let long_id = notifier.is_none().then_some(wanted.notifier);
        let row = Subscription {
            notifier: notifier.unwrap_or(PackedId::ELSEWHERE),
            key,
            owner: wanted.owner,
            server,
            session: 0,
            is_tied: false,
            on_server: Links::default(),
            on_owner: Links::default(),
            standing: Standing::New,
        };
        let index = self.rows.insert(row).map_err(|_| SubscriptionsFull::Table)?;
        let slot = index.slot();
        if let Some(key) = ed448 {
            self.ed448.insert(slot, key);
        }
        if let Some(id) = long_id {
            self.long_ids.insert(slot, id);
        }
        let owned = self.by_owner.entry(wanted.owner).or_default();
        owned.rows.push(&mut OnOwner(&mut self.rows), slot);
        match owned.servers.iter_mut().find(|(known, _)| *known == server) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => {
                // There are few, and they stay: a token is not to have room for twice as many.
                owned.servers.reserve_exact(1);
                owned.servers.push((server, 1));
            }
        }
        if let Some(server) = self.servers.rows.at_mut(server) {
            server.total = server.total.saturating_add(1);
            server.fresh.push(&mut OnServer(&mut self.rows), slot);
        }
        let Self { rows, long_ids, by_queue: queues, hash, .. } = self;
        queues.insert_unique(by_queue, slot, |slot| {
            let queue = rows.at(*slot).zip(notifier_at(rows, long_ids, *slot));
            queue.map_or(0, |(row, notifier)| hash_of_queue(hash, row.server, notifier))
        });
        Ok(SubscriptionIndex(index))
    }

    /// Makes a subscription that was over one to be asked for; says whether it was over.
    ///
    /// The reference leaves it dead, although the client asks for it again.
    pub fn revive(&mut self, index: SubscriptionIndex) -> bool {
        if !self.get(index).is_some_and(|row| matches!(row.standing, Standing::Over(_))) {
            return false;
        }
        self.settle(index, Standing::New);
        true
    }

    /// Takes the next subscription that waits for a session on this server, and counts it as asked for.
    ///
    /// First come those that were never asked for, in the order they came; then the others, those that were made
    /// or heard of last before those that have been silent for long.
    pub fn ask_next(&mut self, server: ServerIndex) -> Option<Ask> {
        let row = self.servers.rows.get(server.0)?;
        let slot = row.fresh.first().or_else(|| row.waiting.last())?;
        let index = self.rows.index_at(slot).map(SubscriptionIndex)?;
        self.settle(index, Standing::Asked);
        Some(Ask { index, notifier: EntityId::new(self.notifier(index)?)?, key: self.key(index)? })
    }

    /// The SMP server confirmed; says whether that was news. A subscription that is over stays so.
    pub fn confirmed(&mut self, index: SubscriptionIndex) -> bool {
        let news = self.is_news(index);
        if news {
            self.settle(index, Standing::Confirmed);
        }
        news
    }

    /// The SMP server confirmed and has tied the queue to our service: one NSUBS will do in the next session.
    /// Says whether that was news.
    pub fn tied(&mut self, index: SubscriptionIndex) -> bool {
        let news = self.is_news(index);
        if news {
            self.unlist(index);
            let Some(row) = self.rows.get_mut(index.0) else { return false };
            let Some(server) = self.servers.rows.at_mut(row.server) else { return false };
            // With the first one the session is that of the service; there is nothing else to bring back.
            server.is_served |= server.tied.len() == 0;
            row.standing = Standing::Confirmed;
            row.session = server.tie;
            row.is_tied = true;
            server.tied.push(&mut OnServer(&mut self.rows), index.0.slot());
        }
        news
    }

    /// A notice came: the queue is in use, and comes before silent ones the next time that all are asked for.
    pub fn heard(&mut self, index: SubscriptionIndex) {
        let Some((server, place)) = self.get(index).map(|row| (row.server, self.place(row))) else { return };
        let Some(server) = self.servers.rows.at_mut(server) else { return };
        let list = match place {
            Place::Live => &mut server.live,
            Place::Tied => &mut server.tied,
            Place::Fresh | Place::Waiting | Place::Failed | Place::Nowhere => return,
        };
        let mut threads = OnServer(&mut self.rows);
        list.remove(&mut threads, index.0.slot());
        list.push(&mut threads, index.0.slot());
    }

    /// What has failed at a server is to be asked for again, after all others. Says how many. Takes O(1).
    pub fn retry_failed(&mut self, server: ServerIndex) -> u32 {
        let Some(server) = self.servers.rows.get_mut(server.0) else { return 0 };
        let mut failed = core::mem::take(&mut server.failed);
        let count = failed.len();
        server.trial = server.trial.wrapping_add(1);
        failed.append(&mut OnServer(&mut self.rows), &mut server.waiting);
        server.waiting = failed;
        count
    }

    /// The server was connected to.
    pub fn reached(&mut self, server: ServerIndex) {
        self.servers.reached(server);
        self.report_outage(server, None);
    }

    /// Whether there is room for one more subscription of this token at this server, places of servers aside.
    fn has_room(&self, owner: TokenIndex, server: &ServerAddress) -> Result<(), SubscriptionsFull> {
        if self.rows.is_full() {
            return Err(SubscriptionsFull::Table);
        }
        if let Some(owned) = self.by_owner.get(&owner) {
            if owned.rows.len() >= self.limits.per_token {
                return Err(SubscriptionsFull::Token);
            }
            let server = self.servers.find(server).map(|server| server.0.slot());
            let is_known = owned.servers.iter().any(|(slot, _)| Some(*slot) == server);
            if !is_known && owned.servers.len() >= self.limits.servers_per_token {
                return Err(SubscriptionsFull::ServersOfToken);
            }
        }
        Ok(())
    }

    /// A server that has to give way before this token can watch one more: of those never reached that have at
    /// most `waiting_max` subscriptions, the one that has been waited for the longest. Nothing when `wanted` has
    /// its place, or when a refusal would follow all the same. The caller drops its subscriptions,
    /// [`first_of`](Self::first_of) after the other. Takes as many steps as there are larger ones before it.
    pub fn in_the_way(
        &mut self,
        owner: TokenIndex,
        wanted: &ServerAddress,
        waiting_max: u32,
    ) -> Option<ServerIndex> {
        if self.servers.find(wanted).is_some() || self.has_room(owner, wanted).is_err() {
            return None;
        }
        self.servers.in_the_way(waiting_max)
    }

    /// The first subscription of a server that was never asked for.
    #[must_use]
    pub fn first_of(&self, server: ServerIndex) -> Option<SubscriptionIndex> {
        let slot = self.server(server)?.fresh.first()?;
        self.rows.index_at(slot).map(SubscriptionIndex)
    }

    fn is_news(&self, index: SubscriptionIndex) -> bool {
        self.get(index).is_some_and(|row| match row.standing {
            Standing::New | Standing::Waiting | Standing::Asked => true,
            Standing::Confirmed => self.place(row) == Place::Waiting,
            Standing::Over(_) => false,
        })
    }

    /// The SMP server sends the notices of all tied queues over the current session.
    pub fn served(&mut self, server: ServerIndex) {
        if let Some(server) = self.servers.rows.get_mut(server.0) {
            server.is_served = true;
        }
    }

    /// Why the server cannot be reached for long, or that nothing is known against it. What waits for it is
    /// reported as failed as long as there is a reason. Takes O(1).
    pub fn report_outage(&mut self, server: ServerIndex, outage: Option<Failure>) {
        if let Some(server) = self.servers.rows.get_mut(server.0) {
            server.outage = outage;
        }
    }

    /// SMP servers that were never connected to: a gauge.
    #[must_use]
    pub const fn servers_unreached(&self) -> u32 {
        self.servers.unreached()
    }

    /// The SMP server does not know the ties any more, or they are of no use: tied queues are asked for one by
    /// one. Those that are over stay so. Says how many there were. Takes O(1).
    pub fn untie(&mut self, server: ServerIndex) -> u32 {
        let Some(server) = self.servers.rows.get_mut(server.0) else { return 0 };
        let mut tied = core::mem::take(&mut server.tied);
        let count = tied.len();
        server.tie = server.tie.wrapping_add(1);
        server.is_served = false;
        server.forgotten = 0;
        server.waiting.append(&mut OnServer(&mut self.rows), &mut tied);
        count
    }

    /// No answer came: to be asked for again, after all others.
    pub fn retry(&mut self, index: SubscriptionIndex) {
        if self.get(index).is_some_and(|row| row.standing == Standing::Asked) {
            self.settle(index, Standing::Waiting);
        }
    }

    /// No more notices will come; says whether some could have.
    pub fn over(&mut self, index: SubscriptionIndex, over: Over) -> bool {
        let was_over = self.get(index).is_none_or(|row| matches!(row.standing, Standing::Over(_)));
        self.settle(index, Standing::Over(over));
        !was_over
    }

    /// The session with a server has ended: everything of it waits for the next one, but for what is tied to
    /// our service. Takes O(1).
    pub fn session_over(&mut self, server: ServerIndex) {
        let Some(server) = self.servers.rows.get_mut(server.0) else { return };
        server.session = server.session.wrapping_add(1);
        server.is_served = false;
        if mutant::is("live_ones_do_not_wait") {
            return;
        }
        let mut live = core::mem::take(&mut server.live);
        server.waiting.append(&mut OnServer(&mut self.rows), &mut live);
    }

    /// Forgets a subscription; its key is wiped. The server's row goes with its last subscription.
    pub fn remove(&mut self, index: SubscriptionIndex) {
        let was_tied = self.get(index).is_some_and(|row| self.place(row) == Place::Tied);
        self.unlist(index);
        let slot = index.0.slot();
        let Some((owner, server)) = self.get(index).map(|row| (row.owner, row.server)) else { return };
        if let Some(owned) = self.by_owner.get_mut(&owner) {
            owned.rows.remove(&mut OnOwner(&mut self.rows), slot);
            if let Some(at) = owned.servers.iter().position(|(known, _)| *known == server)
                && let Some((_, count)) = owned.servers.get_mut(at)
            {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    owned.servers.swap_remove(at);
                }
            }
            if owned.rows.len() == 0 {
                self.by_owner.remove(&owner);
            }
        }
        let by_queue = self.notifier(index).map(|notifier| hash_of_queue(&self.hash, server, notifier));
        debug_assert!(by_queue.is_some(), "a row has its notifier id, here or beside the table");
        if let Some(by_queue) = by_queue
            && let Ok(entry) = self.by_queue.find_entry(by_queue, |other| *other == slot)
        {
            entry.remove();
        }
        self.rows.remove(index.0);
        self.ed448.remove(&slot);
        self.long_ids.remove(&slot);
        if let Some(row) = self.servers.rows.at_mut(server) {
            row.total = row.total.saturating_sub(1);
            row.forgotten = row.forgotten.saturating_add(u32::from(was_tied));
            if row.total == 0
                && let Some(server) = self.servers.rows.index_at(server)
            {
                self.servers.remove(ServerIndex(server));
            }
        }
    }

    /// A queue that was dropped here has gone from the SMP server, which has it tied no more.
    pub fn forgotten_has_gone(&mut self, server: ServerIndex) {
        if let Some(server) = self.servers.rows.get_mut(server.0) {
            server.forgotten = server.forgotten.saturating_sub(1);
        }
    }

    /// All subscriptions of a token, oldest first.
    #[must_use]
    pub fn owned_by(&mut self, owner: TokenIndex) -> Vec<SubscriptionIndex> {
        let mut owned = Vec::new();
        let mut at = self.by_owner.get(&owner).and_then(|owned| owned.rows.first());
        while let Some(slot) = at {
            owned.extend(self.rows.index_at(slot).map(SubscriptionIndex));
            at = List::after(&mut OnOwner(&mut self.rows), slot);
        }
        owned
    }

    /// The oldest subscription of a token.
    #[must_use]
    pub fn first_owned_by(&self, owner: TokenIndex) -> Option<SubscriptionIndex> {
        let slot = self.by_owner.get(&owner)?.rows.first()?;
        self.rows.index_at(slot).map(SubscriptionIndex)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.ed448.clear();
        self.long_ids.clear();
        self.servers.clear();
        self.by_queue = HashTable::new();
        self.names.renew();
        self.by_owner.clear();
    }

    fn key(&self, index: SubscriptionIndex) -> Option<AuthPrivateKey> {
        self.get(index)?.key.unpack().or_else(|| {
            let key = self.ed448.get(&index.0.slot())?;
            Some(AuthPrivateKey::Ed448(key.as_ref().clone()))
        })
    }
}

/// The notifier id of the row in this slot.
fn notifier_at<'s>(
    rows: &'s Slab<Subscription>,
    long_ids: &'s BTreeMap<u32, EntityId>,
    slot: u32,
) -> Option<&'s [u8]> {
    rows.at(slot)?.notifier.as_bytes().or_else(|| long_ids.get(&slot).map(EntityId::as_bytes))
}

fn hash_of_queue(hash: &HashKey, server: u32, notifier: &[u8]) -> u64 {
    hash.of(&(server, notifier))
}
