//! A server's certificates and key: making them, reading them, writing them.
//!
//! Two certificates as the reference's tools make them: an authority whose fingerprint is the server's
//! identity, and a leaf signed by it that TLS uses. The authority's key is needed only to sign a leaf
//! again and should be kept off the server. Files are the adapter's business: text comes in, text goes
//! out. Source: `smp-transport` 2.2.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use base64ct::{Base64, Encoding};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::base::rng::Rng;
use crate::base::time::Wall;
use crate::crypto::cert::{ChainFault, ServerCredentials, leaf_public_key, validate_server_chain};
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, SigningKey};
use crate::model::server::Protocol;

/// How long certificates are valid, in days: longer than anybody cares, for nothing renews the
/// authority. Source: `smp-transport` 2.2.
const VALIDITY_DAYS: u64 = 999_999;

/// How long before their making certificates are valid already, for clients whose clock is slow.
///
/// Source: ours; a day covers a wrong time zone.
const CLOCK_SKEW: Duration = Duration::from_secs(86_400);

/// The text of a PEM file and the name by which errors call it.
#[derive(Clone, Copy)]
pub struct PemFile<'a> {
    /// The file's name or path, for errors.
    pub name: &'a str,
    /// What it holds.
    pub text: &'a str,
}

impl fmt::Debug for PemFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PemFile({})", self.name)
    }
}

/// The files of a server as the reference lays them out.
#[derive(Clone, Copy, Debug)]
pub struct ServerFiles<'a> {
    /// `server.crt`: the leaf, and what lies between it and the authority, if anything.
    pub server_crt: PemFile<'a>,
    /// `ca.crt`: the authority. May be repeated in `server.crt`.
    pub ca_crt: PemFile<'a>,
    /// `server.key`: the leaf's key, PKCS#8.
    pub server_key: PemFile<'a>,
}

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

/// Makes an authority and a leaf for the server at `host`, both Ed25519.
///
/// # Errors
///
/// The host is no text that a certificate can carry.
pub fn generate(
    protocol: Protocol,
    host: &str,
    now: Wall,
    rng: &mut Rng,
) -> Result<Generated, CredentialsFault> {
    let _ = (protocol, host, now, rng);
    unimplemented!()
}

/// Reads the files of an existing server and checks that clients would accept them at `now`.
///
/// # Errors
///
/// The first thing that is wrong, with the file and the remedy.
pub fn load(files: &ServerFiles<'_>, now: Wall) -> Result<ServerCredentials, CredentialsFault> {
    let _ = (files, now);
    unimplemented!()
}

/// Something is wrong with a server's certificates or key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsFault {
    /// The file's name as it was given.
    pub file: Box<str>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a file of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It is not PEM.
    NotPem,
    /// There is no certificate in it.
    NoCertificate,
    /// There is no PKCS#8 key in it.
    NoKey,
    /// The key is encrypted.
    EncryptedKey,
    /// The key is Ed448, which this build cannot sign with.
    Ed448Key,
    /// The key is neither Ed25519 nor Ed448.
    KeyKind,
    /// The key is not that of the first certificate.
    KeyMismatch,
    /// Clients would refuse the certificates.
    Chain(ChainFault),
    /// The host name does not fit into a certificate.
    HostName,
}

impl fmt::Display for CredentialsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.file, self.problem)
    }
}

impl core::error::Error for CredentialsFault {}
