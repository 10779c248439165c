//! What must hold between the tables at any time, for tests and the simulator. Looks at every row.

use crate::subscriber::Subscriber;

impl Subscriber {
    /// Whether the tables agree with themselves and with each other.
    ///
    /// # Errors
    ///
    /// Says which two do not.
    pub fn audit(&self) -> Result<(), &'static str> {
        self.tokens.audit()?;
        self.subscriptions.audit()?;
        let has_owner = |owner| self.tokens.get(owner).is_some() || self.ending == Some(owner);
        if !self.subscriptions.iter().all(|(_, row)| has_owner(row.owner())) {
            return Err("a subscription belongs to no token");
        }
        let delivery = self.delivery.counters();
        if delivery.taken_in.total() != delivery.ended() + self.delivery.fresh() {
            return Err("a notice that was taken in has neither ended nor is it held");
        }
        if self.delivery.orders_out() > self.config.delivery.orders {
            return Err("more orders are out than may be");
        }
        if self.servers.keys().any(|server| self.subscriptions.server(*server).is_none()) {
            return Err("an SMP server is watched that no subscription names");
        }
        Ok(())
    }
}
