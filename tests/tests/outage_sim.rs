//! A provider that is away for an hour, and one that speaks of the past, in simulated time.

use std::collections::BTreeSet;
use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::model::token::TokenStatus;
use ntf_core::sim::provider::Reply;
use ntf_core::sim::{Fault, Weather};
use ntf_core::subscriber::Config;
use ntf_tests::simulated::{Device, Network, Plan, Queue};

const MINUTE: Duration = Duration::from_secs(60);
const DEVICES: usize = 12;
const QUEUES: usize = 2;

/// Messages to each queue during the hour.
const ROUNDS: usize = 12;

/// A policy, and what else has to be set for it.
type Case = (PushPolicy, fn(&mut Config));

#[test]
fn an_hour_without_a_provider_loses_nothing_and_ends_without_a_storm() {
    let policies: [Case; 3] = [
        (PushPolicy::Mutable, |config| config.delivery.policy = PushPolicy::Mutable),
        (PushPolicy::HiddenThenVisible, |config| config.delivery.policy = PushPolicy::HiddenThenVisible),
        (PushPolicy::VisibleOnly, |config| config.delivery.policy = PushPolicy::VisibleOnly),
    ];
    for (policy, subscriber) in policies {
        for weather in [Weather::Unreachable, Weather::Silent, Weather::Refusing(503)] {
            outage(policy, subscriber, weather);
        }
    }
}

fn outage(policy: PushPolicy, subscriber: fn(&mut Config), weather: Weather) {
    let what = format!("{} and {weather:?}", policy.name());
    let mut network = Network::with(Plan { subscriber, ..Plan::default() });
    let homes: Vec<(Device, Vec<Queue>)> = (0..DEVICES)
        .map(|number| {
            let device = network.active_device(&format!("aa{number:02}"));
            let queues = (0..QUEUES).map(|_| network.watched_queue(&device, 0)).collect();
            (device, queues)
        })
        .collect();
    network.settle();

    network.world.apply(Fault::Provider(network.provider, weather));
    let begun = network.world.now().mono;
    for round in 0..ROUNDS {
        for (number, (_, queues)) in homes.iter().enumerate() {
            for (place, queue) in queues.iter().enumerate() {
                network.send(&queue.address, &format!("{number} {place} {round}"));
            }
        }
        network.world.run_until(begun + 5 * MINUTE * u32::try_from(round + 1).expect("small"));
    }
    let accepted =
        |network: &Network| network.world.provider(network.provider).expect("a provider").accepted();
    let before = accepted(&network);
    for (device, _) in &homes {
        assert_eq!(network.messages(device), [], "{what}: nobody was woken");
    }
    let held = network.subscriber().gauges().notices;
    assert!(held <= DEVICES * QUEUES, "{what}: one notice of each queue was kept, not {held}");

    network.world.apply(Fault::Provider(network.provider, Weather::Fair));
    network.world.run_for(MINUTE);
    let first_minute = usize::try_from(accepted(&network) - before).expect("few");
    assert!(
        first_minute <= DEVICES,
        "{what}: {first_minute} pushes to {DEVICES} devices in the first minute"
    );
    // The longest pause of a token is five minutes and half as much, the quiet period twenty.
    network.world.run_for(30 * MINUTE);
    let in_all = usize::try_from(accepted(&network) - before).expect("few");
    assert!((DEVICES..=2 * DEVICES).contains(&in_all), "{what}: {in_all} pushes in all");

    // A visible alert brings no notices: its user opens the app.
    if policy == PushPolicy::VisibleOnly {
        homes.iter().for_each(|(device, _)| network.world.command(device.node, Command::FetchAll));
        network.world.run_for(MINUTE);
    }
    for (number, (device, _)) in homes.iter().enumerate() {
        let got: BTreeSet<String> = network.messages(device).into_iter().map(|(_, text)| text).collect();
        let wanted = (0..ROUNDS)
            .flat_map(|round| (0..QUEUES).map(move |place| format!("{number} {place} {round}")))
            .collect();
        assert_eq!(got, wanted, "{what}");
    }
    let delivery = network.subscriber().counters().delivery;
    let taken_in = u64::try_from(DEVICES * QUEUES * ROUNDS).expect("few");
    assert_eq!(delivery.taken_in.total(), taken_in, "{what}");
    let dropped = delivery.displaced.total() + delivery.refused_full.total() + delivery.oversize.total();
    assert_eq!(dropped, 0, "{what}");
    assert_eq!(network.world.violations(), [] as [String; 0]);
}

#[test]
fn a_410_counts_only_if_the_device_has_not_proved_the_opposite_since() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    let gone = |since_millis| Reply { since_millis, ..Reply::refusal(410, "Unregistered") };
    let (provider, verified) = (network.provider, network.world.now().wall.as_millis());

    network.world.script(provider, gone(Some(verified - 3_600_000)));
    network.send(&queue.address, "one");
    network.settle();
    let tokens = network.subscriber().counters().tokens;
    assert_eq!((tokens.invalid_outdated.total(), tokens.invalid.total()), (1, 0));
    network.expect_served(&device, &queue, "two");

    network.world.run_for(MINUTE);
    network.world.script(provider, gone(Some(network.world.now().wall.as_millis())));
    network.send(&queue.address, "three");
    network.settle();
    assert_eq!(network.subscriber().counters().tokens.invalid.total(), 1);
    network.world.command(device.node, Command::Check);
    let is_invalid = |event: &Event| matches!(event, Event::Token(TokenStatus::Invalid(_)));
    assert!(network.wait_for(&device, 1, is_invalid), "the device learns of it");
}

#[test]
fn a_push_too_large_for_the_provider_is_made_smaller_and_arrives() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    let spent = |network: &Network| {
        let push = network.pushes.first().and_then(|push| network.world.push_server(*push));
        let push = push.expect("a push server").counters();
        (push.requests.total(), push.body_bytes.total())
    };
    let mut before = spent(&network);
    let mut since = |network: &Network| {
        let now = spent(network);
        let passed = (now.0 - before.0, now.1 - before.1);
        before = now;
        passed
    };
    network.expect_served(&device, &queue, "one");
    let (requests, usual) = since(&network);
    assert_eq!(requests, 1);

    network.world.script(network.provider, Reply::refusal(413, "PayloadTooLarge"));
    network.send(&queue.address, "two");
    network.settle();
    let (requests, bytes) = since(&network);
    assert_eq!(requests, 2, "it is sent again, once");
    assert!(bytes < usual + usual * 3 / 4, "{bytes} bytes, {usual} of them refused");
    assert!(network.messages(&device).iter().any(|(_, text)| text == "two"));
    assert_eq!(network.subscriber().counters().delivery.too_large.total(), 1);

    network.send(&queue.address, "three");
    network.settle();
    let (requests, bytes) = since(&network);
    assert_eq!(requests, 1, "what was learned is remembered");
    assert!(bytes < usual * 3 / 4);
    assert!(network.messages(&device).iter().any(|(_, text)| text == "three"));
}
