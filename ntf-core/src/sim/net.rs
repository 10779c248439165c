//! The simulated network: a table of links between nodes, with latency, order, and ups and downs.
//!
//! Knows no role. It decides when what arrives at which end; the world carries it there.

use crate::base::id::LinkId;
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::link::keepalive::PROBES_MAX;
use crate::sim::world::NodeId;
use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// How long things take on their way: evenly between the two ends, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Shortest.
    pub min: Duration,
    /// Longest.
    pub max: Duration,
}

impl Latency {
    /// Always the same.
    #[must_use]
    pub const fn fixed(span: Duration) -> Self {
        Self { min: span, max: span }
    }

    /// One draw.
    pub(super) fn draw(self, rng: &mut Rng) -> Duration {
        let spread = u64::try_from(self.max.saturating_sub(self.min).as_micros()).unwrap_or(u64::MAX);
        self.min + Duration::from_micros(rng.below(spread.saturating_add(1)))
    }
}

/// Names one link of the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WireId(u64);

/// Which end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    /// The one that asked for the link.
    Opener,
    /// The one that accepted it.
    Accepter,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Accepter,
            Self::Accepter => Self::Opener,
        }
    }
}

/// One end of a link.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) link: LinkId,
    state: EndState,
    /// Nothing may arrive here before what was sent earlier.
    last_arrival: Mono,
    /// When something arrived last, or what was sent was confirmed.
    heard: Mono,
    probing: Probing,
}

/// What TCP was told to do at an end.
#[derive(Clone, Copy, Debug, Default)]
struct Probing {
    after: Option<Duration>,
    /// Counts what it was told.
    order: u64,
    /// When it asked last without having been answered, and how often.
    asked: Option<(Mono, u32)>,
}

/// What TCP does in its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing before this time.
    Wait(Mono),
    /// It asks.
    Ask,
    /// It has asked in vain.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndState {
    Connecting,
    Up,
    Down,
}

/// How a link is as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// An end is gone, or nothing passes and nobody has noticed.
    Down,
    /// An end is not up yet.
    Connecting,
    /// Both ends are up.
    Up,
}

#[derive(Clone, Copy, Debug)]
struct Wire {
    opener: End,
    accepter: End,
    life: Life,
    mapping: Option<Mapping>,
}

/// What a network address translator on the way remembers of a link.
#[derive(Clone, Copy, Debug)]
struct Mapping {
    /// How long without a packet.
    keeps: Duration,
    /// When the last one passed.
    used: Mono,
}

/// Whether bytes get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Alive,
    /// They vanish, and neither end is told.
    Dead,
}

impl Wire {
    const fn end(&self, side: Side) -> &End {
        match side {
            Side::Opener => &self.opener,
            Side::Accepter => &self.accepter,
        }
    }

    const fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Opener => &mut self.opener,
            Side::Accepter => &mut self.accepter,
        }
    }
}

/// All links that are not down at both ends.
#[derive(Debug, Default)]
pub(super) struct Net {
    wires: BTreeMap<WireId, Wire>,
    by_end: BTreeMap<(NodeId, LinkId), (WireId, Side)>,
    opened: u64,
    /// Nodes behind a translator, and how long it keeps what it remembers of one of their links.
    translators: BTreeMap<NodeId, Latency>,
    /// Nodes whose TCP gets no answer to its questions.
    swallowed: BTreeSet<NodeId>,
    /// Radios of nodes behind a translator: when a packet passed last, and how often one came after quiet.
    radios: BTreeMap<NodeId, (Mono, u64)>,
}

/// Quiet after which a radio sleeps. Source: ours; as `client::direct::Usage` has it for wake-ups.
const RADIO_SLEEPS_AFTER: Duration = Duration::from_secs(2);

impl Net {
    /// Adds a link that is not up at either end.
    pub(super) fn open(&mut self, opener: (NodeId, LinkId), accepter: (NodeId, LinkId)) -> WireId {
        let wire = WireId(self.opened);
        self.opened += 1;
        let end = |(node, link)| End {
            node,
            link,
            state: EndState::Connecting,
            last_arrival: Mono::ZERO,
            heard: Mono::ZERO,
            probing: Probing::default(),
        };
        let (opener_end, accepter_end) = (end(opener), end(accepter));
        let (life, mapping) = (Life::Alive, None);
        self.wires.insert(wire, Wire { opener: opener_end, accepter: accepter_end, life, mapping });
        self.by_end.insert(opener, (wire, Side::Opener));
        self.by_end.insert(accepter, (wire, Side::Accepter));
        wire
    }

    /// The link a node knows by this name.
    pub(super) fn find(&self, node: NodeId, link: LinkId) -> Option<(WireId, Side)> {
        self.by_end.get(&(node, link)).copied()
    }

    /// One end, while it is not down.
    pub(super) fn end(&self, wire: WireId, side: Side) -> Option<End> {
        let end = self.wires.get(&wire)?.end(side);
        (end.state != EndState::Down).then_some(*end)
    }

    /// When something sent at `earliest` arrives: not before anything sent earlier.
    pub(super) fn arrival(&mut self, wire: WireId, side: Side, earliest: Mono) -> Mono {
        let Some(entry) = self.wires.get_mut(&wire) else { return earliest };
        let end = entry.end_mut(side);
        end.last_arrival = end.last_arrival.max(earliest);
        end.last_arrival
    }

    /// Marks one end as up.
    pub(super) fn set_up(&mut self, wire: WireId, side: Side) {
        if let Some(entry) = self.wires.get_mut(&wire) {
            entry.end_mut(side).state = EndState::Up;
        }
    }

    /// Marks one end as down; forgets the link once both are.
    pub(super) fn set_down(&mut self, wire: WireId, side: Side) {
        let Some(entry) = self.wires.get_mut(&wire) else { return };
        let end = entry.end_mut(side);
        end.state = EndState::Down;
        self.by_end.remove(&(end.node, end.link));
        if entry.end(side.other()).state == EndState::Down {
            self.wires.remove(&wire);
        }
    }

    /// Links of a node, at whichever end, in the order they were opened.
    pub(super) fn links_of(&self, node: NodeId) -> impl Iterator<Item = WireId> {
        self.wires
            .iter()
            .filter(move |(_, wire)| wire.opener.node == node || wire.accepter.node == node)
            .map(|(id, _)| *id)
    }

    /// The two nodes of each link, opener first, and how it is.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId, Shape)> {
        self.wires.values().map(|wire| {
            let shape = match (wire.life, wire.opener.state, wire.accepter.state) {
                (Life::Dead, ..) | (_, EndState::Down, _) | (_, _, EndState::Down) => Shape::Down,
                (Life::Alive, EndState::Up, EndState::Up) => Shape::Up,
                (Life::Alive, EndState::Connecting | EndState::Up, EndState::Connecting | EndState::Up) => {
                    Shape::Connecting
                }
            };
            (wire.opener.node, wire.accepter.node, shape)
        })
    }

    /// Lets everything on the links of a node vanish from here on.
    pub(super) fn kill(&mut self, node: NodeId) {
        for wire in
            self.wires.values_mut().filter(|wire| wire.opener.node == node || wire.accepter.node == node)
        {
            wire.life = Life::Dead;
        }
    }

    /// Puts a node behind a translator, or takes it out; links that are open keep what they have.
    pub(super) fn set_translator(&mut self, node: NodeId, keeps: Option<Latency>) {
        match keeps {
            Some(keeps) => self.translators.insert(node, keeps),
            None => self.translators.remove(&node),
        };
    }

    /// Lets the translator of the opener remember a link that was opened just now.
    pub(super) fn translate(&mut self, wire: WireId, now: Mono, rng: &mut Rng) {
        let Some(entry) = self.wires.get_mut(&wire) else { return };
        if let Some(keeps) = self.translators.get(&entry.opener.node) {
            entry.mapping = Some(Mapping { keeps: keeps.draw(rng), used: now });
        }
    }

    /// Something arrived at an end, or what it sent did at the other.
    pub(super) fn hear(&mut self, wire: WireId, side: Side, now: Mono) {
        if let Some(entry) = self.wires.get_mut(&wire) {
            entry.end_mut(side).heard = now;
        }
    }

    /// Tells TCP what to do at an end; the number of this order.
    pub(super) fn set_probing(
        &mut self,
        wire: WireId,
        side: Side,
        after: Option<Duration>,
        now: Mono,
    ) -> u64 {
        let Some(entry) = self.wires.get_mut(&wire) else { return 0 };
        let end = entry.end_mut(side);
        end.heard = end.heard.max(now);
        end.probing = Probing { after, order: end.probing.order + 1, asked: None };
        end.probing.order
    }

    /// TCP's turn at an end, if the order is the latest one.
    pub(super) fn probe(&mut self, wire: WireId, side: Side, order: u64, now: Mono) -> Option<Turn> {
        let end = self.wires.get_mut(&wire)?.end_mut(side);
        let after = end.probing.after.filter(|_| end.probing.order == order && end.state == EndState::Up)?;
        // What was heard since the last question answers all of them.
        let asked = end.probing.asked.filter(|(at, _)| end.heard < *at);
        end.probing.asked = asked;
        if end.heard + after > now {
            return Some(Turn::Wait(end.heard + after));
        }
        Some(match asked {
            Some((_, times)) if times >= PROBES_MAX => Turn::Broken,
            Some(_) | None => {
                end.probing.asked = Some((now, asked.map_or(1, |(_, times)| times + 1)));
                Turn::Ask
            }
        })
    }

    /// Something is sent on a link: a translator that has forgotten it drops this and all that follows, and
    /// tells nobody.
    pub(super) fn pass(&mut self, wire: WireId, now: Mono) {
        let Some(entry) = self.wires.get_mut(&wire) else { return };
        if self.translators.contains_key(&entry.opener.node) {
            let (last, woken) = self.radios.entry(entry.opener.node).or_insert((Mono::ZERO, 0));
            *woken += u64::from(now.since(*last) >= RADIO_SLEEPS_AFTER);
            *last = now;
        }
        if let Some(mapping) = &mut entry.mapping {
            if now.since(mapping.used) > mapping.keeps {
                entry.life = Life::Dead;
            }
            mapping.used = now;
        }
    }

    /// How often packets woke the radio of a node behind a translator.
    pub(super) fn radio_wake_ups(&self, node: NodeId) -> u64 {
        self.radios.get(&node).map_or(0, |(_, woken)| *woken)
    }

    pub(super) fn swallow_probes(&mut self, node: NodeId, swallows: bool) {
        match swallows {
            true => self.swallowed.insert(node),
            false => self.swallowed.remove(&node),
        };
    }

    /// Whether TCP's questions on a link vanish.
    pub(super) fn swallows(&self, wire: WireId) -> bool {
        self.wires.get(&wire).is_some_and(|wire| self.swallowed.contains(&wire.opener.node))
    }

    /// Whether what is sent on a link vanishes.
    pub(super) fn is_dead(&self, wire: WireId) -> bool {
        self.wires.get(&wire).is_some_and(|wire| wire.life == Life::Dead)
    }

    /// The nodes at the ends of a link, the lower one first.
    pub(super) fn nodes_of(&self, wire: WireId) -> Option<(NodeId, NodeId)> {
        let wire = self.wires.get(&wire)?;
        let (a, b) = (wire.opener.node, wire.accepter.node);
        Some((a.min(b), a.max(b)))
    }

    /// The node that accepted a link.
    pub(super) fn accepter_of(&self, wire: WireId) -> Option<NodeId> {
        self.wires.get(&wire).map(|wire| wire.accepter.node)
    }

    /// Links that are up at an end at least.
    pub(super) fn len(&self) -> usize {
        self.wires.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};

    #[test]
    fn latency_stays_within_its_ends() {
        let mut rng = Seed::from_number(1).stream(Stream::World);
        let latency = Latency { min: Duration::from_millis(2), max: Duration::from_millis(3) };
        for _ in 0..200 {
            let drawn = latency.draw(&mut rng);
            assert!(drawn >= latency.min && drawn <= latency.max);
        }
        let fixed = Latency::fixed(Duration::from_millis(7));
        assert_eq!(fixed.draw(&mut rng), fixed.min);
    }

    #[test]
    fn nothing_overtakes_and_a_link_is_forgotten_when_both_ends_are_down() {
        let mut net = Net::default();
        let (a, b) = ((NodeId(0), LinkId::opened(1)), (NodeId(1), LinkId::accepted(1)));
        let wire = net.open(a, b);
        assert_eq!(net.arrival(wire, Side::Accepter, Mono::from_micros(50)), Mono::from_micros(50));
        assert_eq!(net.arrival(wire, Side::Accepter, Mono::from_micros(20)), Mono::from_micros(50));
        assert_eq!(net.arrival(wire, Side::Opener, Mono::from_micros(20)), Mono::from_micros(20));
        assert_eq!(net.find(a.0, a.1), Some((wire, Side::Opener)));
        net.set_down(wire, Side::Opener);
        assert_eq!(net.find(a.0, a.1), None);
        assert!(net.end(wire, Side::Opener).is_none());
        assert_eq!(net.len(), 1);
        net.set_down(wire, Side::Accepter);
        assert_eq!(net.len(), 0);
    }
}
