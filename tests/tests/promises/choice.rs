//! Several subscribers to choose from: `ntf-protocol` 6.2, items 18, 19, 32 and 33.

use ntf_core::client::Mode;
use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::sim::NodeId;
use ntf_tests::simulated::{Device, Network, Plan, device_token, is_active};

#[test]
fn one_subscriber_is_chosen_and_kept_and_the_other_is_not_needed() {
    let mut network = two_subscribers();
    let (device, chosen) = registered(&mut network, &[0, 1]);
    let other = 1 - chosen;
    let node = network.subscribers[other].0;
    network.world.switch_off(node);
    check(&mut network, &device);
    let queue = network.create_queue(&device, 0);
    network.settle();
    network.expect_served(&device, &queue, "without the other one");
    // Every start draws again from the list, and means the one that has the token.
    for _ in 0..5 {
        let before = network.count(&device, is_active);
        register(&mut network, &device, &[0, 1]);
        assert!(network.wait_for(&device, before + 1, is_active));
    }
    assert_eq!(tokens(&network), expected(chosen));

    let node: NodeId = network.subscribers[chosen].0;
    network.world.switch_off(node);
    network.settle();
    network.world.command(device.node, Command::Check);
    let unreachable = |event: &Event| matches!(event, Event::Unreachable { .. });
    assert!(network.wait_for(&device, 1, unreachable), "the chosen one is missed");
}

#[test]
fn both_of_two_subscribers_are_chosen_now_and_then() {
    let chosen: Vec<_> = (0..12)
        .map(|seed| {
            let mut network = Network::with(Plan { seed, subscribers: 2, ..Plan::default() });
            registered(&mut network, &[0, 1]).1
        })
        .collect();
    assert!(chosen.contains(&0) && chosen.contains(&1), "{chosen:?}");
}

#[test]
fn another_list_moves_no_token_and_another_device_token_stays_where_it_was() {
    let mut network = two_subscribers();
    let (mut device, _) = registered(&mut network, &[0]);
    let queue = network.watched_queue(&device, 0);
    register(&mut network, &device, &[1]);
    check(&mut network, &device);
    assert_eq!(tokens(&network), [1, 0]);

    // The provider gives another device token: the same registration, at the same subscriber.
    network.world.install(network.provider, b"bb02", device.node);
    device.token = device_token("bb02");
    let before = network.count(&device, is_active);
    register(&mut network, &device, &[1]);
    assert!(network.wait_for(&device, before + 1, is_active));
    assert_eq!(tokens(&network), [1, 0]);
    network.expect_served(&device, &queue, "an old queue");
    let next = network.watched_queue(&device, 0);
    network.expect_served(&device, &next, "a new queue");
}

#[test]
fn after_a_deletion_everything_moves_to_a_subscriber_of_the_new_list() {
    let mut network = two_subscribers();
    let (device, _) = registered(&mut network, &[0]);
    let queue = network.watched_queue(&device, 0);
    network.world.command(device.node, Command::Unregister);
    assert!(network.wait_for(&device, 1, |event| *event == Event::Unregistered));
    // The new one cannot be reached at first: it is chosen all the same.
    let [(former, _), (next, _)] = [&network.subscribers[0], &network.subscribers[1]].map(Clone::clone);
    network.world.switch_off(next);
    register(&mut network, &device, &[1]);
    network.settle();
    assert_eq!(tokens(&network), [0, 0]);
    network.world.switch_on(next);
    assert!(network.wait_for(&device, 2, is_active), "as soon as it is there");
    assert_eq!(tokens(&network), [0, 1]);
    network.settle();
    network.world.switch_off(former);
    network.expect_served(&device, &queue, "without the former one");
}

fn two_subscribers() -> Network {
    Network::with(Plan { subscribers: 2, ..Plan::default() })
}

/// Lets the application start with these subscribers to choose from.
fn register(network: &mut Network, device: &Device, list: &[usize]) {
    let servers = list.iter().map(|number| network.subscribers[*number].1.clone()).collect();
    network.world.command(device.node, Command::SetSubscribers { servers });
    let register = Command::RegisterWithAny { device: device.token.clone(), mode: Mode::Instant };
    network.world.command(device.node, register);
}

/// A verified device, and the number of its subscriber.
fn registered(network: &mut Network, list: &[usize]) -> (Device, usize) {
    let device = network.device("aa01");
    register(network, &device, list);
    assert!(network.wait_for(&device, 1, is_active));
    let chosen = tokens(network).iter().position(|count| *count == 1).expect("one has the token");
    assert_eq!(tokens(network), expected(chosen));
    (device, chosen)
}

fn check(network: &mut Network, device: &Device) {
    let before = network.count(device, is_active);
    network.world.command(device.node, Command::Check);
    assert!(network.wait_for(device, before + 1, is_active), "it still has its token");
}

/// How many tokens each subscriber has.
fn tokens(network: &Network) -> Vec<u32> {
    let machine = |node| network.world.subscriber(node).expect("a subscriber");
    network.subscribers.iter().map(|(node, _)| machine(*node).gauges().tokens).collect()
}

fn expected(chosen: usize) -> Vec<u32> {
    (0..2).map(|number| u32::from(number == chosen)).collect()
}
