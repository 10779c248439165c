//! The queues that fall to this shard and are watched, by whichever shard.

use crate::model::shard::ShardId;
use crate::subscriber::shard::{Claimed, QueueMark};
use hashbrown::HashTable;

/// Claims on queues, each with the shard that holds it; eight bytes each and the table's own.
pub(in crate::subscriber) struct Claims {
    entries: HashTable<Entry>,
    bound: usize,
}

/// The upper 56 bits of a mark, and the number of the shard that holds the claim below them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    const fn new(queue: QueueMark, holder: ShardId) -> Self {
        Self((queue.0 & !0xff) | holder.number() as u64)
    }

    /// A mark is a keyed hash, so what is kept of it is its own hash.
    const fn key(self) -> u64 {
        self.0 >> 8
    }
}

impl Claims {
    pub(in crate::subscriber) const fn new(bound: usize) -> Self {
        Self { entries: HashTable::new(), bound }
    }

    /// Claims a queue for a shard, if nobody has claimed it.
    pub(in crate::subscriber) fn claim(&mut self, queue: QueueMark, holder: ShardId) -> Claimed {
        let wanted = Entry::new(queue, holder);
        if self.entries.find(wanted.key(), |entry| entry.key() == wanted.key()).is_some() {
            return Claimed::Taken;
        }
        if self.entries.len() >= self.bound {
            return Claimed::Full;
        }
        self.entries.insert_unique(wanted.key(), wanted, |entry| entry.key());
        Claimed::Granted
    }

    /// Gives a claim up; says whether its holder had it. Nobody gives up the claim of another.
    pub(in crate::subscriber) fn release(&mut self, queue: QueueMark, holder: ShardId) -> bool {
        let held = Entry::new(queue, holder);
        match self.entries.find_entry(held.key(), |entry| *entry == held) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }

    /// Claims held: the gauge.
    pub(in crate::subscriber) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(in crate::subscriber) fn clear(&mut self) {
        self.entries = HashTable::new();
    }
}

impl core::fmt::Debug for Claims {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Claims({} of {})", self.len(), self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::shard::ShardPlan;
    use core::num::NonZeroU8;

    #[test]
    fn a_queue_is_claimed_once_until_its_holder_gives_it_up() {
        let plan = ShardPlan::new(0, NonZeroU8::MAX).unwrap_or(ShardPlan::ALONE);
        let (one, two) = (plan.of_number(1), plan.of_number(200));
        let mut claims = Claims::new(2);
        let (a, b, c) = (QueueMark(1 << 8), QueueMark(2 << 8), QueueMark(3 << 8));
        assert_eq!(claims.claim(a, one), Claimed::Granted);
        assert_eq!(claims.claim(a, two), Claimed::Taken);
        assert_eq!(claims.claim(a, one), Claimed::Taken);
        assert_eq!(claims.claim(b, two), Claimed::Granted);
        assert_eq!(claims.claim(c, one), Claimed::Full);
        assert_eq!(claims.claim(b, one), Claimed::Taken, "a full table still knows what it holds");
        assert!(!claims.release(a, two), "not the holder");
        assert!(claims.release(a, one));
        assert!(!claims.release(a, one));
        assert_eq!(claims.claim(c, two), Claimed::Granted);
        assert_eq!(claims.len(), 2);
    }
}
