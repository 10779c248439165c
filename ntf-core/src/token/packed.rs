//! What the table holds of a device token and of its registrations, in little room.
//!
//! There is one of each for every registration but a few, so what is common lies in the row, and only the rest takes
//! memory of its own.

use crate::base::hash::HashKey;
use crate::base::secret::Secret;
use crate::model::index::TokenIndex;
use crate::model::token::{DeviceToken, Provider};
use alloc::vec::Vec;
use zeroize::Zeroizing;

/// Bytes that Apple's device tokens have.
const LEN: usize = 32;

/// The digits as Apple's documentation has them; with others a device token is another one.
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A device token. Those of Apple are 64 hexadecimal digits, which say no more than 32 bytes.
#[derive(Debug)]
pub(super) enum PackedDevice {
    Digits(Provider, Secret<LEN>),
    AsItCame(DeviceToken),
}

impl PackedDevice {
    pub(super) fn new(device: DeviceToken) -> Self {
        match bytes_of(&device.token) {
            Some(bytes) => Self::Digits(device.provider, bytes),
            None => Self::AsItCame(device),
        }
    }

    /// The device token as it came.
    pub(super) fn unpacked(&self) -> DeviceToken {
        self.read(|provider, token| DeviceToken { provider, token: token.into() })
    }

    /// Whether it is this one.
    pub(super) fn is(&self, device: &DeviceToken) -> bool {
        self.read(|provider, token| provider == device.provider && *token == *device.token)
    }

    /// The hash of the device token as it came.
    pub(super) fn hash(&self, key: &HashKey) -> u64 {
        self.read(|provider, token| key.of(&(provider, token)))
    }

    fn read<T>(&self, read: impl FnOnce(Provider, &[u8]) -> T) -> T {
        match self {
            Self::Digits(provider, bytes) => read(*provider, digits_of(bytes).as_slice()),
            Self::AsItCame(device) => read(device.provider, &device.token),
        }
    }
}

fn bytes_of(digits: &[u8]) -> Option<Secret<LEN>> {
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut bytes = Zeroizing::new([0; LEN]);
    if pairs.len() != bytes.len() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (value_of(*high)? << 4) | value_of(*low)?;
    }
    Some(Secret::new(*bytes))
}

const fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn digits_of(bytes: &Secret<LEN>) -> Zeroizing<[u8; 2 * LEN]> {
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
    let mut digits = Zeroizing::new([0; 2 * LEN]);
    for ([high, low], byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes.expose()) {
        (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
    }
    digits
}

/// The registrations of a device, oldest first: one, as a rule.
#[derive(Debug)]
pub(super) enum Registrations {
    One(TokenIndex),
    /// None, or more than one.
    Listed(Vec<TokenIndex>),
}

impl Registrations {
    pub(super) const NONE: Self = Self::Listed(Vec::new());

    pub(super) const fn as_slice(&self) -> &[TokenIndex] {
        match self {
            Self::One(index) => core::slice::from_ref(index),
            Self::Listed(list) => list.as_slice(),
        }
    }

    pub(super) fn push(&mut self, index: TokenIndex) {
        *self = match core::mem::replace(self, Self::NONE) {
            Self::One(first) => Self::Listed(alloc::vec![first, index]),
            Self::Listed(list) if list.is_empty() => Self::One(index),
            Self::Listed(mut list) => {
                list.push(index);
                Self::Listed(list)
            }
        };
    }

    pub(super) fn remove(&mut self, index: TokenIndex) {
        let mut left = self.as_slice().to_vec();
        left.retain(|other| *other != index);
        *self = match left.as_slice() {
            [] => Self::NONE,
            [one] => Self::One(*one),
            _ => Self::Listed(left),
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use crate::base::slab::Slab;
    use alloc::vec;

    fn device(provider: Provider, token: &[u8]) -> DeviceToken {
        DeviceToken { provider, token: token.into() }
    }

    #[test]
    fn every_device_token_comes_back_as_it_came() {
        let key = HashKey::new(&mut Seed::from_number(1).stream(Stream::Hashing));
        let apple = b"00ff10a9e4b7c2d85f6e3a1b9c8d7e6f5a4b3c2d1e0f9a8b7c6d5e4f3a2b1c0d";
        let mut upper = *apple;
        upper[2] = b'F';
        for (token, is_packed) in [
            (&apple[..], true),
            (&upper, false),
            (&apple[1..], false),
            (&apple[2..], false),
            (&[b'a'; 66], false),
            (b"g", false),
            (b"", false),
            (&[0xfe; 255], false),
        ] {
            let came = device(Provider::ApnsProd, token);
            let packed = PackedDevice::new(came.clone());
            assert_eq!(matches!(packed, PackedDevice::Digits(..)), is_packed, "{token:?}");
            assert_eq!(packed.unpacked(), came);
            assert_eq!(packed.hash(&key), key.of(&came));
            assert!(packed.is(&came));
            assert!(!packed.is(&device(Provider::ApnsDev, token)));
            assert!(!packed.is(&device(Provider::ApnsProd, b"other")));
        }
    }

    #[test]
    fn nothing_of_a_device_token_is_printed() {
        let packed = PackedDevice::new(device(Provider::ApnsProd, &[b'a'; 64]));
        assert_eq!(alloc::format!("{packed:?}"), "Digits(ApnsProd, Secret(redacted))");
    }

    #[test]
    fn registrations_keep_their_order_and_one_takes_no_memory() {
        let mut slab = Slab::new(9);
        let [a, b, c] = [(); 3].map(|()| TokenIndex(slab.insert(()).unwrap()));
        let mut registrations = Registrations::NONE;
        for (index, expected) in [(a, vec![a]), (b, vec![a, b]), (c, vec![a, b, c])] {
            registrations.push(index);
            assert_eq!(registrations.as_slice(), expected);
        }
        registrations.remove(b);
        assert_eq!(registrations.as_slice(), [a, c]);
        registrations.remove(a);
        assert!(matches!(registrations, Registrations::One(one) if one == c));
        registrations.remove(a);
        assert_eq!(registrations.as_slice(), [c]);
        registrations.remove(c);
        assert_eq!(registrations.as_slice(), []);
    }
}
