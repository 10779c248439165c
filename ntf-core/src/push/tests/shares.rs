//! Budgets of devices: kept over all orders, whatever subscribers do.

use super::{Bench, TOKEN, config, header, later_of, message, response};
use crate::model::push::{CollapseId, PushKind, PushPayload, PushResult, Sealed};
use crate::model::token::Provider;
use crate::push::Config;
use crate::push::alert::AlertTexts;
use crate::push::input::Answer;
use alloc::boxed::Box;
use core::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn sealed() -> Sealed {
    Sealed { nonce: [3; 24], ciphertext: Box::new([4; 40]) }
}

fn hidden() -> PushPayload {
    PushPayload::Hidden(sealed())
}

/// Orders a push and lets the provider take it; the result.
fn push(bench: &mut Bench, id: u64, token: &str, payload: PushPayload) -> PushResult {
    let drained = bench.order_kind(id, token, payload);
    match drained.requests.first() {
        Some(request) => bench.respond(request.id, 200, "").result(),
        None => drained.result(),
    }
}

#[test]
fn a_device_gets_its_share_of_hidden_pushes_and_no_more() {
    let mut bench = Bench::new(config());
    let mut sent_at = alloc::vec::Vec::new();
    for id in 0..600 {
        let payload = if id % 2 == 0 { hidden() } else { PushPayload::CheckMessages };
        match push(&mut bench, id, TOKEN, payload) {
            PushResult::Accepted => sent_at.push(bench.now.mono),
            PushResult::Throttled { after } => {
                assert!(after > Duration::ZERO && after <= 20 * MINUTE, "{after:?}");
            }
            result @ (PushResult::TryLater { .. }
            | PushResult::TokenInvalid { .. }
            | PushResult::TooLarge
            | PushResult::Refused) => panic!("{result:?}"),
        }
        bench.pass(MINUTE);
    }
    for hour in sent_at.windows(5) {
        assert!(hour[4].since(hour[0]) >= 60 * MINUTE, "3 an hour, and one of the burst");
    }
    assert_eq!(sent_at.len(), 2 + 29, "one in twenty minutes is not too little either");
    let counters = bench.push.counters();
    assert_eq!(counters.throttled.total(), 600 - 31);
    assert_eq!(counters.requests.total(), 31, "the provider was not asked");
}

#[test]
fn a_throttled_order_is_told_when_the_device_may_have_the_next() {
    let mut bench = Bench::new(config());
    push(&mut bench, 1, TOKEN, hidden());
    push(&mut bench, 2, TOKEN, hidden());
    bench.pass(5 * MINUTE);
    let PushResult::Throttled { after } = push(&mut bench, 3, TOKEN, hidden()) else { panic!() };
    assert_eq!(after, 15 * MINUTE);
    bench.pass(after - Duration::from_micros(1));
    assert!(matches!(push(&mut bench, 4, TOKEN, hidden()), PushResult::Throttled { .. }));
    bench.pass(Duration::from_micros(1));
    assert_eq!(push(&mut bench, 5, TOKEN, hidden()), PushResult::Accepted);
}

#[test]
fn what_people_see_and_what_registers_is_not_held_by_hidden_pushes() {
    let mut bench = Bench::new(config());
    while push(&mut bench, 1, TOKEN, hidden()) == PushResult::Accepted {}
    for id in 2..100 {
        assert_eq!(push(&mut bench, id, TOKEN, message()), PushResult::Accepted);
        assert_eq!(
            push(&mut bench, 1000 + id, TOKEN, PushPayload::Alert(CollapseId(1))),
            PushResult::Accepted
        );
    }
    assert_eq!(push(&mut bench, 100, TOKEN, PushPayload::Verification(sealed())), PushResult::Accepted);
    assert_eq!(push(&mut bench, 101, "00ff", hidden()), PushResult::Accepted, "nor another device");
}

#[test]
fn registering_a_device_over_and_over_is_throttled_and_leaves_its_hidden_pushes_alone() {
    let mut bench = Bench::new(config());
    let mut accepted = 0;
    for id in 0..100 {
        let result = push(&mut bench, id, TOKEN, PushPayload::Verification(sealed()));
        accepted += u32::from(result == PushResult::Accepted);
    }
    assert_eq!(accepted, 20);
    assert_eq!(push(&mut bench, 100, TOKEN, hidden()), PushResult::Accepted);
    assert_eq!(bench.push.devices_paced(), 2);
}

#[test]
fn only_a_push_that_may_have_arrived_counts() {
    for (answer, counts) in [
        (response(200, ""), true),
        (response(503, ""), false),
        (response(429, ""), false),
        (response(413, ""), false),
        (Answer::Broken, true),
        (Answer::TimedOut, true),
        (Answer::Unreachable, false),
        (Answer::NotProcessed, false),
    ] {
        let mut bench = Bench::new(Config { attempts_max: 1, ..config() });
        for id in 0..2 {
            let request = bench.order_kind(id, TOKEN, hidden()).request().id;
            bench.answer(request, answer);
            bench.pass(MINUTE);
            bench.input(crate::push::input::Input::Tick);
        }
        let third = bench.order_kind(2, TOKEN, hidden());
        assert_eq!(third.outcomes.is_empty(), !counts, "{answer:?}");
    }
}

#[test]
fn a_stranger_who_makes_up_devices_keeps_nobody_out() {
    let mut bench = Bench::new(Config { devices_paced_max: 10, ..config() });
    for id in 0..1000 {
        let token = alloc::format!("{id:08x}");
        assert_eq!(push(&mut bench, id, &token, hidden()), PushResult::Accepted);
        assert!(bench.push.devices_paced() <= 10);
    }
    assert_eq!(push(&mut bench, 1000, TOKEN, hidden()), PushResult::Accepted);
}

#[test]
fn an_alert_replaces_the_last_one_and_is_not_kept_for_ever() {
    let texts =
        AlertTexts { title: "News".into(), lifetime: Duration::from_secs(60), ..AlertTexts::default() };
    let mut bench = Bench::new(Config { alert: texts.clone(), ..config() });
    let drained = bench.order_kind(1, TOKEN, PushPayload::Alert(CollapseId(0xab)));
    let request = drained.request();
    assert_eq!(header(request, "apns-push-type"), Some("alert"));
    assert_eq!(header(request, "apns-collapse-id"), Some("00000000000000ab"));
    let expires_at = alloc::format!("{}", bench.now.wall.unix_secs() + 60);
    assert_eq!(header(request, "apns-expiration"), Some(expires_at.as_str()));
    assert_eq!(request.headers.last().map(|(name, _)| *name), Some("authorization"));
    assert_eq!(request.body, texts.to_json());
    assert_eq!(PushPayload::Alert(CollapseId(1)).kind(), PushKind::Alert);
}

#[test]
fn a_push_too_large_is_told_so_and_refusals_are_counted_by_their_cause() {
    let mut bench = Bench::new(config());
    for (id, (status, body)) in [
        (413, r#"{"reason":"PayloadTooLarge"}"#),
        (403, r#"{"reason":"InvalidProviderToken"}"#),
        (403, ""),
        (400, r#"{"reason":"TopicDisallowed"}"#),
        (400, r#"{"reason":"BadMessageId"}"#),
    ]
    .into_iter()
    .enumerate()
    {
        let request = bench.order(u64::try_from(id).unwrap()).request().id;
        bench.respond(request, status, body);
    }
    let counters = bench.push.counters();
    assert_eq!(counters.too_large.total(), 1);
    assert_eq!(counters.refused.total(), 4);
    assert_eq!((counters.refused_provider_token.total(), counters.refused_topic.total()), (2, 1));
}

#[test]
fn a_device_that_the_provider_limits_waits_as_long_as_it_asks() {
    let mut bench = Bench::new(config());
    let request = bench.order(1).request().id;
    let asked = Duration::from_secs(90);
    let answer = Answer::Response { status: 429, body: b"", retry_after: Some(asked) };
    let after = later_of(bench.answer(request, answer).result());
    assert!(after >= asked && after <= asked * 3 / 2, "{after:?}");
}

#[test]
fn a_limited_device_is_left_alone_until_its_time_whoever_asks() {
    let mut bench = Bench::new(config());
    let (asked, second) = (Duration::from_secs(90), Duration::from_secs(1));
    let request = bench.order(1).request().id;
    bench.answer(request, Answer::Response { status: 429, body: b"", retry_after: Some(asked) });
    assert_eq!(bench.push.gauges().devices_limited, 1);
    // A registration elsewhere has not been told, and a subscriber may not listen.
    for (id, payload) in [(2, message()), (3, hidden()), (4, PushPayload::Verification(sealed()))] {
        let drained = bench.order_kind(id, TOKEN, payload);
        assert!(drained.requests.is_empty(), "the provider is not asked");
        assert!(later_of(drained.result()) >= asked, "and whoever asks is told when to come back");
    }
    assert_eq!(bench.push.counters().device_limited.total(), 3);
    assert_eq!(bench.order_of(5, Provider::ApnsProd, "aa").requests.len(), 1, "another device is not held");
    bench.pass(asked - second);
    assert!(bench.order(6).requests.is_empty());
    bench.pass(second);
    assert_eq!(bench.order(7).requests.len(), 1);
    assert_eq!(bench.push.gauges().devices_limited, 0);
}

#[test]
fn what_waits_for_a_limited_device_is_put_off_as_well() {
    let mut bench = Bench::new(Config { in_flight_max: 1, ..config() });
    let asked = Duration::from_secs(90);
    let request = bench.order(1).request().id;
    for id in [2, 3] {
        assert!(bench.order_kind(id, TOKEN, hidden()).is_silent(), "no room in flight");
    }
    assert!(bench.order_of(4, Provider::ApnsProd, "aa").is_silent());
    let limit = Answer::Response { status: 429, body: b"", retry_after: Some(asked) };
    let drained = bench.answer(request, limit);
    let put_off: alloc::vec::Vec<_> = drained.outcomes.iter().map(|outcome| outcome.id.0).collect();
    assert_eq!(put_off, [1, 2, 3]);
    assert!(drained.outcomes.iter().all(|outcome| later_of(outcome.result) >= asked));
    assert_eq!(bench.push.counters().device_limited.total(), 2, "of the first, the provider was asked");
    assert_eq!(bench.push.devices_paced(), 0, "what was not sent is not on the books");
    assert!(drained.request().path.ends_with("/aa"), "another device has its turn");
}

#[test]
fn a_shorter_time_does_not_end_a_longer_one_and_the_longest_is_an_hour() {
    let secs = Duration::from_secs;
    for (first, then, held) in [(90, 5, 90), (5, 90, 90), (7200, 5, 3600)] {
        let mut bench = Bench::new(config());
        let requests = [1, 2].map(|id| bench.order(id).request().id);
        for (request, asked) in requests.into_iter().zip([first, then]) {
            let retry_after = Some(secs(asked));
            bench.answer(request, Answer::Response { status: 429, body: b"", retry_after });
        }
        bench.pass(secs(held - 1));
        assert!(bench.order(3).requests.is_empty(), "{first} {then}");
        bench.pass(secs(1));
        assert_eq!(bench.order(4).requests.len(), 1, "{first} {then}");
    }
}
