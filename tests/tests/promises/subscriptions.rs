//! Queues between client, subscriber and SMP servers: `ntf-protocol` 6.2, items 24 to 34.
//!
//! Where the reference's server remembers subscriptions over a restart (item 28), ours promises otherwise: see
//! the module `memory`.

use std::time::Duration;

use ntf_core::client;
use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::sim::Fault;
use ntf_core::smp::server::Config as SmpConfig;
use ntf_core::subscriber::Config as SubscriberConfig;
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};
use ntf_tests::simulated::{Device, Network, Plan, Queue};

#[test]
fn every_mix_of_versions_pushes_a_message_that_is_found() {
    let clients: [fn(&mut client::Config); 2] = [
        |_| {},
        |config| {
            config.ntf.versions = VersionRange::new(NtfVersion(1), NtfVersion(1)).expect("a range");
            config.smp.versions = VersionRange::new(SmpVersion(6), SmpVersion(16)).expect("a range");
        },
    ];
    let smp_servers: [fn(&mut SmpConfig); 2] = [
        |_| {},
        |config| {
            config.versions = VersionRange::new(SmpVersion(6), SmpVersion(16)).expect("a range");
        },
    ];
    let subscribers: [fn(&mut SubscriberConfig); 2] = [
        |_| {},
        |config| {
            config.versions = VersionRange::new(NtfVersion(1), NtfVersion(2)).expect("a range");
        },
    ];
    for (number, client) in clients.into_iter().enumerate() {
        for (other, smp) in smp_servers.into_iter().enumerate() {
            for subscriber in subscribers {
                let mut network = Network::with(Plan { client, smp, subscriber, ..Plan::default() });
                let (device, queue) = network.watching_device("aa01");
                network.expect_served(&device, &queue, &format!("client {number}, SMP server {other}"));
                assert_eq!(network.messages(&device).len(), 1);
                assert_eq!(network.world.violations(), &[] as &[String]);
            }
        }
    }
}

#[test]
fn two_devices_hear_each_other_and_get_no_push_too_many() {
    let mut network = Network::new();
    let [ours, theirs] = ["aa01", "bb02"].map(|token| network.watching_device(token));
    for round in 0..5 {
        for (from, to) in [(&ours, &theirs), (&theirs, &ours)] {
            let (tag, message) = (network.tag(), format!("message {round}").into_bytes());
            let send = Command::Send { tag, to: to.1.address.clone(), message };
            network.world.command(from.0.node, send);
            assert!(network.wait_for(&to.0, round + 1, |event| matches!(event, Event::Message { .. })));
        }
    }
    network.settle();
    for (device, _) in [&ours, &theirs] {
        assert_eq!(network.messages(device).len(), 5);
        // One for the code, and one for each message.
        assert_eq!(pushes(&network, device), 1 + 5);
    }
}

#[test]
fn after_an_smp_server_restarts_the_next_message_is_pushed() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    network.world.apply(Fault::Restart(network.smp[0].0));
    network.expect_served(&device, &queue, "after the restart");
}

#[test]
fn fifty_queues_on_two_servers_survive_the_restart_of_both() {
    let mut network = Network::with(Plan { smp_servers: 2, ..Plan::default() });
    let device = network.active_device("aa01");
    let queues: Vec<_> = (0..50).map(|number| network.watched_queue(&device, number % 2)).collect();
    for server in [0, 1] {
        network.world.apply(Fault::Restart(network.smp[server].0));
    }
    for (number, queue) in queues.iter().enumerate() {
        network.send(&queue.address, &format!("message {number}"));
    }
    network.settle();
    let mut expected: Vec<_> =
        queues.iter().enumerate().map(|(number, queue)| (queue.id, format!("message {number}"))).collect();
    expected.sort();
    let mut received = network.messages(&device);
    received.sort();
    assert_eq!(received, expected);
    assert_eq!(network.subscriber().counters().subscriptions.sessions.total(), 4, "one each, and again");
}

#[test]
fn a_message_sent_while_an_smp_server_is_cut_off_is_pushed_afterwards() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    let (subscriber, smp) = (network.subscribers[0].0, network.smp[0].0);
    network.world.apply(Fault::Partition(subscriber, smp));
    // The SMP server notices. What it had written before it did would be lost, as it is with TCP.
    network.world.cut_links(subscriber);
    network.send(&queue.address, "while nobody watches");
    network.world.run_for(Duration::from_secs(3600));
    assert_eq!(network.messages(&device), [], "no push, so the device does not look");
    network.world.apply(Fault::Heal(subscriber, smp));
    assert!(network.wait_until(|network| network.messages(&device).len() == 1));
}

#[test]
fn a_queue_that_takes_the_place_of_another_is_heard_and_the_other_is_forgotten() {
    let mut network = Network::with(Plan { smp_servers: 2, ..Plan::default() });
    let (device, queue) = network.watching_device("aa01");
    let next = network.watched_queue(&device, 1);
    network.world.command(device.node, Command::DeleteQueue { queue: queue.id });
    assert!(network.wait_for(&device, 1, |event| matches!(event, Event::QueueDeleted { .. })));
    network.expect_served(&device, &next, "to the new queue");
    network.settle();
    let gauges = network.subscriber().gauges();
    assert_eq!((gauges.subscriptions, gauges.servers), (1, 1));
}

#[test]
fn a_deleted_queue_is_forgotten_even_if_nobody_tells_the_subscriber() {
    let mut network = Network::new();
    let (device, queue) = network.watching_device("aa01");
    let other = network.watched_queue(&device, 0);
    // The device cannot reach the subscriber: only the SMP server can tell it, with DELD.
    network.world.apply(Fault::Partition(device.node, network.subscribers[0].0));
    network.world.cut_links(device.node);
    network.world.command(device.node, Command::DeleteQueue { queue: queue.id });
    assert!(
        network.wait_until(|network| { network.subscriber().counters().subscriptions.gone.total() == 1 })
    );
    network.expect_served(&device, &other, "the other queue is not touched");
}

#[test]
fn services_come_and_go_and_every_queue_is_heard_in_every_phase() {
    let mut network = Network::with(Plan {
        subscriber: |config| config.use_service_certificates = true,
        ..Plan::default()
    });
    let server = network.smp[0].0;
    let device = network.active_device("aa01");
    let mut queues: Vec<Queue> = Vec::new();
    // Without services; with associations made; with all of them used; and without again.
    for (phase, asks_clients) in [false, true, true, false, false].into_iter().enumerate() {
        network.world.set_asking_clients(server, asks_clients);
        network.world.cut_links(server);
        network.settle();
        queues.extend((0..3).map(|_| network.watched_queue(&device, 0)));
        for (number, queue) in queues.iter().enumerate() {
            network.expect_served(&device, queue, &format!("phase {phase}, queue {number}"));
        }
    }
    assert!(network.subscriber().counters().services.resumed.total() >= 1, "the bulk command was used");
}

/// Pushes of any kind that came to a device.
fn pushes(network: &Network, device: &Device) -> u64 {
    network.world.client(device.node).expect("a client").counters().pushes.total()
}
