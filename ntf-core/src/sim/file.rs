//! Files that hold what a run is made of.
//!
//! ```text
//! file     = magic(4) version(1) body checksum
//! body     = postcard
//! checksum = the first 8 bytes of the SHA-256 of all before
//! ```

use crate::crypto::sha::sha256;
use alloc::vec::Vec;
use core::fmt;
use serde::Serialize;
use serde::de::DeserializeOwned;

const CHECKSUM_LEN: usize = 8;

/// One kind of file.
pub(super) struct Format {
    /// How it begins.
    pub(super) magic: [u8; 4],
    /// The version that is written, and the only one that is read.
    pub(super) version: u8,
    /// Longest file that is looked at, in bytes.
    pub(super) len_max: usize,
}

/// Why bytes are not a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingError {
    /// They do not begin as a recording does.
    NotARecording,
    /// They were written by a program of another version.
    OtherVersion {
        /// The version of the bytes.
        found: u8,
        /// The version of this program.
        reads: u8,
    },
    /// They are cut short or were changed.
    Damaged,
    /// There are more of them than any recording has.
    TooLong,
    /// They are whole, but hold something that cannot be.
    Malformed,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => f.write_str("this is not the recording of a run"),
            Self::OtherVersion { found, reads } => {
                write!(f, "the recording is of version {found}; this program reads version {reads}")
            }
            Self::Damaged => f.write_str("the recording is damaged or was edited: its checksum does not fit"),
            Self::TooLong => f.write_str("the recording is longer than any that this program writes"),
            Self::Malformed => f.write_str("the recording is whole, but describes no run"),
        }
    }
}

impl core::error::Error for RecordingError {}

impl Format {
    pub(super) fn encode(&self, value: &impl Serialize) -> Result<Vec<u8>, RecordingError> {
        let mut bytes = self.magic.to_vec();
        bytes.push(self.version);
        bytes = postcard::to_extend(value, bytes).map_err(|_| RecordingError::Malformed)?;
        let checksum = sha256(&bytes);
        bytes.extend(checksum.into_iter().take(CHECKSUM_LEN));
        Ok(bytes)
    }

    pub(super) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, RecordingError> {
        let rest = bytes.strip_prefix(&self.magic).ok_or(RecordingError::NotARecording)?;
        match rest.first() {
            Some(found) if *found == self.version => {}
            Some(found) => {
                return Err(RecordingError::OtherVersion { found: *found, reads: self.version });
            }
            None => return Err(RecordingError::Damaged),
        }
        if bytes.len() > self.len_max {
            return Err(RecordingError::TooLong);
        }
        let (content, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_LEN)
            .and_then(|len| bytes.split_at_checked(len))
            .ok_or(RecordingError::Damaged)?;
        if !sha256(content).starts_with(checksum) {
            return Err(RecordingError::Damaged);
        }
        let body = content.get(self.magic.len() + 1..).ok_or(RecordingError::Damaged)?;
        match postcard::take_from_bytes(body) {
            Ok((value, [])) => Ok(value),
            Ok(_) | Err(_) => Err(RecordingError::Malformed),
        }
    }
}
