//! Who may ask for how much.

use super::pair::{Pair, Pushing, admitted, device, identity, order};
use crate::base::budget::BudgetPlan;
use crate::model::push::PushResult;
use crate::relay::push_end::{Admitted, Config, Limits, TokensAllowed};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

fn with(limits: Limits) -> Pair {
    Pair::with(Config::new(vec![admitted("one", limits)]))
}

#[test]
fn no_more_orders_are_out_than_there_are_credits() {
    let mut pair = with(Limits { credits: 3, ..Limits::default() });
    pair.pushing = Pushing::Keeps;
    for id in 0..10 {
        pair.order(order(id));
    }
    pair.settle();
    assert_eq!((pair.pushed.len(), pair.subscriber.credits_used()), (3, 3));
    for done in 0..10 {
        assert_eq!(pair.pushed.len(), (done + 3).min(10));
        pair.done(pair.pushed[done].id, PushResult::Accepted);
        pair.settle();
    }
    let answered: Vec<u64> = pair.results().iter().map(|(id, _)| *id).collect();
    assert_eq!(answered, (0..10).collect::<Vec<u64>>());
    assert_eq!(pair.push.counters().links.overdrawn.total(), 0);
}

#[test]
fn orders_of_links_that_are_gone_count_against_the_credits() {
    let mut pair = with(Limits { credits: 2, ..Limits::default() });
    pair.pushing = Pushing::Keeps;
    pair.order(order(1));
    pair.order(order(2));
    pair.settle();
    // Another process of the subscriber knows nothing of these two.
    pair.kill_subscriber();
    pair.settle();
    pair.order(order(1));
    pair.settle();
    assert_eq!(pair.results(), [(1, PushResult::TryLater { after: Duration::from_secs(1) })]);
    assert_eq!((pair.push.in_hand(), pair.push.counters().orders.busy.total()), (2, 1));
    pair.done(pair.pushed[0].id, PushResult::Accepted);
    assert_eq!(pair.push.counters().orders.orphaned.total(), 1, "nobody waits for it");
    pair.order(order(2));
    pair.settle();
    assert_eq!(pair.pushed.len(), 3);
}

#[test]
fn a_subscriber_that_has_used_up_its_limit_is_told_when_to_come_back() {
    let plan = |burst, seconds| BudgetPlan { burst, period: Duration::from_secs(seconds) };
    let mut pair = with(Limits { short: plan(2, 10), long: plan(3, 100), ..Limits::default() });
    for id in 1..=3 {
        pair.order(order(id));
        pair.settle();
    }
    let later = |seconds| PushResult::TryLater { after: Duration::from_secs(seconds) };
    assert_eq!(pair.results()[2], (3, later(10)));
    pair.run_for(Duration::from_secs(10));
    for id in 4..=5 {
        pair.order(order(id));
        pair.settle();
    }
    assert_eq!(pair.results()[3], (4, PushResult::Accepted), "the refused one was not booked");
    assert_eq!(pair.results()[4], (5, later(90)), "of the longer limit");
    assert_eq!((pair.pushed.len(), pair.push.counters().orders.throttled.total()), (3, 2));
}

#[test]
fn a_subscriber_of_sealed_tokens_may_not_push_to_plain_ones() {
    let mut pair = with(Limits { tokens: TokensAllowed::Sealed, ..Limits::default() });
    pair.order(order(1));
    pair.settle();
    assert_eq!(pair.results(), [(1, PushResult::Refused)]);
    assert!(pair.pushed.is_empty());
}

#[test]
fn two_entries_of_one_name_are_one_subscriber() {
    let limits = Limits { credits: 1, ..Limits::default() };
    let again = Admitted { identity: identity("one, renewed"), ..admitted("one", limits) };
    let mut pair = Pair::with(Config::new(vec![admitted("one", limits), again]));
    pair.pushing = Pushing::Keeps;
    pair.order(order(1));
    pair.settle();
    pair.subscriber_config.credentials = super::pair::credentials("one, renewed");
    pair.kill_subscriber();
    pair.order(order(2));
    pair.settle();
    assert_eq!(pair.push.is_connected("one"), Some(true));
    assert_eq!((pair.push.links(), pair.push.counters().orders.busy.total()), (1, 1));
}

#[test]
fn what_fits_no_block_is_refused_at_home() {
    let mut pair = Pair::new();
    for (len, fits) in [(3600, true), (3601, false)] {
        let mut order = order(len);
        order.device.token = vec![b'a'; 255].into();
        order.payload = crate::model::push::PushPayload::Message(crate::model::push::Sealed {
            nonce: [0; 24],
            ciphertext: vec![0; usize::try_from(len).unwrap()].into(),
        });
        pair.order(order);
        pair.settle();
        let expected = if fits { PushResult::Accepted } else { PushResult::Refused };
        assert_eq!(pair.results().last(), Some(&(len, expected)));
    }
    assert_eq!(pair.pushed.len(), 1);
}

#[test]
fn an_end_that_holds_its_bound_puts_off() {
    let mut pair = Pair::new();
    pair.is_reachable = false;
    pair.cut();
    pair.subscriber_config.orders_max = 2;
    pair.kill_subscriber();
    for id in 1..=3 {
        pair.order(order(id));
    }
    assert_eq!(pair.results(), [(3, PushResult::TryLater { after: Duration::ZERO })]);
    assert_eq!((pair.subscriber.held(), pair.subscriber.counters().full.total()), (2, 1));
}

#[test]
fn memory_of_outcomes_is_bounded_in_number_and_in_time() {
    let mut config = Config::new(vec![admitted("one", Limits::default())]);
    config.remembered_max = 5;
    let mut pair = Pair::with(config);
    for id in 0..20 {
        pair.order(order(id));
        pair.settle();
    }
    assert_eq!(pair.push.remembered(), 5);
    pair.run_for(Duration::from_secs(601));
    assert_eq!(pair.push.remembered(), 0);
    pair.order(order(21));
    pair.settle();
    assert_eq!(pair.pushed.len(), 21);
    assert_eq!(pair.pushed[20].device, device());
}
