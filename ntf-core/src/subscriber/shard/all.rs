//! All shards of a subscriber as one machine, for whoever drives them in one thread: tests, the simulator, a
//! program that wants determinism more than cores.
//!
//! It has the face of a [`Subscriber`] and does inside what adapters do between threads: carries letters, moves
//! links, holds the events of a link that is moving. Letters take a while that is drawn from the seed, and which
//! of those that are due comes first is drawn as well, so that a run which depends on the order shows it. One
//! shard alone is the subscriber itself, down to its random numbers.

use crate::base::id::LinkId;
use crate::base::meter::Meters;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Mono, Now};
use crate::link::event::{DownReason, LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use crate::model::push::PushId;
use crate::model::shard::{ShardId, ShardPlan};
use crate::subscriber::effect::Effect;
use crate::subscriber::input::Input;
use crate::subscriber::meters::{Counters, Gauges};
use crate::subscriber::shard::{Letter, Parcel, Sharding};
use crate::subscriber::{Config, Subscriber};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::num::NonZeroU8;
use core::time::Duration;
use zeroize::Zeroizing;

/// All shards of a subscriber.
#[derive(Debug)]
pub struct Shards {
    shards: Vec<Subscriber>,
    plan: ShardPlan,
    /// Where accepted links are.
    links: BTreeMap<LinkId, Place>,
    /// What is on its way, in order for each pair of shards, and when it arrives.
    mail: BTreeMap<(ShardId, ShardId), VecDeque<(Mono, Mail)>>,
    /// The longest that mail takes.
    latency: Duration,
    /// What the shards ask of the world. Taken from them at once, so that no event reaches a shard for a link that
    /// it has given away.
    effects: VecDeque<Effect>,
    order: Rng,
    now: Now,
}

#[derive(Debug)]
enum Mail {
    Letter(Letter),
    Link(LinkId, Box<Parcel>),
}

#[derive(Debug)]
enum Place {
    At(ShardId),
    /// On its way, with what happened to it meanwhile.
    Moving(Vec<Held>),
}

/// A [`LinkEvent`] that owns its bytes.
#[derive(Debug)]
enum Held {
    Block(Zeroizing<Vec<u8>>),
    Sent(u32),
    Down(DownReason),
}

impl Shards {
    /// So many shards, each with its share of the bounds. Mail between them takes up to `latency`.
    #[must_use]
    pub fn new(config: &Config, count: NonZeroU8, latency: Duration, seed: &Seed, now: Now) -> Self {
        let mut order = seed.stream(Stream::Shards);
        let shards = if count == NonZeroU8::MIN {
            [Subscriber::new(config.clone(), seed.clone(), now)].into()
        } else {
            let shared = Seed::new(order.bytes());
            Sharding::all(count, &shared)
                .map(|own| Subscriber::new(config.for_shard(own), Seed::new(order.bytes()), now))
                .collect()
        };
        Self {
            shards,
            plan: ShardPlan::new(0, count).unwrap_or(ShardPlan::ALONE),
            links: BTreeMap::new(),
            mail: BTreeMap::new(),
            latency,
            effects: VecDeque::new(),
            order,
            now,
        }
    }

    /// What happened so far, in all shards.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut sum = Counters::default();
        self.shards.iter().for_each(|shard| sum.absorb(&shard.counters()));
        sum
    }

    /// What the tables of all shards hold now.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let mut sum = Gauges { effects: self.effects.len(), ..Gauges::default() };
        self.shards.iter().for_each(|shard| sum.absorb(&shard.gauges()));
        sum
    }

    /// What the subscriber knows, shards together.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        Fact::together(self.shards.iter().map(Subscriber::knowledge))
    }

    /// Whether the tables of every shard agree with themselves.
    ///
    /// # Errors
    ///
    /// Says what does not.
    #[cfg(any(test, feature = "sim"))]
    pub fn audit(&self) -> Result<(), &'static str> {
        self.shards.iter().try_for_each(Subscriber::audit)
    }

    /// Whether nothing is under way any more in any shard; see [`Subscriber::is_drained`].
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.effects.is_empty() && self.shards.iter().all(Subscriber::is_drained)
    }

    fn shard(&mut self, id: ShardId) -> Option<&mut Subscriber> {
        self.shards.get_mut(usize::from(id.number()))
    }

    fn give(&mut self, to: ShardId, input: Input<'_>) {
        let now = self.now;
        if let Some(shard) = self.shard(to) {
            shard.handle(now, input);
        }
        if !self.plan.is_alone() {
            while let Some(Step::Do(effect)) = self.shard(to).map(Machine::poll) {
                self.sort(to, effect);
            }
        }
    }

    fn on_link(&mut self, event: LinkEvent<'_>) {
        let link = event.link();
        if !link.is_accepted() {
            return self.give(self.plan.of_number(link.number()), Input::Link(event));
        }
        if let LinkEvent::Up { .. } = event {
            self.links.insert(link, Place::At(self.plan.of_number(link.number())));
        }
        match (self.links.get_mut(&link), event) {
            (Some(Place::At(shard)), event) => {
                let shard = *shard;
                if let LinkEvent::Down { .. } = event {
                    self.links.remove(&link);
                }
                self.give(shard, Input::Link(event));
            }
            (Some(Place::Moving(held)), event) => match event {
                LinkEvent::Block { block, .. } => held.push(Held::Block(Zeroizing::new(block.to_vec()))),
                LinkEvent::Sent { blocks, .. } => held.push(Held::Sent(blocks)),
                LinkEvent::Down { reason, .. } => held.push(Held::Down(reason)),
                LinkEvent::Up { .. } => {}
            },
            (None, _) => {}
        }
    }

    /// A link arrives at its new shard, and what happened to it on the way is told there.
    fn arrive(&mut self, to: ShardId, link: LinkId, parcel: Box<Parcel>) {
        let held = match self.links.insert(link, Place::At(to)) {
            Some(Place::Moving(held)) => held,
            Some(Place::At(_)) | None => Vec::new(),
        };
        self.give(to, Input::Adopt { link, parcel });
        for event in held {
            match event {
                Held::Block(mut block) => self.on_link(LinkEvent::Block { link, block: &mut block }),
                Held::Sent(blocks) => self.on_link(LinkEvent::Sent { link, blocks }),
                Held::Down(reason) => self.on_link(LinkEvent::Down { link, reason }),
            }
        }
    }

    /// Puts mail on its way, behind what is on its way between the two already.
    fn post(&mut self, from: ShardId, to: ShardId, mail: Mail) {
        let longest = u64::try_from(self.latency.as_micros()).unwrap_or(u64::MAX);
        let takes = Duration::from_micros(self.order.below(longest.saturating_add(1)));
        let letters = self.mail.entry((from, to)).or_default();
        let not_before = letters.back().map_or(Mono::ZERO, |(at, _)| *at);
        letters.push_back(((self.now.mono + takes).max(not_before), mail));
    }

    /// Delivers one letter that is due; `false` when none is.
    fn deliver(&mut self) -> bool {
        let is_due =
            |letters: &VecDeque<(Mono, Mail)>| letters.front().is_some_and(|(at, _)| *at <= self.now.mono);
        let due: Vec<_> =
            self.mail.iter().filter(|(_, letters)| is_due(letters)).map(|(pair, _)| *pair).collect();
        let nth = self.order.below(u64::try_from(due.len()).unwrap_or_default());
        let Some((from, to)) = usize::try_from(nth).ok().and_then(|nth| due.get(nth)).copied() else {
            return false;
        };
        let Some(letters) = self.mail.get_mut(&(from, to)) else { return false };
        let next = letters.pop_front();
        if letters.is_empty() {
            self.mail.remove(&(from, to));
        }
        match next {
            Some((_, Mail::Letter(letter))) => self.give(to, Input::Letter { from, letter }),
            Some((_, Mail::Link(link, parcel))) => self.arrive(to, link, parcel),
            None => {}
        }
        true
    }

    /// Posts what is for another shard; keeps the rest for the world.
    fn sort(&mut self, from: ShardId, effect: Effect) {
        match effect {
            Effect::Shard { to, letter } => self.post(from, to, Mail::Letter(letter)),
            Effect::HandOff { link, to, parcel } => {
                // A link that has ended meanwhile has nowhere to go.
                if let Some(place) = self.links.get_mut(&link) {
                    *place = Place::Moving(Vec::new());
                    self.post(from, to, Mail::Link(link, parcel));
                }
            }
            other @ (Effect::Link(_) | Effect::Push(_) | Effect::Milestone(_)) => {
                self.effects.push_back(other)
            }
        }
    }

    fn for_all(&mut self, mut act: impl FnMut(&mut Self, ShardId)) {
        act(self, self.plan.own());
        for shard in self.plan.others() {
            act(self, shard);
        }
    }

    /// The next deadline of any shard, or of mail.
    fn deadline(&mut self) -> Option<Deadline> {
        let first = |letters: &VecDeque<(Mono, Mail)>| letters.front().map(|(at, _)| *at);
        let mut next =
            self.mail.values().filter_map(first).min().map(|at| Deadline { at, reason: "mail of a shard" });
        for shard in &mut self.shards {
            if let Step::Idle(deadline) = shard.poll() {
                next = [next, deadline].into_iter().flatten().min_by_key(|deadline| deadline.at);
            }
        }
        next
    }
}

impl Machine for Shards {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Link(event) => self.on_link(event),
            Input::Outcome(outcome) => {
                let PushId(number) = outcome.id;
                self.give(self.plan.of_number(number), Input::Outcome(outcome));
            }
            Input::Recognised { push, device } => {
                self.give(self.plan.of_number(push.0), Input::Recognised { push, device });
            }
            // Letters and links come from the shards inside only.
            Input::Letter { .. } | Input::Adopt { .. } => {}
            Input::Tick => self.for_all(|all, shard| all.give(shard, Input::Tick)),
            Input::Drain => {
                self.mail.clear();
                self.for_all(|all, shard| all.give(shard, Input::Drain));
            }
            Input::Stop => {
                self.mail.clear();
                // Links on their way between shards are in the table of none.
                for (link, place) in core::mem::take(&mut self.links) {
                    if let Place::Moving(_) = place {
                        self.effects.push_back(Effect::Link(LinkAction::Close { link }));
                    }
                }
                self.for_all(|all, shard| all.give(shard, Input::Stop));
            }
        }
    }

    fn poll(&mut self) -> Step<Effect> {
        if let [alone] = self.shards.as_mut_slice() {
            return alone.poll();
        }
        loop {
            if let Some(effect) = self.effects.pop_front() {
                return Step::Do(effect);
            }
            if !self.deliver() {
                return Step::Idle(self.deadline());
            }
        }
    }
}
