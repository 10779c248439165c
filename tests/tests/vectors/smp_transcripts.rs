//! `smp_transcripts.json`: sessions of the reference's client library with its messaging server.

use std::sync::OnceLock;

use ntf_core::crypto::boxed::{BoxKey, nonce_from};
use ntf_core::crypto::keys::DhSecret;
use ntf_core::link::dialect::Smp;
use ntf_core::wire::payload::{MessageBody, NmsgMeta};
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::version::SmpVersion;
use serde_json::Value;

use crate::bytes;
use crate::recording::{Event, Item, Recording, recordings};
use crate::{replay, replay_link};

/// Read once: to find who authorized what takes a while.
fn sessions() -> &'static [Recording] {
    static SESSIONS: OnceLock<Vec<Recording>> = OnceLock::new();
    SESSIONS.get_or_init(|| recordings("smp_transcripts.json"))
}

#[test]
fn every_recorded_smp_block_is_read_and_written_as_it_was() {
    for recording in sessions() {
        recording.connections.keys().for_each(|number| replay::codec::<Smp>(recording, *number));
    }
}

#[test]
fn recorded_smp_commands_were_authorized_by_their_owners() {
    for recording in sessions() {
        assert!(replay::authorizations(recording) > 0, "{}", recording.name);
    }
}

#[test]
fn our_smp_server_hears_recorded_clients_and_answers_in_recorded_blocks() {
    for recording in sessions() {
        let verified =
            recording.connections.keys().map(|number| replay_link::serve::<Smp>(recording, *number));
        assert!(verified.sum::<usize>() > 0, "{}", recording.name);
    }
}

#[test]
fn our_smp_client_says_what_was_recorded_and_hears_the_recorded_servers() {
    for recording in sessions() {
        let heard = recording.connections.keys().map(|number| replay_link::ask::<Smp>(recording, *number));
        assert!(heard.sum::<usize>() > 0, "{}", recording.name);
    }
}

#[test]
fn recorded_messages_and_notifications_open_with_the_recorded_secrets() {
    for recording in sessions() {
        let mut opened = 0;
        for event in &recording.events {
            let Event::Note(note) = event else { continue };
            if note["body"].is_string() {
                message(recording, note);
                opened += 1;
            } else if note["enc_nmsg_meta"].is_string() {
                metadata(recording, note);
                opened += 1;
            }
            let Some(at) = note["msg_ts"].as_i64() else { continue };
            replay::certificates(recording, at);
        }
        assert!(opened > 0, "{}", recording.name);
    }
}

fn message(recording: &Recording, note: &Value) {
    let id = bytes(&note["msg_id"]);
    let body =
        messages(recording).find_map(|(item, version)| match Message::decode(&item.command, version) {
            Ok(Message::Msg { id: named, body }) if named == id => Some(body.to_vec()),
            _ => None,
        });
    let mut sealed = body.expect("a message with this id came");
    let opened = secret(recording, "rcv_dh_secret").open_padded(&nonce_from(&id), &mut sealed).unwrap();
    let MessageBody::Message { sent_at, message, .. } = MessageBody::decode(opened).unwrap() else {
        panic!("{}: a quota marker", recording.name)
    };
    assert_eq!(Some(sent_at), note["msg_ts"].as_i64());
    assert_eq!(Some(message), note["body"].as_str().map(str::as_bytes));
}

fn metadata(recording: &Recording, note: &Value) {
    let (nonce, mut sealed) = (bytes(&note["nonce"]), bytes(&note["enc_nmsg_meta"]));
    let is_in_block = messages(recording).any(|(item, version)| {
        matches!(
            Message::decode(&item.command, version),
            Ok(Message::Nmsg { nonce: n, meta }) if n.as_slice() == nonce && meta == sealed
        )
    });
    assert!(is_in_block, "{}", recording.name);
    let opened =
        secret(recording, "rcv_ntf_dh_secret").open_padded(&nonce_from(&nonce), &mut sealed).unwrap();
    let meta = NmsgMeta::decode(opened).unwrap();
    assert_eq!(meta.message, bytes(&note["msg_id"]));
    assert_eq!(Some(meta.sent_at), note["msg_ts"].as_i64());
}

fn messages(recording: &Recording) -> impl Iterator<Item = (&Item, SmpVersion)> {
    recording.blocks().flat_map(|block| {
        let version = SmpVersion(recording.connections[&block.connection].version);
        block.items.iter().flatten().map(move |item| (item, version))
    })
}

fn secret(recording: &Recording, input: &str) -> BoxKey {
    BoxKey::of_dh(&DhSecret::new(bytes(&recording.inputs[input]).try_into().unwrap()))
}
