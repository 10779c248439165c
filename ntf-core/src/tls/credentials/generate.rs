//! Making certificates for a server that has none.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64ct::{Base64, Encoding};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PublicKeyData, SerialNumber, SignatureAlgorithm,
    date_time_ymd,
};
use zeroize::Zeroizing;

use super::{CredentialsFault, Problem};
use crate::base::rng::Rng;
use crate::base::time::Wall;
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, SigningKey};

/// How long certificates are valid: 999,999 days, for nothing renews an authority.
///
/// Source: `smp-transport` 2.2.
const VALIDITY: Duration = Duration::from_secs(999_999 * 86_400);

/// How long before their making certificates are valid already, for clients whose clock is slow.
///
/// Source: ours; a day covers a wrong time zone.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// The latest time of making, in the year 6971: years have four digits, and the validity is added.
///
/// Source: ours.
const CLOCK_MAX: Duration = Duration::from_secs(5_000 * 365 * 86_400);

/// Longest common name of a certificate, in bytes. Source: RFC 5280 A.1, `ub-common-name`.
const HOST_LEN_MAX: usize = 64;

/// Freshly made certificates and keys, as PEM text to be written to files.
pub struct Generated {
    /// For `ca.crt`.
    pub ca_crt: String,
    /// For `ca.key`: to be kept off the server.
    pub ca_key: Zeroizing<String>,
    /// For `server.crt`.
    pub server_crt: String,
    /// For `server.key`: readable by the server alone.
    pub server_key: Zeroizing<String>,
    /// The same, ready for use.
    pub credentials: ServerCredentials,
}

impl fmt::Debug for Generated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Generated(redacted)")
    }
}

/// Makes an authority of this name, such as `SMP server CA`, and its leaf for `host`, both Ed25519.
///
/// The same generator state, time and names give the same certificates.
///
/// # Errors
///
/// [`Problem::Host`], about either name.
pub fn generate(
    authority: &str,
    host: &str,
    now: Wall,
    rng: &mut Rng,
) -> Result<Generated, CredentialsFault> {
    let authority_name = checked("the authority's name", authority, |byte| byte == b' ')?;
    let host = checked("the server's host", host, |_| false)?;
    let authority_key = CertificateKey::new(Ed25519Private::generate(rng));
    let leaf_key = CertificateKey::new(Ed25519Private::generate(rng));
    let authority = authority_params(authority_name, now, rng);
    let leaf = leaf_params(host, now, rng);
    let (ca, server) = sign(&authority, &authority_key, &leaf, &leaf_key);
    Ok(Generated {
        ca_crt: ca.pem(),
        ca_key: authority_key.to_pem(),
        server_crt: server.pem(),
        server_key: leaf_key.to_pem(),
        credentials: ServerCredentials {
            chain: vec![Box::from(server.der().as_ref()), Box::from(ca.der().as_ref())],
            leaf_key: SigningKey::Ed25519(leaf_key.private),
        },
    })
}

/// The authority's certificate and the leaf's, both signed with the authority's key.
fn sign(
    authority: &CertificateParams,
    authority_key: &CertificateKey,
    leaf: &CertificateParams,
    leaf_key: &CertificateKey,
) -> (Certificate, Certificate) {
    let proof = "rcgen fails on malformed names, on dates and on foreign keys, and is given none";
    let issuer = Issuer::from_params(authority, authority_key);
    let ca = authority.self_signed(authority_key).expect(proof);
    (ca, leaf.signed_by(leaf_key, &issuer).expect(proof))
}

/// The value as it is, if a certificate can carry it.
fn checked<'a>(
    name: &str,
    value: &'a str,
    is_also_allowed: impl Fn(u8) -> bool,
) -> Result<&'a str, CredentialsFault> {
    let is_fit = (1..=HOST_LEN_MAX).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic() || is_also_allowed(byte));
    if is_fit { Ok(value) } else { Err(CredentialsFault { file: Box::from(name), problem: Problem::Host }) }
}

/// Source: `smp-transport` 2.2.
fn authority_params(name: &str, now: Wall, rng: &mut Rng) -> CertificateParams {
    let mut params = common_params(now, rng);
    params.distinguished_name.push(DnType::CommonName, name.to_owned());
    params.distinguished_name.push(DnType::OrganizationName, "SimpleX");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// Source: `smp-transport` 2.2.
fn leaf_params(host: &str, now: Wall, rng: &mut Rng) -> CertificateParams {
    let mut params = common_params(now, rng);
    params.distinguished_name.push(DnType::CommonName, host.to_owned());
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::ContentCommitment,
        KeyUsagePurpose::KeyAgreement,
    ];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn common_params(now: Wall, rng: &mut Rng) -> CertificateParams {
    let mut serial = rng.bytes::<16>();
    if let Some(first) = serial.first_mut() {
        // A serial number is positive and its encoding has no leading zero.
        *first = (*first & 0x7f) | 0x40;
    }
    let made = date_time_ymd(1970, 1, 1) + Duration::from_secs(now.as_millis() / 1000).min(CLOCK_MAX);
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial.to_vec()));
    params.not_before = made - CLOCK_SKEW;
    params.not_after = made + VALIDITY;
    params.distinguished_name = DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    params
}

/// A key as rcgen wants it.
struct CertificateKey {
    private: Ed25519Private,
    public: [u8; 32],
}

impl CertificateKey {
    fn new(private: Ed25519Private) -> Self {
        let public = *private.public().as_bytes();
        Self { private, public }
    }

    fn to_pem(&self) -> Zeroizing<String> {
        let der = AuthPrivateKey::Ed25519(self.private.clone()).to_pkcs8();
        // 48 bytes are one line of 64 characters.
        let line = Zeroizing::new(Base64::encode_string(&der));
        Zeroizing::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *line))
    }
}

impl PublicKeyData for CertificateKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for CertificateKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.private.sign(message).to_vec())
    }
}
