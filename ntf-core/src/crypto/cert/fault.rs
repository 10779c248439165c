//! What can be wrong with a chain.

use core::fmt;

use crate::base::fault::PeerFault;

/// Why a certificate chain or a signed key is not accepted. Any of them ends the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainFault {
    /// Not 2, 3 or 4 certificates (for a service: not 1 to 4).
    Shape,
    /// The second certificate is not the one whose fingerprint the address names.
    WrongIdentity,
    /// A certificate is not the DER of an X.509 certificate.
    Malformed,
    /// The leaf is not of X.509 version 3.
    LeafVersion,
    /// A key or signature that is neither Ed25519 nor (with the feature `ed448`) Ed448.
    Algorithm,
    /// A certificate's issuer is not the subject of the next one.
    Issuer,
    /// A certificate's signature is not by the key of the next one.
    Signature,
    /// A certificate is outside its validity dates.
    Validity,
    /// A certificate between the leaf and the last one may not sign others.
    NotAuthority,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "the chain has a wrong number of certificates",
            Self::WrongIdentity => "the identity certificate is another than the address names",
            Self::Malformed => "a certificate is malformed",
            Self::LeafVersion => "the leaf certificate is not of version 3",
            Self::Algorithm => "a key or signature is of an algorithm that is not supported",
            Self::Issuer => "a certificate was not issued by the next one",
            Self::Signature => "a certificate's signature does not verify",
            Self::Validity => "a certificate is expired or not valid yet",
            Self::NotAuthority => "an issuer is not allowed to sign certificates",
        })
    }
}

impl core::error::Error for ChainFault {}

impl From<ChainFault> for PeerFault {
    fn from(_: ChainFault) -> Self {
        Self::Malformed { field: "certificate chain" }
    }
}
