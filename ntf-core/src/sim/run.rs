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
use crate::client::input::QueueId;
use crate::model::server::SenderAddress;
use crate::sim::laws::Laws;
use crate::sim::oracle::{EXCUSES, Judgement, Law, Oracle, SETTLE, Violation};
use crate::sim::scenario::Scenario;
use crate::sim::town::{self, Nodes};
use crate::sim::trace::TraceHash;
use crate::sim::world::{NodeId, World};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

mod deeds;
mod excuses;
mod sights;

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
            laws: Laws::new((0..nodes.smp.len()).map(town::smp_host).collect()),
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

    fn is_open(&self) -> bool {
        self.people.iter().zip(&self.scenario.town.devices).all(|(person, queues)| {
            let queues = usize::from(*queues);
            person.is_active && person.queues.len() == queues && person.watched >= queues
        })
    }

    fn device_of(&self, node: NodeId) -> Option<usize> {
        self.people.iter().position(|person| person.node == node)
    }

    fn judge_end(&mut self) {
        for (law, what) in Laws::at_end(&self.world, &self.nodes, self.queues_told) {
            self.oracle.broke(self.world.now().mono, law, what);
        }
    }
}

fn token_of(device: usize, number: u32) -> Vec<u8> {
    format!("{device:02x}{number:06x}").into_bytes()
}
