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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::crypto::examples::{corr_id, counting, ed25519, service_fingerprint, session_id, x25519};
    use crate::crypto::keys::{Ed448Private, X25519Private};
    use crate::crypto::work;

    /// short(session id) || short(corr id) || short(entity id) || command. `smp-transport` 4.3.
    fn to_auth(session: &[u8], corr: &[u8], entity: &[u8], command: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for field in [session, corr, entity] {
            bytes.push(u8::try_from(field.len()).unwrap());
            bytes.extend_from_slice(field);
        }
        bytes.extend_from_slice(command);
        bytes
    }

    /// NSUB of `smp-transport` 9.6.
    fn nsub() -> Vec<u8> {
        to_auth(&session_id(), &corr_id(), &counting::<24>(0xc0), b"NSUB")
    }

    /// TCHK of `ntf-protocol` 8.
    fn tchk() -> Vec<u8> {
        to_auth(&[0xaa; 32], &[0x55; 24], &[0x66; 24], b"TCHK")
    }

    #[test]
    fn signatures_of_the_worked_examples() {
        let with_fingerprint = [service_fingerprint().as_slice(), &nsub()].concat();
        let nsubs = to_auth(&session_id(), &corr_id(), &counting::<24>(0x40), b"NSUBS");
        for (name, key, bytes, expected) in [
            ("NSUB", 0x33, nsub(), NSUB_SIGNATURE),
            ("NSUB of a service, by the queue key", 0x33, with_fingerprint, SERVICE_QUEUE_SIGNATURE),
            ("NSUB of a service, by the service key", 0x77, nsub(), SERVICE_SIGNATURE),
            ("NSUBS", 0x77, nsubs, NSUBS_SIGNATURE),
            ("TCHK", 0x44, tchk(), TCHK_SIGNATURE),
        ] {
            let key = AuthPrivateKey::from(ed25519(key));
            let signature = authorize(&key, None, b"", &bytes).unwrap();
            assert_eq!(hex::encode(signature.as_bytes()), expected, "{name}");
            assert!(verify(key.public().as_ref(), None, b"", &bytes, signature.as_bytes()), "{name}");
        }
    }

    #[test]
    fn authenticators_of_the_worked_examples() {
        for (name, key, session, corr, bytes, expected) in [
            ("NSUB", x25519(0x44), x25519(0x11), corr_id(), nsub(), AUTHENTICATOR),
            ("TCHK", x25519(0x77), x25519(0x88), [0x55; 24], tchk(), NTF_AUTHENTICATOR),
        ] {
            let key = AuthPrivateKey::from(key);
            let authenticator = authorize(&key, Some(&session.public()), &corr, &bytes).unwrap();
            assert_eq!(hex::encode(authenticator.as_bytes()), expected, "{name}");
            let public = key.public().unwrap();
            assert!(verify(Some(&public), Some(&session), &corr, &bytes, authenticator.as_bytes()), "{name}");
        }
    }

    #[test]
    fn bytes_to_authorize_and_their_hash() {
        assert_eq!(hex::encode(nsub()), TO_AUTH);
        assert_eq!(hex::encode(sha512(&nsub())), TO_AUTH_SHA512);
        assert_eq!(
            hex::encode(x25519(0x44).agree(&x25519(0x11).public()).expose()),
            "b21afd23cc289c5c693adc6d9c7198657e590320fa4dd7a0aaf606e441a2ea46"
        );
    }

    #[test]
    fn nothing_but_the_right_key_bytes_and_link_verifies() {
        let session = x25519(0x11);
        for key in keys() {
            let public = key.public().unwrap();
            let good = authorize(&key, Some(&session.public()), &corr_id(), b"bytes").unwrap();
            let check = |key: Option<AuthPublicKey>, bytes: &[u8], auth: &[u8]| {
                verify(key.as_ref(), Some(&session), &corr_id(), bytes, auth)
            };
            let good = good.as_bytes();
            assert!(check(Some(public), b"bytes", good), "{key:?}");
            assert!(!check(None, b"bytes", good), "{key:?}: unknown entity");
            assert!(!check(Some(public), b"other", good), "{key:?}: other bytes");
            for at in 0..good.len() {
                let mut changed = good.to_vec();
                changed[at] ^= 1;
                assert!(!check(Some(public), b"bytes", &changed), "{key:?}: at {at}");
            }
            for len in [0, 1, 63, 65, 79, 81, 113] {
                let cut = [good, &[0; 64]].concat();
                assert!(!check(Some(public), b"bytes", &cut[..len]), "{key:?}: {len}");
            }
            for other in keys().iter().filter(|other| **other != key) {
                assert!(!check(other.public(), b"bytes", good), "{key:?}: other key");
            }
        }
    }

    #[test]
    fn an_authenticator_belongs_to_its_link_and_correlation_id() {
        let (key, session) = (AuthPrivateKey::from(x25519(0x44)), x25519(0x11));
        let public = key.public().unwrap();
        let good = authorize(&key, Some(&session.public()), &corr_id(), b"bytes").unwrap();
        let good = good.as_bytes();
        assert!(!verify(Some(&public), None, &corr_id(), b"bytes", good));
        assert!(!verify(Some(&public), Some(&x25519(0x12)), &corr_id(), b"bytes", good));
        assert!(!verify(Some(&public), Some(&session), &[1; 24], b"bytes", good));
        assert_eq!(authorize(&key, None, &corr_id(), b"bytes"), Err(CannotAuthorize::NoSessionKey));
    }

    #[test]
    fn the_dummies_are_keys_and_what_they_sign_still_does_not_count() {
        // The base point is the public key of the scalar one, so anybody can make an authenticator for
        // the dummy of X25519 that the check computes itself. It must not pass for an unknown entity.
        let session = x25519(0x11);
        let dummy = X25519Public::new(*Ed25519Public::DUMMY.as_bytes());
        let mut made = [0; AUTHENTICATOR_LEN];
        made[TAG_LEN..].copy_from_slice(&sha512(b"bytes"));
        BoxKey::of_dh(&session.agree(&dummy)).seal(&nonce_from(&corr_id()), &mut made);
        assert!(verify(Some(&AuthPublicKey::X25519(dummy)), Some(&session), &corr_id(), b"bytes", &made));
        assert!(!verify(None, Some(&session), &corr_id(), b"bytes", &made));
        let made_without_session = {
            let mut made = [0; AUTHENTICATOR_LEN];
            made[TAG_LEN..].copy_from_slice(&sha512(b"bytes"));
            let secret = X25519Private::from_bytes([1; 32]).agree(&dummy);
            BoxKey::of_dh(&secret).seal(&nonce_from(&corr_id()), &mut made);
            made
        };
        assert!(!verify(
            Some(&AuthPublicKey::X25519(dummy)),
            None,
            &corr_id(),
            b"bytes",
            &made_without_session
        ));
    }

    /// An unknown entity, a wrong key, a key of another algorithm and a link without a session key cost what
    /// a true check costs: the same operations on as many bytes.
    #[test]
    fn every_check_of_one_authorization_is_the_same_work() {
        let session = x25519(0x11);
        let others = [
            AuthPublicKey::Ed25519(ed25519(0x55).public()),
            AuthPublicKey::X25519(x25519(0x66).public()),
            AuthPublicKey::Ed448(Ed448Public::DUMMY),
        ];
        let kinds = keys().into_iter().map(|key| {
            let good = authorize(&key, Some(&session.public()), &corr_id(), b"bytes").unwrap();
            (key.public(), good.as_bytes().to_vec())
        });
        for (public, good) in kinds {
            let check = |key: Option<&AuthPublicKey>, session: Option<&X25519Private>, auth: &[u8]| {
                work::of(|| verify(key, session, &corr_id(), b"bytes", auth))
            };
            let (is_verified, true_check) = check(public.as_ref(), Some(&session), &good);
            assert!(is_verified && !true_check.is_empty(), "{true_check:?}");
            let mut changed = good.clone();
            changed[20] ^= 1;
            for key in others.iter().map(Some).chain([public.as_ref(), None]) {
                for session in [Some(&session), None] {
                    for auth in [&good, &changed] {
                        assert_eq!(check(key, session, auth).1, true_check, "{key:?}");
                    }
                }
            }
            // Of no known length: refused at once, whatever is asked for.
            for key in [public.as_ref(), None] {
                assert_eq!(check(key, Some(&session), &good[1..]), (false, Vec::new()));
            }
        }
    }

    #[cfg(not(feature = "ed448"))]
    #[test]
    fn without_ed448_its_keys_neither_authorize_nor_verify() {
        let key = AuthPrivateKey::from(Ed448Private::from_bytes([9; 57]));
        assert_eq!(authorize(&key, None, b"", b"bytes"), Err(CannotAuthorize::NoEd448));
        let public = AuthPublicKey::Ed448(Ed448Public::new([9; 57]));
        assert!(!verify(Some(&public), None, b"", b"bytes", &[0; ED448_SIGNATURE_LEN]));
    }

    /// One key of each algorithm that the build computes with.
    fn keys() -> Vec<AuthPrivateKey> {
        let ed448 = AuthPrivateKey::from(Ed448Private::from_bytes([9; 57]));
        let keys = [ed25519(0x33).into(), x25519(0x44).into(), ed448];
        keys.into_iter().filter(|key| key.public().is_some()).collect()
    }

    const TO_AUTH: &str = "\
    20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f18a0a1a2a3a4a5a6a7a8a9aaabacad\
    aeafb0b1b2b3b4b5b6b718c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d74e535542";
    const TO_AUTH_SHA512: &str = "\
    9d510bcb1e4e5cdca2f3c017da9a478cecd787aa7cb192a2f17ad5be67e4f7ec7ec38b13eb7ea1c47d7dd95ddf92a4b1\
    e458cd612e431b77384b0796fce0a49b";
    const NSUB_SIGNATURE: &str = "\
    728dcd64361c1478166e2411da3ab01349f5863a6dfab976aacc83c72560c81b4c7dea6f297366536dbed7e096b66c5e\
    12e22040255d6ad8c38ffb916bc25a01";
    const SERVICE_QUEUE_SIGNATURE: &str = "\
    aeb39a86e3dd29632149df72f0269084df6a3f376cfc2fb42d4bef90527caf901cc9b828186055a83002e4cf1ddd9eea\
    4204409bff1da9d9a7d3ee2b0f2f3b03";
    const SERVICE_SIGNATURE: &str = "\
    02ae4a2fd94f208e8e6b9893b033c4ec5c309fbc859ac1e8a6972800d574fbd61e2375da1d9be68b76021722cd8ea676\
    697874dac1829525336fdfcce75e2708";
    const NSUBS_SIGNATURE: &str = "\
    bcb42e0e0587c53fc46026b727afaf1221f01e98dadfb9ffa7cf380b7a4f1a1b767054af5e32a384019de22c5f5d8ce3\
    70186e9888e7a1c625778d5777fa750e";
    const AUTHENTICATOR: &str = "\
    abddbb3a3c8b21d1e00f2bf2aa56b6212a760a22f1dd5e15117bcc4a2779f908858e8e55d191e27d69438000fd438735\
    aca73eb41aa68b3306d21ff670e5884e94e2e2308a0252237ec6181a27973fe5";
    const TCHK_SIGNATURE: &str = "\
    5a20b5cb689ecf9abb4406f4d5e5d95e4a64b73ee919728dad5488676fc097a2f0a4545755cc3a7cef93a0a4f4b53067\
    e3ca6ef710e4d36dd35bbb8e16f5af0a";
    const NTF_AUTHENTICATOR: &str = "\
    ed08bfb70ad017d8a090a55c6427cadf9db796a17f224d2feabba20987204d157d26db056384ef7378fd091321b7876b\
    bb0d356f855732c682b1b3bcdc1948350d2a2549459d7046686840f56b33cefa";
}
