//! Ed448: keys of servers set up by the reference's tools, and of queues whose client chose so.
//!
//! The keys parse and re-encode in every build, so that a peer sees one grammar; signing and verifying
//! need the feature `ed448`. Without it signatures never verify, and [`Ed448Signer`] cannot be made.

use core::fmt;

use super::{ED448_SIGNATURE_LEN, join, strip};
use crate::base::fault::PeerFault;
use crate::base::secret::Secret;
use crate::crypto::work::{Work, note};

const SPKI_PREFIX: [u8; 12] = [0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00];
pub(super) const PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x47, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x04, 0x3b, 0x04, 0x39];

/// Bytes of a raw Ed448 key, private or public.
const KEY_LEN: usize = 57;

/// The curve's base point of RFC 8032, 5.2, encoded; for the same use as its Ed25519 twin.
const BASE_POINT: [u8; KEY_LEN] = [
    0x14, 0xfa, 0x30, 0xf2, 0x5b, 0x79, 0x08, 0x98, 0xad, 0xc8, 0xd7, 0x4e, 0x2c, 0x13, 0xbd, 0xfd, 0xc4,
    0x39, 0x7c, 0xe6, 0x1c, 0xff, 0xd3, 0x3a, 0xd7, 0xc2, 0xa0, 0x05, 0x1e, 0x9c, 0x78, 0x87, 0x40, 0x98,
    0xa3, 0x6c, 0x73, 0x73, 0xea, 0x4b, 0x62, 0xc7, 0xc9, 0x56, 0x37, 0x20, 0x76, 0x88, 0x24, 0xbc, 0xb6,
    0x6e, 0x71, 0x46, 0x3f, 0x69, 0x00,
];

/// An Ed448 public key: 57 bytes, possibly not a point (then it verifies nothing).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ed448Public([u8; KEY_LEN]);

impl Ed448Public {
    /// Bytes of the DER SubjectPublicKeyInfo. Source: `smp-transport` 1.3.
    pub const SPKI_LEN: usize = 69;

    /// A key for verifications whose answer is no whatever they find.
    pub(in crate::crypto) const DUMMY: Self = Self(BASE_POINT);

    /// The key with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; KEY_LEN]) -> Self {
        Self(bytes)
    }

    /// The raw bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; KEY_LEN] {
        &self.0
    }

    /// Reads the DER SubjectPublicKeyInfo in which the key travels.
    ///
    /// # Errors
    ///
    /// The peer's fault when it is anything but an Ed448 key of 69 bytes.
    pub fn from_spki(der: &[u8]) -> Result<Self, PeerFault> {
        strip(der, &SPKI_PREFIX).map(Self).ok_or(PeerFault::Malformed { field: "Ed448 public key" })
    }

    /// The DER SubjectPublicKeyInfo in which the key travels.
    #[must_use]
    pub fn to_spki(&self) -> [u8; Self::SPKI_LEN] {
        join(&SPKI_PREFIX, &self.0)
    }

    /// Whether the owner of this key signed `message`, with an empty context. Always false without the
    /// feature `ed448`.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; ED448_SIGNATURE_LEN]) -> bool {
        note(Work::Ed448(message.len()));
        curve::verify(&self.0, message, signature)
    }
}

impl fmt::Debug for Ed448Public {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed448Public(redacted)")
    }
}

/// An Ed448 private key, as bytes. [`Ed448Signer`] computes with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ed448Private(Secret<KEY_LEN>);

impl Ed448Private {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; KEY_LEN]) -> Self {
        Self(Secret::new(bytes))
    }

    /// The raw bytes.
    #[must_use]
    pub const fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose()
    }

    /// The form that signs, or `None` in a build without the feature `ed448`.
    #[must_use]
    pub fn signer(&self) -> Option<Ed448Signer> {
        curve::Key::new(self.0.expose()).map(Ed448Signer)
    }
}

impl fmt::Debug for Ed448Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed448Private(redacted)")
    }
}

/// An Ed448 key that signs. There is none in a build without the feature `ed448`.
#[derive(Clone)]
pub struct Ed448Signer(curve::Key);

impl Ed448Signer {
    /// The public half.
    #[must_use]
    pub fn public(&self) -> Ed448Public {
        Ed448Public(self.0.public())
    }

    /// Signs `message` as it is, with an empty context. Source: `smp-transport` 1.4.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; ED448_SIGNATURE_LEN] {
        self.0.sign(message)
    }

    /// The private key's raw bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8; KEY_LEN] {
        self.0.expose()
    }
}

impl fmt::Debug for Ed448Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed448Signer(redacted)")
    }
}

#[cfg(feature = "ed448")]
mod curve {
    use alloc::boxed::Box;

    use ed448_goldilocks_plus::{Signature, SigningKey, VerifyingKey};

    use super::{ED448_SIGNATURE_LEN, KEY_LEN};

    /// Boxed: the expanded key is large, and few values of the enums that hold it are of this kind.
    #[derive(Clone)]
    pub(super) struct Key(Box<SigningKey>);

    impl Key {
        pub(super) fn new(bytes: &[u8; KEY_LEN]) -> Option<Self> {
            SigningKey::try_from(bytes.as_slice()).ok().map(|key| Self(Box::new(key)))
        }

        pub(super) fn public(&self) -> [u8; KEY_LEN] {
            self.0.verifying_key().to_bytes()
        }

        pub(super) fn sign(&self, message: &[u8]) -> [u8; ED448_SIGNATURE_LEN] {
            self.0.sign_raw(message).to_bytes()
        }

        pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
            self.0.as_bytes().as_ref()
        }
    }

    pub(super) fn verify(key: &[u8; KEY_LEN], message: &[u8], signature: &[u8; ED448_SIGNATURE_LEN]) -> bool {
        let (Ok(key), Ok(signature)) = (VerifyingKey::from_bytes(key), Signature::from_bytes(signature))
        else {
            return false;
        };
        key.verify_raw(&signature, message).is_ok()
    }
}

#[cfg(not(feature = "ed448"))]
mod curve {
    use core::convert::Infallible;

    use super::{ED448_SIGNATURE_LEN, KEY_LEN};

    #[derive(Clone)]
    pub(super) struct Key(Infallible);

    impl Key {
        pub(super) fn new(_bytes: &[u8; KEY_LEN]) -> Option<Self> {
            None
        }

        pub(super) fn public(&self) -> [u8; KEY_LEN] {
            match self.0 {}
        }

        pub(super) fn sign(&self, _message: &[u8]) -> [u8; ED448_SIGNATURE_LEN] {
            match self.0 {}
        }

        pub(super) fn expose(&self) -> &[u8; KEY_LEN] {
            match self.0 {}
        }
    }

    pub(super) fn verify(_: &[u8; KEY_LEN], _: &[u8], _: &[u8; ED448_SIGNATURE_LEN]) -> bool {
        false
    }
}
