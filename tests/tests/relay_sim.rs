//! Subscribers and a push server in processes of their own, in simulated time: two subscribers, each with a
//! device, and one push server that serves both over relay links.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

use ntf_core::base::rng::{Seed, Stream};
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::crypto::keys::X25519Private;
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::relay::push_end::{self, Limits, TokensAllowed};
use ntf_core::relay::sealed_token::{OpeningKey, seal};
use ntf_core::relay::subscriber_end;
use ntf_core::sim::relay::Split;
use ntf_core::sim::{Config, Fault, NodeId, World};
use ntf_core::subscriber::SealedTokens;
use ntf_core::{client, push, smp, subscriber};
use ntf_tests::PROVIDER_KEY_PEM;
use std::cell::Cell;
use std::time::Duration;

#[test]
fn one_push_server_serves_two_subscribers_over_links() {
    let mut run = Run::new(1);
    run.send_to_all(10);
    run.settle();
    run.assert_all_received();
    let end = run.world.push_end(run.split.push_end).unwrap();
    assert_eq!((end.links(), end.in_hand()), (2, 0));
    assert_eq!(end.counters().orders.received, end.counters().orders.handed_on);
    assert!(
        run.split.subscriber_ends.iter().all(|node| run.world.subscriber_end(*node).unwrap().held() == 0)
    );
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = |seed| {
        let mut run = Run::new(seed);
        run.send_to_all(3);
        run.settle();
        run.world.trace_hash()
    };
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

#[test]
fn a_link_that_breaks_or_dies_at_any_moment_of_a_push_loses_nothing_and_pushes_nothing_twice() {
    for break_it in [Fault::Cut, Fault::HalfOpen] {
        let mut run = Run::new(5);
        for step in 0..30 {
            let before = run.pushes();
            run.send(0);
            // From the sender over SMP server and subscriber to the provider and back takes half a second.
            run.world.run_for(Duration::from_millis(20 * step));
            run.world.apply(break_it(run.split.push_end));
            run.settle();
            run.assert_all_received();
            let pushed = run.pushes() - before;
            // A link that dies unnoticed holds an outcome back until somebody asks: no second push either.
            assert_eq!(pushed, 1, "{:?}, step {step}", break_it(run.split.push_end));
        }
        let end = run.world.push_end(run.split.push_end).unwrap();
        let orders = end.counters().orders;
        assert!(orders.repeated.total() + orders.remembered.total() > 0, "some were asked for again");
        assert_eq!(end.in_hand(), 0);
    }
}

#[test]
fn a_push_server_killed_at_any_moment_of_a_push_loses_nothing() {
    let mut run = Run::new(6);
    for step in 0..30 {
        let before = run.pushes_at_provider();
        run.send(0);
        run.world.run_for(Duration::from_millis(20 * step));
        run.world.apply(Fault::Restart(run.split.push_end));
        run.settle();
        run.assert_all_received();
        // What it knew of the order died with it.
        let pushed = run.pushes_at_provider() - before;
        assert!((1..=2).contains(&pushed), "step {step}: {pushed}");
    }
}

#[test]
fn a_subscriber_killed_at_any_moment_of_a_push_leaves_the_other_and_the_push_server_alone() {
    let mut run = Run::new(7);
    for step in 0..30 {
        run.send(0);
        run.send(1);
        run.world.run_for(Duration::from_millis(20 * step));
        run.world.apply(Fault::Restart(run.subscribers[0].0));
        run.settle();
        run.register_anew(0);
        // Messages whose notice died with the subscriber are fetched with the next push of their queue.
        run.send(0);
        run.settle();
        run.assert_all_received();
    }
    let end = run.world.push_end(run.split.push_end).unwrap();
    assert_eq!((end.links(), end.in_hand()), (2, 0));
}

#[test]
fn an_hour_without_a_link_ends_in_one_push_for_each_device() {
    let mut run = Run::new(8);
    let pairs: Vec<_> = run.split.subscriber_ends.iter().map(|end| (*end, run.split.push_end)).collect();
    for (end, push) in &pairs {
        run.world.apply(Fault::Partition(*end, *push));
    }
    let before = run.pushes();
    for _ in 0..60 {
        run.send_to_all(1);
        run.world.run_for(Duration::from_secs(60));
        assert!(
            run.split.subscriber_ends.iter().all(|node| run.world.subscriber_end(*node).unwrap().held() <= 1)
        );
    }
    assert_eq!(run.pushes(), before);
    for (end, push) in &pairs {
        run.world.apply(Fault::Heal(*end, *push));
    }
    // The longest pause of a link, and of a device's notices.
    run.world.run_for(Duration::from_secs(30 + 300 + 60));
    run.assert_all_received();
    assert!(run.pushes() - before <= 4, "no storm of what is stale: {}", run.pushes() - before);
}

#[test]
fn whoever_is_pinned_wrongly_is_not_served_and_the_other_is() {
    let is_first = Cell::new(true);
    let mut run = Run::with(
        9,
        |_| {},
        |config| {
            if is_first.replace(false) {
                // It expects itself there, which is somebody else.
                config.server.identity = config.credentials.identity().unwrap();
            }
        },
    );
    assert!(!run.try_register(0), "no push goes out for it");
    assert!(run.try_register(1));
    let ends = run.split.subscriber_ends.clone();
    assert!(run.world.subscriber_end(ends[0]).unwrap().counters().wrong_identity.total() > 0);
    assert!(run.world.subscriber_end(ends[1]).unwrap().is_open());
}

#[test]
fn a_subscriber_that_the_push_server_does_not_know_is_not_served() {
    let mut run = Run::with(10, |config| config.subscribers.truncate(1), |_| {});
    assert!(run.try_register(0));
    assert!(!run.try_register(1));
    let links = run.world.push_end(run.split.push_end).unwrap().counters().links;
    assert!(links.strangers.total() > 0);
    assert_eq!(links.accepted.total(), 1);
}

#[test]
fn with_sealed_tokens_the_subscriber_holds_none_and_its_device_is_woken_all_the_same() {
    let mut run = Run::sealed(11);
    run.send_to_all(5);
    run.settle();
    run.assert_all_received();
    // The app loses its keys and registers anew: the first registration is found and ended.
    let (subscriber, device) = (run.subscribers[0].0, run.devices[0].node);
    let held = |run: &Run| run.world.subscriber(subscriber).unwrap().gauges().tokens;
    assert_eq!(held(&run), 1);
    let again = run.world.add_client(sealing());
    run.world.install(run.provider, TOKENS[0], again);
    run.devices[0].node = again;
    assert!(run.try_register(0));
    assert_eq!(held(&run), 1, "of one device");
    assert_ne!(again, device);
    let counters = run.world.push_end(run.split.push_end).unwrap().counters().orders;
    assert_eq!(counters.sealed, counters.handed_on);
}

#[test]
fn a_token_sealed_for_one_subscriber_is_of_no_use_to_another() {
    let mut run = Run::sealed(12);
    let mut keys = Seed::from_number(12).stream(Stream::Keys);
    let stolen = seal(&device_token(0), key().public(), &run.subscribers[0].1.identity, &mut keys).unwrap();
    let thief = run.world.add_client(client::Config::default());
    let server = run.subscribers[1].1.clone();
    run.world.command(thief, Command::Register { server, device: stolen });
    let is_refused = |event: &Event| matches!(event, Event::Token(TokenStatus::Invalid(_)));
    run.wait(thief, 1, is_refused);
    let end = run.world.push_end(run.split.push_end).unwrap();
    assert!(end.counters().orders.unopened.total() > 0);
    assert!(!run.world.events(thief).iter().any(|(_, event)| *event == Event::Token(TokenStatus::Active)));
}

const TOKENS: [&[u8]; 2] = [b"aa01", b"bb02"];

struct Device {
    node: NodeId,
    queue: Option<SenderAddress>,
    sent: Vec<Vec<u8>>,
}

/// Two subscribers in front of one push server, each with a device that has a queue.
struct Run {
    world: World,
    provider: NodeId,
    push: NodeId,
    subscribers: Vec<(NodeId, ServerAddress)>,
    split: Split,
    smp: ServerAddress,
    devices: Vec<Device>,
    sender: NodeId,
    tags: u64,
}

impl Run {
    /// Everything is registered and subscribed.
    fn new(seed: u64) -> Self {
        let mut run = Self::with(seed, |_| {}, |_| {});
        run.register_all();
        run
    }

    /// Likewise, with device tokens that the subscribers cannot read.
    fn sealed(seed: u64) -> Self {
        let limits = Limits { tokens: TokensAllowed::Sealed, ..Limits::default() };
        let mut run =
            Self::build(seed, SealedTokens::Demanded, limits, |config| config.keys = vec![key()], |_| {});
        run.register_all();
        run
    }

    fn with(
        seed: u64,
        push: impl FnOnce(&mut push_end::Config),
        subscriber: impl Fn(&mut subscriber_end::Config),
    ) -> Self {
        Self::build(seed, SealedTokens::Refused, Limits::default(), push, subscriber)
    }

    fn build(
        seed: u64,
        sealed_tokens: SealedTokens,
        limits: Limits,
        push_config: impl FnOnce(&mut push_end::Config),
        subscriber_config: impl Fn(&mut subscriber_end::Config),
    ) -> Self {
        let mut world = World::new(Seed::from_number(seed), Config::default());
        let (_, smp) = world.add_smp("smp.sim", smp::server::Config::new);
        let provider = world.add_provider();
        let push = world.add_push(
            provider,
            push::Config {
                key: Some(Es256Key::from_pkcs8_pem(PROVIDER_KEY_PEM).expect("a key for tests")),
                key_id: "KEYSHARED1".into(),
                allow_test_provider: true,
                ..push::Config::default()
            },
        );
        let subscribers = ["ntf1.sim", "ntf2.sim"].map(|host| {
            world.add_subscriber(host, push, |credentials| subscriber::Config {
                allow_test_provider: true,
                sealed_tokens,
                ..subscriber::Config::new(credentials)
            })
        });
        let nodes = [subscribers[0].0, subscribers[1].0];
        let split = world.split(push, "push.sim", &nodes, limits, push_config, subscriber_config);
        let sender = world.add_client(client::Config::default());
        let app = if sealed_tokens == SealedTokens::Demanded { sealing() } else { client::Config::default() };
        let devices = TOKENS.map(|token| {
            let node = world.add_client(app.clone());
            world.install(provider, token, node);
            Device { node, queue: None, sent: Vec::new() }
        });
        let (subscribers, devices) = (subscribers.into(), devices.into());
        Self { world, provider, push, subscribers, split, smp, devices, sender, tags: 0 }
    }

    fn register_all(&mut self) {
        for device in 0..self.devices.len() {
            assert!(self.try_register(device), "the token becomes active");
            let (node, tag, server) = (self.devices[device].node, self.tag(), self.smp.clone());
            self.world.command(node, Command::CreateQueue { tag, server });
            assert!(self.wait(node, 1, |event| matches!(event, Event::Subscription { .. })));
            let queue = self.world.events(node).iter().find_map(|(_, event)| match event {
                Event::QueueCreated { address, .. } => Some(address.clone()),
                _ => None,
            });
            self.devices[device].queue = queue;
        }
    }

    fn try_register(&mut self, device: usize) -> bool {
        let (node, server) = (self.devices[device].node, self.subscribers[device].1.clone());
        self.world.command(node, Command::Register { server, device: device_token(device) });
        self.wait(node, 1, |event| *event == Event::Token(TokenStatus::Active))
    }

    /// The app's periodic check finds that the subscriber has forgotten it.
    fn register_anew(&mut self, device: usize) {
        let node = self.devices[device].node;
        let count = |run: &Self, is_it: fn(&Event) -> bool| {
            run.world.events(node).iter().filter(|(_, event)| is_it(event)).count()
        };
        let is_active = |event: &Event| *event == Event::Token(TokenStatus::Active);
        let is_subscribed = |event: &Event| matches!(event, Event::Subscription { .. });
        let (active, subscribed) = (count(self, is_active), count(self, is_subscribed));
        let server = self.subscribers[device].1.clone();
        self.world.command(node, Command::Register { server, device: device_token(device) });
        assert!(self.wait(node, active + 1, is_active));
        assert!(self.wait(node, subscribed + 1, is_subscribed));
    }

    fn send(&mut self, device: usize) {
        let (tag, to) = (self.tag(), self.devices[device].queue.clone().expect("a queue"));
        let message = format!("message {}", tag.0).into_bytes();
        self.devices[device].sent.push(message.clone());
        self.world.command(self.sender, Command::Send { tag, to, message });
    }

    fn send_to_all(&mut self, count: usize) {
        for _ in 0..count {
            for device in 0..self.devices.len() {
                self.send(device);
            }
        }
    }

    fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(150));
    }

    fn assert_all_received(&self) {
        assert_eq!(self.world.violations(), &[] as &[String]);
        for device in &self.devices {
            let mut received: Vec<_> = self
                .world
                .events(device.node)
                .iter()
                .filter_map(|(_, event)| match event {
                    Event::Message { message, .. } => Some(message.clone()),
                    _ => None,
                })
                .collect();
            let mut sent = device.sent.clone();
            received.sort();
            received.dedup();
            sent.sort();
            assert_eq!(received, sent);
        }
    }

    /// Requests of the push server.
    fn pushes(&self) -> u64 {
        self.world.push_server(self.push).unwrap().counters().requests.total()
    }

    /// Requests that the provider has accepted, whichever process made them.
    fn pushes_at_provider(&self) -> u64 {
        self.world.provider(self.provider).unwrap().accepted()
    }

    fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }

    fn wait(&mut self, node: NodeId, count: usize, is_it: impl Fn(&Event) -> bool) -> bool {
        self.world.run_while(Duration::from_secs(60), |world| {
            world.events(node).iter().filter(|(_, event)| is_it(event)).count() >= count
        })
    }
}

fn device_token(device: usize) -> DeviceToken {
    DeviceToken { provider: Provider::ApnsTest, token: TOKENS[device].into() }
}

/// An app whose subscribers are not to read its device token.
fn sealing() -> client::Config {
    client::Config { seal_to: Some(*key().public()), ..client::Config::default() }
}

fn key() -> OpeningKey {
    OpeningKey::new(X25519Private::from_bytes([77; 32]))
}
