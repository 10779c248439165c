//! What each answer leads to: the table of `ntf-protocol` 3.8 and its advice, row by row.

use core::time::Duration;

use super::{Bench, config, later_of, response};
use crate::model::push::PushResult;
use crate::model::token::InvalidReason;
use crate::push::input::Answer;

const LATER: Duration = Duration::from_secs(10);

fn answered(status: u16, body: &str) -> (Bench, super::Drained) {
    let mut bench = Bench::new(config());
    let id = bench.order(1).request().id;
    let drained = bench.respond(id, status, body);
    (bench, drained)
}

#[test]
fn answers_that_end_an_order() {
    use InvalidReason::{Bad, Expired, Topic, Unregistered};
    let invalid = |reason, since_millis| PushResult::TokenInvalid { reason, since_millis };
    for (status, body, expected) in [
        (200, "", PushResult::Accepted),
        (200, "not JSON", PushResult::Accepted),
        (400, r#"{"reason":"BadDeviceToken"}"#, invalid(Bad, None)),
        (400, r#"{"reason":"DeviceTokenNotForTopic"}"#, invalid(Topic, None)),
        (400, r#"{"reason":"TopicDisallowed"}"#, PushResult::Refused),
        (400, r#"{"reason":"BadTopic"}"#, PushResult::Refused),
        (400, "", PushResult::Refused),
        (400, r#"{"reason":7}"#, PushResult::Refused),
        (400, r#"["BadDeviceToken"]"#, PushResult::Refused),
        (400, "\u{0}{{{{", PushResult::Refused),
        (403, r#"{"reason":"InvalidProviderToken"}"#, PushResult::Refused),
        (403, r#"{"reason":"Forbidden"}"#, PushResult::Refused),
        (404, r#"{"reason":"BadPath"}"#, PushResult::Refused),
        (405, r#"{"reason":"MethodNotAllowed"}"#, PushResult::Refused),
        (410, r#"{"reason":"ExpiredToken"}"#, invalid(Expired, None)),
        (410, r#"{"reason":"Unregistered"}"#, invalid(Unregistered, None)),
        (
            410,
            r#"{"reason":"Unregistered","timestamp":1700000000123}"#,
            invalid(Unregistered, Some(1_700_000_000_123)),
        ),
        (410, r#"{"reason":"Unregistered","timestamp":"soon"}"#, invalid(Unregistered, None)),
        (410, r#"{"reason":"Unregistered","timestamp":-1}"#, invalid(Unregistered, None)),
        (413, r#"{"reason":"PayloadTooLarge"}"#, PushResult::TooLarge),
        (204, "", PushResult::Refused),
        (301, "", PushResult::Refused),
        (418, "", PushResult::Refused),
        (0, "", PushResult::Refused),
        (u16::MAX, "", PushResult::Refused),
    ] {
        let (bench, drained) = answered(status, body);
        assert_eq!(drained.result(), expected, "{status} {body}");
        assert!(drained.requests.is_empty(), "{status} {body}");
        assert_eq!(bench.push.in_hand(), 0, "{status} {body}");
    }
}

#[test]
fn answers_that_put_an_order_off() {
    for (status, body) in [
        (429, r#"{"reason":"TooManyRequests"}"#),
        (429, r#"{"reason":"TooManyProviderTokenUpdates"}"#),
        (429, ""),
        (500, r#"{"reason":"InternalServerError"}"#),
        (502, ""),
        (503, r#"{"reason":"ServiceUnavailable"}"#),
        (503, r#"{"reason":"Shutdown"}"#),
        (599, ""),
    ] {
        let (_, drained) = answered(status, body);
        let after = later_of(drained.result());
        assert!(after >= LATER && after <= LATER * 3 / 2, "{status} {body} {after:?}");
        assert!(drained.requests.is_empty(), "{status} {body}");
    }
}

#[test]
fn retry_after_is_honoured_within_reason() {
    for (asked, at_least) in [(0, 1), (1, 1), (30, 30), (3600, 3600), (3601, 3600), (u64::MAX, 3600)] {
        for status in [429, 503] {
            let mut bench = Bench::new(config());
            let id = bench.order(1).request().id;
            let retry_after = Some(Duration::from_secs(asked));
            let drained = bench.answer(id, Answer::Response { status, body: b"", retry_after });
            let after = later_of(drained.result());
            let at_least = Duration::from_secs(at_least);
            assert!(after >= at_least && after <= at_least * 3 / 2, "{status} {asked} {after:?}");
        }
    }
}

#[test]
fn a_provider_that_names_a_time_is_left_alone_until_then() {
    let mut bench = Bench::new(config());
    let id = bench.order(1).request().id;
    let retry_after = Some(Duration::from_secs(5));
    let drained = bench.answer(id, Answer::Response { status: 503, body: b"", retry_after });
    let held = bench.order(2);
    assert!(held.is_silent(), "held back");
    bench.pass(Duration::from_secs(4));
    assert!(bench.input(crate::push::input::Input::Tick).is_silent());
    assert_eq!(drained.deadline.unwrap().reason, "provider pause");
    assert_eq!(bench.tick_at(drained.deadline).requests.len(), 1);
}

#[test]
fn an_order_that_would_wait_longer_than_it_lives_is_put_off_at_once() {
    let mut bench = Bench::new(config());
    let id = bench.order(1).request().id;
    let retry_after = Some(Duration::from_secs(60));
    bench.answer(id, Answer::Response { status: 503, body: b"", retry_after });
    let after = later_of(bench.order(2).result());
    assert!(after >= Duration::from_secs(60), "{after:?}");
}

#[test]
fn one_limited_device_does_not_hold_up_others() {
    let mut bench = Bench::new(config());
    let id = bench.order(1).request().id;
    bench.respond(id, 429, r#"{"reason":"TooManyRequests"}"#);
    assert_eq!(bench.order(2).requests.len(), 1);
}

#[test]
fn a_410_without_a_known_reason_is_asked_once_more() {
    let (mut bench, again) = answered(410, "{}");
    assert!(again.outcomes.is_empty());
    let last = bench.respond(again.request().id, 410, "{}");
    assert_eq!(last.result(), PushResult::Refused);
    assert!(last.requests.is_empty());
}

#[test]
fn a_push_whose_fate_is_unknown_is_not_sent_again() {
    for answer in [Answer::Broken, Answer::TimedOut] {
        let mut bench = Bench::new(config());
        let id = bench.order(1).request().id;
        let drained = bench.answer(id, answer);
        assert!(later_of(drained.result()) >= LATER, "{answer:?}");
        assert!(drained.requests.is_empty(), "{answer:?}");
        bench.pass(Duration::from_secs(60));
        assert!(bench.input(crate::push::input::Input::Tick).is_silent(), "{answer:?}");
    }
}

#[test]
fn a_push_that_was_not_processed_is_sent_again_after_a_pause_and_then_put_off() {
    for answer in [Answer::NotProcessed, Answer::Unreachable] {
        let mut bench = Bench::new(config());
        let mut drained = bench.order(1);
        for attempt in 1..4 {
            let id = drained.request().id;
            let failed = bench.answer(id, answer);
            assert!(failed.is_silent(), "{answer:?} {attempt}");
            assert_eq!(failed.deadline.unwrap().reason, "provider pause");
            drained = bench.tick_at(failed.deadline);
        }
        let id = drained.request().id;
        let last = bench.answer(id, answer);
        assert!(later_of(last.result()) >= LATER, "{answer:?}");
        assert_eq!(bench.push.counters().requests.total(), 4);
        assert_eq!(bench.push.counters().retried.total(), 3);
        assert_eq!(bench.push.counters().unreachable.total(), 1);
    }
}

#[test]
fn a_retried_push_is_the_same_push() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    let failed = bench.answer(first.request().id, Answer::NotProcessed);
    let second = bench.tick_at(failed.deadline);
    assert_eq!(first.request().body, second.request().body);
    assert_eq!(first.request().path, second.request().path);
    assert_eq!(first.request().headers, second.request().headers);
    assert_ne!(first.request().id, second.request().id);
    assert!(second.request().timeout < first.request().timeout, "one deadline for all attempts");
}

#[test]
fn pauses_grow_while_a_provider_is_away_and_end_with_its_first_answer() {
    let mut bench = Bench::new(crate::push::Config { attempts_max: 100, ..config() });
    let mut drained = bench.order(1);
    for ceiling_millis in [200, 400, 800, 1600, 3200] {
        let before = bench.now.mono;
        let failed = bench.answer(drained.request().id, Answer::Unreachable);
        drained = bench.tick_at(failed.deadline);
        let pause = bench.now.mono.since(before);
        let ceiling = Duration::from_millis(ceiling_millis);
        assert!(pause >= ceiling / 2 && pause <= ceiling, "{pause:?} of {ceiling:?}");
    }
    bench.respond(drained.request().id, 200, "");
    let next = bench.order(2);
    let failed = bench.answer(next.request().id, Answer::Unreachable);
    let pause = failed.deadline.unwrap().at.since(bench.now.mono);
    assert!(pause <= Duration::from_millis(200), "{pause:?}");
}

#[test]
fn a_provider_that_was_away_is_asked_with_one_request_before_the_rest_goes_out() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    let failed = bench.answer(first.request().id, Answer::Unreachable);
    for id in 2..10 {
        assert!(bench.order(id).is_silent());
    }
    let probe = bench.tick_at(failed.deadline);
    assert_eq!(probe.requests.len(), 1);
    let open = bench.respond(probe.request().id, 200, "");
    assert_eq!(open.requests.len(), 8);
}

#[test]
fn requests_that_fail_together_make_one_pause() {
    let mut bench = Bench::new(config());
    let ids: alloc::vec::Vec<_> = (1..=5).map(|id| bench.order(id).request().id).collect();
    let first = bench.answer(ids[0], Answer::NotProcessed);
    for id in &ids[1..] {
        let other = bench.answer(*id, Answer::NotProcessed);
        assert_eq!(other.deadline, first.deadline);
    }
    let probe = bench.tick_at(first.deadline);
    let rest = bench.answer(probe.request().id, response(200, ""));
    assert_eq!(rest.requests.len(), 4);
}

#[test]
fn a_probe_that_ends_undecided_is_followed_by_another() {
    let mut bench = Bench::new(config());
    let first = bench.order(1);
    let failed = bench.answer(first.request().id, Answer::Unreachable);
    bench.order(2);
    let probe = bench.tick_at(failed.deadline);
    let after = bench.answer(probe.request().id, Answer::TimedOut);
    assert_eq!(after.requests.len(), 1);
    assert_eq!(after.outcomes.len(), 1);
}

#[test]
fn one_provider_being_away_leaves_the_others_alone() {
    use crate::model::token::Provider;
    let mut bench = Bench::new(config());
    let dev = bench.order_of(1, Provider::ApnsDev, super::TOKEN);
    bench.answer(dev.request().id, Answer::Unreachable);
    assert!(bench.order_of(2, Provider::ApnsDev, super::TOKEN).is_silent());
    let prod = bench.order_of(3, Provider::ApnsProd, super::TOKEN);
    assert_eq!(prod.request().provider, Provider::ApnsProd);
}
