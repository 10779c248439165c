//! Sealed device tokens on their way through both ends.

use super::pair::{Pair, admitted, device, identity, order_to};
use crate::base::rng::{Rng, Seed, Stream};
use crate::crypto::keys::X25519Private;
use crate::model::push::PushResult;
use crate::model::token::{DeviceToken, InvalidReason, Provider};
use crate::relay::push_end::{Config, Limits, TokensAllowed};
use crate::relay::sealed_token::{OpeningKey, seal};
use alloc::vec;

fn key(byte: u8) -> OpeningKey {
    OpeningKey::new(X25519Private::from_bytes([byte; 32]))
}

fn rng() -> Rng {
    Seed::from_number(2).stream(Stream::Keys)
}

fn pair() -> Pair {
    let limits = Limits { tokens: TokensAllowed::Sealed, ..Limits::default() };
    let mut config = Config::new(vec![admitted("one", limits)]);
    config.keys = vec![key(1), key(2)];
    Pair::with(config)
}

const INVALID: PushResult = PushResult::TokenInvalid { reason: InvalidReason::Bad, since_millis: None };

#[test]
fn a_sealed_token_is_opened_by_whichever_key_it_was_sealed_to() {
    let (mut pair, mut rng) = (pair(), rng());
    for (id, key) in [(1, key(1)), (2, key(2))] {
        let sealed = seal(&device(), key.public(), &identity("one"), &mut rng).unwrap();
        pair.order(order_to(id, sealed));
    }
    pair.settle();
    assert_eq!(pair.results(), [(1, PushResult::Accepted), (2, PushResult::Accepted)]);
    assert!(pair.pushed.iter().all(|order| order.device == device()));
    assert_eq!(pair.recognised.len(), 2, "each push tells what the device is called");
}

#[test]
fn a_token_sealed_for_another_subscriber_or_key_is_invalid() {
    let (mut pair, mut rng) = (pair(), rng());
    let elsewhere = seal(&device(), key(1).public(), &identity("two"), &mut rng).unwrap();
    let unknown = seal(&device(), key(3).public(), &identity("one"), &mut rng).unwrap();
    let junk = DeviceToken { provider: Provider::Sealed, token: vec![1; 255].into() };
    for (id, device) in [(1, elsewhere), (2, unknown), (3, junk)] {
        pair.order(order_to(id, device));
        pair.settle();
        assert_eq!(pair.results().last(), Some(&(id, INVALID)));
    }
    assert!(pair.pushed.is_empty());
    assert_eq!(pair.push.counters().orders.unopened.total(), 3);
}

#[test]
fn registrations_of_one_device_are_called_alike_whatever_key_they_are_sealed_to() {
    let (mut pair, mut rng) = (pair(), rng());
    let other = DeviceToken { provider: Provider::ApnsProd, token: (*b"aa").into() };
    for (id, key, device) in [(1, key(1), device()), (2, key(2), device()), (3, key(1), other)] {
        let sealed = seal(&device, key.public(), &identity("one"), &mut rng).unwrap();
        pair.order(order_to(id, sealed));
    }
    pair.settle();
    let tags: vec::Vec<_> = pair.recognised.iter().map(|(_, tag)| *tag).collect();
    assert_eq!(tags.len(), 3);
    assert_eq!(tags[0], tags[1]);
    assert_ne!(tags[0], tags[2]);
}
