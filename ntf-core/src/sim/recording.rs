//! A run as bytes: what went into it and the fingerprint of what came of it.
//!
//! As a file it begins with `NTFR`; `sim::file` says the rest.
//!
//! Everything random in a run comes from its scenario, so the scenario is all that has to be kept. The
//! fingerprint tells whether a later program still does the same with it.

use crate::sim::file::{Format, RecordingError};
use crate::sim::run::{Report, Run};
use crate::sim::scenario::Scenario;
use crate::sim::trace::TraceHash;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

const FORMAT: Format = Format { magic: *b"NTFR", version: 2, len_max: 64 << 20 };

/// A run as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// What went into it.
    pub scenario: Scenario,
    /// The fingerprint of what came of it.
    hash: [u8; 32],
}

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
        FORMAT.encode(self)
    }

    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordingError> {
        FORMAT.decode(bytes)
    }

    /// Plays the scenario again. Compare the report's fingerprint with [`hash`](Self::hash).
    #[must_use]
    pub fn replay(&self) -> Report {
        Run::of(self.scenario.clone())
    }
}
