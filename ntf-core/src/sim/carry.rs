//! What the world does between two inputs: carries mail, fires deadlines, performs effects.

mod probes;
mod whom;
mod words;

use crate::base::id::LinkId;
use crate::base::reach::Reach;
use crate::base::time::Mono;
use crate::client::effect::Probe;
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::machine::Step;
use crate::model::push::{PushId, PushOrder, PushOutcome};
use crate::model::server::{Protocol, ServerAddress};
use crate::model::token::DeviceTag;
use crate::push::effect::{Request, RequestId};
use crate::sim::fault::{CONNECT_TIMEOUT, Weather};
use crate::sim::net::{Latency, Side, WireId};
use crate::sim::node::{Asked, Given, Node, Power, Role};
use crate::sim::passing::Parcel;
use crate::sim::provider::{ConnectionId, Reply};
use crate::sim::sight::{Loss, Sight};
use crate::sim::stranger::Reading;
use crate::sim::world::{NodeId, World};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use words::words_of;

/// Deadlines that may fire without time going on before the world calls it a broken law.
///
/// Source: ours; far above what slices of a resubscription need, and still quick to reach.
const TICKS_IN_PLACE_MAX: u32 = 10_000;

/// Something on its way.
pub(super) enum Mail {
    /// TLS is up; the opener showed these certificates.
    Up {
        wire: WireId,
        side: Side,
        session_id: Box<[u8]>,
        shown: Vec<Box<[u8]>>,
    },
    Block {
        wire: WireId,
        side: Side,
        block: Block,
    },
    Sent {
        wire: WireId,
        side: Side,
    },
    /// TCP looks whether it has to ask; the number tells whose order it follows.
    Probe {
        wire: WireId,
        side: Side,
        order: u64,
    },
    Down {
        wire: WireId,
        side: Side,
        reason: DownReason,
        /// It comes over the network, as opposed to what an end notices by itself.
        travels: bool,
    },
    Refused {
        node: NodeId,
        link: LinkId,
        reason: DownReason,
    },
    Order {
        to: NodeId,
        order: PushOrder,
    },
    Outcome {
        to: NodeId,
        outcome: PushOutcome,
    },
    /// What comes before an outcome, in the same process.
    Recognised {
        to: NodeId,
        push: PushId,
        device: DeviceTag,
    },
    Request {
        to: NodeId,
        from: ConnectionId,
        request: Request,
    },
    Answer {
        to: NodeId,
        request: RequestId,
        reply: Reply,
    },
    Unanswered {
        to: NodeId,
        request: RequestId,
        why: Silence,
    },
    Push {
        to: NodeId,
        body: Vec<u8>,
    },
}

/// Why a provider gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    Unreachable,
    TimedOut,
    Broken,
}

impl Mail {
    /// Whether it belongs to a conversation between push server and subscriber or provider that ends with
    /// this node. Links end by themselves.
    pub(super) fn concerns(&self, node: NodeId) -> bool {
        match self {
            Self::Order { to, .. }
            | Self::Outcome { to, .. }
            | Self::Recognised { to, .. }
            | Self::Answer { to, .. }
            | Self::Unanswered { to, .. } => *to == node,
            // The next process numbers its links anew.
            Self::Refused { node: of, .. } => *of == node,
            Self::Request { from, .. } => NodeId(from.0) == node,
            Self::Up { .. }
            | Self::Block { .. }
            | Self::Sent { .. }
            | Self::Probe { .. }
            | Self::Down { .. }
            | Self::Push { .. } => false,
        }
    }
}

impl World {
    /// Does the next thing: mail before deadlines of the same moment.
    pub fn step(&mut self) {
        let Some(at) = self.next_at() else { return };
        if at > self.now {
            self.ticks_in_place = 0;
            self.now = at;
        }
        if let Some(entry) = self.mail.first_entry().filter(|entry| entry.key().0 <= at) {
            let ((_, number), mail) = entry.remove_entry();
            self.carry(number, mail);
        } else if let Some((_, node)) = self.wakes.pop_first() {
            if let Some(entry) = self.nodes.get_mut(node.index()) {
                entry.wake = None;
            }
            self.ticks_in_place += 1;
            if self.ticks_in_place > TICKS_IN_PLACE_MAX {
                self.violations.push(format!("node {} announces deadlines without progress", node.0));
            } else {
                self.give(node, "tick", &[], Given::Tick);
            }
        }
    }

    pub(super) fn post(&mut self, at: Mono, mail: Mail) {
        self.tell_posted(at, &mail);
        self.mail.insert((at, self.posted), mail);
        self.posted += 1;
    }

    /// Gives a node an input, if it is on, and performs what it asks for.
    pub(super) fn give(&mut self, node: NodeId, what: &str, bytes: &[u8], given: Given<'_>) {
        let now = self.now_of(node);
        let Some(entry) = self.nodes.get_mut(node.index()).filter(|entry| entry.power == Power::On) else {
            return;
        };
        self.trace.note(now.mono, node.0, what, bytes);
        self.touched = Some(node);
        if !matches!(what, "sent" | "tick") {
            self.trace.tell(now.mono, node, || match bytes.len() {
                0 => what.into(),
                len => format!("{what} of {len} bytes"),
            });
        }
        if entry.role.give(now, given).is_err() {
            self.violations.push(format!("node {} was given {what}, which is none of its inputs", node.0));
        }
        self.drain(node);
    }

    /// Polls a node to `Idle` and notes its deadline.
    pub(super) fn drain(&mut self, node: NodeId) {
        loop {
            let now = self.now_of(node);
            let Some(entry) = self.nodes.get_mut(node.index()) else { return };
            match entry.role.poll(now) {
                Step::Do(asked) => self.perform(node, asked),
                Step::Idle(deadline) => {
                    let wake = deadline.map(|deadline| deadline.at);
                    if let Some(at) = core::mem::replace(&mut entry.wake, wake) {
                        self.wakes.remove(&(at, node));
                    }
                    if let Some(at) = wake {
                        self.wakes.insert((at, node));
                    }
                    self.show(node);
                    return;
                }
            }
        }
    }

    fn carry(&mut self, number: u64, mail: Mail) {
        if let Some(pair) = self.barrier(&mail) {
            self.tell_held(number);
            self.held.push((pair, number, mail));
            return;
        }
        self.tell_carried(number, &mail);
        match mail {
            Mail::Up { wire, .. } | Mail::Block { wire, .. } | Mail::Down { wire, travels: true, .. }
                if self.net.is_dead(wire) =>
            {
                // An end that never came up has nobody to be told of it.
                if let Mail::Up { wire, side: Side::Accepter, .. } = mail {
                    self.net.set_down(wire, Side::Accepter);
                }
            }
            Mail::Up { wire, side, session_id, shown } => {
                let Some(end) = self.net.end(wire, side) else { return };
                self.net.set_up(wire, side);
                let showed_certificate = side == Side::Opener && !shown.is_empty();
                let peer_chain = match (side, self.net.end(wire, side.other())) {
                    (Side::Opener, Some(peer)) => self.chain_of(peer.node),
                    (Side::Opener, None) => Vec::new(),
                    (Side::Accepter, _) => shown,
                };
                let opener = self.net.end(wire, Side::Opener).filter(|_| side == Side::Accepter);
                let source = opener.map(|opener| opener.node.address());
                let transport =
                    Transport { session_id, has_alpn: true, peer_chain, showed_certificate, source };
                let event = LinkEvent::Up { link: end.link, transport };
                self.give(end.node, "up", &[], Given::Link(event));
            }
            Mail::Block { wire, side, mut block } => {
                let Some(end) = self.net.end(wire, side) else { return };
                self.net.hear(wire, side, self.now);
                // The machine opens the block where it lies, so the trace takes it first.
                self.trace.note(self.now, end.node.0, "bytes", &block);
                let event = LinkEvent::Block { link: end.link, block: &mut block };
                self.give(end.node, "block", &[], Given::Link(event));
            }
            Mail::Sent { wire, side } => {
                let Some(end) = self.net.end(wire, side) else { return };
                let event = LinkEvent::Sent { link: end.link, blocks: 1 };
                self.give(end.node, "sent", &[], Given::Link(event));
            }
            Mail::Probe { wire, side, order } => self.probe(wire, side, order),
            Mail::Down { wire, side, reason, .. } => {
                let Some(end) = self.net.end(wire, side) else { return };
                self.net.set_down(wire, side);
                let event = LinkEvent::Down { link: end.link, reason };
                self.give(end.node, "down", &[], Given::Link(event));
            }
            Mail::Refused { node, link, reason } if self.is_off(node) => self.note_missed(node, link, reason),
            Mail::Refused { node, link, reason } => {
                self.give(node, "refused", &[], Given::Link(LinkEvent::Down { link, reason }));
            }
            Mail::Order { to, order } => self.give(to, "order", &[], Given::Order(order)),
            Mail::Outcome { to, outcome } => self.give(to, "outcome", &[], Given::Outcome(outcome)),
            Mail::Recognised { to, push, device } => {
                self.give(to, "recognised", &[], Given::Recognised { push, device });
            }
            Mail::Request { to, from, request } => {
                // The token of the authorization header is signed with time and randomness of its
                // maker's own; the path and the body say enough.
                self.trace.note(self.now, to.0, "path", request.path.as_bytes());
                self.give(to, "request", &request.body, Given::Request { from, request: &request });
            }
            Mail::Answer { to, request, reply } => {
                let status = reply.status.to_be_bytes();
                self.give(to, "answer", &status, Given::Answer { request, reply: &reply });
            }
            Mail::Unanswered { to, request, why } => {
                self.give(to, "unanswered", &[], Given::Unanswered { request, why });
            }
            Mail::Push { to, body } if self.is_device_off(to) => self.keep_push(to, body),
            Mail::Push { to, body } if self.is_only_shown(to, &body) => {
                self.trace.note(self.now, to.0, "shown", &body);
                self.saw(|| Sight::Shown { device: to });
            }
            Mail::Push { to, body } => {
                self.saw(|| Sight::Delivered { device: to });
                self.give(to, "push", &body, Given::Pushed(&body));
            }
        }
    }

    fn perform(&mut self, node: NodeId, asked: Asked) {
        self.trace.tell(self.now, node, || words_of(&asked));
        match asked {
            Asked::Link(LinkAction::Connect { link, protocol, server, reach, showing }) => {
                self.connect((node, link), protocol, &server, reach, showing.map(|service| service.chain));
            }
            Asked::Link(LinkAction::Send { link, block }) => self.send(node, link, block),
            Asked::Link(LinkAction::Close { link }) => self.close(node, link),
            Asked::Probe(Probe { link, after }) => {
                if let Some((wire, side)) = self.net.find(node, link) {
                    let order = self.net.set_probing(wire, side, after, self.now);
                    self.post(self.now, Mail::Probe { wire, side, order });
                }
            }
            Asked::Order(order) => {
                self.saw(|| Sight::Ordered { subscriber: node, order: order.clone() });
                if let Some(to) = self.push_of(node) {
                    let at = self.after(self.config.order_latency);
                    self.post(at, Mail::Order { to, order });
                }
            }
            Asked::Outcome(outcome) => {
                self.saw(|| Sight::Ended { push: node, outcome });
                if let Some(to) = self.subscriber_of(node) {
                    let at = self.after(self.config.order_latency);
                    self.post(at, Mail::Outcome { to, outcome });
                }
            }
            Asked::Recognised { push, device } => {
                if let Some(to) = self.subscriber_of(node) {
                    self.post(self.now, Mail::Recognised { to, push, device });
                }
            }
            Asked::Request(request) => {
                self.saw(|| Sight::Requested { push: node, body: request.body.clone() });
                if let Some(to) = self.provider_of(node) {
                    self.request(node, to, request);
                }
            }
            Asked::Answer { to, request, reply } => {
                let to = NodeId(to.0);
                let at = self.after(self.config.provider_latency) + self.lag_between(node, to);
                let mail = match self.weather_of(node) {
                    Weather::Breaking => Mail::Unanswered { to, request, why: Silence::Broken },
                    Weather::Fair
                    | Weather::Unreachable
                    | Weather::Silent
                    | Weather::Refusing(_)
                    | Weather::Losing(_) => Mail::Answer { to, request, reply },
                };
                self.post(at, mail);
            }
            Asked::Deliver { token, body } => self.deliver(node, &token, body),
            Asked::Nothing => {}
        }
    }

    /// Carries a request to the provider, as far as the weather there allows.
    fn request(&mut self, from: NodeId, to: NodeId, request: Request) {
        let at = self.after(self.config.provider_latency) + self.lag_between(from, to);
        if matches!(self.weather_of(to), Weather::Unreachable | Weather::Silent) {
            self.tell_vanished(from, to, || Parcel::of_request(&request));
        }
        let (id, timeout) = (request.id, request.timeout);
        let unanswered = |why| Mail::Unanswered { to: from, request: id, why };
        match self.weather_of(to) {
            Weather::Fair | Weather::Breaking | Weather::Losing(_) => {
                self.post(at, Mail::Request { to, from: ConnectionId(from.0), request });
            }
            Weather::Unreachable => self.post(at, unanswered(Silence::Unreachable)),
            Weather::Silent => self.post(self.now + timeout, unanswered(Silence::TimedOut)),
            Weather::Refusing(status) => {
                let reply = Reply::refusal(status, "ServiceUnavailable");
                self.post(at, Mail::Answer { to: from, request: id, reply });
            }
        }
    }

    /// Carries a push to the device that owns the token, unless the provider loses it.
    fn deliver(&mut self, provider: NodeId, token: &[u8], body: Vec<u8>) {
        let Some(to) = self.owner_of(provider, token) else { return };
        if let Weather::Losing(one_in) = self.weather_of(provider)
            && self.rng.below(u64::from(one_in)) == 0
        {
            self.lose_push(to, Loss::Dropped);
            self.tell_vanished(provider, to, || Parcel::Push(body));
            return;
        }
        let at = self.after(self.config.delivery_latency);
        self.post(at, Mail::Push { to, body });
    }

    fn weather_of(&self, node: NodeId) -> Weather {
        self.nodes.get(node.index()).map(|entry| entry.weather).unwrap_or_default()
    }

    /// The listed node answers after a round trip; everything else ends in `Down`.
    fn connect(
        &mut self,
        (node, link): (NodeId, LinkId),
        protocol: Protocol,
        server: &ServerAddress,
        reach: Reach,
        showing: Option<Vec<Box<[u8]>>>,
    ) {
        let target = server.hosts.iter().find_map(|host| self.directory.get(host)).copied();
        let apart = target.map(|target| self.lag_between(node, target)).unwrap_or_default();
        let there = self.after(self.config.link_latency) + self.lag_of(node) + apart;
        if reach == Reach::Public && target.is_some_and(|target| self.is_inside(target)) {
            self.post(there, Mail::Refused { node, link, reason: DownReason::NotPublic });
            return;
        }
        let target = target.filter(|target| {
            self.nodes
                .get(target.index())
                .is_some_and(|entry| entry.power == Power::On && entry.role.protocol() == Some(protocol))
        });
        let Some(target) = target else {
            self.post(there, Mail::Refused { node, link, reason: DownReason::Unreachable });
            return;
        };
        if self.blocked.contains(&(node.min(target), node.max(target))) {
            let at = self.now + CONNECT_TIMEOUT;
            self.post(at, Mail::Refused { node, link, reason: DownReason::TimedOut });
            return;
        }
        let back = there + self.lag_of(target) + apart + self.config.link_latency.draw(&mut self.rng);
        let Some(entry) = self.nodes.get_mut(target.index()) else { return };
        let identity = entry.credentials.as_ref().and_then(|credentials| credentials.identity().ok());
        if identity != Some(server.identity) {
            self.post(back, Mail::Refused { node, link, reason: DownReason::WrongIdentity });
            return;
        }
        entry.accepted += 1;
        let accepted = LinkId::accepted(entry.accepted);
        let shown = showing.filter(|_| entry.asks_clients).unwrap_or_default();
        let wire = self.net.open((node, link), (target, accepted));
        self.net.translate(wire, self.now, &mut self.rng);
        let session_id: [u8; 32] = self.rng.bytes();
        // The opener has the last word of the handshake, so it is up half a round trip before its peer.
        let up = back + self.config.link_latency.draw(&mut self.rng);
        for (side, at) in [(Side::Opener, back), (Side::Accepter, up)] {
            let at = self.net.arrival(wire, side, at);
            self.post(at, Mail::Up { wire, side, session_id: session_id.into(), shown: shown.clone() });
        }
    }

    fn send(&mut self, node: NodeId, link: LinkId, block: Block) {
        // A block for a link that has gone down meanwhile is lost, as it is on a socket.
        let Some((wire, side)) = self.net.find(node, link) else { return };
        self.net.pass(wire, self.now);
        if !self.net.is_dead(wire) {
            // TCP confirms it.
            self.net.hear(wire, side, self.now);
        }
        let earliest = self.over(wire);
        let at = self.net.arrival(wire, side.other(), earliest);
        if self.net.end(wire, side.other()).is_some_and(|peer| !self.reads(peer.node)) {
            return;
        }
        self.post(at, Mail::Block { wire, side: side.other(), block });
        let at = self.net.arrival(wire, side, self.now);
        self.post(at, Mail::Sent { wire, side });
    }

    fn close(&mut self, node: NodeId, link: LinkId) {
        let Some((wire, side)) = self.net.find(node, link) else { return };
        self.net.pass(wire, self.now);
        let earliest = self.over(wire);
        let at = self.net.arrival(wire, side.other(), earliest);
        self.post(at, Mail::Down { wire, side: side.other(), reason: DownReason::Closed, travels: true });
        self.post(self.now, Mail::Down { wire, side, reason: DownReason::Asked, travels: false });
    }

    /// Whether a node takes what is sent to it. What it does not take fills the sender's window.
    fn reads(&self, node: NodeId) -> bool {
        match self.nodes.get(node.index()).map(|entry| &entry.role) {
            Some(Role::Stranger(machine)) => machine.reading() == Reading::All,
            Some(_) | None => true,
        }
    }

    /// When something sent over a link is there.
    fn over(&mut self, wire: WireId) -> Mono {
        let nodes = self.net.nodes_of(wire);
        let lag = nodes.map(|(a, b)| self.lag_of(a) + self.lag_of(b) + self.lag_between(a, b));
        self.after(self.config.link_latency) + lag.unwrap_or_default()
    }

    /// Whether a node's addresses are private.
    fn is_inside(&self, node: NodeId) -> bool {
        self.nodes.get(node.index()).is_some_and(|entry| entry.is_inside)
    }

    fn lag_of(&self, node: NodeId) -> Duration {
        self.nodes.get(node.index()).map(|entry| entry.lag).unwrap_or_default()
    }

    pub(super) fn after(&mut self, latency: Latency) -> Mono {
        self.now + latency.draw(&mut self.rng)
    }

    fn chain_of(&self, node: NodeId) -> Vec<Box<[u8]>> {
        let credentials = self.nodes.get(node.index()).and_then(|entry| entry.credentials.as_ref());
        credentials.map(|credentials| credentials.chain.clone()).unwrap_or_default()
    }

    fn owner_of(&self, node: NodeId, token: &[u8]) -> Option<NodeId> {
        match self.nodes.get(node.index()) {
            Some(Node { role: Role::Provider { owners, .. }, .. }) => owners.get(token).copied(),
            Some(_) | None => None,
        }
    }
}
