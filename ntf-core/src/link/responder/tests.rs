//! Service sessions with the keys and bytes of `smp-transport` 9.2 and 9.6, and what 4.5 forbids.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::base::rng::{Seed, Stream};
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, SigningKey, X25519Private};
use crate::link::dialect::{ClientHello, Smp};
use crate::model::server::Fingerprint;
use crate::wire::batch::BatchWriter;
use crate::wire::block::{self, Layout};
use crate::wire::hello::smp::ServiceRole;
use crate::wire::transmission::{Format, Outgoing};
use crate::wire::version::SmpVersion;
use alloc::vec;

const QUEUE_SIGNATURE: &str = "aeb39a86e3dd29632149df72f0269084df6a3f376cfc2fb42d4bef90527caf90\
    1cc9b828186055a83002e4cf1ddd9eea4204409bff1da9d9a7d3ee2b0f2f3b03";
const SERVICE_SIGNATURE: &str = "02ae4a2fd94f208e8e6b9893b033c4ec5c309fbc859ac1e8a6972800d574fbd6\
    1e2375da1d9be68b76021722cd8ea676697874dac1829525336fdfcce75e2708";
const NSUBS_SIGNATURE: &str = "bcb42e0e0587c53fc46026b727afaf1221f01e98dadfb9ffa7cf380b7a4f1a1b\
    767054af5e32a384019de22c5f5d8ce370186e9888e7a1c625778d5777fa750e";
const PLAIN_SIGNATURE: &str = "728dcd64361c1478166e2411da3ab01349f5863a6dfab976aacc83c72560c81b\
    4c7dea6f297366536dbed7e096b66c5e12e22040255d6ad8c38ffb916bc25a01";

fn counting<const N: usize>(first: u8) -> [u8; N] {
    core::array::from_fn(|at| first + u8::try_from(at).unwrap())
}

fn unhex(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

fn ed25519(byte: u8) -> Ed25519Private {
    Ed25519Private::from_seed([byte; 32])
}

fn queue_key() -> AuthPrivateKey {
    ed25519(0x33).into()
}

/// A server's end of an open link with the session id of the examples and without block encryption.
fn open(service: Option<ServiceRole>) -> Responder<Smp> {
    let chain: Vec<Box<[u8]>> = vec![[1].into(), [2].into()];
    let credentials = ServerCredentials { chain, leaf_key: SigningKey::Ed25519(ed25519(1)) };
    let transport = Transport {
        session_id: counting::<32>(0).into(),
        has_alpn: true,
        peer_chain: Vec::new(),
        showed_certificate: false,
        source: None,
    };
    let mut keys = Seed::from_number(1).stream(Stream::Keys);
    let mut responder =
        Responder::<Smp>::accept(&transport, &credentials, VersionRange::SMP, &mut keys).unwrap();
    let (version, identity) = (SmpVersion(18), credentials.identity().unwrap());
    let mut hello = Vec::new();
    Smp::encode_client_hello(
        &ClientHello { version, identity, key: None, is_proxy: false, service: None },
        &mut hello,
    );
    assert!(responder.take_block().is_some());
    assert!(responder.on_block(&mut Layout::plain(Smp::PROTOCOL).block(&hello).unwrap()).is_ok());
    if let State::Open { session, .. } = &mut responder.state {
        session.key = Some(X25519Private::from_bytes([0x11; 32]));
        session.service = service.map(|role| PeerService {
            id: EntityId::new(&counting::<24>(0x40)).unwrap(),
            role,
            identity: Fingerprint::new(counting(0xe0)),
            key: ed25519(0x77).public(),
        });
    }
    responder
}

fn body(entity: &[u8], command: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    transmission::write_body(&counting::<24>(0xa0), entity, &mut out, |out| out.extend_from_slice(command));
    out
}

/// Hands a transmission to the server; gives what it answers, `None` if the command was let through.
fn said(
    responder: &mut Responder<Smp>,
    authorization: &[u8],
    service_signature: Option<&[u8]>,
    body: &[u8],
    credential: Credential<'_>,
) -> Option<Vec<u8>> {
    let format = Format::smp(SmpVersion(18));
    let transmission = Outgoing { authorization, service_signature, session_id: &[], body };
    let mut batch = BatchWriter::new(Layout::plain(Smp::PROTOCOL), format);
    batch.push_with(|out: &mut Vec<u8>| transmission.encode(format, out)).unwrap();
    let mut block = batch.finish().unwrap();
    let mut requests = responder.on_block(&mut block).unwrap();
    if let Some(request) = responder.next_request(&mut requests)
        && responder.verify(request, credential).is_ok()
    {
        return None;
    }
    let answer = responder.take_block().unwrap();
    let mut answers = BatchReader::new(block::content(&answer).unwrap(), format).unwrap();
    Some(answers.next().unwrap().unwrap().command.to_vec())
}

#[test]
fn the_worked_examples_of_a_service_session_are_let_through() {
    let mut responder = open(Some(ServiceRole::Notifier));
    let nsub = body(&counting::<24>(0xc0), b"NSUB");
    let nsubs = body(&counting::<24>(0x40), b"NSUBS");
    let key = queue_key().public().unwrap();
    let (queue, service) = (unhex(QUEUE_SIGNATURE), unhex(SERVICE_SIGNATURE));
    assert_eq!(said(&mut responder, &queue, Some(&service), &nsub, Credential::Key(&key)), None);
    assert_eq!(said(&mut responder, &unhex(NSUBS_SIGNATURE), None, &nsubs, Credential::Open), None);
    let mut plain = open(None);
    assert_eq!(said(&mut plain, &unhex(PLAIN_SIGNATURE), None, &nsub, Credential::Key(&key)), None);
}

#[test]
fn what_is_forbidden_is_answered_in_order() {
    let key = queue_key().public().unwrap();
    let (nsub, nsubs) = (body(&counting::<24>(0xc0), b"NSUB"), body(&counting::<24>(0x40), b"NSUBS"));
    let foreign = body(&counting::<24>(0xc0), b"NSUBS");
    let get = body(&counting::<24>(0xc0), b"GET");
    let subs = body(&counting::<24>(0x40), b"SUBS");
    let (queue, service) = (unhex(QUEUE_SIGNATURE), unhex(SERVICE_SIGNATURE));
    let (plain, all) = (unhex(PLAIN_SIGNATURE), unhex(NSUBS_SIGNATURE));
    let wrong = [7; 64];
    let known = Credential::Key(&key);
    let notifier = Some(ServiceRole::Notifier);
    let receiver = Some(ServiceRole::Messaging);
    for (what, role, authorization, second, body, credential, expected) in [
        ("NSUB without the service", notifier, &queue, None, &nsub, known, "ERR SERVICE"),
        ("plain NSUB", notifier, &plain, None, &nsub, known, "ERR SERVICE"),
        ("NSUB with a wrong service", notifier, &queue, Some(&wrong[..]), &nsub, known, "ERR SERVICE"),
        ("NSUB with a plain queue signature", notifier, &plain, Some(&service[..]), &nsub, known, "ERR AUTH"),
        ("an unknown queue", notifier, &queue, Some(&service), &nsub, Credential::Unknown, "ERR AUTH"),
        ("an unknown queue, alone", notifier, &queue, None, &nsub, Credential::Unknown, "ERR AUTH"),
        ("two signatures outside", None, &plain, Some(&service), &nsub, known, "ERR SERVICE"),
        ("the name of a service outside", None, &queue, None, &nsub, known, "ERR AUTH"),
        ("NSUBS outside", None, &all, None, &nsubs, Credential::Open, "ERR SERVICE"),
        ("NSUBS of another service", notifier, &all, None, &foreign, Credential::Open, "ERR SERVICE"),
        ("NSUBS signed wrongly", notifier, &service, None, &nsubs, Credential::Open, "ERR SERVICE"),
        ("NSUBS signed twice", notifier, &all, Some(&all), &nsubs, Credential::Open, "ERR SERVICE"),
        ("NSUB of a receiver", receiver, &queue, Some(&service), &nsub, known, "ERR CMD PROHIBITED"),
        ("NSUBS of a receiver", receiver, &all, None, &nsubs, Credential::Open, "ERR CMD PROHIBITED"),
        ("SUBS of a notifier", notifier, &all, None, &subs, Credential::Open, "ERR CMD PROHIBITED"),
        ("GET of a notifier", notifier, &plain, None, &get, known, "ERR CMD PROHIBITED"),
        ("GET signed twice", receiver, &plain, Some(&service), &get, known, "ERR SERVICE"),
    ] {
        let answer = said(&mut open(role), authorization, second, body, credential);
        assert_eq!(answer.as_deref(), Some(expected.as_bytes()), "{what}");
    }
}
