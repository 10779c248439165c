//! Counters and gauges by name. Numbers only: no meter ever carries an identity.

/// A number that only grows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counter(u64);

impl Counter {
    /// Counts one.
    pub const fn count(&mut self) {
        self.add(1);
    }

    /// Counts several.
    pub const fn add(&mut self, several: u64) {
        self.0 = self.0.saturating_add(several);
    }

    /// The count so far.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.0
    }
}
