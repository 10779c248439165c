//! So many now, then one per period: the generic cell rate algorithm in one number, and a bounded table of
//! such numbers.

use crate::base::meter::Counter;
use crate::base::time::Mono;
use alloc::collections::{BTreeMap, BTreeSet};
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

    /// Takes the latest use off the books: nothing came of it.
    pub fn refund(&mut self, plan: BudgetPlan) {
        let period = u64::try_from(plan.period.as_micros()).unwrap_or(u64::MAX);
        self.paid_at = Mono::from_micros(self.paid_at.as_micros().saturating_sub(period));
    }

    /// When this budget is as good as a new one, and need not be kept.
    #[must_use]
    pub const fn rested_at(&self) -> Mono {
        self.paid_at
    }
}

/// The budgets of many keys, as keyed hashes: enough to pace them, not to tell them.
///
/// A budget is forgotten a period after it has rested. A full table forgets the one that would have rested first, and
/// counts it: that key may then have what its rest was worth, one period at most with a burst of one, and
/// no stranger who makes up keys can keep another from being admitted.
#[derive(Debug)]
pub struct Budgets {
    used: BTreeMap<u64, Budget>,
    /// The same budgets, by the time they have rested.
    resting: BTreeSet<(Mono, u64)>,
    plan: BudgetPlan,
    bound: usize,
    displaced: Counter,
}

/// Rested budgets forgotten per request: more than one, so that the table shrinks, and few, so that a
/// request after a long silence costs what any other does.
const FORGOTTEN_AT_ONCE: usize = 4;

impl Budgets {
    /// An empty table of at most `bound` keys, 1 or more, each some 100 bytes, under one plan.
    #[must_use]
    pub fn new(plan: BudgetPlan, bound: usize) -> Self {
        Self {
            used: BTreeMap::new(),
            resting: BTreeSet::new(),
            plan,
            bound: bound.max(1),
            displaced: Counter::default(),
        }
    }

    /// Books one use of a key, or says when to ask again.
    pub fn admit(&mut self, now: Mono, key: u64) -> Admit {
        self.forget_rested(now);
        let mut budget = self.used.get(&key).copied().unwrap_or_default();
        let admit = budget.admit(now, self.plan);
        if admit == Admit::Now {
            self.put(key, budget);
        }
        admit
    }

    /// Books one use of a key that has rested a period longer than [`admit`](Self::admit) asks for: what
    /// can wait takes only what others leave.
    pub fn admit_spare(&mut self, now: Mono, key: u64) -> Admit {
        if let Some(budget) = self.used.get(&key).copied() {
            let mut with_one_more = budget;
            with_one_more.paid_at = budget.paid_at + self.plan.period;
            if let Admit::Later(at) = with_one_more.admit(now, self.plan) {
                return Admit::Later(at);
            }
        }
        self.admit(now, key)
    }

    /// Takes the latest use of a key off the books.
    pub fn refund(&mut self, now: Mono, key: u64) {
        let Some(mut budget) = self.used.get(&key).copied() else { return };
        budget.refund(self.plan);
        if budget.rested_at() <= now {
            self.forget(key);
        } else {
            self.put(key, budget);
        }
    }

    /// Takes the budget of a key out of the table; a new one, if there is none.
    pub fn take(&mut self, key: u64) -> Budget {
        let budget = self.used.get(&key).copied().unwrap_or_default();
        self.forget(key);
        budget
    }

    /// Keys held: the gauge.
    #[must_use]
    pub fn len(&self) -> usize {
        self.used.len()
    }

    /// Whether no key is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.used.is_empty()
    }

    /// Budgets forgotten before they had rested, because the table was full.
    #[must_use]
    pub const fn displaced(&self) -> Counter {
        self.displaced
    }

    /// Forgets every key.
    pub fn clear(&mut self) {
        self.used.clear();
        self.resting.clear();
    }

    fn put(&mut self, key: u64, budget: Budget) {
        self.forget(key);
        if self.used.len() >= self.bound
            && let Some((_, first)) = self.resting.pop_first()
        {
            self.used.remove(&first);
            self.displaced.count();
        }
        self.used.insert(key, budget);
        self.resting.insert((budget.rested_at(), key));
    }

    fn forget(&mut self, key: u64) {
        if let Some(budget) = self.used.remove(&key) {
            self.resting.remove(&(budget.rested_at(), key));
        }
    }

    fn forget_rested(&mut self, now: Mono) {
        for _ in 0..FORGOTTEN_AT_ONCE {
            match self.resting.first().copied() {
                Some((at, key)) if at + self.plan.period <= now => self.forget(key),
                Some(_) | None => return,
            }
        }
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

    #[test]
    fn a_refund_makes_room_for_another_use() {
        let plan = BudgetPlan { burst: 1, period: Duration::from_secs(60) };
        let at = |secs: u64| Mono::from_micros(secs * 1_000_000);
        let mut budgets = Budgets::new(plan, 8);
        assert_eq!(budgets.admit(at(100), 1), Admit::Now);
        assert_eq!(budgets.admit(at(130), 1), Admit::Later(at(160)));
        budgets.refund(at(130), 1);
        assert!(budgets.is_empty(), "as good as new");
        assert_eq!(budgets.admit(at(130), 1), Admit::Now);
        assert_eq!(budgets.admit(at(130), 1), Admit::Later(at(190)));
        budgets.refund(at(130), 2);
        assert_eq!(budgets.len(), 1, "a key without a budget has nothing to give back");
    }

    #[test]
    fn what_can_wait_takes_what_others_leave() {
        let plan = BudgetPlan { burst: 1, period: Duration::from_secs(60) };
        let at = |secs: u64| Mono::from_micros(secs * 1_000_000);
        let mut budgets = Budgets::new(plan, 8);
        assert_eq!(budgets.admit_spare(at(1), 1), Admit::Now, "a new key has rested");
        assert_eq!(budgets.admit_spare(at(61), 1), Admit::Later(at(121)));
        assert_eq!(budgets.admit_spare(at(121), 1), Admit::Now);
        assert_eq!(budgets.admit(at(181), 1), Admit::Now, "the others need not wait so long");
    }

    #[test]
    fn a_full_table_forgets_what_would_have_rested_first() {
        let plan = BudgetPlan { burst: 1, period: Duration::from_secs(60) };
        let at = |secs: u64| Mono::from_micros(secs * 1_000_000);
        let mut budgets = Budgets::new(plan, 2);
        for key in 0..3 {
            assert_eq!(budgets.admit(at(100 + key), key), Admit::Now);
            assert!(budgets.len() <= 2);
        }
        assert_eq!(budgets.displaced().total(), 1);
        assert_eq!(budgets.admit(at(103), 1), Admit::Later(at(161)));
        assert_eq!(budgets.admit(at(103), 2), Admit::Later(at(162)));
        for key in 10..14 {
            assert_eq!(budgets.admit(at(1000), key), Admit::Now);
        }
        assert_eq!(budgets.displaced().total(), 3, "rested ones are not displaced");
    }
}
