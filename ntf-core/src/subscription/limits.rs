//! How much the table of subscriptions holds, and which bound was met.

/// Bounds of the table. Source: ours, one shard of a server with a few gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct SubscriptionLimits {
    /// Subscriptions in all; beyond it SNEW is refused. Default 10,000,000.
    pub subscriptions: u32,
    /// Subscriptions of one token; beyond it SNEW is refused. Default 20,000; dropping a token drops all of
    /// its subscriptions in one go, so this also bounds the work of that.
    pub per_token: u32,
    /// SMP servers watched, each with a connection of its own; beyond it the one that has been waited for the
    /// longest and never been reached gives way, with its subscriptions, and where there is none SNEW for one more
    /// is refused. Default 4096.
    pub servers: u32,
    /// SMP servers of one token; beyond it SNEW for one more is refused. Default 100, some times what an app
    /// comes with, so that a few devices cannot take all places.
    pub servers_per_token: usize,
}

impl Default for SubscriptionLimits {
    fn default() -> Self {
        Self { subscriptions: 10_000_000, per_token: 20_000, servers: 4096, servers_per_token: 100 }
    }
}

/// Which bound stands in the way of one more subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionsFull {
    /// [`SubscriptionLimits::subscriptions`].
    Table,
    /// [`SubscriptionLimits::per_token`].
    Token,
    /// [`SubscriptionLimits::servers`].
    Servers,
    /// [`SubscriptionLimits::servers_per_token`].
    ServersOfToken,
}
