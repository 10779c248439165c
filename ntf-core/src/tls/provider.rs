//! The cryptography that rustls is given, and the tap through which the session id comes out.
//!
//! SimpleX names a session by the client's Finished value, which rustls does not expose. It computes
//! every Finished through the public `Hkdf::hmac_sign` of the cipher suite, though, so the suite made here
//! forwards to ring's and notes the tags on the way. Full handshakes call it twice on either side, the
//! server's Finished first and the client's second, with or without a HelloRetryRequest; resumption,
//! whose binders use the same call, is off. The last tag before the handshake completes is the id.
//! Source: `smp-transport` 2.1, 2.6.
//!
//! ring draws its own randomness from the operating system: TLS is the one part of this crate that is
//! not repeatable from a seed. The clock is still handed in, see [`drive`].

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec;
use core::cell::Cell;
use core::time::Duration;
use std::sync::OnceLock;
use std::thread_local;

use rustls::crypto::cipher::Tls13AeadAlgorithm;
use rustls::crypto::tls13::{Hkdf, HkdfExpander, OkmBlock};
use rustls::crypto::{ActiveKeyExchange, CryptoProvider, WebPkiSupportedAlgorithms, hmac, ring};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{CipherSuiteCommon, Error, SupportedCipherSuite, Tls13CipherSuite};

use crate::base::time::Wall;

/// Bytes of a session id: the hash length of the only cipher suite. Source: `smp-transport` 2.6.
pub const SESSION_ID_LEN: usize = 32;

/// The client's Finished value, the same on both sides.
pub type SessionId = [u8; SESSION_ID_LEN];

thread_local! {
    /// The tag seen last by the call of [`drive`] that is under way on this thread.
    static TAG: Cell<Option<SessionId>> = const { Cell::new(None) };
    /// The time told to rustls by the call of [`drive`] that is under way on this thread.
    static WALL: Cell<Option<Wall>> = const { Cell::new(None) };
}

/// Runs `step`, a call into rustls, at the time `wall`. Tells which Finished value it computed last.
///
/// The thread-locals are set for the length of the call only, so sessions may move between threads
/// from one call to the next.
pub(super) fn drive<R>(wall: Wall, step: impl FnOnce() -> R) -> (R, Option<SessionId>) {
    TAG.set(None);
    WALL.set(Some(wall));
    let result = step();
    WALL.set(None);
    (result, TAG.take())
}

/// The provider of every configuration: TLS 1.3, ChaCha20-Poly1305 and x25519, nothing else.
///
/// Certificates and their signatures are the business of `verifier` and `credentials`; rustls' own
/// verifier, which would need algorithms here, is never used.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    let provider = PROVIDER.get_or_init(|| {
        let ring = ring::default_provider();
        Arc::new(CryptoProvider {
            cipher_suites: vec![suite()],
            kx_groups: vec![ring::kx_group::X25519],
            signature_verification_algorithms: WebPkiSupportedAlgorithms { all: &[], mapping: &[] },
            secure_random: ring.secure_random,
            key_provider: ring.key_provider,
        })
    });
    Arc::clone(provider)
}

/// The time of the session that is being driven. Source: [`drive`].
#[derive(Debug)]
pub(super) struct DrivenClock;

impl TimeProvider for DrivenClock {
    fn current_time(&self) -> Option<UnixTime> {
        let wall = WALL.get()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(wall.as_millis())))
    }
}

/// ring's suite with the tap in place of its key derivation.
fn suite() -> SupportedCipherSuite {
    static SUITE: OnceLock<Tls13CipherSuite> = OnceLock::new();
    static TAPPED: OnceLock<Tapped> = OnceLock::new();
    let ring = ring::cipher_suite::TLS13_CHACHA20_POLY1305_SHA256
        .tls13()
        .expect("the suite named TLS13 is one of TLS 1.3");
    let hkdf_provider = TAPPED.get_or_init(|| Tapped { ring: ring.hkdf_provider });
    let aead_alg: &'static dyn Tls13AeadAlgorithm = ring.aead_alg;
    SupportedCipherSuite::Tls13(SUITE.get_or_init(|| Tls13CipherSuite {
        common: CipherSuiteCommon {
            suite: ring.common.suite,
            hash_provider: ring.common.hash_provider,
            confidentiality_limit: ring.common.confidentiality_limit,
        },
        hkdf_provider,
        aead_alg,
        quic: None,
    }))
}

/// ring's key derivation; notes what it signs.
struct Tapped {
    ring: &'static dyn Hkdf,
}

impl Hkdf for Tapped {
    fn extract_from_zero_ikm(&self, salt: Option<&[u8]>) -> Box<dyn HkdfExpander> {
        self.ring.extract_from_zero_ikm(salt)
    }

    fn extract_from_secret(&self, salt: Option<&[u8]>, secret: &[u8]) -> Box<dyn HkdfExpander> {
        self.ring.extract_from_secret(salt, secret)
    }

    fn extract_from_kx_shared_secret(
        &self,
        salt: Option<&[u8]>,
        kx: Box<dyn ActiveKeyExchange>,
        peer_pub_key: &[u8],
    ) -> Result<Box<dyn HkdfExpander>, Error> {
        self.ring.extract_from_kx_shared_secret(salt, kx, peer_pub_key)
    }

    fn expander_for_okm(&self, okm: &OkmBlock) -> Box<dyn HkdfExpander> {
        self.ring.expander_for_okm(okm)
    }

    fn hmac_sign(&self, key: &OkmBlock, message: &[u8]) -> hmac::Tag {
        let tag = self.ring.hmac_sign(key, message);
        TAG.set(tag.as_ref().try_into().ok());
        tag
    }
}
