//! What other shards have booked on devices that have no registration here, until one is made.

use crate::base::budget::{Budget, Budgets};
use crate::base::time::Mono;
use crate::token::limits::TokenLimits;
use crate::token::registration::Spent;

/// Budgets by the hash of their device token.
#[derive(Debug)]
pub(super) struct Elsewhere {
    verification_pushes: Budgets,
    wrong_codes: Budgets,
}

impl Elsewhere {
    pub(super) fn new(limits: &TokenLimits) -> Self {
        // As many as there may be registrations: each has a device that may be unknown to the other shards.
        let bound = usize::try_from(limits.tokens).unwrap_or(usize::MAX);
        Self {
            verification_pushes: Budgets::new(limits.verification_pushes, bound),
            wrong_codes: Budgets::new(limits.wrong_codes, bound),
        }
    }

    /// Books one use, as far as there is something left. A full table forgets the budget that would rest first.
    pub(super) fn book(&mut self, now: Mono, device: u64, what: Spent) {
        let budgets = match what {
            Spent::VerificationPush => &mut self.verification_pushes,
            Spent::WrongCode => &mut self.wrong_codes,
        };
        let _ = budgets.admit(now, device);
    }

    /// The budgets of a device that gets a row: for verification pushes, and for wrong codes.
    pub(super) fn take(&mut self, device: u64) -> (Budget, Budget) {
        (self.verification_pushes.take(device), self.wrong_codes.take(device))
    }

    /// Budgets held: the gauge.
    pub(super) fn len(&self) -> usize {
        self.verification_pushes.len() + self.wrong_codes.len()
    }

    pub(super) fn clear(&mut self) {
        self.verification_pushes.clear();
        self.wrong_codes.clear();
    }
}
