//! Seeded randomness: one seed per machine, one stream per purpose.
//!
//! ChaCha20 keyed by the seed. A new use of randomness takes a stream of its own, so that it does not
//! shift the numbers of others and old simulation seeds keep their meaning.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};
use zeroize::Zeroize;

/// 32 bytes from which all randomness of a machine is drawn.
///
/// Adapters take it from the operating system; the simulator from its scenario. Whoever knows it knows
/// every key made from it, so it is wiped on drop and never printed.
#[derive(Clone)]
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed from bytes of the operating system's generator, or of a scenario.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// A seed for tests and simulations, spread from one number.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let mut bytes = [0; 32];
        ChaCha20Rng::seed_from_u64(number).fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The generator of one purpose.
    #[must_use]
    pub fn stream(&self, purpose: Stream) -> Rng {
        let mut inner = ChaCha20Rng::from_seed(self.0);
        inner.set_stream(purpose as u64);
        Rng { inner }
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(redacted)")
    }
}

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Ids of tokens, queues and messages.
    Ids = 1,
    /// Key pairs.
    Keys = 2,
    /// Nonces of encrypted payloads.
    Nonces = 3,
    /// Correlation ids.
    Correlation = 4,
    /// Jitter of timers.
    Jitter = 5,
    /// Keys of hash tables.
    Hashing = 6,
    /// Verification codes.
    Codes = 7,
    /// Faults of the simulated world.
    World = 8,
    /// The secret behind certificates shown to servers.
    Services = 9,
    /// What happens in a simulated world.
    Scenario = 10,
    /// What shards share, and the order in which they work where that is drawn.
    Shards = 11,
    /// Which of several servers is taken.
    Choice = 12,
    /// The secret behind the ids of subscriptions.
    Names = 13,
}

/// A generator of one [`Stream`].
pub struct Rng {
    inner: ChaCha20Rng,
}

impl Rng {
    /// The next `N` bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.inner.fill_bytes(&mut bytes);
        bytes
    }

    /// The next number.
    #[must_use]
    pub fn number(&mut self) -> u64 {
        self.inner.next_u64()
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    ///
    /// The bias of the multiplication method is below 2⁻³² for every bound used here.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(bound);
        u64::try_from(wide >> 64).unwrap_or(0)
    }
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_stream_give_the_same_bytes() {
        let seed = Seed::from_number(7);
        assert_eq!(seed.stream(Stream::Ids).bytes::<24>(), seed.stream(Stream::Ids).bytes::<24>());
    }

    #[test]
    fn streams_differ() {
        let seed = Seed::from_number(7);
        assert_ne!(seed.stream(Stream::Ids).bytes::<24>(), seed.stream(Stream::Keys).bytes::<24>());
    }

    #[test]
    fn below_stays_below() {
        let mut rng = Seed::from_number(1).stream(Stream::Jitter);
        for bound in [0, 1, 2, 3, 1000] {
            for _ in 0..100 {
                assert!(rng.below(bound) < bound.max(1));
            }
        }
    }
}
