//! Command words and the parameters after them, the same for both protocols.
//!
//! ```text
//! command = word [SP parameters]          the word is all before the first space
//! ```
//!
//! A word without parameters takes no space after it: `SUB=` is unknown, `SUB ` is a syntax error.
//! Source: `smp-transport` 4.6 and 5, `ntf-protocol` 1.7.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{AuthPublicKey, X25519Public};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::split;

/// A command split at its first space.
pub(super) struct Command<'a> {
    /// The command word.
    pub(super) word: &'a [u8],
    params: Option<&'a [u8]>,
}

impl<'a> Command<'a> {
    pub(super) fn split(bytes: &'a [u8]) -> Self {
        let (word, params) = split(bytes);
        Self { word, params }
    }

    /// The value of a command without parameters.
    pub(super) const fn alone<T: Copy>(&self, value: T, field: &'static str) -> Result<T, PeerFault> {
        match self.params {
            None => Ok(value),
            Some(_) => Err(PeerFault::TrailingBytes { field }),
        }
    }

    /// The value of a command whose parameters `read` takes, to the last byte.
    pub(super) fn with<T>(
        &self,
        field: &'static str,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, PeerFault>,
    ) -> Result<T, PeerFault> {
        let mut reader = Reader::new(self.params.ok_or(PeerFault::Truncated { field })?);
        let value = read(&mut reader)?;
        reader.finish(field)?;
        Ok(value)
    }
}

/// Takes a `key` that authorizes commands.
pub(super) fn auth_key(reader: &mut Reader<'_>) -> Result<AuthPublicKey, PeerFault> {
    AuthPublicKey::from_spki(reader.short("authorization key")?)
}

/// Takes a `key` that agrees secrets.
pub(super) fn dh_key(reader: &mut Reader<'_>) -> Result<X25519Public, PeerFault> {
    X25519Public::from_spki(reader.short("agreement key")?)
}

/// Appends a `key` that authorizes commands.
pub(super) fn write_auth_key(writer: &mut Writer<'_>, key: &AuthPublicKey) {
    writer.u8(u8::try_from(key.spki_len()).expect("the longest key has 69 bytes"));
    key.write_spki(writer.out());
}

/// Appends a `key` that agrees secrets.
pub(super) fn write_dh_key(writer: &mut Writer<'_>, key: &X25519Public) {
    writer.short(&key.to_spki());
}

/// Appends a word, and a space when parameters follow.
pub(super) fn write_word<'v>(out: &'v mut Vec<u8>, word: &str, has_params: bool) -> Writer<'v> {
    let mut writer = Writer::new(out);
    writer.bytes(word.as_bytes());
    if has_params {
        writer.u8(b' ');
    }
    writer
}
