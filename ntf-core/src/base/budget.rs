//! So many now, then one per period: the generic cell rate algorithm in one number.

use crate::base::time::Mono;
use core::time::Duration;

/// How much is admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BudgetPlan {
    /// How many may come at once after a rest; at least one is always admitted.
    pub burst: u32,
    /// After a burst, one per period.
    pub period: Duration,
}

/// What one key has used of its plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// When everything used so far would be paid off.
    paid_at: Mono,
}

/// The answer to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// Go ahead; it is on the books.
    Now,
    /// Ask again at this time; nothing was booked.
    Later(Mono),
}

impl Budget {
    /// Nothing used yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { paid_at: Mono::ZERO }
    }

    /// Books one use, or says when to ask again.
    pub fn admit(&mut self, now: Mono, plan: BudgetPlan) -> Admit {
        let tolerance = plan.period.saturating_mul(plan.burst.saturating_sub(1));
        let paid_at = self.paid_at.max(now);
        if paid_at > now + tolerance {
            let wait = paid_at.since(now + tolerance);
            return Admit::Later(now + wait);
        }
        self.paid_at = paid_at + plan.period;
        Admit::Now
    }

    /// Whether [`admit`](Self::admit) would say to ask again later.
    #[must_use]
    pub fn is_spent(&self, now: Mono, plan: BudgetPlan) -> bool {
        let mut copy = *self;
        copy.admit(now, plan) != Admit::Now
    }

    /// When this budget is as good as a new one, and need not be kept.
    #[must_use]
    pub const fn rested_at(&self) -> Mono {
        self.paid_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_per_period() {
        let plan = BudgetPlan { burst: 3, period: Duration::from_secs(60) };
        let at = |secs: u64| Mono::from_micros(secs * 1_000_000);
        let mut budget = Budget::new();
        for _ in 0..3 {
            assert_eq!(budget.admit(at(100), plan), Admit::Now);
        }
        assert_eq!(budget.admit(at(100), plan), Admit::Later(at(160)));
        assert!(budget.is_spent(at(159), plan) && !budget.is_spent(at(160), plan));
        assert_eq!(budget.admit(at(159), plan), Admit::Later(at(160)));
        assert_eq!(budget.admit(at(160), plan), Admit::Now);
        assert_eq!(budget.admit(at(160), plan), Admit::Later(at(220)));
        assert_eq!(budget.rested_at(), at(340));
        for _ in 0..3 {
            assert_eq!(budget.admit(at(340), plan), Admit::Now, "rested");
        }
    }

    #[test]
    fn an_empty_burst_counts_as_one() {
        let plan = BudgetPlan { burst: 0, period: Duration::from_secs(1) };
        let mut budget = Budget::new();
        assert_eq!(budget.admit(Mono::ZERO, plan), Admit::Now);
        assert_eq!(budget.admit(Mono::ZERO, plan), Admit::Later(Mono::from_micros(1_000_000)));
    }
}
