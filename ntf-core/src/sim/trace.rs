//! A fingerprint of a run: two runs with the same one did the same things at the same times.

use crate::base::time::Mono;
use core::fmt;
use sha2::{Digest, Sha256};

/// Hashes what happens, in order.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    hash: Sha256,
    steps: u64,
}

/// The fingerprint of a run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TraceHash([u8; 32]);

impl fmt::Debug for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(8).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Trace {
    /// Notes that something happened to a node.
    pub(super) fn note(&mut self, at: Mono, node: u32, what: &str, bytes: &[u8]) {
        self.steps += 1;
        self.hash.update(at.as_micros().to_be_bytes());
        self.hash.update(node.to_be_bytes());
        // Lengths keep two neighbouring fields from being read as one.
        self.hash.update(u64::try_from(what.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.hash.update(what.as_bytes());
        self.hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.hash.update(bytes);
    }

    /// Things noted so far.
    #[must_use]
    pub const fn steps(&self) -> u64 {
        self.steps
    }

    /// The fingerprint of everything noted so far.
    #[must_use]
    pub fn hash(&self) -> TraceHash {
        TraceHash(self.hash.clone().finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_time_and_field_bounds_change_the_hash() {
        let trace = |notes: &[(u64, &str, &[u8])]| {
            let mut trace = Trace::default();
            for (at, what, bytes) in notes {
                trace.note(Mono::from_micros(*at), 0, what, bytes);
            }
            trace.hash()
        };
        let base = trace(&[(1, "a", b"x"), (2, "b", b"y")]);
        assert_eq!(base, trace(&[(1, "a", b"x"), (2, "b", b"y")]));
        assert_ne!(base, trace(&[(2, "b", b"y"), (1, "a", b"x")]));
        assert_ne!(base, trace(&[(1, "a", b"x"), (3, "b", b"y")]));
        assert_ne!(trace(&[(1, "ab", b"c")]), trace(&[(1, "a", b"bc")]));
    }
}
