//! The last words of a server that was asked to stop: what became of what it took in.

use ntf_core::push;
use ntf_core::relay::{push_end, subscriber_end};
use ntf_core::subscriber::meters::Counters;

/// What a subscriber says of its notices.
pub(crate) fn tally(counters: &Counters) -> String {
    let delivery = &counters.delivery;
    format!(
        "{} notices received, {} ordered, {} of these unfinished, {} merged with newer ones, {} forgotten.",
        counters.received.total(),
        delivery.ordered.total(),
        delivery.unfinished.total(),
        delivery.merged.total(),
        delivery.forgotten.total(),
    )
}

/// What a push server says of the orders that reached it.
pub(crate) fn push_tally(counters: &push::Counters) -> String {
    format!(
        "{} pushes ordered, {} accepted, {} put off, {} unfinished.",
        counters.orders.total(),
        counters.accepted.total(),
        counters.try_later.total(),
        counters.dropped.total(),
    )
}

/// What a subscriber's end of a relay link says of its orders.
pub(crate) fn end_tally(counters: &subscriber_end::Counters) -> String {
    format!(
        "{} pushes ordered, {} answered, {} put off, {} unfinished.",
        counters.orders.total(),
        counters.answered.total(),
        counters.expired_unsent.total().saturating_add(counters.expired_unanswered.total()),
        counters.dropped.total(),
    )
}

/// What a push server's end of its relay links says of theirs.
pub(crate) fn push_end_tally(orders: &push_end::OrderCounters) -> String {
    format!(
        "{} orders received, {} made, {} repeated or answered from memory.",
        orders.received.total(),
        orders.handed_on.total(),
        orders.repeated.total().saturating_add(orders.remembered.total()),
    )
}
