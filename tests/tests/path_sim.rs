//! The whole path in simulated time, inside one process, without sockets: senders, SMP servers, subscriber,
//! push server, provider, devices.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId};
use ntf_core::link::event::DownReason;
use ntf_core::model::server::SenderAddress;
use ntf_tests::simulated::{Device, Network, Plan, Queue, is_active};

#[test]
fn every_message_reaches_its_device_decrypted_and_nothing_is_left_over() {
    let mut run = Run::new(7);
    let sent = run.send(12);
    run.settle();
    assert_eq!(run.received(), sent);
    assert_eq!(run.network.world.violations(), &[] as &[String]);
    run.assert_nothing_left();
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut run = Run::new(seed);
        run.send(4);
        run.settle();
        (run.network.world.trace_hash(), run.network.world.steps())
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn what_is_sent_while_a_device_is_away_is_fetched_with_one_push() {
    let mut run = Run::new(11);
    let device = run.devices[0].0.node;
    run.network.world.switch_off(device);
    let sent = run.send(6);
    run.settle();
    assert!(run.received().iter().all(|(to, _)| to.device != 0), "it is off");

    run.network.world.switch_on(device);
    let queue = run.devices[0].1[0].clone();
    run.network.send(&queue.address, "one more");
    run.settle();
    let of_queue = |all: &[(Address, String)]| {
        all.iter().filter(|(to, _)| (to.device, to.queue) == (0, queue.id)).count()
    };
    assert_eq!(of_queue(&run.received()), of_queue(&sent) + 1, "all of the queue, by one push");
    run.assert_nothing_left();
}

#[test]
fn links_that_break_at_any_moment_lose_no_message() {
    for seed in 20..30 {
        let mut run = Run::new(seed);
        let nodes: Vec<_> = run.devices.iter().map(|(device, _)| device.node).collect();
        let queues: Vec<SenderAddress> =
            run.devices.iter().map(|(_, queues)| queues[0].address.clone()).collect();
        let mut sent = Vec::new();
        for number in 0..8_usize {
            let (tag, sender) = (run.network.tag(), run.network.sender);
            let message = format!("message {number}");
            sent.push(message.clone());
            let to = queues[number % queues.len()].clone();
            let message = message.into_bytes();
            run.network.world.command(sender, Command::Send { tag, to, message });
            // Some land in the hello, some between GET and ACK, some before an answer.
            let pause = 40 * (seed + u64::try_from(number).expect("small"));
            run.network.world.run_for(Duration::from_millis(pause));
            let cut = if number % 2 == 0 { sender } else { nodes[number % 4 / 2] };
            run.network.world.cut_links(cut);
        }
        run.settle();
        let mut received: Vec<_> = run.received().into_iter().map(|(_, message)| message).collect();
        received.sort();
        // A message whose answer was lost is sent again; the receiving end of an app drops the second.
        received.dedup();
        assert_eq!(received, sent, "seed {seed}");
        run.assert_nothing_left();
    }
}

#[test]
fn an_impostor_is_told_from_the_server() {
    let mut network = Network::with(Plan { smp_servers: 2, ..Plan::default() });
    let (tag, sender) = (network.tag(), network.sender);
    let mut server = network.smp_address(0).clone();
    server.identity = network.smp_address(1).identity;
    network.world.command(sender, Command::CreateQueue { tag, server });
    network.world.run_for(Duration::from_secs(1));
    let told = network.world.take_events(sender);
    assert!(
        matches!(told.as_slice(), [(_, Event::Unreachable { reason: DownReason::WrongIdentity, .. }), ..]),
        "{told:?}"
    );
}

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Address {
    device: usize,
    queue: QueueId,
}

/// Two devices with three queues each on two SMP servers, all subscribed; and a sender.
struct Run {
    network: Network,
    devices: Vec<(Device, Vec<Queue>)>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let network = Network::with(Plan { seed, smp_servers: 2, ..Plan::default() });
        let mut run = Self { network, devices: Vec::new() };
        for token in ["aa01", "bb02"] {
            run.add_device(token);
        }
        run
    }

    fn add_device(&mut self, token: &str) {
        let network = &mut self.network;
        let device = network.device(token);
        // One queue before the token is there, the others after: all get subscribed.
        let first = network.create_queue(&device, 0);
        network.register(&device);
        let second = network.create_queue(&device, 1);
        assert!(network.wait_for(&device, 1, is_active), "the token becomes active");
        let third = network.create_queue(&device, 0);
        let is_subscribed = |event: &Event| matches!(event, Event::Subscription { .. });
        assert!(network.wait_for(&device, 3, is_subscribed), "all queues are subscribed");
        for (_, event) in network.world.take_events(device.node) {
            assert!(!matches!(event, Event::Failed { .. } | Event::PushRejected { .. }), "{event:?}");
        }
        self.devices.push((device, vec![first, second, third]));
    }

    /// Sends messages round robin to all queues of all devices. What was sent, sorted.
    fn send(&mut self, count: usize) -> Vec<(Address, String)> {
        let targets: Vec<_> = self
            .devices
            .iter()
            .enumerate()
            .flat_map(|(device, (_, queues))| {
                queues.iter().map(move |it| (Address { device, queue: it.id }, it.address.clone()))
            })
            .collect();
        let mut sent = Vec::new();
        for (number, (address, to)) in (0..count).zip(targets.iter().cycle()) {
            let message = format!("message {number}");
            self.network.send(to, &message);
            sent.push((*address, message));
        }
        sent.sort();
        sent
    }

    /// Lets everything arrive, and connections that nobody uses go away.
    fn settle(&mut self) {
        self.network.settle();
    }

    /// What the devices' applications got, sorted.
    fn received(&self) -> Vec<(Address, String)> {
        let mut received = Vec::new();
        for (number, (device, _)) in self.devices.iter().enumerate() {
            let messages = self.network.messages(device).into_iter();
            received.extend(messages.map(|(queue, text)| (Address { device: number, queue }, text)));
        }
        received.sort();
        received
    }

    fn assert_nothing_left(&self) {
        let world = &self.network.world;
        assert_eq!(world.in_flight(), 0, "nothing is on its way");
        for (device, _) in &self.devices {
            let client = world.client(device.node).expect("a client");
            assert_eq!(client.pending(), 0, "the device waits for nothing");
            for (_, event) in world.events(device.node) {
                assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
            }
        }
        assert_eq!(world.client(self.network.sender).expect("a client").pending(), 0);
        for (server, _) in &self.network.smp {
            let gauges = world.smp(*server).expect("an SMP server").gauges();
            assert_eq!((gauges.messages, gauges.notifications), (0, 0), "everything was fetched and told");
        }
        // The subscriber's, one to each SMP server. Devices have closed theirs.
        assert_eq!(world.links(), 2);
    }
}
