//! Time has passed.
//!
//! What is due comes in slices, so that nobody's silence or end holds up the pushes of others.

use crate::subscriber::{Subscriber, Timer};
use crate::token::registration::Age;

/// Most things of one kind that one tick touches: timers of links and servers, those of pushes, device tokens and
/// sources that have rested, registrations and subscriptions that end. The rest follows in further ticks, which
/// are due at once; in between, orders go out and an adapter hands in what has come.
///
/// Source: ours; each takes microseconds, so a tick takes about a millisecond, and each kind has its share of it.
pub(super) const SLICE: usize = 128;

impl Subscriber {
    pub(super) fn on_timer(&mut self) {
        for _ in 0..SLICE {
            let Some(timer) = self.timers.pop_due(self.now.mono) else { break };
            match timer {
                Timer::Device(link) => self.on_silent_device(link),
                Timer::Server(server) => self.on_server_time(server),
                Timer::Ask(server) => self.ask_again(server),
                Timer::Failed(server) => self.on_failed_due(server),
            }
        }
        self.delivery.on_time(self.now, SLICE, &mut self.jitter);
        self.tokens.rest(self.now, SLICE);
        self.sources.rest(self.now, SLICE);
        self.end_registrations();
    }

    /// Drops registrations whose lifetime is over. They are unknown from here on; a registration may have thousands
    /// of subscriptions, which go before the next one ends.
    fn end_registrations(&mut self) {
        for _ in 0..SLICE {
            if let Some(ended) = self.ending {
                match self.subscriptions.first_owned_by(ended) {
                    Some(subscription) => {
                        self.counters.subscriptions.dropped.count();
                        self.drop_subscription(subscription);
                    }
                    None => self.ending = None,
                }
                continue;
            }
            let Some((token, age)) = self.tokens.ended(self.now) else { break };
            let counters = &mut self.counters.tokens;
            match age {
                Age::Unverified => counters.unverified_ended.count(),
                Age::Invalid => counters.invalid_ended.count(),
                Age::Idle => counters.idle_ended.count(),
            }
            self.delivery.forget_token(token);
            if let Some(place) = self.unproved(token) {
                self.settle(place);
            }
            self.tokens.remove(token);
            self.ending = Some(token);
        }
    }
}
