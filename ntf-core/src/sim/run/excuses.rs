//! Which excuse begins and ends when: what each fault may cost, and for how long.

use crate::base::time::Mono;
use crate::client::input::QueueId;
use crate::model::token::TokenStatus;
use crate::sim::fault::Fault;
use crate::sim::oracle::{Excuse, Law};
use crate::sim::run::{Phase, Run};
use crate::sim::scenario::{Deed, Entry};
use alloc::format;
use core::time::Duration;

/// How long a link may be dead before an end notices. Source: `link::keepalive`, two minutes by default,
/// and what was sent in the last moment.
const LINK_LOSS: Duration = Duration::from_secs(200);

impl Run {
    /// Excuses what a fault between a subscriber and an SMP server may cost.
    pub(super) fn may_lose_notices(&mut self, fault: Fault) {
        let is_smp = |node| self.nodes.smp.iter().any(|(smp, _)| *smp == node);
        let subscriber = |node| self.nodes.subscribers.iter().position(|(id, _)| *id == node);
        let excuse = match fault {
            Fault::Calendar(node, _) if is_smp(node) => Excuse::WrongCalendar,
            Fault::Calendar(..) | Fault::Provider(..) => return,
            Fault::Partition(a, b) | Fault::Heal(a, b) => {
                let is_between = is_smp(a) && subscriber(b).is_some() || is_smp(b) && subscriber(a).is_some();
                if !is_between {
                    return;
                }
                Excuse::NoticeLost
            }
            Fault::Cut(node)
            | Fault::HalfOpen(node)
            | Fault::Slow(node, _)
            | Fault::SwitchOff(node)
            | Fault::SwitchOn(node)
            | Fault::Restart(node) => {
                if !is_smp(node) && subscriber(node).is_none() {
                    return;
                }
                Excuse::NoticeLost
            }
        };
        let only =
            subscriber(fault.node()).filter(|_| !matches!(fault, Fault::Partition(..) | Fault::Heal(..)));
        let now = self.now();
        for (device, person) in self.people.iter().enumerate() {
            if only.is_some_and(|only| only != person.subscriber) {
                continue;
            }
            if excuse == Excuse::WrongCalendar {
                self.oracle.excuse_from(now, device, excuse);
            } else {
                self.oracle.excuse(now, now + LINK_LOSS, device, excuse);
            }
        }
    }

    /// A queue has fresh credentials. Commands on a slow connection that its device gave up may be executed after
    /// those on its next one, so the SMP server may have others by then. When everything is mended and settled, no
    /// such connection is left.
    pub(super) fn may_race(&mut self, at: Mono, device: usize, queue: QueueId) {
        let is_slow = |entry: &Entry| {
            matches!(entry.deed, Deed::Fault(Fault::Slow(..) | Fault::Partition(..) | Fault::Heal(..)))
        };
        let is_in_time = matches!(self.phase, Phase::Busy | Phase::Settling);
        let first = self.scenario.schedule.iter().find(|entry| is_slow(entry)).filter(|_| is_in_time);
        if first.is_some_and(|first| self.began + Duration::from_millis(first.at_millis) <= at) {
            self.oracle.excuse_queue_from(at, device, queue, Excuse::CredentialsRaced);
        }
    }

    /// What was broken between subscribers and SMP servers until now may cost notices for a little longer.
    pub(super) fn lose_more_notices(&mut self) {
        let now = self.now();
        for device in 0..self.people.len() {
            if self.oracle.has_had(device, Excuse::NoticeLost) {
                self.oracle.excuse(now, now + LINK_LOSS, device, Excuse::NoticeLost);
            }
        }
    }

    /// Whoever checked and is verified has no excuse from here on.
    pub(super) fn end_excuses(&mut self) {
        let now = self.now();
        for (device, person) in self.people.iter().enumerate() {
            if !person.wants_pushes {
                continue;
            }
            self.oracle.excuse_until(now, device, Excuse::SubscriberForgot);
            self.oracle.excuse_until(now, device, Excuse::NotVerified);
            self.oracle.excuse_until(now, device, Excuse::CredentialsRaced);
            if self.world.client(person.node).and_then(|client| client.token_status())
                != Some(TokenStatus::Active)
            {
                self.oracle.broke(
                    now,
                    Law::Learned,
                    format!("device {} checked and is not verified", device + 1),
                );
            }
        }
    }
}
