//! A small SMP queue server: in memory, bounded, compatible with stock clients.

mod broker;
pub mod config;
mod delivery;
pub mod effect;
mod id;
mod info;
pub mod input;
mod message;
pub mod meter;
mod notifier;
mod presence;
mod queue;
mod readers;
mod store;

pub use config::Config;

use crate::base::rng::Seed;
use crate::base::time::Now;
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use alloc::vec::Vec;
use broker::Broker;
use effect::Effect;
use input::Input;
use meter::{Counters, Gauges};

/// A queue server.
#[derive(Debug)]
pub struct Server {
    config: Config,
    broker: Broker,
}

impl Server {
    /// A server without queues.
    #[must_use]
    pub fn new(config: Config, seed: Seed, _now: Now) -> Self {
        Self { broker: Broker::new(&config, &seed), config }
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.broker.counters()
    }

    /// What is held at the moment.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        unimplemented!()
    }

    /// What this server knows, as it would have to admit it.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        unimplemented!()
    }
}

impl Machine for Server {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, _now: Now, _input: Input<'_>) {
        unimplemented!()
    }

    fn poll(&mut self) -> Step<Effect> {
        unimplemented!()
    }
}
