//! Doubly linked lists threaded through the rows of a slab: a row is on a list at the cost of eight bytes,
//! leaves it in O(1), and two lists join in O(1).

/// One end of a link: a slot, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link(u32);

impl Link {
    pub(crate) const NONE: Self = Self(u32::MAX);

    /// A link to this slot. Slabs end before `u32::MAX`, which stands for none.
    pub(crate) const fn to(slot: u32) -> Self {
        Self(slot)
    }

    pub(crate) const fn slot(self) -> Option<u32> {
        if self.0 == u32::MAX { None } else { Some(self.0) }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::NONE
    }
}

/// A row's neighbours on one list.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links {
    prev: Link,
    next: Link,
}

/// First and last row of a list, and its length.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct List {
    first: Link,
    last: Link,
    len: u32,
}

impl core::fmt::Debug for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}", self.slot())
    }
}

/// Where the links of the rows are.
pub(crate) trait Threads {
    /// The links of the row in this slot, if there is such a row.
    fn links(&mut self, slot: u32) -> Option<&mut Links>;
}

impl List {
    pub(crate) const fn len(&self) -> u32 {
        self.len
    }

    pub(crate) fn first(&self) -> Option<u32> {
        self.first.slot()
    }

    pub(crate) fn last(&self) -> Option<u32> {
        self.last.slot()
    }

    /// Puts a row at the beginning.
    pub(crate) fn push_front(&mut self, threads: &mut impl Threads, slot: u32) {
        let mut rest = core::mem::take(self);
        self.push(threads, slot);
        self.append(threads, &mut rest);
    }

    /// Puts a row at the end.
    pub(crate) fn push(&mut self, threads: &mut impl Threads, slot: u32) {
        if let Some(links) = threads.links(slot) {
            *links = Links { prev: self.last, next: Link::NONE };
        }
        match self.last.slot().and_then(|last| threads.links(last)) {
            Some(last) => last.next = Link::to(slot),
            None => self.first = Link::to(slot),
        }
        self.last = Link::to(slot);
        self.len = self.len.saturating_add(1);
    }

    /// Takes a row that is on this list from it.
    pub(crate) fn remove(&mut self, threads: &mut impl Threads, slot: u32) {
        let Some(links) = threads.links(slot).map(core::mem::take) else { return };
        match links.prev.slot().and_then(|prev| threads.links(prev)) {
            Some(prev) => prev.next = links.next,
            None => self.first = links.next,
        }
        match links.next.slot().and_then(|next| threads.links(next)) {
            Some(next) => next.prev = links.prev,
            None => self.last = links.prev,
        }
        self.len = self.len.saturating_sub(1);
    }

    /// Puts all rows of `other` at the end, in their order, and leaves it empty.
    pub(crate) fn append(&mut self, threads: &mut impl Threads, other: &mut Self) {
        let Some(first) = other.first.slot() else { return };
        if let Some(links) = threads.links(first) {
            links.prev = self.last;
        }
        match self.last.slot().and_then(|last| threads.links(last)) {
            Some(last) => last.next = Link::to(first),
            None => self.first = other.first,
        }
        self.last = other.last;
        self.len = self.len.saturating_add(other.len);
        *other = Self::default();
    }

    /// The row after this one.
    pub(crate) fn after(threads: &mut impl Threads, slot: u32) -> Option<u32> {
        threads.links(slot)?.next.slot()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    struct Rows(Vec<Links>);

    impl Threads for Rows {
        fn links(&mut self, slot: u32) -> Option<&mut Links> {
            self.0.get_mut(usize::try_from(slot).ok()?)
        }
    }

    fn slots(list: &List, rows: &mut Rows) -> Vec<u32> {
        let mut found = Vec::new();
        let mut at = list.first();
        while let Some(slot) = at {
            found.push(slot);
            at = List::after(rows, slot);
        }
        assert_eq!(found.len(), usize::try_from(list.len()).unwrap_or(usize::MAX));
        found
    }

    #[test]
    fn rows_leave_from_anywhere_and_lists_join_in_order() {
        let mut rows = Rows(vec![Links::default(); 8]);
        let (mut left, mut right) = (List::default(), List::default());
        for slot in 0..4 {
            left.push(&mut rows, slot);
            right.push(&mut rows, slot + 4);
        }
        left.remove(&mut rows, 0);
        left.remove(&mut rows, 2);
        right.remove(&mut rows, 7);
        assert_eq!(slots(&left, &mut rows), [1, 3]);
        left.append(&mut rows, &mut right);
        assert_eq!(slots(&left, &mut rows), [1, 3, 4, 5, 6]);
        assert!(slots(&right, &mut rows).is_empty());
        left.append(&mut rows, &mut right);
        right.push(&mut rows, 0);
        right.append(&mut rows, &mut left);
        assert_eq!(slots(&right, &mut rows), [0, 1, 3, 4, 5, 6]);
        for slot in [0, 6, 4, 5, 3, 1] {
            right.remove(&mut rows, slot);
        }
        assert!(slots(&right, &mut rows).is_empty());
        right.push(&mut rows, 2);
        right.push_front(&mut rows, 5);
        right.push_front(&mut rows, 7);
        assert_eq!((slots(&right, &mut rows), right.last()), (vec![7, 5, 2], Some(2)));
    }
}
