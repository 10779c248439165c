//! Blocks folded to 32 bytes, for the fingerprint of a run.
//!
//! A run's fingerprint is a SHA-256 of what happened. Blocks are nearly all of its bytes, and where a processor has no
//! instructions for SHA-256, as in WebAssembly, hashing them whole took a quarter of a run. So a block is folded first, and
//! what it folds to is hashed. The fold is for accidents: it tells runs apart, and no attacker is in sight.
//!
//! Four lanes take a word each in turn, as those of XXH64 do. A step maps lanes one to one for a given word, and words one to
//! one for a given lane: two blocks of one length that differ in a single word always fold differently.

/// The longest that is hashed as it is. Source: ours; what a fold is hashed as.
pub(super) const LEN: usize = 32;

/// The first two primes of XXH64. Odd, so that multiplying by them can be undone.
const PRIMES: [u64; 2] = [0x9e37_79b1_85eb_ca87, 0xc2b2_ae3d_27d4_eb4f];

/// As XXH64 begins with the seed 0.
const LANES: [u64; 4] = {
    let [first, second] = PRIMES;
    [first.wrapping_add(second), second, 0, first.wrapping_neg()]
};

/// What these bytes fold to. Zeros are added to the last 32; whoever must tell lengths apart hashes the length too.
pub(super) fn fold(bytes: &[u8]) -> [u8; LEN] {
    let mut lanes = LANES;
    let (whole, rest) = bytes.as_chunks::<LEN>();
    for chunk in whole {
        step(&mut lanes, chunk);
    }
    if !rest.is_empty() {
        let mut last = [0; LEN];
        for (to, from) in last.iter_mut().zip(rest) {
            *to = *from;
        }
        step(&mut lanes, &last);
    }
    let mut folded = [0; LEN];
    for (to, lane) in folded.as_chunks_mut().0.iter_mut().zip(lanes) {
        *to = lane.to_le_bytes();
    }
    folded
}

fn step(lanes: &mut [u64; 4], chunk: &[u8; LEN]) {
    let [first, second] = PRIMES;
    for (lane, word) in lanes.iter_mut().zip(chunk.as_chunks().0) {
        let taken = lane.wrapping_add(u64::from_le_bytes(*word).wrapping_mul(second));
        *lane = taken.rotate_left(31).wrapping_mul(first);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::SMP_BLOCK_LEN;
    use alloc::collections::BTreeSet;
    use alloc::vec;

    #[test]
    fn every_bit_of_a_block_counts() {
        for len in [33, 512, SMP_BLOCK_LEN] {
            let mut bytes = vec![0x5a; len];
            let mut seen = BTreeSet::from([fold(&bytes)]);
            for at in 0..len {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    assert!(seen.insert(fold(&bytes)), "len = {len}, at = {at}, bit = {bit}");
                    bytes[at] ^= 1 << bit;
                }
            }
        }
    }

    #[test]
    fn the_places_of_chunks_count() {
        let chunks = [[1; LEN], [2; LEN], [1; LEN]];
        let [a, b, c] = chunks.map(|chunk| chunk.to_vec());
        assert_ne!(fold(&[a.clone(), b.clone()].concat()), fold(&[b, a.clone()].concat()));
        assert_ne!(fold(&[a.clone(), c].concat()), fold(&a));
    }
}
