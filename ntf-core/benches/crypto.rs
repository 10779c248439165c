//! The cryptography that a notification, a subscription and a registration consist of, by the crates that could do it.
//!
//! "Ours" is the way that the machines take, through `ntf_core::crypto`; the crates below it and beside it do the same
//! with the same bytes. `ntf bench core` has libsodium's times. What ends up in the table is in `docs/PERFORMANCE.md`.
//!
//! `cargo bench -p ntf-core --bench crypto`

#![allow(clippy::unwrap_used, reason = "a bench fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]

mod fastest;

use core::cell::RefCell;
use core::hint::black_box;

use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Key, Nonce, XSalsa20Poly1305};
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::keys::{Ed25519Private, X25519Private};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, UnparsedPublicKey as RingVerifier};

use fastest::Bench;

/// About what an NSUB has to sign.
const SIGNED: [u8; 96] = [5; 96];

/// What a push is padded to by the reference, and a block of SMP.
const BOXED: [usize; 2] = [3072, 16_384];

/// Signatures that are verified together.
const BATCHES: [usize; 2] = [8, 64];

const SEED: [u8; 32] = [7; 32];
const NONCE: [u8; 24] = [9; 24];

/// What is done, by whom, and how many nanoseconds it takes, if it ran.
type Row = (String, &'static str, Option<f64>);

fn main() {
    let bench = Bench::new();
    let rows = [
        bench.x25519_public(),
        bench.x25519_agree(),
        bench.ed25519_sign(),
        bench.ed25519_verify(),
        bench.ed25519_batches(),
        bench.boxes(),
    ];
    println!("{:44}{:20}{:>12}", "", "by", "ns");
    for (what, by, nanos) in rows.into_iter().flatten() {
        // A filter may have left one of them out.
        if let Some(nanos) = nanos {
            println!("{what:44}{by:20}{nanos:>12.0}");
        }
    }
}

impl Bench {
    /// One thing by one crate.
    fn row(&self, what: &str, by: &'static str, prepare: impl Fn(), work: impl FnMut()) -> Row {
        (what.to_owned(), by, self.measure(&format!("{what}/{by}"), 1, prepare, work))
    }

    /// The public half of a key: a multiple of the base point.
    fn x25519_public(&self) -> Vec<Row> {
        let what = "X25519 public key";
        let ours = X25519Private::from_bytes(SEED);
        let ring = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
        vec![
            self.row(what, "ours, x25519-dalek", || {}, || _ = black_box(black_box(&ours).public())),
            self.row(what, "ring", || {}, || _ = black_box(black_box(&ring).compute_public_key().unwrap())),
        ]
    }

    /// The secret of two keys: a multiple of any point.
    fn x25519_agree(&self) -> Vec<Row> {
        let what = "X25519 agreement";
        let (ours, peer) = (X25519Private::from_bytes(SEED), X25519Private::from_bytes([8; 32]).public());
        let peer_bytes = *peer.as_bytes();
        // One of ring's agrees once.
        let key = RefCell::new(None);
        let make = || {
            let made = EphemeralPrivateKey::generate(&X25519, &SystemRandom::new()).unwrap();
            key.replace(Some(made));
        };
        vec![
            self.row(what, "ours, x25519-dalek", || {}, || _ = black_box(ours.agree(black_box(&peer)))),
            self.row(what, "ring", make, || {
                let key = key.take().unwrap();
                let peer = UnparsedPublicKey::new(&X25519, black_box(&peer_bytes));
                agree_ephemeral(key, &peer, |secret| _ = black_box(secret.first().copied())).unwrap();
            }),
        ]
    }

    fn ed25519_sign(&self) -> Vec<Row> {
        let what = "Ed25519 signature";
        let ours = Ed25519Private::from_seed(SEED);
        let dalek = SigningKey::from_bytes(&SEED);
        let ring = Ed25519KeyPair::from_seed_unchecked(&SEED).unwrap();
        vec![
            self.row(what, "ours", || {}, || _ = black_box(ours.sign(black_box(&SIGNED)))),
            self.row(what, "ed25519-dalek", || {}, || _ = black_box(dalek.sign(black_box(&SIGNED)))),
            self.row(what, "ring", || {}, || _ = black_box(ring.sign(black_box(&SIGNED)))),
        ]
    }

    /// Of a key that is known by its bytes, as those of peers are.
    fn ed25519_verify(&self) -> Vec<Row> {
        let what = "Ed25519 verification";
        let key = Ed25519Private::from_seed(SEED);
        let (public, signature) = (key.public(), key.sign(&SIGNED));
        let known = VerifyingKey::from_bytes(public.as_bytes()).unwrap();
        vec![
            self.row(what, "ours", || {}, || assert!(public.verify(black_box(&SIGNED), &signature))),
            self.row(
                what,
                "dalek, key unpacked",
                || {},
                || known.verify(black_box(&SIGNED), &Signature::from_bytes(&signature)).unwrap(),
            ),
            self.row(
                what,
                "ring",
                || {},
                || {
                    let key = RingVerifier::new(&ED25519, black_box(public.as_bytes()));
                    key.verify(&SIGNED, &signature).unwrap();
                },
            ),
        ]
    }

    /// Several signatures of different keys at once; what one of them takes.
    fn ed25519_batches(&self) -> Vec<Row> {
        let most = BATCHES.into_iter().max().unwrap();
        let keys: Vec<_> = (0..).take(most).map(|number| SigningKey::from_bytes(&[number; 32])).collect();
        let signatures: Vec<_> = keys.iter().map(|key| key.sign(&SIGNED)).collect();
        let publics: Vec<_> = keys.iter().map(SigningKey::verifying_key).collect();
        let messages = vec![&SIGNED[..]; most];
        let batch = |count: usize| {
            let what = format!("Ed25519 verification, each of {count} at once");
            let (messages, signatures, publics) = (
                messages.get(..count).unwrap(),
                signatures.get(..count).unwrap(),
                publics.get(..count).unwrap(),
            );
            let (what, by, nanos) = self.row(
                &what,
                "dalek, keys unpacked",
                || {},
                || {
                    ed25519_dalek::verify_batch(black_box(messages), signatures, publics).unwrap();
                },
            );
            let count = f64::from(u32::try_from(count).unwrap());
            (what, by, nanos.map(|nanos| nanos / count))
        };
        BATCHES.map(batch).into()
    }

    /// XSalsa20-Poly1305 in place, under a key whose subkeys are still to be made, as libsodium's `afternm`.
    fn boxes(&self) -> Vec<Row> {
        let (ours, theirs) = (BoxKey::of_key(&SEED), XSalsa20Poly1305::new(Key::from_slice(&SEED)));
        let rows = BOXED.map(|len| {
            let what = format!("XSalsa20-Poly1305 of {len} bytes");
            let buffer = RefCell::new(vec![0; len]);
            [
                self.row(
                    &what,
                    "ours",
                    || {},
                    || {
                        black_box(ours.seal_detached(&NONCE, black_box(&mut buffer.borrow_mut())));
                    },
                ),
                self.row(
                    &what,
                    "crypto_secretbox",
                    || {},
                    || {
                        let mut buffer = buffer.borrow_mut();
                        let nonce = Nonce::from_slice(&NONCE);
                        black_box(
                            theirs.encrypt_in_place_detached(nonce, b"", black_box(&mut buffer)).unwrap(),
                        );
                    },
                ),
            ]
        });
        rows.into_iter().flatten().collect()
    }
}
