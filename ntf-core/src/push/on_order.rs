//! An order comes in: is it one that can be sent, and is there room?

use zeroize::Zeroizing;

use crate::model::push::{PushId, PushOrder, PushOutcome, PushResult};
use crate::model::token::{InvalidReason, Provider};
use crate::push::apns;
use crate::push::effect::Effect;
use crate::push::state::Order;
use crate::push::{Phase, Push, Timer};

impl Push {
    pub(super) fn on_order(&mut self, order: PushOrder) {
        // A repeat of what is in hand is the same order: it will have its outcome, once.
        if self.orders.has(order.id) {
            self.counters.repeated.count();
            return;
        }
        self.counters.orders.count();
        let id = order.id;
        if let Admit::Ended(result) = self.admit(order) {
            self.report(id, result);
        }
    }

    fn admit(&mut self, order: PushOrder) -> Admit {
        if self.phase == Phase::Draining {
            return Admit::Ended(self.later(None));
        }
        let id = order.id;
        let provider = order.device.provider;
        let is_sendable = match provider {
            Provider::ApnsNull => return Admit::Ended(PushResult::Accepted),
            Provider::ApnsTest => self.config.allow_test_provider,
            Provider::ApnsDev | Provider::ApnsProd => true,
            // Whoever holds the key opens it on the way here; without one nobody can.
            Provider::Sealed => false,
        };
        if !is_sendable || self.jwt.is_none() {
            self.counters.not_configured.count();
            return Admit::Ended(PushResult::Refused);
        }
        let Some(path) = apns::path(&order.device) else {
            let reason = InvalidReason::Bad;
            return Admit::Ended(PushResult::TokenInvalid { reason, since_millis: None });
        };
        let now = self.now.mono;
        let deadline = now + self.config.order_deadline;
        let Some(lane) = self.orders.lane_mut(provider) else {
            return Admit::Ended(PushResult::Refused);
        };
        let (is_full, held) = (lane.waiting_len() >= self.config.queue_len_max, lane.held_until());
        if is_full {
            self.counters.queue_full.count();
            return Admit::Ended(self.later(None));
        }
        // Waiting for a lane that opens only after the order's time would be waiting for nothing.
        if let Some(until) = held.filter(|until| *until >= deadline) {
            return Admit::Ended(self.later(Some(until.since(now))));
        }
        let device = self.shares.name(&order.device);
        if let Some(result) = self.limited(device) {
            return Admit::Ended(result);
        }
        // Last, so that only what is taken in is on the books.
        let share = match self.shares.take(now, order.payload.kind(), device) {
            Ok(share) => share,
            Err(at) => return Admit::Ended(PushResult::Throttled { after: at.since(now) }),
        };
        let mut order = Order::new(provider, Zeroizing::new(path), device, order.payload, deadline);
        order.share = share;
        self.seen.count(&order);
        self.timers.set(Timer::Deadline(id), deadline);
        self.orders.admit(id, order);
        Admit::InHand
    }

    /// "Later" for a device that the provider wants to be left alone, if it does.
    fn limited(&mut self, device: u64) -> Option<PushResult> {
        let now = self.now.mono;
        let until = self.shares.limited_until(now, device)?;
        self.counters.device_limited.count();
        Some(self.later(Some(until.since(now))))
    }

    /// Ends an order whose device the provider has limited while it waited; whether it did.
    pub(super) fn end_if_limited(&mut self, id: PushId) -> bool {
        let device = self.orders.get_mut(id).map(|order| order.device);
        let Some(result) = device.and_then(|device| self.limited(device)) else { return false };
        self.give_back(id);
        self.finish(id, result);
        true
    }

    /// Writes and counts the outcome of an order that is not, or no longer, in hand.
    pub(super) fn report(&mut self, id: PushId, result: PushResult) {
        match result {
            PushResult::Accepted => self.counters.accepted.count(),
            PushResult::TokenInvalid { .. } => self.counters.token_invalid.count(),
            PushResult::TryLater { .. } => self.counters.try_later.count(),
            PushResult::Throttled { .. } => self.counters.throttled.count(),
            PushResult::TooLarge => self.counters.too_large.count(),
            PushResult::Refused => self.counters.refused.count(),
        }
        self.outbox.push(Effect::Outcome(PushOutcome { id, result }));
    }
}

/// What became of an order at the door.
enum Admit {
    /// It waits for its turn.
    InHand,
    /// It ends here.
    Ended(PushResult),
}
