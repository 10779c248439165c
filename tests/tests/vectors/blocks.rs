//! What the files of blocks of both protocols have in common.

use crate::file::{Field, Vector};
use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::{BatchReader, BatchWriter, NoRoom};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::transmission::{Format, Outgoing, Transmission, write_authorized, write_body};
use sha2::{Digest, Sha256};

/// SHA-256 in hex.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A transmission as the vectors describe it: authorized bytes, bytes on the wire, and its fields again.
pub(crate) struct Sent {
    pub(crate) session_id: Vec<u8>,
    pub(crate) corr_id: Vec<u8>,
    pub(crate) entity_id: Vec<u8>,
    pub(crate) authorization: Vec<u8>,
    pub(crate) service_signature: Option<Vec<u8>>,
    pub(crate) command: Vec<u8>,
}

impl Sent {
    pub(crate) fn of(vector: &Vector, command: Vec<u8>) -> Self {
        Self {
            session_id: vector.input("session_id").hex(),
            corr_id: vector.input("corr_id").hex(),
            entity_id: vector.input("entity_id").hex(),
            authorization: maybe(vector.output("authorization")).unwrap_or_default(),
            service_signature: maybe(vector.output("service_signature")),
            command,
        }
    }

    pub(crate) fn body(&self) -> Vec<u8> {
        let mut body = Vec::new();
        write_body(&self.corr_id, &self.entity_id, &mut body, |out| out.extend_from_slice(&self.command));
        body
    }

    /// Bytes of the transmission, after checking that they read back as its fields.
    pub(crate) fn encode(&self, format: Format, name: &str) -> Vec<u8> {
        let body = self.body();
        let mut out = Vec::new();
        Outgoing {
            authorization: &self.authorization,
            service_signature: self.service_signature.as_deref(),
            session_id: &self.session_id,
            body: &body,
        }
        .encode(format, &mut out);
        let read = Transmission::decode(&out, format).unwrap();
        let expected = Transmission {
            authorization: &self.authorization,
            service_signature: self.service_signature.as_deref(),
            session_id: format.sends_session_id().then_some(self.session_id.as_slice()),
            corr_id: &self.corr_id,
            entity_id: &self.entity_id,
            command: &self.command,
            body: &body,
        };
        assert!(read == expected, "{name}");
        assert!(read.has_lawful_authorization(), "{name}");
        out
    }

    pub(crate) fn authorized(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_authorized(&self.session_id, &self.body(), &mut out);
        out
    }
}

/// Checks one transmission and the block that holds it alone; gives the block.
pub(crate) fn single(vector: &Vector, sent: &Sent, format: Format, protocol: Protocol) -> Vec<u8> {
    let name = &vector.name;
    let transmission = sent.encode(format, name);
    assert_eq!(hex::encode(&transmission), vector.output("transmission").text(), "{name}");
    if let Some(signed) = vector.output("signed_bytes").some() {
        assert_eq!(hex::encode(sent.authorized()), signed.text(), "{name}");
    }
    let mut batch = BatchWriter::new(Layout::plain(protocol), format);
    batch.push(&transmission).unwrap();
    batch.finish().unwrap()
}

/// Checks blocks of a batch against the transmissions they must hold, in this order.
///
/// The reference fills blocks from the end of the list, so the first is the partial one. Each must be
/// what our writer makes of the same transmissions, and none may have room for the last of the one before.
pub(crate) fn batch(
    vector: &Vector,
    transmissions: &[Vec<u8>],
    format: Format,
    protocol: Protocol,
    check_block: impl Fn(&Field<'_>, &[u8]),
) {
    let name = &vector.name;
    let mut left = transmissions;
    let mut before: Option<&Vec<u8>> = None;
    for expected in vector.output("blocks").list() {
        let content = expected.get("content").hex();
        let (items, rest) = left.split_at(BatchReader::new(&content, format).unwrap().remaining());
        left = rest;
        let mut writer = BatchWriter::new(Layout::plain(protocol), format);
        for item in items {
            writer.push(item).unwrap();
        }
        if let Some(before) = before {
            assert_eq!(writer.push(before), Err(NoRoom::InThisBlock), "{name}");
        }
        before = items.last();
        let block = writer.finish().unwrap();
        assert_eq!(hex::encode(block::content(&block).unwrap()), hex::encode(&content), "{name}");
        check_block(&expected, &block);
        let read = BatchReader::new(&content, format).unwrap();
        for (read, item) in read.zip(items) {
            let mut again = Vec::new();
            read.unwrap().encode(format, &mut again);
            assert_eq!(&again, item, "{name}");
        }
    }
    assert!(left.is_empty(), "{name}: {} transmissions are in no block", left.len());
}

pub(crate) fn maybe(field: Field<'_>) -> Option<Vec<u8>> {
    field.some().map(|field| field.hex())
}
