//! Server certificates for simulated servers: made from the seed, valid for every check of `crypto::cert`.
//!
//! Writes the few shapes of DER it needs by hand, so that a simulation neither needs a TLS library nor
//! draws randomness that is not the seed's. Real servers make theirs in `crate::tls`.

use crate::base::rng::Rng;
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{Ed25519Private, SigningKey};
use alloc::vec;
use alloc::vec::Vec;

/// A fresh identity: an Ed25519 authority, and a leaf signed by it, both valid from 2020 to 2049.
///
/// Source: `smp-transport` 1.9 (leaf first, identity second).
#[must_use]
pub fn server_credentials(rng: &mut Rng) -> ServerCredentials {
    let authority = Ed25519Private::generate(rng);
    let leaf = Ed25519Private::generate(rng);
    let authority_der = certificate(Shape::Authority, &authority, &authority, rng);
    let leaf_der = certificate(Shape::Leaf, &leaf, &authority, rng);
    ServerCredentials {
        chain: vec![leaf_der.into_boxed_slice(), authority_der.into_boxed_slice()],
        leaf_key: SigningKey::Ed25519(leaf),
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Authority,
    Leaf,
}

fn certificate(shape: Shape, subject: &Ed25519Private, issuer: &Ed25519Private, rng: &mut Rng) -> Vec<u8> {
    let algorithm = sequence(&[&[0x06, 3, 0x2b, 0x65, 0x70]]);
    let name = match shape {
        Shape::Authority => common_name("simulated authority"),
        Shape::Leaf => common_name("simulated server"),
    };
    // A positive integer that DER writes without a leading zero byte.
    let mut serial: [u8; 8] = rng.bytes();
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x3f) | 0x40;
    }
    let is_authority: &[u8] = match shape {
        Shape::Authority => &[0x01, 1, 0xff],
        Shape::Leaf => &[],
    };
    let constraints = sequence(&[
        &[0x06, 3, 0x55, 0x1d, 0x13],
        &[0x01, 1, 0xff],
        &tagged(0x04, &[&sequence(&[is_authority])]),
    ]);
    let signed = sequence(&[
        &tagged(0xa0, &[&[0x02, 1, 2]]),
        &tagged(0x02, &[&serial]),
        &algorithm,
        &common_name("simulated authority"),
        &sequence(&[&tagged(0x17, &[b"200101000000Z"]), &tagged(0x17, &[b"491231235959Z"])]),
        &name,
        &subject.public().to_spki(),
        &tagged(0xa3, &[&sequence(&[&constraints])]),
    ]);
    let signature = issuer.sign(&signed);
    sequence(&[&signed, &algorithm, &tagged(0x03, &[&[0], &signature])])
}

fn common_name(name: &str) -> Vec<u8> {
    let attribute = sequence(&[&[0x06, 3, 0x55, 0x04, 0x03], &tagged(0x0c, &[name.as_bytes()])]);
    sequence(&[&tagged(0x31, &[&attribute])])
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tagged(0x30, parts)
}

/// Tag, length and contents. The certificates here are far below 64 KiB, so two length bytes suffice.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents: Vec<u8> = parts.concat();
    let [high, low] = u16::try_from(contents.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut der = match (high, low) {
        (0, 0..=0x7f) => vec![tag, low],
        (0, _) => vec![tag, 0x81, low],
        (_, _) => vec![tag, 0x82, high, low],
    };
    der.extend_from_slice(&contents);
    der
}
