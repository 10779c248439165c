//! The push server's end of the relay link: knows its subscribers, and passes on what they may ask for.
//!
//! A link is served if its certificate names a subscriber on the list. Orders are counted against that
//! subscriber's credits and limits, sealed device tokens are opened, and each number goes to the push server
//! once, however often it is asked for. Outcomes go back over whatever link the subscriber has by then, and
//! are remembered for a while for one that comes back.
//!
//! Knows no provider and reads no payload. [`config`] says what it is told.

pub mod config;
mod on_link;
mod on_order;
mod peer;
mod requests;

pub use config::{Admitted, Config, Counters, Gauges, Limits, LinkCounters, OrderCounters, TokensAllowed};

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use crate::base::id::LinkId;
use crate::base::outbox::Outbox;
use crate::base::time::{Deadline, Now};
use crate::base::timers::Timers;
use crate::link::event::{LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use crate::model::push::{PushId, PushOrder, PushOutcome};
use crate::model::server::Fingerprint;
use crate::model::token::DeviceTag;
use crate::relay::push_end::peer::{Link, Peer, Phase};

/// An input of the push server's end.
#[derive(Debug)]
pub enum Input<'a> {
    /// Something happened to a link.
    Link(LinkEvent<'a>),
    /// The push server tells what became of an order.
    Outcome(PushOutcome),
    /// The announced deadline has come.
    Tick,
    /// Tell the subscribers that we are about to leave, and take no further orders.
    Drain,
    /// Say goodbye, close all links and forget everything.
    Stop,
}

/// An effect of the push server's end.
#[derive(Debug)]
pub enum Effect {
    /// Do this to a link.
    Link(LinkAction),
    /// Hand this to the push server; answered by `Input::Outcome`.
    Order(PushOrder),
}

/// The push server's end of the relay link.
pub struct PushEnd {
    config: Config,
    now: Now,
    phase: Running,
    peers: Vec<Peer>,
    by_identity: BTreeMap<Fingerprint, usize>,
    links: BTreeMap<LinkId, Link>,
    /// Links with something to say.
    busy: BTreeSet<LinkId>,
    in_hand: BTreeMap<PushId, InHand>,
    pushes_made: u64,
    timers: Timers<Timer>,
    outbox: Outbox<Effect>,
    counters: Counters,
}

/// An order that the push server has.
struct InHand {
    peer: usize,
    epoch: u64,
    request: u64,
    /// What the subscriber is told if the push is accepted.
    tag: Option<DeviceTag>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Running {
    Serving,
    Draining,
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A link has been silent, or slow with its hello.
    Link(LinkId),
    /// Answers given to a subscriber may be forgotten.
    Forget(usize),
}

impl PushEnd {
    /// An end without links.
    #[must_use]
    pub fn new(config: Config, now: Now) -> Self {
        let mut peers: Vec<Peer> = Vec::new();
        let mut by_identity = BTreeMap::new();
        for admitted in &config.subscribers {
            let known = peers.iter().position(|peer| peer.name == admitted.name);
            let peer = known.unwrap_or_else(|| {
                peers.push(Peer::new(admitted.name.clone(), admitted.limits));
                peers.len() - 1
            });
            by_identity.entry(admitted.identity).or_insert(peer);
        }
        Self {
            config,
            now,
            phase: Running::Serving,
            peers,
            by_identity,
            links: BTreeMap::new(),
            busy: BTreeSet::new(),
            in_hand: BTreeMap::new(),
            pushes_made: 0,
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
        Gauges {
            links: self.links(),
            subscribers: self.peers.iter().filter(|peer| peer.link.is_some()).count(),
            in_hand: self.in_hand(),
            remembered: self.remembered(),
        }
    }

    /// Orders that the push server has: the gauge of all credits.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.in_hand.len()
    }

    /// Whether nothing is under way any more after [`Input::Drain`]: every order has its outcome, and it was handed over.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        match self.phase {
            Running::Serving => false,
            Running::Draining => self.in_hand.is_empty() && self.outbox.is_empty(),
            Running::Stopped => true,
        }
    }

    /// Links of subscribers: two for each at most, one of which has yet to say hello.
    #[must_use]
    pub fn links(&self) -> usize {
        self.links.len()
    }

    /// Outcomes remembered: the gauge of [`Config::remembered_max`], over all subscribers.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.peers.iter().map(|peer| peer.requests.remembered()).sum()
    }

    /// Whether the subscriber of this name is connected; `None` when there is none of this name.
    #[must_use]
    pub fn is_connected(&self, name: &str) -> Option<bool> {
        self.peers.iter().find(|peer| &*peer.name == name).map(|peer| peer.link.is_some())
    }

    /// What it holds: who its subscribers are, and which orders are on their way.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let number = |what, count| Fact { what, count, sample: None };
        let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
        let connected = self.peers.iter().filter(|peer| peer.link.is_some());
        let sample = connected.clone().next().map(|peer| String::from(&*peer.name));
        vec![
            Fact { what: "subscribers", count: count(connected.count()), sample },
            number("orders in hand", count(self.in_hand())),
            number("orders", self.counters.orders.received.total()),
            number("sealed device tokens opened", self.counters.orders.sealed.total()),
        ]
    }

    fn on_timer(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Link(link) => self.on_silent(link),
                Timer::Forget(index) => {
                    if let Some(peer) = self.peers.get_mut(index) {
                        peer.requests.forget(self.now.mono, self.config.remembered_for);
                    }
                    self.watch_memory(index);
                }
            }
        }
    }

    /// Sets the timer for the oldest answer of a subscriber.
    fn watch_memory(&mut self, index: usize) {
        match self.peers.get(index).and_then(|peer| peer.requests.oldest()) {
            Some(oldest) => self.timers.set(Timer::Forget(index), oldest + self.config.remembered_for),
            None => self.timers.cancel(&Timer::Forget(index)),
        }
    }

    fn on_drain(&mut self) {
        self.phase = Running::Draining;
        for (id, link) in &mut self.links {
            if let Phase::Open(open) = &mut link.phase {
                open.owes_drain = true;
                self.busy.insert(*id);
            }
        }
    }

    fn next_block(&mut self) -> Option<LinkAction> {
        while let Some(link) = self.busy.first().copied() {
            let block = self.links.get_mut(&link).and_then(|entry| match &mut entry.phase {
                Phase::Open(open) => open.next_block(),
                Phase::Greeting => None,
            });
            match block {
                Some(block) => return Some(LinkAction::Send { link, block }),
                None => _ = self.busy.remove(&link),
            }
        }
        None
    }
}

impl fmt::Debug for PushEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushEnd({} links, {} orders in hand)", self.links(), self.in_hand())
    }
}

impl Machine for PushEnd {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.phase == Running::Stopped {
            return;
        }
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            Input::Link(event) => self.on_link(event),
            Input::Outcome(outcome) => self.on_outcome(outcome),
            Input::Tick => {}
            Input::Drain => self.on_drain(),
            Input::Stop => return self.on_stop(),
        }
        self.on_timer();
    }

    fn poll(&mut self) -> Step<Effect> {
        if let Some(effect) = self.outbox.pop() {
            return Step::Do(effect);
        }
        if let Some(action) = self.next_block() {
            return Step::Do(Effect::Link(action));
        }
        let deadline = self.timers.next().map(|(at, timer)| {
            let reason = match timer {
                Timer::Link(_) => "silent subscriber",
                Timer::Forget(_) => "forget outcomes",
            };
            Deadline { at, reason }
        });
        Step::Idle(deadline)
    }
}
