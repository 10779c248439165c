//! Configuration files: one TOML file for each kind of server, written by `ntf init` and read by
//! `--config`.
//!
//! What a key is called, what it may be, what it is without being given and what it means stands in one
//! place: where `keys` reads it. `reader` collects these as it goes, so that the file that `ntf init`
//! writes, the table in `docs/OPERATING.md` and the errors that operators get cannot disagree.

mod init;
pub(crate) mod keys;
pub(crate) mod push;
mod reader;
mod subscriber;
#[cfg(test)]
mod tests;

pub use init::run as init;
pub(crate) use init::sealing_key;
pub use keys::Kind;

use std::path::Path;

use crate::program::failure::Failure;
use reader::{Key, Reader};

/// Reads a file; all that is wrong in it is told at once.
///
/// # Errors
///
/// When the file cannot be read, is no TOML, or has keys that are unknown, missing or out of range.
pub(crate) fn load<T>(file: &Path, read: impl FnOnce(&mut Reader) -> T) -> Result<T, Failure> {
    let text = crate::identity::read(file)?;
    let mut reader = Reader::of(file, &text)?;
    let values = read(&mut reader);
    reader.finish()?;
    Ok(values)
}

/// What a file without a single key says.
pub(crate) fn defaults<T>(read: impl FnOnce(&mut Reader) -> T) -> T {
    read(&mut Reader::empty())
}

/// All keys of a kind of file, in the order in which they are written.
pub(crate) fn keys_of(kind: Kind) -> Vec<Key> {
    let mut reader = Reader::empty();
    kind.read(&mut reader);
    reader.into_keys()
}
