//! Keys of certificates: they sign TLS handshakes and session keys.

use core::fmt;

use super::{
    ED448_SIGNATURE_LEN, Ed448Private, Ed448Public, Ed448Signer, Ed25519Private, Ed25519Public, ed448,
    ed25519, strip,
};
use crate::base::fault::PeerFault;

/// A signature of a certificate's key: 64 bytes with Ed25519, 114 with Ed448.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(heapless::Vec<u8, ED448_SIGNATURE_LEN, u8>);

impl Signature {
    /// The bytes as they travel, without a length.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(bytes: &[u8]) -> Self {
        Self(heapless::Vec::from_slice(bytes).expect("the capacity is that of the longest signature"))
    }
}

impl AsRef<[u8]> for Signature {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(redacted)")
    }
}

/// The private key of a TLS leaf certificate, or of a certificate that signs others.
#[derive(Clone, Debug)]
pub enum SigningKey {
    /// What `ntf init` makes.
    Ed25519(Ed25519Private),
    /// Exists only with the feature `ed448`.
    Ed448(Ed448Signer),
}

impl SigningKey {
    /// Reads a PKCS#8 key, version 0 without attributes, as written by OpenSSL and by `ntf init`.
    ///
    /// # Errors
    ///
    /// When it is of another algorithm or form, or Ed448 in a build without the feature `ed448`.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PeerFault> {
        let refused = PeerFault::Malformed { field: "certificate's private key" };
        if let Some(seed) = strip(der, &ed25519::PKCS8_PREFIX) {
            Ok(Self::Ed25519(Ed25519Private::from_seed(seed)))
        } else {
            let key = strip(der, &ed448::PKCS8_PREFIX).map(Ed448Private::from_bytes);
            key.and_then(|key| key.signer()).map(Self::Ed448).ok_or(refused)
        }
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> LeafPublicKey {
        match self {
            Self::Ed25519(key) => LeafPublicKey::Ed25519(key.public()),
            Self::Ed448(key) => LeafPublicKey::Ed448(key.public()),
        }
    }

    /// Signs `message` as it is. Source: `smp-transport` 1.4.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(key) => Signature::of(&key.sign(message)),
            Self::Ed448(key) => Signature::of(&key.sign(message)),
        }
    }
}

/// The public key of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafPublicKey {
    /// An Ed25519 key.
    Ed25519(Ed25519Public),
    /// An Ed448 key; verifies nothing without the feature `ed448`.
    Ed448(Ed448Public),
}

impl LeafPublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    ///
    /// The peer's fault when the key is neither Ed25519 nor Ed448.
    pub fn from_spki(der: &[u8]) -> Result<Self, PeerFault> {
        Ed25519Public::from_spki(der)
            .map(Self::Ed25519)
            .or_else(|_| Ed448Public::from_spki(der).map(Self::Ed448))
            .map_err(|_| PeerFault::Malformed { field: "certificate's public key" })
    }

    /// Whether the owner of this key signed `message`. A signature of the other algorithm's length is a
    /// plain no.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Ed25519(key) => signature.try_into().is_ok_and(|signature| key.verify(message, signature)),
            Self::Ed448(key) => signature.try_into().is_ok_and(|signature| key.verify(message, signature)),
        }
    }
}
