//! The whole path in simulated time, inside one process, without sockets: senders, SMP servers, subscriber,
//! push server, provider, devices.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

use ntf_core::base::rng::Seed;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::link::event::DownReason;
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::sim::{Config, NodeId, World};
use ntf_core::{client, push, smp, subscriber};
use ntf_tests::PROVIDER_KEY_PEM;
use std::time::Duration;

#[test]
fn every_message_reaches_its_device_decrypted_and_nothing_is_left_over() {
    let mut run = Run::new(7);
    let sent = run.send(12);
    run.settle();
    assert_eq!(run.received(), sent);
    assert_eq!(run.world.violations(), &[] as &[String]);
    run.assert_nothing_left();
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut run = Run::new(seed);
        run.send(4);
        run.settle();
        (run.world.trace_hash(), run.world.steps())
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn what_is_sent_while_a_device_is_away_is_fetched_with_one_push() {
    let mut run = Run::new(11);
    let device = run.devices[0].node;
    run.world.switch_off(device);
    let sent = run.send(6);
    run.settle();
    assert!(run.received().iter().all(|(to, _)| to.device != 0), "it is off");

    run.world.switch_on(device);
    let queue = run.devices[0].queues[0].1.clone();
    let last = run.send_one(&queue, b"one more".to_vec());
    run.settle();
    let received = run.received();
    let of_queue = |all: &[(Address, Vec<u8>)]| {
        all.iter().filter(|(to, _)| (to.device, to.queue) == (0, run.devices[0].queues[0].0)).count()
    };
    assert_eq!(of_queue(&received), of_queue(&sent) + usize::from(last), "all of the queue, by one push");
    run.assert_nothing_left();
}

#[test]
fn links_that_break_at_any_moment_lose_no_message() {
    for seed in 20..30 {
        let mut run = Run::new(seed);
        let queues: Vec<_> = run.devices.iter().map(|device| device.queues[0].1.clone()).collect();
        let mut sent = Vec::new();
        for number in 0..8_usize {
            let tag = run.tag();
            let message = format!("message {number}").into_bytes();
            sent.push(message.clone());
            let to = queues[number % queues.len()].clone();
            run.world.command(run.sender, Command::Send { tag, to, message });
            // Some land in the hello, some between GET and ACK, some before an answer.
            run.world.run_for(Duration::from_millis(40 * (seed + u64::try_from(number).expect("small"))));
            let cut = if number % 2 == 0 { run.sender } else { run.devices[number % 4 / 2].node };
            run.world.cut_links(cut);
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
    let mut run = Run::new(40);
    let (tag, mut server) = (run.tag(), run.servers[0].1.clone());
    server.identity = run.servers[1].1.identity;
    run.world.command(run.sender, Command::CreateQueue { tag, server });
    run.world.run_for(Duration::from_secs(1));
    let told = run.world.take_events(run.sender);
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

struct Device {
    node: NodeId,
    queues: Vec<(QueueId, SenderAddress)>,
}

/// Two devices with three queues each on two SMP servers, all subscribed; and a sender.
struct Run {
    world: World,
    servers: Vec<(NodeId, ServerAddress)>,
    devices: Vec<Device>,
    sender: NodeId,
    tags: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut world = World::new(Seed::from_number(seed), Config::default());
        let servers: Vec<_> =
            ["smp1.sim", "smp2.sim"].map(|host| world.add_smp(host, smp::server::Config::new)).into();
        let provider = world.add_provider();
        let push = world.add_push(
            provider,
            push::Config {
                key: Some(Es256Key::from_pkcs8_pem(PROVIDER_KEY_PEM).expect("the key above")),
                key_id: "KEYSHARED1".into(),
                allow_test_provider: true,
                ..push::Config::default()
            },
        );
        let (_, subscriber) = world.add_subscriber("ntf.sim", push, |credentials| subscriber::Config {
            allow_test_provider: true,
            ..subscriber::Config::new(credentials)
        });
        let sender = world.add_client(client::Config::default());
        let mut run = Self { world, servers, devices: Vec::new(), sender, tags: 0 };
        for token in [b"aa01", b"bb02"] {
            run.add_device(provider, &subscriber, token);
        }
        run
    }

    fn add_device(&mut self, provider: NodeId, subscriber: &ServerAddress, token: &[u8]) {
        let node = self.world.add_client(client::Config::default());
        self.world.install(provider, token, node);
        // One queue before the token is there, the others after: both get subscribed.
        self.create_queue(node, 0);
        let device = DeviceToken { provider: Provider::ApnsTest, token: token.into() };
        self.world.command(node, Command::Register { server: subscriber.clone(), device });
        self.create_queue(node, 1);
        let is_active = |event: &Event| matches!(event, Event::Token(TokenStatus::Active));
        assert!(self.wait(node, 1, is_active), "the token becomes active");
        self.create_queue(node, 0);
        let is_subscribed = |event: &Event| matches!(event, Event::Subscription { .. });
        assert!(self.wait(node, 3, is_subscribed), "all queues are subscribed");

        let created = self.world.take_events(node).into_iter().filter_map(|(_, event)| match event {
            Event::QueueCreated { queue, address, .. } => Some((queue, address)),
            other => {
                assert!(!matches!(other, Event::Failed { .. } | Event::PushRejected { .. }), "{other:?}");
                None
            }
        });
        let queues: Vec<_> = created.collect();
        assert_eq!(queues.len(), 3);
        self.devices.push(Device { node, queues });
    }

    fn create_queue(&mut self, node: NodeId, server: usize) {
        let tag = self.tag();
        let server = self.servers[server].1.clone();
        self.world.command(node, Command::CreateQueue { tag, server });
    }

    /// Sends messages round robin to all queues of all devices. What was sent, sorted.
    fn send(&mut self, count: usize) -> Vec<(Address, Vec<u8>)> {
        let targets: Vec<_> = self
            .devices
            .iter()
            .enumerate()
            .flat_map(|(device, it)| {
                it.queues.iter().map(move |(queue, to)| (Address { device, queue: *queue }, to.clone()))
            })
            .collect();
        let mut sent = Vec::new();
        for (number, (address, to)) in (0..count).zip(targets.iter().cycle()) {
            let message = format!("message {number}").into_bytes();
            assert!(self.send_one(to, message.clone()));
            sent.push((*address, message));
        }
        sent.sort();
        sent
    }

    fn send_one(&mut self, to: &SenderAddress, message: Vec<u8>) -> bool {
        let tag = self.tag();
        self.world.command(self.sender, Command::Send { tag, to: to.clone(), message });
        self.wait(self.sender, 1, |event| *event == Event::Sent { tag })
    }

    /// Lets everything arrive, and connections that nobody uses go away.
    fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(300));
    }

    /// What the devices' applications got, sorted.
    fn received(&self) -> Vec<(Address, Vec<u8>)> {
        let mut received = Vec::new();
        for (device, it) in self.devices.iter().enumerate() {
            for (_, event) in self.world.events(it.node) {
                if let Event::Message { queue, message, .. } = event {
                    received.push((Address { device, queue: *queue }, message.clone()));
                }
            }
        }
        received.sort();
        received
    }

    fn assert_nothing_left(&self) {
        assert_eq!(self.world.in_flight(), 0, "nothing is on its way");
        for device in &self.devices {
            let client = self.world.client(device.node).expect("a client");
            assert_eq!(client.pending(), 0, "the device waits for nothing");
            for (_, event) in self.world.events(device.node) {
                assert!(!matches!(event, Event::Failed { .. }), "{event:?}");
            }
        }
        assert_eq!(self.world.client(self.sender).expect("a client").pending(), 0);
        for (server, _) in &self.servers {
            let gauges = self.world.smp(*server).expect("an SMP server").gauges();
            assert_eq!((gauges.messages, gauges.notifications), (0, 0), "everything was fetched and told");
        }
        // The subscriber's, one to each SMP server. Devices have closed theirs.
        assert_eq!(self.world.links(), 2);
    }

    fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }

    fn wait(&mut self, node: NodeId, count: usize, is_it: impl Fn(&Event) -> bool) -> bool {
        let limit = Duration::from_secs(60);
        self.world.run_while(limit, |world| {
            world.events(node).iter().filter(|(_, event)| is_it(event)).count() >= count
        })
    }
}
