//! ES256: what Apple's provider tokens are signed with.

use core::fmt;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;

use crate::base::fault::Misuse;

/// An ECDSA key on P-256, as Apple issues them (`AuthKey_….p8`).
#[derive(Clone)]
pub struct Es256Key(SigningKey);

impl Es256Key {
    /// Reads the PKCS#8 key in PEM (`-----BEGIN PRIVATE KEY-----`), unencrypted.
    ///
    /// # Errors
    ///
    /// [`Misuse::OutOfRange`] when the text is not such a key, or of another curve.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, Misuse> {
        SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| Misuse::OutOfRange { field: "provider key" })
    }

    /// Signs with SHA-256 and gives `r || s` as JWS wants it. The same message always gets the same
    /// signature (RFC 6979). Source: `ntf-protocol` 3.6, RFC 7518 3.4.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature: Signature = self.0.sign(message);
        signature.to_bytes().into()
    }

    /// The public half as an uncompressed point of 65 bytes, for those who check the signatures.
    #[must_use]
    pub fn public_point(&self) -> [u8; 65] {
        let mut point = [0; 65];
        for (to, from) in point.iter_mut().zip(self.0.verifying_key().to_sec1_point(false).as_bytes()) {
            *to = *from;
        }
        point
    }
}

impl fmt::Debug for Es256Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Es256Key(redacted)")
    }
}
