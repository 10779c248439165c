//! Bytes that are wiped on drop, compared in constant time and never printed.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `N` secret bytes.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over; the caller's copy is the caller's to wipe.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The bytes, for the one place that computes with them.
    #[must_use]
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// Compares in time that does not depend on where the two differ. A wrong length is a plain no.
    #[must_use]
    pub fn matches(&self, other: &[u8]) -> bool {
        self.0.as_slice().ct_eq(other).into()
    }
}

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.matches(&other.0)
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new([0x41; 4])), "Secret(redacted)");
    }

    #[test]
    fn matching_needs_every_byte_and_the_length() {
        let secret = Secret::new([1, 2, 3]);
        assert!(secret.matches(&[1, 2, 3]));
        assert!(!secret.matches(&[1, 2, 4]));
        assert!(!secret.matches(&[1, 2]));
        assert!(!secret.matches(&[1, 2, 3, 0]));
    }
}
