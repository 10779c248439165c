//! The queue of effects between `handle` and `poll`.

use alloc::collections::VecDeque;

/// Effects in the order they were decided.
///
/// Unbounded by type, bounded by use: a role is drained after each input, and its work per input is.
#[derive(Debug)]
pub struct Outbox<E> {
    effects: VecDeque<E>,
}

impl<E> Outbox<E> {
    /// An empty outbox.
    #[must_use]
    pub const fn new() -> Self {
        Self { effects: VecDeque::new() }
    }

    /// Adds an effect after all others.
    pub fn push(&mut self, effect: E) {
        self.effects.push_back(effect);
    }

    /// Takes the oldest effect.
    pub fn pop(&mut self) -> Option<E> {
        self.effects.pop_front()
    }

    /// Effects waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.effects.len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }

    /// Forgets everything that waits.
    pub fn clear(&mut self) {
        self.effects.clear();
    }
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self::new()
    }
}
