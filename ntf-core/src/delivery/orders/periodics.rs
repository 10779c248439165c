//! The periodic notifications of all tokens, among their other orders.

use crate::base::budget::Admit;
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::base::time::Now;
use crate::delivery::orders::{Delivery, Landed, Ready, Timer};
use crate::delivery::periodic::{Periodic, Stage};
use crate::model::cron::Cron;
use crate::model::index::TokenIndex;
use crate::model::push::{PushId, PushKind, PushResult};

impl Delivery {
    /// Begins periodic notifications of a token, changes their interval, or ends them.
    ///
    /// The interval counts from now in each case, the same interval asked for again included.
    pub fn set_periodic(&mut self, now: Now, token: TokenIndex, cron: Cron, jitter: &mut Rng) {
        self.drop_periodic(token);
        if let Cron::Every { minutes } = cron {
            let periodic = Periodic::new(minutes);
            self.timers.set(Timer::Periodic(token), periodic.first_at(now.mono, jitter));
            self.periodics.insert(token, periodic);
        }
    }

    /// Orders the periodic push of a token; `None` when its device's budget holds it back until later. `device` hashes
    /// the device token.
    pub fn order_periodic(
        &mut self,
        now: Now,
        token: TokenIndex,
        device: impl FnOnce(&HashKey) -> u64,
    ) -> Option<PushId> {
        debug_assert!(
            self.periodics.get(&token).is_some_and(|periodic| periodic.stage() == Stage::Waiting),
            "a token whose push is out is not in line"
        );
        if let Admit::Later(at) = self.pacing.admit_periodic(now.mono, token, device, &self.limits) {
            self.counters.periodic_held.count();
            self.timers.set(Timer::Periodic(token), at);
            return None;
        }
        let push = self.book(now, Landed { token, kind: PushKind::CheckMessages });
        self.periodics.get_mut(&token)?.set_stage(Stage::Out(push));
        self.counters.periodic_orders.count();
        Some(push)
    }

    /// Leaves a periodic push out: the token cannot have one now. The next is due an interval later.
    pub fn skip_periodic(&mut self, now: Now, token: TokenIndex) {
        if let Some(periodic) = self.periodics.get(&token) {
            self.counters.periodic_skipped.count();
            self.timers.set(Timer::Periodic(token), now.mono + periodic.interval());
        }
    }

    /// Tokens with periodic notifications: a gauge.
    #[must_use]
    pub fn periodics(&self) -> usize {
        self.periodics.len()
    }

    pub(super) fn land_periodic(&mut self, now: Now, token: TokenIndex, push: PushId, result: &PushResult) {
        if let Some(periodic) = self.periodics.get_mut(&token)
            && periodic.stage() == Stage::Out(push)
        {
            periodic.set_stage(Stage::Waiting);
            self.timers.set(Timer::Periodic(token), periodic.next_at(now.mono, result));
            match result {
                PushResult::TryLater { .. } => self.pacing.refund(now.mono, token),
                PushResult::Throttled { after } => self.pacing.throttled(token, now.mono + *after),
                PushResult::Accepted
                | PushResult::Refused
                | PushResult::TooLarge
                | PushResult::TokenInvalid { .. } => {}
            }
        }
    }

    pub(super) fn put_periodic_in_line(&mut self, token: TokenIndex) {
        if let Some(periodic) = self.periodics.get_mut(&token) {
            periodic.set_stage(Stage::InLine(self.line_next));
            self.line_up(Ready::Periodic(token));
        }
    }

    pub(super) fn take_periodic_from_line(&mut self, token: TokenIndex) {
        if let Some(periodic) = self.periodics.get_mut(&token) {
            periodic.set_stage(Stage::Waiting);
        }
    }

    /// The push that is out is for a device that the token has left: whatever comes of it says nothing about the
    /// new one. The next is due when this one would have counted as lost.
    pub(super) fn drop_periodic_order(&mut self, token: TokenIndex) {
        let Some(periodic) = self.periodics.get_mut(&token) else { return };
        if let Stage::Out(push) = periodic.stage() {
            periodic.set_stage(Stage::Waiting);
            let at = self.timers.deadline(&Timer::Lost(push)).unwrap_or_default();
            self.timers.set(Timer::Periodic(token), at);
            self.drop_order(Some(push));
        }
    }

    pub(super) fn drop_periodic(&mut self, token: TokenIndex) {
        let Some(dropped) = self.periodics.remove(&token) else { return };
        match dropped.stage() {
            Stage::Waiting => self.timers.cancel(&Timer::Periodic(token)),
            Stage::InLine(number) => _ = self.line.remove(&number),
            Stage::Out(push) => {
                self.orders.remove(&push);
                self.timers.cancel(&Timer::Lost(push));
            }
        }
    }
}
