//! How a device wants to learn of messages: `ntf-protocol` 6.2, item 26, and the end of item 24.

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::client::{Mode, Notifications};
use ntf_tests::simulated::{Device, Network, Queue};

#[test]
fn pushes_for_messages_stop_with_the_mode_and_come_back_with_it() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.world.command(device.node, Command::SetMode(Mode::Periodic));
    network.settle();
    assert_eq!(network.subscriber().gauges().subscriptions, 0, "nobody hears of the queue");
    expect_no_push(&mut network, &device, &queue, "to be found");
    network.world.run_for(Duration::from_secs(45 * 60));
    assert_eq!(network.messages(&device).len(), 1, "found when the device was woken");

    network.world.command(device.node, Command::SetMode(Mode::Instant));
    network.settle();
    network.expect_served(&device, &queue, "at once");
    let woken = pushes(&network, &device);
    network.world.run_for(Duration::from_secs(3 * 3600));
    assert_eq!(pushes(&network, &device), woken, "and it is woken for nothing no more");
}

#[test]
fn pushes_stop_with_the_token_and_come_back_with_the_next() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.world.command(device.node, Command::Unregister);
    assert!(network.wait_for(&device, 1, |event| *event == Event::Unregistered));
    network.settle();
    expect_no_push(&mut network, &device, &queue, "to nobody");
    network.activate(&device);
    network.settle();
    network.expect_served(&device, &queue, "to the new token");
    assert_eq!(network.messages(&device).len(), 2, "and what came in between is found");
}

#[test]
fn a_queue_without_notifications_is_pushed_for_never_and_others_are() {
    let mut network = Network::new();
    let (device, quiet) = network.watching_device("aa01");
    let other = network.watched_queue(&device, 0);
    let set = |notifications| Command::SetNotifications { queue: quiet.id, notifications };
    network.world.command(device.node, set(Notifications::Off));
    assert!(network.wait_for(&device, 1, |event| matches!(event, Event::NotificationsOff { .. })));
    network.settle();
    expect_no_push(&mut network, &device, &quiet, "hush");
    network.expect_served(&device, &other, "the other queue");
    network.world.command(device.node, set(Notifications::On));
    network.settle();
    network.expect_served(&device, &quiet, "again");
}

/// A message to the queue makes no push, and so is not fetched.
fn expect_no_push(network: &mut Network, device: &Device, queue: &Queue, message: &str) {
    let before = (pushes(network, device), network.messages(device).len());
    network.send(&queue.address, message);
    network.world.run_for(Duration::from_secs(120));
    assert_eq!((pushes(network, device), network.messages(device).len()), before, "{message}");
}

fn pushes(network: &Network, device: &Device) -> u64 {
    network.world.client(device.node).expect("a client").counters().pushes.total()
}
