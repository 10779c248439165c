//! Hashes as functions from bytes to arrays.

use sha2::Digest;

/// SHA-256: certificate fingerprints. Source: `smp-transport` 1.9.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// SHA-512: what an X25519 authenticator covers. Source: `smp-transport` 4.4.
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    sha2::Sha512::digest(bytes).into()
}

/// SHA3-384: sender ids chosen by clients are its first 24 bytes over the correlation id.
/// Source: `smp-transport` 5.2.
#[must_use]
pub fn sha3_384(bytes: &[u8]) -> [u8; 48] {
    sha3::Sha3_384::digest(bytes).into()
}
