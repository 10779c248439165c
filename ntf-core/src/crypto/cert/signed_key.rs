//! Session keys signed with a certificate: what ties a key in a hello to the TLS identity.
//!
//! ```text
//! SEQUENCE {
//!   SEQUENCE { SubjectPublicKeyInfo }      the wrapper, which is what is signed
//!   SEQUENCE { OID }                       Ed25519 or Ed448
//!   BIT STRING signature
//! }
//! ```
//!
//! The key is wrapped twice, and the signature is checked over the wrapper as received: bytes that only
//! decode to the same key were not signed. Source: `smp-transport` 1.9.

use alloc::vec::Vec;

use der::asn1::BitStringRef;
use der::{Decode as _, Reader as _, SliceReader};
use x509_cert::spki::AlgorithmIdentifierRef;

use super::encode::{BIT_STRING, NO_UNUSED_BITS, OID, sequence, tlv};
use super::x509::algorithm_of;
use crate::base::fault::PeerFault;
use crate::crypto::keys::{Ed25519Public, LeafPublicKey, SigningKey, X25519Public};

/// Signs the session key of a server, or of any side of a link, for its hello: 122 bytes under an Ed25519
/// leaf, 173 under an Ed448 one.
#[must_use]
pub fn sign_session_key(leaf: &SigningKey, key: &X25519Public) -> Vec<u8> {
    sign(leaf, &key.to_spki())
}

/// Signs the session key of a service for its client hello. Source: `smp-transport` 3.3.
#[must_use]
pub fn sign_service_key(leaf: &SigningKey, key: &Ed25519Public) -> Vec<u8> {
    sign(leaf, &key.to_spki())
}

/// The session key in a signed object, if `leaf` signed it.
///
/// # Errors
///
/// The peer's fault when the object is not of that form, holds another kind of key, or the signature does
/// not verify. All of them end the handshake.
pub fn verify_session_key(object: &[u8], leaf: &LeafPublicKey) -> Result<X25519Public, PeerFault> {
    X25519Public::from_spki(verified_spki(object, leaf)?)
}

/// The session key of a service in a signed object, if `leaf` signed it.
///
/// # Errors
///
/// As [`verify_session_key`].
pub fn verify_service_key(object: &[u8], leaf: &LeafPublicKey) -> Result<Ed25519Public, PeerFault> {
    Ed25519Public::from_spki(verified_spki(object, leaf)?)
}

/// The SubjectPublicKeyInfo in a signed object, after its signature was verified.
fn verified_spki<'a>(object: &'a [u8], leaf: &LeafPublicKey) -> Result<&'a [u8], PeerFault> {
    let object = SignedKey::read(object).map_err(|_| PeerFault::Malformed { field: "signed key" })?;
    if object.algorithm == algorithm_of(leaf) && leaf.verify(object.wrapper, object.signature) {
        Ok(object.spki)
    } else {
        Err(PeerFault::Malformed { field: "signature of the signed key" })
    }
}

struct SignedKey<'a> {
    wrapper: &'a [u8],
    spki: &'a [u8],
    algorithm: der::asn1::ObjectIdentifier,
    signature: &'a [u8],
}

impl<'a> SignedKey<'a> {
    fn read(object: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(object)?;
        let (wrapper, algorithm, signature) = reader.sequence(|reader| {
            Ok::<_, der::Error>((
                reader.tlv_bytes()?,
                AlgorithmIdentifierRef::decode(reader)?,
                BitStringRef::decode(reader)?,
            ))
        })?;
        reader.finish()?;
        let mut reader = SliceReader::new(wrapper)?;
        let spki = reader.sequence(|reader| reader.tlv_bytes())?;
        reader.finish()?;
        let signature = signature.as_bytes().ok_or(der::ErrorKind::Failed)?;
        Ok(Self { wrapper, spki, algorithm: algorithm.oid, signature })
    }
}

fn sign(leaf: &SigningKey, spki: &[u8]) -> Vec<u8> {
    let wrapper = sequence(&[spki]);
    let algorithm = sequence(&[&tlv(OID, &[algorithm_of(&leaf.public()).as_bytes()])]);
    let signature = tlv(BIT_STRING, &[&[NO_UNUSED_BITS], leaf.sign(&wrapper).as_bytes()]);
    sequence(&[&wrapper, &algorithm, &signature])
}
