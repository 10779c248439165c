//! Decoding allocates for lists only: `wire` reads a block where it lies.
//!
//! A binary of its own, because it counts what the global allocator is asked for.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;

use allocation_counter::measure;
use ntf_core::model::server::Protocol;
use ntf_core::model::subscription::SubscriptionStatus;
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::payload::{MessageBody, NmsgMeta};
use ntf_core::wire::transmission::{Format, write_body};
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use ntf_core::wire::{hello, ntf, smp};
use serde_json::Value;

/// Allocations of a call, and whether its result was good.
fn allocations<T, E>(decode: impl FnOnce() -> Result<T, E>) -> (u64, bool) {
    let mut is_good = false;
    let info = measure(|| is_good = black_box(decode()).is_ok());
    (info.count_total, is_good)
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Ok::<_, ()>(vec![1, 2, 3])), (1, true));
    assert_eq!(allocations(|| Ok::<_, ()>([1, 2, 3])), (0, true));
}

/// Every string of the vectors, decoded as everything it might be: well-formed or not, nothing is copied.
#[test]
fn messages_of_both_protocols_are_read_where_they_lie() {
    let (mut read, mut lists) = (0, 0);
    for bytes in strings() {
        let mut check = |what: &str, has_list: bool, (count, is_good): (u64, bool)| {
            assert!(count == 0 || has_list, "{what}: {count} allocations");
            read += u32::from(is_good);
            lists += u32::from(is_good && has_list);
        };
        for version in (6..=18).map(SmpVersion) {
            let has_list = bytes.starts_with(b"RKEY ") || bytes.starts_with(b"PRXY ");
            check("SMP command", has_list, allocations(|| smp::command::Command::decode(&bytes, version)));
            let has_list = bytes.starts_with(b"PKEY ");
            check("SMP message", has_list, allocations(|| smp::response::Message::decode(&bytes, version)));
            check("SMP batch", false, allocations(|| batch(&bytes, Format::smp(version))));
        }
        for version in (1..=3).map(NtfVersion) {
            // The hosts of the SMP server.
            let has_list = bytes.starts_with(b"SNEW ");
            check("NTF command", has_list, allocations(|| ntf::command::Command::decode(&bytes, version)));
            // The text of an error becomes part of a status, which outlives the block.
            let has_text = matches!(
                ntf::response::Response::decode(&bytes, version),
                Ok(ntf::response::Response::Sub(SubscriptionStatus::Error(_)))
            );
            check("NTF response", has_text, allocations(|| ntf::response::Response::decode(&bytes, version)));
            check("NTF batch", false, allocations(|| batch(&bytes, Format::ntf(version))));
        }
        // Certificate chains are lists; NTF has none in its hellos.
        check("SMP server hello", true, allocations(|| hello::smp::ServerHello::decode(&bytes)));
        check("SMP client hello", true, allocations(|| hello::smp::ClientHello::decode(&bytes)));
        check("service answer", false, allocations(|| hello::smp::ServiceAnswer::decode(&bytes)));
        check("NTF server hello", false, allocations(|| hello::ntf::ServerHello::decode(&bytes)));
        check("NTF client hello", false, allocations(|| hello::ntf::ClientHello::decode(&bytes)));
        check("metadata", false, allocations(|| NmsgMeta::decode(&bytes)));
        check("message body", false, allocations(|| MessageBody::decode(&bytes)));
    }
    assert!(read > 1000 && lists > 10, "{read} read, {lists} of them with lists");
}

#[test]
fn a_full_block_of_notifications_is_read_without_allocating() {
    let version = SmpVersion::MAX;
    let format = Format::smp(version);
    let mut writer = BatchWriter::new(Layout::plain(Protocol::Smp), format);
    let nmsg = smp::response::Message::Nmsg { nonce: [1; 24], meta: &[2; 144] };
    while writer
        .push_with(|out| {
            out.push(0);
            write_body(&[], &[3; 24], out, |out| nmsg.encode(version, out));
        })
        .is_ok()
    {}
    let block = writer.finish().unwrap();
    let mut read = 0;
    let info = measure(|| {
        let content = block::content(&block).unwrap();
        for item in BatchReader::new(content, format).unwrap() {
            let message = smp::response::Message::decode(item.unwrap().command, version);
            read += u32::from(message.as_ref() == Ok(&nmsg));
        }
    });
    assert_eq!((read, info.count_total), (80, 0));
}

/// Reads all transmissions of a batch.
fn batch(bytes: &[u8], format: Format) -> Result<usize, ntf_core::base::fault::PeerFault> {
    BatchReader::new(bytes, format)?.map(|item| item.map(|item| item.command.len())).sum()
}

fn strings() -> BTreeSet<Vec<u8>> {
    let directory = std::env::var_os("NTF_VECTORS")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/vectors")), PathBuf::from);
    let mut strings = BTreeSet::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            collect(&serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap(), &mut strings);
        }
    }
    strings
}

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
