//! A scenario as it happens, step by step, under the eyes of the oracle.
//!
//! ```text
//! opening → busy → settling → probing → checking → probing again → clearing → over
//! ```
//!
//! *Opening*: devices register and make their queues, without trouble. *Busy*: the schedule. *Settling*:
//! everything is mended, and what was repaired by itself is judged. *Probing*: a message to each queue
//! shows what is watched. *Checking*: every app is opened, which must bring back what was forgotten;
//! *probing again* shows that it did. *Clearing*: everything is deleted, and nothing may be left.

use crate::base::time::Mono;
use crate::client::effect::Event;
use crate::client::input::{Command, QueueId, RequestTag};
use crate::model::server::SenderAddress;
use crate::model::token::{DeviceToken, Provider, TokenStatus};
use crate::sim::fault::Fault;
use crate::sim::laws::Laws;
use crate::sim::oracle::{EXCUSES, Excuse, Judgement, Law, Oracle, SETTLE, Violation};
use crate::sim::scenario::{Deed, Entry, Scenario};
use crate::sim::sight::{Loss, Sight};
use crate::sim::town::{self, Nodes};
use crate::sim::trace::TraceHash;
use crate::sim::world::{NodeId, World};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// A scenario as it happens.
pub struct Run {
    scenario: Scenario,
    world: World,
    nodes: Nodes,
    people: Vec<Person>,
    oracle: Oracle,
    laws: Laws,
    phase: Phase,
    /// When the phase ends.
    until: Mono,
    /// When the schedule began.
    began: Mono,
    /// The next entry of the schedule.
    next: usize,
    excuses: [u64; EXCUSES.len()],
    /// Queues that applications were told of.
    queues_told: u64,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Devices register and make their queues.
    Opening,
    /// The schedule.
    Busy,
    /// Everything is mended.
    Settling,
    /// A message to each queue.
    Probing,
    /// Every app is opened.
    Checking,
    /// A message to each queue.
    ProbingAgain,
    /// Everything is deleted.
    Clearing,
    /// Nothing more happens.
    Over,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Promises that were broken; empty in a good run.
    pub violations: Vec<Violation>,
    /// Virtual time that passed.
    pub simulated: Duration,
    /// Steps of the world.
    pub steps: u64,
    /// The fingerprint of the run.
    pub hash: TraceHash,
    /// Messages handed to the sender.
    pub sent: u64,
    /// Of those, taken by their SMP servers.
    pub taken: u64,
    /// Of those, learned by their devices.
    pub learned: u64,
    /// Messages that reached an application a second time.
    pub twice: u64,
    /// How often each excuse was needed when faults had ended.
    pub excuses: [u64; EXCUSES.len()],
}

/// A device, as its owner sees it.
struct Person {
    node: NodeId,
    /// The number of its subscriber.
    subscriber: usize,
    /// How many device tokens the provider has given it.
    tokens: u32,
    wants_pushes: bool,
    queues: BTreeMap<QueueId, SenderAddress>,
    watched: usize,
    is_active: bool,
}

/// How long the opening may take. Source: ours; a hundred of the longest latencies.
const OPENING: Duration = Duration::from_secs(120);

/// From a probe to its judgement. Source: ours; twice what is promised without trouble.
const PROBE: Duration = Duration::from_secs(60);

/// How long a link may be dead before an end notices. Source: `link::keepalive`, two minutes by default,
/// and what was sent in the last moment.
const LINK_LOSS: Duration = Duration::from_secs(200);

/// From opening every app to the moment at which everything must be back. Source: ours; nothing is wrong any
/// more, and waits that began before end within 5 minutes.
const CHECK: Duration = Duration::from_secs(10 * 60);

/// From the deletion of everything to the last look: until the other end of a link that died unnoticed has
/// been silent for too long. Source: `ntf-protocol` 4.10 (12 h, the longest), and [`SETTLE`].
const SILENCE: Duration = Duration::from_secs(13 * 3600);

impl Run {
    /// The beginning of a scenario.
    #[must_use]
    pub fn new(scenario: Scenario) -> Self {
        let (mut world, nodes) = town::build(scenario.seed, &scenario.town);
        world.watch();
        let people = nodes
            .devices
            .iter()
            .enumerate()
            .map(|(number, node)| Person {
                node: *node,
                subscriber: number % nodes.subscribers.len().max(1),
                tokens: 0,
                wants_pushes: true,
                queues: BTreeMap::new(),
                watched: 0,
                is_active: false,
            })
            .collect();
        let mut run = Self {
            laws: Laws::new(nodes.smp.len()),
            world,
            nodes,
            people,
            oracle: Oracle::default(),
            phase: Phase::Opening,
            until: Mono::ZERO + OPENING,
            began: Mono::ZERO,
            next: 0,
            excuses: [0; EXCUSES.len()],
            queues_told: 0,
            scenario,
        };
        run.open();
        run
    }

    /// Runs a scenario to its end.
    #[must_use]
    pub fn of(scenario: Scenario) -> Report {
        let mut run = Self::new(scenario);
        while run.step() {}
        run.report()
    }

    /// Runs a scenario to its end, and tells in text what was broken and the last `lines` lines before it.
    #[must_use]
    pub fn explain(scenario: Scenario, lines: usize) -> String {
        let mut run = Self::new(scenario);
        run.world.keep_lines(lines);
        while run.step() {}
        let mut text = String::new();
        for line in run.world.lines() {
            text.push_str(&line.text(&run.world.name(line.node)));
            text.push('\n');
        }
        for violation in run.oracle.violations() {
            text.push_str(&format!("{violation}\n"));
        }
        text
    }

    /// Keeps the last so many lines of what happens from here on; see [`World::lines`].
    pub const fn keep_lines(&mut self, most: usize) {
        self.world.keep_lines(most);
    }

    /// What happened last, in words; `None` unless lines are kept.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        self.world.lines().last().map(|line| line.text(&self.world.name(line.node)))
    }

    /// The scenario that is played.
    #[must_use]
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// Does the next thing: one step of the world, or one deed. Whether there was one.
    ///
    /// A run ends when its scenario is over, or with the first broken promise: what follows from it would
    /// only be noise.
    pub fn step(&mut self) -> bool {
        if self.phase == Phase::Over {
            return false;
        }
        let due = self.due();
        match self.world.next_at() {
            Some(at) if at <= due => self.world.step(),
            Some(_) | None => {
                self.world.run_until(due);
                self.act();
            }
        }
        self.observe();
        if !self.oracle.violations().is_empty() {
            self.phase = Phase::Over;
        }
        true
    }

    /// The world, to look at.
    #[must_use]
    pub const fn world(&self) -> &World {
        &self.world
    }

    /// Where the run is.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// What came of it so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let [sent, taken, learned, twice] = self.oracle.numbers();
        Report {
            violations: self.oracle.violations().to_vec(),
            simulated: self.world.now().mono.since(Mono::ZERO),
            steps: self.world.steps(),
            hash: self.world.trace_hash(),
            sent,
            taken,
            learned,
            twice,
            excuses: self.excuses,
        }
    }

    fn now(&self) -> Mono {
        self.world.now().mono
    }

    /// When the next deed or the next phase is due.
    fn due(&self) -> Mono {
        let entry = self.scenario.schedule.get(self.next).filter(|_| self.phase == Phase::Busy);
        entry.map_or(self.until, |entry| self.began + Duration::from_millis(entry.at_millis))
    }

    /// The next deed of the schedule, or the next phase.
    fn act(&mut self) {
        match self.phase {
            Phase::Opening => {
                if !self.is_open() {
                    let what = "devices are not registered, or queues not watched, in time".into();
                    self.oracle.broke(self.now(), Law::Opening, what);
                }
                self.begin_schedule();
            }
            Phase::Busy => match self.scenario.schedule.get(self.next).map(|entry| entry.deed) {
                Some(deed) => {
                    self.next += 1;
                    self.perform(deed);
                }
                None => {
                    self.world.mend();
                    self.lose_more_notices();
                    self.enter(Phase::Settling, SETTLE);
                }
            },
            Phase::Settling => {
                self.excuse_races();
                self.excuses = self.oracle.judge(self.now(), Judgement::AsItStands);
                self.probe();
                self.enter(Phase::Probing, PROBE);
            }
            Phase::Probing => {
                self.oracle.judge(self.now(), Judgement::AsItStands);
                self.check_everybody();
                self.enter(Phase::Checking, CHECK);
            }
            Phase::Checking => {
                self.end_excuses();
                self.probe();
                self.enter(Phase::ProbingAgain, PROBE);
            }
            Phase::ProbingAgain => {
                self.oracle.judge(self.now(), Judgement::AfterCheck);
                self.clear();
                self.enter(Phase::Clearing, SILENCE);
            }
            Phase::Clearing => {
                self.judge_end();
                self.phase = Phase::Over;
            }
            Phase::Over => {}
        }
    }

    fn enter(&mut self, phase: Phase, lasts: Duration) {
        self.world.tell(self.nodes.sender, || format!("*** {phase:?}"));
        self.phase = phase;
        self.until = self.now() + lasts;
    }

    fn begin_schedule(&mut self) {
        self.began = self.now();
        self.enter(Phase::Busy, Duration::from_millis(self.scenario.lasts_millis));
    }

    fn open(&mut self) {
        for number in 0..self.people.len() {
            self.give_token(number);
            self.register(number);
            let queues = self.scenario.town.devices.get(number).copied().unwrap_or(1);
            for queue in 0..queues {
                self.create_queue(number, usize::from(queue));
            }
        }
    }

    fn is_open(&self) -> bool {
        self.people.iter().zip(&self.scenario.town.devices).all(|(person, queues)| {
            let queues = usize::from(*queues);
            person.is_active && person.queues.len() == queues && person.watched >= queues
        })
    }

    fn perform(&mut self, deed: Deed) {
        let now = self.now();
        if !matches!(deed, Deed::Send { .. }) {
            self.oracle.on_disturbance(now);
        }
        if !matches!(deed, Deed::Fault(_) | Deed::Send { .. }) {
            self.world.tell(self.nodes.sender, || format!("*** {deed:?}"));
        }
        match deed {
            Deed::Send { device, queue } => self.send(device.into(), queue.into()),
            Deed::CreateQueue { device, smp } => self.create_queue(device.into(), smp.into()),
            Deed::DeleteQueue { device, queue } => self.delete_queue(device.into(), queue.into()),
            Deed::Open { device } => self.register(device.into()),
            Deed::Check { device } => {
                if let Some(person) = self.people.get(usize::from(device)) {
                    self.world.command(person.node, Command::Check);
                }
            }
            Deed::Replace { device } => {
                self.give_token(device.into());
                self.is_unverified(device.into());
                // A second one on the heels of the first may need a registration with other keys.
                self.laws.keys_changed(device.into());
                let wants_pushes =
                    self.people.get(usize::from(device)).is_some_and(|person| person.wants_pushes);
                if wants_pushes {
                    self.register(device.into());
                }
            }
            Deed::Unregister { device } => self.unregister(device.into()),
            Deed::Fault(fault) => self.fault(fault),
        }
    }

    fn send(&mut self, device: usize, queue: usize) {
        let Some((id, to)) = self.queue_of(device, queue) else { return };
        let number = self.oracle.on_send(self.now(), device, id);
        self.world.tell(self.nodes.sender, || {
            format!("sends message {number} to queue {} of device {}", id.0, device + 1)
        });
        let tag = RequestTag(u64::try_from(number).unwrap_or(u64::MAX));
        let message = number.to_string().into_bytes();
        self.world.command(self.nodes.sender, Command::Send { tag, to, message });
    }

    fn queue_of(&self, device: usize, queue: usize) -> Option<(QueueId, SenderAddress)> {
        let queues = &self.people.get(device)?.queues;
        let place = queue.checked_rem(queues.len())?;
        queues.iter().nth(place).map(|(id, address)| (*id, address.clone()))
    }

    fn create_queue(&mut self, device: usize, smp: usize) {
        let Some(person) = self.people.get(device) else { return };
        let Some((_, server)) = smp.checked_rem(self.nodes.smp.len()).and_then(|at| self.nodes.smp.get(at))
        else {
            return;
        };
        let command = Command::CreateQueue { tag: RequestTag(0), server: server.clone() };
        self.world.command(person.node, command);
    }

    fn delete_queue(&mut self, device: usize, queue: usize) {
        let Some((id, _)) = self.queue_of(device, queue) else { return };
        let Some(person) = self.people.get_mut(device) else { return };
        person.queues.remove(&id);
        self.oracle.on_deleted(device, id);
        self.laws.keys_changed(device);
        self.world.command(person.node, Command::DeleteQueue { queue: id });
    }

    /// The provider gives a device a token, and no longer takes the one before.
    fn give_token(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        if person.tokens > 0 {
            self.world.uninstall(self.nodes.provider, &token_of(device, person.tokens));
        }
        person.tokens += 1;
        self.world.install(self.nodes.provider, &token_of(device, person.tokens), person.node);
    }

    fn register(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        let Some((_, server)) = self.nodes.subscribers.get(person.subscriber) else { return };
        if !core::mem::replace(&mut person.wants_pushes, true) {
            self.laws.keys_changed(device);
        }
        let token = token_of(device, person.tokens).into();
        let device = DeviceToken { provider: Provider::ApnsTest, token };
        self.world.command(person.node, Command::Register { server: server.clone(), device });
    }

    fn unregister(&mut self, device: usize) {
        let Some(person) = self.people.get_mut(device) else { return };
        if !core::mem::replace(&mut person.wants_pushes, false) {
            return;
        }
        let node = person.node;
        self.is_unverified(device);
        self.laws.keys_changed(device);
        self.world.command(node, Command::Unregister);
    }

    fn is_unverified(&mut self, device: usize) {
        if let Some(person) = self.people.get_mut(device) {
            person.is_active = false;
            self.oracle.excuse_from(device, Excuse::NotVerified);
        }
    }

    fn fault(&mut self, fault: Fault) {
        let now = self.now();
        if let Fault::Restart(node) = fault {
            let forgetting: Vec<_> = self
                .people
                .iter()
                .enumerate()
                .filter(|(_, person)| {
                    self.nodes.subscribers.get(person.subscriber).is_some_and(|(id, _)| *id == node)
                })
                .map(|(number, _)| number)
                .collect();
            for device in forgetting {
                self.oracle.excuse_from(device, Excuse::SubscriberForgot);
                self.laws.keys_changed(device);
            }
            if let Some(device) = self.device_of(node) {
                self.oracle.excuse(now, device, Excuse::AppEnded);
                self.laws.keys_changed(device);
            }
            self.laws.restarted(&self.nodes, node);
        }
        self.may_lose_notices(fault);
        self.world.apply(fault);
    }

    /// Excuses what a fault between a subscriber and an SMP server may cost.
    fn may_lose_notices(&mut self, fault: Fault) {
        let is_smp = |node| self.nodes.smp.iter().any(|(smp, _)| *smp == node);
        let subscriber = |node| self.nodes.subscribers.iter().position(|(id, _)| *id == node);
        let excuse = match fault {
            Fault::Calendar(node, _) if is_smp(node) => Excuse::WrongCalendar,
            Fault::Calendar(..) | Fault::Provider(..) => return,
            Fault::Partition(a, b) | Fault::Heal(a, b) => {
                let is_between = is_smp(a) && subscriber(b).is_some() || is_smp(b) && subscriber(a).is_some();
                if !is_between {
                    return;
                }
                Excuse::NoticeLost
            }
            Fault::Cut(node)
            | Fault::HalfOpen(node)
            | Fault::Slow(node, _)
            | Fault::SwitchOff(node)
            | Fault::SwitchOn(node)
            | Fault::Restart(node) => {
                if !is_smp(node) && subscriber(node).is_none() {
                    return;
                }
                Excuse::NoticeLost
            }
        };
        let only =
            subscriber(fault.node()).filter(|_| !matches!(fault, Fault::Partition(..) | Fault::Heal(..)));
        let until = self.now() + LINK_LOSS;
        for (device, person) in self.people.iter().enumerate() {
            if only.is_some_and(|only| only != person.subscriber) {
                continue;
            }
            if excuse == Excuse::WrongCalendar {
                self.oracle.excuse_from(device, excuse);
            } else {
                self.oracle.excuse(until, device, excuse);
            }
        }
    }

    /// Commands on a slow connection that a device gave up may be executed after those on its next one. That
    /// concerns devices that made credentials while something was slow.
    fn excuse_races(&mut self) {
        let is_slow = |entry: &Entry| {
            matches!(entry.deed, Deed::Fault(Fault::Slow(..) | Fault::Partition(..) | Fault::Heal(..)))
        };
        if !self.scenario.schedule.iter().any(is_slow) {
            return;
        }
        for device in 0..self.people.len() {
            let made_queues = |entry: &Entry| matches!(entry.deed, Deed::CreateQueue { device: maker, .. } if usize::from(maker) == device);
            if self.laws.has_changed(device) || self.scenario.schedule.iter().any(made_queues) {
                self.oracle.excuse_from(device, Excuse::CredentialsRaced);
            }
        }
    }

    /// What was broken between subscribers and SMP servers until now may cost notices for a little longer.
    fn lose_more_notices(&mut self) {
        let until = self.now() + LINK_LOSS;
        for device in 0..self.people.len() {
            if self.oracle.has_had(device, Excuse::NoticeLost) {
                self.oracle.excuse(until, device, Excuse::NoticeLost);
            }
        }
    }

    fn device_of(&self, node: NodeId) -> Option<usize> {
        self.people.iter().position(|person| person.node == node)
    }

    /// A message to each queue that is to be watched.
    fn probe(&mut self) {
        let queues: Vec<_> = self
            .people
            .iter()
            .enumerate()
            .filter(|(_, person)| person.wants_pushes)
            .flat_map(|(device, person)| (0..person.queues.len()).map(move |queue| (device, queue)))
            .collect();
        for (device, queue) in queues {
            self.send(device, queue);
        }
    }

    fn check_everybody(&mut self) {
        for device in 0..self.people.len() {
            self.laws.keys_changed(device);
            let Some(person) = self.people.get(device).filter(|person| person.wants_pushes) else { continue };
            let node = person.node;
            self.register(device);
            self.world.command(node, Command::Check);
        }
    }

    /// Whoever checked and is verified has no excuse from here on.
    fn end_excuses(&mut self) {
        let now = self.now();
        for (device, person) in self.people.iter().enumerate() {
            if !person.wants_pushes {
                continue;
            }
            self.oracle.excuse_until(now, device, Excuse::SubscriberForgot);
            self.oracle.excuse_until(now, device, Excuse::NotVerified);
            self.oracle.excuse_until(now, device, Excuse::CredentialsRaced);
            if self.world.client(person.node).and_then(|client| client.token_status())
                != Some(TokenStatus::Active)
            {
                self.oracle.broke(
                    now,
                    Law::Learned,
                    format!("device {} checked and is not verified", device + 1),
                );
            }
        }
    }

    fn clear(&mut self) {
        for device in 0..self.people.len() {
            while self.people.get(device).is_some_and(|person| !person.queues.is_empty()) {
                self.delete_queue(device, 0);
            }
            let Some(node) = self.people.get(device).map(|person| person.node) else { continue };
            // An app that ended while it made a queue has one that it never spoke of.
            let rest: Vec<_> =
                self.world.client(node).map(|client| client.queues().collect()).unwrap_or_default();
            for queue in rest {
                self.world.command(node, Command::DeleteQueue { queue });
            }
            self.unregister(device);
        }
    }

    fn judge_end(&mut self) {
        for (law, what) in Laws::at_end(&self.world, &self.nodes, self.queues_told) {
            self.oracle.broke(self.world.now().mono, law, what);
        }
    }

    /// Takes in what was seen, and looks at what it touched.
    fn observe(&mut self) {
        for (at, sight) in self.world.take_sights() {
            self.see(at, sight);
        }
        for what in self.world.take_violations() {
            self.oracle.broke(self.world.now().mono, Law::Contract, what);
        }
        if let Some(node) = self.world.take_touched() {
            for (law, what) in Laws::after_step(&self.world, node) {
                self.oracle.broke(self.world.now().mono, law, what);
            }
        }
        if self.phase == Phase::Opening && self.is_open() {
            self.until = self.now();
        }
    }

    fn see(&mut self, at: Mono, sight: Sight) {
        match sight {
            Sight::Told { device, event } if device == self.nodes.sender => self.sender_told(event),
            Sight::Told { device, event } => {
                if let Some(device) = self.device_of(device) {
                    self.told(at, device, event);
                }
            }
            Sight::Ordered { subscriber, order } => {
                let owner = self.owner_of(&order.device.token);
                let is_theirs = owner.and_then(|(device, _)| self.people.get(device)).is_some_and(|person| {
                    self.nodes.subscribers.get(person.subscriber).is_some_and(|(node, _)| *node == subscriber)
                });
                if !is_theirs {
                    let what = "a push is ordered for a device of another subscriber".into();
                    self.oracle.broke(at, Law::OrderFits, what);
                }
                if let Some((law, what)) = self.laws.on_order(at, subscriber, &order, owner) {
                    self.oracle.broke(at, law, what);
                }
            }
            Sight::Ended { push, outcome } => {
                if let Some(device) = self.laws.on_outcome(&self.nodes, push, outcome) {
                    self.oracle.excuse(at, device, Excuse::ProviderRefused);
                }
            }
            Sight::Requested { body, .. } => {
                if let Some((law, what)) = self.laws.on_request(&body) {
                    self.oracle.broke(at, law, what);
                }
            }
            Sight::Delivered { .. } => {}
            Sight::Lost { device, loss } => {
                let Some(device) = self.device_of(device) else { return };
                let excuse = match loss {
                    Loss::Dropped => Excuse::ProviderDropped,
                    Loss::Replaced => Excuse::PushReplaced,
                };
                self.oracle.excuse(at, device, excuse);
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn sender_told(&mut self, event: Event) {
        match event {
            Event::Sent { tag } => self.oracle.on_taken(usize::try_from(tag.0).unwrap_or(usize::MAX)),
            Event::Failed { tag: Some(tag), .. } => {
                self.oracle.on_refused(usize::try_from(tag.0).unwrap_or(usize::MAX));
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn told(&mut self, at: Mono, device: usize, event: Event) {
        let Some(person) = self.people.get_mut(device) else { return };
        match event {
            Event::QueueCreated { queue, address, .. } => {
                person.queues.insert(queue, address);
                self.queues_told += 1;
            }
            Event::Subscription { .. } => person.watched += 1,
            Event::Token(TokenStatus::Active) if person.wants_pushes => {
                person.is_active = true;
                self.oracle.excuse_until(at, device, Excuse::NotVerified);
            }
            Event::Message { queue, message, .. } => self.oracle.on_learned(at, device, queue, &message),
            Event::PushRejected { why } => {
                if let Some((law, what)) = self.laws.on_rejected(device, why) {
                    self.oracle.broke(at, law, what);
                }
            }
            _ => {}
        }
    }

    /// Whose device token this is, and which of its tokens.
    fn owner_of(&self, token: &[u8]) -> Option<(usize, u32)> {
        self.people.iter().enumerate().find_map(|(device, person)| {
            (1..=person.tokens)
                .find(|number| token_of(device, *number) == token)
                .map(|number| (device, number))
        })
    }
}

fn token_of(device: usize, number: u32) -> Vec<u8> {
    format!("{device:02x}{number:06x}").into_bytes()
}
