//! A small SMP queue server: in memory, bounded, compatible with stock clients.
//!
//! It serves the demonstration, the tests and whoever wants to run a private queue server without a disk:
//! a restart forgets everything. It knows queues by their ids, holds messages that it cannot read, and
//! never sees a device token. Read `broker` for what commands do, `on_command` for how a batch becomes
//! checked commands and replies, `on_timer` for the rounds.
//!
//! Where it differs from the reference, on purpose:
//!
//! - Nothing is stored on disk, and no operator can block queues.
//! - Services are remembered in memory only. Those that receive messages get no associations: SUB and NEW
//!   name no service in the answer, SUBS is answered `SOKS 0`.
//! - There is no proxy either way: PRXY is answered `PROXY BASIC_AUTH`, PFWD
//!   `PROXY NO_SESSION`, and RFWD from other servers' proxies `CMD PROHIBITED`.
//! - LSET and LDEL are allowed in every queue mode.
//! - A link that lost a subscription and took it back before the event round is not told END.
//! - Refusals found while checking a batch come before its other replies, which come in the order of the
//!   commands, executed from the last to the first as by the reference (`smp-transport` 4.8).
//! - Notifications of one link go out in turns, one per notifier id, so that a busy queue does not hold
//!   up the others; per notifier id the oldest comes first.

mod broker;
pub mod config;
mod delivery;
pub mod effect;
mod id;
mod info;
pub mod input;
mod knowledge;
mod message;
pub mod meter;
mod notifier;
mod on_command;
mod on_link;
mod on_timer;
mod presence;
mod queue;
mod readers;
mod services;
mod store;

pub use config::Config;
pub use effect::Effect;
pub use input::Input;

use crate::base::id::LinkId;
use crate::base::outbox::Outbox;
use crate::base::rng::Seed;
use crate::base::time::{Deadline, Mono, Now};
use crate::base::timers::Timers;
use crate::machine::{Machine, Step};
use alloc::collections::BTreeMap;
use broker::Broker;
use meter::Counters;
use on_link::Connection;
use on_timer::{Cursors, Timer};

/// A queue server.
///
/// All its links are accepted ones. It must be told of [`Sent`](crate::link::event::LinkEvent::Sent)
/// blocks, or it takes every link for one that does not read.
#[derive(Debug)]
pub struct Server {
    config: Config,
    broker: Broker,
    links: BTreeMap<LinkId, Connection>,
    timers: Timers<Timer>,
    cursors: Cursors,
    outbox: Outbox<Effect>,
    latest: Mono,
    is_stopped: bool,
}

impl Server {
    /// A server without queues.
    ///
    /// Check the credentials before ([`ServerCredentials::identity`]): with wrong ones every link is
    /// closed as soon as it is up.
    ///
    /// [`ServerCredentials::identity`]: crate::crypto::cert::ServerCredentials::identity
    #[must_use]
    pub fn new(config: Config, seed: Seed, now: Now) -> Self {
        Self {
            broker: Broker::new(&config, &seed),
            config,
            links: BTreeMap::new(),
            timers: Timers::new(),
            cursors: Cursors::default(),
            outbox: Outbox::new(),
            latest: now.mono,
            is_stopped: false,
        }
    }

    /// What happened since the start.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        self.broker.counters()
    }

    fn on_stop(&mut self) {
        for link in core::mem::take(&mut self.links).into_keys() {
            self.broker.on_link_down(link);
            self.outbox.push(close(link));
        }
        self.broker.forget();
        self.timers.clear();
        self.is_stopped = true;
    }
}

impl Machine for Server {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.is_stopped {
            return;
        }
        self.latest = self.latest.max(now.mono);
        let now = Now { mono: self.latest, wall: now.wall };
        match input {
            Input::Link(event) => self.on_link(now, event),
            Input::Tick => self.on_tick(now),
            Input::Stop => return self.on_stop(),
        }
        self.send_owed(now);
        self.close_overrun();
        self.arm(now.mono);
    }

    fn poll(&mut self) -> Step<Effect> {
        match self.outbox.pop() {
            Some(effect) => Step::Do(effect),
            None => {
                let next = self.timers.next();
                Step::Idle(next.map(|(at, timer)| Deadline { at, reason: timer.reason() }))
            }
        }
    }
}

const fn close(link: LinkId) -> Effect {
    Effect::Link(crate::link::event::LinkAction::Close { link })
}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::cast_possible_truncation,
    reason = "tests"
)]
mod tests;
