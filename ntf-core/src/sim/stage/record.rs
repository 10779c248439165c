//! A run on the stage as bytes: its options, its deeds with their moments, and where it was left.
//!
//! As a file it begins with `NTFT`; [`file`](crate::sim::file) says the rest.

use crate::sim::file::{Format, RecordingError};
use crate::sim::stage::deed::{DEEDS_MAX, Deed, Entry, TEXT_LEN_MAX};
use crate::sim::stage::options::Options;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// How a file with a run on the stage begins.
pub const MAGIC: [u8; 4] = *b"NTFT";

const FORMAT: Format = Format { magic: MAGIC, version: 1, len_max: 4 << 20 };

/// A run as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) options: Options,
    pub(super) deeds: Vec<Entry>,
    pub(super) left: Left,
}

/// Where a run was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Left {
    pub(super) turns: u64,
    pub(super) at_micros: u64,
    pub(super) hash: [u8; 32],
}

/// Longest run, in microseconds of its own time. Source: ours; a year.
const LASTS_MAX: u64 = 366 * 86_400 * 1_000_000;

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        FORMAT.encode(self).expect("bounded lists of small values have a form in bytes")
    }

    /// Reads a file, and looks whether there can be such a run.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, RecordingError> {
        let record: Self = FORMAT.decode(bytes)?;
        let in_order = |entries: &[Entry]| {
            entries.is_sorted_by_key(|entry| (entry.turn, entry.at_micros))
                && entries.is_sorted_by_key(|entry| entry.at_micros)
        };
        let ends_last = record
            .deeds
            .last()
            .is_none_or(|last| last.turn <= record.left.turns && last.at_micros <= record.left.at_micros);
        let is_lawful = record.options.check().is_ok()
            && record.deeds.len() <= DEEDS_MAX
            && record.left.at_micros <= LASTS_MAX
            && in_order(&record.deeds)
            && ends_last
            && record.deeds.iter().all(|entry| is_short(&entry.deed));
        if is_lawful { Ok(record) } else { Err(RecordingError::Malformed) }
    }
}

fn is_short(deed: &Deed) -> bool {
    !matches!(deed, Deed::Send { text, .. } if text.len() > TEXT_LEN_MAX)
}
