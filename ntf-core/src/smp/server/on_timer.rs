//! What time brings: rounds of notifications and of endings, the sweep for what has expired, links that
//! took too long.
//!
//! Rounds lie on a grid from the start of the clock, so an idle server needs no timer, and how long a
//! notification waits does not depend on when the last one came. Each tick does a slice of its round and
//! asks to be woken at once for the rest, so that a long round does not hold up the links.

use super::id::QueueNo;
use super::{Server, config};
use crate::base::id::LinkId;
use crate::base::time::{Mono, Now};
use core::time::Duration;

/// Blocks that one slice of a round may fill, over all links. Source: ours; 1 MiB, some 10 ms of work.
const ROUND_SLICE_BLOCKS: u32 = 64;

/// Links that one slice of a round may visit, so that visits that fill nothing are bounded too.
const ROUND_SLICE_LINKS: usize = 64;

/// Link deadlines handled in one tick.
const DEADLINES_PER_TICK: usize = 256;

/// Why the server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// Send NMSG.
    NotificationRound,
    /// Send END and DELD.
    EventRound,
    /// Drop what has expired.
    Sweep,
    /// A handshake took too long, or a link was silent for long.
    Link(LinkId),
}

impl Timer {
    /// The reason for logs and for tests of the deadline law.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::NotificationRound => "notification round",
            Self::EventRound => "event round",
            Self::Sweep => "expiry sweep",
            Self::Link(_) => "link deadline",
        }
    }
}

/// Where an unfinished round or sweep goes on.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    notifications: Option<LinkId>,
    endings: Option<LinkId>,
    sweep: Option<QueueNo>,
}

/// What a slice of a round left to do.
enum Slice {
    /// The round has been to all links.
    Finished,
    /// The round goes on after this link.
    GoOn(LinkId),
}

impl Server {
    /// Runs one slice of everything that is due.
    pub(super) fn on_tick(&mut self, now: Now) {
        let mut due: heapless::Vec<Timer, DEADLINES_PER_TICK> = heapless::Vec::new();
        while !due.is_full() {
            let Some(timer) = self.timers.pop_due(now.mono) else {
                break;
            };
            // There is room: the loop's condition has just said so.
            let _ = due.push(timer);
        }
        for timer in due {
            match timer {
                Timer::NotificationRound => self.on_notification_round(now),
                Timer::EventRound => self.on_event_round(now),
                Timer::Sweep => self.on_sweep(now.mono),
                Timer::Link(link) => self.on_link_deadline(now, link),
            }
        }
    }

    /// Sets the timers of rounds that have something to do, and of the sweep.
    pub(super) fn arm(&mut self, now: Mono) {
        if self.broker.link_in_line(None).is_some() {
            self.arm_at(Timer::NotificationRound, next_on_grid(now, self.config.nmsg_round));
        }
        if self.broker.link_with_endings(None).is_some() {
            self.arm_at(Timer::EventRound, next_on_grid(now, self.config.event_round));
        }
        let totals = self.broker.store().totals();
        if totals.messages > 0 || totals.notifications > 0 {
            self.arm_at(Timer::Sweep, now + self.config.sweep_every.max(config::SHORTEST));
        }
    }

    fn arm_at(&mut self, timer: Timer, at: Mono) {
        if self.timers.deadline(&timer).is_none() {
            self.timers.set(timer, at);
        }
    }

    fn on_notification_round(&mut self, now: Now) {
        let after = self.cursors.notifications.take();
        let slice = self.run_slice(after, |server, after| {
            let link = server.broker.link_in_line(after)?;
            let filled = server.send_events(link, |broker| broker.next_notification(now, link));
            Some((link, filled))
        });
        if let Slice::GoOn(link) = slice {
            self.cursors.notifications = Some(link);
            self.timers.set(Timer::NotificationRound, now.mono);
        }
    }

    fn on_event_round(&mut self, now: Now) {
        let after = self.cursors.endings.take();
        let slice = self.run_slice(after, |server, after| {
            let link = server.broker.link_with_endings(after)?;
            let filled = server.send_events(link, |broker| broker.next_ending(link));
            Some((link, filled))
        });
        if let Slice::GoOn(link) = slice {
            self.cursors.endings = Some(link);
            self.timers.set(Timer::EventRound, now.mono);
        }
    }

    /// Visits links in order until a slice's worth of blocks is filled.
    fn run_slice(
        &mut self,
        mut after: Option<LinkId>,
        mut visit: impl FnMut(&mut Self, Option<LinkId>) -> Option<(LinkId, u32)>,
    ) -> Slice {
        let mut filled = 0_u32;
        for _ in 0..ROUND_SLICE_LINKS {
            let Some((link, blocks)) = visit(self, after) else {
                return Slice::Finished;
            };
            after = Some(link);
            filled = filled.saturating_add(blocks);
            if filled >= ROUND_SLICE_BLOCKS {
                break;
            }
        }
        after.map_or(Slice::Finished, Slice::GoOn)
    }

    fn on_sweep(&mut self, now: Mono) {
        let from = self.cursors.sweep.take().unwrap_or(QueueNo(0));
        self.cursors.sweep = self.broker.sweep(now, from);
        if self.cursors.sweep.is_some() {
            self.timers.set(Timer::Sweep, now);
        }
    }
}

/// The first point after `now` on the grid of multiples of `every`.
fn next_on_grid(now: Mono, every: Duration) -> Mono {
    let every = u64::try_from(every.as_micros()).unwrap_or(u64::MAX).max(1);
    let passed = now.as_micros().checked_rem(every).unwrap_or(0);
    Mono::from_micros(now.as_micros().saturating_add(every - passed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_round_is_after_now_and_at_most_one_round_away() {
        for (now, every, expected) in [
            (0, 10, 10),
            (1, 10, 10),
            (9, 10, 10),
            (10, 10, 20),
            (11, 10, 20),
            (5, 1, 6),
            (5, 0, 6),
            (u64::MAX, 10, u64::MAX),
        ] {
            let at = next_on_grid(Mono::from_micros(now), Duration::from_micros(every));
            assert_eq!(at, Mono::from_micros(expected), "{now} every {every}");
        }
    }
}
