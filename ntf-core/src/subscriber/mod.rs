//! The notifications subscriber: NTF server towards devices, notifier towards SMP servers.
//!
//! Devices register their token, verify it by a code that was pushed, and name the queues to watch. The
//! subscriber watches them at their SMP servers and orders a push for what comes; what the push says is
//! encrypted to the device, and what the message says is not known here at all. Everything is in memory
//! and forgotten on [`Input::Stop`]. Source: `ntf-protocol` 4.
//!
//! [`input`] and [`effect`] are its face, [`config`] and [`meters`] what it is told and what it tells.
//! `on_command` is the story of devices, `on_server` and `on_service` that of SMP servers, `on_outcome` and `on_timer` those
//! of pushes and of time; `sources` holds what is limited by source address. The tables are in [`crate::token`], [`crate::subscription`] and
//! [`crate::delivery`].

#[cfg(any(test, feature = "sim"))]
mod audit;
pub mod config;
pub mod effect;
pub mod input;
pub mod meters;
mod on_command;
mod on_device;
mod on_outcome;
mod on_place;
mod on_recognised;
mod on_server;
mod on_service;
mod on_shard;
mod on_timer;
mod order;
pub mod shard;
pub mod sources;

pub use config::{Config, SealedTokens};

use crate::base::id::{LinkId, TokenId};
use crate::base::mutant;
use crate::base::outbox::Outbox;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::secret::Secret;
use crate::base::time::{Deadline, Mono, Now};
use crate::base::timers::Timers;
use crate::crypto::names::NameKey;
use crate::delivery::orders::Delivery;
use crate::link::engine::LinkNumbers;
use crate::link::event::{LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use crate::model::index::{ServerIndex, TokenIndex};
use crate::model::knowledge::Fact;
use crate::model::shard::ShardId;
use crate::model::token::DeviceToken;
use crate::subscriber::config::{PADDED_LEN_MAX, PADDED_LEN_MIN};
use crate::subscriber::effect::Effect;
use crate::subscriber::input::Input;
use crate::subscriber::meters::{Counters, Gauges};
use crate::subscriber::on_device::DeviceLink;
use crate::subscriber::on_server::Watched;
use crate::subscriber::shard::{Claims, QueueMark, Roster, Sharding, Waits};
use crate::subscriber::sources::Sources;
use crate::subscription::table::Subscriptions;
use crate::token::registration::Makers;
use crate::token::table::Tokens;
use crate::wire::text::base64;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

#[cfg(test)]
mod tests;

/// The notifications subscriber.
#[derive(Debug)]
pub struct Subscriber {
    config: Config,
    now: Now,
    phase: Phase,
    tokens: Tokens,
    subscriptions: Subscriptions,
    delivery: Delivery,
    devices: BTreeMap<LinkId, DeviceLink>,
    /// The same links by when they were heard last.
    silent: BTreeSet<(Mono, LinkId)>,
    sources: Sources,
    servers: BTreeMap<ServerIndex, Watched>,
    /// Links to SMP servers, in use and on their way out.
    server_links: BTreeMap<LinkId, ServerIndex>,
    /// Servers with something to send; each at most once.
    busy: VecDeque<ServerIndex>,
    /// Queues that servers were asked for and have not answered.
    asked: usize,
    link_numbers: LinkNumbers,
    timers: Timers<Timer>,
    /// A registration that has ended, while it leaves subscriptions.
    ending: Option<TokenIndex>,
    outbox: Outbox<Effect>,
    counters: Counters,
    makers: Makers,
    sharding: Sharding,
    /// Of queues that fall to this shard.
    claims: Claims,
    /// Of devices that fall to this shard.
    roster: Roster,
    waits: Waits,
    /// Queues that other shards keep and that are watched no more, until they are told.
    released: Vec<(ShardId, QueueMark)>,
    nonces: Rng,
    jitter: Rng,
    /// Gives every engine a seed of its own.
    engines: Rng,
    /// From it come the certificates shown to SMP servers.
    services: Secret<32>,
}

/// Whether anything is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// Links are closed; pushes are still handed over.
    Draining,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A device has been silent, or slow with its hello.
    Device(LinkId),
    /// An engine's own deadline.
    Server(ServerIndex),
    /// A server in trouble may be asked again.
    Ask(ServerIndex),
    /// What a server refused is to be tried again.
    Failed(ServerIndex),
}

impl Subscriber {
    /// A subscriber that knows nobody.
    ///
    /// A padded length outside its range is brought into it.
    #[must_use]
    pub fn new(mut config: Config, seed: Seed, now: Now) -> Self {
        config.padded_len = config.padded_len.clamp(PADDED_LEN_MIN, PADDED_LEN_MAX);
        let mut hashing = seed.stream(Stream::Hashing);
        let sharding = config.sharding.take().unwrap_or_else(|| Sharding::alone(&seed));
        let plan = sharding.plan();
        let names = NameKey::new(plan, &mut seed.stream(Stream::Names));
        let claims = usize::try_from(config.subscriptions.subscriptions).unwrap_or(usize::MAX);
        Self {
            now,
            phase: Phase::Running,
            tokens: Tokens::new(config.tokens, &mut hashing),
            subscriptions: Subscriptions::new(config.subscriptions, &mut hashing, names),
            delivery: Delivery::new(config.delivery, &mut hashing).numbered_by(plan),
            devices: BTreeMap::new(),
            silent: BTreeSet::new(),
            sources: Sources::new(config.sources, sharding.key()),
            servers: BTreeMap::new(),
            server_links: BTreeMap::new(),
            busy: VecDeque::new(),
            asked: 0,
            link_numbers: LinkNumbers::of(plan),
            timers: Timers::new(),
            ending: None,
            outbox: Outbox::new(),
            counters: Counters::default(),
            makers: Makers {
                ids: seed.stream(Stream::Ids),
                plan,
                keys: seed.stream(Stream::Keys),
                codes: seed.stream(Stream::Codes),
            },
            sharding,
            claims: Claims::new(claims.saturating_mul(2)),
            roster: Roster::new(config.tokens),
            waits: Waits::default(),
            released: Vec::new(),
            nonces: seed.stream(Stream::Nonces),
            jitter: seed.stream(Stream::Jitter),
            engines: seed.stream(Stream::Correlation),
            services: Secret::new(seed.stream(Stream::Services).bytes()),
            config,
        }
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters { delivery: *self.delivery.counters(), ..self.counters }
    }

    /// What the tables hold now.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            links: self.devices.len(),
            sources: self.sources.len(),
            tokens: self.tokens.len(),
            subscriptions: self.subscriptions.len(),
            servers: self.subscriptions.servers_len(),
            servers_unreached: self.subscriptions.servers_unreached(),
            in_flight: self.servers.values().map(|watched| watched.engine.in_flight()).sum(),
            notices: self.delivery.held(),
            fresh: usize::try_from(self.delivery.fresh()).unwrap_or(usize::MAX),
            server_links: self.server_links.len(),
            servers_busy: self.busy.len(),
            orders_out: self.delivery.orders_out(),
            in_line: self.delivery.in_line(),
            verifications: self.delivery.verifications(),
            periodics: self.delivery.periodics(),
            devices_paced: self.delivery.devices_paced(),
            devices_elsewhere: self.tokens.devices_elsewhere(),
            claims: self.claims.len(),
            unproved: self.roster.len(),
            waits: self.waits.len(),
            effects: self.outbox.len(),
        }
    }

    /// What the subscriber would have to admit to know. Samples are shortened.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let device = self.tokens.devices().next().map(|device| shown(&device.token()));
        let notifier = self.subscriptions.iter().next();
        let notifier = notifier.and_then(|(index, _)| self.subscriptions.notifier(index));
        let notifier = notifier.map(|notifier| shortened(base64::encode(notifier)));
        let server = self.subscriptions.servers().next();
        let server =
            server.and_then(|server| server.address().hosts.first()).map(|host| host.as_ref().into());
        let devices = u64::try_from(self.tokens.devices().count()).unwrap_or(u64::MAX);
        vec![
            Fact { what: "device tokens", count: devices, sample: device },
            Fact { what: "notifier ids", count: self.subscriptions.len().into(), sample: notifier },
            Fact { what: "SMP servers", count: self.subscriptions.servers_len().into(), sample: server },
            Fact { what: "notices", count: self.counters.received.total(), sample: None },
        ]
    }

    /// Drops a registration with everything that hangs on it, here and at the engines.
    fn drop_token(&mut self, token: TokenIndex) -> Option<TokenId> {
        let owned = self.subscriptions.owned_by(token);
        for subscription in owned.into_iter().skip(usize::from(mutant::is("subscription_outlives_token"))) {
            self.counters.subscriptions.dropped.count();
            self.drop_subscription(subscription);
        }
        self.delivery.forget_token(token);
        if let Some(unproved) = self.unproved(token) {
            self.settle(unproved);
        }
        self.tokens.remove(token)
    }

    /// Whether nothing is under way any more after [`Input::Drain`]: every order has its outcome, and no notice
    /// waits for its turn. Notices that the provider has put off, or that the budget of their device holds back,
    /// are not waited for; `Stop` counts them as forgotten.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Draining => {
                self.outbox.is_empty() && self.delivery.orders_out() == 0 && self.delivery.in_line() == 0
            }
            Phase::Stopped => true,
        }
    }

    /// Closes all links, so that nothing new comes, and gives what waits for a push its turn. SMP servers keep
    /// what comes meanwhile for the next who watches. Mends defect D26 of the reference.
    fn drain(&mut self) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Draining;
        self.close_links();
        self.delivery.wind_up();
    }

    /// Closes all links, and forgets everything but the counters. Secrets are wiped as they go.
    fn stop(&mut self) {
        self.phase = Phase::Stopped;
        self.outbox.clear();
        self.close_links();
        self.delivery.clear();
        self.subscriptions.clear();
        self.tokens.clear();
        self.ending = None;
        self.sources.clear();
        self.claims.clear();
        self.roster.clear();
    }

    /// Closes all links and forgets what is about links only.
    fn close_links(&mut self) {
        let links = core::mem::take(&mut self.devices).into_keys();
        for link in links.chain(core::mem::take(&mut self.server_links).into_keys()) {
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
        }
        self.silent.clear();
        self.servers.clear();
        self.asked = 0;
        self.busy.clear();
        self.timers.clear();
        self.waits.clear();
        self.released.clear();
    }

    /// What happens while the last pushes are handed over: who connects is sent away, and what others ask for is
    /// left unanswered, as it will be in a moment.
    fn on_input_of_end(&mut self, input: Input<'_>) {
        match input {
            Input::Link(LinkEvent::Up { link, .. }) | Input::Adopt { link, .. } => {
                self.outbox.push(Effect::Link(LinkAction::Close { link }));
            }
            Input::Outcome(outcome) => self.on_outcome(outcome),
            Input::Tick => self.on_timer(),
            Input::Stop => self.stop(),
            Input::Link(_) | Input::Recognised { .. } | Input::Letter { .. } | Input::Drain => {}
        }
        self.released.clear();
    }

    fn deadline(&self) -> Option<Deadline> {
        let own = self.timers.next().map(|(at, timer)| {
            let reason = match timer {
                Timer::Device(_) => "silent device",
                Timer::Server(_) => "SMP server",
                Timer::Ask(_) => "ask an SMP server again",
                Timer::Failed(_) => "try what failed again",
            };
            (at, reason)
        });
        let rest = self.tokens.next_rest().map(|at| (at, "forget a device token"));
        let end = self.tokens.next_end().map(|at| (at, "forget a registration"));
        let source = self.sources.next_rest().map(|at| (at, "forget a source"));
        let ending = self.ending.map(|_| (self.now.mono, "drop what a registration leaves"));
        let next = [own, self.delivery.deadline(), rest, end, source, ending]
            .into_iter()
            .flatten()
            .min_by_key(|(at, _)| *at);
        next.map(|(at, reason)| Deadline { at, reason })
    }
}

impl Machine for Subscriber {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        if self.phase == Phase::Draining {
            return self.on_input_of_end(input);
        }
        match input {
            Input::Link(event) if event.link().is_accepted() => self.on_device(event),
            Input::Link(event) => self.on_server_link(event),
            Input::Outcome(outcome) => self.on_outcome(outcome),
            Input::Recognised { push, device } => self.on_recognised(push, device),
            Input::Letter { from, letter } => self.on_letter(from, letter),
            Input::Adopt { link, parcel } => self.on_adopted(link, *parcel),
            Input::Tick => self.on_timer(),
            Input::Drain => self.drain(),
            Input::Stop => self.stop(),
        }
        // What went for want of use, or with others, is free for other shards.
        self.release_all(None);
    }

    fn poll(&mut self) -> Step<Effect> {
        if let Some(effect) = self.outbox.pop() {
            return Step::Do(effect);
        }
        if self.phase == Phase::Stopped {
            return Step::Idle(None);
        }
        if let Some(action) = self.next_server_action() {
            return Step::Do(Effect::Link(action));
        }
        self.next_order();
        match self.outbox.pop() {
            Some(effect) => Step::Do(effect),
            None => Step::Idle(self.deadline()),
        }
    }
}

/// A device token as it may be shown to people who look at a demonstration.
fn shown(device: &DeviceToken) -> String {
    shortened(String::from_utf8_lossy(&device.token).into_owned())
}

fn shortened(mut text: String) -> String {
    text.truncate(text.char_indices().nth(8).map_or(text.len(), |(at, _)| at));
    text.push('…');
    text
}
