//! Reads of a certificate what the walk over a chain needs, without copying it.
//!
//! ```text
//! Certificate    = SEQUENCE { tbs, AlgorithmIdentifier, BIT STRING signature }
//! TBSCertificate = SEQUENCE { [0] version, serial, AlgorithmIdentifier, issuer, validity, subject,
//!                             SubjectPublicKeyInfo, [1], [2], [3] extensions }
//! ```
//!
//! Source: RFC 5280 4.1.

use alloc::vec::Vec;

use der::asn1::{BitStringRef, ContextSpecific, IntRef, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::{Decode, Reader, SliceReader, TagMode, TagNumber};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::spki::AlgorithmIdentifierRef;
use x509_cert::time::Validity;

use super::ChainFault;
use crate::crypto::keys::LeafPublicKey;

/// Signature algorithm of Ed25519, which is also that of its keys. Source: `smp-transport` 1.3.
pub(super) const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Signature algorithm of Ed448, which is also that of its keys. Source: `smp-transport` 1.3.
pub(super) const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");

/// The public key of a certificate in DER.
///
/// # Errors
///
/// [`ChainFault::Malformed`] or [`ChainFault::Algorithm`]. Says nothing about whether the certificate is
/// valid: that is [`validate_server_chain`](super::validate_server_chain).
pub fn leaf_public_key(der: &[u8]) -> Result<LeafPublicKey, ChainFault> {
    Certificate::parse(der)?.public_key()
}

/// The parts of one certificate, as they came.
pub(super) struct Certificate<'a> {
    /// The bytes that the issuer signed.
    tbs: &'a [u8],
    signature_algorithm: ObjectIdentifier,
    signature: &'a [u8],
    body: Body<'a>,
}

/// The parts of a TBSCertificate.
struct Body<'a> {
    version: u8,
    signature_algorithm: ObjectIdentifier,
    issuer: &'a [u8],
    validity: Validity,
    subject: &'a [u8],
    public_key: &'a [u8],
    extensions: Vec<Extension>,
}

impl<'a> Certificate<'a> {
    /// Reads a whole certificate; bytes after it are a fault.
    pub(super) fn parse(der: &'a [u8]) -> Result<Self, ChainFault> {
        Self::read(der).map_err(|_| ChainFault::Malformed)
    }

    fn read(der: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(der)?;
        let (tbs, algorithm, signature) = reader.sequence(|reader| {
            Ok::<_, der::Error>((
                reader.tlv_bytes()?,
                AlgorithmIdentifierRef::decode(reader)?,
                BitStringRef::decode(reader)?,
            ))
        })?;
        reader.finish()?;
        let mut reader = SliceReader::new(tbs)?;
        let body = reader.sequence(Body::read)?;
        reader.finish()?;
        Ok(Self {
            tbs,
            signature_algorithm: algorithm.oid,
            signature: signature.as_bytes().ok_or(der::ErrorKind::Failed)?,
            body,
        })
    }

    /// Whether the certificate is of version 3.
    pub(super) const fn is_version_3(&self) -> bool {
        // The versions are counted from zero.
        self.body.version == 2
    }

    /// The key it certifies.
    pub(super) fn public_key(&self) -> Result<LeafPublicKey, ChainFault> {
        LeafPublicKey::from_spki(self.body.public_key).map_err(|_| ChainFault::Algorithm)
    }

    /// Whether `now`, in seconds since the Unix epoch, is within its dates, both included.
    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        u64::try_from(now).is_ok_and(|now| {
            let dates = &self.body.validity;
            dates.not_before.to_unix_duration().as_secs() <= now
                && now <= dates.not_after.to_unix_duration().as_secs()
        })
    }

    /// Whether `issuer` is named as its issuer. Names are compared as they are encoded.
    pub(super) fn names_issuer(&self, issuer: &Certificate<'_>) -> bool {
        self.body.issuer == issuer.body.subject
    }

    /// Whether `issuer` signed it.
    pub(super) fn check_signature(&self, issuer: &Certificate<'_>) -> Result<(), ChainFault> {
        let key = issuer.public_key()?;
        if self.signature_algorithm != self.body.signature_algorithm {
            return Err(ChainFault::Malformed);
        }
        if !is_supported(&key) || self.signature_algorithm != algorithm_of(&key) {
            return Err(ChainFault::Algorithm);
        }
        if key.verify(self.tbs, self.signature) { Ok(()) } else { Err(ChainFault::Signature) }
    }

    /// Whether it may sign a certificate with `below` certificates between itself and the leaf.
    ///
    /// It must be an authority, with a path that is long enough if one is given, and allowed to sign
    /// certificates if its key usage is given.
    pub(super) fn is_authority(&self, below: usize) -> Result<bool, ChainFault> {
        let is_authority = self.extension::<BasicConstraints>()?.is_some_and(|constraints| {
            constraints.ca && constraints.path_len_constraint.is_none_or(|len| usize::from(len) >= below)
        });
        Ok(is_authority && self.extension::<KeyUsage>()?.is_none_or(|usage| usage.key_cert_sign()))
    }

    fn extension<T: for<'d> Decode<'d> + AssociatedOid>(&self) -> Result<Option<T>, ChainFault> {
        let found = self.body.extensions.iter().find(|extension| extension.extn_id == T::OID);
        found
            .map(|found| T::from_der(found.extn_value.as_bytes()))
            .transpose()
            .map_err(|_| ChainFault::Malformed)
    }
}

impl<'a> Body<'a> {
    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        let version =
            ContextSpecific::<u8>::decode_explicit(reader, TagNumber(0))?.map_or(0, |field| field.value);
        IntRef::decode(reader)?;
        let signature_algorithm = AlgorithmIdentifierRef::decode(reader)?.oid;
        let issuer = reader.tlv_bytes()?;
        let validity = Validity::decode(reader)?;
        let subject = reader.tlv_bytes()?;
        let public_key = reader.tlv_bytes()?;
        for number in [1, 2] {
            // The unique ids of version 2, which nobody uses.
            reader.context_specific::<BitStringRef<'_>>(TagNumber(number), TagMode::Implicit)?;
        }
        let extensions = ContextSpecific::<Vec<Extension>>::decode_explicit(reader, TagNumber(3))?;
        Ok(Self {
            version,
            signature_algorithm,
            issuer,
            validity,
            subject,
            public_key,
            extensions: extensions.map(|field| field.value).unwrap_or_default(),
        })
    }
}

/// The signature algorithm of a key.
pub(super) const fn algorithm_of(key: &LeafPublicKey) -> ObjectIdentifier {
    match key {
        LeafPublicKey::Ed25519(_) => ED25519,
        LeafPublicKey::Ed448(_) => ED448,
    }
}

/// Whether this build can verify with a key.
pub(super) const fn is_supported(key: &LeafPublicKey) -> bool {
    match key {
        LeafPublicKey::Ed25519(_) => true,
        LeafPublicKey::Ed448(_) => cfg!(feature = "ed448"),
    }
}
