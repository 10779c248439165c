//! Service certificates from end to end in simulated time: subscriber and SMP server as they are.

#![allow(clippy::indexing_slicing, clippy::wildcard_enum_match_arm, reason = "tests")]

use std::time::Duration;

use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::sim::NodeId;
use ntf_core::smp;
use ntf_core::subscriber::meters::{ServiceCounters, SubscriptionCounters};
use ntf_core::wire::version::{SmpVersion, VersionRange};
use ntf_tests::simulated::{Device, Network, Plan, Queue};

const QUEUES: usize = 20;

#[test]
fn after_a_reconnect_one_command_stands_for_all() {
    let mut run = Run::new(|_| {});
    let tied = run.smp().gauges().tied;
    assert_eq!(tied, QUEUES);
    for round in 1..=3 {
        let (asked, before) = (run.subscriptions().asked, run.commands());
        run.cut_links();
        run.settle();
        assert_eq!(run.subscriptions().asked, asked, "no NSUB");
        assert_eq!(run.services().resumed.total(), round);
        // One NSUBS, and PINGs while time went by.
        assert!(run.commands() - before < 10, "{} commands", run.commands() - before);
        run.assert_every_queue_is_heard();
    }
    assert_eq!(run.services().tied.total(), 20);
    assert_eq!(run.network.world.violations(), &[] as &[String]);
}

#[test]
fn without_the_option_every_queue_is_asked_for_again() {
    let mut run = Run::with(Plan { seed: 5, ..Plan::default() });
    run.cut_links();
    run.settle();
    assert_eq!(run.subscriptions().asked.total(), 40);
    assert_eq!(run.services(), ServiceCounters::default());
    assert_eq!(run.smp().gauges().services, 0);
    run.assert_every_queue_is_heard();
}

#[test]
fn servers_before_version_16_are_used_as_ever() {
    let mut run = Run::new(|config| {
        config.versions = VersionRange::new(SmpVersion(6), SmpVersion(15)).expect("a range");
    });
    run.cut_links();
    run.settle();
    assert_eq!(run.services(), ServiceCounters::default());
    run.assert_every_queue_is_heard();
}

#[test]
fn a_server_that_stops_asking_for_certificates_unties_queues_by_plain_commands() {
    let mut run = Run::new(|_| {});
    run.set_asking_clients(false);
    run.cut_links();
    run.settle();
    assert_eq!(run.services().untied.total(), 20);
    assert_eq!(run.smp().gauges().tied, 0);
    run.assert_every_queue_is_heard();
    // And ties them again once it asks.
    run.set_asking_clients(true);
    run.cut_links();
    run.settle();
    assert_eq!(run.smp().gauges().tied, QUEUES);
    run.assert_every_queue_is_heard();
}

#[test]
fn a_server_without_room_for_services_is_used_as_ever() {
    let mut run = Run::new(|config| config.limits.services = 0);
    assert_eq!(run.services().refused.total(), 1);
    run.cut_links();
    run.settle();
    assert_eq!(run.services().refused.total(), 1, "it is not tried again");
    run.assert_every_queue_is_heard();
}

#[test]
fn links_that_break_while_queues_are_tied_leave_every_queue_watched() {
    for seed in 0..8_u64 {
        let mut run = Run::new(|_| {});
        for cut in 0..6 {
            run.cut_links();
            // Some break in the hellos, some before the answer to NSUBS, some after.
            run.network.world.run_for(Duration::from_millis(900 + 150 * seed + 40 * cut));
        }
        run.settle();
        run.assert_every_queue_is_heard();
        assert_eq!(run.network.world.violations(), &[] as &[String]);
    }
}

/// A device with many queues on one SMP server, all subscribed.
struct Run {
    network: Network,
    server: NodeId,
    device: Device,
    queues: Vec<Queue>,
}

impl Run {
    /// With service certificates, and this changed about the SMP server.
    fn new(smp: fn(&mut smp::server::Config)) -> Self {
        let subscriber = |config: &mut ntf_core::subscriber::Config| config.use_service_certificates = true;
        Self::with(Plan { seed: 5, smp, subscriber, ..Plan::default() })
    }

    fn with(plan: Plan) -> Self {
        let mut network = Network::with(plan);
        let server = network.smp[0].0;
        let device = network.active_device("aa01");
        let queues: Vec<_> = (0..QUEUES).map(|_| network.create_queue(&device, 0)).collect();
        let is_subscribed = |event: &Event| matches!(event, Event::Subscription { .. });
        assert!(network.wait_for(&device, QUEUES, is_subscribed));
        let mut run = Self { network, server, device, queues };
        run.settle();
        run
    }

    /// A message to each queue arrives by a push.
    fn assert_every_queue_is_heard(&mut self) {
        self.network.world.take_events(self.device.node);
        let sender = self.network.sender;
        for queue in &self.queues {
            let (tag, to) = (self.network.tag(), queue.address.clone());
            self.network.world.command(sender, Command::Send { tag, to, message: b"hello".to_vec() });
        }
        self.settle();
        assert_eq!(self.network.messages(&self.device).len(), QUEUES);
    }

    fn cut_links(&mut self) {
        self.network.world.cut_links(self.server);
    }

    fn set_asking_clients(&mut self, asks_clients: bool) {
        self.network.world.set_asking_clients(self.server, asks_clients);
    }

    fn smp(&self) -> &smp::server::Server {
        self.network.world.smp(self.server).expect("an SMP server")
    }

    fn subscriptions(&self) -> SubscriptionCounters {
        self.network.subscriber().counters().subscriptions
    }

    fn services(&self) -> ServiceCounters {
        self.network.subscriber().counters().services
    }

    fn commands(&self) -> u64 {
        self.smp().counters().commands.total()
    }

    fn settle(&mut self) {
        self.network.world.run_for(Duration::from_secs(120));
    }
}
