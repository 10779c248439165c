//! X25519: queue and notification DH keys, session keys, and queue keys that authorize by DH.

use core::fmt;

use super::{join, strip};
use crate::base::fault::PeerFault;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::crypto::work::{Work, note};

const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x03, 0x21, 0x00];
pub(super) const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20];

/// An X25519 public key: 32 bytes, any value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct X25519Public([u8; 32]);

impl X25519Public {
    /// Bytes of the DER SubjectPublicKeyInfo. Source: `smp-transport` 1.3.
    pub const SPKI_LEN: usize = 44;

    /// The key with these bytes; every value is a key.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads the DER SubjectPublicKeyInfo in which the key travels.
    ///
    /// # Errors
    ///
    /// The peer's fault when it is anything but an X25519 key of 44 bytes.
    pub fn from_spki(der: &[u8]) -> Result<Self, PeerFault> {
        strip(der, &SPKI_PREFIX).map(Self).ok_or(PeerFault::Malformed { field: "X25519 public key" })
    }

    /// The DER SubjectPublicKeyInfo in which the key travels.
    #[must_use]
    pub fn to_spki(&self) -> [u8; Self::SPKI_LEN] {
        join(&SPKI_PREFIX, &self.0)
    }
}

impl fmt::Debug for X25519Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Public(redacted)")
    }
}

/// An X25519 private key.
#[derive(Clone, PartialEq, Eq)]
pub struct X25519Private(Secret<32>);

impl X25519Private {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_bytes(rng.bytes())
    }

    /// The key with these bytes; every value is a key (the scalar is clamped when used).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The raw bytes, for whoever stores or hands over the key.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The public half. Costs a scalar multiplication: compute it once and keep it.
    #[must_use]
    pub fn public(&self) -> X25519Public {
        X25519Public(x25519_dalek::PublicKey::from(&self.scalar()).to_bytes())
    }

    /// The secret shared with the owner of `peer`, raw as the protocol uses it.
    ///
    /// A peer that sends a point of low order gets a secret that everybody knows, to its own harm only;
    /// the protocol makes no check for it. Source: `smp-transport` 1.5.
    #[must_use]
    pub fn agree(&self, peer: &X25519Public) -> DhSecret {
        note(Work::Agreement);
        let shared = self.scalar().diffie_hellman(&x25519_dalek::PublicKey::from(peer.0));
        DhSecret(Secret::new(shared.to_bytes()))
    }

    fn scalar(&self) -> x25519_dalek::StaticSecret {
        x25519_dalek::StaticSecret::from(*self.0.expose())
    }
}

impl fmt::Debug for X25519Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("X25519Private(redacted)")
    }
}

/// The raw result of an X25519 agreement.
///
/// Whoever boxes more than once with it keeps a [`BoxKey`](crate::crypto::boxed::BoxKey).
#[derive(Clone, PartialEq, Eq)]
pub struct DhSecret(Secret<32>);

impl DhSecret {
    /// A secret agreed on before.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The raw bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

impl fmt::Debug for DhSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DhSecret(redacted)")
    }
}
