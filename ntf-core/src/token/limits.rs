//! How much the table of registrations holds, and how often a device may be asked for its code.

use crate::base::budget::BudgetPlan;
use core::time::Duration;

/// Bounds of the table. Source: ours, one shard of a server with a few gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// Registrations; beyond it TNEW is refused. Device tokens are held for up to twice as many, see
    /// [`Tokens::next_rest`](crate::token::table::Tokens::next_rest). Default 1,000,000.
    pub tokens: u32,
    /// Registrations of one device token that were never verified; beyond it the oldest one goes, so that a
    /// stranger who knows a device token cannot keep its owner out. Default 8.
    pub unverified_per_device: usize,
    /// Wrong codes until only registering again helps. Default 10.
    pub verification_attempts: u16,
    /// Verification pushes to one device token. Default 10 at once, then one a minute: stock apps ask for one
    /// on every start. Mends defect D20 of the reference.
    pub verification_pushes: BudgetPlan,
}

impl Default for TokenLimits {
    fn default() -> Self {
        Self {
            tokens: 1_000_000,
            unverified_per_device: 8,
            verification_attempts: 10,
            verification_pushes: BudgetPlan { burst: 10, period: Duration::from_secs(60) },
        }
    }
}
