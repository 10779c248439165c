//! Key pairs of the four algorithms, as values and in the DER forms in which they travel.
//!
//! Public keys are kept as their raw bytes, the smallest form: tables hold millions of them. Whether the
//! bytes are a point of the curve is found out when the key is used; a key that is not one verifies
//! nothing. Public keys name queues and devices, so they print redacted as private ones do.
//!
//! Only the parameterless encodings of `smp-transport` 1.3 are read: each algorithm has one constant DER
//! prefix, and a key with any other is refused.

mod auth_key;
mod ed25519;
mod ed448;
mod leaf_key;
mod x25519;

pub use auth_key::{AuthPrivateKey, AuthPublicKey};
pub use ed448::{Ed448Private, Ed448Public, Ed448Signer};
pub use ed25519::{Ed25519Private, Ed25519Public};
pub use leaf_key::{LeafPublicKey, Signature, SigningKey};
pub use x25519::{DhSecret, X25519Private, X25519Public};

/// Bytes of an Ed25519 signature. Source: `smp-transport` 1.4.
pub const ED25519_SIGNATURE_LEN: usize = 64;

/// Bytes of an Ed448 signature, the longest of all. Source: `smp-transport` 1.4.
pub const ED448_SIGNATURE_LEN: usize = 114;

/// The raw key behind the constant prefix of its algorithm, if that is what these bytes are.
fn strip<const N: usize>(der: &[u8], prefix: &[u8]) -> Option<[u8; N]> {
    der.strip_prefix(prefix)?.try_into().ok()
}

/// The prefix and the raw key as one array of their common length.
fn join<const N: usize>(prefix: &[u8], raw: &[u8]) -> [u8; N] {
    debug_assert_eq!(prefix.len() + raw.len(), N, "prefix and key fill the DER");
    let mut der = [0; N];
    for (to, from) in der.iter_mut().zip(prefix.iter().chain(raw)) {
        *to = *from;
    }
    der
}

#[cfg(test)]
mod tests;
