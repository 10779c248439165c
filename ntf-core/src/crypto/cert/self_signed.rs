//! Certificates by which a service is recognised again, and nothing else is learned.
//!
//! Everything but the key and the serial number is the same in all of them, the dates included: two
//! servers that compare what they were shown find nothing in common but that both know a notification
//! server. One certificate is the whole chain, as services may have it. Source: `smp-transport` 2.7.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::ServerCredentials;
use super::encode::{
    BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, NO_UNUSED_BITS, OCTET_STRING, OID, SET, UTC_TIME,
    UTF8_STRING, explicit, sequence, tlv,
};
use super::x509::ED25519;
use crate::base::rng::Rng;
use crate::crypto::keys::{Ed25519Private, SigningKey};

/// Issuer and subject. Source: ours.
const NAME: &str = "SMP service";

/// Valid since long ago; two digits of the year until 2049. Source: ours, RFC 5280 4.1.2.5.1.
const VALID_FROM: &str = "200101000000Z";

/// Valid without an end. Source: RFC 5280 4.1.2.5.
const VALID_UNTIL: &str = "99991231235959Z";

const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];

/// One unused-bits byte and the first bit of a key usage.
const DIGITAL_SIGNATURE: [u8; 2] = [7, 0x80];

/// Makes a self-signed Ed25519 certificate of version 3 with its key.
///
/// The same generator state gives the same certificate.
#[must_use]
pub fn self_signed(rng: &mut Rng) -> ServerCredentials {
    let key = Ed25519Private::generate(rng);
    let mut serial: [u8; 16] = rng.bytes();
    if let Some(first) = serial.first_mut() {
        // A serial number is positive and its encoding has no leading zero.
        *first = (*first & 0x7f) | 0x40;
    }
    let algorithm = sequence(&[&tlv(OID, &[ED25519.as_bytes()])]);
    let name = sequence(&[&tlv(
        SET,
        &[&sequence(&[&tlv(OID, &[&COMMON_NAME]), &tlv(UTF8_STRING, &[NAME.as_bytes()])])],
    )]);
    let dates = sequence(&[
        &tlv(UTC_TIME, &[VALID_FROM.as_bytes()]),
        &tlv(GENERALIZED_TIME, &[VALID_UNTIL.as_bytes()]),
    ]);
    let extensions = sequence(&[
        // An end entity: the sequence that could say otherwise is empty.
        &critical(&BASIC_CONSTRAINTS, &sequence(&[])),
        &critical(&KEY_USAGE, &tlv(BIT_STRING, &[&DIGITAL_SIGNATURE])),
    ]);
    let to_be_signed = sequence(&[
        &tlv(explicit(0), &[&tlv(INTEGER, &[&[2]])]),
        &tlv(INTEGER, &[&serial]),
        &algorithm,
        &name,
        &dates,
        &name,
        &key.public().to_spki(),
        &tlv(explicit(3), &[&extensions]),
    ]);
    let signature = tlv(BIT_STRING, &[&[NO_UNUSED_BITS], &key.sign(&to_be_signed)]);
    let certificate: Box<[u8]> = sequence(&[&to_be_signed, &algorithm, &signature]).into();
    ServerCredentials { chain: vec![certificate], leaf_key: SigningKey::Ed25519(key) }
}

fn critical(id: &[u8], value: &[u8]) -> Vec<u8> {
    sequence(&[&tlv(OID, &[id]), &tlv(BOOLEAN, &[&[0xff]]), &tlv(OCTET_STRING, &[value])])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use x509_cert::Certificate;
    use x509_cert::der::{Decode as _, Encode as _};

    use super::*;
    use crate::base::rng::{Seed, Stream};
    use crate::crypto::cert::{ChainFault, fingerprint, validate_service_chain};

    fn made(seed: u64) -> ServerCredentials {
        self_signed(&mut Seed::from_number(seed).stream(Stream::Keys))
    }

    #[test]
    fn a_service_is_its_one_certificate() {
        let made = made(1);
        let own = fingerprint(&made.chain[0]);
        for now in [1_577_836_800, 1_800_000_000, 253_402_300_799] {
            assert_eq!(validate_service_chain(&made.chain, now), Ok((made.leaf_key.public(), own)), "{now}");
        }
        assert_eq!(validate_service_chain(&made.chain, 1_577_836_799), Err(ChainFault::Validity));
        assert_eq!(made.identity(), Ok(own));
    }

    #[test]
    fn every_bit_of_a_certificate_is_signed_or_signs() {
        let made = made(1);
        for at in 0..made.chain[0].len() {
            let mut changed = made.chain.clone();
            changed[0][at] ^= 1;
            assert!(validate_service_chain(&changed, 1_800_000_000).is_err(), "{at}");
        }
    }

    #[test]
    fn a_common_parser_reads_the_same_bytes_back() {
        let made = made(1);
        let read = Certificate::from_der(&made.chain[0]).unwrap();
        assert_eq!(read.to_der().unwrap(), &*made.chain[0]);
    }

    #[test]
    fn two_certificates_have_nothing_in_common_but_the_template() {
        let (one, other) = (made(1), made(2));
        assert_eq!(one.chain, made(1).chain, "the same seed gives the same certificate");
        assert_ne!(one.leaf_key.public(), other.leaf_key.public());
        let parsed = [&one, &other].map(|made| Certificate::from_der(&made.chain[0]).unwrap());
        let [one, other] = parsed.each_ref().map(Certificate::tbs_certificate);
        assert_ne!(one.serial_number(), other.serial_number());
        assert_eq!((one.subject(), one.validity()), (other.subject(), other.validity()));
        assert_eq!(one.issuer(), other.subject());
        assert_eq!(one.extensions(), other.extensions());
    }
}
