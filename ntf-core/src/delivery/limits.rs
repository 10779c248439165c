//! How much delivery holds, and how long it waits.

use crate::base::backoff::BackoffPlan;
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
    /// Orders out at once; beyond it tokens wait in line, and their notices merge. Default 4096.
    pub orders: usize,
    /// When an order without outcome counts as lost. Default 2 minutes: a provider's timeout of 25 s, tried
    /// twice, and the way to the push server fit in.
    pub order_timeout: Duration,
    /// Pauses after an order that did not reach the provider. Default 1 s, doubled up to 5 minutes.
    pub retry: BackoffPlan,
    /// When verification pushes are sent again.
    pub resend: ResendPlan,
}

impl Default for DeliveryLimits {
    fn default() -> Self {
        Self {
            queues_per_token: 64,
            notices: 4_000_000,
            orders: 4096,
            order_timeout: Duration::from_secs(120),
            retry: BackoffPlan { first: Duration::from_secs(1), max: Duration::from_secs(300) },
            resend: ResendPlan::default(),
        }
    }
}
