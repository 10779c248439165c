//! Certificate chains of servers and services, and the session keys signed with them.
//!
//! No authority is trusted: a server is who its address says, by the fingerprint of the *second*
//! certificate of its chain (the identity), whose key signed the leaf that TLS uses. Names, key usages
//! and revocation are not looked at. Services make their own certificates ([`self_signed`]).
//! Source: `smp-transport` 1.9, 2.3, 2.7.

mod chain;
mod encode;
mod fault;
mod self_signed;
mod signed_key;
mod x509;

use alloc::boxed::Box;
use alloc::vec::Vec;

pub use chain::{CHAIN_LEN_MAX, fingerprint, identity_of, validate_server_chain, validate_service_chain};
pub use fault::ChainFault;
pub use self_signed::self_signed;
pub use signed_key::{sign_service_key, sign_session_key, verify_service_key, verify_session_key};
pub use x509::leaf_public_key;

use core::fmt;

use super::keys::SigningKey;
use crate::model::server::Fingerprint;

/// What a server or a service proves itself with.
///
/// The identity's own key is not among it: it is kept off the machine.
#[derive(Clone)]
pub struct ServerCredentials {
    /// Certificates in DER, leaf first, the self-signed root included, as sent in TLS and in the hello.
    pub chain: Vec<Box<[u8]>>,
    /// The key of the leaf.
    pub leaf_key: SigningKey,
}

impl ServerCredentials {
    /// The fingerprint that the server's address names, and by which a service is known.
    ///
    /// # Errors
    ///
    /// [`ChainFault::Shape`] when the chain is empty or has more than four certificates.
    pub fn identity(&self) -> Result<Fingerprint, ChainFault> {
        identity_of(&self.chain)
    }
}

impl fmt::Debug for ServerCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerCredentials({} certificates)", self.chain.len())
    }
}

#[cfg(test)]
mod tests;
