//! Keys that authorize commands, of whichever algorithm their owner chose.

use alloc::vec::Vec;

use zeroize::Zeroizing;

use super::{
    Ed448Private, Ed448Public, Ed25519Private, Ed25519Public, X25519Private, X25519Public, ed448, ed25519,
    strip, x25519,
};
use crate::base::fault::PeerFault;

/// The public half of a key that authorizes commands of one entity.
///
/// Source: `smp-transport` 1.3, `ntf-protocol` 1.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthPublicKey {
    /// Authorizes by signature. What stock clients use.
    Ed25519(Ed25519Public),
    /// Authorizes by signature; verified only with the feature `ed448`.
    Ed448(Ed448Public),
    /// Authorizes by an authenticator made with the session key of the server.
    X25519(X25519Public),
}

impl AuthPublicKey {
    /// Reads a DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    ///
    /// The peer's fault when it is a key of none of the three algorithms, or of the wrong length.
    pub fn from_spki(der: &[u8]) -> Result<Self, PeerFault> {
        Ed25519Public::from_spki(der)
            .map(Self::Ed25519)
            .or_else(|_| X25519Public::from_spki(der).map(Self::X25519))
            .or_else(|_| Ed448Public::from_spki(der).map(Self::Ed448))
            .map_err(|_| PeerFault::Malformed { field: "public key" })
    }

    /// Bytes of the DER SubjectPublicKeyInfo: 44 or 69.
    #[must_use]
    pub const fn spki_len(&self) -> usize {
        match self {
            Self::Ed25519(_) => Ed25519Public::SPKI_LEN,
            Self::X25519(_) => X25519Public::SPKI_LEN,
            Self::Ed448(_) => Ed448Public::SPKI_LEN,
        }
    }

    /// Appends the DER SubjectPublicKeyInfo, without a length byte.
    pub fn write_spki(&self, to: &mut Vec<u8>) {
        match self {
            Self::Ed25519(key) => to.extend_from_slice(&key.to_spki()),
            Self::X25519(key) => to.extend_from_slice(&key.to_spki()),
            Self::Ed448(key) => to.extend_from_slice(&key.to_spki()),
        }
    }

    /// The DER SubjectPublicKeyInfo.
    #[must_use]
    pub fn to_spki(&self) -> Vec<u8> {
        let mut der = Vec::with_capacity(self.spki_len());
        self.write_spki(&mut der);
        der
    }
}

/// The private half of a key that authorizes commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthPrivateKey {
    /// Signs.
    Ed25519(Ed25519Private),
    /// Signs, with the feature `ed448`; without it the key can only be kept and handed on.
    Ed448(Ed448Private),
    /// Makes authenticators.
    X25519(X25519Private),
}

impl AuthPrivateKey {
    /// Reads a PKCS#8 key, version 0 without attributes: the only form that travels.
    ///
    /// # Errors
    ///
    /// The peer's fault when it is a key of none of the three algorithms, or of the wrong length.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, PeerFault> {
        if let Some(seed) = strip(der, &ed25519::PKCS8_PREFIX) {
            Ok(Self::Ed25519(Ed25519Private::from_seed(seed)))
        } else if let Some(bytes) = strip(der, &x25519::PKCS8_PREFIX) {
            Ok(Self::X25519(X25519Private::from_bytes(bytes)))
        } else if let Some(bytes) = strip(der, &ed448::PKCS8_PREFIX) {
            Ok(Self::Ed448(Ed448Private::from_bytes(bytes)))
        } else {
            Err(PeerFault::Malformed { field: "private key" })
        }
    }

    /// Appends the PKCS#8 form, without a length byte. The target holds a secret from then on.
    pub fn write_pkcs8(&self, to: &mut Vec<u8>) {
        let (prefix, key) = match self {
            Self::Ed25519(key) => (&ed25519::PKCS8_PREFIX, key.expose().as_slice()),
            Self::X25519(key) => (&x25519::PKCS8_PREFIX, key.expose().as_slice()),
            Self::Ed448(key) => (&ed448::PKCS8_PREFIX, key.expose().as_slice()),
        };
        to.extend_from_slice(prefix);
        to.extend_from_slice(key);
    }

    /// The PKCS#8 form: 48 or 73 bytes.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        // Room for the longest, so that no copy is left behind by a growing vector.
        let mut der = Zeroizing::new(Vec::with_capacity(73));
        self.write_pkcs8(&mut der);
        der
    }

    /// The public half; `None` only for an Ed448 key in a build without the feature `ed448`.
    #[must_use]
    pub fn public(&self) -> Option<AuthPublicKey> {
        match self {
            Self::Ed25519(key) => Some(AuthPublicKey::Ed25519(key.public())),
            Self::X25519(key) => Some(AuthPublicKey::X25519(key.public())),
            Self::Ed448(key) => key.signer().map(|signer| AuthPublicKey::Ed448(signer.public())),
        }
    }
}

impl From<Ed25519Private> for AuthPrivateKey {
    fn from(key: Ed25519Private) -> Self {
        Self::Ed25519(key)
    }
}

impl From<X25519Private> for AuthPrivateKey {
    fn from(key: X25519Private) -> Self {
        Self::X25519(key)
    }
}

impl From<Ed448Private> for AuthPrivateKey {
    fn from(key: Ed448Private) -> Self {
        Self::Ed448(key)
    }
}
