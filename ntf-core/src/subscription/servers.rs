//! SMP servers that are watched, with the subscriptions that wait for and hold a session there.

use crate::base::hash::HashKey;
use crate::base::list::{Links, List, Threads};
use crate::base::rng::Rng;
use crate::base::slab::Slab;
use crate::model::index::ServerIndex;
use crate::model::server::ServerAddress;
use crate::subscription::state::Failure;
use hashbrown::HashTable;

/// One SMP server, for as long as a subscription names it.
#[derive(Debug)]
pub struct Server {
    pub(super) address: ServerAddress,
    /// Counts up when a session ends; rows that were asked or confirmed name it.
    pub(super) session: u32,
    /// Counts up when the server's ties of queues to our service are given up; rows that are tied name it.
    pub(super) tie: u32,
    /// Whether the current session gets the notices of tied rows.
    pub(super) is_served: bool,
    /// Why what waits for it is reported as failed, if it is.
    pub(super) outage: Option<Failure>,
    /// Subscriptions that were dropped here while the server had them tied: there is no command to tell it.
    pub(super) forgotten: u32,
    /// Whether it was ever connected to.
    pub(super) was_reached: bool,
    /// Its place among the servers that were not.
    pub(super) on_unreached: Links,
    /// Counts up when what failed is tried again; rows that failed name it.
    pub(super) trial: u32,
    /// Never asked for, in the order they came.
    pub(super) fresh: List,
    /// To be asked for again, and those of past sessions; the last one comes first.
    pub(super) waiting: List,
    /// Asked and confirmed in the current session, the last heard of last.
    pub(super) live: List,
    /// Failed, to be tried again some time.
    pub(super) failed: List,
    /// Confirmed and tied to our service, in whatever session.
    pub(super) tied: List,
    /// All rows, also those that are over.
    pub(super) total: u32,
}

impl Server {
    /// The address exactly as the client gave it.
    #[must_use]
    pub const fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Subscriptions to ask for.
    #[must_use]
    pub const fn waiting(&self) -> u32 {
        self.fresh.len().saturating_add(self.waiting.len())
    }

    /// Subscriptions asked for or confirmed in the current session.
    #[must_use]
    pub const fn live(&self) -> u32 {
        self.live.len()
    }

    /// Whether a connection to the server is of use.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.waiting() > 0 || self.live.len() > 0 || self.tied.len() > 0 || self.failed.len() > 0
    }

    /// Subscriptions that failed and will be tried again.
    #[must_use]
    pub const fn failed(&self) -> u32 {
        self.failed.len()
    }

    /// Subscriptions that the server ties to our service: one NSUBS brings them back.
    #[must_use]
    pub const fn tied(&self) -> u32 {
        self.tied.len()
    }

    /// Subscriptions that the server is bound to count when it is asked for all of our service.
    #[must_use]
    pub const fn expected(&self) -> u32 {
        self.tied.len().saturating_add(self.forgotten)
    }
}

/// All SMP servers, found by address.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) rows: Slab<Server>,
    by_address: HashTable<u32>,
    /// Those that were never connected to, in the order they came.
    unreached: List,
    hash: HashKey,
}

impl Servers {
    pub(super) fn new(bound: u32, hashing: &mut Rng) -> Self {
        Self {
            rows: Slab::new(bound.min(u32::MAX - 1)),
            by_address: HashTable::new(),
            unreached: List::default(),
            hash: HashKey::new(hashing),
        }
    }

    pub(super) fn find(&self, address: &ServerAddress) -> Option<ServerIndex> {
        let same = |slot: &u32| self.rows.at(*slot).is_some_and(|server| server.address == *address);
        let slot = self.by_address.find(self.hash.of(address), same)?;
        self.rows.index_at(*slot).map(ServerIndex)
    }

    /// The server's row, made if need be; `None` when the table is full.
    pub(super) fn find_or_add(&mut self, address: &ServerAddress) -> Option<ServerIndex> {
        if let Some(index) = self.find(address) {
            return Some(index);
        }
        let server = Server {
            address: address.clone(),
            session: 0,
            tie: 0,
            is_served: false,
            outage: None,
            forgotten: 0,
            was_reached: false,
            on_unreached: Links::default(),
            trial: 0,
            fresh: List::default(),
            waiting: List::default(),
            failed: List::default(),
            live: List::default(),
            tied: List::default(),
            total: 0,
        };
        let index = self.rows.insert(server).ok()?;
        self.unreached.push(&mut OnUnreached(&mut self.rows), index.slot());
        let Self { rows, by_address, hash, .. } = self;
        by_address.insert_unique(hash.of(address), index.slot(), |slot| {
            rows.at(*slot).map_or(0, |server| hash.of(&server.address))
        });
        Some(ServerIndex(index))
    }

    /// The server was connected to.
    pub(super) fn reached(&mut self, index: ServerIndex) {
        let Some(server) = self.rows.get_mut(index.0).filter(|server| !server.was_reached) else { return };
        server.was_reached = true;
        self.unreached.remove(&mut OnUnreached(&mut self.rows), index.0.slot());
    }

    /// The server that gives way to one more: see [`SubscriptionLimits::servers`](super::limits::SubscriptionLimits::servers).
    pub(super) fn in_the_way(&mut self, waiting_max: u32) -> Option<ServerIndex> {
        let mut next = self.unreached.first().filter(|_| self.rows.is_full());
        while let Some(slot) = next {
            if self.rows.at(slot)?.waiting() <= waiting_max {
                return self.rows.index_at(slot).map(ServerIndex);
            }
            next = List::after(&mut OnUnreached(&mut self.rows), slot);
        }
        None
    }

    /// Servers that were never connected to.
    pub(super) const fn unreached(&self) -> u32 {
        self.unreached.len()
    }

    pub(super) fn remove(&mut self, index: ServerIndex) {
        self.reached(index);
        let Some(server) = self.rows.remove(index.0) else { return };
        if let Ok(entry) =
            self.by_address.find_entry(self.hash.of(&server.address), |slot| *slot == index.0.slot())
        {
            entry.remove();
        }
    }

    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.by_address = HashTable::new();
        self.unreached = List::default();
    }
}

struct OnUnreached<'r>(&'r mut Slab<Server>);

impl Threads for OnUnreached<'_> {
    fn links(&mut self, slot: u32) -> Option<&mut Links> {
        self.0.at_mut(slot).map(|server| &mut server.on_unreached)
    }
}
