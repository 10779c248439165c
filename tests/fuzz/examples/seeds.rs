//! Makes the first inputs of every fuzz target from the vectors of the reference.
//!
//! `cargo run --example seeds -- [TARGET_DIRECTORY [VECTORS_DIRECTORY]]`, by default `seeds` and
//! `../vectors`. No file or key is known by name: each string of each vector goes to every target whose
//! decoder takes it, behind the bytes by which that target chooses version and kind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ntf_core::wire::batch::BatchReader;
use ntf_core::wire::transmission::Format;
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use ntf_core::wire::{hello, ntf, payload, smp};
use serde_json::Value;

const SMP_VERSIONS: std::ops::RangeInclusive<u8> = 6..=18;
const NTF_VERSIONS: std::ops::RangeInclusive<u8> = 1..=3;

/// A string whose first bytes are not one of these versions is a hello by chance only.
const SMP_KNOWN: std::ops::RangeInclusive<u16> = 6..=18;
const NTF_KNOWN: std::ops::RangeInclusive<u16> = 1..=3;

/// As in `ntf_fuzz::block`: versions of NTF, and blocks that are to be encrypted.
const NTF_BLOCK: u8 = 0x20;
const SEALED_BLOCK: u8 = 0x40;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let target = arguments.next().unwrap_or_else(|| here.join("seeds"));
    let vectors = arguments.next().unwrap_or_else(|| here.join("../vectors"));

    let mut strings = BTreeSet::new();
    for entry in fs::read_dir(&vectors).unwrap_or_else(|error| panic!("{}: {error}", vectors.display())) {
        let path = entry.expect("the directory can be read to its end").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).expect("a file of vectors is text");
            collect(&serde_json::from_str(&text).expect("a file of vectors is JSON"), &mut strings);
        }
    }
    let mut seeds = BTreeSet::new();
    for bytes in &strings {
        sow(bytes, &mut seeds);
    }
    seeds.extend(ntf_fuzz::scripts());
    for (name, bytes) in &seeds {
        let directory = target.join(name);
        fs::create_dir_all(&directory).expect("seeds have a place");
        fs::write(directory.join(format!("{:016x}", fnv(bytes))), bytes).expect("seeds can be written");
    }
    println!("{} seeds from {} strings in {}", seeds.len(), strings.len(), target.display());
}

/// All strings: those in hexadecimal as bytes, those with another meaning as text.
fn collect(value: &Value, strings: &mut BTreeSet<Vec<u8>>) {
    match value {
        Value::String(text) => {
            strings.insert(hex::decode(text).unwrap_or_else(|_| text.clone().into_bytes()));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, strings)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, strings)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn sow(bytes: &[u8], seeds: &mut BTreeSet<(&'static str, Vec<u8>)>) {
    let mut put = |target, choice: u8| {
        seeds.insert((target, [&[choice], bytes].concat()));
    };
    for version in SMP_VERSIONS {
        let smp_version = SmpVersion(version.into());
        if smp::command::Command::decode(bytes, smp_version).is_ok() {
            put("smp_command", version);
        }
        if smp::response::Message::decode(bytes, smp_version).is_ok() {
            put("smp_response", version);
        }
        let format = Format::smp(smp_version);
        if is_batch(bytes, format) && Format::smp(SmpVersion(u16::from(version) - 1)) != format {
            put("block", version);
            put("block", version | SEALED_BLOCK);
        }
    }
    for version in NTF_VERSIONS {
        let ntf_version = NtfVersion(version.into());
        if ntf::command::Command::decode(bytes, ntf_version).is_ok() {
            put("ntf_command", version);
        }
        if ntf::response::Response::decode(bytes, ntf_version).is_ok() {
            put("ntf_response", version);
        }
        let format = Format::ntf(ntf_version);
        if is_batch(bytes, format) && Format::ntf(NtfVersion(u16::from(version) + 1)) != format {
            put("block", version | NTF_BLOCK);
        }
    }
    for (kind, is_hello) in [
        hello::smp::ServerHello::decode(bytes).is_ok_and(|hello| SMP_KNOWN.contains(&hello.versions.max().0)),
        hello::smp::ClientHello::decode(bytes).is_ok_and(|hello| SMP_KNOWN.contains(&hello.version.0)),
        hello::smp::ServiceAnswer::decode(bytes).is_ok(),
        hello::ntf::ServerHello::decode(bytes).is_ok_and(|hello| NTF_KNOWN.contains(&hello.versions.max().0)),
        hello::ntf::ClientHello::decode(bytes).is_ok_and(|hello| NTF_KNOWN.contains(&hello.version.0)),
    ]
    .into_iter()
    .enumerate()
    {
        if is_hello {
            put("handshake", u8::try_from(kind).expect("there are five kinds"));
        }
    }
    for (kind, is_payload) in [
        payload::decode_notices(bytes).is_ok(),
        payload::NmsgMeta::decode(bytes).is_ok() && bytes.len() <= payload::NMSG_META_PADDED_LEN,
        payload::MessageBody::decode(bytes).is_ok(),
    ]
    .into_iter()
    .enumerate()
    {
        if is_payload {
            put("payload", u8::try_from(kind).expect("there are three kinds"));
        }
    }
    if bytes.is_ascii() && bytes.len() < 1000 {
        seeds.insert(("address", bytes.to_vec()));
    }
}

/// Whether these are transmissions of something: a keyword, after fields that might be anything.
fn is_batch(bytes: &[u8], format: Format) -> bool {
    BatchReader::new(bytes, format).is_ok_and(|mut reader| {
        reader.all(|item| item.is_ok_and(|item| item.command.first().is_some_and(u8::is_ascii_uppercase)))
    })
}

/// A name for the file of a seed.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}
