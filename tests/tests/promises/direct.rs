//! Direct connections beside pushes: the same device one way and then the other, and two devices side by side.

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::client::{Circumstance, DirectState, Mode};
use ntf_core::sim::Fault;
use ntf_tests::simulated::{Device, Network};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_device_that_goes_direct_is_heard_of_by_nobody_and_gets_every_message_at_once() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.send(&queue.address, "on its way while the mode changes");
    network.world.command(device.node, Command::SetMode(Mode::Direct));
    network.settle();
    assert_eq!(network.subscriber().gauges().subscriptions, 0, "nobody hears of the queue");
    assert_eq!(network.messages(&device).len(), 1);
    let pushed = pushes(&network, &device);
    network.send(&queue.address, "straight");
    network.world.run_for(Duration::from_secs(1));
    assert_eq!(network.messages(&device).len(), 2, "within a second");
    network.world.run_for(180 * MINUTE);
    assert_eq!(pushes(&network, &device), pushed, "without a push");

    network.world.command(device.node, Command::SetMode(Mode::Instant));
    network.settle();
    network.expect_served(&device, &queue, "by push again");
}

#[test]
fn direct_devices_and_push_devices_live_side_by_side() {
    let mut network = Network::new();
    let (pushed, watched) = network.watching_device("aa01");
    let direct = network.device("aa02");
    network.world.command(direct.node, Command::SetMode(Mode::Direct));
    let queue = network.create_queue(&direct, 0);
    network.settle();
    network.expect_served(&pushed, &watched, "by push");
    network.send(&queue.address, "straight");
    network.world.run_for(Duration::from_secs(1));
    assert_eq!(network.messages(&direct).len(), 1);
    assert_eq!(pushes(&network, &direct), 0);
    assert_eq!(network.subscriber().gauges().tokens, 1, "the subscriber knows of one device");
}

#[test]
fn a_device_that_was_away_for_a_week_gets_what_its_servers_kept() {
    let mut network = Network::new();
    let device = network.device("aa01");
    network.world.command(device.node, Command::SetMode(Mode::Direct));
    let queue = network.create_queue(&device, 0);
    network.settle();
    network.world.command(device.node, Command::Circumstance(Circumstance::NetworkLost));
    for day in 0..7 {
        network.send(&queue.address, &format!("day {day}"));
        network.world.run_for(24 * 60 * MINUTE);
    }
    // Its calendar is a year behind when it starts again.
    network.world.apply(Fault::Calendar(device.node, -365 * 24 * 3_600_000));
    network.world.apply(Fault::Restart(device.node));
    network.world.command(device.node, Command::Circumstance(Circumstance::Boot));
    network.settle();
    let messages: Vec<_> = network.messages(&device).into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["day 0", "day 1", "day 2", "day 3", "day 4", "day 5", "day 6"]);
    let on = |event: &Event| matches!(event, Event::Direct { state: DirectState::On, .. });
    assert!(network.count(&device, on) > 0);
}

fn pushes(network: &Network, device: &Device) -> u64 {
    network.world.client(device.node).expect("a client").counters().pushes.total()
}
