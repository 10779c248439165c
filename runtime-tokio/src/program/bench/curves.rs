//! What Curve25519 takes, by our crates and by libsodium: registrations and subscriptions consist of it.

use std::hint::black_box;
use std::time::Duration;

use ntf_core::crypto::keys::{Ed25519Private, X25519Private};
use serde_json::{Value, json};

use crate::program::bench::figures::rounded;
use crate::program::bench::yardstick::{Yardstick, libsodium_curves};
use crate::program::usage::cpu_time;

/// About what an NSUB has to sign, in bytes; as in the C that libsodium is timed with.
const SIGNED_LEN: usize = 96;

/// Of so many runs of so many rounds the fastest counts: other work on the machine makes a run slower, never faster.
const RUNS: u32 = 15;
const ROUNDS: u32 = 100;

const NAMES: [(&str, &str); 4] = [
    ("x25519_public", "X25519 public key"),
    ("x25519_agree", "X25519 agreement"),
    ("ed25519_sign", "Ed25519 signature"),
    ("ed25519_verify", "Ed25519 verification"),
];

/// Processor time for each of [`NAMES`].
pub(super) struct Curves {
    own: [Duration; 4],
    libsodium: Option<[Duration; 4]>,
}

impl Curves {
    pub(super) fn measure() -> Self {
        let (secret, peer) =
            (X25519Private::from_bytes([7; 32]), X25519Private::from_bytes([8; 32]).public());
        let (key, message) = (Ed25519Private::from_seed([7; 32]), [0; SIGNED_LEN]);
        let (public, signature) = (key.public(), key.sign(&message));
        let own = [
            fastest(|| _ = black_box(black_box(&secret).public())),
            fastest(|| _ = black_box(black_box(&secret).agree(&peer))),
            fastest(|| _ = black_box(black_box(&key).sign(&message))),
            fastest(|| _ = black_box(black_box(&public).verify(&message, &signature))),
        ];
        // Why it is not there was told when C was measured.
        Self { own, libsodium: libsodium_curves().ok() }
    }

    fn rows(&self) -> impl Iterator<Item = ((&'static str, &'static str), Duration, Option<Duration>)> {
        let libsodium = self.libsodium.map_or([None; 4], |times| times.map(Some));
        NAMES
            .into_iter()
            .zip(self.own)
            .zip(libsodium)
            .map(|((names, own), libsodium)| (names, own, libsodium))
    }

    pub(super) fn tell(&self, yardstick: &Yardstick) {
        eprintln!("Processor time of the curves, in µs:");
        eprintln!("{:28}{:>9}{:>8}{:>14}{:>8}", "", "ours", "in C", "libsodium", "ratio");
        for ((_, name), own, libsodium) in self.rows() {
            let [theirs, ratio] = match libsodium {
                Some(time) => {
                    [micros(time), own.as_secs_f64() / time.as_secs_f64()].map(|it| format!("{it:.2}"))
                }
                None => ["-"; 2].map(str::to_owned),
            };
            eprintln!("{name:28}{:>9.2}{:>8.2}{theirs:>14}{ratio:>8}", micros(own), yardstick.times(own));
        }
    }

    pub(super) fn json(&self) -> Value {
        let one = |((name, _), own, libsodium): ((&str, _), Duration, Option<Duration>)| {
            json!({
                "name": name,
                "own_us": rounded(micros(own)),
                "libsodium_us": libsodium.map(|time| rounded(micros(time))),
            })
        };
        self.rows().map(one).collect()
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn fastest(mut work: impl FnMut()) -> Duration {
    let mut run = || {
        let before = cpu_time();
        (0..ROUNDS).for_each(|_| work());
        cpu_time().saturating_sub(before) / ROUNDS
    };
    (0..RUNS).map(|_| run()).min().unwrap_or_default()
}
