//! `smp_blocks.json`: blocks of 16384 bytes, most of them as a hash.

use crate::blocks::{Sent, batch, sha256, single};
use crate::file::{Vector, each};
use crate::smp_responses::{Bytes, message, seen};
use ntf_core::crypto::chain::BlockChains;
use ntf_core::crypto::keys::DhSecret;
use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::BatchReader;
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::transmission::Format;
use ntf_core::wire::version::SmpVersion;

#[test]
fn smp_blocks_are_written_and_read_as_the_reference_does() {
    each("smp_blocks", |vector| {
        for version in vector.versions().into_iter().map(SmpVersion) {
            match vector.words()[0] {
                "client" => client(vector, version, vector.input("command").hex()),
                "client_service" => client(vector, version, vector.words()[1].as_bytes().to_vec()),
                "server" => server(vector, version),
                "client_batch" => client_batch(vector, version),
                "server_batch" => server_batch(vector, version),
                "encrypted_block" => encrypted(vector),
                other => panic!("{}: no block is called {other}", vector.name),
            }
        }
    });
}

fn client(vector: &Vector, version: SmpVersion, command: Vec<u8>) {
    let sent = Sent::of(vector, command);
    let command = Command::decode(&sent.command, version).unwrap();
    let mut out = Vec::new();
    command.encode(version, &mut out);
    assert_eq!(out, sent.command, "{}", vector.name);
    padded(vector, &single(vector, &sent, Format::smp(version), Protocol::Smp));
}

fn server(vector: &Vector, version: SmpVersion) {
    let transmission = vector.output("transmission").hex();
    let bytes = Bytes::of(vector);
    let sent_message = message(vector, &bytes, &transmission);
    let mut command = Vec::new();
    sent_message.encode(version, &mut command);
    assert!(Message::decode(&command, version) == Ok(seen(&sent_message, version)), "{}", vector.name);
    let sent = Sent::of(vector, command.clone());
    assert!(sent_message.allows_entity(&sent.entity_id), "{}", vector.name);
    padded(vector, &single(vector, &sent, Format::smp(version), Protocol::Smp));
}

fn padded(vector: &Vector, block: &[u8]) {
    let padded = vector.output("padded");
    let content = block::content(block).unwrap();
    assert_eq!(hex::encode(content), padded.get("content").text(), "{}", vector.name);
    assert_eq!(sha256(block), padded.get("block_sha256").text(), "{}", vector.name);
}

fn client_batch(vector: &Vector, version: SmpVersion) {
    let format = Format::smp(version);
    let contents: Vec<_> =
        vector.output("blocks").list().iter().map(|block| block.get("content").hex()).collect();
    let read = contents.iter().flat_map(|content| BatchReader::new(content, format).unwrap());
    let inputs = vector.input("transmissions").list();
    let transmissions: Vec<_> = read
        .enumerate()
        .map(|(number, read)| {
            let read = read.unwrap();
            assert_eq!(read.corr_id, inputs[number].get("corr_id").hex(), "{}", vector.name);
            assert_eq!(read.entity_id, inputs[number].get("entity_id").hex(), "{}", vector.name);
            assert!(Command::decode(read.command, version).is_ok(), "{}", vector.name);
            let mut out = Vec::new();
            read.encode(format, &mut out);
            out
        })
        .collect();
    assert_eq!(transmissions.len(), inputs.len(), "{}", vector.name);
    hashed_batch(vector, &transmissions, format);
}

fn server_batch(vector: &Vector, version: SmpVersion) {
    let format = Format::smp(version);
    let transmissions: Vec<_> = vector
        .input("transmissions")
        .list()
        .iter()
        .map(|input| {
            let sent = Sent {
                session_id: vector.input("session_id").hex(),
                corr_id: input.get("corr_id").hex(),
                entity_id: input.get("entity_id").hex(),
                authorization: Vec::new(),
                service_signature: None,
                command: input.get("response").hex(),
            };
            assert!(Message::decode(&sent.command, version).is_ok(), "{}", vector.name);
            sent.encode(format, &vector.name)
        })
        .collect();
    hashed_batch(vector, &transmissions, format);
}

fn hashed_batch(vector: &Vector, transmissions: &[Vec<u8>], format: Format) {
    batch(vector, transmissions, format, Protocol::Smp, |expected, block| {
        assert_eq!(sha256(block), expected.get("block_sha256").text(), "{}", vector.name);
    });
}

fn encrypted(vector: &Vector) {
    let secret = DhSecret::new(vector.input("dh_secret").hex().try_into().unwrap());
    let chain = || {
        let chains = BlockChains::derive(&vector.input("session_id").hex(), &secret);
        match vector.input("direction").text() {
            "client" => chains.client_to_server,
            "server" => chains.server_to_client,
            other => panic!("{}: direction {other}", vector.name),
        }
    };
    let (mut sealing, mut opening) = (chain(), chain());
    let content = vector.input("content").hex();
    let mut block = Vec::new();
    // The blocks before this one only move the chain on.
    for _ in 0..vector.input("sequence").number() {
        block = Layout::sealed(Protocol::Smp).block(&content).unwrap();
        sealing.seal_block(&mut block);
        let mut copy = block.clone();
        let padded = opening.open_block(&mut copy).unwrap();
        assert_eq!(block::content(padded), Ok(content.as_slice()), "{}", vector.name);
    }
    assert_eq!(sha256(&block), vector.output("block_sha256").text(), "{}", vector.name);
    if let Some(whole) = vector.output("block").some() {
        assert_eq!(hex::encode(&block), whole.text(), "{}", vector.name);
    }
}
