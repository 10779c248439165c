//! What goes wrong between two honest ends: links that break, processes that die, at every step of a push.

use super::pair::{Pair, Pushing, identity, order};
use crate::model::push::{PushId, PushResult};
use alloc::vec;
use core::time::Duration;

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn a_push_goes_through_and_its_outcome_comes_back() {
    let mut pair = Pair::new();
    pair.order(order(7));
    pair.settle();
    assert_eq!(pair.results(), [(7, PushResult::Accepted)]);
    assert_eq!(pair.pushed.len(), 1);
    assert_eq!(pair.pushed[0].device, order(7).device);
    assert!(pair.pushed[0].payload == order(7).payload);
    assert_eq!((pair.subscriber.held(), pair.push.in_hand(), pair.subscriber.credits_used()), (0, 0, 0));
}

#[test]
fn a_link_that_breaks_at_any_step_makes_no_second_push_and_loses_no_outcome() {
    let mut steps = 0;
    for broken_after in 0.. {
        let mut pair = Pair::new();
        pair.order(order(7));
        let reached = (0..broken_after).take_while(|_| pair.step()).count();
        if reached < broken_after {
            break;
        }
        steps += 1;
        pair.cut();
        pair.run_for(PATIENCE);
        assert_eq!(pair.results(), [(7, PushResult::Accepted)], "after {broken_after} steps");
        assert_eq!(pair.pushed.len(), 1, "after {broken_after} steps");
        assert_eq!((pair.subscriber.held(), pair.push.in_hand()), (0, 0));
    }
    assert!(steps >= 5, "hello, welcome, order, push, outcome: {steps}");
}

#[test]
fn a_push_server_killed_at_any_step_loses_no_outcome() {
    let mut steps = 0;
    for killed_after in 0.. {
        let mut pair = Pair::new();
        pair.order(order(7));
        let reached = (0..killed_after).take_while(|_| pair.step()).count();
        if reached < killed_after {
            break;
        }
        steps += 1;
        pair.kill_push();
        pair.run_for(PATIENCE);
        assert_eq!(pair.results(), [(7, PushResult::Accepted)], "after {killed_after} steps");
        // What it knew of the order died with it, so the order may be pushed once more, and not twice more.
        assert!((1..=2).contains(&pair.pushed.len()), "after {killed_after} steps");
        assert_eq!((pair.subscriber.held(), pair.push.in_hand()), (0, 0));
    }
    assert!(steps >= 5, "{steps}");
}

#[test]
fn a_subscriber_killed_at_any_step_comes_back_and_is_served() {
    let mut steps = 0;
    for killed_after in 0.. {
        let mut pair = Pair::new();
        pair.order(order(7));
        let reached = (0..killed_after).take_while(|_| pair.step()).count();
        if reached < killed_after {
            break;
        }
        steps += 1;
        pair.kill_subscriber();
        pair.outcomes.clear();
        let before = pair.pushed.len();
        // It counts its orders from the beginning: the same number means another order.
        pair.order(order(7));
        pair.run_for(PATIENCE);
        assert_eq!(pair.results(), [(7, PushResult::Accepted)], "after {killed_after} steps");
        assert!(pair.pushed.len() > before, "after {killed_after} steps");
        assert_eq!((pair.subscriber.held(), pair.push.in_hand()), (0, 0));
    }
    assert!(steps >= 5, "{steps}");
}

#[test]
fn an_outcome_that_comes_while_nobody_is_there_is_kept() {
    let mut pair = Pair::new();
    pair.pushing = Pushing::Keeps;
    pair.order(order(7));
    pair.settle();
    pair.is_reachable = false;
    pair.cut();
    pair.done(pair.pushed[0].id, PushResult::Accepted);
    assert_eq!(pair.push.counters().orders.kept.total(), 1);
    pair.run_for(Duration::from_secs(50));
    assert!(pair.outcomes.is_empty());
    pair.is_reachable = true;
    pair.run_for(Duration::from_secs(40));
    assert_eq!(pair.results(), [(7, PushResult::Accepted)]);
    assert_eq!(pair.pushed.len(), 1);
    assert_eq!(pair.push.counters().orders.remembered.total(), 1);
}

#[test]
fn an_hour_without_a_link_holds_what_is_bounded_and_puts_the_rest_off() {
    let mut pair = Pair::new();
    pair.settle();
    pair.is_reachable = false;
    pair.cut();
    for id in 0..3600 {
        pair.order(order(id));
        pair.run_for(Duration::from_secs(1));
        assert!(pair.subscriber.held() <= 11, "ten seconds' worth: {}", pair.subscriber.held());
    }
    assert!(pair.outcomes.len() >= 3589);
    let later = PushResult::TryLater { after: Duration::ZERO };
    assert!(pair.outcomes.iter().all(|outcome| outcome.result == later), "they merge and are ordered anew");
    pair.is_reachable = true;
    pair.outcomes.clear();
    pair.order(order(9999));
    pair.run_for(Duration::from_secs(31));
    assert!(pair.subscriber.is_open(), "the longest pause is over");
    pair.order(order(10_000));
    pair.settle();
    assert!(pair.results().contains(&(10_000, PushResult::Accepted)));
}

#[test]
fn an_order_that_is_never_answered_is_put_off_and_keeps_its_credit() {
    let mut pair = Pair::new();
    pair.pushing = Pushing::Keeps;
    pair.order(order(7));
    pair.run_for(Duration::from_secs(99));
    assert!(pair.outcomes.is_empty());
    pair.run_for(Duration::from_secs(2));
    assert_eq!(pair.results(), [(7, PushResult::TryLater { after: Duration::ZERO })]);
    assert_eq!((pair.subscriber.held(), pair.subscriber.credits_used()), (0, 1));
    pair.done(PushId(1), PushResult::Accepted);
    pair.settle();
    assert_eq!(pair.outcomes.len(), 1, "the subscriber has been told");
    assert_eq!(pair.subscriber.credits_used(), 0);
}

#[test]
fn a_push_server_with_another_identity_is_not_spoken_to() {
    let mut pair = Pair::new();
    pair.cut();
    let mut server = pair.subscriber_config.server.clone();
    server.identity = identity("somebody else");
    pair.subscriber_config.server = server;
    pair.kill_subscriber();
    pair.order(order(7));
    pair.run_for(Duration::from_secs(60));
    assert!(pair.subscriber.counters().wrong_identity.total() >= 2);
    assert!(!pair.subscriber.is_open());
    assert!(pair.pushed.is_empty());
}

#[test]
fn a_push_server_that_leaves_answers_what_it_has_and_takes_no_more() {
    let mut pair = Pair::new();
    pair.pushing = Pushing::Keeps;
    pair.order(order(1));
    pair.settle();
    use crate::machine::Machine as _;
    pair.push.handle(pair.now, crate::relay::push_end::Input::Drain);
    // Sent before the word arrives.
    pair.order(order(2));
    pair.settle();
    pair.order(order(3));
    pair.settle();
    assert_eq!(pair.results(), [(2, PushResult::TryLater { after: Duration::from_secs(1) })]);
    assert_eq!(pair.push.in_hand(), 1);
    pair.done(pair.pushed[0].id, PushResult::Accepted);
    pair.settle();
    assert_eq!(pair.results().last(), Some(&(1, PushResult::Accepted)));
    assert_eq!((pair.push.in_hand(), pair.subscriber.held()), (0, 1));
    assert_eq!(pair.pushed.iter().map(|order| order.id).collect::<vec::Vec<_>>(), [PushId(1)]);
}

#[test]
fn an_idle_link_stays_up_for_days() {
    let mut pair = Pair::new();
    pair.run_for(Duration::from_secs(3600));
    assert_eq!(pair.subscriber.counters().welcomed.total(), 1);
    assert_eq!(pair.subscriber.counters().lost.total(), 0);
}
