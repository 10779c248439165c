//! Shards: instances of one role that share its work without sharing memory, one per thread.
//!
//! Each shard has tables of its own. A thing belongs to one shard for life, and anybody who knows its name
//! can tell which: the names that a shard gives carry its number, and what strangers name is spread by a
//! keyed hash. Alone, a shard is the whole role.

use core::num::NonZeroU8;

/// The number of a shard among those of one role, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u8);

impl ShardId {
    /// The number, for tables of shards.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// Which shard this is, and of how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShardPlan {
    own: ShardId,
    count: NonZeroU8,
}

impl ShardPlan {
    /// The only shard there is.
    pub const ALONE: Self = Self { own: ShardId(0), count: NonZeroU8::MIN };

    /// Shard `own` of `count`, counted from 0; `None` when there is no such shard.
    #[must_use]
    pub const fn new(own: u8, count: NonZeroU8) -> Option<Self> {
        if own < count.get() { Some(Self { own: ShardId(own), count }) } else { None }
    }

    /// All shards of a role, in the order of their numbers.
    pub fn all(count: NonZeroU8) -> impl Iterator<Item = Self> {
        (0..count.get()).map(move |own| Self { own: ShardId(own), count })
    }

    /// This shard.
    #[must_use]
    pub const fn own(self) -> ShardId {
        self.own
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> NonZeroU8 {
        self.count
    }

    /// Whether there is no other.
    #[must_use]
    pub const fn is_alone(self) -> bool {
        self.count.get() == 1
    }

    /// The other shards.
    pub fn others(self) -> impl Iterator<Item = ShardId> {
        (0..self.count.get()).map(ShardId).filter(move |shard| *shard != self.own)
    }

    /// The shard that gave this name; for a name that no shard gave, any one, but always the same.
    #[must_use]
    pub fn of_name(self, name: &[u8]) -> ShardId {
        self.of_number(name.first().copied().unwrap_or_default().into())
    }

    /// The byte nearest below this one, or above it at the end, that names of this shard begin with.
    #[must_use]
    #[expect(clippy::arithmetic_side_effects, reason = "the count is not zero, and own is below it")]
    pub const fn marked(self, byte: u8) -> u8 {
        let base = byte - byte % self.count.get();
        match base.checked_add(self.own.0) {
            Some(marked) => marked,
            None => base - self.count.get() + self.own.0,
        }
    }

    /// The shard to which this hash falls.
    #[must_use]
    pub const fn of_hash(self, hash: u64) -> ShardId {
        self.of_number(hash)
    }

    /// The `number`th number that is this shard's to give, so that two shards never give the same.
    #[must_use]
    pub const fn numbered(self, number: u64) -> u64 {
        number.wrapping_mul(self.count.get() as u64).wrapping_add(self.own.0 as u64)
    }

    /// The shard that gave a number.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the remainder is below a count of one byte")]
    pub const fn of_number(self, number: u64) -> ShardId {
        ShardId((number % self.count.get() as u64) as u8)
    }
}

impl Default for ShardPlan {
    fn default() -> Self {
        Self::ALONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn count(count: u8) -> NonZeroU8 {
        NonZeroU8::new(count).unwrap_or(NonZeroU8::MIN)
    }

    #[test]
    fn a_plan_names_a_shard_that_exists() {
        for (own, of, exists) in [(0, 1, true), (1, 1, false), (3, 4, true), (4, 4, false), (254, 255, true)]
        {
            assert_eq!(ShardPlan::new(own, count(of)).is_some(), exists, "{own} of {of}");
        }
        assert_eq!(ShardPlan::new(0, count(1)), Some(ShardPlan::ALONE));
    }

    #[test]
    fn numbers_tell_whose_they_are_and_never_meet() {
        let mut all: Vec<u64> = Vec::new();
        for plan in ShardPlan::all(count(3)) {
            for number in 0..100 {
                let given = plan.numbered(number);
                assert_eq!(plan.of_number(given), plan.own());
                all.push(given);
            }
        }
        all.sort_unstable();
        assert_eq!(all, (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn any_byte_can_be_made_one_of_this_shard() {
        for of in [1, 2, 3, 127, 128, 129, 255] {
            for plan in ShardPlan::all(count(of)) {
                for byte in 0..=255 {
                    let marked = plan.marked(byte);
                    assert_eq!(plan.of_name(&[marked]), plan.own(), "{byte} for {plan:?}");
                    assert!(marked.abs_diff(byte) < of, "{byte} for {plan:?}");
                }
            }
        }
    }

    #[test]
    fn alone_everything_is_ones_own() {
        let alone = ShardPlan::ALONE;
        assert!(alone.is_alone());
        assert_eq!(alone.others().count(), 0);
        for byte in [0, 1, 200, 255] {
            assert_eq!(alone.of_name(&[byte; 24]), alone.own());
        }
        assert_eq!(alone.of_name(&[]), alone.own());
    }
}
