//! Hashes as functions from bytes to arrays.

use sha2::Digest;

use super::work::{Work, note};

/// SHA-256: certificate fingerprints. Source: `smp-transport` 1.9.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

/// SHA-512: what an X25519 authenticator covers. Source: `smp-transport` 4.4.
#[must_use]
pub fn sha512(bytes: &[u8]) -> [u8; 64] {
    note(Work::Sha512(bytes.len()));
    sha2::Sha512::digest(bytes).into()
}

/// SHA3-384: sender ids chosen by clients are its first 24 bytes over the correlation id.
/// Source: `smp-transport` 5.2.
#[must_use]
pub fn sha3_384(bytes: &[u8]) -> [u8; 48] {
    sha3::Sha3_384::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::examples::corr_id;

    #[test]
    fn published_examples() {
        // FIPS 180-2, "abc".
        assert_eq!(
            hex::encode(sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(hex::encode(sha512(b"abc")).starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn a_sender_id_chosen_by_the_client() {
        // `smp-transport` 9.9.
        assert!(
            hex::encode(sha3_384(&corr_id())).starts_with("7de47b90163d262178956b4b72817512d5cbe12a79349ded")
        );
    }
}
