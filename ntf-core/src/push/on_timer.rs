//! Time has passed: orders that have used theirs up, lanes that may try again, and the end of all.

use core::time::Duration;

use crate::push::state::{Gate, Orders};
use crate::push::{Phase, Push, Timer};

/// How much later than the order's deadline an answer is still waited for.
///
/// The adapter keeps the deadline itself and says `TimedOut`; this is for one that does not, so that no
/// order stays in hand for ever. Source: ours.
const ANSWER_GRACE: Duration = Duration::from_secs(2);

impl Push {
    pub(super) fn on_timer(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Deadline(id) => {
                    let Some(order) = self.orders.get_mut(id) else { continue };
                    let give_up_at = order.deadline + ANSWER_GRACE;
                    let provider = order.provider;
                    if order.is_in_flight() && self.now.mono < give_up_at {
                        self.timers.set(Timer::Deadline(id), give_up_at);
                    } else {
                        if order.attempts == 0 {
                            self.give_back(id);
                        }
                        self.put_off(id, provider, |counters| &mut counters.timed_out);
                    }
                }
                Timer::Lane(provider) => {
                    if let Some(lane) = self.orders.lane_mut(provider) {
                        lane.gate = Gate::Probe { out: None };
                    }
                }
            }
        }
    }

    pub(super) fn on_stop(&mut self) {
        self.counters.dropped.add(u64::try_from(self.orders.len()).unwrap_or(u64::MAX));
        self.orders = Orders::default();
        self.shares.clear();
        self.timers.clear();
        self.outbox.clear();
        self.counters.jwt_signed.add(self.jwt.take().map_or(0, |jwt| jwt.signatures()));
        self.phase = Phase::Stopped;
    }
}
