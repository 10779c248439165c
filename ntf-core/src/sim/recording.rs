//! A run as bytes: what went into it and the fingerprint of what came of it.
//!
//! ```text
//! recording = "NTFR" version(1) body checksum
//! body      = postcard of Recording
//! checksum  = the first 8 bytes of the SHA-256 of all before
//! ```
//!
//! Everything random in a run comes from its scenario, so the scenario is all that has to be kept. The
//! fingerprint tells whether a later program still does the same with it.

use crate::crypto::sha::sha256;
use crate::sim::run::{Report, Run};
use crate::sim::scenario::Scenario;
use crate::sim::trace::TraceHash;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

const MAGIC: &[u8; 4] = b"NTFR";

/// The version of the format that is written, and the only one that is read.
const VERSION: u8 = 2;

const CHECKSUM_LEN: usize = 8;

/// A run as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// What went into it.
    pub scenario: Scenario,
    /// The fingerprint of what came of it.
    hash: [u8; 32],
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
    },
    /// They are cut short or were changed.
    Damaged,
    /// They are whole, but hold something that cannot be.
    Malformed,
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => f.write_str("this is not the recording of a run"),
            Self::OtherVersion { found } => {
                write!(f, "the recording is of version {found}; this program reads version {VERSION}")
            }
            Self::Damaged => f.write_str("the recording is damaged or was edited: its checksum does not fit"),
            Self::Malformed => f.write_str("the recording is whole, but describes no scenario"),
        }
    }
}

impl core::error::Error for RecordingError {}

impl Recording {
    /// The recording of a run that is over.
    #[must_use]
    pub fn of(scenario: Scenario, report: &Report) -> Self {
        Self { scenario, hash: report.hash.0 }
    }

    /// The fingerprint of the run that was recorded.
    #[must_use]
    pub const fn hash(&self) -> TraceHash {
        TraceHash(self.hash)
    }

    /// The recording as bytes.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Malformed`] for a schedule of more than 2³² entries, which nobody can hold.
    pub fn encode(&self) -> Result<Vec<u8>, RecordingError> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes = postcard::to_extend(self, bytes).map_err(|_| RecordingError::Malformed)?;
        let checksum = sha256(&bytes);
        bytes.extend(checksum.into_iter().take(CHECKSUM_LEN));
        Ok(bytes)
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordingError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(RecordingError::NotARecording)?;
        match rest.first() {
            Some(&VERSION) => {}
            Some(&found) => return Err(RecordingError::OtherVersion { found }),
            None => return Err(RecordingError::Damaged),
        }
        let (content, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_LEN)
            .and_then(|len| bytes.split_at_checked(len))
            .ok_or(RecordingError::Damaged)?;
        if !sha256(content).starts_with(checksum) {
            return Err(RecordingError::Damaged);
        }
        let body = content.get(MAGIC.len() + 1..).ok_or(RecordingError::Damaged)?;
        match postcard::take_from_bytes(body) {
            Ok((recording, [])) => Ok(recording),
            Ok(_) | Err(_) => Err(RecordingError::Malformed),
        }
    }

    /// Plays the scenario again. Compare the report's fingerprint with [`hash`](Self::hash).
    #[must_use]
    pub fn replay(&self) -> Report {
        Run::of(self.scenario.clone())
    }
}
