//! Delays between attempts: growing, capped, jittered.

use crate::base::rng::Rng;
use core::time::Duration;

/// How delays grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffPlan {
    /// Upper end of the first delay.
    pub first: Duration,
    /// Upper end of every later delay.
    pub max: Duration,
}

/// A run of failed attempts.
///
/// The ceiling doubles with each failure up to the plan's maximum; the delay is drawn evenly from the
/// upper half of `0..=ceiling`, so that peers which failed together do not return together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// No failure yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { failures: 0 }
    }

    /// Counts a failure and says how long to wait.
    pub fn next_delay(&mut self, plan: BackoffPlan, rng: &mut Rng) -> Duration {
        let ceiling =
            plan.first.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX)).min(plan.max);
        self.failures = self.failures.saturating_add(1);
        let micros = u64::try_from(ceiling.as_micros()).unwrap_or(u64::MAX);
        let half = micros / 2;
        Duration::from_micros(half + rng.below(micros - half + 1))
    }

    /// Counts as many failures as make the next delay one of the longest.
    pub const fn exhaust(&mut self) {
        self.failures = u32::BITS;
    }

    /// Forgets the failures after a success.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};

    #[test]
    fn delays_grow_to_the_cap_and_stay_in_the_upper_half() {
        let plan = BackoffPlan { first: Duration::from_secs(1), max: Duration::from_secs(10) };
        let mut rng = Seed::from_number(3).stream(Stream::Jitter);
        let mut backoff = Backoff::new();
        for ceiling in [1, 2, 4, 8, 10, 10, 10] {
            let delay = backoff.next_delay(plan, &mut rng);
            let ceiling = Duration::from_secs(ceiling);
            assert!(delay >= ceiling / 2 && delay <= ceiling, "{delay:?} of {ceiling:?}");
        }
        for _ in 0..100 {
            assert!(backoff.next_delay(plan, &mut rng) <= plan.max);
        }
        backoff.reset();
        assert!(backoff.next_delay(plan, &mut rng) <= plan.first);
        backoff.exhaust();
        assert!(backoff.next_delay(plan, &mut rng) >= plan.max / 2);
    }
}
