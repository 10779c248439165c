//! Who is at the other end: certificates judged by fingerprint and path, and the handshake's signature.
//!
//! The rules are `crypto::cert`'s; this file only speaks rustls' language. No name, key usage,
//! revocation or root of the system is looked at. Source: `smp-transport` 2.3.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{Signer, SigningKey};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureAlgorithm, SignatureScheme};

use super::fault::{TlsFault, refuse};
use crate::crypto::cert::{leaf_public_key, validate_server_chain, validate_service_chain};
use crate::crypto::keys::{self, LeafPublicKey};
use crate::model::server::Fingerprint;

/// The signatures we verify, in the reference's order. Source: `smp-transport` 2.1.
const SCHEMES: &[SignatureScheme] = if cfg!(feature = "ed448") {
    &[SignatureScheme::ED448, SignatureScheme::ED25519]
} else {
    &[SignatureScheme::ED25519]
};

/// Accepts the server whose identity certificate has this fingerprint.
#[derive(Debug)]
pub(super) struct ByFingerprint {
    identity: Fingerprint,
}

impl ByFingerprint {
    pub(super) const fn new(identity: Fingerprint) -> Self {
        Self { identity }
    }
}

impl ServerCertVerifier for ByFingerprint {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match validate_server_chain(&whole(end_entity, intermediates), &self.identity, unix_secs(now)) {
            Ok(_leaf) => Ok(ServerCertVerified::assertion()),
            Err(fault) => Err(refuse(fault.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // Only TLS 1.3 is enabled, so rustls does not come here; if it ever did, no is the safe side.
        Err(refuse(TlsFault::BadSignature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

/// Accepts any client whose certificates are sound, and clients that show none.
#[derive(Debug)]
pub(super) struct AnyService;

impl ClientCertVerifier for AnyService {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match validate_service_chain(&whole(end_entity, intermediates), unix_secs(now)) {
            Ok((_leaf, _identity)) => Ok(ClientCertVerified::assertion()),
            Err(fault) => Err(refuse(fault.into())),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // As for servers.
        Err(refuse(TlsFault::BadSignature))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_handshake(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.to_vec()
    }
}

fn whole<'a>(leaf: &'a CertificateDer<'_>, others: &'a [CertificateDer<'_>]) -> Vec<&'a [u8]> {
    core::iter::once(leaf).chain(others).map(AsRef::as_ref).collect()
}

fn unix_secs(now: UnixTime) -> i64 {
    i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
}

/// Verifies a CertificateVerify message with the key of the leaf.
fn verify_handshake(
    message: &[u8],
    leaf: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let key = leaf_public_key(leaf).map_err(|fault| refuse(fault.into()))?;
    if signed.scheme == scheme_of(&key) && key.verify(message, signed.signature()) {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(refuse(TlsFault::BadSignature))
    }
}

const fn scheme_of(key: &LeafPublicKey) -> SignatureScheme {
    match key {
        LeafPublicKey::Ed25519(_) => SignatureScheme::ED25519,
        LeafPublicKey::Ed448(_) => SignatureScheme::ED448,
    }
}

/// Our own leaf's key, as rustls signs with it.
#[derive(Clone, Debug)]
pub(super) struct LeafKey(Arc<keys::SigningKey>);

impl LeafKey {
    pub(super) fn new(key: keys::SigningKey) -> Self {
        Self(Arc::new(key))
    }
}

impl SigningKey for LeafKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        if offered.contains(&self.scheme()) { Some(Box::new(self.clone())) } else { None }
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        match *self.0 {
            keys::SigningKey::Ed25519(_) => SignatureAlgorithm::ED25519,
            keys::SigningKey::Ed448(_) => SignatureAlgorithm::ED448,
        }
    }
}

impl Signer for LeafKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.0.sign(message).as_bytes().to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        scheme_of(&self.0.public())
    }
}
