//! What holds for every run: one outcome for each order, bounds, repeatability, silence about secrets.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use core::time::Duration;

use proptest::prelude::*;

use super::{Bench, Drained, TOKEN, config, message};
use crate::model::push::{PushId, PushOrder, PushPayload, PushResult, Sealed};
use crate::model::token::{DeviceToken, InvalidReason, Provider};
use crate::push::Config;
use crate::push::effect::RequestId;
use crate::push::input::{Answer, Input};

#[test]
fn pushes_to_nobody_succeed_without_a_request() {
    let mut bench = Bench::new(Config::default());
    let drained = bench.order_of(1, Provider::ApnsNull, "test_ntf_token");
    assert_eq!(drained.result(), PushResult::Accepted);
    assert!(drained.requests.is_empty());
}

#[test]
fn without_a_key_nothing_is_sent() {
    let mut bench = Bench::new(Config::default());
    assert_eq!(bench.order(1).result(), PushResult::Refused);
    assert_eq!(bench.push.counters().not_configured.total(), 1);
}

#[test]
fn without_a_topic_that_can_be_sent_nothing_is() {
    for topic in ["", "two words", "line\r\nbreak", "ü"] {
        let mut bench = Bench::new(Config { topic: topic.into(), ..config() });
        assert_eq!(bench.order(1).result(), PushResult::Refused, "{topic:?}");
    }
}

#[test]
fn the_test_provider_needs_leave() {
    for (allow_test_provider, requests) in [(false, 0), (true, 1)] {
        let mut bench = Bench::new(Config { allow_test_provider, ..config() });
        let drained = bench.order_of(1, Provider::ApnsTest, "xyzw");
        assert_eq!(drained.requests.len(), requests);
        assert_eq!(drained.outcomes.len(), 1 - requests);
    }
}

#[test]
fn a_device_token_that_is_none_never_reaches_the_provider() {
    let mut bench = Bench::new(config());
    for (id, token) in ["", "xyzw", "../../3/device/00", "00\r\nx: y", "00 00"].iter().enumerate() {
        let drained = bench.order_of(u64::try_from(id).unwrap(), Provider::ApnsProd, token);
        let reason = InvalidReason::Bad;
        assert_eq!(drained.result(), PushResult::TokenInvalid { reason, since_millis: None }, "{token:?}");
    }
}

#[test]
fn an_order_repeated_while_in_hand_is_one_order() {
    let mut bench = Bench::new(config());
    let sent = bench.order(1);
    assert!(bench.order(1).is_silent());
    assert_eq!(bench.respond(sent.request().id, 200, "").outcomes.len(), 1);
    assert_eq!(bench.push.counters().repeated.total(), 1);
    assert_eq!(bench.push.counters().orders.total(), 1);
}

#[test]
fn devices_are_counted_only_when_asked() {
    let tokens = ["00aa", "00bb", "00aa", "00cc"];
    for (devices_counted_max, expected) in [(0, 0), (1, 1), (100, 3)] {
        let mut bench = Bench::new(Config { devices_counted_max, ..config() });
        for (id, token) in tokens.iter().enumerate() {
            let sent = bench.order_of(u64::try_from(id).unwrap(), Provider::ApnsProd, token);
            bench.respond(sent.request().id, 200, "");
        }
        let facts = bench.push.knowledge();
        assert_eq!((facts[0].what, facts[0].count), ("device tokens", expected));
        assert_eq!((facts[1].what, facts[1].count), ("pushes", 4));
        assert_eq!(facts[2].count, bench.push.counters().body_bytes.total());
    }
}

#[test]
fn what_is_in_hand_is_known() {
    let mut bench = Bench::new(config());
    bench.order(1);
    bench.order(2);
    let facts = bench.push.knowledge();
    assert_eq!(facts[0].count, 1, "two orders for one device");
    assert_eq!(facts[0].sample.as_deref(), Some("c0ffee00…"));
}

#[test]
fn nothing_secret_is_printed() {
    let mut bench = Bench::new(config());
    let device = DeviceToken { provider: Provider::ApnsProd, token: TOKEN.as_bytes().into() };
    let payload = PushPayload::Message(Sealed { nonce: [65; 24], ciphertext: vec![66; 30].into() });
    let order = PushOrder { id: PushId(1), device, payload };
    let mut printed = format!("{order:?} {:?}", Input::Order(order.clone()));
    let sent = bench.input(Input::Order(order));
    printed += &format!("{:?} {:?} {:?}", sent.requests, config(), bench.push.counters());
    for secret in [TOKEN, "bearer", "BBBB", "AAAA", "eyJ", "MIGH", "QkJC"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
}

#[derive(Clone, Debug)]
enum Move {
    /// A new order, or a repeat of one in hand if there is one.
    Order {
        provider: Provider,
        is_repeat: bool,
    },
    Answer {
        which: usize,
        answer: Reply,
    },
    Pass {
        millis: u64,
    },
    Tick,
}

#[derive(Clone, Debug)]
enum Reply {
    Status(u16, &'static str, Option<u64>),
    Unreachable,
    TimedOut,
    Broken,
    NotProcessed,
}

impl Reply {
    fn answer(&self) -> Answer<'_> {
        match self {
            Self::Status(status, body, retry_after) => Answer::Response {
                status: *status,
                body: body.as_bytes(),
                retry_after: retry_after.map(Duration::from_secs),
            },
            Self::Unreachable => Answer::Unreachable,
            Self::TimedOut => Answer::TimedOut,
            Self::Broken => Answer::Broken,
            Self::NotProcessed => Answer::NotProcessed,
        }
    }

    /// Whether the provider may have pushed.
    fn may_have_pushed(&self) -> bool {
        match self {
            Self::Status(status, ..) => *status == 200,
            Self::TimedOut | Self::Broken => true,
            Self::Unreachable | Self::NotProcessed => false,
        }
    }
}

fn any_provider() -> impl Strategy<Value = Provider> {
    prop_oneof![
        4 => Just(Provider::ApnsProd),
        2 => Just(Provider::ApnsDev),
        1 => Just(Provider::ApnsTest),
        1 => Just(Provider::ApnsNull),
    ]
}

fn any_reply() -> impl Strategy<Value = Reply> {
    prop_oneof![
        4 => Just(Reply::Status(200, "", None)),
        1 => Just(Reply::Status(410, "{}", None)),
        1 => Just(Reply::Status(403, r#"{"reason":"ExpiredProviderToken"}"#, None)),
        1 => Just(Reply::Status(400, r#"{"reason":"BadDeviceToken"}"#, None)),
        1 => proptest::option::of(0_u64..100).prop_map(|secs| Reply::Status(503, "", secs)),
        1 => Just(Reply::Status(429, "", Some(3))),
        1 => Just(Reply::Unreachable),
        1 => Just(Reply::NotProcessed),
        1 => Just(Reply::TimedOut),
        1 => Just(Reply::Broken),
    ]
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (any_provider(), prop::bool::weighted(0.1))
            .prop_map(|(provider, is_repeat)| Move::Order { provider, is_repeat }),
        4 => (any::<prop::sample::Index>(), any_reply())
            .prop_map(|(which, answer)| Move::Answer { which: which.index(1000), answer }),
        1 => (0_u64..30_000).prop_map(|millis| Move::Pass { millis }),
        1 => Just(Move::Tick),
    ]
}

const IN_FLIGHT_MAX: usize = 3;
const QUEUE_LEN_MAX: usize = 4;
const LANES: usize = 3;

fn small() -> Config {
    Config {
        in_flight_max: IN_FLIGHT_MAX,
        queue_len_max: QUEUE_LEN_MAX,
        allow_test_provider: true,
        ..config()
    }
}

/// Follows a run from outside and checks each step.
#[derive(Default)]
struct Watcher {
    /// Taken in, without an outcome.
    open: BTreeSet<u64>,
    /// Requests without an answer, with the order they are for.
    asked: BTreeMap<RequestId, u64>,
    /// Orders that may have been pushed: no further request may be made for them.
    spent: BTreeSet<u64>,
    trace: Vec<String>,
}

impl Watcher {
    /// The order of a request is told by its path: the device token is the order's number.
    fn watch(&mut self, drained: &Drained) {
        for outcome in &drained.outcomes {
            assert!(self.open.remove(&outcome.id.0), "one outcome for {:?}", outcome.id);
            self.spent.remove(&outcome.id.0);
            self.trace.push(format!("{outcome:?}"));
        }
        for request in &drained.requests {
            let id = u64::from_str_radix(request.path.strip_prefix("/3/device/").unwrap(), 16).unwrap();
            assert!(!self.spent.contains(&id), "a second push for {id}");
            assert!(self.open.contains(&id), "a push for {id}, which has its outcome");
            assert_eq!(self.asked.insert(request.id, id), None);
            self.trace.push(format!("{} {:?} {:?}", request.path, request.headers, request.timeout));
        }
    }
}

fn run(moves: &[Move], seed: u64) -> Vec<String> {
    let mut bench = Bench::seeded(small(), seed);
    let mut watcher = Watcher::default();
    let mut ids_given = 0;
    for step in moves {
        let drained = match step {
            Move::Order { provider, is_repeat } => {
                // An order that runs out of time in this moment is no longer in hand.
                let expired = bench.input(Input::Tick);
                watcher.watch(&expired);
                ids_given += 1;
                let repeated = watcher.open.first().copied().filter(|_| *is_repeat);
                let id = repeated.unwrap_or(ids_given);
                watcher.open.insert(id);
                let token = format!("{id:02x}");
                let device = DeviceToken { provider: *provider, token: token.as_bytes().into() };
                bench.input(Input::Order(PushOrder { id: PushId(id), device, payload: message() }))
            }
            Move::Answer { which, answer } => {
                let Some(request) = watcher.asked.keys().nth(which % watcher.asked.len().max(1)).copied()
                else {
                    continue;
                };
                let id = watcher.asked.remove(&request).unwrap();
                if answer.may_have_pushed() && watcher.open.contains(&id) {
                    watcher.spent.insert(id);
                }
                bench.answer(request, answer.answer())
            }
            Move::Pass { millis } => {
                bench.pass(Duration::from_millis(*millis));
                continue;
            }
            Move::Tick => bench.input(Input::Tick),
        };
        watcher.watch(&drained);
        assert!(bench.push.in_flight() <= LANES * IN_FLIGHT_MAX);
        assert!(bench.push.in_hand() <= LANES * (IN_FLIGHT_MAX + QUEUE_LEN_MAX));
        assert_eq!(bench.push.in_hand(), watcher.open.len());
    }
    // Handling announced deadlines makes progress until all is done.
    let mut drained = bench.input(Input::Tick);
    watcher.watch(&drained);
    let mut ticks = 0;
    while drained.deadline.is_some() {
        ticks += 1;
        assert!(ticks < 1000, "deadlines lead nowhere: {:?}", drained.deadline);
        drained = bench.tick_at(drained.deadline);
        watcher.watch(&drained);
    }
    assert_eq!(bench.push.in_hand(), 0);
    assert!(watcher.open.is_empty(), "without an outcome: {:?}", watcher.open);
    assert_every_order_is_counted(&bench);
    watcher.trace
}

fn assert_every_order_is_counted(bench: &Bench) {
    let counters = bench.push.counters();
    let ended = counters.accepted.total()
        + counters.token_invalid.total()
        + counters.try_later.total()
        + counters.throttled.total()
        + counters.too_large.total()
        + counters.refused.total()
        + counters.dropped.total();
    assert_eq!(counters.orders.total(), ended);
}

proptest! {
    #[test]
    fn every_order_has_one_outcome_whatever_happens(moves in prop::collection::vec(any_move(), 0..120)) {
        run(&moves, 1);
    }

    #[test]
    fn the_same_seed_and_inputs_give_the_same_effects(
        moves in prop::collection::vec(any_move(), 0..60), seed in 0_u64..4,
    ) {
        prop_assert_eq!(run(&moves, seed), run(&moves, seed));
    }

    #[test]
    fn no_bytes_of_a_provider_make_it_panic(status: u16, body: Vec<u8>, retry_after: Option<u32>) {
        let mut bench = Bench::new(config());
        let id = bench.order(1).request().id;
        let retry_after = retry_after.map(|secs| Duration::from_secs(secs.into()));
        let drained = bench.answer(id, Answer::Response { status, body: &body, retry_after });
        prop_assert_eq!(drained.outcomes.len() + bench.push.in_hand(), 1);
    }
}
