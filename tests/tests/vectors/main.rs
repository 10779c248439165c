//! Bytes fixed by the outside world: vectors printed by the reference implementation, simplexmq 6.5.5.
//!
//! `tests/vectors/README.md` says what each file holds and where it comes from. `NTF_VECTORS` names
//! another directory to read them from. Each module knows the shape of one file and nothing of its
//! contents: values, names and their number are whatever the file holds.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod apns;
mod blocks;
mod crypto;
mod device_tokens;
mod encodings;
mod file;
mod handshakes;
mod links;
mod ntf_blocks;
mod ntf_commands;
mod ntf_decode;
mod ntf_responses;
mod ntf_transcripts;
mod pn_messages;
mod recording;
mod replay;
mod replay_link;
mod server_addresses;
mod smp_blocks;
mod smp_commands;
mod smp_responses;
mod smp_transcripts;
mod statuses;
mod values;

use std::path::PathBuf;

use serde_json::Value;

/// The vectors of one file, at least one.
fn vectors(file: &str) -> Vec<Value> {
    let directory = std::env::var_os("NTF_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")), PathBuf::from);
    let path = directory.join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut file: Value = serde_json::from_str(&text).unwrap();
    let Value::Array(vectors) = file["vectors"].take() else { panic!("{}: no vectors", path.display()) };
    assert_eq!(Some(vectors.len()), file["count"].as_u64().and_then(|count| count.try_into().ok()));
    vectors
}

/// The name of a vector.
fn name(vector: &Value) -> &str {
    vector["name"].as_str().unwrap()
}

/// The bytes of a hexadecimal field.
fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_else(|| panic!("{value} is not hexadecimal text"))).unwrap()
}
