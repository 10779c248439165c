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
        let (mut stream, mac) = self.start(nonce);
        stream.apply_keystream(data);
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
        let (mut stream, mac) = self.start(nonce);
        if bool::from(tag_of(mac, data).ct_eq(tag)) {
            stream.apply_keystream(data);
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
