//! The lists that rows are on: those of their server, by how they stand, and that of their token.
//!
//! A list is threaded through the rows, so joining and leaving it takes no memory and O(1).

use crate::base::list::{Links, Threads};
use crate::base::slab::Slab;
use crate::model::index::SubscriptionIndex;
use crate::subscription::row::Subscription;
use crate::subscription::state::Standing;
use crate::subscription::table::Subscriptions;

impl Subscriptions {
    /// The list that a row is on.
    pub(super) fn place(&self, row: &Subscription) -> Place {
        let server = self.servers.rows.at(row.server);
        let current = !row.is_tied && server.is_some_and(|server| server.session == row.session);
        let tied = row.is_tied && server.is_some_and(|server| server.tie == row.session);
        match row.standing {
            Standing::New => Place::Fresh,
            Standing::Waiting => Place::Waiting,
            Standing::Confirmed if tied => Place::Tied,
            Standing::Asked | Standing::Confirmed if current => Place::Live,
            Standing::Asked | Standing::Confirmed => Place::Waiting,
            Standing::Over(over) if !over.may_pass() => Place::Nowhere,
            Standing::Over(_) if server.is_some_and(|server| server.trial == row.session) => Place::Failed,
            Standing::Over(_) => Place::Waiting,
        }
    }

    /// Takes a row from the list of its server that it is on.
    pub(super) fn unlist(&mut self, index: SubscriptionIndex) {
        let Some((server, place)) = self.get(index).map(|row| (row.server, self.place(row))) else { return };
        let Some(server) = self.servers.rows.at_mut(server) else { return };
        let mut threads = OnServer(&mut self.rows);
        match place {
            Place::Fresh => server.fresh.remove(&mut threads, index.0.slot()),
            Place::Waiting => server.waiting.remove(&mut threads, index.0.slot()),
            Place::Failed => server.failed.remove(&mut threads, index.0.slot()),
            Place::Live => server.live.remove(&mut threads, index.0.slot()),
            Place::Tied => server.tied.remove(&mut threads, index.0.slot()),
            Place::Nowhere => {}
        }
    }

    /// Writes a standing of a row that is not tied, and puts the row on the list that goes with it.
    pub(super) fn settle(&mut self, index: SubscriptionIndex, standing: Standing) {
        let is_live = self.get(index).is_some_and(|row| self.place(row) == Place::Live);
        if standing == Standing::Confirmed && is_live {
            // It keeps its place on the list, so that the order survives from session to session.
            if let Some(row) = self.rows.get_mut(index.0) {
                row.standing = standing;
            }
            return;
        }
        self.unlist(index);
        let Some(row) = self.rows.get_mut(index.0) else { return };
        let Some(server) = self.servers.rows.at_mut(row.server) else { return };
        let was_new = row.standing == Standing::New;
        row.standing = standing;
        row.session = match standing {
            Standing::Over(_) => server.trial,
            Standing::New | Standing::Waiting | Standing::Asked | Standing::Confirmed => server.session,
        };
        row.is_tied = false;
        let (slot, mut threads) = (index.0.slot(), OnServer(&mut self.rows));
        match standing {
            Standing::New => server.fresh.push(&mut threads, slot),
            Standing::Waiting => server.waiting.push_front(&mut threads, slot),
            // The waiting are asked for from last to first, which is turned around here.
            Standing::Asked if !was_new => server.live.push_front(&mut threads, slot),
            Standing::Asked | Standing::Confirmed => server.live.push(&mut threads, slot),
            Standing::Over(over) if over.may_pass() => server.failed.push(&mut threads, slot),
            Standing::Over(_) => {}
        }
    }
}

/// Which list of its server a row is on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Never asked for.
    Fresh,
    Waiting,
    Live,
    /// Tied to our service.
    Tied,
    /// To be tried again some time.
    Failed,
    Nowhere,
}

pub(super) struct OnServer<'r>(pub(super) &'r mut Slab<Subscription>);

impl Threads for OnServer<'_> {
    fn links(&mut self, slot: u32) -> Option<&mut Links> {
        self.0.at_mut(slot).map(|row| &mut row.on_server)
    }
}

pub(super) struct OnOwner<'r>(pub(super) &'r mut Slab<Subscription>);

impl Threads for OnOwner<'_> {
    fn links(&mut self, slot: u32) -> Option<&mut Links> {
        self.0.at_mut(slot).map(|row| &mut row.on_owner)
    }
}
