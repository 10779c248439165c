//! Walking a chain.

use super::ChainFault;
use crate::crypto::keys::LeafPublicKey;
use crate::crypto::sha::sha256;
use crate::model::server::Fingerprint;

/// SHA-256 of a whole certificate.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    Fingerprint::new(sha256(certificate))
}

/// The fingerprint of the identity certificate of a chain: of the second, or of the only one of a
/// service.
///
/// # Errors
///
/// [`ChainFault::Shape`] when the chain is empty or has more than four certificates.
pub fn identity_of<C: AsRef<[u8]>>(_chain: &[C]) -> Result<Fingerprint, ChainFault> {
    unimplemented!()
}

/// Validates a server's chain (2 to 4) against the identity of its address, at `now` (Unix seconds).
/// Gives the leaf's key.
///
/// # Errors
///
/// The fault.
pub fn validate_server_chain<C: AsRef<[u8]>>(
    _chain: &[C],
    _expected: &Fingerprint,
    _now: i64,
) -> Result<LeafPublicKey, ChainFault> {
    unimplemented!()
}

/// Validates a service's chain (1 to 4) at `now` (Unix seconds). Gives the leaf's key and the identity.
///
/// # Errors
///
/// The fault.
pub fn validate_service_chain<C: AsRef<[u8]>>(
    _chain: &[C],
    _now: i64,
) -> Result<(LeafPublicKey, Fingerprint), ChainFault> {
    unimplemented!()
}
