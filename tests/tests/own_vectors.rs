//! Bytes of our own protocols, fixed so that they do not change by accident and others can check theirs.
//!
//! The files in `tests/vectors/own` were written by these tests, with `NTF_WRITE_VECTORS=1`, from inputs that
//! are in them. They change only together with a version.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ntf_core::base::rng::{Seed, Stream};
use ntf_core::crypto::keys::X25519Private;
use ntf_core::crypto::sha::sha256;
use ntf_core::model::server::Fingerprint;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::relay::frame::{
    Answer, Device, Farewell, Frame, Frames, Hello, InvalidReason, Order, Outcome, Payload, Refusal, Welcome,
    block_of,
};
use ntf_core::relay::sealed_token::{OpeningKey, seal};
use ntf_core::wire::text::device::provider;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Compares the vectors with those of a file, or writes them.
fn check(file: &str, protocol: &str, vectors: Vec<Value>) {
    let made = json!({
        "source": format!(
            "made by this project's own code (tests/tests/own_vectors.rs) for {protocol}, version 1; \
             the keys were made for this file and protect nothing"
        ),
        "count": vectors.len(),
        "vectors": vectors,
    });
    let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors/own")).join(file);
    if std::env::var_os("NTF_WRITE_VECTORS").is_some() {
        std::fs::write(&path, text).unwrap();
        return;
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let (kept, made) = (kept["vectors"].as_array().unwrap(), made["vectors"].as_array().unwrap());
    assert_eq!(kept.len(), made.len(), "{file}");
    for (kept, made) in kept.iter().zip(made) {
        assert_eq!(kept, made, "{file}: {}", kept["name"]);
    }
}

#[test]
fn sealed_device_tokens() {
    let key = OpeningKey::new(X25519Private::from_bytes([0x11; 32]));
    let long = "0123456789abcdef".repeat(12) + "012345678";
    let tokens = [
        (Provider::ApnsProd, "00ff".repeat(16), 1),
        (Provider::ApnsDev, "a1".repeat(100), 2),
        (Provider::ApnsTest, "a-token_of~the.stand-in".into(), 3),
        (Provider::ApnsNull, "test_ntf_token".into(), 4),
        (Provider::ApnsTest, long, 5),
    ];
    let vectors = tokens.into_iter().map(|(kind, token, number)| {
        let device = DeviceToken { provider: kind, token: token.as_bytes().into() };
        let subscriber = Fingerprint::new(sha256(&[number]));
        let stream = || Seed::from_number(number.into()).stream(Stream::Keys);
        let ephemeral = X25519Private::generate(&mut stream());
        let sealed = seal(&device, key.public(), &subscriber, &mut stream()).unwrap();
        assert_eq!(key.open(&sealed.token, &subscriber).unwrap(), device);
        assert_eq!(sealed.token[3..35], ephemeral.public().as_bytes()[..]);
        json!({
            "name": format!("{} token of {} bytes", provider(kind), token.len()),
            "inputs": {
                "push_private": hex::encode([0x11; 32]),
                "push_public": hex::encode(key.public().as_bytes()),
                "ephemeral_private": hex::encode(ephemeral.expose()),
                "subscriber_fingerprint": hex::encode(subscriber.as_bytes()),
                "provider": provider(kind),
                "token_text": token,
            },
            "outputs": {
                "sealed": hex::encode(&sealed.token),
                "device_tag": hex::encode(key.tag(&device, &subscriber).0),
            },
        })
    });
    check("sealed_tokens.json", "docs/protocol/sealed-tokens.md", vectors.collect());
}

#[test]
fn frames_of_the_relay_link() {
    let (nonce, ciphertext) = ([0x22; 24], &[0x33; 40][..]);
    let sealed = [0x44; 255];
    let plain = Device::Plain { provider: ntf_core::relay::frame::Provider::ApnsProd, token: b"00ff" };
    let outcome = |request, result| Frame::Outcome(Outcome { request, result });
    let frames = [
        ("hello", Frame::Hello(Hello { version_min: 1, version_max: 300, instance: [0x55; 16] })),
        ("welcome", Frame::Welcome(Welcome { version: 1, credits: 1024 })),
        ("credits", Frame::Credits(7)),
        (
            "order: message to a plain token",
            Frame::Order(Order {
                request: 1,
                device: plain,
                payload: Payload::Message { nonce, ciphertext },
            }),
        ),
        (
            "order: verification to a sealed token",
            Frame::Order(Order {
                request: 128,
                device: Device::Sealed(&sealed),
                payload: Payload::Verification { nonce, ciphertext },
            }),
        ),
        (
            "order: check for messages",
            Frame::Order(Order { request: u64::MAX, device: plain, payload: Payload::CheckMessages }),
        ),
        ("outcome: accepted", outcome(1, Answer::Accepted { device: None })),
        ("outcome: accepted, with a device tag", outcome(2, Answer::Accepted { device: Some([0x66; 16]) })),
        (
            "outcome: token invalid, without a time",
            outcome(3, Answer::TokenInvalid { reason: InvalidReason::Bad, since_millis: None }),
        ),
        (
            "outcome: token invalid, with a time",
            outcome(
                300,
                Answer::TokenInvalid {
                    reason: InvalidReason::Unregistered,
                    since_millis: Some(1_700_000_000_123),
                },
            ),
        ),
        ("outcome: try later", outcome(4, Answer::TryLater { after_millis: 10_000 })),
        ("outcome: throttled", outcome(5, Answer::Throttled { after_millis: 36 })),
        ("outcome: refused by the provider", outcome(6, Answer::Refused(Refusal::Provider))),
        ("outcome: plain tokens are not allowed", outcome(7, Answer::Refused(Refusal::PlainToken))),
        ("ping", Frame::Ping),
        ("pong", Frame::Pong),
        ("drain", Frame::Drain),
        ("goodbye: replaced", Frame::Goodbye(Farewell::Replaced)),
        ("goodbye: silent", Frame::Goodbye(Farewell::Silent)),
    ];
    let vectors = frames.into_iter().map(|(name, frame)| {
        let block = block_of(&frame);
        assert!(Frames::of(&block).eq([Ok(frame)]), "{name}");
        let length = usize::from(u16::from_be_bytes([block[0], block[1]]));
        json!({
            "name": name,
            "outputs": {
                "frame": hex::encode(&block[2..2 + length]),
                "block_sha256": hex::encode(sha256(&block)),
            },
        })
    });
    check("relay.json", "docs/protocol/relay.md", vectors.collect());
}
