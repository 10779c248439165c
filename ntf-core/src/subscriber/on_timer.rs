//! Time has passed.

use crate::subscriber::{Subscriber, Timer};
use crate::token::registration::Age;

/// Most registrations dropped for their age in one go; the rest follow at once, in further ones. Source: ours;
/// each may take thousands of subscriptions along.
const ENDED_SLICE: usize = 64;

impl Subscriber {
    pub(super) fn on_timer(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Device(link) => self.on_silent_device(link),
                Timer::Server(server) => self.on_server_time(server),
                Timer::Ask(server) => self.ask_again(server),
                Timer::Failed(server) => self.on_failed_due(server),
            }
        }
        self.delivery.on_time(self.now, &mut self.jitter);
        self.tokens.rest(self.now);
        self.sources.rest(self.now);
        for _ in 0..ENDED_SLICE {
            let Some((token, age)) = self.tokens.ended(self.now) else { break };
            let counters = &mut self.counters.tokens;
            match age {
                Age::Unverified => counters.unverified_ended.count(),
                Age::Invalid => counters.invalid_ended.count(),
                Age::Idle => counters.idle_ended.count(),
            }
            self.drop_token(token);
        }
    }
}
