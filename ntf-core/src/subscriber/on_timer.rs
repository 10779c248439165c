//! Time has passed.

use crate::subscriber::{Subscriber, Timer};

impl Subscriber {
    pub(super) fn on_timer(&mut self) {
        while let Some(timer) = self.timers.pop_due(self.now.mono) {
            match timer {
                Timer::Device(link) => self.on_silent_device(link),
                Timer::Server(server) => self.on_server_time(server),
                Timer::Ask(server) => self.ask_again(server),
            }
        }
        self.delivery.on_time(self.now, &mut self.jitter);
        self.tokens.rest(self.now);
    }
}
