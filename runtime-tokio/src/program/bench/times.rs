//! How long many things took, in little memory: a count for each tenth of a millisecond up to ten seconds.

use std::time::Duration;

const STEP: Duration = Duration::from_micros(100);

/// More than this is told as this.
const STEPS: usize = 100_000;

/// Times that were taken. Its memory does not grow.
pub(super) struct Times {
    counts: Box<[u32]>,
    count: u64,
}

impl Times {
    pub(super) fn new() -> Self {
        Self { counts: vec![0; STEPS].into(), count: 0 }
    }

    pub(super) fn record(&mut self, took: Duration) {
        let step = usize::try_from(took.as_micros() / STEP.as_micros()).unwrap_or(STEPS).min(STEPS - 1);
        if let Some(count) = self.counts.get_mut(step) {
            *count = count.saturating_add(1);
        }
        self.count += 1;
    }

    /// So many in a hundred took no longer; rounded up to a tenth of a millisecond.
    pub(super) fn percentile_ms(&self, percent: u64) -> f64 {
        self.per_mille_ms(percent * 10)
    }

    /// So many in a thousand took no longer; rounded up to a tenth of a millisecond.
    pub(super) fn per_mille_ms(&self, per_mille: u64) -> f64 {
        let wanted = (self.count * per_mille).div_ceil(1000);
        let mut seen = 0;
        for (step, count) in (1_u32..).zip(&self.counts) {
            seen += u64::from(*count);
            if seen >= wanted && wanted > 0 {
                return (STEP * step).as_secs_f64() * 1000.0;
            }
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_of_known_times() {
        let mut times = Times::new();
        assert!(times.percentile_ms(99).abs() < 1e-9, "nothing was taken");
        for millis in 0..100 {
            times.record(Duration::from_millis(millis));
        }
        for (percent, expected) in [(1, 0.1), (50, 49.1), (99, 98.1), (100, 99.1)] {
            let found = times.percentile_ms(percent);
            assert!((found - expected).abs() < 1e-9, "p{percent}: {found} instead of {expected}");
        }
        for (per_mille, expected) in [(1, 0.1), (499, 49.1), (501, 50.1), (990, 98.1), (999, 99.1)] {
            let found = times.per_mille_ms(per_mille);
            assert!((found - expected).abs() < 1e-9, "{per_mille} in 1000: {found} instead of {expected}");
        }
        times.record(Duration::from_secs(3600));
        assert!((times.percentile_ms(100) - 10_000.0).abs() < 1e-9, "told as the longest there is");
    }
}
