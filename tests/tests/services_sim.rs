//! Service certificates from end to end in simulated time: subscriber and SMP server as they are.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

use ntf_core::base::rng::Seed;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::model::server::{SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::sim::{Config, NodeId, World};
use ntf_core::subscriber::meters::{ServiceCounters, SubscriptionCounters};
use ntf_core::wire::version::{SmpVersion, VersionRange};
use ntf_core::{client, push, smp, subscriber};
use ntf_tests::PROVIDER_KEY_PEM;
use std::time::Duration;

const QUEUES: usize = 20;

#[test]
fn after_a_reconnect_one_command_stands_for_all() {
    let mut run = Run::new(true, |config| config);
    let tied = run.world.smp(run.server).expect("an SMP server").gauges().tied;
    assert_eq!(tied, QUEUES);
    for round in 1..=3 {
        let (asked, before) = (run.subscriptions().asked, run.commands());
        run.world.cut_links(run.server);
        run.settle();
        assert_eq!(run.subscriptions().asked, asked, "no NSUB");
        assert_eq!(run.services().resumed.total(), round);
        // One NSUBS, and PINGs while time went by.
        assert!(run.commands() - before < 10, "{} commands", run.commands() - before);
        run.assert_every_queue_is_heard();
    }
    assert_eq!(run.services().tied.total(), 20);
    assert_eq!(run.world.violations(), &[] as &[String]);
}

#[test]
fn without_the_option_every_queue_is_asked_for_again() {
    let mut run = Run::new(false, |config| config);
    run.world.cut_links(run.server);
    run.settle();
    assert_eq!(run.subscriptions().asked.total(), 40);
    assert_eq!(run.services(), ServiceCounters::default());
    assert_eq!(run.world.smp(run.server).expect("an SMP server").gauges().services, 0);
    run.assert_every_queue_is_heard();
}

#[test]
fn servers_before_version_16_are_used_as_ever() {
    let versions = VersionRange::new(SmpVersion(6), SmpVersion(15)).expect("a range");
    let mut run = Run::new(true, |config| smp::server::Config { versions, ..config });
    run.world.cut_links(run.server);
    run.settle();
    assert_eq!(run.services(), ServiceCounters::default());
    run.assert_every_queue_is_heard();
}

#[test]
fn a_server_that_stops_asking_for_certificates_unties_queues_by_plain_commands() {
    let mut run = Run::new(true, |config| config);
    run.world.set_asking_clients(run.server, false);
    run.world.cut_links(run.server);
    run.settle();
    assert_eq!(run.services().untied.total(), 20);
    assert_eq!(run.world.smp(run.server).expect("an SMP server").gauges().tied, 0);
    run.assert_every_queue_is_heard();
    // And ties them again once it asks.
    run.world.set_asking_clients(run.server, true);
    run.world.cut_links(run.server);
    run.settle();
    assert_eq!(run.world.smp(run.server).expect("an SMP server").gauges().tied, QUEUES);
    run.assert_every_queue_is_heard();
}

#[test]
fn a_server_without_room_for_services_is_used_as_ever() {
    let mut run = Run::new(true, |mut config| {
        config.limits.services = 0;
        config
    });
    assert_eq!(run.services().refused.total(), 1);
    run.world.cut_links(run.server);
    run.settle();
    assert_eq!(run.services().refused.total(), 1, "it is not tried again");
    run.assert_every_queue_is_heard();
}

#[test]
fn links_that_break_while_queues_are_tied_leave_every_queue_watched() {
    for seed in 0..8_u64 {
        let mut run = Run::new(true, |config| config);
        for cut in 0..6 {
            run.world.cut_links(run.server);
            // Some break in the hellos, some before the answer to NSUBS, some after.
            run.world.run_for(Duration::from_millis(900 + 150 * seed + 40 * cut));
        }
        run.settle();
        run.assert_every_queue_is_heard();
        assert_eq!(run.world.violations(), &[] as &[String]);
    }
}

/// A device with many queues on one SMP server, all subscribed.
struct Run {
    world: World,
    server: NodeId,
    subscriber: NodeId,
    device: NodeId,
    sender: NodeId,
    queues: Vec<SenderAddress>,
    tags: u64,
}

impl Run {
    fn new(uses_services: bool, change: impl FnOnce(smp::server::Config) -> smp::server::Config) -> Self {
        let mut world = World::new(Seed::from_number(5), Config::default());
        let (server, address) =
            world.add_smp("smp.sim", |credentials| change(smp::server::Config::new(credentials)));
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
        let (subscriber, ntf) = world.add_subscriber("ntf.sim", push, |credentials| subscriber::Config {
            allow_test_provider: true,
            use_service_certificates: uses_services,
            ..subscriber::Config::new(credentials)
        });
        let sender = world.add_client(client::Config::default());
        let device = world.add_client(client::Config::default());
        world.install(provider, b"aa01", device);
        let mut run = Self { world, server, subscriber, device, sender, queues: Vec::new(), tags: 0 };
        run.subscribe(&address, ntf);
        run
    }

    fn subscribe(&mut self, server: &ServerAddress, ntf: ServerAddress) {
        let device = DeviceToken { provider: Provider::ApnsTest, token: b"aa01".as_slice().into() };
        self.world.command(self.device, Command::Register { server: ntf, device });
        assert!(self.wait(self.device, 1, |event| *event == Event::Token(TokenStatus::Active)));
        for _ in 0..QUEUES {
            let tag = self.tag();
            self.world.command(self.device, Command::CreateQueue { tag, server: server.clone() });
        }
        assert!(self.wait(self.device, QUEUES, |event| matches!(event, Event::Subscription { .. })));
        self.settle();
        for (_, event) in self.world.take_events(self.device) {
            if let Event::QueueCreated { address, .. } = event {
                self.queues.push(address);
            }
        }
        assert_eq!(self.queues.len(), QUEUES);
    }

    /// A message to each queue arrives by a push.
    fn assert_every_queue_is_heard(&mut self) {
        self.world.take_events(self.device);
        for to in self.queues.clone() {
            let tag = self.tag();
            self.world.command(self.sender, Command::Send { tag, to, message: b"hello".to_vec() });
        }
        self.settle();
        let told = self.world.take_events(self.device);
        let heard = told.iter().filter(|(_, event)| matches!(event, Event::Message { .. })).count();
        assert_eq!(heard, QUEUES);
    }

    fn subscriptions(&self) -> SubscriptionCounters {
        self.world.subscriber(self.subscriber).expect("a subscriber").counters().subscriptions
    }

    fn services(&self) -> ServiceCounters {
        self.world.subscriber(self.subscriber).expect("a subscriber").counters().services
    }

    fn commands(&self) -> u64 {
        self.world.smp(self.server).expect("an SMP server").counters().commands.total()
    }

    fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(120));
    }

    fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }

    fn wait(&mut self, node: NodeId, count: usize, is_it: impl Fn(&Event) -> bool) -> bool {
        self.world.run_while(Duration::from_secs(120), |world| {
            world.events(node).iter().filter(|(_, event)| is_it(event)).count() >= count
        })
    }
}
