//! `ntf_blocks.json`: complete blocks of 512 bytes.

use crate::blocks::{Sent, batch, single};
use crate::file::{Vector, each};
use ntf_core::model::server::Protocol;
use ntf_core::wire::ntf::command::Command;
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::transmission::Format;
use ntf_core::wire::version::NtfVersion;

#[test]
fn ntf_blocks_are_written_and_read_as_the_reference_does() {
    each("ntf_blocks", |vector| {
        for version in vector.versions().into_iter().map(NtfVersion) {
            match vector.words()[0] {
                "client" => client(vector, version),
                "server" => server(vector, version),
                "client_batch" => client_batch(vector, version),
                "server_batch" => server_batch(vector, version),
                other => panic!("{}: no block is called {other}", vector.name),
            }
        }
    });
}

fn client(vector: &Vector, version: NtfVersion) {
    let sent = Sent::of(vector, vector.input("command").hex());
    let command = Command::decode(&sent.command, version).unwrap();
    let mut out = Vec::new();
    command.encode(version, &mut out);
    assert_eq!(out, sent.command, "{}", vector.name);
    let block = single(vector, &sent, Format::ntf(version), Protocol::Ntf);
    assert_eq!(hex::encode(block), vector.output("block").text(), "{}", vector.name);
}

fn server(vector: &Vector, version: NtfVersion) {
    // The file names the response; its bytes end the transmission, behind the fields that `Sent` writes.
    let transmission = vector.output("transmission").hex();
    let mut sent = Sent::of(vector, Vec::new());
    let head = sent.encode(Format::ntf(version), &vector.name).len();
    sent.command = transmission[head..].to_vec();
    let response = Response::decode(&sent.command, version).unwrap();
    assert_eq!(response.word(), vector.words()[1], "{}", vector.name);
    assert!(response.allows_entity(&sent.entity_id), "{}", vector.name);
    let mut out = Vec::new();
    response.encode(version, &mut out);
    assert_eq!(out, sent.command, "{}", vector.name);
    let block = single(vector, &sent, Format::ntf(version), Protocol::Ntf);
    assert_eq!(hex::encode(block), vector.output("block").text(), "{}", vector.name);
}

fn client_batch(vector: &Vector, version: NtfVersion) {
    let inputs = vector.input("transmissions").list();
    let outputs = vector.output("transmissions").list();
    assert_eq!(inputs.len(), outputs.len(), "{}", vector.name);
    let transmissions: Vec<_> = inputs
        .iter()
        .zip(outputs)
        .map(|(input, output)| {
            let sent = Sent {
                session_id: vector.input("session_id").hex(),
                corr_id: input.get("corr_id").hex(),
                entity_id: input.get("entity_id").hex(),
                authorization: output.get("authorization").hex(),
                service_signature: None,
                command: vector.input("command").hex(),
            };
            assert_eq!(hex::encode(sent.authorized()), output.get("signed_bytes").text(), "{}", vector.name);
            let transmission = sent.encode(Format::ntf(version), &vector.name);
            assert_eq!(hex::encode(&transmission), output.get("transmission").text(), "{}", vector.name);
            transmission
        })
        .collect();
    batch(vector, &transmissions, Format::ntf(version), Protocol::Ntf, |expected, block| {
        assert_eq!(hex::encode(block), expected.get("block").text(), "{}", vector.name);
    });
}

fn server_batch(vector: &Vector, version: NtfVersion) {
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
            Response::decode(&sent.command, version).unwrap();
            sent.encode(Format::ntf(version), &vector.name)
        })
        .collect();
    batch(vector, &transmissions, Format::ntf(version), Protocol::Ntf, |expected, block| {
        assert_eq!(hex::encode(block), expected.get("block").text(), "{}", vector.name);
    });
}
