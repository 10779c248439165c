//! The orders of notices: which are made, held or left to an alert, and what their outcomes lead to.

use crate::base::hash::HashKey;
use crate::base::mutant;
use crate::base::rng::Rng;
use crate::base::time::{Mono, Now};
use crate::delivery::notices::{Held, Selection};
use crate::delivery::orders::{Delivery, Landed, Timer, Turn};
use crate::delivery::pacing::Decision;
use crate::delivery::policy::PushPolicy;
use crate::model::index::TokenIndex;
use crate::model::push::{CollapseId, PushId, PushKind, PushResult};
use crate::model::token::DeviceToken;
use core::time::Duration;

/// How an order of notices is to be shown to its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presentation {
    /// An alert with the notices, which the app replaces.
    Mutable,
    /// The notices, hidden.
    Hidden,
    /// An alert under this name, which stands for the notices and carries none.
    Alert(CollapseId),
}

impl Delivery {
    /// Orders what a token is owed, in a push of at most `room` bytes; `None` when nothing is wanted, or
    /// when the budget of the device or its quiet period holds it back until later.
    ///
    /// `device` hashes the device token, and is asked only where the device has a budget: most orders need none.
    /// `with` gets the order's name, how to show it, and the notices that it brings out of fresh ones,
    /// oldest first, and makes the push of them. Notices that do not fit get the next turn.
    pub fn order_message<R>(
        &mut self,
        now: Now,
        token: TokenIndex,
        device: impl FnOnce(&HashKey) -> u64,
        room: usize,
        len_of: impl Fn(&Held) -> usize,
        with: impl FnOnce(PushId, Presentation, &mut dyn Iterator<Item = &Held>) -> R,
    ) -> Option<R> {
        if !self.mailboxes.get(&token)?.notices.is_wanted() {
            return None;
        }
        match self.pacing.decide(now.mono, token, device, &self.limits) {
            Decision::Mutable => {
                self.order_notices(now, token, PushKind::Message, room, len_of, |push, notices| {
                    with(push, Presentation::Mutable, notices)
                })
            }
            Decision::Hidden => {
                let made = self.order_notices(now, token, PushKind::Hidden, room, len_of, |push, notices| {
                    with(push, Presentation::Hidden, notices)
                });
                if made.is_none() {
                    self.pacing.refund(now.mono, token);
                }
                made
            }
            Decision::Alert => self.order_alert_for_all(now, token, with),
            Decision::AlertAndHold(until) => {
                self.hold(token, until);
                let push = self.book(now, Landed { token, kind: PushKind::Alert });
                self.counters.alert_orders.count();
                if let Some(pace) = self.pacing.pace_mut(token) {
                    pace.alert_sent(push);
                }
                let alert = Presentation::Alert(self.pacing.collapse_id(token));
                Some(with(push, alert, &mut core::iter::empty()))
            }
            Decision::Hold(until) => {
                self.hold(token, until);
                None
            }
        }
    }

    /// Gives a token a policy of its own, or with `None` that of the server.
    pub fn set_policy(&mut self, token: TokenIndex, policy: Option<PushPolicy>) {
        self.pacing.set_policy(token, policy);
        self.look_again(token);
    }

    /// The policy of a token.
    #[must_use]
    pub fn policy(&self, token: TokenIndex) -> PushPolicy {
        self.pacing.policy(token, &self.limits)
    }

    /// Another shard has sent a device a hidden push. It counts here as well, as far as there is something left.
    pub fn hidden_elsewhere(&mut self, now: Now, device: &DeviceToken) {
        self.pacing.hidden_elsewhere(now.mono, device);
    }

    /// How often the pushes of a token have to be halved to pass the provider.
    #[must_use]
    pub fn shrinks(&self, token: TokenIndex) -> u8 {
        self.pacing.shrinks(token)
    }

    /// Devices with hidden pushes on the books: a gauge.
    #[must_use]
    pub fn devices_paced(&self) -> usize {
        self.pacing.devices()
    }

    fn order_notices<R>(
        &mut self,
        now: Now,
        token: TokenIndex,
        kind: PushKind,
        room: usize,
        len_of: impl Fn(&Held) -> usize,
        with: impl FnOnce(PushId, &mut dyn Iterator<Item = &Held>) -> R,
    ) -> Option<R> {
        let mailbox = self.mailboxes.get_mut(&token)?;
        let before = mailbox.notices.len();
        let (selection, ended) = mailbox.notices.select(room, len_of);
        self.held = (self.held + mailbox.notices.len()).saturating_sub(before);
        self.count(ended);
        if selection == Selection::default() {
            return None;
        }
        let push = self.book(now, Landed { token, kind });
        let mailbox = self.mailboxes.get_mut(&token)?;
        mailbox.turn = Turn::Out(push);
        let made = with(push, &mut mailbox.notices.selected(&selection));
        self.counters.ordered.add(mailbox.notices.sent(&selection).into());
        self.counters.message_orders.count();
        if kind == PushKind::Hidden {
            self.counters.hidden_orders.count();
        } else {
            self.counters.mutable_orders.count();
        }
        Some(made)
    }

    /// Orders an alert that stands for everything that is wanted.
    fn order_alert_for_all<R>(
        &mut self,
        now: Now,
        token: TokenIndex,
        with: impl FnOnce(PushId, Presentation, &mut dyn Iterator<Item = &Held>) -> R,
    ) -> Option<R> {
        let push = self.book(now, Landed { token, kind: PushKind::Alert });
        let alert = Presentation::Alert(self.pacing.collapse_id(token));
        let mailbox = self.mailboxes.get_mut(&token)?;
        mailbox.turn = Turn::Out(push);
        let made = with(push, alert, &mut mailbox.notices.wanted());
        self.counters.ordered.add(mailbox.notices.announced().into());
        self.counters.message_orders.count();
        self.counters.visible_orders.count();
        Some(made)
    }

    /// Keeps a token's notices until its budget allows a push, or its quiet period another alert.
    fn hold(&mut self, token: TokenIndex, until: Mono) {
        if let Some(mailbox) = self.mailboxes.get_mut(&token) {
            self.counters.held_by_budget.count();
            mailbox.turn = Turn::Held;
            self.timers.set(Timer::Flush(token), until);
        }
    }

    /// Something about held notices has changed: they get another decision.
    pub(super) fn look_again(&mut self, token: TokenIndex) {
        if self.mailboxes.get(&token).is_some_and(|mailbox| mailbox.turn == Turn::Held) {
            self.timers.cancel(&Timer::Flush(token));
            self.put_in_line(token);
        }
    }

    pub(super) fn land_message(
        &mut self,
        now: Now,
        landed: Landed,
        push: PushId,
        result: &PushResult,
        jitter: &mut Rng,
    ) {
        let Landed { token, kind } = landed;
        if self.pacing.pace_mut(token).is_some_and(|pace| pace.alert_landed(push)) {
            return self.land_extra_alert(now, token, result, jitter);
        }
        let Some(mailbox) = self.mailboxes.get_mut(&token) else { return };
        mailbox.turn = Turn::Idle;
        if *result == PushResult::Accepted {
            for came in mailbox.notices.flying_since() {
                self.counters.acceptance_ms.record(now.mono.since(came));
            }
        }
        match result {
            // Refused for good: the notices ride along with later ones. Source: `ntf-protocol` 3.8.
            PushResult::Accepted | PushResult::Refused | PushResult::TokenInvalid { .. } => {
                self.notices_landed(token);
            }
            PushResult::TooLarge if self.pacing.shrink(token) => {
                mailbox.notices.bounced();
                if kind == PushKind::Hidden {
                    self.pacing.refund(now.mono, token);
                }
                self.put_in_line(token);
            }
            PushResult::TooLarge => self.notices_landed(token),
            PushResult::Throttled { after } if kind == PushKind::Hidden => {
                mailbox.notices.bounced();
                self.pacing.throttled(token, now.mono + *after);
                self.put_in_line(token);
            }
            PushResult::TryLater { .. } if mutant::is("put_off_counts_as_landed") => {
                self.notices_landed(token)
            }
            PushResult::TryLater { after } | PushResult::Throttled { after } => {
                mailbox.notices.bounced();
                mailbox.turn = Turn::Pausing;
                let pause = mailbox.backoff.next_delay(self.limits.retry, jitter).max(*after);
                if !mutant::is("retry_timer_not_set") {
                    self.timers.set(Timer::Retry(token), now.mono + pause);
                }
                match kind {
                    PushKind::Hidden => self.pacing.refund(now.mono, token),
                    PushKind::Alert => self.alert_again_at(token, now.mono),
                    PushKind::Message | PushKind::Verification | PushKind::CheckMessages => {}
                }
            }
        }
    }

    fn notices_landed(&mut self, token: TokenIndex) {
        let Some(mailbox) = self.mailboxes.get_mut(&token) else { return };
        let before = mailbox.notices.len();
        mailbox.backoff.reset();
        mailbox.notices.landed();
        self.held = (self.held + mailbox.notices.len()).saturating_sub(before);
        if !mutant::is("notices_of_meanwhile_stay") {
            self.put_in_line(token);
        }
    }

    /// The alert for held notices has come to an end; the notices wait on.
    fn land_extra_alert(&mut self, now: Now, token: TokenIndex, result: &PushResult, jitter: &mut Rng) {
        let after = match result {
            PushResult::TryLater { after } | PushResult::Throttled { after } => *after,
            PushResult::Accepted
            | PushResult::Refused
            | PushResult::TooLarge
            | PushResult::TokenInvalid { .. } => Duration::ZERO,
        };
        let Some(pace) = self.pacing.pace_mut(token) else { return };
        if matches!(result, PushResult::TryLater { .. } | PushResult::Throttled { .. }) {
            let pause = pace.alert_backoff.next_delay(self.limits.retry, jitter).max(after);
            pace.alert_again_at(now.mono + pause);
            self.look_again(token);
        } else {
            pace.alert_backoff.reset();
        }
    }

    fn alert_again_at(&mut self, token: TokenIndex, at: Mono) {
        if let Some(pace) = self.pacing.pace_mut(token) {
            pace.alert_again_at(at);
        }
    }
}
