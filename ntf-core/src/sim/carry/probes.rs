//! TCP's own questions on links, as a client wants them.

use super::Mail;
use crate::link::event::DownReason;
use crate::link::keepalive::PROBE_GAP;
use crate::sim::net::{Side, Turn, WireId};
use crate::sim::world::World;

impl World {
    /// What TCP does in its turn: asks a silent peer, or gives it up.
    pub(super) fn probe(&mut self, wire: WireId, side: Side, order: u64) {
        let Some(turn) = self.net.probe(wire, side, order, self.now) else { return };
        let next = match turn {
            Turn::Wait(until) => until,
            Turn::Broken => {
                let reason = DownReason::TimedOut;
                return self.post(self.now, Mail::Down { wire, side, reason, travels: false });
            }
            Turn::Ask => {
                self.net.pass(wire, self.now);
                let is_blocked = self.net.nodes_of(wire).is_some_and(|pair| self.blocked.contains(&pair));
                if !is_blocked && !self.net.is_dead(wire) && !self.net.swallows(wire) {
                    self.net.hear(wire, side, self.now);
                }
                self.now + PROBE_GAP
            }
        };
        self.post(next, Mail::Probe { wire, side, order });
    }
}
