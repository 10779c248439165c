//! The subscriber's end of the relay link: holds the link, and asks until it is answered.
//!
//! Orders come in as the subscriber makes them and outcomes go back to it. In between, an order waits for
//! a credit, is sent, and is sent again under the same number over every further link until its outcome is
//! known. An order that is never sent, or never answered, is put off when its time is over: the subscriber
//! then merges its notices with newer ones, so that what waits here is bounded by orders and not by how long
//! a push server is away.
//!
//! Knows no token and no notice; reads nothing of what it carries. [`config`] says what it is told.

pub mod config;
mod on_link;

pub use config::{Config, Counters, Gauges};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::base::backoff::Backoff;
use crate::base::id::LinkId;
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::outbox::Outbox;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Mono, Now};
use crate::base::timers::Timers;
use crate::link::engine::LinkNumbers;
use crate::link::event::{Block, LinkAction, LinkEvent};
use crate::link::keepalive::{Keepalive, Silence};
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use crate::model::push::{PushId, PushOrder, PushOutcome, PushPayload, PushResult};
use crate::model::token::DeviceTag;
use crate::relay::frame::{BlockWriter, CIPHERTEXT_LEN_MAX, Farewell, Frame, INSTANCE_LEN, Order, Room};

/// An input of the subscriber's end.
#[derive(Debug)]
pub enum Input<'a> {
    /// Something happened to the link.
    Link(LinkEvent<'a>),
    /// The subscriber asks for a push.
    Order(PushOrder),
    /// The announced deadline has come.
    Tick,
    /// Say goodbye, close the link, drop what is held.
    Stop,
}

/// An effect of the subscriber's end.
#[derive(Debug)]
pub enum Effect {
    /// Do this to the link.
    Link(LinkAction),
    /// Tell the subscriber what the push server calls the device of an order. Comes right before the
    /// outcome, if it comes.
    Recognised {
        /// The order.
        push: PushId,
        /// Its device.
        device: DeviceTag,
    },
    /// Tell the subscriber what became of an order. Each order has one, unless it is dropped by a stop.
    Outcome(PushOutcome),
}

/// The subscriber's end of the relay link.
pub struct SubscriberEnd {
    config: Config,
    now: Now,
    state: State,
    /// Held until answered or expired, by the number under which they are sent.
    orders: BTreeMap<u64, Held>,
    /// Those of the held that have to be sent on this link, or on the next one.
    unsent: BTreeSet<u64>,
    requests_made: u64,
    instance: [u8; INSTANCE_LEN],
    links: LinkNumbers,
    backoff: Backoff,
    jitter: Rng,
    timers: Timers<Timer>,
    outbox: Outbox<Effect>,
    counters: Counters,
}

struct Held {
    order: PushOrder,
    taken_in: Mono,
    /// Links that it was sent on.
    sendings: u32,
}

enum State {
    /// A link is asked for at the next poll.
    Dialling,
    /// Until the pause is over.
    Waiting,
    /// The link is not up.
    Connecting { link: LinkId },
    /// The hello is out.
    Greeting { link: LinkId },
    /// Orders may be sent.
    Open(Open),
    /// For good.
    Stopped,
}

/// A link that was welcomed.
struct Open {
    link: LinkId,
    credits: u32,
    /// Sent on this link and not answered on it, whether or not they are still held: each has a credit.
    asked: BTreeSet<u64>,
    keepalive: Keepalive,
    /// Blocks handed over and not known to have reached the socket.
    unsent_blocks: u32,
    owes_ping: bool,
    owes_pong: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Connect,
    Welcome,
    Order(u64),
}

impl Timer {
    const fn reason(self) -> &'static str {
        match self {
            Self::Connect => "connect to the push server",
            Self::Welcome => "welcome of the push server",
            Self::Order(_) => "put an order off",
        }
    }
}

impl SubscriberEnd {
    /// An end that asks for a link at its first poll.
    #[must_use]
    pub fn new(config: Config, seed: &Seed, now: Now) -> Self {
        Self {
            config,
            now,
            state: State::Dialling,
            orders: BTreeMap::new(),
            unsent: BTreeSet::new(),
            requests_made: 0,
            instance: seed.stream(Stream::Ids).bytes(),
            links: LinkNumbers::default(),
            backoff: Backoff::new(),
            jitter: seed.stream(Stream::Jitter),
            timers: Timers::new(),
            outbox: Outbox::new(),
            counters: Counters::default(),
        }
    }

    /// What was counted since the start.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.counters
    }

    /// What it holds now.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges { open: usize::from(self.is_open()), held: self.held(), credits_used: self.credits_used() }
    }

    /// Orders without an outcome: the gauge of [`Config::orders_max`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.orders.len()
    }

    /// Orders sent and not answered on this link: the gauge of the credits.
    #[must_use]
    pub fn credits_used(&self) -> usize {
        match &self.state {
            State::Open(open) => open.asked.len(),
            State::Dialling
            | State::Waiting
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Stopped => 0,
        }
    }

    /// Whether orders can be sent.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// What it holds: orders on their way, and nothing of what has been answered.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let number = |what, count| Fact { what, count, sample: None };
        let held = u64::try_from(self.held()).unwrap_or(u64::MAX);
        vec![number("orders in hand", held), number("orders", self.counters.orders.total())]
    }

    fn on_order(&mut self, order: PushOrder) {
        self.counters.orders.count();
        let too_long = match &order.payload {
            PushPayload::Verification(sealed)
            | PushPayload::Message(sealed)
            | PushPayload::Hidden(sealed) => sealed.ciphertext.len() > CIPHERTEXT_LEN_MAX,
            PushPayload::CheckMessages | PushPayload::Alert(_) => false,
        };
        if too_long {
            self.counters.too_long.count();
            return self.report(order.id, PushResult::Refused);
        }
        if self.orders.len() >= self.config.orders_max {
            self.counters.full.count();
            return self.report(order.id, PushResult::TryLater { after: Duration::ZERO });
        }
        self.requests_made = self.requests_made.saturating_add(1);
        let request = self.requests_made;
        self.timers.set(Timer::Order(request), self.now.mono + self.config.wait_max);
        self.orders.insert(request, Held { order, taken_in: self.now.mono, sendings: 0 });
        self.unsent.insert(request);
    }

    fn report(&mut self, id: PushId, result: PushResult) {
        self.outbox.push(Effect::Outcome(PushOutcome { id, result }));
    }

    fn on_timer(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Connect => self.state = State::Dialling,
                Timer::Welcome => {
                    self.counters.silent.count();
                    self.leave(None);
                }
                Timer::Order(request) => self.expire(request),
            }
        }
        if let State::Open(open) = &mut self.state {
            match open.keepalive.poll(self.now.mono) {
                Silence::Bearable => {}
                Silence::Ask => open.owes_ping = true,
                Silence::Dead => {
                    self.counters.silent.count();
                    self.leave(Some(Farewell::Silent));
                }
            }
        }
    }

    /// Puts an order off. One that was sent keeps its credit: the push server may be at work on it.
    fn expire(&mut self, request: u64) {
        self.unsent.remove(&request);
        let Some(held) = self.orders.remove(&request) else { return };
        match held.sendings {
            0 => self.counters.expired_unsent.count(),
            _ => self.counters.expired_unanswered.count(),
        }
        self.report(held.order.id, PushResult::TryLater { after: Duration::ZERO });
    }

    fn on_stop(&mut self) {
        self.leave(Some(Farewell::Leaving));
        self.counters.dropped.add(u64::try_from(self.orders.len()).unwrap_or(u64::MAX));
        self.orders.clear();
        self.unsent.clear();
        self.timers.clear();
        self.state = State::Stopped;
    }

    /// The next block of an open link, if there is anything to say and the peer takes blocks.
    fn next_block(&mut self) -> Option<(LinkId, Block)> {
        let State::Open(open) = &mut self.state else { return None };
        if open.unsent_blocks >= LINK_WINDOW_BLOCKS {
            return None;
        }
        let mut writer = BlockWriter::new();
        for (owed, frame) in [(&mut open.owes_ping, Frame::Ping), (&mut open.owes_pong, Frame::Pong)] {
            if core::mem::take(owed) {
                let pushed = writer.push(&frame);
                debug_assert!(pushed.is_ok(), "a frame without fields fits");
            }
        }
        let credits = usize::try_from(open.credits).unwrap_or(usize::MAX);
        while open.asked.len() < credits
            && let Some(request) = self.unsent.first().copied()
        {
            let Some(held) = self.orders.get_mut(&request) else {
                self.unsent.remove(&request);
                continue;
            };
            match writer.push(&Frame::Order(Order::of(request, &held.order))) {
                Ok(Room::Yes) => {}
                Ok(Room::No) => break,
                Err(_) => {
                    // It stays held and is put off when its time is over.
                    debug_assert!(false, "orders that fit no block are refused when they come");
                    self.unsent.remove(&request);
                    continue;
                }
            }
            if held.sendings > 0 {
                self.counters.resent.count();
            }
            held.sendings = held.sendings.saturating_add(1);
            self.timers.set(Timer::Order(request), held.taken_in + self.config.answer_max);
            open.asked.insert(request);
            self.unsent.remove(&request);
        }
        let block = writer.finish()?;
        open.unsent_blocks = open.unsent_blocks.saturating_add(1);
        Some((open.link, block))
    }

    fn deadline(&self) -> Option<Deadline> {
        let own = self.timers.next().map(|(at, timer)| (at, timer.reason()));
        let keepalive = match &self.state {
            State::Open(open) => open.keepalive.deadline().map(|at| (at, "silence of the push server")),
            State::Dialling
            | State::Waiting
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Stopped => None,
        };
        let next = [own, keepalive].into_iter().flatten().min_by_key(|(at, _)| *at);
        next.map(|(at, reason)| Deadline { at, reason })
    }
}

impl fmt::Debug for SubscriberEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubscriberEnd({} orders held)", self.held())
    }
}

impl Machine for SubscriberEnd {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if matches!(self.state, State::Stopped) {
            return;
        }
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            // An outcome counts even when it comes in the same moment as the order's deadline.
            Input::Link(event) => {
                self.on_link(event);
                self.on_timer();
            }
            Input::Order(order) => {
                self.on_timer();
                self.on_order(order);
            }
            Input::Tick => self.on_timer(),
            Input::Stop => self.on_stop(),
        }
    }

    fn poll(&mut self) -> Step<Effect> {
        if let Some(effect) = self.outbox.pop() {
            return Step::Do(effect);
        }
        if matches!(self.state, State::Dialling) {
            return Step::Do(Effect::Link(self.dial()));
        }
        match self.next_block() {
            Some((link, block)) => Step::Do(Effect::Link(LinkAction::Send { link, block })),
            None => Step::Idle(self.deadline()),
        }
    }
}
