//! Reading a certificate.

use super::ChainFault;
use crate::crypto::keys::LeafPublicKey;

/// The public key of a certificate in DER.
///
/// # Errors
///
/// The fault.
pub fn leaf_public_key(_der: &[u8]) -> Result<LeafPublicKey, ChainFault> {
    unimplemented!()
}
