//! The verification pushes of one token: sent until the device echoes the code, with growing pauses.

use crate::base::backoff::{Backoff, BackoffPlan};
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::model::push::{PushId, PushResult};
use core::time::Duration;

/// When a verification push is sent again. The pauses are those between pushes that stay unanswered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResendPlan {
    /// Pauses. Default 2 minutes, doubled up to 1 hour. Source: ours; a device that is switched on gets a
    /// hidden push within a minute or not at all.
    pub pauses: BackoffPlan,
    /// Pushes per registration request, the first included. Default 5; then the device has to ask again.
    pub pushes_max: u8,
}

impl Default for ResendPlan {
    fn default() -> Self {
        Self {
            pauses: BackoffPlan { first: Duration::from_secs(120), max: Duration::from_secs(3600) },
            pushes_max: 5,
        }
    }
}

/// How long to keep on sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// One push that the provider accepts: the token is verified already and the device only wants its code.
    Accepted,
    /// The device has echoed the code.
    Verified,
}

/// The verification pushes of one token.
#[derive(Debug)]
pub struct Verification {
    until: Until,
    pushes: u8,
    backoff: Backoff,
    in_flight: Option<PushId>,
    /// Asked for once more while a push was out.
    is_wanted_again: bool,
}

/// What comes after a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another push, as soon as the device's budget allows.
    Now,
    /// Another push at this time, unless the code comes first.
    At(Mono),
    /// No other push.
    Finished,
}

impl Verification {
    /// A push is wanted.
    #[must_use]
    pub const fn new(until: Until) -> Self {
        Self { until, pushes: 0, backoff: Backoff::new(), in_flight: None, is_wanted_again: false }
    }

    /// The device asks once more; says whether to send now, or whether that follows the push that is out.
    pub fn want_again(&mut self, until: Until) -> bool {
        self.until = until;
        self.pushes = 0;
        self.backoff.reset();
        self.is_wanted_again = self.in_flight.is_some();
        !self.is_wanted_again
    }

    /// The push that is out.
    #[must_use]
    pub const fn in_flight(&self) -> Option<PushId> {
        self.in_flight
    }

    /// A push is out.
    pub const fn sent(&mut self, push: PushId) {
        self.pushes = self.pushes.saturating_add(1);
        self.in_flight = Some(push);
    }

    /// The push that was out has come to an end.
    pub fn landed(&mut self, now: Mono, result: &PushResult, plan: &ResendPlan, rng: &mut Rng) -> Next {
        self.in_flight = None;
        if core::mem::take(&mut self.is_wanted_again) {
            return Next::Now;
        }
        let at_least = match (result, self.until) {
            (PushResult::TokenInvalid { .. }, _) | (PushResult::Accepted, Until::Accepted) => {
                return Next::Finished;
            }
            (PushResult::TryLater { after } | PushResult::Throttled { after }, _) => *after,
            (PushResult::Accepted, Until::Verified) | (PushResult::Refused | PushResult::TooLarge, _) => {
                Duration::ZERO
            }
        };
        if self.pushes >= plan.pushes_max {
            return Next::Finished;
        }
        Next::At(now + self.backoff.next_delay(plan.pauses, rng).max(at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use crate::model::token::InvalidReason;

    const PLAN: ResendPlan = ResendPlan {
        pauses: BackoffPlan { first: Duration::from_secs(60), max: Duration::from_secs(120) },
        pushes_max: 3,
    };

    fn rng() -> Rng {
        Seed::from_number(1).stream(Stream::Jitter)
    }

    #[test]
    fn an_accepted_push_without_code_is_sent_again_so_often() {
        let mut rng = rng();
        let mut verification = Verification::new(Until::Verified);
        for (push, longest) in [(1, 60), (2, 120)] {
            verification.sent(PushId(push));
            let next = verification.landed(Mono::ZERO, &PushResult::Accepted, &PLAN, &mut rng);
            assert!(
                matches!(next, Next::At(at) if at.since(Mono::ZERO) <= Duration::from_secs(longest)
                    && at.since(Mono::ZERO) >= Duration::from_secs(longest / 2)),
                "{next:?}"
            );
        }
        verification.sent(PushId(3));
        assert_eq!(verification.landed(Mono::ZERO, &PushResult::Accepted, &PLAN, &mut rng), Next::Finished);
    }

    #[test]
    fn the_end_depends_on_the_result() {
        let hour = Duration::from_secs(3600);
        for (result, until, finished) in [
            (PushResult::Accepted, Until::Accepted, true),
            (PushResult::Refused, Until::Accepted, false),
            (PushResult::TryLater { after: hour }, Until::Accepted, false),
            (PushResult::TryLater { after: hour }, Until::Verified, false),
            (
                PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None },
                Until::Verified,
                true,
            ),
        ] {
            let mut verification = Verification::new(until);
            verification.sent(PushId(1));
            let next = verification.landed(Mono::ZERO, &result, &PLAN, &mut rng());
            assert_eq!(next == Next::Finished, finished, "{result:?} {until:?}");
            if matches!(result, PushResult::TryLater { .. }) {
                assert_eq!(next, Next::At(Mono::ZERO + hour), "no sooner than the provider asks");
            }
        }
    }

    #[test]
    fn asking_again_while_a_push_is_out_gives_a_second_push() {
        let mut verification = Verification::new(Until::Verified);
        verification.sent(PushId(1));
        assert!(!verification.want_again(Until::Verified));
        assert_eq!(verification.landed(Mono::ZERO, &PushResult::Accepted, &PLAN, &mut rng()), Next::Now);
        verification.sent(PushId(2));
        verification.landed(Mono::ZERO, &PushResult::Accepted, &PLAN, &mut rng());
        assert!(verification.want_again(Until::Accepted), "nothing is out: at once");
    }
}
