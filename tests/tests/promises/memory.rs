//! Nothing of a device outlives the subscriber's process: a restart forgets all, and clients bring it back.
//!
//! That nothing reaches a disk while the process runs is shown with the program itself, in
//! `runtime-tokio/tests/program_secrets.rs`.

use std::time::Duration;

use ntf_core::client;
use ntf_core::client::input::Command;
use ntf_core::sim::Fault;
use ntf_core::wire::ntf::command::Command as NtfCommand;
use ntf_tests::by_hand::RawQueue;
use ntf_tests::simulated::{Device, Network, Queue, is_active};

use crate::protocol::Scene;

#[test]
fn a_restarted_subscriber_knows_nobody() {
    let mut scene = Scene::new();
    scene.verify();
    let queue = scene.queue(|talk| RawQueue::create_with_notifier(talk));
    let subscription = scene.watch(&queue);
    restart(&mut scene.network);
    let gauges = scene.network.subscriber().gauges();
    assert_eq!((gauges.tokens, gauges.subscriptions, gauges.servers, gauges.notices), (0, 0, 0, 0));
    assert!(scene.network.subscriber().knowledge().iter().all(|fact| fact.count == 0));
    scene.ntf = scene.network.greet_subscriber(scene.phone);
    let code = scene.device.code.clone();
    assert_eq!(scene.ask(&NtfCommand::Tchk), "ERR AUTH");
    assert_eq!(scene.ask(&NtfCommand::Tvfy { code: &code }), "ERR AUTH");
    assert_eq!(scene.status(&subscription), "ERR AUTH");
    // Not even who it was that had the queue: anybody who has its key may have it watched.
    let mut other = Scene::beside(scene, "bb02");
    other.verify();
    other.watch(&queue);
}

#[test]
fn what_a_restart_forgot_is_back_within_the_interval_of_checks() {
    let mut network = Network::new();
    let (device, queues) = watching(&mut network);
    restart(&mut network);
    let config = client::Config::default();
    network.world.run_for(config.first_check.max(config.later_checks) + Duration::from_secs(600));
    expect_everything_back(&mut network, &device, &queues);
}

#[test]
fn what_a_restart_forgot_is_back_at_once_if_the_app_checks() {
    let mut network = Network::new();
    let (device, queues) = watching(&mut network);
    restart(&mut network);
    let before = network.count(&device, is_active);
    network.world.command(device.node, Command::Check);
    assert!(network.wait_for(&device, before + 1, is_active));
    network.world.run_for(Duration::from_secs(30));
    expect_everything_back(&mut network, &device, &queues);
}

#[test]
fn a_message_sent_while_nobody_remembers_is_not_lost() {
    let mut network = Network::new();
    let (device, queues) = watching(&mut network);
    restart(&mut network);
    network.send(&queues[0].address, "into the gap");
    network.world.run_for(Duration::from_secs(3600));
    assert_eq!(network.messages(&device), [], "no push, so the device does not look");
    network.world.command(device.node, Command::Check);
    // The credentials are new and the SMP server's notices went with the old ones, but the next push of the
    // queue brings all of it.
    network.settle();
    network.expect_served(&device, &queues[0], "after the gap");
    let texts: Vec<_> = network.messages(&device).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["into the gap", "after the gap"]);
}

#[test]
fn a_queue_is_watched_under_another_name_after_a_restart() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    let name = |network: &Network| {
        let known = network.world.client(device.node).expect("a client").knowledge();
        let ids = known.into_iter().find(|fact| fact.what == "notifier ids").expect("it has a name");
        assert_eq!(ids.count, 1);
        ids.sample
    };
    let before = name(&network);
    restart(&mut network);
    network.world.command(device.node, Command::Check);
    network.settle();
    network.expect_served(&device, &queue, "under the new name");
    assert_ne!(name(&network), before);
}

/// An active device with three queues.
fn watching(network: &mut Network) -> (Device, Vec<Queue>) {
    let device = network.active_device("aa01");
    let queues = (0..3).map(|_| network.watched_queue(&device, 0)).collect();
    (device, queues)
}

fn restart(network: &mut Network) {
    network.world.apply(Fault::Restart(network.subscribers[0].0));
    assert_eq!(network.subscriber().gauges().tokens, 0);
}

fn expect_everything_back(network: &mut Network, device: &Device, queues: &[Queue]) {
    let gauges = network.subscriber().gauges();
    assert_eq!((gauges.tokens, gauges.subscriptions), (1, 3));
    for (number, queue) in queues.iter().enumerate() {
        network.expect_served(device, queue, &format!("message {number}"));
    }
    assert_eq!(network.messages(device).len(), queues.len(), "each once");
}
