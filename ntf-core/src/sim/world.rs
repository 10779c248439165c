//! Virtual time and an in-memory network for any number of machines.
//!
//! [`World`] drives real machines the way an adapter does: it hands in link events, performs link actions,
//! carries pushes to a simulated provider and from there to devices. There is no TLS: where TLS would
//! give both ends a session id and the opener the peer's certificates, the world does. Everything that
//! is random here comes from one seed, so a run can be repeated from it; [`World::trace_hash`] tells
//! whether two runs were the same.

use crate::base::rng::{Rng, Seed, Stream};
use crate::base::source::Source;
use crate::base::time::{Mono, Now, Wall};
use crate::client::effect::Event;
use crate::client::input::Command;
use crate::crypto::cert::ServerCredentials;
use crate::link::event::LinkAction;
use crate::model::server::{Protocol, ServerAddress};
use crate::push::{self, Push};
use crate::sim::carry::Mail;
use crate::sim::identity::server_credentials;
use crate::sim::net::{Latency, Net};
use crate::sim::node::{Given, Node, Role, SHARD_LATENCY};
use crate::sim::passing::Passing;
use crate::sim::provider::{Provider, Reply};
use crate::sim::sight::{self, Sight};
use crate::sim::stranger::{Heard, Reading, Stranger};
use crate::sim::trace::{Line, Trace, TraceHash};
use crate::smp::server::{self as smp, Server};
use crate::subscriber;
use crate::subscriber::effect::Milestone;
use crate::subscriber::shard::Shards;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};
use core::num::NonZeroU8;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How the world behaves.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// One way between two nodes; a connection takes two of these until it is up.
    pub link_latency: Latency,
    /// Subscriber to push server and back; they may be one process.
    pub order_latency: Latency,
    /// Push server to provider and back.
    pub provider_latency: Latency,
    /// Provider to device.
    pub delivery_latency: Latency,
    /// Shards of each subscriber. Their number must not change what devices see.
    pub shards: NonZeroU8,
    /// The date at the start of the run.
    pub epoch: Wall,
}

impl Default for Config {
    /// 20 to 60 ms between nodes, 1 ms within a process, a provider at 50 to 150 ms, devices at 100 to
    /// 300 ms. Source: ours; the order of magnitude of today's Internet.
    fn default() -> Self {
        let millis = |min, max| Latency { min: Duration::from_millis(min), max: Duration::from_millis(max) };
        Self {
            link_latency: millis(20, 60),
            order_latency: millis(1, 1),
            provider_latency: millis(50, 150),
            delivery_latency: millis(100, 300),
            shards: NonZeroU8::MIN,
            epoch: Wall::from_secs(1_700_000_000),
        }
    }
}

/// A machine of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub(super) u32);

impl NodeId {
    pub(super) fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Where its connections come from: each node has an address of its own.
    pub(super) fn address(self) -> Source {
        Source::new(IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000_u32.saturating_add(self.0))))
    }
}

/// Machines, their links, and what is on its way between them.
pub struct World {
    pub(super) config: Config,
    pub(super) seed: Seed,
    pub(super) rng: Rng,
    pub(super) now: Mono,
    pub(super) nodes: Vec<Node>,
    pub(super) wakes: BTreeSet<(Mono, NodeId)>,
    pub(super) mail: BTreeMap<(Mono, u64), Mail>,
    pub(super) posted: u64,
    pub(super) net: Net,
    pub(super) directory: BTreeMap<Box<str>, NodeId>,
    pub(super) trace: Trace,
    pub(super) violations: Vec<String>,
    pub(super) ticks_in_place: u32,
    /// The node that was given something last.
    pub(super) touched: Option<NodeId>,
    /// Pairs of nodes between which nothing passes, the lower one first.
    pub(super) blocked: BTreeSet<(NodeId, NodeId)>,
    /// What waits for a pair to be healed, with the number it was posted under, in the order it was sent.
    pub(super) held: Vec<((NodeId, NodeId), u64, Mail)>,
    /// What pairs of nodes add to the latency between them, the lower one first.
    pub(super) lags: BTreeMap<(NodeId, NodeId), Duration>,
    /// What a watcher has yet to take; nothing is kept while nobody watches.
    sights: Option<Vec<(Mono, Sight)>>,
    /// What passed between nodes and nobody has taken yet; nothing is kept while nobody listens.
    pub(super) passings: Option<Vec<Passing>>,
    seeds_given: u64,
}

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: Seed, config: Config) -> Self {
        Self {
            config,
            rng: seed.stream(Stream::World),
            seed,
            now: Mono::ZERO,
            nodes: Vec::new(),
            wakes: BTreeSet::new(),
            mail: BTreeMap::new(),
            posted: 0,
            net: Net::default(),
            directory: BTreeMap::new(),
            trace: Trace::default(),
            violations: Vec::new(),
            ticks_in_place: 0,
            touched: None,
            blocked: BTreeSet::new(),
            held: Vec::new(),
            lags: BTreeMap::new(),
            sights: None,
            passings: None,
            seeds_given: 0,
        }
    }

    /// Certificates for a server of this world.
    #[must_use]
    pub fn credentials(&mut self) -> ServerCredentials {
        server_credentials(&mut self.rng)
    }

    /// Adds an SMP server under the host name `host`.
    pub fn add_smp(
        &mut self,
        host: &str,
        config: impl FnOnce(ServerCredentials) -> smp::Config,
    ) -> (NodeId, ServerAddress) {
        let credentials = self.credentials();
        let machine = Server::new(config(credentials.clone()), self.fresh_seed(), self.now());
        let node = self.add(Role::Smp(Box::new(machine)), Some(credentials));
        (node, self.list(host, node))
    }

    /// Adds a provider that knows no device.
    pub fn add_provider(&mut self) -> NodeId {
        self.add(Role::Provider { machine: Box::new(Provider::new()), owners: BTreeMap::new() }, None)
    }

    /// Adds a push server in front of `provider`.
    pub fn add_push(&mut self, provider: NodeId, config: push::Config) -> NodeId {
        let machine = Box::new(Push::new(config.clone(), self.fresh_seed(), self.now()));
        self.add(Role::Push { machine, config: Box::new(config), provider, subscriber: None }, None)
    }

    /// Adds a subscriber under the host name `host`, in front of `push`, which serves it alone.
    pub fn add_subscriber(
        &mut self,
        host: &str,
        push: NodeId,
        config: impl FnOnce(ServerCredentials) -> subscriber::Config,
    ) -> (NodeId, ServerAddress) {
        let credentials = self.credentials();
        let config = Box::new(config(credentials.clone()));
        let shards = self.config.shards;
        let machine = Box::new(Shards::new(&config, shards, SHARD_LATENCY, &self.fresh_seed(), self.now()));
        let role = Role::Subscriber { machine, shards, config, push, milestones: Vec::new() };
        let node = self.add(role, Some(credentials));
        if let Some(Node { role: Role::Push { subscriber, .. }, .. }) = self.nodes.get_mut(push.index()) {
            *subscriber = Some(node);
        }
        (node, self.list(host, node))
    }

    /// Adds a peer that is played by hand: [`act`](Self::act) and [`take_heard`](Self::take_heard).
    pub fn add_stranger(&mut self) -> NodeId {
        self.add(Role::Stranger(Box::new(Stranger::new(None))), None)
    }

    /// Adds one that is reached under the host name `host`, speaking `protocol`.
    pub fn add_strange_server(&mut self, host: &str, protocol: Protocol) -> (NodeId, ServerAddress) {
        let credentials = self.credentials();
        let role = Role::Stranger(Box::new(Stranger::new(Some(protocol))));
        let node = self.add(role, Some(credentials));
        (node, self.list(host, node))
    }

    /// Gives a node private addresses, as if its host names resolved to them.
    pub fn move_inside(&mut self, node: NodeId) {
        if let Some(entry) = self.nodes.get_mut(node.index()) {
            entry.is_inside = true;
        }
    }

    /// Lets a stranger do something to a link. A new one is named with [`LinkId::opened`].
    ///
    /// [`LinkId::opened`]: crate::base::id::LinkId::opened
    pub fn act(&mut self, stranger: NodeId, action: LinkAction) {
        self.give(stranger, "act", &[], Given::Act(action));
    }

    /// Lets a stranger read what is sent to it from here on, or stop reading.
    pub fn set_reading(&mut self, stranger: NodeId, reading: Reading) {
        if let Some(Node { role: Role::Stranger(machine), .. }) = self.nodes.get_mut(stranger.index()) {
            machine.set_reading(reading);
        }
    }

    /// What a stranger heard and nobody took yet.
    #[must_use]
    pub fn heard(&self, stranger: NodeId) -> &[Heard] {
        match self.nodes.get(stranger.index()).map(|node| &node.role) {
            Some(Role::Stranger(machine)) => machine.heard(),
            Some(_) | None => &[],
        }
    }

    /// Takes what a stranger heard since the last call.
    pub fn take_heard(&mut self, stranger: NodeId) -> Vec<Heard> {
        match self.nodes.get_mut(stranger.index()).map(|node| &mut node.role) {
            Some(Role::Stranger(machine)) => machine.take_heard(),
            Some(_) | None => Vec::new(),
        }
    }

    /// Gives a device a token of this provider.
    pub fn install(&mut self, provider: NodeId, token: &[u8], client: NodeId) {
        if let Some(Node { role: Role::Provider { owners, .. }, .. }) = self.nodes.get_mut(provider.index()) {
            owners.insert(token.into(), client);
        }
        self.give(provider, "install", &[], Given::Install(token));
    }

    /// Removes the app: the provider answers pushes to this token with 410 from here on.
    pub fn uninstall(&mut self, provider: NodeId, token: &[u8]) {
        self.give(provider, "uninstall", &[], Given::Uninstall(token));
    }

    /// Makes the provider answer its next request in this way.
    pub fn script(&mut self, provider: NodeId, reply: Reply) {
        self.give(provider, "script", &[], Given::Script(reply));
    }

    /// Lets a device's application ask for something.
    pub fn command(&mut self, client: NodeId, command: Command) {
        self.give(client, "command", &[], Given::Command(command));
    }

    /// Hands a push to a device, past the provider: replays, forgeries, and pushes of other worlds.
    pub fn push(&mut self, client: NodeId, body: &[u8]) {
        self.give(client, "push", body, Given::Pushed(body));
    }

    /// Lets a server ask those who connect for certificates from here on, or stop asking.
    pub fn set_asking_clients(&mut self, node: NodeId, asks_clients: bool) {
        if let Some(entry) = self.nodes.get_mut(node.index()) {
            entry.asks_clients = asks_clients;
        }
    }

    /// Stops a machine for good.
    pub fn stop(&mut self, node: NodeId) {
        self.give(node, "stop", &[], Given::Stop);
    }

    /// The time of the world.
    #[must_use]
    pub const fn now(&self) -> Now {
        let millis = self.config.epoch.as_millis().saturating_add(self.now.as_micros() / 1000);
        Now { mono: self.now, wall: Wall::from_millis(millis) }
    }

    /// The time as a node sees it: timers agree everywhere, calendars need not.
    pub(super) fn now_of(&self, node: NodeId) -> Now {
        let Now { mono, wall } = self.now();
        let off_by = self.nodes.get(node.index()).map_or(0, |entry| entry.calendar_off_by);
        Now { mono, wall: Wall::from_millis(wall.as_millis().saturating_add_signed(off_by)) }
    }

    /// Keeps what happens from here on for [`take_sights`](Self::take_sights). Events of devices and
    /// milestones of subscribers are then found there, and nowhere else.
    pub fn watch(&mut self) {
        self.sights.get_or_insert_default();
    }

    /// What happened since the last call, in order. Empty unless the world is [watched](Self::watch).
    pub fn take_sights(&mut self) -> Vec<(Mono, Sight)> {
        self.sights.as_mut().map(core::mem::take).unwrap_or_default()
    }

    pub(super) fn saw(&mut self, sight: impl FnOnce() -> Sight) {
        if let Some(sights) = &mut self.sights {
            sights.push((self.now, sight()));
        }
    }

    /// Hands what a device told its application, or a subscriber reported, to the watcher.
    pub(super) fn show(&mut self, node: NodeId) {
        let (Some(sights), Some(entry)) = (&mut self.sights, self.nodes.get_mut(node.index())) else {
            return;
        };
        match &mut entry.role {
            Role::Client { events, .. } => {
                for (at, event) in events.iter() {
                    self.trace.tell(*at, node, || sight::words_of(event));
                }
                sights.extend(events.drain(..).map(|(at, event)| (at, Sight::Told { device: node, event })));
            }
            Role::Subscriber { milestones, .. } => milestones.clear(),
            Role::Smp(_) | Role::Push { .. } | Role::Relay(_) | Role::Provider { .. } | Role::Stranger(_) => {
            }
        }
    }

    /// When something happens next, if nobody interferes.
    #[must_use]
    pub fn next_at(&self) -> Option<Mono> {
        let mail = self.mail.first_key_value().map(|((at, _), _)| *at);
        let wake = self.wakes.first().map(|(at, _)| *at);
        match (mail, wake) {
            (Some(mail), Some(wake)) => Some(mail.min(wake)),
            (mail, wake) => mail.or(wake),
        }
    }

    /// Lets time go on until then, with everything that happens on the way.
    pub fn run_until(&mut self, until: Mono) {
        while self.next_at().is_some_and(|at| at <= until) {
            self.step();
        }
        self.now = self.now.max(until);
    }

    /// Lets the time come with nothing happening on the way; what was due by then is late.
    pub(super) fn wait_until(&mut self, until: Mono) {
        self.now = self.now.max(until);
    }

    /// Gives a node a name of its own.
    pub fn call(&mut self, node: NodeId, alias: &'static str) {
        if let Some(entry) = self.nodes.get_mut(node.index()) {
            entry.alias = Some(alias);
        }
    }

    /// What people call a node: its role and its number among its kind, from 1.
    #[must_use]
    pub fn name(&self, node: NodeId) -> String {
        let kind = |node: &Node| match node.role {
            _ if node.alias.is_some() => node.alias.unwrap_or_default(),
            Role::Smp(_) => "smp",
            Role::Subscriber { .. } => "subscriber",
            Role::Push { .. } => "push",
            Role::Relay(_) => "relay",
            Role::Provider { .. } => "provider",
            Role::Client { .. } => "device",
            Role::Stranger(_) => "stranger",
        };
        let Some(what) = self.nodes.get(node.index()).map(kind) else { return "nobody".into() };
        let number = self.nodes.iter().take(node.index() + 1).filter(|other| kind(other) == what).count();
        format!("{what} {number}")
    }

    /// Runs everything that happens within the next `span`.
    pub fn run_for(&mut self, span: Duration) {
        self.run_until(self.now + span);
    }

    /// Runs until `is_done` says so, for `limit` at most. Whether it said so.
    pub fn run_while(&mut self, limit: Duration, mut is_done: impl FnMut(&Self) -> bool) -> bool {
        let until = self.now + limit;
        while !is_done(self) {
            if self.next_at().is_none_or(|at| at > until) {
                self.now = until;
                return is_done(self);
            }
            self.step();
        }
        true
    }

    /// What a device's application was told, and when.
    #[must_use]
    pub fn events(&self, client: NodeId) -> &[(Mono, Event)] {
        match self.nodes.get(client.index()).map(|node| &node.role) {
            Some(Role::Client { events, .. }) => events,
            Some(_) | None => &[],
        }
    }

    /// Takes what a device's application was told.
    pub fn take_events(&mut self, client: NodeId) -> Vec<(Mono, Event)> {
        match self.nodes.get_mut(client.index()).map(|node| &mut node.role) {
            Some(Role::Client { events, .. }) => core::mem::take(events),
            Some(_) | None => Vec::new(),
        }
    }

    /// An SMP server's machine.
    #[must_use]
    pub fn smp(&self, node: NodeId) -> Option<&Server> {
        match &self.nodes.get(node.index())?.role {
            Role::Smp(machine) => Some(machine),
            Role::Client { .. }
            | Role::Subscriber { .. }
            | Role::Push { .. }
            | Role::Relay(_)
            | Role::Provider { .. }
            | Role::Stranger(_) => None,
        }
    }

    /// A subscriber's machine.
    #[must_use]
    pub fn subscriber(&self, node: NodeId) -> Option<&Shards> {
        match &self.nodes.get(node.index())?.role {
            Role::Subscriber { machine, .. } => Some(machine),
            Role::Client { .. }
            | Role::Smp(_)
            | Role::Push { .. }
            | Role::Relay(_)
            | Role::Provider { .. }
            | Role::Stranger(_) => None,
        }
    }

    /// The steps a subscriber reported, and when.
    #[must_use]
    pub fn milestones(&self, node: NodeId) -> &[(Mono, Milestone)] {
        match self.nodes.get(node.index()).map(|node| &node.role) {
            Some(Role::Subscriber { milestones, .. }) => milestones,
            Some(_) | None => &[],
        }
    }

    /// A push server's machine.
    #[must_use]
    pub fn push_server(&self, node: NodeId) -> Option<&Push> {
        match &self.nodes.get(node.index())?.role {
            Role::Push { machine, .. } => Some(machine),
            Role::Client { .. }
            | Role::Smp(_)
            | Role::Subscriber { .. }
            | Role::Relay(_)
            | Role::Provider { .. }
            | Role::Stranger(_) => None,
        }
    }

    /// The provider.
    #[must_use]
    pub fn provider(&self, node: NodeId) -> Option<&Provider> {
        match &self.nodes.get(node.index())?.role {
            Role::Provider { machine, .. } => Some(machine),
            Role::Client { .. }
            | Role::Smp(_)
            | Role::Subscriber { .. }
            | Role::Push { .. }
            | Role::Relay(_)
            | Role::Stranger(_) => None,
        }
    }

    /// Links that are not down at both ends.
    #[must_use]
    pub fn links(&self) -> usize {
        self.net.len()
    }

    /// Things on their way that have not arrived.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.mail.len()
    }

    /// Laws of the machine contract that were broken, in words. Empty in a good run.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// Takes the laws that were broken since the last call.
    pub(super) fn take_violations(&mut self) -> Vec<String> {
        core::mem::take(&mut self.violations)
    }

    /// Keeps the last so many lines of what happens from here on.
    pub const fn keep_lines(&mut self, most: usize) {
        self.trace.keep_lines(most);
    }

    /// Adds a line of the watcher's own.
    pub(super) fn tell(&mut self, node: NodeId, what: impl FnOnce() -> String) {
        self.trace.tell(self.now, node, what);
    }

    /// The lines that were kept, oldest first. The last one is what happened last.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.trace.lines().iter()
    }

    /// Takes the node that was given something last.
    pub(super) const fn take_touched(&mut self) -> Option<NodeId> {
        self.touched.take()
    }

    /// The fingerprint of the run so far.
    #[must_use]
    pub fn trace_hash(&self) -> TraceHash {
        self.trace.hash()
    }

    /// Steps of the run so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.trace.steps()
    }

    pub(super) fn add(&mut self, role: Role, credentials: Option<ServerCredentials>) -> NodeId {
        let node = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        // SMP servers do, as a rule (`smp-transport` 2.7), and push servers always.
        let asks_clients = matches!(role, Role::Smp(_) | Role::Relay(_));
        self.nodes.push(Node::new(role, credentials, asks_clients));
        self.drain(node);
        node
    }

    pub(super) fn list(&mut self, host: &str, node: NodeId) -> ServerAddress {
        self.directory.insert(host.into(), node);
        let identity = self
            .nodes
            .get(node.index())
            .and_then(|node| node.credentials.as_ref()?.identity().ok())
            .expect("only nodes with a chain of two certificates are listed");
        ServerAddress { hosts: vec![host.into()], port: "".into(), identity }
    }

    /// A seed of its own for each machine, so that adding one leaves the keys of the others alone.
    pub(super) fn fresh_seed(&mut self) -> Seed {
        let mut bytes: [u8; 32] = self.seed.stream(Stream::World).bytes();
        for (byte, number) in bytes.iter_mut().zip(self.seeds_given.to_be_bytes()) {
            *byte ^= number;
        }
        self.seeds_given += 1;
        Seed::new(crate::crypto::sha::sha256(&bytes))
    }
}
