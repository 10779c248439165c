//! Which kind of push a token's notices get, and when: budgets of hidden pushes, quiet periods of alerts.
//!
//! Knows neither notices nor orders. A device's budget is kept under a keyed hash of its device token, so
//! that registering again is no way around it.
//!
//! Apple counts every hidden push to a device, so one budget holds notices and periodic pushes alike;
//! periodic ones take only what notices leave, since a push with notices wakes the app as well.
//! Verification pushes have a budget of their own, that of the token table: a device that is registering
//! has no notices yet, and without its code never will. Source: ours, after Apple's "two or three an hour".

use crate::base::backoff::Backoff;
use crate::base::budget::{Admit, Budgets};
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::delivery::limits::DeliveryLimits;
use crate::delivery::policy::PushPolicy;
use crate::model::index::TokenIndex;
use crate::model::push::{CollapseId, PushId};
use crate::model::token::DeviceToken;
use alloc::collections::BTreeMap;

/// How often the pushes of a token may be halved after the provider called them too large.
///
/// Source: ours; the largest payload anybody is known to send becomes smaller than Apple's limit.
const SHRINKS_MAX: u8 = 3;

/// What a token's notices get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// An alert with notices.
    Mutable,
    /// A hidden push with notices; it is on the books.
    Hidden,
    /// An alert in their place.
    Alert,
    /// An alert, and a hidden push when the budget allows or the decision is due again.
    AlertAndHold(Mono),
    /// Nothing until then.
    Hold(Mono),
}

/// The pace of all tokens.
#[derive(Debug)]
pub(super) struct Pacing {
    hash: HashKey,
    budgets: Budgets,
    /// Only of tokens that are paced, have a policy of their own, or were sent something too large.
    paces: BTreeMap<TokenIndex, Pace>,
}

/// What is known of one token's pushes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The token's own choice.
    policy: Option<PushPolicy>,
    /// Whose budget the last hidden push was booked on.
    device: Option<u64>,
    /// The push server allows no hidden push before.
    hidden_from: Mono,
    /// No alert before.
    alert_from: Mono,
    /// The alert that is out while notices are held.
    alert_out: Option<PushId>,
    /// Grows while alerts do not get through.
    pub(super) alert_backoff: Backoff,
    /// How often its pushes were halved.
    shrinks: u8,
    /// How often the token has moved to another device.
    moves: u32,
}

impl Pacing {
    pub(super) fn new(limits: &DeliveryLimits, hashing: &mut Rng) -> Self {
        Self {
            hash: HashKey::new(hashing),
            budgets: Budgets::new(limits.hidden_pushes, limits.devices_paced),
            paces: BTreeMap::new(),
        }
    }

    /// What wanted notices of a token get at this time. The hash of its device is asked for where it has a budget.
    pub(super) fn decide(
        &mut self,
        now: Mono,
        token: TokenIndex,
        device: impl FnOnce(&HashKey) -> u64,
        limits: &DeliveryLimits,
    ) -> Decision {
        let policy = self.policy(token, limits);
        if policy == PushPolicy::Mutable {
            return Decision::Mutable;
        }
        let key = device(&self.hash);
        let pace = self.paces.entry(token).or_default();
        if policy == PushPolicy::VisibleOnly {
            return match pace.admit_alert(now, limits) {
                Admit::Now => Decision::Alert,
                Admit::Later(at) => Decision::Hold(at),
            };
        }
        let hidden = if now < pace.hidden_from {
            Admit::Later(pace.hidden_from)
        } else {
            self.budgets.admit(now, key)
        };
        let hidden_at = match hidden {
            Admit::Now => {
                pace.device = Some(key);
                return Decision::Hidden;
            }
            Admit::Later(at) => at,
        };
        // An alert that is out says what another would say.
        if pace.alert_out.is_some() {
            return Decision::Hold(hidden_at);
        }
        match pace.admit_alert(now, limits) {
            Admit::Now => Decision::AlertAndHold(hidden_at.min(pace.alert_from)),
            Admit::Later(at) => Decision::Hold(hidden_at.min(at)),
        }
    }

    /// Books a periodic push, or says when to ask again.
    pub(super) fn admit_periodic(
        &mut self,
        now: Mono,
        token: TokenIndex,
        device: impl FnOnce(&HashKey) -> u64,
        limits: &DeliveryLimits,
    ) -> Admit {
        let policy = self.policy(token, limits);
        // The shortest interval the protocol allows is 20 minutes, within the budget by itself.
        if policy == PushPolicy::Mutable {
            return Admit::Now;
        }
        let key = device(&self.hash);
        let pace = self.paces.entry(token).or_default();
        if now < pace.hidden_from {
            return Admit::Later(pace.hidden_from);
        }
        let admit = self.budgets.admit_spare(now, key);
        if admit == Admit::Now {
            pace.device = Some(key);
        }
        admit
    }

    /// A hidden push went to a device from elsewhere.
    pub(super) fn hidden_elsewhere(&mut self, now: Mono, device: &DeviceToken) {
        // What is beyond the budget here was within it there.
        let _ = self.budgets.admit(now, self.hash.of(device));
    }

    /// The hidden push booked last did not reach the device.
    pub(super) fn refund(&mut self, now: Mono, token: TokenIndex) {
        if let Some(key) = self.paces.get_mut(&token).and_then(|pace| pace.device.take()) {
            self.budgets.refund(now, key);
        }
    }

    /// The push server allows no hidden push to a token's device before this time.
    pub(super) fn throttled(&mut self, token: TokenIndex, until: Mono) {
        if let Some(pace) = self.paces.get_mut(&token) {
            pace.hidden_from = pace.hidden_from.max(until);
        }
    }

    pub(super) fn policy(&self, token: TokenIndex, limits: &DeliveryLimits) -> PushPolicy {
        self.paces.get(&token).and_then(|pace| pace.policy).unwrap_or(limits.policy)
    }

    pub(super) fn set_policy(&mut self, token: TokenIndex, policy: Option<PushPolicy>) {
        self.paces.entry(token).or_default().policy = policy;
    }

    pub(super) fn pace_mut(&mut self, token: TokenIndex) -> Option<&mut Pace> {
        self.paces.get_mut(&token)
    }

    /// The name of a token's alerts: another one for another registration, and for another device.
    pub(super) fn collapse_id(&self, token: TokenIndex) -> CollapseId {
        let moves = self.paces.get(&token).map_or(0, |pace| pace.moves);
        CollapseId(self.hash.of(&(token, moves)))
    }

    pub(super) fn shrinks(&self, token: TokenIndex) -> u8 {
        self.paces.get(&token).map_or(0, |pace| pace.shrinks)
    }

    /// Halves the pushes of a token; whether that could be done once more.
    pub(super) fn shrink(&mut self, token: TokenIndex) -> bool {
        let pace = self.paces.entry(token).or_default();
        let may_shrink = pace.shrinks < SHRINKS_MAX;
        pace.shrinks += u8::from(may_shrink);
        may_shrink
    }

    /// The token has another device; gives the alert that is out for the old one.
    pub(super) fn moved(&mut self, token: TokenIndex) -> Option<PushId> {
        let pace = self.paces.get_mut(&token)?;
        let (policy, moves) = (pace.policy, pace.moves.wrapping_add(1));
        let old = core::mem::replace(pace, Pace { policy, moves, ..Pace::default() });
        old.alert_out
    }

    /// Forgets a token, but not what its device has had; gives the alert that is out.
    pub(super) fn forget(&mut self, token: TokenIndex) -> Option<PushId> {
        self.paces.remove(&token)?.alert_out
    }

    /// Devices that have used some of their budget: a gauge.
    pub(super) fn devices(&self) -> usize {
        self.budgets.len()
    }

    pub(super) fn clear(&mut self) {
        self.budgets.clear();
        self.paces.clear();
    }
}

impl Pace {
    /// Books an alert, or says when the next one may come.
    fn admit_alert(&mut self, now: Mono, limits: &DeliveryLimits) -> Admit {
        if now < self.alert_from {
            return Admit::Later(self.alert_from);
        }
        self.alert_from = now + limits.quiet;
        Admit::Now
    }

    pub(super) const fn alert_sent(&mut self, push: PushId) {
        self.alert_out = Some(push);
    }

    /// The alert that was out has come to an end; says whether it was this one.
    pub(super) fn alert_landed(&mut self, push: PushId) -> bool {
        let was_out = self.alert_out == Some(push);
        if was_out {
            self.alert_out = None;
        }
        was_out
    }

    /// The alert did not get through: the next may come as soon as this.
    pub(super) const fn alert_again_at(&mut self, at: Mono) {
        self.alert_from = at;
    }
}
