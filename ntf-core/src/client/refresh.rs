//! The step of a background refresh: what fits into the time that the operating system gives.
//!
//! iOS wakes an app now and then for some 30 seconds, and looks badly upon one that needs more. The step
//! looks into every queue and checks what is due, and ends when all of it is done or the time is over,
//! whichever comes first: with one event, after which the application stores the state and sleeps. What
//! is left is still intended, and goes first the next time.

use crate::base::time::{Mono, Now};
use crate::client::Client;
use crate::client::effect::Event;
use crate::client::input::{Command, Input};
use crate::client::on_timer::Timer;
use crate::machine::Machine as _;
use core::time::Duration;

/// A refresh under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refresh {
    /// Messages handed over before it.
    messages: u64,
    /// When its time is over.
    until: Mono,
}

impl Client {
    /// Does what a background refresh is for: as [`Command::Refresh`].
    pub fn refresh(&mut self, now: Now, budget: Duration) {
        self.handle(now, Input::Command(Command::Refresh { budget }));
    }

    pub(super) fn on_refresh(&mut self, now: Now, budget: Duration) {
        let until = now.mono + budget;
        self.refresh = Some(Refresh { messages: self.counters.messages.total(), until });
        self.timers.set(Timer::Refresh, until);
        // Over a connection that may have died while the app slept, the first answer would be long in coming.
        self.redial_all(now);
        self.fetch_all(now);
    }

    /// Ends the refresh if there is nothing left to do, or no time.
    pub(super) fn settle_refresh(&mut self, now: Now) {
        let Some(Refresh { messages, until }) = self.refresh else { return };
        let queues = self.line.len();
        let requests = self.servers.pending();
        if until > now.mono && queues + requests > 0 {
            return;
        }
        self.refresh = None;
        self.timers.cancel(&Timer::Refresh);
        let messages = self.counters.messages.total().saturating_sub(messages);
        self.tell(Event::Refreshed { messages, queues_left: queues, requests_left: requests });
    }
}
