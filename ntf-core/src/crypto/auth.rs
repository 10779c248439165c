//! Authorization of commands: signatures, and authenticators made with the server's session key.
//!
//! ```text
//! Ed25519, Ed448: signature over the bytes to authorize                          64, 114 bytes
//! X25519:         box(DH(queue key, session key), nonce(corrId), SHA-512(bytes))      80 bytes
//! ```
//!
//! The length tells which of the three it is. A check against an entity that does not exist, or whose key
//! is of another algorithm, costs what a true check of that length does, so that the time to answer does
//! not tell which entities exist. Source: `smp-transport` 4.3, 4.4, `ntf-protocol` 1.6.

use core::fmt;
use core::hint::black_box;

use super::boxed::{BoxKey, nonce_from};
use super::keys::{
    AuthPrivateKey, AuthPublicKey, ED448_SIGNATURE_LEN, ED25519_SIGNATURE_LEN, Ed448Public, Ed25519Public,
    X25519Private, X25519Public,
};
use super::sha::sha512;
use crate::base::limits::TAG_LEN;

/// Bytes of an authenticator: a tag and a SHA-512. Source: `smp-transport` 4.4.
pub const AUTHENTICATOR_LEN: usize = TAG_LEN + 64;

/// Bytes of the longest authorization, an Ed448 signature. Source: `smp-transport` 1.4.
pub const AUTHORIZATION_LEN_MAX: usize = ED448_SIGNATURE_LEN;

/// What goes into the authorization field of a transmission: 64, 80 or 114 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization(heapless::Vec<u8, AUTHORIZATION_LEN_MAX, u8>);

impl Authorization {
    /// The bytes as they travel, without the length byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    fn of(bytes: &[u8]) -> Self {
        Self(heapless::Vec::from_slice(bytes).expect("the capacity is that of the longest authorization"))
    }
}

impl AsRef<[u8]> for Authorization {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authorization(redacted)")
    }
}

/// Why a command cannot be authorized with this key on this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CannotAuthorize {
    /// The key is X25519 and the server gave no session key (version 6, or no ALPN).
    NoSessionKey,
    /// The key is Ed448 and the build is without the feature `ed448`.
    NoEd448,
}

impl fmt::Display for CannotAuthorize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSessionKey => "the server gave no session key, which an X25519 key needs",
            Self::NoEd448 => "this build has no Ed448",
        })
    }
}

impl core::error::Error for CannotAuthorize {}

/// Authorizes `to_auth` with an entity's key.
///
/// `session` is the server's session key from its hello; `corr_id` is the nonce of an authenticator and
/// must then never repeat. Signatures need neither.
///
/// # Errors
///
/// When the key cannot be used on this link or in this build.
pub fn authorize(
    key: &AuthPrivateKey,
    session: Option<&X25519Public>,
    corr_id: &[u8],
    to_auth: &[u8],
) -> Result<Authorization, CannotAuthorize> {
    match key {
        AuthPrivateKey::Ed25519(key) => Ok(Authorization::of(&key.sign(to_auth))),
        AuthPrivateKey::Ed448(key) => {
            let signer = key.signer().ok_or(CannotAuthorize::NoEd448)?;
            Ok(Authorization::of(&signer.sign(to_auth)))
        }
        AuthPrivateKey::X25519(key) => {
            let session = session.ok_or(CannotAuthorize::NoSessionKey)?;
            let mut authenticator = [0; AUTHENTICATOR_LEN];
            let hash = sha512(to_auth);
            for (to, from) in authenticator.iter_mut().skip(TAG_LEN).zip(&hash) {
                *to = *from;
            }
            BoxKey::of_dh(&key.agree(session)).seal(&nonce_from(corr_id), &mut authenticator);
            Ok(Authorization::of(&authenticator))
        }
    }
}

/// Whether the owner of `key` authorized `to_auth`.
///
/// `None` stands for an entity that does not exist: the answer is no, after as much work as a true check
/// takes. The same goes for a key of another algorithm than the authorization's length says, and for an
/// authenticator on a link without a session key. An authorization of no known length is refused at once;
/// it tells nothing that its sender does not know.
#[must_use]
pub fn verify(
    key: Option<&AuthPublicKey>,
    session: Option<&X25519Private>,
    corr_id: &[u8],
    to_auth: &[u8],
    authorization: &[u8],
) -> bool {
    match authorization.len() {
        ED25519_SIGNATURE_LEN => verify_ed25519(key, to_auth, authorization),
        AUTHENTICATOR_LEN => verify_authenticator(key, session, corr_id, to_auth, authorization),
        ED448_SIGNATURE_LEN => verify_ed448(key, to_auth, authorization),
        _ => false,
    }
}

fn verify_ed25519(key: Option<&AuthPublicKey>, to_auth: &[u8], authorization: &[u8]) -> bool {
    let (key, counts) = match key {
        Some(AuthPublicKey::Ed25519(key)) => (key, true),
        Some(AuthPublicKey::Ed448(_) | AuthPublicKey::X25519(_)) | None => (&Ed25519Public::DUMMY, false),
    };
    let verified = authorization.try_into().is_ok_and(|signature| key.verify(to_auth, signature));
    black_box(verified) & counts
}

fn verify_ed448(key: Option<&AuthPublicKey>, to_auth: &[u8], authorization: &[u8]) -> bool {
    let (key, counts) = match key {
        Some(AuthPublicKey::Ed448(key)) => (key, true),
        Some(AuthPublicKey::Ed25519(_) | AuthPublicKey::X25519(_)) | None => (&Ed448Public::DUMMY, false),
    };
    let verified = authorization.try_into().is_ok_and(|signature| key.verify(to_auth, signature));
    black_box(verified) & counts
}

fn verify_authenticator(
    key: Option<&AuthPublicKey>,
    session: Option<&X25519Private>,
    corr_id: &[u8],
    to_auth: &[u8],
    authorization: &[u8],
) -> bool {
    // Any pair of keys does for the dummy; every string is one in X25519.
    let dummy_session = X25519Private::from_bytes([1; 32]);
    let dummy = Ed25519Public::DUMMY;
    let (key, counts) = match key {
        Some(AuthPublicKey::X25519(key)) => (*key, session.is_some()),
        Some(AuthPublicKey::Ed25519(_) | AuthPublicKey::Ed448(_)) | None => {
            (X25519Public::new(*dummy.as_bytes()), false)
        }
    };
    let box_key = BoxKey::of_dh(&session.unwrap_or(&dummy_session).agree(&key));

    // The receiver knows what must be inside, so it boxes that itself and compares the whole: the same
    // bytes at the same cost whether the box would have opened or not.
    let mut expected = [0; AUTHENTICATOR_LEN];
    for (to, from) in expected.iter_mut().skip(TAG_LEN).zip(&sha512(to_auth)) {
        *to = *from;
    }
    box_key.seal(&nonce_from(corr_id), &mut expected);
    let verified = subtle::ConstantTimeEq::ct_eq(expected.as_slice(), authorization);
    black_box(bool::from(verified)) & counts
}
