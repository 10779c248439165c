//! The keyed hash of our tables: SipHash-1-3 with a key drawn from the seed.
//!
//! Strangers choose what is put into the tables (ids, device tokens), so the hash must not be theirs to
//! predict; and equal seeds must give equal runs, so it must not draw its key from the surroundings.

use crate::base::rng::Rng;
use core::hash::{BuildHasher, Hash, Hasher};

/// The key of one table's hash.
#[derive(Clone)]
pub struct HashKey {
    k0: u64,
    k1: u64,
}

impl HashKey {
    /// A fresh key; the generator is that of [`Stream::Hashing`](crate::base::rng::Stream::Hashing).
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        Self { k0: rng.number(), k1: rng.number() }
    }

    /// The hash of one value.
    #[must_use]
    pub fn of(&self, value: &(impl Hash + ?Sized)) -> u64 {
        self.hash_one(value)
    }
}

impl core::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("HashKey(redacted)")
    }
}

impl BuildHasher for HashKey {
    type Hasher = Sip13;

    fn build_hasher(&self) -> Sip13 {
        Sip13 {
            v0: self.k0 ^ 0x736f_6d65_7073_6575,
            v1: self.k1 ^ 0x646f_7261_6e64_6f6d,
            v2: self.k0 ^ 0x6c79_6765_6e65_7261,
            v3: self.k1 ^ 0x7465_6462_7974_6573,
            tail: 0,
            length: 0,
        }
    }
}

/// SipHash with one round per word and three at the end.
#[derive(Clone, Debug)]
pub struct Sip13 {
    v0: u64,
    v1: u64,
    v2: u64,
    v3: u64,
    /// Bytes that do not make a word yet, the first in the lowest place.
    tail: u64,
    length: u64,
}

impl Sip13 {
    const fn round(&mut self) {
        self.v0 = self.v0.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(13) ^ self.v0;
        self.v0 = self.v0.rotate_left(32);
        self.v2 = self.v2.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(16) ^ self.v2;
        self.v0 = self.v0.wrapping_add(self.v3);
        self.v3 = self.v3.rotate_left(21) ^ self.v0;
        self.v2 = self.v2.wrapping_add(self.v1);
        self.v1 = self.v1.rotate_left(17) ^ self.v2;
        self.v2 = self.v2.rotate_left(32);
    }

    const fn word(&mut self, word: u64) {
        self.v3 ^= word;
        self.round();
        self.v0 ^= word;
    }
}

impl Hasher for Sip13 {
    /// Lengths and discriminants count eight bytes on every target: equal seeds give equal runs on all of them.
    fn write_usize(&mut self, number: usize) {
        self.write(&u64::try_from(number).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let place = self.length % 8;
            self.tail |= u64::from(*byte) << (place * 8);
            self.length = self.length.wrapping_add(1);
            if place == 7 {
                let word = self.tail;
                self.tail = 0;
                self.word(word);
            }
        }
    }

    fn finish(&self) -> u64 {
        let mut state = self.clone();
        state.word(state.tail | (state.length << 56));
        state.v2 ^= 0xff;
        for _ in 0..3 {
            state.round();
        }
        state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use std::hash::DefaultHasher;

    #[test]
    fn it_is_the_siphash_of_the_standard_library() {
        // The standard library's default hasher is SipHash-1-3 with an all-zero key.
        let zero = HashKey { k0: 0, k1: 0 };
        for len in 0..70_u8 {
            let bytes: alloc::vec::Vec<u8> = (0..len).collect();
            let mut theirs = DefaultHasher::new();
            theirs.write(&bytes);
            let mut ours = zero.build_hasher();
            let (head, rest) = bytes.split_at(bytes.len() / 3);
            ours.write(head);
            ours.write(rest);
            assert_eq!(ours.finish(), theirs.finish(), "len = {len}");
        }
    }

    #[test]
    fn keys_come_from_the_seed() {
        let hash = |number| HashKey::new(&mut Seed::from_number(number).stream(Stream::Hashing)).of("queue");
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}
