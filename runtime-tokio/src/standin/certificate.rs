//! Keys of the stand-in: a CA of its own, a certificate for this machine, and provider keys to sign with.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::version::TLS13;
use zeroize::Zeroizing;

/// What a stand-in needs for TLS.
pub(super) struct Made {
    pub(super) ca_pem: String,
    pub(super) tls: Arc<ServerConfig>,
}

/// Makes a CA and a certificate for `localhost`, 127.0.0.1 and ::1. The CA's key is forgotten at once.
pub(super) fn make() -> Result<Made, String> {
    let ca_key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(text)?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "ntf stand-in for Apple, CA");
    let ca_pem = ca.self_signed(&ca_key).map_err(text)?.pem();
    let issuer = Issuer::new(ca, ca_key);

    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(text)?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let mut leaf = CertificateParams::new(names).map_err(text)?;
    leaf.distinguished_name.push(DnType::CommonName, "ntf stand-in for Apple");
    let leaf = leaf.signed_by(&key, &issuer).map_err(text)?;

    let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let mut tls = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(text)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private)
        .map_err(text)?;
    tls.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Made { ca_pem, tls: Arc::new(tls) })
}

/// Makes a key that signs provider tokens, as Apple would issue it: PKCS#8 in PEM, on P-256.
///
/// # Errors
///
/// The system gave no random numbers.
pub fn make_provider_key() -> Result<Zeroizing<String>, rcgen::Error> {
    Ok(Zeroizing::new(KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem()))
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
