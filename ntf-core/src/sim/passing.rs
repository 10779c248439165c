//! What passes between the nodes of a world, for whoever draws it or asks who could read what.
//!
//! There is no TLS in a world, so a [`Parcel`] is what both ends of a connection have after theirs. Where blocks
//! are encrypted once more inside TLS, it is what lies inside TLS.

use crate::base::time::Mono;
use crate::link::event::Block;
use crate::model::push::{PushOrder, PushOutcome};
use crate::model::server::Protocol;
use crate::push::effect::Request;
use crate::sim::carry::Mail;
use crate::sim::laws::contains;
use crate::sim::net::{Shape, Side, WireId};
use crate::sim::node::{Alerts, Power, Role};
use crate::sim::provider::{ConnectionId, Reply};
use crate::sim::world::{NodeId, World};
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// Something happened to a parcel.
#[derive(Debug)]
pub(super) enum Passing {
    /// It is on its way, under this number.
    Sent { number: u64, from: NodeId, to: NodeId, fate: Fate, parcel: Parcel },
    /// It waits: nothing passes between the two.
    Held { number: u64 },
    /// What waited goes on, under another number.
    GoesOn { was: u64, number: u64, arrives: Mono },
    /// It is about to be handed over.
    Arrived { number: u64 },
    /// It has vanished.
    Lost { number: u64 },
}

/// What is to be expected when something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It will be there at this time, if nothing comes in between.
    Arrives(Mono),
    /// It vanishes.
    Vanishes,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) enum Parcel {
    /// A block of a connection between two nodes.
    Block { wire: WireId, protocol: Protocol, writer: Side, block: Block },
    /// An order within a process.
    Order(PushOrder),
    /// An outcome within a process.
    Outcome(PushOutcome),
    /// A push server's request: the path, which kind of push its headers ask for, and the body.
    Request { path: String, kind: String, body: Vec<u8> },
    /// A provider's answer.
    Answer(Reply),
    /// A provider's push.
    Push(Vec<u8>),
}

impl Parcel {
    /// What a provider reads in a request.
    pub(super) fn of_request(request: &Request) -> Self {
        let kind = request.headers.iter().find(|(name, _)| *name == "apns-push-type");
        Self::Request {
            path: request.path.clone(),
            kind: kind.map(|(_, value)| value.clone()).unwrap_or_default(),
            body: request.body.clone(),
        }
    }
}

/// A mail that somebody could see.
#[derive(Clone, Copy)]
enum Seen<'m> {
    Block { wire: WireId, side: Side, block: &'m Block },
    Order { to: NodeId, order: &'m PushOrder },
    Outcome { to: NodeId, outcome: PushOutcome },
    Request { to: NodeId, from: ConnectionId, request: &'m Request },
    Answer { to: NodeId, reply: &'m Reply },
    Push { to: NodeId, body: &'m [u8] },
}

impl Mail {
    /// What somebody could see of it; `None` where that is nothing.
    fn seen(&self) -> Option<Seen<'_>> {
        Some(match self {
            Self::Block { wire, side, block } => Seen::Block { wire: *wire, side: *side, block },
            Self::Order { to, order } => Seen::Order { to: *to, order },
            Self::Outcome { to, outcome } => Seen::Outcome { to: *to, outcome: *outcome },
            Self::Request { to, from, request } => Seen::Request { to: *to, from: *from, request },
            Self::Answer { to, reply, .. } => Seen::Answer { to: *to, reply },
            Self::Push { to, body } => Seen::Push { to: *to, body },
            Self::Up { .. }
            | Self::Sent { .. }
            | Self::Down { .. }
            | Self::Refused { .. }
            | Self::Probe { .. }
            | Self::Recognised { .. }
            | Self::Unanswered { .. } => return None,
        })
    }
}

impl World {
    /// Keeps what passes between nodes from here on, for [`take_passings`](Self::take_passings).
    pub(super) fn listen(&mut self) {
        self.passings.get_or_insert_default();
    }

    /// What passed since the last call, in order.
    pub(super) fn take_passings(&mut self) -> Vec<Passing> {
        self.passings.as_mut().map(core::mem::take).unwrap_or_default()
    }

    /// Links that are not down at both ends: opener, accepter, and how they are.
    pub(super) fn link_shapes(&self) -> impl Iterator<Item = (NodeId, NodeId, Shape)> {
        self.net.pairs()
    }

    /// Lets everything between two nodes take this much longer from here on; zero mends it.
    pub(super) fn slow_between(&mut self, a: NodeId, b: NodeId, by: Duration) {
        let pair = (a.min(b), a.max(b));
        match by {
            Duration::ZERO => self.lags.remove(&pair),
            by => self.lags.insert(pair, by),
        };
    }

    pub(super) fn lag_between(&self, a: NodeId, b: NodeId) -> Duration {
        self.lags.get(&(a.min(b), a.max(b))).copied().unwrap_or_default()
    }

    /// Says what becomes of alerts that wake no app on this device.
    pub(super) fn set_alerts(&mut self, device: NodeId, alerts: Alerts) {
        if let Some(entry) = self.nodes.get_mut(device.index()) {
            entry.alerts = alerts;
        }
    }

    /// Whether a push is for the eye only: neither hidden nor replaced by the app.
    pub(super) fn is_only_shown(&self, device: NodeId, body: &[u8]) -> bool {
        self.nodes.get(device.index()).is_some_and(|entry| entry.alerts == Alerts::Shown)
            && !contains(body, br#""content-available":1"#)
            && !contains(body, br#""mutable-content":1"#)
    }

    pub(super) fn tell_posted(&mut self, at: Mono, mail: &Mail) {
        if self.passings.is_none() {
            return;
        }
        let Some(seen) = mail.seen() else { return };
        let Some((from, to, parcel)) = self.parcel_of(seen) else { return };
        let is_dead = matches!(seen, Seen::Block { wire, .. } if self.net.is_dead(wire));
        let fate = if is_dead { Fate::Vanishes } else { Fate::Arrives(at) };
        let number = self.posted;
        self.tell_passing(Passing::Sent { number, from, to, fate, parcel });
    }

    pub(super) fn tell_held(&mut self, number: u64) {
        self.tell_passing(Passing::Held { number });
    }

    /// What was held goes on as the next mail.
    pub(super) fn tell_going_on(&mut self, was: u64, arrives: Mono) {
        self.tell_passing(Passing::GoesOn { was, number: self.posted, arrives });
    }

    /// A mail is about to be handed over, or there is nobody to take it.
    pub(super) fn tell_carried(&mut self, number: u64, mail: &Mail) {
        if self.passings.is_none() {
            return;
        }
        let Some(seen) = mail.seen() else { return };
        let is_on = |node: NodeId| self.nodes.get(node.index()).is_some_and(|entry| entry.power == Power::On);
        let arrives = match seen {
            Seen::Block { wire, side, .. } => {
                !self.net.is_dead(wire) && self.net.end(wire, side).is_some_and(|end| is_on(end.node))
            }
            Seen::Order { to, .. }
            | Seen::Outcome { to, .. }
            | Seen::Request { to, .. }
            | Seen::Answer { to, .. }
            | Seen::Push { to, .. } => is_on(to),
        };
        self.tell_passing(if arrives { Passing::Arrived { number } } else { Passing::Lost { number } });
    }

    /// Something was sent that nobody carries.
    pub(super) fn tell_vanished(&mut self, from: NodeId, to: NodeId, parcel: impl FnOnce() -> Parcel) {
        if self.passings.is_none() {
            return;
        }
        let number = self.posted;
        self.posted += 1;
        self.tell_passing(Passing::Sent { number, from, to, fate: Fate::Vanishes, parcel: parcel() });
    }

    fn tell_passing(&mut self, passing: Passing) {
        if let Some(passings) = &mut self.passings {
            passings.push(passing);
        }
    }

    /// Who sends a mail to whom, and what is in it; `None` where one of them is gone.
    fn parcel_of(&self, seen: Seen<'_>) -> Option<(NodeId, NodeId, Parcel)> {
        Some(match seen {
            Seen::Block { wire, side, block } => {
                let writer = side.other();
                let (from, to) = (self.net.end(wire, writer)?.node, self.net.end(wire, side)?.node);
                let accepter = self.net.accepter_of(wire)?;
                let protocol = self.nodes.get(accepter.index())?.role.protocol()?;
                (from, to, Parcel::Block { wire, protocol, writer, block: block.clone() })
            }
            Seen::Order { to, order } => (self.subscriber_of(to)?, to, Parcel::Order(order.clone())),
            Seen::Outcome { to, outcome } => (self.push_of(to)?, to, Parcel::Outcome(outcome)),
            Seen::Request { to, from, request } => (NodeId(from.0), to, Parcel::of_request(request)),
            Seen::Answer { to, reply } => (self.provider_of(to)?, to, Parcel::Answer(reply.clone())),
            Seen::Push { to, body } => (self.any_provider()?, to, Parcel::Push(body.to_vec())),
        })
    }

    /// The first provider: worlds that are listened to have one.
    fn any_provider(&self) -> Option<NodeId> {
        let at = self.nodes.iter().position(|node| matches!(node.role, Role::Provider { .. }))?;
        u32::try_from(at).ok().map(NodeId)
    }
}
