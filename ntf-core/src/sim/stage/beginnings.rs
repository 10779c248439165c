//! Where something that is sought may begin.

use alloc::boxed::Box;

/// The two bytes that something begins with which is or was sought: nearly all places are passed over at a glance.
pub(super) struct Beginnings(Box<[u64; 1024]>);

impl Default for Beginnings {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl Beginnings {
    fn place(first: u8, second: u8) -> (usize, u64) {
        let pair = u16::from_be_bytes([first, second]);
        (usize::from(pair / 64), 1 << (pair % 64))
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        let [first, second, ..] = *bytes else { return };
        let (word, bit) = Self::place(first, second);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(super) fn has(&self, first: u8, second: u8) -> bool {
        let (word, bit) = Self::place(first, second);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}
