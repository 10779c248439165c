//! The queues that fall to this shard and are watched, by whichever shard.

use crate::subscriber::shard::{Claimed, QueueMark};
use hashbrown::HashTable;

/// Claims on queues; eight bytes each and the table's own.
pub(in crate::subscriber) struct Claims {
    marks: HashTable<u64>,
    bound: usize,
}

impl Claims {
    pub(in crate::subscriber) const fn new(bound: usize) -> Self {
        Self { marks: HashTable::new(), bound }
    }

    /// Claims a queue, if nobody has.
    pub(in crate::subscriber) fn claim(&mut self, queue: QueueMark) -> Claimed {
        // A mark is a keyed hash, so it is its own hash.
        if self.marks.find(queue.0, |mark| *mark == queue.0).is_some() {
            return Claimed::Taken;
        }
        if self.marks.len() >= self.bound {
            return Claimed::Full;
        }
        self.marks.insert_unique(queue.0, queue.0, |mark| *mark);
        Claimed::Granted
    }

    /// Gives a claim up; says whether there was one.
    pub(in crate::subscriber) fn release(&mut self, queue: QueueMark) -> bool {
        match self.marks.find_entry(queue.0, |mark| *mark == queue.0) {
            Ok(entry) => {
                entry.remove();
                true
            }
            Err(_) => false,
        }
    }

    /// Claims held: the gauge.
    pub(in crate::subscriber) fn len(&self) -> usize {
        self.marks.len()
    }

    pub(in crate::subscriber) fn clear(&mut self) {
        self.marks = HashTable::new();
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

    #[test]
    fn a_queue_is_claimed_once_until_it_is_released() {
        let mut claims = Claims::new(2);
        let (a, b, c) = (QueueMark(1), QueueMark(2), QueueMark(3));
        assert_eq!(claims.claim(a), Claimed::Granted);
        assert_eq!(claims.claim(a), Claimed::Taken);
        assert_eq!(claims.claim(b), Claimed::Granted);
        assert_eq!(claims.claim(c), Claimed::Full);
        assert_eq!(claims.claim(b), Claimed::Taken, "a full table still knows what it holds");
        assert!(claims.release(a));
        assert!(!claims.release(a));
        assert_eq!(claims.claim(c), Claimed::Granted);
        assert_eq!(claims.len(), 2);
    }
}
