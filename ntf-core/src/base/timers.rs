//! Deadlines by key: set, move, cancel, and take what is due in order.

use crate::base::time::Mono;
use alloc::collections::{BTreeMap, BTreeSet};

/// Timers of one machine. Each key has at most one deadline; equal deadlines fire in key order.
///
/// Setting and cancelling cost O(log n), looking at the next deadline O(log n) with a tiny constant.
#[derive(Debug)]
pub struct Timers<K> {
    by_key: BTreeMap<K, Mono>,
    by_time: BTreeSet<(Mono, K)>,
}

impl<K: Ord + Clone> Timers<K> {
    /// No timers.
    #[must_use]
    pub const fn new() -> Self {
        Self { by_key: BTreeMap::new(), by_time: BTreeSet::new() }
    }

    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Mono) {
        self.cancel(&key);
        self.by_key.insert(key.clone(), at);
        self.by_time.insert((at, key));
    }

    /// Forgets `key`. Harmless when it was not set.
    pub fn cancel(&mut self, key: &K) {
        if let Some(at) = self.by_key.remove(key) {
            self.by_time.remove(&(at, key.clone()));
        }
    }

    /// When `key` fires.
    #[must_use]
    pub fn deadline(&self, key: &K) -> Option<Mono> {
        self.by_key.get(key).copied()
    }

    /// The next deadline and its key.
    #[must_use]
    pub fn next(&self) -> Option<(Mono, &K)> {
        self.by_time.first().map(|(at, key)| (*at, key))
    }

    /// The first deadline at `from` or later.
    #[must_use]
    pub fn first_from(&self, from: Mono) -> Option<Mono> {
        // Keys have no least value to begin a range with, so earlier deadlines are passed over. A machine
        // that was ticked has none but those that are due since.
        self.by_time.iter().map(|(at, _)| *at).find(|at| *at >= from)
    }

    /// Takes the first key whose deadline is not after `now`.
    pub fn pop_due(&mut self, now: Mono) -> Option<K> {
        let (at, _) = self.next()?;
        if at > now {
            return None;
        }
        let (_, key) = self.by_time.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }

    /// Timers set.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_key.len()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_key.clear();
        self.by_time.clear();
    }
}

impl<K: Ord + Clone> Default for Timers<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Mono {
        Mono::from_micros(micros)
    }

    #[test]
    fn timers_fire_in_order_and_once() {
        let mut timers = Timers::new();
        timers.set("b", at(20));
        timers.set("a", at(10));
        timers.set("c", at(20));
        assert_eq!(timers.next(), Some((at(10), &"a")));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(20)), Some("a"));
        assert_eq!(timers.pop_due(at(20)), Some("b"));
        assert_eq!(timers.pop_due(at(20)), Some("c"));
        assert_eq!(timers.pop_due(at(99)), None);
        assert!(timers.is_empty());
    }

    #[test]
    fn a_moved_timer_fires_at_its_last_deadline_only() {
        let mut timers = Timers::new();
        timers.set(1, at(10));
        timers.set(1, at(30));
        assert_eq!(timers.pop_due(at(29)), None);
        assert_eq!(timers.pop_due(at(30)), Some(1));
        assert!(timers.is_empty());
    }

    #[test]
    fn a_cancelled_timer_does_not_fire() {
        let mut timers = Timers::new();
        timers.set(1, at(10));
        timers.cancel(&1);
        timers.cancel(&2);
        assert_eq!(timers.pop_due(at(99)), None);
    }
}
