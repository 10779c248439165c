//! Keys signed with a certificate: how a session key is tied to the TLS identity.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{AuthPublicKey, Ed25519Public, LeafPublicKey, SigningKey, X25519Public};

/// Signs a key (given as SPKI) for a hello.
#[must_use]
pub fn sign_key(_leaf: &SigningKey, _spki: &[u8]) -> Vec<u8> {
    unimplemented!()
}

/// The key in a signed object, if the leaf signed it.
///
/// # Errors
///
/// The peer's fault.
pub fn verify_signed_key(_object: &[u8], _leaf: &LeafPublicKey) -> Result<AuthPublicKey, PeerFault> {
    unimplemented!()
}

/// The server's session key.
///
/// # Errors
///
/// The peer's fault.
pub fn verify_session_key(_object: &[u8], _leaf: &LeafPublicKey) -> Result<X25519Public, PeerFault> {
    unimplemented!()
}

/// The service's session key.
///
/// # Errors
///
/// The peer's fault.
pub fn verify_service_key(_object: &[u8], _leaf: &LeafPublicKey) -> Result<Ed25519Public, PeerFault> {
    unimplemented!()
}
