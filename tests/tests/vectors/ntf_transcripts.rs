//! `ntf_transcripts.json`: sessions of the reference's client library with its notification server, of that
//! with the messaging server, and of that with a push provider.

use std::sync::OnceLock;

use ntf_core::base::limits::NONCE_LEN;
use ntf_core::crypto::boxed::{BoxKey, nonce_from};
use ntf_core::crypto::keys::DhSecret;
use ntf_core::link::dialect::{Ntf, Smp};
use ntf_core::model::push::{PushKind, PushPayload, Sealed};
use ntf_core::model::server::Protocol;
use ntf_core::push::alert::AlertTexts;
use ntf_core::push::apns;
use ntf_core::wire::payload::{NmsgMeta, decode_notices, encode_notices};
use ntf_core::wire::text::base64;
use serde_json::Value;

use crate::bytes;
use crate::recording::{Event, Recording, recordings};
use crate::{replay, replay_link};

/// Read once: to find who authorized what takes a while.
fn sessions() -> &'static [Recording] {
    static SESSIONS: OnceLock<Vec<Recording>> = OnceLock::new();
    SESSIONS.get_or_init(|| recordings("ntf_transcripts.json"))
}

#[test]
fn every_recorded_block_around_a_notification_server_is_read_and_written_as_it_was() {
    for recording in sessions() {
        for (number, connection) in &recording.connections {
            match connection.protocol {
                Protocol::Smp => replay::codec::<Smp>(recording, *number),
                Protocol::Ntf => replay::codec::<Ntf>(recording, *number),
                Protocol::Relay => unreachable!("the recordings are of SMP and NTF"),
            }
        }
    }
}

#[test]
fn recorded_ntf_commands_were_authorized_by_their_owners() {
    for recording in sessions() {
        assert!(replay::authorizations(recording) > 0, "{}", recording.name);
    }
}

#[test]
fn our_servers_hear_the_clients_around_a_notification_server() {
    for recording in sessions() {
        let verified = recording.connections.iter().map(|(number, connection)| match connection.protocol {
            Protocol::Smp => replay_link::serve::<Smp>(recording, *number),
            Protocol::Ntf => replay_link::serve::<Ntf>(recording, *number),
            Protocol::Relay => unreachable!("the recordings are of SMP and NTF"),
        });
        assert!(verified.sum::<usize>() > 0, "{}", recording.name);
    }
}

#[test]
fn our_clients_hear_the_servers_around_a_notification_server() {
    for recording in sessions() {
        let heard = recording.connections.iter().map(|(number, connection)| match connection.protocol {
            Protocol::Smp => replay_link::ask::<Smp>(recording, *number),
            Protocol::Ntf => replay_link::ask::<Ntf>(recording, *number),
            Protocol::Relay => unreachable!("the recordings are of SMP and NTF"),
        });
        assert!(heard.sum::<usize>() > 0, "{}", recording.name);
    }
}

#[test]
fn recorded_pushes_open_with_the_devices_secret_and_have_our_shape() {
    for recording in sessions() {
        let mut last = Vec::new();
        let mut checked = 0;
        for event in &recording.events {
            match event {
                Event::Push(push) => last = opened(recording, push).unwrap_or_default(),
                Event::Note(note) if note["code"].is_string() => {
                    assert_eq!(last, bytes(&note["code"]), "{}", recording.name);
                    checked += 1;
                }
                Event::Note(note) if note["plaintext"].is_string() => {
                    assert_eq!(Some(last.as_slice()), note["plaintext"].as_str().map(str::as_bytes));
                    checked += 1;
                }
                Event::Note(note) if note["ntf_ts"].is_number() => notice(note, &last),
                Event::Note(_) | Event::Block(_) => {}
            }
        }
        let pushes = recording.events.iter().filter(|event| matches!(event, Event::Push(_))).count();
        assert!(pushes > 0 && (checked > 0 || !last.is_empty()), "{}", recording.name);
    }
}

/// What is in a push, if the device's secret is known, after checking its form.
fn opened(recording: &Recording, push: &Value) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_str(push["body"].as_str().unwrap()).unwrap();
    let data = &body["notificationData"];
    let nonce: [u8; NONCE_LEN] = base64::decode_array(data["nonce"].as_str().unwrap()).unwrap();
    let (kind, text) = match (data["verification"].as_str(), data["message"].as_str()) {
        (Some(text), None) => (PushKind::Verification, text),
        (None, Some(text)) => (PushKind::Message, text),
        (Some(_) | None, Some(_) | None) => panic!("{}: a push of another kind", recording.name),
    };
    let ciphertext = base64::decode(text).unwrap();
    form(push, &body, kind, Sealed { nonce, ciphertext: ciphertext.as_slice().into() });

    let device = push["path"].as_str().unwrap().strip_prefix("/3/device/").unwrap().as_bytes();
    let secret = recording.push_secrets.get(device)?;
    let mut sealed = ciphertext;
    let plain = BoxKey::of_dh(secret).open_padded(&nonce, &mut sealed).unwrap().to_vec();
    if kind == PushKind::Message {
        let notices = decode_notices(&plain).unwrap();
        let mut again = Vec::new();
        encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut again);
        assert_eq!(String::from_utf8(again), String::from_utf8(plain.clone()), "{}", recording.name);
    }
    Some(plain)
}

/// Method, headers, JSON and provider token are as ours would be, but for the order of keys.
fn form(push: &Value, body: &Value, kind: PushKind, sealed: Sealed) {
    let payload = match kind {
        PushKind::Verification => PushPayload::Verification(sealed),
        PushKind::Message => PushPayload::Message(sealed),
        PushKind::CheckMessages => PushPayload::CheckMessages,
        PushKind::Hidden | PushKind::Alert => unreachable!("the reference has no pushes of this kind"),
    };
    let ours: Value = serde_json::from_slice(&apns::body(&payload, &AlertTexts::default())).unwrap();
    assert_eq!(&ours, body);
    assert_eq!(push["method"], "POST");

    let header =
        |header: &Value| (header[0].as_str().unwrap().to_lowercase(), header[1].as_str().unwrap().to_owned());
    let mut recorded: Vec<_> = push["headers"].as_array().unwrap().iter().map(header).collect();
    let value = |name| recorded.iter().find(|(header, _)| header == name).unwrap().1.clone();
    let (topic, jwt) = (value("apns-topic"), value(apns::AUTHORIZATION));
    let jwt = jwt.strip_prefix("bearer ").unwrap();
    let ours = apns::headers(kind, &topic, jwt);
    let mut ours: Vec<_> = ours.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    recorded.sort();
    ours.sort();
    assert_eq!(recorded, ours);
    provider_token(push, jwt);
}

/// Header and claims are what is decoded of them; the names are those of `ntf-protocol` 3.6.
fn provider_token(push: &Value, jwt: &str) {
    let mut parts = jwt.split('.').map(|part| base64::decode(part).unwrap());
    for (decoded, names) in [("jwt_header", ["alg", "kid"]), ("jwt_claims", ["iat", "iss"])] {
        let text = push[decoded].as_str().unwrap();
        assert_eq!(parts.next().as_deref(), Some(text.as_bytes()));
        let object: Value = serde_json::from_str(text).unwrap();
        let mut keys: Vec<_> = object.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, names);
    }
    let signature_len = parts.next().map(|signature| signature.len() as u64);
    assert_eq!(signature_len, push["jwt_signature_length"].as_u64());
}

/// The newest notice of the last push is the one that the note tells of.
fn notice(note: &Value, plain: &[u8]) {
    let notices = decode_notices(plain).unwrap();
    let (_, newest) = notices.last().unwrap();
    assert_eq!(Some(newest.received_at), note["ntf_ts"].as_i64());
    let secret = DhSecret::new(bytes(&note["rcv_ntf_dh_secret"]).try_into().unwrap());
    let mut sealed = newest.meta.to_vec();
    let opened = BoxKey::of_dh(&secret).open_padded(&nonce_from(&newest.nonce), &mut sealed).unwrap();
    let meta = NmsgMeta::decode(opened).unwrap();
    assert_eq!(meta.message, bytes(&note["msg_id"]));
    assert_eq!(Some(meta.sent_at), note["msg_ts"].as_i64());
}
