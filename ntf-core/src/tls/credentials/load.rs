//! Reading the files of an existing server.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

use super::{CredentialsFault, Problem};
use crate::base::time::Wall;
use crate::crypto::cert::{ServerCredentials, leaf_public_key, validate_server_chain};
use crate::crypto::keys::{AuthPrivateKey, SigningKey};

/// The text of a PEM file and the name by which errors call it.
#[derive(Clone, Copy)]
pub struct PemFile<'a> {
    /// The file's name or path, for errors.
    pub name: &'a str,
    /// What it holds. Text outside PEM sections is skipped, as OpenSSL does.
    pub text: &'a str,
}

impl PemFile<'_> {
    fn fault(&self, problem: Problem) -> CredentialsFault {
        CredentialsFault { file: Box::from(self.name), problem }
    }

    fn certificates(&self) -> Result<Vec<Box<[u8]>>, CredentialsFault> {
        let ders = CertificateDer::pem_slice_iter(self.text.as_bytes())
            .map(|der| der.map(|der| Box::from(der.as_ref())).map_err(|_| self.fault(Problem::NotPem)))
            .collect::<Result<Vec<_>, _>>()?;
        if ders.is_empty() { Err(self.fault(Problem::NoCertificate)) } else { Ok(ders) }
    }

    fn signing_key(&self) -> Result<SigningKey, CredentialsFault> {
        if self.text.contains("BEGIN ENCRYPTED PRIVATE KEY") {
            return Err(self.fault(Problem::EncryptedKey));
        }
        // The parser's value wipes itself when dropped.
        let key = PrivatePkcs8KeyDer::from_pem_slice(self.text.as_bytes()).map_err(|error| {
            self.fault(if matches!(error, Error::NoItemsFound) { Problem::NoKey } else { Problem::NotPem })
        })?;
        let der = key.secret_pkcs8_der();
        SigningKey::from_pkcs8(der).map_err(|_| {
            let is_ed448 = matches!(AuthPrivateKey::from_pkcs8(der), Ok(AuthPrivateKey::Ed448(_)));
            self.fault(if is_ed448 { Problem::Ed448Key } else { Problem::KeyKind })
        })
    }
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
    /// `server.key`: the leaf's key, PKCS#8, Ed25519 or (with the feature `ed448`) Ed448.
    pub server_key: PemFile<'a>,
}

/// Reads the files of an existing server and checks that clients would accept them at `now`.
///
/// # Errors
///
/// The first thing that is wrong, with the file and the remedy.
pub fn load(files: &ServerFiles<'_>, now: Wall) -> Result<ServerCredentials, CredentialsFault> {
    let mut chain = files.server_crt.certificates()?;
    for certificate in files.ca_crt.certificates()? {
        if !chain.contains(&certificate) {
            chain.push(certificate);
        }
    }
    let leaf_key = files.server_key.signing_key()?;
    let refused = |fault| files.server_crt.fault(Problem::Chain(fault));
    if let Some(leaf) = chain.first()
        && leaf_public_key(leaf).map_err(refused)? != leaf_key.public()
    {
        return Err(files.server_key.fault(Problem::KeyMismatch));
    }
    let credentials = ServerCredentials { chain, leaf_key };
    let identity = credentials.identity().map_err(refused)?;
    validate_server_chain(&credentials.chain, &identity, now.unix_secs()).map_err(refused)?;
    Ok(credentials)
}
