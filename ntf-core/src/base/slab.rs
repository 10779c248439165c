//! Rows in numbered slots, named by indexes that know when their row is gone.
//!
//! A slot carries a generation that moves on when its row is removed, so an index kept too long finds
//! nothing and never a stranger. Rows live in chunks that are allocated whole and never move: growing
//! copies nothing, wastes at most one chunk, and leaves no copy of a secret behind.

use alloc::vec::Vec;

/// The place of a row in a [`Slab`], checked against the row's generation on each use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index {
    slot: u32,
    generation: u32,
}

impl Index {
    /// The slot's number: unique among the rows that exist, reused later.
    #[must_use]
    pub const fn slot(self) -> u32 {
        self.slot
    }

    /// Slot and generation in one number, for whoever names the row to others.
    #[must_use]
    pub const fn to_bits(self) -> u64 {
        ((self.generation as u64) << 32) | self.slot as u64
    }

    /// The index with this number; whether there is such a row, the slab says.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "each half is taken")]
    pub const fn from_bits(bits: u64) -> Self {
        Self { slot: bits as u32, generation: (bits >> 32) as u32 }
    }
}

/// At most `bound` rows.
pub struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
    len: u32,
    bound: u32,
}

struct Slot<T> {
    generation: u32,
    row: Option<T>,
}

/// Rows allocated together. Source: ours; the waste of a part-filled chunk is small beside one TLS link.
const CHUNK: usize = 256;

impl<T> Slab<T> {
    /// Bytes that each row takes, without what it keeps on the heap.
    pub const ROW_LEN: usize = size_of::<Slot<T>>();

    /// An empty slab for `bound` rows.
    #[must_use]
    pub const fn new(bound: u32) -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), len: 0, bound }
    }

    /// Adds a row.
    ///
    /// # Errors
    ///
    /// Gives the row back when the slab is full.
    pub fn insert(&mut self, row: T) -> Result<Index, T> {
        if self.is_full() {
            return Err(row);
        }
        if let Some(number) = self.free.pop() {
            let Some(slot) = self.slot_mut(number) else { return Err(row) };
            slot.row = Some(row);
            let generation = slot.generation;
            self.len += 1;
            return Ok(Index { slot: number, generation });
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        let before = self.chunks.len().saturating_sub(1).saturating_mul(CHUNK);
        let Some(chunk) = self.chunks.last_mut() else { return Err(row) };
        let Ok(number) = u32::try_from(before.saturating_add(chunk.len())) else { return Err(row) };
        chunk.push(Slot { generation: 0, row: Some(row) });
        self.len += 1;
        Ok(Index { slot: number, generation: 0 })
    }

    /// Takes a row out; its index finds nothing from then on.
    pub fn remove(&mut self, index: Index) -> Option<T> {
        let slot = self.slot_mut(index.slot).filter(|slot| slot.generation == index.generation)?;
        let row = slot.row.take()?;
        // A slot whose generations are used up is retired: four billion rows were in it.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(index.slot);
        }
        self.len -= 1;
        Some(row)
    }

    /// The row with this index.
    #[must_use]
    pub fn get(&self, index: Index) -> Option<&T> {
        let slot = self.slot(index.slot).filter(|slot| slot.generation == index.generation)?;
        slot.row.as_ref()
    }

    /// The row with this index, to change it.
    pub fn get_mut(&mut self, index: Index) -> Option<&mut T> {
        let slot = self.slot_mut(index.slot).filter(|slot| slot.generation == index.generation)?;
        slot.row.as_mut()
    }

    /// The row that is in this slot, whatever its generation: for tables that are kept in step.
    #[must_use]
    pub fn at(&self, slot: u32) -> Option<&T> {
        self.slot(slot)?.row.as_ref()
    }

    /// The row that is in this slot, to change it.
    pub fn at_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.slot_mut(slot)?.row.as_mut()
    }

    /// The index of the row that is in this slot.
    #[must_use]
    pub fn index_at(&self, slot: u32) -> Option<Index> {
        let found = self.slot(slot)?;
        found.row.as_ref().map(|_| Index { slot, generation: found.generation })
    }

    /// All rows, by slot.
    pub fn iter(&self) -> impl Iterator<Item = (Index, &T)> {
        (0_u32..).zip(self.chunks.iter().flatten()).filter_map(|(number, slot)| {
            slot.row.as_ref().map(|row| (Index { slot: number, generation: slot.generation }, row))
        })
    }

    /// Rows held: the gauge.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether no row is held.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether the next row is refused.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.len >= self.bound
    }

    /// Forgets all rows and their memory.
    pub fn clear(&mut self) {
        self.chunks = Vec::new();
        self.free = Vec::new();
        self.len = 0;
    }

    fn slot(&self, number: u32) -> Option<&Slot<T>> {
        let number = usize::try_from(number).ok()?;
        self.chunks.get(number / CHUNK)?.get(number % CHUNK)
    }

    fn slot_mut(&mut self, number: u32) -> Option<&mut Slot<T>> {
        let number = usize::try_from(number).ok()?;
        self.chunks.get_mut(number / CHUNK)?.get_mut(number % CHUNK)
    }
}

impl<T> core::fmt::Debug for Slab<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Slab({} of {} rows)", self.len, self.bound)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_index_outlives_its_row_and_finds_nothing() {
        let mut slab = Slab::new(10);
        let first = slab.insert("first").unwrap();
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second").unwrap();
        assert_eq!(second.slot(), first.slot());
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(second), Some(&"second"));
        assert_eq!(slab.index_at(second.slot()), Some(second));
        for index in [first, second] {
            assert_eq!(Index::from_bits(index.to_bits()), index);
        }
        assert_ne!(first.to_bits(), second.to_bits());
    }

    #[test]
    fn a_full_slab_gives_the_row_back() {
        let mut slab = Slab::new(2);
        let first = slab.insert(1).unwrap();
        slab.insert(2).unwrap();
        assert_eq!(slab.insert(3), Err(3));
        slab.remove(first);
        assert!(slab.insert(3).is_ok());
        assert_eq!(slab.len(), 2);
    }

    #[test]
    fn rows_are_listed_by_slot_across_chunks() {
        let mut slab = Slab::new(u32::MAX);
        let count = u32::try_from(CHUNK).unwrap() * 2 + 3;
        for number in 0..count {
            assert_eq!(slab.insert(number).unwrap().slot(), number);
        }
        assert!(slab.iter().map(|(_, row)| *row).eq(0..count));
        slab.clear();
        assert!(slab.is_empty());
        assert_eq!(slab.insert(7).unwrap().slot(), 0);
    }
}
