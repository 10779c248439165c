//! What encryption alone takes: the least that anybody can spend on a push.

use std::time::Duration;

use ntf_core::crypto::boxed::BoxKey;

use crate::program::usage::cpu_time;

/// Payloads that are sealed to measure the cost of one.
const ROUNDS: u32 = 20_000;

/// Processor time of XSalsa20-Poly1305 over one payload of this length.
///
/// Twenty thousand of them, one after the other, in one buffer that stays in the processor's cache.
pub(super) fn seal_cost(payload_len: usize) -> Duration {
    let key = BoxKey::of_key(&[7; 32]);
    let mut payload = vec![0; payload_len];
    let mut nonce = [0; 24];
    let before = cpu_time();
    for round in 0..ROUNDS {
        nonce[..4].copy_from_slice(&round.to_be_bytes());
        std::hint::black_box(key.seal_detached(&nonce, &mut payload));
    }
    cpu_time().saturating_sub(before) / ROUNDS
}
