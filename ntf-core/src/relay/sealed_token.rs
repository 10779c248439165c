//! Sealed device tokens: the device's one identity, readable by the push server alone.
//!
//! A client seals its device token to the push server's X25519 key and registers the sealed token with a
//! subscriber, which stores and forwards it. It opens only when it comes from the subscriber it was made
//! for, and two sealings of one token have nothing in common but the key they are for.
//!
//! ```text
//! sealed = version key-id ephemeral box           255 bytes, the whole field of TNEW and TRPL
//! version   = %x01
//! key-id    = 2*OCTET                             the first of SHA-256 of the push server's key
//! ephemeral = 32*OCTET                            X25519 key, made for this sealing
//! box       = 220*OCTET                           XSalsa20-Poly1305, tag first, over 204 bytes:
//!             provider short(token) *OCTET(0)     as in TNEW; the token has 1 to 201 bytes
//!
//! key || nonce = HKDF-SHA-512(salt = none, ikm = X25519(ephemeral, push key), 56 bytes,
//!                             info = "ntf sealed device token v1" || push key || ephemeral || subscriber)
//! subscriber   = fingerprint of the subscriber's identity certificate, which its address names
//! ```
//!
//! No nonce travels, because each key seals once. Source: ours; `docs/protocol/sealed-tokens.md`.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::base::fault::{Misuse, PeerFault};
use crate::base::limits::{NONCE_LEN, TAG_LEN};
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::crypto::boxed::{BoxKey, Nonce};
use crate::crypto::kdf::{expand, part};
use crate::crypto::keys::{DhSecret, X25519Private, X25519Public};
use crate::crypto::sha::sha256;
use crate::model::server::Fingerprint;
use crate::model::token::{DEVICE_TAG_LEN, DeviceTag, DeviceToken, Provider, SEALED_TOKEN_LEN};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::ntf::command::Device;

const VERSION: u8 = 1;
const KEY_ID_LEN: usize = 2;
const KEY_LEN: usize = 32;
const HEAD_LEN: usize = 1 + KEY_ID_LEN + KEY_LEN;
const PADDED_LEN: usize = SEALED_TOKEN_LEN - HEAD_LEN - TAG_LEN;

/// Longest device token that can be sealed: Apple's of today have 64 bytes, and 200 at most.
pub const PLAIN_TOKEN_LEN_MAX: usize = PADDED_LEN - 3;

const PURPOSE: &[u8] = b"ntf sealed device token v1";
const TAG_PURPOSE: &[u8] = b"ntf device tag v1";

/// Seals a device token to a push server, for registration with one subscriber.
///
/// `subscriber` is the identity in the subscriber's address. Each registration takes a sealing of its own,
/// and repeats of a registration repeat its bytes, since the subscriber knows registrations by them.
///
/// # Errors
///
/// [`Misuse::TooLong`] for a token beyond [`PLAIN_TOKEN_LEN_MAX`], [`Misuse::OutOfRange`] for one that is
/// empty or sealed already, and for a key that is no push server's: one with which every agreement gives
/// zero, so that anybody could read what is sealed to it.
pub fn seal(
    device: &DeviceToken,
    push_key: &X25519Public,
    subscriber: &Fingerprint,
    keys: &mut Rng,
) -> Result<DeviceToken, Misuse> {
    seal_with(device, push_key, subscriber, &X25519Private::generate(keys))
}

fn seal_with(
    device: &DeviceToken,
    push_key: &X25519Public,
    subscriber: &Fingerprint,
    ephemeral: &X25519Private,
) -> Result<DeviceToken, Misuse> {
    if device.provider == Provider::Sealed || device.token.is_empty() {
        return Err(Misuse::OutOfRange { field: "device token" });
    }
    if device.token.len() > PLAIN_TOKEN_LEN_MAX {
        return Err(Misuse::TooLong { field: "device token" });
    }
    let ephemeral_public = ephemeral.public();
    let secret = ephemeral.agree(push_key);
    let once = Once::derive(&secret, push_key, &ephemeral_public, subscriber)
        .ok_or(Misuse::OutOfRange { field: "push server key" })?;
    let mut sealed = Vec::with_capacity(SEALED_TOKEN_LEN);
    let mut writer = Writer::new(&mut sealed);
    writer.u8(VERSION).bytes(&key_id(push_key)).bytes(ephemeral_public.as_bytes()).bytes(&[0; TAG_LEN]);
    Device::of(device).encode(&mut writer);
    sealed.resize(SEALED_TOKEN_LEN, 0);
    let boxed = sealed.get_mut(HEAD_LEN..).unwrap_or_default();
    once.key.seal(&once.nonce, boxed);
    Ok(DeviceToken { provider: Provider::Sealed, token: sealed.into() })
}

/// A push server's key pair for sealed device tokens.
///
/// It is as secret as the device tokens of all who sealed to it, past ones included, and has to last:
/// clients are given its public half with the app or by the operator.
#[derive(Clone)]
pub struct OpeningKey {
    private: X25519Private,
    public: X25519Public,
    /// From it come the names by which subscribers tell devices apart.
    tags: Secret<32>,
}

impl OpeningKey {
    /// The pair of this private key.
    #[must_use]
    pub fn new(private: X25519Private) -> Self {
        let public = private.public();
        let tags = Secret::new(*expand(None, private.expose(), TAG_PURPOSE));
        Self { private, public, tags }
    }

    /// The half that clients seal to.
    #[must_use]
    pub const fn public(&self) -> &X25519Public {
        &self.public
    }

    /// Whether the sealed token says that it is for this key.
    #[must_use]
    pub fn is_named_by(&self, sealed: &[u8]) -> bool {
        sealed.get(1..1 + KEY_ID_LEN) == Some(key_id(&self.public).as_slice())
    }

    /// Opens what this subscriber sent.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when it was not sealed to this key for this subscriber, or was changed;
    /// others when it is of another form. Nothing of it may be answered but that it is invalid.
    pub fn open(&self, sealed: &[u8], subscriber: &Fingerprint) -> Result<DeviceToken, PeerFault> {
        if sealed.len() != SEALED_TOKEN_LEN {
            return Err(PeerFault::Malformed { field: "sealed device token" });
        }
        let mut reader = Reader::new(sealed);
        if reader.u8("sealed device token version")? != VERSION || !self.is_named_by(sealed) {
            return Err(PeerFault::Malformed { field: "sealed device token" });
        }
        reader.take(KEY_ID_LEN, "key id")?;
        let ephemeral = X25519Public::new(reader.array("ephemeral key")?);
        let secret = self.private.agree(&ephemeral);
        let once = Once::derive(&secret, &self.public, &ephemeral, subscriber).ok_or(PeerFault::BadBlock)?;
        let mut boxed = Zeroizing::new(reader.rest().to_vec());
        let padded = once.key.open(&once.nonce, &mut boxed)?;
        let mut reader = Reader::new(padded);
        let device = Device::decode(&mut reader)?;
        if device.provider == Provider::Sealed || reader.rest().iter().any(|byte| *byte != 0) {
            return Err(PeerFault::Malformed { field: "sealed device token" });
        }
        Ok(device.to_token())
    }

    /// What this device is called towards this subscriber.
    #[must_use]
    pub fn tag(&self, device: &DeviceToken, subscriber: &Fingerprint) -> DeviceTag {
        let mut info = Zeroizing::new(Vec::new());
        let mut writer = Writer::new(&mut info);
        writer.bytes(TAG_PURPOSE).bytes(subscriber.as_bytes());
        Device::of(device).encode(&mut writer);
        let tag: Zeroizing<[u8; DEVICE_TAG_LEN]> = expand(None, self.tags.expose(), &info);
        DeviceTag(*tag)
    }
}

impl fmt::Debug for OpeningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpeningKey(redacted)")
    }
}

/// The key and nonce of one sealing.
struct Once {
    key: BoxKey,
    nonce: Nonce,
}

impl Once {
    /// `None` when the agreement gives zero: one of the keys is a point of low order.
    fn derive(
        secret: &DhSecret,
        push_key: &X25519Public,
        ephemeral: &X25519Public,
        subscriber: &Fingerprint,
    ) -> Option<Self> {
        if Secret::new(*secret.expose()).matches(&[0; KEY_LEN]) {
            return None;
        }
        let info = [PURPOSE, push_key.as_bytes(), ephemeral.as_bytes(), subscriber.as_bytes()].concat();
        let material: Zeroizing<[u8; KEY_LEN + NONCE_LEN]> = expand(None, secret.expose(), &info);
        let key: Secret<KEY_LEN> = part::<0, _, _>(&material);
        let nonce: Secret<NONCE_LEN> = part::<KEY_LEN, _, _>(&material);
        Some(Self { key: BoxKey::of_key(key.expose()), nonce: *nonce.expose() })
    }
}

fn key_id(key: &X25519Public) -> [u8; KEY_ID_LEN] {
    let [first, second, ..] = sha256(key.as_bytes());
    [first, second]
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use alloc::vec;

    const SUBSCRIBER: Fingerprint = Fingerprint::new([7; 32]);

    fn rng() -> Rng {
        Seed::from_number(1).stream(Stream::Keys)
    }

    fn device(len: usize) -> DeviceToken {
        DeviceToken { provider: Provider::ApnsProd, token: vec![b'a'; len].into() }
    }

    fn opening() -> OpeningKey {
        OpeningKey::new(X25519Private::from_bytes([3; 32]))
    }

    #[test]
    fn what_is_sealed_opens_and_has_one_size() {
        let (key, mut rng) = (opening(), rng());
        for (len, ok) in [(0, false), (1, true), (64, true), (200, true), (201, true), (202, false)] {
            let sealed = seal(&device(len), key.public(), &SUBSCRIBER, &mut rng);
            assert_eq!(sealed.is_ok(), ok, "len = {len}");
            if let Ok(sealed) = sealed {
                assert_eq!((sealed.provider, sealed.token.len()), (Provider::Sealed, SEALED_TOKEN_LEN));
                assert!(key.is_named_by(&sealed.token));
                assert_eq!(key.open(&sealed.token, &SUBSCRIBER), Ok(device(len)), "len = {len}");
            }
        }
    }

    #[test]
    fn another_subscriber_another_key_and_any_changed_bit_open_nothing() {
        let (key, mut rng) = (opening(), rng());
        let sealed = seal(&device(64), key.public(), &SUBSCRIBER, &mut rng).unwrap();
        assert!(key.open(&sealed.token, &Fingerprint::new([8; 32])).is_err());
        let other = OpeningKey::new(X25519Private::from_bytes([4; 32]));
        assert!(other.open(&sealed.token, &SUBSCRIBER).is_err());
        for at in 0..SEALED_TOKEN_LEN {
            let mut changed = sealed.token.clone();
            changed[at] ^= 0x10;
            assert!(key.open(&changed, &SUBSCRIBER).is_err(), "at = {at}");
        }
        for len in [0, 1, HEAD_LEN, SEALED_TOKEN_LEN - 1] {
            assert!(key.open(&sealed.token[..len], &SUBSCRIBER).is_err(), "len = {len}");
        }
        let long = [&sealed.token[..], &[0]].concat();
        assert!(key.open(&long, &SUBSCRIBER).is_err());
    }

    #[test]
    fn two_sealings_share_nothing_but_version_and_key() {
        let (key, mut rng) = (opening(), rng());
        let mut sealed = || seal(&device(64), key.public(), &SUBSCRIBER, &mut rng).unwrap().token.clone();
        let (one, other) = (sealed(), sealed());
        assert_eq!(one[..3], other[..3]);
        let same = one[3..].iter().zip(&other[3..]).filter(|(a, b)| a == b).count();
        assert!(same < 16, "{same} of 252 bytes are equal; one in 256 is expected");
    }

    #[test]
    fn keys_that_agree_on_zero_are_refused_at_both_ends() {
        let (key, mut rng) = (opening(), rng());
        let low_order = X25519Public::new([0; 32]);
        let refused = Misuse::OutOfRange { field: "push server key" };
        assert_eq!(seal(&device(64), &low_order, &SUBSCRIBER, &mut rng), Err(refused));
        let mut sealed = seal(&device(64), key.public(), &SUBSCRIBER, &mut rng).unwrap().token.clone();
        sealed[3..HEAD_LEN].fill(0);
        assert_eq!(key.open(&sealed, &SUBSCRIBER), Err(PeerFault::BadBlock));
    }

    #[test]
    fn what_is_sealed_is_not_sealed_again() {
        let (key, mut rng) = (opening(), rng());
        let sealed = DeviceToken { provider: Provider::Sealed, token: vec![1; 64].into() };
        assert!(seal(&sealed, key.public(), &SUBSCRIBER, &mut rng).is_err());
    }

    #[test]
    fn a_device_has_one_name_for_each_subscriber() {
        let key = opening();
        let tag = |device: &DeviceToken, subscriber: u8| key.tag(device, &Fingerprint::new([subscriber; 32]));
        assert_eq!(tag(&device(64), 1), tag(&device(64), 1));
        assert_ne!(tag(&device(64), 1), tag(&device(64), 2));
        assert_ne!(tag(&device(64), 1), tag(&device(65), 1));
        let sandbox = DeviceToken { provider: Provider::ApnsDev, token: device(64).token.clone() };
        assert_ne!(tag(&device(64), 1), tag(&sandbox, 1));
    }
}
