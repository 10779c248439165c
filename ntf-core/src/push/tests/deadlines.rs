//! Bounds of time and room: deadlines, full queues, requests in flight, the end.

use core::time::Duration;

use super::{Bench, TOKEN, config, later_of};
use crate::machine::{Machine as _, Step};
use crate::model::push::PushResult;
use crate::model::token::Provider;
use crate::push::Config;
use crate::push::input::{Answer, Input};

const DEADLINE: Duration = Duration::from_secs(25);

#[test]
fn no_more_requests_are_in_flight_than_allowed() {
    let mut bench = Bench::new(Config { in_flight_max: 3, ..config() });
    let first = bench.order(1).request().id;
    assert_eq!(bench.order(2).requests.len(), 1);
    assert_eq!(bench.order(3).requests.len(), 1);
    assert!(bench.order(4).is_silent());
    assert_eq!(bench.push.in_flight(), 3);
    let next = bench.respond(first, 200, "");
    assert_eq!(next.requests.len(), 1);
    assert_eq!(bench.push.in_flight(), 3);
    assert_eq!(bench.push.in_hand(), 3);
}

#[test]
fn a_full_queue_answers_later_at_once() {
    for (queue_len_max, waiting) in [(0, 0), (1, 1), (5, 5)] {
        let mut bench = Bench::new(Config { in_flight_max: 1, queue_len_max, ..config() });
        // The first leaves the queue for the wire as soon as it is taken in, if it is taken in.
        let mut taken = 0;
        for id in 0..10 {
            let drained = bench.order(id);
            if drained.outcomes.is_empty() {
                taken += 1;
            } else {
                assert!(later_of(drained.result()) >= Duration::from_secs(10));
            }
        }
        let in_flight = usize::from(queue_len_max > 0);
        assert_eq!(taken, waiting + in_flight, "queue_len_max = {queue_len_max}");
        assert_eq!(bench.push.in_hand(), taken);
        let full = bench.push.counters().queue_full.total();
        assert_eq!(full, u64::try_from(10 - taken).unwrap());
    }
}

#[test]
fn each_lane_has_room_of_its_own() {
    let mut bench = Bench::new(Config { in_flight_max: 1, queue_len_max: 1, ..config() });
    bench.order_of(1, Provider::ApnsDev, TOKEN);
    bench.order_of(2, Provider::ApnsDev, TOKEN);
    assert_eq!(bench.order_of(3, Provider::ApnsDev, TOKEN).outcomes.len(), 1);
    assert_eq!(bench.order_of(4, Provider::ApnsProd, TOKEN).requests.len(), 1);
}

#[test]
fn an_order_that_waits_too_long_is_put_off() {
    let mut bench = Bench::new(Config { in_flight_max: 1, ..config() });
    let first = bench.order(1).request().id;
    bench.pass(Duration::from_secs(20));
    bench.order(2);
    assert_eq!(bench.respond(first, 200, "").requests.len(), 1);
    let waiting = bench.order(3);
    assert_eq!(waiting.deadline.unwrap().reason, "order deadline");
    bench.pass(DEADLINE);
    let ended = bench.input(Input::Tick);
    assert_eq!(ended.outcomes.len(), 1, "the one that waited; the other is in flight");
    assert!(later_of(ended.result()) >= Duration::from_secs(10));
    assert_eq!(bench.push.counters().timed_out.total(), 1);
}

#[test]
fn a_request_may_take_what_is_left_of_its_orders_time() {
    let mut bench = Bench::new(Config { in_flight_max: 1, ..config() });
    let first = bench.order(1);
    assert_eq!(first.request().timeout, DEADLINE);
    bench.order(2);
    bench.pass(Duration::from_secs(7));
    let second = bench.respond(first.request().id, 200, "");
    assert_eq!(second.request().timeout, DEADLINE - Duration::from_secs(7));
}

#[test]
fn an_adapter_that_never_answers_does_not_keep_an_order() {
    let mut bench = Bench::new(config());
    let sent = bench.order(1);
    let grace = bench.tick_at(sent.deadline);
    assert!(grace.is_silent(), "the adapter may be about to say it timed out");
    let ended = bench.tick_at(grace.deadline);
    later_of(ended.result());
    assert_eq!(bench.push.in_hand(), 0);
    assert_eq!(bench.push.in_flight(), 0);
    let late = bench.respond(sent.request().id, 200, "");
    assert!(late.is_silent());
    assert_eq!(bench.push.counters().late_answers.total(), 1);
}

#[test]
fn an_answer_in_the_moment_of_the_deadline_counts() {
    let mut bench = Bench::new(config());
    let sent = bench.order(1);
    bench.pass(DEADLINE + Duration::from_secs(2));
    assert_eq!(bench.respond(sent.request().id, 200, "").result(), PushResult::Accepted);
}

#[test]
fn answers_to_requests_never_made_are_counted_and_ignored() {
    let mut bench = Bench::new(config());
    for number in [0, 1, u64::MAX] {
        let id = crate::push::effect::RequestId(number);
        assert!(bench.answer(id, Answer::Broken).is_silent());
    }
    let sent = bench.order(1);
    bench.respond(sent.request().id, 200, "");
    assert!(bench.respond(sent.request().id, 410, "").is_silent(), "answered twice");
    assert_eq!(bench.push.counters().late_answers.total(), 4);
}

#[test]
fn after_a_stop_nothing_happens_any_more() {
    let mut bench = Bench::new(config());
    let sent = bench.order(1);
    let stopped = bench.input(Input::Stop);
    assert!(stopped.is_silent());
    assert_eq!(stopped.deadline, None);
    assert!(bench.order(2).is_silent());
    assert!(bench.respond(sent.request().id, 200, "").is_silent());
    assert!(matches!(bench.push.poll(), Step::Idle(None)));
    assert_eq!(bench.push.counters().dropped.total(), 1);
    assert_eq!(bench.push.counters().jwt_signed.total(), 1);
    assert_eq!(bench.push.in_hand(), 0);
}

#[test]
fn time_that_goes_back_counts_as_standing_still() {
    let mut bench = Bench::new(config());
    bench.pass(Duration::from_secs(100));
    bench.order(1);
    bench.now.mono = crate::base::time::Mono::ZERO;
    assert_eq!(bench.order(2).request().timeout, DEADLINE);
}

#[test]
fn at_the_end_what_is_in_hand_is_finished_and_new_orders_are_put_off() {
    let mut bench = Bench::new(Config { in_flight_max: 1, ..config() });
    let first = bench.order(1).request().id;
    bench.order(2);
    assert!(!bench.push.is_drained());
    assert!(bench.input(Input::Drain).is_silent());
    assert!(later_of(bench.order(3).result()) >= Duration::from_secs(10));
    let second = bench.respond(first, 200, "");
    assert_eq!(second.result(), PushResult::Accepted);
    assert!(!bench.push.is_drained(), "one is left");
    assert_eq!(bench.respond(second.request().id, 200, "").result(), PushResult::Accepted);
    assert!(bench.push.is_drained());
    bench.input(Input::Stop);
    assert_eq!(bench.push.counters().dropped.total(), 0);
}
