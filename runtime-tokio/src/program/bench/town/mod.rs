//! A subscriber in this process, with everybody whom it talks to: devices, SMP servers, a push server. No sockets, no
//! TLS, no threads; blocks in the real encodings, signatures and boxes included.
//!
//! The subscriber is driven as an adapter drives it: one input, then effects until it is idle. What happens in
//! between is the bench's and is not counted: [`Town::busy`] is the processor time of the subscriber alone.

mod phone;
mod stub;

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::{Seed, Stream};
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::link::state::BlockEncryption;
use ntf_core::model::push::{PushId, PushOrder, PushOutcome, PushResult};
use ntf_core::model::server::ServerAddress;
use ntf_core::subscriber::effect::Effect;
use ntf_core::subscriber::input::Input;
use ntf_core::subscriber::{Config, Subscriber};
use ntf_core::{Deadline, Machine, Mono, Now, Step, Wall};

use crate::program::failure::Failure;
use crate::program::usage::cpu_time;

use phone::Phone;
use stub::StubServer;

pub(super) use phone::{
    Registered, SUBSCRIBING, Said, device_token, notifier, opened_notices, own_keys, snew,
};
pub(super) use stub::grant;

/// What a town is to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// SMP servers.
    pub(super) servers: usize,
    /// Whether blocks between them and the subscriber are encrypted inside TLS.
    pub(super) encryption: BlockEncryption,
    /// Whether the subscriber shows certificates by which servers remember its queues.
    pub(super) services: bool,
    /// Whether time passes by itself. Without, each input comes a microsecond after the one before, and the same
    /// plan leads to the same instructions.
    pub(super) has_clock: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { servers: 1, encryption: BlockEncryption::WherePossible, services: false, has_clock: true }
    }
}

/// A subscription: the queue of this number at the server of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) number: u64,
    pub(super) server: usize,
}

/// Something on its way to the subscriber.
enum Letter {
    Up(LinkId, Transport),
    Block(LinkId, Block),
    Sent(LinkId),
    Down(LinkId, DownReason),
    Outcome(PushOutcome),
}

/// The subscriber and all others.
pub(super) struct Town {
    subscriber: Subscriber,
    servers: Vec<StubServer>,
    by_address: HashMap<ServerAddress, usize>,
    by_link: HashMap<LinkId, usize>,
    credentials: ServerCredentials,
    address: ServerAddress,
    phone: Option<Phone>,
    accepted: u64,
    /// What has arrived at the subscriber, first come first served.
    letters: VecDeque<Letter>,
    effects: Vec<Effect>,
    deadline: Option<Deadline>,
    began: Instant,
    /// Time that was passed over, or all of it where there is no clock.
    skipped: Duration,
    has_clock: bool,
    busy: Duration,
    /// Orders since they were taken last.
    pushes: Vec<PushOrder>,
}

impl Town {
    /// A subscriber that knows nobody, and servers that wait for it.
    pub(super) fn new(plan: Plan) -> Result<Self, Failure> {
        let seed = Seed::from_number(1);
        let mut keys = seed.stream(Stream::World);
        let credentials = stub::credentials(&mut keys);
        let address = stub::address("ntf.example.org", &credentials)?;
        let servers = (0..plan.servers)
            .map(|number| StubServer::new(number, plan.services))
            .collect::<Result<Vec<_>, _>>()?;
        let by_address = servers.iter().enumerate().map(|(at, server)| (server.address().clone(), at));
        let by_address = by_address.collect();
        let mut config = Config::new(credentials.clone());
        config.smp.encryption = plan.encryption;
        config.use_service_certificates = plan.services;
        let start = Now { mono: Mono::ZERO, wall: Wall::from_secs(WALL_START) };
        Ok(Self {
            subscriber: Subscriber::new(config, seed, start),
            servers,
            by_address,
            by_link: HashMap::new(),
            credentials,
            address,
            phone: None,
            accepted: 0,
            letters: VecDeque::new(),
            effects: Vec::new(),
            deadline: None,
            began: Instant::now(),
            skipped: Duration::ZERO,
            has_clock: plan.has_clock,
            busy: Duration::ZERO,
            pushes: Vec::new(),
        })
    }

    /// The machine, to be asked for its gauges and counters.
    pub(super) const fn subscriber(&self) -> &Subscriber {
        &self.subscriber
    }

    /// Processor time of the subscriber since this was asked last.
    pub(super) const fn take_busy(&mut self) -> Duration {
        mem::replace(&mut self.busy, Duration::ZERO)
    }

    /// What it has ordered since this was asked last.
    pub(super) fn take_pushes(&mut self) -> Vec<PushOrder> {
        mem::take(&mut self.pushes)
    }

    /// The time as the subscriber sees it.
    fn now(&mut self) -> Now {
        let passed = if self.has_clock { self.began.elapsed() } else { Duration::ZERO };
        if !self.has_clock {
            self.skipped += Duration::from_micros(1);
        }
        let passed = passed + self.skipped;
        let micros = u64::try_from(passed.as_micros()).unwrap_or(u64::MAX);
        Now { mono: Mono::from_micros(micros), wall: Wall::from_secs(WALL_START + passed.as_secs()) }
    }

    /// Makes an SMP server tell of a message in each of these queues, and gives the blocks and their link.
    pub(super) fn notices(&mut self, server: usize, queues: &[EntityId]) -> (LinkId, Vec<Block>) {
        let Some(server) = self.servers.get_mut(server) else { return (LinkId::opened(0), Vec::new()) };
        (server.link().unwrap_or(LinkId::opened(0)), server.notices(queues))
    }

    /// These blocks arrive.
    pub(super) fn post(&mut self, (link, blocks): (LinkId, Vec<Block>)) {
        self.letters.extend(blocks.into_iter().map(|block| Letter::Block(link, block)));
    }

    /// The push server has accepted these.
    pub(super) fn accept(&mut self, pushes: impl IntoIterator<Item = PushId>) {
        let outcomes = pushes.into_iter().map(|id| PushOutcome { id, result: PushResult::Accepted });
        self.letters.extend(outcomes.map(Letter::Outcome));
    }

    /// These servers go away and come back, without what they knew of links.
    pub(super) fn restart(&mut self, servers: std::ops::Range<usize>) {
        for server in self.servers.get_mut(servers).into_iter().flatten() {
            if let Some(link) = server.restart() {
                self.letters.push_back(Letter::Down(link, DownReason::Closed));
            }
        }
    }

    /// Hands in what has arrived, until nothing more does. What the deadlines ask for is not waited for.
    pub(super) fn settle(&mut self) {
        while self.step() {}
    }

    /// Hands in the next thing that has arrived, if anything has.
    pub(super) fn step(&mut self) -> bool {
        let now = self.now();
        if self.deadline.is_some_and(|deadline| deadline.at <= now.mono) {
            self.hand_in(now, Input::Tick);
            return true;
        }
        let Some(letter) = self.letters.pop_front() else { return false };
        match letter {
            Letter::Up(link, transport) => {
                self.hand_in(now, Input::Link(LinkEvent::Up { link, transport }));
            }
            Letter::Block(link, mut block) => {
                self.hand_in(now, Input::Link(LinkEvent::Block { link, block: &mut block }));
            }
            Letter::Sent(link) => self.hand_in(now, Input::Link(LinkEvent::Sent { link, blocks: 1 })),
            Letter::Down(link, reason) => {
                self.by_link.remove(&link);
                self.hand_in(now, Input::Link(LinkEvent::Down { link, reason }));
            }
            Letter::Outcome(outcome) => self.hand_in(now, Input::Outcome(outcome)),
        }
        true
    }

    /// Goes to the next deadline at once, if there is one. Whether there is.
    pub(super) fn skip(&mut self) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let now = self.now();
        self.skipped += deadline.at.since(now.mono);
        true
    }

    /// The clock shows more by this, without anything having been done.
    pub(super) const fn skipped(&self) -> Duration {
        self.skipped
    }

    /// One input, and everything that the subscriber does upon it. Gives its effects, which the caller must hand to
    /// [`perform`](Self::perform).
    pub(super) fn work(&mut self, now: Now, input: Input<'_>, effects: &mut Vec<Effect>) {
        self.subscriber.handle(now, input);
        self.deadline = loop {
            match self.subscriber.poll() {
                Step::Do(effect) => effects.push(effect),
                Step::Idle(deadline) => break deadline,
            }
        };
    }

    /// Asks the idle subscriber whether there is anything to do. Whether there was.
    pub(super) fn poll(&mut self) -> bool {
        matches!(self.subscriber.poll(), Step::Do(_))
    }

    /// A block and everything that the subscriber does upon it, with the time of that alone.
    pub(super) fn work_on_block(
        &mut self,
        link: LinkId,
        block: &mut [u8],
        effects: &mut Vec<Effect>,
    ) -> Duration {
        let now = self.now();
        let begin = Instant::now();
        self.work(now, Input::Link(LinkEvent::Block { link, block }), effects);
        begin.elapsed()
    }

    fn hand_in(&mut self, now: Now, input: Input<'_>) {
        let mut effects = mem::take(&mut self.effects);
        // Without a clock a profiler may look on, and the way to the clock of processors is none that valgrind can go.
        let before = self.has_clock.then(cpu_time);
        self.work(now, input, &mut effects);
        self.busy += before.map_or(Duration::ZERO, |before| cpu_time().saturating_sub(before));
        for effect in effects.drain(..) {
            self.perform(effect);
        }
        self.effects = effects;
    }

    /// Does what the subscriber asks for, as the others would.
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Link(LinkAction::Connect { link, server, showing, .. }) => {
                self.connect(link, &server, showing.map(|credentials| credentials.chain));
            }
            Effect::Link(LinkAction::Send { link, mut block }) => {
                // A socket takes it at once.
                self.letters.push_front(Letter::Sent(link));
                if link.is_accepted() {
                    self.carry_to_phone(&mut block);
                } else if let Some(server) =
                    self.by_link.get(&link).and_then(|server| self.servers.get_mut(*server))
                {
                    let answers = server.on_block(&mut block);
                    self.post((link, answers));
                }
            }
            Effect::Link(LinkAction::Close { link }) => {
                self.letters.push_back(Letter::Down(link, DownReason::Asked));
            }
            Effect::Push(order) => self.pushes.push(order),
            // There is one shard, and nobody watches.
            Effect::Milestone(_) | Effect::Shard { .. } | Effect::HandOff { .. } => {}
        }
    }

    fn connect(&mut self, link: LinkId, address: &ServerAddress, showing: Option<Vec<Box<[u8]>>>) {
        let found = self.by_address.get(address).copied();
        let Some((index, server)) = found.and_then(|index| Some((index, self.servers.get_mut(index)?)))
        else {
            return self.letters.push_back(Letter::Down(link, DownReason::Unreachable));
        };
        let Some((transport, hello)) = server.accept(link, showing.unwrap_or_default()) else {
            return self.letters.push_back(Letter::Down(link, DownReason::Tls));
        };
        self.by_link.insert(link, index);
        self.letters.push_back(Letter::Up(link, transport));
        self.letters.extend(hello.map(|block| Letter::Block(link, block)));
    }
}

/// When the clocks of a town begin, in Unix seconds.
const WALL_START: u64 = 1_750_000_000;
