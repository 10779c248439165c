//! Ed25519: what stock clients authorize with, and what most servers' certificates are signed with.

use core::fmt;

use curve25519_dalek::{EdwardsPoint, Scalar};
use ed25519_dalek::hazmat::ExpandedSecretKey;
use ed25519_dalek::{Verifier as _, VerifyingKey};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

use super::{ED25519_SIGNATURE_LEN, join, strip};
use crate::base::fault::PeerFault;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::crypto::work::{Work, note};

pub(super) const SPKI_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
pub(super) const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The encoding of the curve's base point: a public key that everybody can sign for and nobody uses, so
/// that verifying under it costs what verifying under a stranger's key does.
const BASE_POINT: [u8; 32] = {
    let mut bytes = [0x66; 32];
    bytes[0] = 0x58;
    bytes
};

/// An Ed25519 public key: 32 bytes, possibly not a point (then it verifies nothing).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ed25519Public([u8; 32]);

impl Ed25519Public {
    /// Bytes of the DER SubjectPublicKeyInfo. Source: `smp-transport` 1.3.
    pub const SPKI_LEN: usize = 44;

    /// A key for verifications whose answer is no whatever they find.
    pub(in crate::crypto) const DUMMY: Self = Self(BASE_POINT);

    /// The key with these bytes.
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
    /// The peer's fault when it is anything but an Ed25519 key of 44 bytes.
    pub fn from_spki(der: &[u8]) -> Result<Self, PeerFault> {
        strip(der, &SPKI_PREFIX).map(Self).ok_or(PeerFault::Malformed { field: "Ed25519 public key" })
    }

    /// The DER SubjectPublicKeyInfo in which the key travels.
    #[must_use]
    pub fn to_spki(&self) -> [u8; Self::SPKI_LEN] {
        join(&SPKI_PREFIX, &self.0)
    }

    /// Whether the owner of this key signed `message`.
    ///
    /// Weak keys are not refused: signatures under them can be made by anybody, and their owner is the
    /// only one harmed. Keys of which that is not true, those of servers, are pinned by fingerprint.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; ED25519_SIGNATURE_LEN]) -> bool {
        note(Work::Ed25519(message.len()));
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify(message, &signature).is_ok())
    }
}

impl fmt::Debug for Ed25519Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Public(redacted)")
    }
}

/// An Ed25519 private key with its public half, 64 bytes.
///
/// Signing needs the public half, and computing it costs nearly as much as signing, so it is kept.
#[derive(Clone)]
pub struct Ed25519Private {
    seed: Secret<32>,
    public: Ed25519Public,
}

impl Ed25519Private {
    /// A fresh key.
    #[must_use]
    pub fn generate(rng: &mut Rng) -> Self {
        Self::from_seed(rng.bytes())
    }

    /// The key of this seed.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let public = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        Self { seed: Secret::new(seed), public: Ed25519Public(public) }
    }

    /// The seed, for whoever stores or hands over the key.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        self.seed.expose()
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> Ed25519Public {
        self.public
    }

    /// Signs `message` as it is, without a prehash. Source: `smp-transport` 1.4; RFC 8032, 5.1.6.
    ///
    /// The crate's own way takes the public half as a point. It is kept as bytes, which are what is hashed, and making
    /// a point of them would cost a fifth of a signature.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; ED25519_SIGNATURE_LEN] {
        let own = ExpandedSecretKey::from(self.seed.expose());
        let hash = Sha512::new().chain_update(own.hash_prefix).chain_update(message);
        let nonce = Zeroizing::new(Scalar::from_hash(hash));
        let commitment = EdwardsPoint::mul_base(&nonce).compress();
        let hash = Sha512::new().chain_update(commitment.as_bytes()).chain_update(self.public.0);
        let challenge = Scalar::from_hash(hash.chain_update(message));
        let response = challenge * own.scalar + *nonce;
        ed25519_dalek::Signature::from_components(commitment.to_bytes(), response.to_bytes()).to_bytes()
    }
}

impl PartialEq for Ed25519Private {
    fn eq(&self, other: &Self) -> bool {
        self.seed == other.seed
    }
}

impl Eq for Ed25519Private {}

impl fmt::Debug for Ed25519Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Private(redacted)")
    }
}
