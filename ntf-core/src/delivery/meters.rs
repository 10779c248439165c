//! What delivery counts.

use crate::base::meter::{Counter, Histogram, meters};

/// What became of notices and orders.
///
/// Every notice taken in ends in exactly one of `ordered`, `merged`, `displaced`, `oversize`, `expired` and
/// `forgotten`, or is still fresh. `unfinished` are among the `ordered`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryCounters {
    /// Notices taken in.
    pub taken_in: Counter,
    /// Notices that went into an order, each counted once.
    pub ordered: Counter,
    /// Of those: notices dropped by a stop before the provider had taken or refused them.
    pub unfinished: Counter,
    /// Notices whose place a newer one of the same queue took before they were ordered.
    pub merged: Counter,
    /// Notices dropped because too many queues of the token waited.
    pub displaced: Counter,
    /// Notices that fit into no push.
    pub oversize: Counter,
    /// Notices that waited for too long and were in no order.
    pub expired: Counter,
    /// Notices dropped with their token or subscription.
    pub forgotten: Counter,
    /// Notices not taken in, because the tables were full.
    pub refused_full: Counter,
    /// Orders of notices, of all presentations; the next three are parts of it.
    pub message_orders: Counter,
    /// Of those: alerts that the app replaces.
    pub mutable_orders: Counter,
    /// Of those: hidden pushes.
    pub hidden_orders: Counter,
    /// Of those: visible alerts in place of notices.
    pub visible_orders: Counter,
    /// Visible alerts for notices that the budget holds back.
    pub alert_orders: Counter,
    /// Times that the notices of a token were held back by its budget or by a quiet period.
    pub held_by_budget: Counter,
    /// Verification pushes ordered.
    pub verification_orders: Counter,
    /// Periodic pushes ordered.
    pub periodic_orders: Counter,
    /// Periodic pushes left out because the token was not verified when they were due.
    pub periodic_skipped: Counter,
    /// Times that a periodic push was held back by the budget of its device.
    pub periodic_held: Counter,
    /// Orders that the provider took.
    pub accepted: Counter,
    /// Time from the coming of a notice to the provider's acceptance of the push that brings it, or of the alert
    /// that stands for it.
    pub acceptance_ms: Histogram,
    /// Orders put off.
    pub put_off: Counter,
    /// Orders that the push server held back because the device had its share of hidden pushes.
    pub throttled: Counter,
    /// Orders too large for the provider.
    pub too_large: Counter,
    /// Orders refused for good.
    pub refused: Counter,
    /// Orders that found the device token invalid.
    pub token_invalid: Counter,
    /// Orders without outcome in time.
    pub lost: Counter,
    /// Outcomes of orders that nobody waits for any more.
    pub late: Counter,
}

impl DeliveryCounters {
    /// Notices taken in that have ended; the others are fresh.
    #[must_use]
    pub fn ended(&self) -> u64 {
        let Self { ordered, merged, displaced, oversize, expired, forgotten, .. } = self;
        [ordered, merged, displaced, oversize, expired, forgotten].iter().map(|counter| counter.total()).sum()
    }
}

meters!(DeliveryCounters {
    taken_in,
    ordered,
    unfinished,
    merged,
    displaced,
    oversize,
    expired,
    forgotten,
    refused_full,
    message_orders,
    mutable_orders,
    hidden_orders,
    visible_orders,
    alert_orders,
    held_by_budget,
    verification_orders,
    periodic_orders,
    periodic_skipped,
    periodic_held,
    accepted,
    acceptance_ms,
    put_off,
    throttled,
    too_large,
    refused,
    token_invalid,
    lost,
    late,
});
