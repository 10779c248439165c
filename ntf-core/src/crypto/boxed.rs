//! Boxes: XSalsa20-Poly1305 in place, tag first.
//!
//! One construction serves the DH form, which is NaCl's `crypto_box`, and the symmetric form of block
//! encryption, which is *not* NaCl's `crypto_secretbox`: the reference puts a symmetric key through the
//! same extra HSalsa20 step as a DH secret. A [`BoxKey`] is the result of that step, so whoever boxes
//! many times with one secret pays for it once. Source: `smp-transport` 1.5.
//!
//! ```text
//! box = Poly1305(stream[0..32], C) (16 bytes) || C        C = M xor stream[32..]
//! ```

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wide;

use alloc::vec::Vec;

use poly1305::universal_hash::{KeyInit as _, UniversalHash as _};
use poly1305::{Block, Poly1305};
use salsa20::XSalsa20;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::keys::DhSecret;
use super::pad;
use super::work::{Work, note};
use crate::base::fault::{Misuse, PeerFault};
use crate::base::limits::{NONCE_LEN, TAG_LEN};
use crate::base::secret::Secret;

/// A nonce of a box; never used twice with one key.
pub type Nonce = [u8; NONCE_LEN];

/// The nonce made from an arbitrary string (correlation id, message id): its first 24 bytes, or all of
/// it and zeros on the right. Source: `smp-transport` 1.5.
#[must_use]
pub fn nonce_from(bytes: &[u8]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    for (to, from) in nonce.iter_mut().zip(bytes) {
        *to = *from;
    }
    nonce
}

/// Seals with a secret that is used once; see [`BoxKey::seal`].
pub fn seal(secret: &DhSecret, nonce: &Nonce, buf: &mut [u8]) {
    BoxKey::of_dh(secret).seal(nonce, buf);
}

/// Opens with a secret that is used once; see [`BoxKey::open`].
///
/// # Errors
///
/// As [`BoxKey::open`].
pub fn open<'b>(secret: &DhSecret, nonce: &Nonce, buf: &'b mut [u8]) -> Result<&'b mut [u8], PeerFault> {
    BoxKey::of_dh(secret).open(nonce, buf)
}

/// A secret after its HSalsa20 step, ready to box. As large as the secret: keep it in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxKey(Secret<32>);

impl BoxKey {
    /// The key of NaCl's `crypto_box` for an X25519 agreement.
    #[must_use]
    pub fn of_dh(secret: &DhSecret) -> Self {
        Self::of_key(secret.expose())
    }

    /// The key of the reference's "secret box" for a symmetric key.
    #[must_use]
    pub fn of_key(key: &[u8; 32]) -> Self {
        note(Work::BoxKey);
        let mut subkey = salsa20::hsalsa::<U10>(key.into(), &[0; 16].into());
        let boxed = Self(Secret::new(subkey.into()));
        subkey.zeroize();
        boxed
    }

    /// Seals what follows the first 16 bytes of `buf`, and writes the tag into those.
    ///
    /// A buffer without room for the tag is a bug of the caller: it is wiped, so that nothing leaves in
    /// the clear.
    pub fn seal(&self, nonce: &Nonce, buf: &mut [u8]) {
        match buf.split_first_chunk_mut::<TAG_LEN>() {
            Some((tag, data)) => *tag = self.seal_detached(nonce, data),
            None => {
                debug_assert!(false, "the caller leaves room for the tag");
                buf.fill(0);
            }
        }
    }

    /// Opens `tag || data` and returns the data, decrypted where it stood.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when the buffer is shorter than a tag or the tag does not fit; the bytes
    /// are left as they came.
    pub fn open<'b>(&self, nonce: &Nonce, buf: &'b mut [u8]) -> Result<&'b mut [u8], PeerFault> {
        let (tag, data) = buf.split_first_chunk_mut::<TAG_LEN>().ok_or(PeerFault::BadBlock)?;
        self.open_detached(nonce, tag, data)?;
        Ok(data)
    }

    /// Seals `data` in place and returns the tag.
    #[must_use]
    pub fn seal_detached(&self, nonce: &Nonce, data: &mut [u8]) -> [u8; TAG_LEN] {
        note(Work::Boxed(data.len()));
        let (stream, mac) = self.start(nonce);
        self.apply(stream, nonce, data);
        tag_of(mac, data)
    }

    /// Opens `data` in place if `tag` fits it.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when it does not; `data` is left as it came.
    pub fn open_detached(
        &self,
        nonce: &Nonce,
        tag: &[u8; TAG_LEN],
        data: &mut [u8],
    ) -> Result<(), PeerFault> {
        note(Work::Boxed(data.len()));
        let (stream, mac) = self.start(nonce);
        if bool::from(tag_of(mac, data).ct_eq(tag)) {
            self.apply(stream, nonce, data);
            Ok(())
        } else {
            Err(PeerFault::BadBlock)
        }
    }

    /// The padded box of `padded_len`: `padded_len + 16` bytes in one allocation.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLong`] when the message does not fit ([`pad::pad`]).
    pub fn seal_padded(&self, nonce: &Nonce, message: &[u8], padded_len: usize) -> Result<Vec<u8>, Misuse> {
        let mut out = Vec::with_capacity(TAG_LEN.saturating_add(padded_len));
        out.resize(TAG_LEN, 0);
        pad::pad_into(&mut out, message, padded_len)?;
        self.seal(nonce, &mut out);
        Ok(out)
    }

    /// Opens a padded box in place and returns the message.
    ///
    /// # Errors
    ///
    /// [`PeerFault::BadBlock`] when it does not open or the padding is wrong.
    pub fn open_padded<'b>(&self, nonce: &Nonce, buf: &'b mut [u8]) -> Result<&'b [u8], PeerFault> {
        pad::unpad(self.open(nonce, buf)?)
    }

    /// The key stream past the authentication key, and the authenticator keyed with it.
    fn start(&self, nonce: &Nonce) -> (XSalsa20, Poly1305) {
        let mut stream = XSalsa20::new(self.0.expose().into(), nonce.into());
        let mut mac_key = Zeroizing::new([0; 32]);
        stream.apply_keystream(mac_key.as_mut_slice());
        (stream, Poly1305::new((&*mac_key).into()))
    }

    /// Encrypts or decrypts with the key stream past the authentication key.
    #[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
    fn apply(&self, mut stream: XSalsa20, _: &Nonce, data: &mut [u8]) {
        stream.apply_keystream(data);
    }

    /// As above: what lies between whole blocks is left to the crate, and so is data too short to be worth the trouble.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn apply(&self, mut stream: XSalsa20, nonce: &Nonce, data: &mut [u8]) {
        use salsa20::cipher::StreamCipherSeek as _;

        let Some((rest_of_first, rest)) = data.split_first_chunk_mut::<32>() else {
            return stream.apply_keystream(data);
        };
        stream.apply_keystream(rest_of_first);
        let (wide, tail) = rest.as_chunks_mut();
        if !wide.is_empty() {
            wide::apply(self.0.expose(), nonce, 1, wide);
            stream.seek(64 + wide.as_flattened().len());
        }
        stream.apply_keystream(tail);
    }
}

/// The tag of a ciphertext.
///
/// Whole blocks go in with one call, which lets the vectorized code run over them all; feeding them one
/// by one, as `compute_unpadded` does, takes a third longer.
fn tag_of(mut mac: Poly1305, data: &[u8]) -> [u8; TAG_LEN] {
    let (blocks, tail) = Block::slice_as_chunks(data);
    mac.update(blocks);
    mac.compute_unpadded(tail).into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use alloc::format;

    use base64ct::{Base64Url, Encoding as _};

    use super::*;
    use crate::crypto::examples::{counting, unhex, x25519};
    use crate::crypto::sha::sha256;

    /// Bytes of a notification's metadata and of a message body after padding: `smp-transport` 6.1, 5.5.
    const META_LEN: usize = 128;
    const BODY_LEN: usize = 16106;

    #[test]
    fn the_published_crypto_box_example() {
        // From the NaCl distribution, tests/box.c. 131 bytes: the last block is a partial one.
        let key = BoxKey::of_dh(&DhSecret::new(unhex(NACL_SECRET).try_into().unwrap()));
        let nonce = unhex(NACL_NONCE).try_into().unwrap();
        let mut buf = [[0; TAG_LEN].as_slice(), &unhex(NACL_MESSAGE)].concat();
        key.seal(&nonce, &mut buf);
        assert_eq!(hex::encode(&buf), NACL_BOX);
        assert_eq!(hex::encode(key.open(&nonce, &mut buf).unwrap()), NACL_MESSAGE);
    }

    #[test]
    fn a_symmetric_key_takes_the_extra_step() {
        // `smp-transport` 9.5: box(that key, that nonce, pad("hello", 16)).
        let key = BoxKey::of_key(
            &unhex("b2eea0d081065bdbe683c74ecb4fb46932c08aec859546220de705f3c254c05a").try_into().unwrap(),
        );
        let nonce = unhex("14e962255fa9fa02c25029b6c67971294283d7201d8a87e1").try_into().unwrap();
        let sealed = key.seal_padded(&nonce, b"hello", 16).unwrap();
        assert_eq!(hex::encode(sealed), "9eb60f5f7fc632c2b6520382b7826025d9d28191d5301afa52260a13199a2ba8");
    }

    #[test]
    fn metadata_of_a_notification() {
        // `smp-transport` 9.7.
        let secret = x25519(0x55).agree(&x25519(0x66).public());
        assert_eq!(
            hex::encode(secret.expose()),
            "559ed2171b98fa0c0f417b78b5c5a43e971990d7605860038d940284d3245142"
        );
        let key = BoxKey::of_dh(&secret);
        let nonce: Nonce = counting(1);
        let mut sealed = key.seal_padded(&nonce, &unhex(META), META_LEN).unwrap();
        assert_eq!(hex::encode(&sealed), ENC_META);
        assert_eq!(hex::encode(key.open_padded(&nonce, &mut sealed).unwrap()), META);
    }

    #[test]
    fn body_of_a_message() {
        // `smp-transport` 9.8: the same secret, and the message id of 9.7 as the nonce.
        let key = BoxKey::of_dh(&x25519(0x66).agree(&x25519(0x55).public()));
        let nonce = nonce_from(&counting::<24>(0x80));
        let sealed = key.seal_padded(&nonce, &unhex("000000006553f100542068656c6c6f"), BODY_LEN).unwrap();
        assert_eq!(sealed.len(), 16122);
        assert_eq!(
            hex::encode(&sealed[..32]),
            "968dc0a5f6052e3166aea626dcfb274a3fdfc4b09fa31e67b9e08ee18fc52a51"
        );
        assert_eq!(
            hex::encode(sha256(&sealed)),
            "d70cad7de8b2f6b1c4584536171a5a55a0128f032f6eda26a5fd9d52f25257ed"
        );
    }

    #[test]
    fn payload_of_a_verification_push() {
        // `ntf-protocol` 8.
        let secret = x25519(0x11).agree(&x25519(0x22).public());
        let blob = BoxKey::of_dh(&secret).seal_padded(&counting(0), &[0x33; 32], 3072).unwrap();
        assert_eq!(blob.len(), 3088);
        assert_eq!(hex::encode(&blob[..16]), "ce90a25d7ded9703c208a589234901c5");
        assert_eq!(hex::encode(&blob[16..32]), "5bac2aa56da0c9fb099e069fe2624189");
        assert_eq!(
            hex::encode(sha256(&blob)),
            "6cb82d70d88568b5aeb68ea5644eeb3aa4900046ff649a2335094099390627d6"
        );
        let text = Base64Url::encode_string(&blob);
        assert!(text.starts_with("zpCiXX3tlwPCCKWJI0kBxVus"));
        assert!(text.ends_with("kteUEg=="));
    }

    #[test]
    fn payload_of_a_message_push() {
        // `ntf-protocol` 8: two entries, assembled by hand.
        let b64 = |byte: u8, len: usize| Base64Url::encode_string(&alloc::vec![byte; len]);
        let tail = format!("{} {}", b64(3, 24), b64(4, 144));
        let first = format!("smp://{}@smp1.example.org/{} 1700000000 {tail}", b64(1, 32), b64(2, 24));
        let second =
            format!("smp://{}@smp2.example.org,abc.onion:5224/{} 1700000001 {tail}", b64(1, 32), b64(5, 24));
        let text = format!("{first};{second}");
        assert_eq!((first.len(), text.len()), (337, 690));
        let secret = x25519(0x11).agree(&x25519(0x22).public());
        let blob = BoxKey::of_dh(&secret).seal_padded(&counting(0), text.as_bytes(), 3072).unwrap();
        assert_eq!(hex::encode(&blob[..16]), "62f8ecd21fc05342d8a183e5369293b4");
        assert_eq!(
            hex::encode(sha256(&blob)),
            "b2df6b5cb2a9646f9fea8b63dad38b4db8285231f111ae87981388afded944e3"
        );
    }

    #[test]
    fn nonces_are_cut_or_filled_on_the_right() {
        assert_eq!(nonce_from(&[]), [0; 24]);
        assert_eq!(nonce_from(&[7]), {
            let mut nonce = [0; 24];
            nonce[0] = 7;
            nonce
        });
        assert_eq!(nonce_from(&counting::<24>(1)), counting::<24>(1));
        assert_eq!(nonce_from(&counting::<25>(1)), counting::<24>(1));
    }

    #[test]
    fn every_length_opens_again() {
        let key = BoxKey::of_key(&[1; 32]);
        for len in [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 95, 96, 127, 128, 129, 3072] {
            let mut buf = alloc::vec![0x5a; TAG_LEN + len];
            key.seal(&[2; 24], &mut buf);
            assert!(len < 8 || buf[TAG_LEN..] != alloc::vec![0x5a; len], "sealed, len = {len}");
            assert_eq!(key.open(&[2; 24], &mut buf).unwrap(), alloc::vec![0x5a; len], "len = {len}");
        }
    }

    #[test]
    fn any_changed_bit_is_refused_and_the_bytes_are_left_alone() {
        let key = BoxKey::of_key(&[1; 32]);
        let sealed = key.seal_padded(&[2; 24], b"hello", 21).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            let before = changed.clone();
            assert_eq!(key.open(&[2; 24], &mut changed), Err(PeerFault::BadBlock), "at = {at}");
            assert_eq!(changed, before);
        }
        for key in [BoxKey::of_key(&[3; 32]), key.clone()] {
            let mut sealed = sealed.clone();
            assert_eq!(key.open(&[4; 24], &mut sealed), Err(PeerFault::BadBlock));
        }
    }

    #[test]
    fn a_box_without_a_whole_tag_is_refused() {
        for len in [0, 1, 15] {
            assert_eq!(
                BoxKey::of_key(&[1; 32]).open(&[2; 24], &mut [0; 16][..len]),
                Err(PeerFault::BadBlock)
            );
        }
    }

    #[test]
    fn a_message_that_does_not_fit_is_not_sealed() {
        let key = BoxKey::of_key(&[1; 32]);
        assert!(key.seal_padded(&[2; 24], b"hello", 7).is_ok());
        assert_eq!(key.seal_padded(&[2; 24], b"hello", 6), Err(Misuse::TooLong { field: "padded message" }));
    }

    const META: &str = "18808182838485868788898a8b8c8d8e8f9091929394959697000000006553f100";
    const ENC_META: &str = "\
    6ff040ccac01d9e7b146c05d23a2f4a12f612f44000f8e4bf2003a8e08d00e1d122d844873bc758aa66f2dc9d9192c26\
    918effdb8151f30aa02f1b328f8641e642363847e2d50506b5e149c85a2b22e9074f57e50ec41c60b2c1644193c3b728\
    e04c79d14d21d2cef62dd780f3468950c4c7fee37c6b98627261a0b038124d01739fc6b60761390a01c6889d177a5f50";

    const NACL_SECRET: &str = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    const NACL_NONCE: &str = "69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37";
    const NACL_MESSAGE: &str = "\
        be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129\
        6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde\
        048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705";
    const NACL_BOX: &str = "\
        f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a\
        c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae\
        90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74\
        e355a5";
}
