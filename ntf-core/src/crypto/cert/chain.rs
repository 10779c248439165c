//! The walk over a chain, from the leaf up.
//!
//! Every certificate must be signed by the next one. The reference takes the last one for any issuer of
//! that name, wherever it stands; a chain that puts a foreign root over a foreign leaf, with the true
//! identity between them, would pass there and must not pass here: the identity's signature over the leaf
//! is all that the fingerprint in an address vouches for.

use alloc::vec::Vec;

use super::ChainFault;
use super::x509::Certificate;
use crate::crypto::keys::LeafPublicKey;
use crate::crypto::sha::sha256;
use crate::model::server::Fingerprint;

/// Most certificates in a chain: leaf, identity, network, root. Source: `smp-transport` 1.9.
pub const CHAIN_LEN_MAX: usize = 4;

/// SHA-256 of a whole certificate. Source: `smp-transport` 1.9.
#[must_use]
pub fn fingerprint(certificate: &[u8]) -> Fingerprint {
    Fingerprint::new(sha256(certificate))
}

/// The fingerprint of a chain's identity certificate: the second, or the only one of a service.
///
/// # Errors
///
/// [`ChainFault::Shape`] when the chain is empty or has more than four certificates.
pub fn identity_of<C: AsRef<[u8]>>(chain: &[C]) -> Result<Fingerprint, ChainFault> {
    let identity = match chain {
        [only] => only,
        [_, identity] | [_, identity, _] | [_, identity, _, _] => identity,
        _ => return Err(ChainFault::Shape),
    };
    Ok(fingerprint(identity.as_ref()))
}

/// Validates the chain of a server at `now` (seconds since the Unix epoch) and gives the leaf's key.
///
/// The chain has 2 to 4 certificates, leaf first, and `expected` is the identity that the server's
/// address names. Source: `smp-transport` 2.3.
///
/// # Errors
///
/// The first fault found, the fingerprint before anything that is inside the certificates.
pub fn validate_server_chain<C: AsRef<[u8]>>(
    chain: &[C],
    expected: &Fingerprint,
    now: i64,
) -> Result<LeafPublicKey, ChainFault> {
    if chain.len() < 2 {
        return Err(ChainFault::Shape);
    }
    if identity_of(chain)? != *expected {
        return Err(ChainFault::WrongIdentity);
    }
    walk(chain, now)
}

/// Validates the chain of a service at `now` (seconds since the Unix epoch) and gives the leaf's key and
/// the fingerprint by which the service is known.
///
/// The chain has 2 to 4 certificates, or one that signed itself. Any identity is accepted: a service is
/// whoever holds the key. Source: `smp-transport` 2.7.
///
/// # Errors
///
/// The first fault found.
pub fn validate_service_chain<C: AsRef<[u8]>>(
    chain: &[C],
    now: i64,
) -> Result<(LeafPublicKey, Fingerprint), ChainFault> {
    let identity = identity_of(chain)?;
    Ok((walk(chain, now)?, identity))
}

/// Checks each certificate against the next one, and the only one against itself.
///
/// The last of several is the anchor: what it says of itself (dates, constraints, its own signature)
/// proves nothing and is not looked at, as in the reference, whose own tools make anchors without a
/// constraint.
fn walk<C: AsRef<[u8]>>(chain: &[C], now: i64) -> Result<LeafPublicKey, ChainFault> {
    let chain = chain.iter().map(|der| Certificate::parse(der.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let (leaf, issuers) = chain.split_first().ok_or(ChainFault::Shape)?;
    let anchor = chain.last().ok_or(ChainFault::Shape)?;
    if !leaf.is_version_3() {
        return Err(ChainFault::LeafVersion);
    }
    if issuers.is_empty() {
        check_link(leaf, anchor, now)?;
    }
    for (below, (current, issuer)) in chain.iter().zip(issuers).enumerate() {
        check_link(current, issuer, now)?;
        let is_anchor = below + 1 == issuers.len();
        if !is_anchor && !issuer.is_authority(below)? {
            return Err(ChainFault::NotAuthority);
        }
    }
    leaf.public_key()
}

/// Checks that `current` is within its dates and was issued and signed by `issuer`.
fn check_link(current: &Certificate<'_>, issuer: &Certificate<'_>, now: i64) -> Result<(), ChainFault> {
    if !current.is_valid_at(now) {
        return Err(ChainFault::Validity);
    }
    if !current.names_issuer(issuer) {
        return Err(ChainFault::Issuer);
    }
    current.check_signature(issuer)
}
