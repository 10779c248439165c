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

#[cfg(target_arch = "wasm32")]
#[macro_use(test)]
extern crate ntf_tests;

#[cfg(target_arch = "wasm32")]
ntf_tests::wasm_bindgen_test_configure!(run_in_browser);

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

use serde_json::Value;

/// The vectors of one file, at least one.
fn vectors(file: &str) -> Vec<Value> {
    let mut vectors: Value = serde_json::from_str(&text_of(file)).unwrap();
    let count = vectors["count"].as_u64().and_then(|count| count.try_into().ok());
    let Value::Array(vectors) = vectors["vectors"].take() else { panic!("{file}: no vectors") };
    assert_eq!(Some(vectors.len()), count);
    vectors
}

#[cfg(not(target_arch = "wasm32"))]
fn text_of(file: &str) -> String {
    let directory = std::env::var_os("NTF_VECTORS")
        .map_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/vectors").into(), std::path::PathBuf::from);
    let path = directory.join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A browser reads no files: they are part of the program.
#[cfg(target_arch = "wasm32")]
fn text_of(file: &str) -> String {
    macro_rules! files {
        ($($name:literal)*) => { [$(($name, include_str!(concat!("../../vectors/", $name)))),*] };
    }
    let files = files!("apns.json" "crypto.json" "device_tokens.json" "encodings.json" "handshakes.json"
        "ntf_blocks.json" "ntf_commands.json" "ntf_decode.json" "ntf_responses.json" "ntf_transcripts.json"
        "pn_messages.json" "server_addresses.json" "smp_blocks.json" "smp_commands.json" "smp_responses.json"
        "smp_transcripts.json" "statuses.json");
    let (_, text) =
        files.into_iter().find(|(name, _)| *name == file).unwrap_or_else(|| panic!("{file} is not here"));
    text.into()
}

/// The name of a vector.
fn name(vector: &Value) -> &str {
    vector["name"].as_str().unwrap()
}

/// The bytes of a hexadecimal field.
fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_else(|| panic!("{value} is not hexadecimal text"))).unwrap()
}
