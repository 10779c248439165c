//! How much the table of registrations holds and for how long, and how often a device may be asked for its code.

use crate::base::budget::BudgetPlan;
use core::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Bounds of the table. Source: ours, one shard of a server with a few gigabytes.
#[derive(Clone, Copy, Debug)]
pub struct TokenLimits {
    /// Registrations; beyond it the oldest one that was never verified gives way, and where there is none TNEW is
    /// refused: a stranger cannot push out who has proved itself. Device tokens are held for up to twice as many, see
    /// [`Tokens::next_rest`](crate::token::table::Tokens::next_rest). Default 1,000,000.
    pub tokens: u32,
    /// Registrations of one device token that were never verified; beyond it one goes: the oldest of the same
    /// source address, or else of the address that has the most. Where each is of another address, the oldest
    /// goes that has had its [`answer_time`](Self::answer_time), and TNEW and TRPL are refused where none has. So
    /// a stranger who knows a device token can neither keep its owner out nor push its registration out, short of
    /// asking from that many addresses; and with as many or more it can push out nobody who answers in time, and
    /// keep others out for that time, again and again if they have twice as many. Shards keep a roster together. Default 8.
    pub unverified_per_device: usize,
    /// How long a registration that was never verified keeps its place against newcomers from other addresses.
    /// Default 10 minutes. Source: ours; a device that is switched on has its code within a minute, and as
    /// many as wait at a time have theirs within eight by [`verification_pushes`](Self::verification_pushes).
    /// Longer would help strangers to keep the owner out.
    pub answer_time: Duration,
    /// Wrong codes until only registering again helps. Default 10.
    pub verification_attempts: u16,
    /// Verification pushes to one device token. Default 10 at once, then one a minute: stock apps ask for one
    /// on every start. Mends defect D20 of the reference.
    pub verification_pushes: BudgetPlan,
    /// Wrong codes for one device token, over all its registrations. Default 20 at once, then one a minute.
    /// Beyond it a registration may still answer once, and not after a wrong code of its own: a stranger who
    /// guesses must not keep the owner out.
    pub wrong_codes: BudgetPlan,
    /// How long a code is good for. Then TVFY is refused, and the next verification push, which a repeated TNEW
    /// brings, carries a fresh one. Default 1 day: the pushes that carry a code go out within hours. `None` is
    /// for ever. The reference's codes never end.
    pub code_lifetime: Option<Duration>,
    /// How long a registration that was never verified is kept after its last TNEW. Default 3 days: a device
    /// that is switched on again registers again. `None` is for ever, as for the next two.
    pub unverified_lifetime: Option<Duration>,
    /// How long a registration is kept after its provider refused the device token. Default 30 days: so long an
    /// app that is opened learns why it got no pushes.
    pub invalid_lifetime: Option<Duration>,
    /// How long a verified registration is kept after the last command for it or its subscriptions. Default 180
    /// days: clients of this project ask every few days, stock apps when they are opened, and of a device that
    /// is gone the provider tells sooner. Mends defect D21 of the reference.
    pub idle_lifetime: Option<Duration>,
}

impl Default for TokenLimits {
    fn default() -> Self {
        Self {
            tokens: 1_000_000,
            unverified_per_device: 8,
            answer_time: Duration::from_secs(600),
            verification_attempts: 10,
            verification_pushes: BudgetPlan { burst: 10, period: Duration::from_secs(60) },
            wrong_codes: BudgetPlan { burst: 20, period: Duration::from_secs(60) },
            code_lifetime: Some(DAY),
            unverified_lifetime: Some(DAY.saturating_mul(3)),
            invalid_lifetime: Some(DAY.saturating_mul(30)),
            idle_lifetime: Some(DAY.saturating_mul(180)),
        }
    }
}
