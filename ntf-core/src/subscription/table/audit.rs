//! What must hold between the indexes of the table at any time, for tests and the simulator.

use crate::base::list::List;
use crate::model::index::{ServerIndex, SubscriptionIndex};
use crate::subscription::table::{Place, Subscriptions};

impl Subscriptions {
    /// Whether rows, lists and indexes agree.
    ///
    /// # Errors
    ///
    /// Says what does not.
    pub fn audit(&self) -> Result<(), &'static str> {
        let rows = usize::try_from(self.rows.len()).unwrap_or(usize::MAX);
        if self.by_queue.len() != rows {
            return Err("subscriptions and their index do not agree");
        }
        let owned: u32 = self.by_owner.values().map(|owned| owned.rows.len()).sum();
        if owned != self.rows.len() {
            return Err("subscriptions and the lists of their tokens do not agree");
        }
        let total: u32 = self.servers.rows.iter().map(|(_, server)| server.total).sum();
        if total != self.rows.len() {
            return Err("subscriptions and the counts of their servers do not agree");
        }
        let lists = self.servers.rows.iter().flat_map(|(_, server)| {
            [&server.fresh, &server.waiting, &server.live, &server.failed, &server.tied]
        });
        let listed: u32 = lists.map(List::len).sum();
        let listable = self.rows.iter().filter(|(_, row)| self.place(row) != Place::Nowhere).count();
        if usize::try_from(listed).unwrap_or(usize::MAX) != listable {
            return Err("subscriptions and the lists of their servers do not agree");
        }
        for (index, row) in self.rows.iter() {
            let server = self.servers.rows.index_at(row.server).map(ServerIndex);
            let notifier = self.notifier(SubscriptionIndex(index));
            let found = server.zip(notifier).and_then(|(server, notifier)| self.by_queue(server, notifier));
            if found != Some(SubscriptionIndex(index)) {
                return Err("a queue has two subscriptions, or is not found");
            }
            if self.by_id(&self.id(SubscriptionIndex(index))) != Some(SubscriptionIndex(index)) {
                return Err("a subscription is not found by its id");
            }
        }
        Ok(())
    }
}
