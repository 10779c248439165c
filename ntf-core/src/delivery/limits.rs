//! How much delivery holds, and how long it waits.

use crate::base::backoff::BackoffPlan;
use crate::base::budget::BudgetPlan;
use crate::delivery::policy::PushPolicy;
use crate::delivery::verification::ResendPlan;
use core::time::Duration;

/// Bounds and delays of delivery. Source: ours, where nothing else is said.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryLimits {
    /// Queues of one token whose notices wait; beyond it the oldest notice goes and is counted. Default 64.
    pub queues_per_token: usize,
    /// Notices held for all tokens; beyond it a token that holds none gets none, which is counted. Default
    /// 4,000,000, each some 300 bytes.
    pub notices: usize,
    /// How long a notice is held at most, whether it waits for its push or rides along in later ones; then it
    /// goes, and is counted if it was in no order yet. Default 1 day: SMP servers keep notifications as long,
    /// and a device that asked for nothing for a day finds its messages by looking. Mends defect D21 of the
    /// reference.
    pub notice_lifetime: Duration,
    /// Orders out at once; beyond it tokens wait in line, and their notices merge. Default 4096.
    pub orders: usize,
    /// When an order without outcome counts as lost. Default 2 minutes: a provider's timeout of 25 s, tried
    /// twice, and the way to the push server fit in.
    pub order_timeout: Duration,
    /// Pauses after an order that did not reach the provider. Default 1 s, doubled up to 5 minutes.
    pub retry: BackoffPlan,
    /// When verification pushes are sent again.
    pub resend: ResendPlan,
    /// What tokens without a policy of their own get. Default [`PushPolicy::Mutable`].
    pub policy: PushPolicy,
    /// Hidden pushes to one device, with notices and periodic ones together, except under
    /// [`PushPolicy::Mutable`]. Default 3 an hour, one at a time: no hour has more. A burst adds that many
    /// less one to the first hour. Source: Apple recommends two or three an hour.
    pub hidden_pushes: BudgetPlan,
    /// Shortest time between two alerts to one device that carry no notices. Default 20 minutes, the time
    /// between hidden pushes, so that what comes after a rest is never delayed.
    pub quiet: Duration,
    /// Devices whose hidden pushes are on the books; beyond it the one nearest to a rest is forgotten.
    /// Default 1,000,000, each some 100 bytes.
    pub devices_paced: usize,
}

impl Default for DeliveryLimits {
    fn default() -> Self {
        Self {
            queues_per_token: 64,
            notices: 4_000_000,
            notice_lifetime: Duration::from_secs(86_400),
            orders: 4096,
            order_timeout: Duration::from_secs(120),
            retry: BackoffPlan { first: Duration::from_secs(1), max: Duration::from_secs(300) },
            resend: ResendPlan::default(),
            policy: PushPolicy::default(),
            hidden_pushes: BudgetPlan { burst: 1, period: Duration::from_secs(1200) },
            quiet: Duration::from_secs(1200),
            devices_paced: 1_000_000,
        }
    }
}
