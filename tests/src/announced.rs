//! A device with many queues, and a push that announces a message in one of them: what a notification extension is
//! started with. For the test and the bench of its step.

#![allow(
    clippy::missing_panics_doc,
    clippy::wildcard_enum_match_arm,
    reason = "a helper of tests fails by panicking"
)]

use std::time::Duration;

use ntf_core::Now;
use ntf_core::base::rng::Seed;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::push_step::{PushOutcome, StepEffect};
use ntf_core::client::{self, Mode, PushStep};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::link::event::LinkAction;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::sim::sight::Sight;
use ntf_core::sim::{Config, World};
use ntf_core::{Machine as _, Step, push, smp, subscriber};

/// Made for tests, protects nothing.
const KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGvKODR3TbfWaia0m
uwzkeexYF8FfnRc1De80NaAqn9ChRANCAAR82UAoO5t2YG8LNCwRr5LLcTP0C5sy
CZSbP9lxWL//XptWw7CB1h5p1uomBdvyC2RWFdMlrV8/rMRlRpAVjlKY
-----END PRIVATE KEY-----
";

const TOKEN: &[u8] = b"aa01";

/// SMP servers that the queues lie on.
const SERVERS: usize = 10;

/// What an extension gets.
#[derive(Clone, Debug)]
pub struct Announced {
    /// The part of the state that it gets.
    pub state: Vec<u8>,
    /// The push, as the provider delivers it.
    pub push: Vec<u8>,
    /// When it comes.
    pub now: Now,
}

impl Announced {
    /// A device with so many queues, registered and subscribed, and the push for a message in its first queue.
    #[must_use]
    pub fn with(queues: usize) -> Self {
        let mut world = World::new(Seed::from_number(1), Config::default());
        let servers: Vec<_> = (0..SERVERS)
            .map(|number| world.add_smp(&format!("smp{number}.test"), smp::server::Config::new).1)
            .collect();
        let provider = world.add_provider();
        let key = Es256Key::from_pkcs8_pem(KEY_PEM).expect("the key above");
        let push_server = world.add_push(
            provider,
            push::Config {
                key: Some(key),
                key_id: "KEYSHARED1".into(),
                allow_test_provider: true,
                ..push::Config::default()
            },
        );
        let (_, address) = world.add_subscriber("ntf.test", push_server, |credentials| subscriber::Config {
            allow_test_provider: true,
            ..subscriber::Config::new(credentials)
        });
        let device = world.add_client(client::Config::default());
        let sender = world.add_client(client::Config::default());
        world.install(provider, TOKEN, device);
        world.command(device, Command::SetSubscribers { servers: vec![address] });
        let token = DeviceToken { provider: Provider::ApnsTest, token: TOKEN.into() };
        world.command(device, Command::RegisterWithAny { device: token, mode: Mode::Instant });
        for (number, server) in (0..).zip(servers.iter().cycle()).take(queues) {
            let (tag, server) = (RequestTag(number), server.clone());
            world.command(device, Command::CreateQueue { tag, server });
        }
        world.run_for(Duration::from_secs(120));
        let created = world.take_events(device).into_iter().find_map(|(_, event)| match event {
            Event::QueueCreated { address, .. } => Some(address),
            _ => None,
        });
        let state = world.client(device).expect("it is there").export_for_pushes().to_vec();
        world.watch();
        let to = created.expect("a queue was created");
        world.command(sender, Command::Send { tag: RequestTag(0), to, message: b"a message".to_vec() });
        world.run_for(Duration::from_secs(30));
        let push = world.take_sights().into_iter().find_map(|(_, sight)| match sight {
            Sight::Requested { body, .. } => Some(body),
            _ => None,
        });
        Self { state, push: push.expect("the message was announced"), now: world.now() }
    }

    /// Opens the push, or another one, up to the first thing that the step wants.
    #[must_use]
    pub fn open(&self, push: &[u8]) -> Opened {
        let (config, seed) = (client::Config::default(), Seed::from_number(1));
        let mut step = PushStep::new(config, seed, self.now, &self.state, push, 8).expect("our own state");
        match step.poll() {
            Step::Do(StepEffect::Link(LinkAction::Connect { .. })) => Opened::Fetches,
            Step::Do(StepEffect::Done(outcome)) => Opened::Over(outcome),
            other => unreachable!("a step begins with a connection or ends: {other:?}"),
        }
    }
}

/// What a step does with a push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It names a queue of ours: a connection is asked for.
    Fetches,
    /// There is nothing to fetch.
    Over(PushOutcome),
}
