//! Collections that say no instead of growing.

use alloc::collections::VecDeque;

/// A first-in first-out queue of at most `bound` items.
#[derive(Debug)]
pub struct BoundedQueue<T> {
    items: VecDeque<T>,
    bound: usize,
}

/// The queue was full; here is the item back.
#[derive(Debug, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> BoundedQueue<T> {
    /// An empty queue for `bound` items.
    #[must_use]
    pub const fn new(bound: usize) -> Self {
        Self { items: VecDeque::new(), bound }
    }

    /// Adds an item at the end.
    ///
    /// # Errors
    ///
    /// Gives the item back when the queue is full.
    pub fn push(&mut self, item: T) -> Result<(), Full<T>> {
        if self.is_full() {
            return Err(Full(item));
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Takes the oldest item.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// The oldest item.
    #[must_use]
    pub fn first(&self) -> Option<&T> {
        self.items.front()
    }

    /// Items waiting: the gauge.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the next push is refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.bound
    }

    /// From oldest to newest.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let mut queue = BoundedQueue::new(2);
        assert_eq!(queue.push(1), Ok(()));
        assert_eq!(queue.push(2), Ok(()));
        assert_eq!(queue.push(3), Err(Full(3)));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.push(3), Ok(()));
        assert_eq!(queue.iter().copied().sum::<i32>(), 5);
    }
}
