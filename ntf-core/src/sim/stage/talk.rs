//! What people say to each other end to end, above the queues: the layer that chat apps add.
//!
//! Each queue has a key that its phone and the sender agreed on when its address was handed over. An app's ratchet
//! does more; that nobody in between reads a message is the same.
//!
//! ```text
//! message = nonce(24) box      box = XSalsa20-Poly1305 of number(4) text
//! ```

use crate::base::limits::{NONCE_LEN, TAG_LEN};
use crate::base::rng::Rng;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::X25519Private;
use crate::model::server::SenderAddress;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A queue of a phone, with a key of both ends.
pub(super) struct Talk {
    pub(super) device: usize,
    pub(super) address: SenderAddress,
    key: BoxKey,
}

/// All of them.
#[derive(Default)]
pub(super) struct Talks(Vec<Talk>);

impl Talks {
    /// A queue exists, and its address has been handed over.
    pub(super) fn begin(&mut self, device: usize, address: SenderAddress, keys: &mut Rng) {
        let (phone, sender) = (X25519Private::generate(keys), X25519Private::generate(keys));
        let key = BoxKey::of_dh(&phone.agree(&sender.public()));
        self.0.push(Talk { device, address, key });
    }

    /// The queue of a phone at a place, counted round and round.
    pub(super) fn of(&self, device: usize, place: usize) -> Option<&Talk> {
        let count = self.0.iter().filter(|talk| talk.device == device).count();
        let place = place.checked_rem(count)?;
        self.0.iter().filter(|talk| talk.device == device).nth(place)
    }

    pub(super) fn count(&self, device: usize) -> usize {
        self.0.iter().filter(|talk| talk.device == device).count()
    }

    /// Opens a message: its number and its text. A phone has the keys of its own queues.
    pub(super) fn open(&self, message: &[u8], device: Option<usize>) -> Option<(u32, String)> {
        let mut theirs = self.0.iter().filter(|talk| device.is_none_or(|device| talk.device == device));
        theirs.find_map(|talk| talk.open(message))
    }
}

impl Talk {
    pub(super) fn seal(&self, number: u32, text: &str, nonces: &mut Rng) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = nonces.bytes();
        let mut boxed = vec![0; TAG_LEN];
        boxed.extend_from_slice(&number.to_be_bytes());
        boxed.extend_from_slice(text.as_bytes());
        self.key.seal(&nonce, &mut boxed);
        let mut message = nonce.to_vec();
        message.append(&mut boxed);
        message
    }

    fn open(&self, message: &[u8]) -> Option<(u32, String)> {
        let (nonce, boxed) = message.split_first_chunk::<NONCE_LEN>()?;
        let mut boxed = boxed.to_vec();
        let opened = self.key.open(nonce, &mut boxed).ok()?;
        let (number, text) = opened.split_first_chunk::<4>()?;
        Some((u32::from_be_bytes(*number), String::from_utf8(text.to_vec()).ok()?))
    }
}
