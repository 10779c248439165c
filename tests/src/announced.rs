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
use ntf_core::client::input::{Command, RequestTag};
use ntf_core::client::push_step::{PushOutcome, StepEffect};
use ntf_core::client::{self, PushStep};
use ntf_core::link::event::LinkAction;
use ntf_core::sim::sight::Sight;
use ntf_core::{Machine as _, Step};

use crate::simulated::{Network, Plan};

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
        let mut network = Network::with(Plan { smp_servers: SERVERS, ..Plan::default() });
        let device = network.active_device("aa01");
        let made: Vec<_> =
            (0..queues).map(|number| network.watched_queue(&device, number % SERVERS)).collect();
        let state = network.world.client(device.node).expect("it is there").export_for_pushes().to_vec();
        network.world.watch();
        // While a world is watched, what applications are told is among the sights, so nobody waits for it here.
        let to = made.first().expect("a queue").address.clone();
        let send = Command::Send { tag: RequestTag(0), to, message: b"a message".to_vec() };
        network.world.command(network.sender, send);
        network.world.run_for(Duration::from_secs(30));
        let push = network.world.take_sights().into_iter().find_map(|(_, sight)| match sight {
            Sight::Requested { body, .. } => Some(body),
            _ => None,
        });
        Self { state, push: push.expect("the message was announced"), now: network.world.now() }
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
