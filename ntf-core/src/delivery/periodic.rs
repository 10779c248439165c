//! The periodic notifications of one token: a hidden push now and then, upon which the app looks for
//! messages by itself.
//!
//! The interval counts from TCRN, so a token gets its first periodic push one interval after it asked. The
//! reference never sends any, because it waits for a first one to count from. Source: `ntf-protocol` 4.6,
//! 7.2 D1.

use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::model::push::{PushId, PushResult};
use core::time::Duration;

/// Pause before a periodic push that did not get through is tried again.
///
/// Source: the granularity of `ntf-protocol` 4.6.
const RETRY_PAUSE: Duration = Duration::from_secs(300);

/// A token with periodic notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Periodic {
    minutes: u16,
    stage: Stage,
}

/// Where the next push is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A timer is set.
    Waiting,
    /// In line at this number.
    InLine(u64),
    /// An order is out.
    Out(PushId),
}

impl Periodic {
    /// Every `minutes`.
    pub(super) const fn new(minutes: u16) -> Self {
        Self { minutes, stage: Stage::Waiting }
    }

    pub(super) const fn interval(&self) -> Duration {
        Duration::from_secs(60 * self.minutes as u64)
    }

    pub(super) const fn stage(&self) -> Stage {
        self.stage
    }

    pub(super) const fn set_stage(&mut self, stage: Stage) {
        self.stage = stage;
    }

    /// When the first push is due: an interval from now, and up to a quarter later.
    ///
    /// The quarter spreads the devices: after a restart of the subscriber they come back at the same time,
    /// and would be pushed at the same time from then on. Source: ours.
    pub(super) fn first_at(&self, now: Mono, jitter: &mut Rng) -> Mono {
        let quarter = u64::from(self.minutes) * 60 * 1_000_000 / 4;
        now + self.interval() + Duration::from_micros(jitter.below(quarter))
    }

    /// When the next push is due after one that came to this end.
    pub(super) fn next_at(&self, now: Mono, result: &PushResult) -> Mono {
        match result {
            PushResult::TryLater { after } | PushResult::Throttled { after } => now + RETRY_PAUSE.max(*after),
            PushResult::Accepted
            | PushResult::Refused
            | PushResult::TooLarge
            | PushResult::TokenInvalid { .. } => now + self.interval(),
        }
    }
}
