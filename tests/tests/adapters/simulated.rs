//! A ground in simulated time, without a network.

use std::num::NonZeroU8;
use std::time::Duration;

use ntf_core::base::rng::Seed;
use ntf_core::client::effect::Event;
use ntf_core::client::input::Command;
use ntf_core::crypto::es256::Es256Key;
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::token::DeviceToken;
use ntf_core::sim::provider::Reply;
use ntf_core::sim::{Config, Fault, NodeId, Weather, World};
use ntf_core::subscriber::effect::Milestone;
use ntf_core::{client, push, smp, subscriber};
use ntf_tests::PROVIDER_KEY_PEM;

use crate::ground::{Ground, Mishap};

/// What takes longer than this in simulated time never happens.
const PATIENCE: Duration = Duration::from_secs(600);

/// The simulator as a ground.
pub(crate) struct Simulated {
    world: World,
    smp: (NodeId, ServerAddress),
    subscriber: (NodeId, ServerAddress),
    push: NodeId,
    provider: NodeId,
    /// Each with the number of its events that were given.
    devices: Vec<(NodeId, usize)>,
}

impl Simulated {
    pub(crate) fn start() -> Self {
        Self::start_sharded(NonZeroU8::MIN)
    }

    pub(crate) fn start_sharded(shards: NonZeroU8) -> Self {
        let mut world = World::new(Seed::from_number(1), Config { shards, ..Config::default() });
        let smp = world.add_smp("smp.sim", smp::server::Config::new);
        let provider = world.add_provider();
        let config = push::Config {
            key: Some(Es256Key::from_pkcs8_pem(PROVIDER_KEY_PEM).expect("a key")),
            key_id: "KEYSHARED1".into(),
            allow_test_provider: true,
            ..push::Config::default()
        };
        let push = world.add_push(provider, config);
        let subscriber = world.add_subscriber("ntf.sim", push, |credentials| subscriber::Config {
            allow_test_provider: true,
            ..subscriber::Config::new(credentials)
        });
        Self { world, smp, subscriber, push, provider, devices: Vec::new() }
    }
}

impl Ground for Simulated {
    fn ntf_address(&self) -> ServerAddress {
        self.subscriber.1.clone()
    }

    fn smp_address(&self) -> ServerAddress {
        self.smp.1.clone()
    }

    fn add_device(&mut self) -> usize {
        self.devices.push((self.world.add_client(client::Config::default()), 0));
        self.devices.len() - 1
    }

    fn install(&mut self, device: usize, token: &DeviceToken) {
        self.world.install(self.provider, &token.token, self.devices[device].0);
    }

    fn ask(&mut self, device: usize, command: Command) {
        self.world.command(self.devices[device].0, command);
    }

    fn forge_push(&mut self, device: usize, body: &[u8]) {
        self.world.push(self.devices[device].0, body);
    }

    fn next_event(&mut self, device: usize) -> Event {
        let (node, given) = &mut self.devices[device];
        let has_come = self.world.run_while(PATIENCE, |world| world.events(*node).len() > *given);
        let events = self.world.events(*node);
        assert!(has_come, "device {device} is told nothing more than {events:?}");
        *given += 1;
        events[*given - 1].1.clone()
    }

    fn fail(&mut self, mishap: Mishap) {
        match mishap {
            Mishap::Refuse(status, reason) => {
                self.world.script(self.provider, Reply::refusal(status, reason));
            }
            Mishap::Uninstall(token) => self.world.uninstall(self.provider, &token.token),
            Mishap::Silence => self.world.apply(Fault::Provider(self.provider, Weather::Silent)),
        }
    }

    fn restart_subscriber(&mut self, policy: PushPolicy) {
        self.world.configure(self.subscriber.0, |config| config.delivery.policy = policy);
        self.world.apply(Fault::Restart(self.subscriber.0));
    }

    /// There is no below: bytes that are no block cannot be made here.
    fn let_strangers_in(&mut self) {}

    fn knowledge(&mut self) -> Vec<Fact> {
        self.world.subscriber(self.subscriber.0).expect("a subscriber").knowledge()
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.world.milestones(self.subscriber.0).iter().map(|(_, milestone)| *milestone).collect()
    }

    fn drain(mut self) -> Vec<&'static str> {
        for node in [self.subscriber.0, self.push, self.smp.0] {
            self.world.stop(node);
        }
        for (node, _) in &self.devices {
            self.world.stop(*node);
        }
        self.world.run_for(PATIENCE);
        assert_eq!(self.world.links(), 0, "nobody holds a link");
        assert_eq!(self.world.violations(), &[] as &[String]);
        vec!["subscriber", "push server", "SMP server", "every device"]
    }
}
