//! Writes the few shapes of DER that are made here.

use alloc::vec::Vec;

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const UTF8_STRING: u8 = 0x0c;

/// A field with this number that is wrapped and keeps its own tag inside.
pub(super) const fn explicit(number: u8) -> u8 {
    0xa0 | number
}

/// The first byte of a bit string of whole bytes.
pub(super) const NO_UNUSED_BITS: u8 = 0;

/// Tag, length and contents. Nothing made here is as long as 64 KiB, so two length bytes suffice.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len()).sum::<usize>();
    let [high, low] = u16::try_from(len).expect("a certificate has less than 1 KiB").to_be_bytes();
    let mut der = Vec::with_capacity(len + 4);
    der.push(tag);
    match (high, low) {
        (0, 0..=0x7f) => der.push(low),
        (0, _) => der.extend_from_slice(&[0x81, low]),
        (_, _) => der.extend_from_slice(&[0x82, high, low]),
    }
    for part in parts {
        der.extend_from_slice(part);
    }
    der
}

/// A [`SEQUENCE`].
pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, parts)
}
