//! Direct connections: messages come from their SMP servers by themselves, without token and push.
//!
//! In [`Mode::Direct`] the client subscribes to its queues with SUB, over one connection
//! to each server, and holds these connections as cheaply as the network allows. One file per concern:
//! `watch` has the subscription of each queue, `rounds` asks silent servers for a sign of life, all in the
//! same wake-up, `learner` knows how long a network keeps a silent connection, `usage` counts what
//! it costs. This file has what the operating system and the user say: [`Circumstance`].
//!
//! **When a message comes.** While a connection stands, at once. A connection that was lost unnoticed is
//! noticed within the interval of pings and 20 seconds, or sooner by TCP's own questions; where the network is there, the
//! next one stands within the longest pause between attempts and the time a connection takes. That sum is
//! [`Client::lateness_max`]; nothing is lost meanwhile, as the server keeps what is not acknowledged.
//!
//! **One or the other.** A server forbids SUB and GET of one queue over one connection (`smp-transport` 5.3),
//! so every change of this mode opens the connections to SMP servers anew, and while it lasts there is no GET:
//! what [`Command::FetchAll`](super::input::Command::FetchAll) asks for is there already.

mod learner;
mod plan;
mod rounds;
mod usage;
mod watch;

pub use plan::{DirectPlan, Pace};
pub use usage::Usage;

pub(super) use learner::{Bracket, Learner};
pub(super) use rounds::Rounds;
pub(super) use usage::{Cause, Counting};

use crate::base::time::Now;
use crate::client::Client;
use crate::client::mode::Mode;
use crate::client::on_timer::Timer;
use crate::link::engine::Inbox;
use crate::link::keepalive::probes_last;
use alloc::vec::Vec;
use core::time::Duration;

/// Names a network, for the application: a hash of what its system calls it. Never sent to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkId(pub u64);

/// What the operating system or the user says that matters to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Circumstance {
    /// The device is on this network: what was learned of it counts, and connections are opened anew. An
    /// application that cannot name networks gives
    /// [`Command::NetworkChanged`](super::input::Command::NetworkChanged); then each is learned anew.
    Network(NetworkId),
    /// There is no network: held connections are closed, and nothing is tried until one is there again.
    NetworkLost,
    /// The system lets timers fire seldom from here on: connections are looked after as seldom.
    DozeOn,
    /// It lets them fire when they are due.
    DozeOff,
    /// A person looks: what waits is tried at once, and every server is asked for a sign of life.
    Foreground,
    /// Nobody looks any more.
    Background,
    /// The device has started: nothing is known of its network, and everything begins anew.
    Boot,
    /// The user switches direct connections off. Kept in the exported state.
    Disable,
    /// The user switches them on again.
    Enable,
}

/// The subscription to a queue's messages, for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectState {
    /// Messages come by themselves.
    On,
    /// The connection is lost; the client sees to another one.
    Lost,
    /// Another connection has taken the subscription: another device with the same state, as a rule. The
    /// client takes it back with the next connection, or when somebody looks.
    TakenOver,
    /// The server has not got the queue any more, or does not give its messages out. Create another one.
    Gone,
}

/// Where the device is, as far as it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// On this network, or on one without a name.
    There(Option<NetworkId>),
    /// On none.
    Lost,
}

/// Everything about direct connections but the queues.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) is_enabled: bool,
    network: Network,
    is_dozing: bool,
    /// What is known of networks, the one used last at the end.
    learners: Vec<(Option<NetworkId>, Learner)>,
    rounds: Rounds,
    pub(super) counting: Counting,
}

impl Direct {
    pub(super) fn new() -> Self {
        Self {
            is_enabled: true,
            network: Network::There(None),
            is_dozing: false,
            learners: Vec::new(),
            rounds: Rounds::default(),
            counting: Counting::default(),
        }
    }

    /// The name of the present network, if it has one.
    const fn name(&self) -> Option<NetworkId> {
        match self.network {
            Network::There(name) => name,
            Network::Lost => None,
        }
    }

    /// What is known of the present network.
    fn known(&self, plan: &DirectPlan) -> Learner {
        let name = self.name();
        let known = self.learners.iter().find(|(known, _)| *known == name);
        known.map_or_else(|| Learner::new(plan), |(_, learner)| *learner)
    }

    /// As [`known`](Self::known), to change it.
    fn learner(&mut self, plan: &DirectPlan) -> &mut Learner {
        let name = self.name();
        if self.learners.last().is_none_or(|(last, _)| *last != name) {
            let known = self.learners.iter().position(|(known, _)| *known == name);
            let entry = match known {
                Some(at) => self.learners.remove(at),
                None => (name, Learner::new(plan)),
            };
            self.learn(plan, entry);
        }
        let (_, learner) = self.learners.last_mut().expect("one was entered above");
        learner
    }

    /// Enters what is known of a network, as the latest one.
    fn learn(&mut self, plan: &DirectPlan, entry: (Option<NetworkId>, Learner)) {
        if self.learners.len() >= plan.networks_max.max(1) {
            self.learners.remove(0);
        }
        self.learners.push(entry);
    }

    /// As [`learn`](Self::learn), for what an exported state says.
    pub(super) fn restore(&mut self, plan: &DirectPlan, network: NetworkId, brackets: [Bracket; 2]) {
        let within = |bracket: Bracket| {
            Bracket::new(bracket.survived.clamp(plan.interval_min, plan.interval_max * 2), bracket.dropped)
        };
        let [silent, probed] = brackets.map(within);
        self.learn(plan, (Some(network), Learner::restore(silent, probed)));
    }

    /// What is known of networks with names: of silence, and of silence but for TCP's questions.
    pub(super) fn networks(&self) -> impl Iterator<Item = (NetworkId, [Bracket; 2])> + Clone + use<'_> {
        self.learners.iter().filter_map(|(name, learner)| {
            let (silent, probed) = learner.known();
            Some(((*name)?, [silent, probed]))
        })
    }

    fn on_network(&mut self, network: Network) {
        self.network = network;
        if network == Network::There(None) {
            // It may be any.
            self.learners.retain(|(name, _)| name.is_some());
        }
    }
}

impl Client {
    /// What connections have cost since the start, in every mode.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.direct.counting.total(self.servers.probes(self.latest.mono))
    }

    /// What they cost in the last whole hour; in the first one, so far.
    #[must_use]
    pub fn usage_by_the_hour(&self, now: Now) -> Usage {
        self.direct.counting.by_the_hour(now.mono)
    }

    /// After how much silence servers are asked for a sign of life.
    #[must_use]
    pub fn direct_interval(&self) -> Duration {
        let plan = &self.config.direct;
        let base = match plan.pace {
            Pace::Learned => self.direct.known(plan).interval(plan),
            Pace::Fixed(interval) => interval,
        };
        if self.direct.is_dozing { base.max(plan.doze_interval) } else { base }
    }

    /// After how much silence TCP asks on connections, by [`Probe`](super::effect::Probe); `None` where it does not.
    #[must_use]
    pub fn direct_probes(&self) -> Option<Duration> {
        let plan = &self.config.direct;
        match plan.pace {
            Pace::Learned if !self.direct.is_dozing => self.direct.known(plan).probes(plan),
            Pace::Learned | Pace::Fixed(_) => None,
        }
    }

    /// Sets [`DirectPlan::tcp_asks`]: for an adapter that is given a client and performs
    /// [`Probe`](super::effect::Probe).
    pub const fn let_tcp_ask(&mut self) {
        self.config.direct.tcp_asks = true;
    }

    /// How late a message may be, at most, from when its server can be reached: the time until a lost connection is
    /// noticed, the longest pause between attempts with what sharing wake-ups adds, and the time that a connection
    /// takes.
    ///
    /// A loss is noticed by TCP's questions or by pings, whichever is sooner. Where something on the way answers the
    /// former in the server's stead, pings alone count, and the bound is later by
    /// [`direct_interval`](Self::direct_interval).
    #[must_use]
    pub fn lateness_max(&self) -> Duration {
        let smp = &self.config.smp;
        let by_pings = self.direct_interval() + smp.keepalive.answer_timeout;
        let by_probes = self.direct_probes().map(|after| after + probes_last());
        let noticed = by_probes.map_or(by_pings, |by_probes| by_probes.min(by_pings));
        noticed + smp.backoff.max * 5 / 4 + smp.connect_timeout
    }

    /// Whether messages are to come by themselves.
    pub(super) fn is_direct(&self) -> bool {
        self.mode == Mode::Direct && self.direct.is_enabled
    }

    /// Whether the device is known to be on no network.
    pub(super) fn is_network_lost(&self) -> bool {
        self.direct.network == Network::Lost
    }

    pub(super) fn on_circumstance(&mut self, now: Now, circumstance: Circumstance) {
        match circumstance {
            Circumstance::Network(network) => self.on_network(now, Some(network)),
            Circumstance::NetworkLost => self.on_network_lost(now),
            Circumstance::DozeOn => self.direct.is_dozing = true,
            Circumstance::DozeOff => {
                self.direct.is_dozing = false;
                self.look_after_all(now);
            }
            Circumstance::Foreground => {
                self.direct.is_dozing = false;
                self.look_after_all(now);
            }
            Circumstance::Background => {}
            Circumstance::Boot => {
                self.direct.is_dozing = false;
                self.on_network(now, None);
            }
            Circumstance::Disable if self.direct.is_enabled => {
                self.direct.is_enabled = false;
                if self.mode == Mode::Direct {
                    self.end_direct(now);
                }
            }
            Circumstance::Enable if !self.direct.is_enabled => {
                self.direct.is_enabled = true;
                if self.mode == Mode::Direct {
                    self.begin_direct(now);
                }
            }
            Circumstance::Disable | Circumstance::Enable => {}
        }
        self.plan_round(now);
    }

    /// The device is on another network, or on one again.
    pub(super) fn on_network(&mut self, now: Now, name: Option<NetworkId>) {
        self.drop_scout();
        self.direct.on_network(Network::There(name));
        self.direct.rounds = Rounds::default();
        self.on_network_changed(now);
        self.want_all(now);
    }

    fn on_network_lost(&mut self, now: Now) {
        self.direct.on_network(Network::Lost);
        self.drop_scout();
        self.direct.rounds = Rounds::default();
        let held: Vec<_> = self.servers.held().map(|(index, _)| index).collect();
        for index in held {
            self.servers.release(index);
            self.read(now, index, Inbox::default());
        }
    }

    /// Tries what waits, and asks every server that was silent for a while.
    fn look_after_all(&mut self, now: Now) {
        if !self.is_direct() || self.is_network_lost() {
            return;
        }
        let waiting = self.servers.held().filter(|(_, server)| !server.engine.is_ready());
        for index in waiting.map(|(index, _)| index).collect::<Vec<_>>() {
            self.servers.redial(now, index);
            self.read(now, index, Inbox::default());
        }
        self.want_all(now);
        self.begin_round(now, GLANCE);
    }

    /// Messages are to come by themselves from here on.
    pub(super) fn begin_direct(&mut self, now: Now) {
        for id in self.live_queues() {
            self.line.remove(id);
            self.timers.cancel(&Timer::Fetch(id));
        }
        self.reopen_smp(now);
        self.want_all(now);
    }

    /// They are not any more. What came last is fetched, as its notice was never made.
    pub(super) fn end_direct(&mut self, now: Now) {
        self.drop_scout();
        self.direct.rounds = Rounds::default();
        self.timers.cancel(&Timer::Round);
        self.unwatch_all();
        let held: Vec<_> = self.servers.held().map(|(index, _)| index).collect();
        for index in held {
            self.servers.let_go(index);
        }
        self.reopen_smp(now);
        if self.mode != Mode::Off {
            self.fetch_all(now);
        }
    }

    /// Gives up every connection to an SMP server; what waits opens another one.
    fn reopen_smp(&mut self, now: Now) {
        for index in self.servers.wanted_smp() {
            self.servers.redial(now, index);
            self.read(now, index, Inbox::default());
        }
    }
}

/// Silence that a person who looks does not trust. Source: ours; a ping each time an app is opened is little.
const GLANCE: Duration = Duration::from_secs(10);
