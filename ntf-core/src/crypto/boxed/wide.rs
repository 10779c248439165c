//! Salsa20 four blocks at a time, in WebAssembly's vectors.
//!
//! The crate's code goes block by block. Natively the compiler makes vectors of it and for WebAssembly it does not, which takes
//! more than twice as long. Lane `i` of each vector is of block `i`. Everything but whole quadruples of blocks is left to
//! the crate. What lies in blocks and pushes is held to the same bytes as natively by the suites that run in browsers.
//!
//! The subkey's words are wiped, but not the vectors made of them, of which the compiler keeps some on the stack: in a page the
//! memory is the page's own, and goes with it.

use core::arch::wasm32::{
    i32x4_add, i32x4_shl, i32x4_shuffle, i64x2_shuffle, u32x4, u32x4_shr, u32x4_splat, u64x2_extract_lane,
    v128, v128_or, v128_xor,
};

use salsa20::cipher::consts::U10;
use zeroize::{Zeroize as _, Zeroizing};

use super::Nonce;

/// Bytes of four blocks.
pub(super) const LEN: usize = 4 * 64;

/// Applies XSalsa20's key stream from this block on. The upper half of the block's number stays zero: memory of 32 bits holds
/// fewer than 2³² blocks.
pub(super) fn apply(key: &[u8; 32], nonce: &Nonce, block: u32, data: &mut [[u8; LEN]]) {
    let [head @ .., n0, n1, n2, n3, n4, n5, n6, n7] = nonce;
    let mut subkey = salsa20::hsalsa::<U10>(key.into(), head.into());
    let mut words = Zeroizing::new([0; 8]);
    for (word, bytes) in words.iter_mut().zip(subkey.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    subkey.zeroize();
    let [k0, k1, k2, k3, k4, k5, k6, k7] = *words;
    let (low, high) = (u32::from_le_bytes([*n0, *n1, *n2, *n3]), u32::from_le_bytes([*n4, *n5, *n6, *n7]));
    // "expand 32-byte k", and where it stands among key, nonce and the number of the block.
    let (c0, c1, c2, c3) = (0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574);
    let mut start =
        [c0, k0, k1, k2, k3, c1, low, high, block, 0, c2, k4, k5, k6, k7, c3].map(|word| u32x4_splat(word));
    start[8] = i32x4_add(start[8], u32x4(0, 1, 2, 3));
    for four in data {
        xor(four, &blocks(&start));
        start[8] = i32x4_add(start[8], u32x4_splat(4));
    }
}

/// Ten double rounds, and the start added.
fn blocks(start: &[v128; 16]) -> [v128; 16] {
    let [s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15] = *start;
    let [mut x0, mut x1, mut x2, mut x3, mut x4, mut x5, mut x6, mut x7] = [s0, s1, s2, s3, s4, s5, s6, s7];
    let [mut x8, mut x9, mut x10, mut x11, mut x12, mut x13, mut x14, mut x15] =
        [s8, s9, s10, s11, s12, s13, s14, s15];
    for _ in 0..10 {
        (x0, x4, x8, x12) = quarter(x0, x4, x8, x12);
        (x5, x9, x13, x1) = quarter(x5, x9, x13, x1);
        (x10, x14, x2, x6) = quarter(x10, x14, x2, x6);
        (x15, x3, x7, x11) = quarter(x15, x3, x7, x11);
        (x0, x1, x2, x3) = quarter(x0, x1, x2, x3);
        (x5, x6, x7, x4) = quarter(x5, x6, x7, x4);
        (x10, x11, x8, x9) = quarter(x10, x11, x8, x9);
        (x15, x12, x13, x14) = quarter(x15, x12, x13, x14);
    }
    let mut done = [x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11, x12, x13, x14, x15];
    for (word, start) in done.iter_mut().zip(start) {
        *word = i32x4_add(*word, *start);
    }
    done
}

#[inline(always)]
fn quarter(a: v128, b: v128, c: v128, d: v128) -> (v128, v128, v128, v128) {
    let b = v128_xor(b, turn::<7>(i32x4_add(a, d)));
    let c = v128_xor(c, turn::<9>(i32x4_add(b, a)));
    let d = v128_xor(d, turn::<13>(i32x4_add(c, b)));
    let a = v128_xor(a, turn::<18>(i32x4_add(d, c)));
    (a, b, c, d)
}

#[inline(always)]
fn turn<const BY: u32>(words: v128) -> v128 {
    v128_or(i32x4_shl(words, BY), u32x4_shr(words, 32 - BY))
}

/// From words of four blocks to the blocks, four words at a time.
fn xor(four: &mut [u8; LEN], stream: &[v128; 16]) {
    let (four, _) = four.as_chunks_mut::<64>();
    let [first, second, third, fourth] = four else { return };
    for (at, [w0, w1, w2, w3]) in stream.as_chunks().0.iter().enumerate() {
        let (a, b) = (i32x4_shuffle::<0, 4, 1, 5>(*w0, *w1), i32x4_shuffle::<0, 4, 1, 5>(*w2, *w3));
        let (c, d) = (i32x4_shuffle::<2, 6, 3, 7>(*w0, *w1), i32x4_shuffle::<2, 6, 3, 7>(*w2, *w3));
        xor_at(first, at, i64x2_shuffle::<0, 2>(a, b));
        xor_at(second, at, i64x2_shuffle::<1, 3>(a, b));
        xor_at(third, at, i64x2_shuffle::<0, 2>(c, d));
        xor_at(fourth, at, i64x2_shuffle::<1, 3>(c, d));
    }
}

#[inline(always)]
fn xor_at(block: &mut [u8; 64], at: usize, stream: v128) {
    let words = [u64x2_extract_lane::<0>(stream), u64x2_extract_lane::<1>(stream)];
    for (bytes, word) in block.as_chunks_mut::<8>().0.iter_mut().skip(2 * at).zip(words) {
        *bytes = (u64::from_le_bytes(*bytes) ^ word).to_le_bytes();
    }
}
