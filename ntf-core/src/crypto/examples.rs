//! Inputs of the worked examples of `smp-transport` 9.2, for the tests beside the code.

use alloc::vec::Vec;

use super::keys::{Ed25519Private, X25519Private};

/// Private keys of 32 equal bytes.
pub(super) fn x25519(byte: u8) -> X25519Private {
    X25519Private::from_bytes([byte; 32])
}

/// Private keys of 32 equal bytes.
pub(super) fn ed25519(byte: u8) -> Ed25519Private {
    Ed25519Private::from_seed([byte; 32])
}

/// 00 01 … 1f.
pub(super) fn session_id() -> [u8; 32] {
    counting(0)
}

/// a0 a1 … b7.
pub(super) fn corr_id() -> [u8; 24] {
    counting(0xa0)
}

/// e0 e1 … ff.
pub(super) fn service_fingerprint() -> [u8; 32] {
    counting(0xe0)
}

/// Bytes counting up from `first`.
pub(super) fn counting<const N: usize>(first: u8) -> [u8; N] {
    let mut bytes = [0; N];
    for (byte, value) in bytes.iter_mut().zip(first..=u8::MAX) {
        *byte = value;
    }
    bytes
}

/// Bytes of a hexadecimal text.
#[allow(clippy::unwrap_used, reason = "a constant of a test")]
pub(super) fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}
