//! One registration for each device token, though every thread registers by itself.
//!
//! A device that registers again may reach another thread than before. That thread tells the others, which
//! remove what they had. Two threads that do so at once would remove each other's: so every registration has a
//! number from one counter, and gives way to higher numbers only. Of any number of registrations at once, the one
//! with the highest number stays, in whatever order the threads hear of each other.
//!
//! The outcome of a push that was on its way when its registration gave way finds the number gone, and cannot be
//! taken for the outcome of a later registration of the same token.

use alloc::collections::BTreeMap;
use core::fmt;

use crate::host::sync::{Arc, AtomicU64, Ordering, mutant};

/// The counter that all threads number registrations from. Clones share it.
#[derive(Clone)]
pub struct Claims {
    last: Arc<AtomicU64>,
}

/// The number of a registration. Higher numbers win.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim(u64);

impl Claims {
    /// A counter that nothing was numbered from.
    #[must_use]
    pub fn new() -> Self {
        Self { last: Arc::new(AtomicU64::new(0)) }
    }

    fn next(&self) -> Claim {
        if mutant("claims_share_numbers") {
            let last = self.last.load(Ordering::Relaxed);
            self.last.store(last + 1, Ordering::Relaxed);
            return Claim(last + 1);
        }
        // Relaxed: additions to one number have one order, and what happens after another's is above it.
        Claim(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self::new()
    }
}

/// What became of a registration when another thread told of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is none here.
    Unknown,
    /// The other is later: the one here is to be removed.
    GivesWay(Claim),
    /// The one here is later. The other thread will hear of it, if it has not yet.
    Stays,
}

/// The registrations of one thread, by device token. Not shared.
///
/// As many as the thread's table of tokens has, which bounds it: whoever removes a token
/// [releases](Self::release) its claim.
#[derive(Debug)]
pub struct Ledger<K> {
    claims: Claims,
    held: BTreeMap<K, Claim>,
}

impl<K: Ord> Ledger<K> {
    /// A thread without registrations, which numbers them from `claims`.
    #[must_use]
    pub const fn new(claims: Claims) -> Self {
        Self { claims, held: BTreeMap::new() }
    }

    /// Registers, in place of an earlier registration here. All other threads must be told the claim.
    #[must_use]
    pub fn claim(&mut self, key: K) -> Claim {
        let claim = self.claims.next();
        self.held.insert(key, claim);
        claim
    }

    /// Another thread has registered the same token.
    #[must_use]
    pub fn on_other(&mut self, key: &K, other: Claim) -> Verdict {
        let Some(&held) = self.held.get(key) else { return Verdict::Unknown };
        if other < held && !mutant("claims_give_way_to_anyone") {
            return Verdict::Stays;
        }
        self.held.remove(key);
        Verdict::GivesWay(held)
    }

    /// Whether this registration is the one in force here; else what answers it is late.
    #[must_use]
    pub fn holds(&self, key: &K, claim: Claim) -> bool {
        self.held.get(key).is_some_and(|held| *held == claim || mutant("claims_outcome_by_token_only"))
    }

    /// Forgets a registration, if it is the one in force.
    pub fn release(&mut self, key: &K, claim: Claim) {
        if self.holds(key, claim) {
            self.held.remove(key);
        }
    }

    /// Registrations here.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether there is no registration here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Claims")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_at_once_the_later_stays_whoever_hears_first() {
        let claims = Claims::new();
        let (mut one, mut two) = (Ledger::new(claims.clone()), Ledger::new(claims));
        let (early, late) = (one.claim("token"), two.claim("token"));
        assert_eq!(two.on_other(&"token", early), Verdict::Stays);
        assert_eq!(one.on_other(&"token", late), Verdict::GivesWay(early));
        assert_eq!(one.on_other(&"token", late), Verdict::Unknown);
        assert_eq!((one.len(), two.len()), (0, 1));
    }

    #[test]
    fn an_outcome_counts_for_its_own_registration_only() {
        let mut ledger = Ledger::new(Claims::new());
        let early = ledger.claim("token");
        let late = ledger.claim("token");
        assert!(!ledger.holds(&"token", early));
        assert!(ledger.holds(&"token", late));
        ledger.release(&"token", early);
        assert!(ledger.holds(&"token", late));
        ledger.release(&"token", late);
        assert!(ledger.is_empty());
    }
}
