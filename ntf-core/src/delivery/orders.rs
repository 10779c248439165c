//! The books of all tokens: whose notices wait, which orders are out, and what is due when.
//!
//! A token has at most one order of notices and one verification push out. What comes meanwhile merges in
//! its [`Notices`], so memory depends on the number of queues and never on how long a push server is away.

use crate::base::backoff::Backoff;
use crate::base::mutant;
use crate::base::rng::Rng;
use crate::base::time::{Mono, Now};
use crate::base::timers::Timers;
use crate::delivery::limits::DeliveryLimits;
use crate::delivery::meters::DeliveryCounters;
use crate::delivery::notices::{Ended, Notices};
use crate::delivery::pacing::Pacing;
use crate::delivery::periodic::Periodic;
use crate::delivery::verification::{Next, Until, Verification};
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::notification::Notice;
use crate::model::push::{PushId, PushKind, PushOutcome, PushResult};
use crate::model::shard::ShardPlan;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

mod messages;
mod periodics;
#[cfg(test)]
mod tests;

pub use self::messages::Presentation;

/// Something that wants to be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// The notices of this token.
    Message(TokenIndex),
    /// The verification push of this token.
    Verification(TokenIndex),
    /// The periodic push of this token.
    Periodic(TokenIndex),
}

/// What an outcome was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landed {
    /// The token whose order it was.
    pub token: TokenIndex,
    /// The kind of order.
    pub kind: PushKind,
}

/// Notices and verification pushes of all tokens.
#[derive(Debug)]
pub struct Delivery {
    mailboxes: BTreeMap<TokenIndex, Mailbox>,
    verifications: BTreeMap<TokenIndex, Verifying>,
    periodics: BTreeMap<TokenIndex, Periodic>,
    /// Whose turn it is, in the order they came.
    line: BTreeMap<u64, Ready>,
    line_next: u64,
    orders: BTreeMap<PushId, Landed>,
    next_push: u64,
    plan: ShardPlan,
    timers: Timers<Timer>,
    pacing: Pacing,
    held: usize,
    limits: DeliveryLimits,
    counters: DeliveryCounters,
}

#[derive(Debug, Default)]
struct Mailbox {
    notices: Notices,
    turn: Turn,
    backoff: Backoff,
}

#[derive(Debug)]
struct Verifying {
    verification: Verification,
    in_line: Option<u64>,
}

/// Where a token's notices are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    /// Nothing to do.
    #[default]
    Idle,
    /// In line at this number.
    InLine(u64),
    /// An order is out.
    Out(PushId),
    /// A timer is set.
    Pausing,
    /// Until the budget of the device allows a push, for which a timer is set, or another notice comes.
    Held,
    /// Until the token is verified.
    Parked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Retry(TokenIndex),
    Verify(TokenIndex),
    Periodic(TokenIndex),
    Lost(PushId),
    Flush(TokenIndex),
    /// The oldest notice of this token may be too old.
    Old(TokenIndex),
}

impl Delivery {
    /// Nothing to deliver. The generator makes the key under which devices are hashed.
    #[must_use]
    pub fn new(limits: DeliveryLimits, hashing: &mut Rng) -> Self {
        Self {
            mailboxes: BTreeMap::new(),
            verifications: BTreeMap::new(),
            periodics: BTreeMap::new(),
            line: BTreeMap::new(),
            line_next: 0,
            orders: BTreeMap::new(),
            next_push: 1,
            plan: ShardPlan::ALONE,
            timers: Timers::new(),
            pacing: Pacing::new(&limits, hashing),
            held: 0,
            limits,
            counters: DeliveryCounters::default(),
        }
    }

    /// Numbers orders so that those of other shards never have the same. To be said before the first order.
    #[must_use]
    pub const fn numbered_by(mut self, plan: ShardPlan) -> Self {
        self.plan = plan;
        self
    }

    /// Takes a notice in; says whether there was room. Never blocks: what is too much merges or is dropped
    /// and counted.
    pub fn take_in(
        &mut self,
        now: Mono,
        token: TokenIndex,
        subscription: SubscriptionIndex,
        notice: Notice,
    ) -> bool {
        let mailbox = self.mailboxes.get(&token).map_or(0, |mailbox| mailbox.notices.len());
        // A full table lets tokens replace their own notices, and takes nothing for others.
        let bound = if self.held < self.limits.notices { self.limits.queues_per_token } else { mailbox };
        if bound == 0 {
            self.counters.refused_full.count();
            return false;
        }
        self.counters.taken_in.count();
        let mailbox = self.mailboxes.entry(token).or_default();
        let before = mailbox.notices.len();
        let ended = mailbox.notices.take_in(now, subscription, notice, bound);
        if before == 0 {
            self.timers.set(Timer::Old(token), now + self.limits.notice_lifetime);
        }
        self.held = (self.held + mailbox.notices.len()).saturating_sub(before);
        match mailbox.turn {
            Turn::Idle => self.put_in_line(token),
            Turn::Held => self.look_again(token),
            Turn::InLine(_) | Turn::Out(_) | Turn::Pausing | Turn::Parked => {}
        }
        if !mutant::is("merged_not_counted") {
            self.count(ended);
        }
        true
    }

    /// Wants a verification push to the device of a token.
    pub fn want_verification(&mut self, token: TokenIndex, until: Until) {
        let send_now = match self.verifications.get_mut(&token) {
            Some(verifying) => verifying.verification.want_again(until),
            None => {
                let verification = Verification::new(until);
                self.verifications.insert(token, Verifying { verification, in_line: None });
                true
            }
        };
        if send_now {
            self.timers.cancel(&Timer::Verify(token));
            self.put_verification_in_line(token);
        }
    }

    /// Whose turn it is; `None` while as many orders are out as may be.
    pub fn next_ready(&mut self) -> Option<Ready> {
        if self.orders.len() >= self.limits.orders {
            return None;
        }
        let (_, ready) = self.line.pop_first()?;
        match ready {
            Ready::Message(token) => {
                if let Some(mailbox) = self.mailboxes.get_mut(&token) {
                    mailbox.turn = Turn::Idle;
                }
            }
            Ready::Verification(token) => {
                if let Some(verifying) = self.verifications.get_mut(&token) {
                    verifying.in_line = None;
                }
            }
            Ready::Periodic(token) => self.take_periodic_from_line(token),
        }
        Some(ready)
    }

    /// Whether [`next_ready`](Self::next_ready) may have something.
    #[must_use]
    pub fn has_ready(&self) -> bool {
        !self.line.is_empty() && self.orders.len() < self.limits.orders
    }

    /// Orders the verification push of a token.
    pub fn order_verification(&mut self, now: Now, token: TokenIndex) -> Option<PushId> {
        let in_flight = self.verifications.get(&token)?.verification.in_flight();
        debug_assert!(in_flight.is_none(), "a token whose push is out is not in line");
        let push = self.book(now, Landed { token, kind: PushKind::Verification });
        self.verifications.get_mut(&token)?.verification.sent(push);
        self.counters.verification_orders.count();
        Some(push)
    }

    /// Puts a verification push off.
    pub fn delay_verification(&mut self, token: TokenIndex, until: Mono) {
        if self.verifications.contains_key(&token) {
            self.timers.set(Timer::Verify(token), until);
        }
    }

    /// Keeps a token's notices until it is verified.
    pub fn park(&mut self, token: TokenIndex) {
        if let Some(mailbox) = self.mailboxes.get_mut(&token)
            && matches!(mailbox.turn, Turn::Idle | Turn::Pausing | Turn::Held)
        {
            mailbox.turn = Turn::Parked;
            self.timers.cancel(&Timer::Retry(token));
            self.timers.cancel(&Timer::Flush(token));
        }
    }

    /// The device has echoed its code: no further verification push, and parked notices get their turn.
    pub fn verified(&mut self, token: TokenIndex) {
        self.drop_verification(token);
        if self.mailboxes.get(&token).is_some_and(|mailbox| mailbox.turn == Turn::Parked) {
            self.put_in_line(token);
        }
    }

    /// The token has moved to another device: what was ordered for the old one is over, whatever comes of
    /// it, and the rest waits for the new one.
    pub fn moved(&mut self, token: TokenIndex) {
        self.drop_verification(token);
        let alert = self.pacing.moved(token);
        self.drop_order(alert);
        self.drop_periodic_order(token);
        if let Some(mailbox) = self.mailboxes.get_mut(&token) {
            let before = mailbox.notices.len();
            match mailbox.turn {
                Turn::Out(push) => {
                    self.orders.remove(&push);
                    self.timers.cancel(&Timer::Lost(push));
                    mailbox.notices.landed();
                }
                Turn::InLine(number) => _ = self.line.remove(&number),
                Turn::Pausing => self.timers.cancel(&Timer::Retry(token)),
                Turn::Held => self.timers.cancel(&Timer::Flush(token)),
                Turn::Idle | Turn::Parked => {}
            }
            mailbox.turn = Turn::Parked;
            mailbox.backoff.reset();
            self.held = (self.held + mailbox.notices.len()).saturating_sub(before);
        }
    }

    /// Takes what became of an order; `None` when nobody waits for it any more.
    pub fn on_outcome(&mut self, now: Now, outcome: PushOutcome, jitter: &mut Rng) -> Option<Landed> {
        let Some(landed) = self.orders.remove(&outcome.id) else {
            self.counters.late.count();
            return None;
        };
        self.timers.cancel(&Timer::Lost(outcome.id));
        match outcome.result {
            PushResult::Accepted => self.counters.accepted.count(),
            PushResult::TokenInvalid { .. } => self.counters.token_invalid.count(),
            PushResult::TryLater { .. } => self.counters.put_off.count(),
            PushResult::Throttled { .. } => self.counters.throttled.count(),
            PushResult::TooLarge => self.counters.too_large.count(),
            PushResult::Refused => self.counters.refused.count(),
        }
        self.land(now, landed, outcome, jitter);
        Some(landed)
    }

    /// Lets what is due have its turn, so many things at most and the rest at the next call; orders without outcome
    /// count as put off.
    pub fn on_time(&mut self, now: Now, at_most: usize, jitter: &mut Rng) {
        for _ in 0..at_most {
            let Some(timer) = self.timers.pop_due(now.mono) else { return };
            match timer {
                Timer::Retry(token) | Timer::Flush(token) => self.put_in_line(token),
                Timer::Verify(token) => self.put_verification_in_line(token),
                Timer::Periodic(token) => self.put_periodic_in_line(token),
                Timer::Old(token) => self.expire(now, token),
                Timer::Lost(push) => {
                    if let Some(landed) = self.orders.remove(&push) {
                        self.counters.lost.count();
                        let result = PushResult::TryLater { after: Duration::ZERO };
                        self.land(now, landed, PushOutcome { id: push, result }, jitter);
                    }
                }
            }
        }
    }

    /// When [`on_time`](Self::on_time) has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<(Mono, &'static str)> {
        self.timers.next().map(|(at, timer)| {
            let reason = match timer {
                Timer::Retry(_) => "retry a push",
                Timer::Verify(_) => "send a verification push",
                Timer::Periodic(_) => "send a periodic push",
                Timer::Lost(_) => "give up an order",
                Timer::Flush(_) => "push what the budget held back",
                Timer::Old(_) => "let old notices go",
            };
            (at, reason)
        })
    }

    /// Prepares for the end: notices that pause get their turn at once, and there are no verification and no
    /// periodic pushes any more, because what they are about is forgotten soon. Looks at every token.
    pub fn wind_up(&mut self) {
        let verifying: Vec<_> = self.verifications.keys().copied().collect();
        verifying.into_iter().for_each(|token| self.drop_verification(token));
        let periodic: Vec<_> = self.periodics.keys().copied().collect();
        periodic.into_iter().for_each(|token| self.drop_periodic(token));
        let pausing = self.mailboxes.iter().filter(|(_, mailbox)| mailbox.turn == Turn::Pausing);
        let pausing: Vec<_> = pausing.map(|(token, _)| *token).collect();
        for token in pausing {
            self.timers.cancel(&Timer::Retry(token));
            self.put_in_line(token);
        }
    }

    /// Forgets the notice of a subscription.
    pub fn forget_subscription(&mut self, token: TokenIndex, subscription: SubscriptionIndex) {
        let removed = self.mailboxes.get_mut(&token).and_then(|mailbox| mailbox.notices.remove(subscription));
        if let Some(held) = removed {
            self.held = self.held.saturating_sub(1);
            self.counters.forgotten.add(held.is_fresh().into());
        }
    }

    /// Forgets everything of a token.
    pub fn forget_token(&mut self, token: TokenIndex) {
        self.drop_verification(token);
        self.drop_periodic(token);
        let alert = self.pacing.forget(token);
        self.drop_order(alert);
        let Some(mailbox) = self.drop_mailbox(token) else { return };
        self.held = self.held.saturating_sub(mailbox.notices.len());
        self.counters.forgotten.add(mailbox.notices.fresh().into());
    }

    /// Forgets everything; the counters stay.
    pub fn clear(&mut self) {
        for mailbox in self.mailboxes.values() {
            self.counters.forgotten.add(mailbox.notices.fresh().into());
            self.counters.unfinished.add(mailbox.notices.unfinished().into());
        }
        self.mailboxes.clear();
        self.verifications.clear();
        self.periodics.clear();
        self.line.clear();
        self.orders.clear();
        self.timers.clear();
        self.pacing.clear();
        self.held = 0;
    }

    /// What became of notices and orders so far.
    #[must_use]
    pub const fn counters(&self) -> &DeliveryCounters {
        &self.counters
    }

    /// Notices held: a gauge.
    #[must_use]
    pub const fn held(&self) -> usize {
        self.held
    }

    /// Notices that were never in an order. Costs a walk over all tokens with notices.
    #[must_use]
    pub fn fresh(&self) -> u64 {
        self.mailboxes.values().map(|mailbox| u64::from(mailbox.notices.fresh())).sum()
    }

    /// What an order is about that has no outcome yet.
    #[must_use]
    pub fn order(&self, push: PushId) -> Option<Landed> {
        self.orders.get(&push).copied()
    }

    /// Orders without outcome: a gauge.
    #[must_use]
    pub fn orders_out(&self) -> usize {
        self.orders.len()
    }

    /// Tokens in line for an order: a gauge.
    #[must_use]
    pub fn in_line(&self) -> usize {
        self.line.len()
    }

    /// Tokens to which verification pushes are owed: a gauge.
    #[must_use]
    pub fn verifications(&self) -> usize {
        self.verifications.len()
    }

    fn book(&mut self, now: Now, landed: Landed) -> PushId {
        let push = PushId(self.plan.numbered(self.next_push));
        self.next_push = self.next_push.wrapping_add(1);
        self.orders.insert(push, landed);
        self.timers.set(Timer::Lost(push), now.mono + self.limits.order_timeout);
        push
    }

    fn land(&mut self, now: Now, landed: Landed, outcome: PushOutcome, jitter: &mut Rng) {
        let PushOutcome { id, result } = &outcome;
        match landed.kind {
            PushKind::Message | PushKind::Hidden | PushKind::Alert => {
                self.land_message(now, landed, *id, result, jitter);
            }
            PushKind::Verification => self.land_verification(now, landed.token, result, jitter),
            PushKind::CheckMessages => self.land_periodic(now, landed.token, *id, result),
        }
    }

    fn land_verification(&mut self, now: Now, token: TokenIndex, result: &PushResult, jitter: &mut Rng) {
        if *result == PushResult::TooLarge {
            self.pacing.shrink(token);
        }
        let Some(verifying) = self.verifications.get_mut(&token) else { return };
        match verifying.verification.landed(now.mono, result, &self.limits.resend, jitter) {
            Next::Now => self.put_verification_in_line(token),
            Next::At(at) => self.timers.set(Timer::Verify(token), at),
            Next::Finished => _ = self.verifications.remove(&token),
        }
    }

    fn drop_verification(&mut self, token: TokenIndex) {
        self.timers.cancel(&Timer::Verify(token));
        let Some(dropped) = self.verifications.remove(&token) else { return };
        if let Some(number) = dropped.in_line {
            self.line.remove(&number);
        }
        self.drop_order(dropped.verification.in_flight());
    }

    /// Drops the notices of a token that are too old, and its mailbox if that leaves nothing in it.
    fn expire(&mut self, now: Now, token: TokenIndex) {
        let lifetime = self.limits.notice_lifetime;
        let Some(mailbox) = self.mailboxes.get_mut(&token) else { return };
        let before = mailbox.notices.len();
        let mut ended = Ended::default();
        while let Some(oldest) = mailbox.notices.oldest().filter(|oldest| *oldest + lifetime <= now.mono) {
            ended.expired += mailbox.notices.expire(oldest).expired;
        }
        self.held = (self.held + mailbox.notices.len()).saturating_sub(before);
        let next = match (mailbox.notices.oldest(), mailbox.turn) {
            (Some(oldest), _) => Some(oldest + lifetime),
            // The order has an end by then.
            (None, Turn::Out(_)) => Some(now.mono + self.limits.order_timeout),
            (None, Turn::Idle | Turn::InLine(_) | Turn::Pausing | Turn::Held | Turn::Parked) => None,
        };
        match next {
            Some(at) => self.timers.set(Timer::Old(token), at),
            None => _ = self.drop_mailbox(token),
        }
        self.count(ended);
    }

    /// Takes a mailbox away with its place in line, its order and its timers.
    fn drop_mailbox(&mut self, token: TokenIndex) -> Option<Mailbox> {
        let mailbox = self.mailboxes.remove(&token)?;
        self.timers.cancel(&Timer::Old(token));
        match mailbox.turn {
            Turn::InLine(number) => _ = self.line.remove(&number),
            Turn::Out(push) => self.drop_order(Some(push)),
            Turn::Pausing => self.timers.cancel(&Timer::Retry(token)),
            Turn::Held => self.timers.cancel(&Timer::Flush(token)),
            Turn::Idle | Turn::Parked => {}
        }
        Some(mailbox)
    }

    /// Forgets an order; its outcome will be late.
    fn drop_order(&mut self, push: Option<PushId>) {
        if let Some(push) = push {
            self.orders.remove(&push);
            self.timers.cancel(&Timer::Lost(push));
        }
    }

    /// Gives a token its place in line if its notices want a push.
    fn put_in_line(&mut self, token: TokenIndex) {
        let Some(mailbox) = self.mailboxes.get_mut(&token) else { return };
        mailbox.turn = Turn::Idle;
        if mailbox.notices.is_wanted() {
            mailbox.turn = Turn::InLine(self.line_next);
            self.line_up(Ready::Message(token));
        }
    }

    fn put_verification_in_line(&mut self, token: TokenIndex) {
        if let Some(verifying) = self.verifications.get_mut(&token)
            && verifying.in_line.is_none()
        {
            verifying.in_line = Some(self.line_next);
            self.line_up(Ready::Verification(token));
        }
    }

    fn line_up(&mut self, ready: Ready) {
        self.line.insert(self.line_next, ready);
        self.line_next = self.line_next.wrapping_add(1);
    }

    fn count(&mut self, ended: Ended) {
        self.counters.merged.add(ended.merged.into());
        self.counters.displaced.add(ended.displaced.into());
        self.counters.oversize.add(ended.oversize.into());
        self.counters.expired.add(ended.expired.into());
    }
}
