//! What holds for the recorded sessions of both protocols: bytes, authorizations, hellos.

use ntf_core::crypto::auth::verify;
use ntf_core::crypto::cert;
use ntf_core::crypto::keys::{AuthPublicKey, Ed25519Public};
use ntf_core::link::dialect::Dialect;
use ntf_core::model::server::Protocol;
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::error_code::CommandError;
use ntf_core::wire::hello::{ntf, smp};
use ntf_core::wire::transmission::{Format, Outgoing, Transmission, write_body};
use ntf_core::wire::version::Version;

use crate::recording::{Block, Connection, Item, Recording, Side};

/// Reads every block of a connection, compares with what the recorder saw, and writes it again.
pub(crate) fn codec<D: Dialect>(recording: &Recording, number: u64) {
    let connection = &recording.connections[&number];
    let version = D::Version::from_number(connection.version);
    for block in recording.blocks_of(number) {
        let Some(items) = &block.items else {
            let again = hello(connection, block);
            assert_eq!(hex::encode(again), hex::encode(&block.content), "{} {number}", recording.name);
            continue;
        };
        let format = D::format(version);
        let batch = BatchReader::new(&block.content, format).unwrap();
        assert_eq!(batch.remaining(), items.len());
        let mut writer = BatchWriter::new(Layout::plain(D::PROTOCOL), format);
        for (read, item) in batch.zip(items) {
            let read = read.unwrap();
            transmission(connection, &read, item, format);
            match block.from {
                Side::Client => command::<D>(version, &read, item),
                Side::Server => message::<D>(version, &read),
            }
            writer.push_with(|out| read.encode(format, out)).unwrap();
        }
        let again = writer.finish().unwrap();
        assert_eq!(again.len(), block.len);
        assert!(block::content(&again).unwrap() == block.content, "{} {number}", recording.name);
    }
}

fn transmission(connection: &Connection, read: &Transmission<'_>, item: &Item, format: Format) {
    assert!(read.has_lawful_authorization());
    assert_eq!(read.authorization, item.authorization);
    assert_eq!(read.service_signature, item.service_signature.as_deref());
    assert_eq!(read.session_id, format.sends_session_id().then_some(connection.session_id.as_slice()));
    assert_eq!((read.corr_id, read.entity_id), (item.corr_id.as_slice(), item.entity_id.as_slice()));
    assert_eq!(read.command, item.command);
}

fn command<D: Dialect>(version: D::Version, read: &Transmission<'_>, item: &Item) {
    let command = D::decode_command(read.command, version).unwrap();
    let mut again = Vec::new();
    D::encode_command(&command, version, &mut again);
    assert_eq!(hex::encode(again), hex::encode(read.command), "{command:?}");
    if item.was_done {
        assert_eq!(D::check_credentials(&command, read), Ok::<(), CommandError>(()), "{command:?}");
    }
}

fn message<D: Dialect>(version: D::Version, read: &Transmission<'_>) {
    let message = D::decode_message(read.command, version).unwrap();
    let mut again = Vec::new();
    D::encode_message(&message, version, &mut again);
    assert!(again == read.command, "{message:?}");
    assert!(D::may_have_entity(&message, read.entity_id), "{message:?}");
}

/// The same hello, read and written again.
fn hello(connection: &Connection, block: &Block) -> Vec<u8> {
    let mut again = Vec::new();
    let content = &block.content;
    match (connection.protocol, block.from) {
        (Protocol::Smp, Side::Server) if is_service_answer(content) => {
            smp::ServiceAnswer::decode(content).unwrap().encode(&mut again);
        }
        (Protocol::Smp, Side::Server) => smp::ServerHello::decode(content).unwrap().encode(&mut again),
        (Protocol::Smp, Side::Client) => smp::ClientHello::decode(content).unwrap().encode(&mut again),
        (Protocol::Ntf, Side::Server) => ntf::ServerHello::decode(content).unwrap().encode(&mut again),
        (Protocol::Ntf, Side::Client) => ntf::ClientHello::decode(content).unwrap().encode(&mut again),
        (Protocol::Relay, _) => unreachable!("the recordings are of SMP and NTF"),
    }
    again
}

/// Hellos begin with a version below 256.
fn is_service_answer(content: &[u8]) -> bool {
    matches!(content.first(), Some(b'R' | b'E'))
}

/// Checks that each command which was done was authorized by the key that its entity asks for, and gives
/// how many could be checked: an authenticator takes a private key to check.
pub(crate) fn authorizations(recording: &Recording) -> usize {
    let mut checked = 0;
    for block in recording.blocks() {
        let connection = &recording.connections[&block.connection];
        for item in block.items.iter().flatten().filter(|item| !item.authorization.is_empty()) {
            let to_auth = connection.authorized(item);
            let is_signed = |key: &Ed25519Public, signature: &[u8]| {
                verify(Some(&AuthPublicKey::Ed25519(*key)), None, &item.corr_id, &to_auth, signature)
            };
            if let (Some(signature), Some(service)) = (&item.service_signature, &connection.service) {
                assert!(item.needs_service() && is_signed(&service.key, signature), "{}", recording.name);
            }
            match (&connection.service, &item.owner) {
                (Some(service), _) if item.is_of_service() => {
                    assert!(is_signed(&service.key, &item.authorization), "{}", recording.name);
                    checked += 1;
                }
                (_, Some(owner)) if item.was_done => {
                    checked += usize::from(is_owners(connection, item, owner))
                }
                (_, Some(_)) => {}
                (_, None) => assert!(!item.was_done, "{}: nobody owns the entity", recording.name),
            }
        }
    }
    checked
}

/// Whether `owner` is seen to have authorized the command; fails when it is seen not to.
fn is_owners(connection: &Connection, item: &Item, owner: &AuthPublicKey) -> bool {
    match (&item.signer, owner) {
        (Some(signer), _) => assert_eq!(signer.public().as_ref(), Some(owner)),
        (None, AuthPublicKey::X25519(_)) => return false,
        (None, AuthPublicKey::Ed25519(_) | AuthPublicKey::Ed448(_)) => {
            let to_auth = connection.authorized_by_owner(item);
            assert!(verify(Some(owner), None, &item.corr_id, &to_auth, &item.authorization));
        }
    }
    true
}

/// Checks the chain and the signed keys of a connection at a time of the recording.
pub(crate) fn certificates(recording: &Recording, now: i64) {
    for connection in recording.connections.values().filter(|connection| !connection.server_chain.is_empty())
    {
        let leaf = cert::validate_server_chain(&connection.server_chain, &connection.server, now);
        assert_eq!(leaf, cert::leaf_public_key(&connection.server_chain[0]), "{}", recording.name);
    }
}

/// Bytes of a transmission as its sender puts them into a block.
pub(crate) fn encode(
    format: Format,
    session_id: &[u8],
    authorization: &[u8],
    (corr_id, entity_id, command): (&[u8], &[u8], &[u8]),
) -> Vec<u8> {
    let (mut body, mut out) = (Vec::new(), Vec::new());
    write_body(corr_id, entity_id, &mut body, |out| out.extend_from_slice(command));
    Outgoing { authorization, service_signature: None, session_id, body: &body }.encode(format, &mut out);
    out
}
