//! What can be wrong with a server's files, and what its operator should do.

use alloc::boxed::Box;
use core::fmt;

use crate::crypto::cert::ChainFault;

/// Something is wrong with a server's certificates or key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialsFault {
    /// The file's name as it was given; for a new server, the name of the value.
    pub file: Box<str>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a file of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It begins like PEM and does not go on so.
    NotPem,
    /// There is no certificate in it.
    NoCertificate,
    /// There is no key in it, or one that is not PKCS#8.
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
    /// The host is empty, longer than 64 bytes, or has a byte that is not visible ASCII.
    Host,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPem => "is damaged: it is not well-formed PEM; restore it from a backup",
            Self::NoCertificate => "holds no certificate; it should have a section BEGIN CERTIFICATE",
            Self::NoKey => {
                "holds no PKCS#8 key; it should have a section BEGIN PRIVATE KEY \
                 (`openssl pkcs8 -topk8 -nocrypt` converts other forms)"
            }
            Self::EncryptedKey => {
                "is protected by a passphrase, and nobody can type it when the server starts; \
                 remove it with `openssl pkcs8`"
            }
            Self::Ed448Key => {
                "holds an Ed448 key, which this build cannot sign with; use a build with the feature \
                 `ed448`, or sign a new Ed25519 leaf with the key of the same authority (the server's \
                 address stays as it is)"
            }
            Self::KeyKind => {
                "holds a key that is neither Ed25519 nor Ed448; SimpleX clients accept no others, so sign a \
                 new Ed25519 leaf with the authority's key"
            }
            Self::KeyMismatch => {
                "is not the key of the first certificate in the server's certificate file; \
                 the two files must come from the same run"
            }
            Self::Chain(fault) => return write!(f, "would be refused by clients: {fault}"),
            Self::Host => {
                "is no host that a certificate can carry; give a domain or an address of 1 to 64 visible \
                 ASCII characters"
            }
        })
    }
}

impl fmt::Display for CredentialsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.file, self.problem)
    }
}

impl core::error::Error for CredentialsFault {}
