//! What may go wrong in the world, as values: a run's faults can be drawn from a seed, printed, and done
//! again.
//!
//! TCP loses nothing within a connection, so loss here is what loss does to TCP: bytes come late
//! ([`Fault::Partition`]), never and unnoticed ([`Fault::HalfOpen`]), or the connection breaks
//! ([`Fault::Cut`]). Reordering happens between connections only, by their differing latencies.

use crate::base::id::LinkId;
use crate::client::Client;
use crate::link::event::{DownReason, LinkEvent};
use crate::sim::carry::Mail;
use crate::sim::net::{Latency, Side, WireId};
use crate::sim::node::{Given, Node, Power, Role};
use crate::sim::sight::{Loss, Sight};
use crate::sim::stranger::Stranger;
use crate::sim::world::{NodeId, World};
use crate::subscriber;
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Something that goes wrong, or is mended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// Every link of a node breaks, and both ends notice at once.
    Cut(NodeId),
    /// Every link of a node dies and no end notices: what is sent on it vanishes, until an end gives up.
    HalfOpen(NodeId),
    /// No bytes pass between two nodes. Links stay up, what is sent waits, new connections time out.
    Partition(NodeId, NodeId),
    /// Bytes pass again, those that waited first.
    Heal(NodeId, NodeId),
    /// Everything to and from a node takes this much longer from here on; zero mends it.
    Slow(NodeId, Duration),
    /// The machine is suspended: its links break, nobody reaches it, its timers do not fire.
    SwitchOff(NodeId),
    /// The machine goes on with the state it had; a device gets the one push its provider kept.
    SwitchOn(NodeId),
    /// The process ends and another begins. A subscriber begins with nothing, and so does the push server
    /// or the end of the relay link in the same process; a device with its saved state; an SMP server with its queues.
    Restart(NodeId),
    /// The node's calendar is off by so many milliseconds from here on; its timers are not.
    Calendar(NodeId, i64),
    /// The provider behaves so from here on.
    Provider(NodeId, Weather),
}

impl Fault {
    /// Whom it befalls, or one of them.
    #[must_use]
    pub const fn node(self) -> NodeId {
        match self {
            Self::Cut(node)
            | Self::HalfOpen(node)
            | Self::Partition(node, _)
            | Self::Heal(node, _)
            | Self::Slow(node, _)
            | Self::SwitchOff(node)
            | Self::SwitchOn(node)
            | Self::Restart(node)
            | Self::Calendar(node, _)
            | Self::Provider(node, _) => node,
        }
    }
}

/// How a provider behaves towards push servers and devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weather {
    /// As it should.
    #[default]
    Fair,
    /// Nobody gets a connection.
    Unreachable,
    /// Requests are read and not answered.
    Silent,
    /// Connections break after the request was read; pushes are delivered nevertheless.
    Breaking,
    /// Every request is refused with this status.
    Refusing(u16),
    /// Pushes are accepted and one of so many never reaches its device. At least 1.
    Losing(u8),
}

/// How long a connection to a node behind a partition is tried.
///
/// Source: `ntf-protocol` 5.1 and `smp-transport` 7.1, connect timeout.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(45);

impl World {
    /// Changes the settings of a subscriber from its next start on.
    pub fn configure(&mut self, subscriber: NodeId, change: impl FnOnce(&mut subscriber::Config)) {
        if let Some(Node { role: Role::Subscriber { config, .. }, .. }) =
            self.nodes.get_mut(subscriber.index())
        {
            change(config);
        }
    }

    /// Lets something go wrong, or mends it.
    pub fn apply(&mut self, fault: Fault) {
        self.trace.tell(self.now, fault.node(), || format!("*** {fault:?}"));
        match fault {
            Fault::Cut(node) => self.cut_links(node),
            Fault::HalfOpen(node) => self.net.kill(node),
            Fault::Partition(a, b) => _ = self.blocked.insert((a.min(b), a.max(b))),
            Fault::Heal(a, b) => self.heal((a.min(b), a.max(b))),
            Fault::Slow(node, by) => {
                if let Some(entry) = self.nodes.get_mut(node.index()) {
                    entry.lag = by;
                }
            }
            Fault::SwitchOff(node) => self.switch_off(node),
            Fault::SwitchOn(node) => self.switch_on(node),
            Fault::Restart(node) => self.restart(node),
            Fault::Calendar(node, millis) => {
                if let Some(entry) = self.nodes.get_mut(node.index()) {
                    entry.calendar_off_by = millis;
                }
            }
            Fault::Provider(node, weather) => {
                if let Some(entry) = self.nodes.get_mut(node.index()) {
                    entry.weather = weather;
                }
            }
        }
    }

    /// Puts a node behind a network address translator, which forgets a link after so long without a packet:
    /// drawn for each link that the node opens from here on. What is sent on a forgotten link vanishes.
    pub fn set_translator(&mut self, node: NodeId, keeps: Option<Latency>) {
        self.net.set_translator(node, keeps);
    }

    /// Puts a node behind something that swallows TCP's own questions on links that the node opens, or in the open.
    pub fn swallow_probes(&mut self, node: NodeId, swallows: bool) {
        self.net.swallow_probes(node, swallows);
    }

    /// How often packets on its links woke the radio of a node behind a translator, after two seconds of quiet.
    #[must_use]
    pub fn radio_wake_ups(&self, node: NodeId) -> u64 {
        self.net.radio_wake_ups(node)
    }

    /// Mends everything that [`apply`](Self::apply) may have left broken.
    pub fn mend(&mut self) {
        let blocked: Vec<_> = self.blocked.iter().copied().collect();
        for (a, b) in blocked {
            self.apply(Fault::Heal(a, b));
        }
        for index in 0..self.nodes.len() {
            let node = NodeId(u32::try_from(index).unwrap_or(u32::MAX));
            let Some(entry) = self.nodes.get(index) else { continue };
            let remedies = [
                (entry.lag > Duration::ZERO, Fault::Slow(node, Duration::ZERO)),
                (entry.calendar_off_by != 0, Fault::Calendar(node, 0)),
                (entry.weather != Weather::Fair, Fault::Provider(node, Weather::Fair)),
                (entry.power == Power::Off, Fault::SwitchOn(node)),
            ];
            for (_, remedy) in remedies.into_iter().filter(|(is_needed, _)| *is_needed) {
                self.apply(remedy);
            }
        }
    }

    /// Breaks every link of a node, at both ends.
    pub fn cut_links(&mut self, node: NodeId) {
        let wires: Vec<WireId> = self.net.links_of(node).collect();
        for wire in wires {
            for side in [Side::Opener, Side::Accepter] {
                self.post(self.now, Mail::Down { wire, side, reason: DownReason::Broken, travels: false });
            }
        }
    }

    /// As [`switch_off`](Self::switch_off), but its peers are not told that their links are gone.
    pub fn switch_off_quietly(&mut self, node: NodeId) {
        self.net.kill(node);
        let wires: Vec<WireId> = self.net.links_of(node).collect();
        for wire in wires {
            for side in [Side::Opener, Side::Accepter] {
                if self.net.end(wire, side).is_some_and(|end| end.node == node) {
                    let reason = DownReason::Broken;
                    self.post(self.now, Mail::Down { wire, side, reason, travels: false });
                }
            }
        }
        self.power_off(node);
    }

    /// Takes a node off the network: its links break, nobody reaches it, it hears nothing.
    pub fn switch_off(&mut self, node: NodeId) {
        self.cut_links(node);
        self.power_off(node);
    }

    fn power_off(&mut self, node: NodeId) {
        self.run_until(self.now);
        if let Some(entry) = self.nodes.get_mut(node.index()) {
            entry.power = Power::Off;
            if let Some(at) = entry.wake.take() {
                self.wakes.remove(&(at, node));
            }
        }
    }

    /// Brings a node back with the state it had.
    pub fn switch_on(&mut self, node: NodeId) {
        let Some(entry) = self.nodes.get_mut(node.index()) else { return };
        entry.power = Power::On;
        let missed = core::mem::take(&mut entry.missed);
        if let Some(body) = entry.kept_push.take() {
            let at = self.after(self.config.delivery_latency);
            self.post(at, Mail::Push { to: node, body });
        }
        for (link, reason) in missed {
            self.give(node, "refused", &[], Given::Link(LinkEvent::Down { link, reason }));
        }
        self.give(node, "on", &[], Given::Tick);
    }

    pub(super) fn is_off(&self, node: NodeId) -> bool {
        self.nodes.get(node.index()).is_some_and(|entry| entry.power == Power::Off)
    }

    pub(super) fn note_missed(&mut self, node: NodeId, link: LinkId, reason: DownReason) {
        if let Some(entry) = self.nodes.get_mut(node.index()) {
            entry.missed.push((link, reason));
        }
    }

    /// Ends a machine and begins another with what a process of its kind keeps; see [`Fault::Restart`].
    pub fn restart(&mut self, node: NodeId) {
        self.switch_off(node);
        let push = self.push_of(node);
        if let Some(push) = push {
            self.cut_links(push);
            self.run_until(self.now);
        }
        // What the process had asked for and what was on its way to it ends with it.
        self.mail.retain(|_, mail| !mail.concerns(node) && push.is_none_or(|push| !mail.concerns(push)));
        for node in [Some(node), push].into_iter().flatten() {
            let (seed, now) = (self.fresh_seed(), self.now_of(node));
            let Some(entry) = self.nodes.get_mut(node.index()) else { continue };
            entry.missed.clear();
            if entry.role.begin_again(seed, now).is_err() {
                self.violations.push(format!("node {} does not read the state it wrote", node.0));
            }
            self.drain(node);
        }
        self.switch_on(node);
    }

    /// Takes the machine out of a device, to look into it: a stranger stands in its place. `None` where it is no
    /// device.
    pub fn take_client(&mut self, node: NodeId) -> Option<Client> {
        let entry = self.nodes.get_mut(node.index())?;
        let stranger = Role::Stranger(Box::new(Stranger::new(None)));
        match core::mem::replace(&mut entry.role, stranger) {
            Role::Client { machine, .. } => Some(*machine),
            other @ (Role::Smp(_)
            | Role::Subscriber { .. }
            | Role::Push { .. }
            | Role::Relay(_)
            | Role::Provider { .. }
            | Role::Stranger(_)) => {
                entry.role = other;
                None
            }
        }
    }

    fn heal(&mut self, pair: (NodeId, NodeId)) {
        self.blocked.remove(&pair);
        let (free, held) = core::mem::take(&mut self.held)
            .into_iter()
            .partition::<Vec<_>, _>(|(between, ..)| *between == pair);
        self.held = held;
        for (_, number, mail) in free {
            let mut at = self.after(self.config.link_latency);
            if let Mail::Up { wire, side, .. }
            | Mail::Block { wire, side, .. }
            | Mail::Down { wire, side, .. } = &mail
            {
                at = self.net.arrival(*wire, *side, at);
            }
            self.tell_going_on(number, at);
            self.mail.insert((at, self.posted), mail);
            self.posted += 1;
        }
    }

    /// The partition that a mail runs into, if any.
    pub(super) fn barrier(&self, mail: &Mail) -> Option<(NodeId, NodeId)> {
        if self.blocked.is_empty() {
            return None;
        }
        let wire = match mail {
            Mail::Up { wire, .. } | Mail::Block { wire, .. } | Mail::Down { wire, travels: true, .. } => {
                *wire
            }
            Mail::Down { .. }
            | Mail::Sent { .. }
            | Mail::Probe { .. }
            | Mail::Refused { .. }
            | Mail::Order { .. }
            | Mail::Outcome { .. }
            | Mail::Recognised { .. }
            | Mail::Request { .. }
            | Mail::Answer { .. }
            | Mail::Unanswered { .. }
            | Mail::Push { .. } => return None,
        };
        self.net.nodes_of(wire).filter(|pair| self.blocked.contains(pair))
    }

    /// A device's push when the device cannot take it: its provider keeps the latest one only.
    pub(super) fn keep_push(&mut self, to: NodeId, body: Vec<u8>) {
        if let Some(entry) = self.nodes.get_mut(to.index())
            && entry.kept_push.replace(body).is_some()
        {
            self.lose_push(to, Loss::Replaced);
        }
    }

    pub(super) fn lose_push(&mut self, device: NodeId, loss: Loss) {
        if let Some(entry) = self.nodes.get_mut(device.index()) {
            entry.pushes_lost += 1;
            self.saw(|| Sight::Lost { device, loss });
        }
    }

    /// Pushes to a device that its provider accepted and dropped.
    #[must_use]
    pub fn pushes_lost(&self, device: NodeId) -> u64 {
        self.nodes.get(device.index()).map_or(0, |entry| entry.pushes_lost)
    }

    pub(super) fn is_device_off(&self, node: NodeId) -> bool {
        let entry = self.nodes.get(node.index());
        entry.is_some_and(|entry| entry.power == Power::Off && matches!(entry.role, Role::Client { .. }))
    }
}
