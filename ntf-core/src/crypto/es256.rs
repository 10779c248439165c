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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use alloc::format;
    use alloc::string::String;

    use base64ct::{Base64, Encoding as _};
    use p256::ecdsa::VerifyingKey;
    use p256::ecdsa::signature::Verifier as _;

    use super::*;
    use crate::crypto::examples::unhex;

    /// PKCS#8 of an EC key on P-256 up to the 32 bytes of the private key.
    const P256_PREFIX: &str = "3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420";

    #[test]
    fn the_published_example() {
        // RFC 6979, A.2.5, "sample" with SHA-256.
        let key = Es256Key::from_pkcs8_pem(&pem(P256_PREFIX, PRIVATE)).unwrap();
        let signature = key.sign(b"sample");
        assert_eq!(hex::encode(signature), format!("{R}{S}"));
        let public = VerifyingKey::from_sec1_bytes(&key.public_point()).unwrap();
        assert!(public.verify(b"sample", &Signature::from_slice(&signature).unwrap()).is_ok());
    }

    #[test]
    fn anything_else_is_not_a_key() {
        // The same key claimed for secp384r1, no PEM at all, and a scalar of zero.
        let other_curve = "303e020100301006072a8648ce3d020106052b81040022042730250201010420";
        for text in [pem(other_curve, PRIVATE), String::from("AuthKey"), pem(P256_PREFIX, &"00".repeat(32))] {
            let refused = Es256Key::from_pkcs8_pem(&text).map(|_| ());
            assert_eq!(refused, Err(Misuse::OutOfRange { field: "provider key" }), "{text}");
        }
    }

    fn pem(prefix: &str, private: &str) -> String {
        let der = Base64::encode_string(&unhex(&format!("{prefix}{private}")));
        let (first, second) = der.split_at(64);
        format!("-----BEGIN PRIVATE KEY-----\n{first}\n{second}\n-----END PRIVATE KEY-----\n")
    }

    const PRIVATE: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
    const R: &str = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
    const S: &str = "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
}
