//! Two sessions back to back, in memory.

use std::sync::Arc;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use rustls::crypto::ring::kx_group;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{HandshakeKind, NamedGroup, ServerConfig, SignatureScheme};

use super::*;
use crate::base::rng::{Rng, Seed, Stream};
use crate::crypto::cert::{ChainFault, ServerCredentials};
use crate::model::server::Protocol;
use crate::tls::Alert;
use crate::tls::credentials::generate;
use crate::tls::provider::DrivenClock;
use crate::tls::verifier::LeafKey;

/// In the year 2033.
const NOW: Wall = Wall::from_secs(2_000_000_000);

#[test]
fn both_sides_name_the_session_alike() {
    let mut seen = Vec::new();
    for chunk in [1, 7, 4096, usize::MAX] {
        let mut pair = Pair::new(Protocol::Smp);
        pair.shake_hands(chunk).unwrap();
        let client = pair.client.take_transport().unwrap();
        let server = pair.server.take_transport().unwrap();
        assert_eq!(client.session_id, server.session_id, "chunk = {chunk}");
        assert!(!seen.contains(&client.session_id));
        seen.push(client.session_id);
        assert!(client.has_alpn && server.has_alpn);
        assert_eq!(client.peer_chain, credentials(1).chain);
        assert_eq!(server.peer_chain, Vec::<Box<[u8]>>::new());
        assert!(pair.client.take_transport().is_none(), "it is told once");
    }
}

#[test]
fn a_hello_retry_request_changes_nothing_about_the_session_id() {
    let mut pair = Pair::new(Protocol::Ntf);
    // Its only key share is for a group that our servers do not have, as the reference's.
    let mut wide = (*provider()).clone();
    wide.kx_groups = vec![kx_group::SECP256R1, kx_group::X25519];
    let connection =
        config::client(Arc::new(wide), &[b"ntf/1"], &credentials(1).identity().unwrap(), Arc::default())
            .unwrap();
    pair.client = Session::new(Engine::Talking(Box::new(Connection::Client(connection))), 512, NOW);
    pair.shake_hands(usize::MAX).unwrap();
    for session in [&pair.client, &pair.server] {
        assert_eq!(connection_of(session).handshake_kind(), Some(HandshakeKind::FullWithHelloRetryRequest));
    }
    let client = pair.client.take_transport().unwrap();
    assert_eq!(client.session_id, pair.server.take_transport().unwrap().session_id);
}

#[test]
fn a_client_shows_no_server_name_and_offers_only_what_the_protocol_uses() {
    let mut client = Pair::new(Protocol::Smp).client;
    let mut bytes = Vec::new();
    client.write_to(&mut bytes).unwrap();
    let mut acceptor = Acceptor::default();
    acceptor.read_tls(&mut bytes.as_slice()).unwrap();
    let accepted = acceptor.accept().unwrap_or_else(|(error, _)| panic!("{error}")).unwrap();
    let hello = accepted.client_hello();
    assert_eq!(hello.server_name(), None);
    assert_eq!(hello.named_groups(), Some([NamedGroup::X25519].as_slice()));
    let ed448 = cfg!(feature = "ed448").then_some(SignatureScheme::ED448);
    let schemes: Vec<_> = ed448.into_iter().chain([SignatureScheme::ED25519]).collect();
    assert_eq!(hello.signature_schemes(), schemes);
    assert_eq!(hello.cipher_suites().first().map(|suite| u16::from(*suite)), Some(0x1303));
    assert_eq!(hello.alpn().unwrap().collect::<Vec<_>>(), [b"smp/1"]);
}

#[test]
fn a_server_of_another_identity_is_refused() {
    let mut pair = Pair::new(Protocol::Smp);
    let other = credentials(2).identity().unwrap();
    pair.client = Session::connect(&Protocol::Smp.into(), &other, NOW).unwrap();
    assert_eq!(pair.shake_hands(usize::MAX), Err(TlsFault::WrongIdentity));
    assert!(!pair.client.is_up() && pair.client.take_transport().is_none());
    // The server is told, by certificate_unknown.
    assert_eq!(pair.client_to_server(usize::MAX), Err(TlsFault::Alert(Alert(46))));
    assert_eq!(pair.client.feed(b"more"), Err(TlsFault::WrongIdentity), "a fault is for good");
}

#[test]
fn certificates_are_judged_by_the_time_that_was_handed_in() {
    let before = Wall::from_secs(NOW.as_millis() / 1000 - 2 * 86_400);
    let after = Wall::from_secs(NOW.as_millis() / 1000 + 1_000_000 * 86_400);
    for (wall, expected) in [(before, false), (NOW, true), (after, false)] {
        let mut pair = Pair::new(Protocol::Smp);
        let identity = credentials(1).identity().unwrap();
        pair.client = Session::connect(&Protocol::Smp.into(), &identity, wall).unwrap();
        let outcome = pair.shake_hands(usize::MAX);
        let refusal = Err(TlsFault::BadCertificate(ChainFault::Validity));
        assert_eq!(outcome, if expected { Ok(()) } else { refusal });
    }
}

#[test]
fn a_server_without_the_key_of_its_leaf_is_refused() {
    let mut mixed = credentials(1);
    mixed.leaf_key = credentials(2).leaf_key;
    assert!(matches!(ServerEndpoint::new(Protocol::Smp.into(), &mixed), Err(ChainFault::Signature)));

    let chain = mixed.chain.iter().map(|der| der.to_vec().into()).collect();
    let key = CertifiedKey::new(chain, Arc::new(LeafKey::new(mixed.leaf_key)));
    let config = ServerConfig::builder_with_details(provider(), Arc::new(DrivenClock))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(key)));
    let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
    let mut pair = Pair::new(Protocol::Smp);
    pair.server = Session::new(Engine::Talking(Box::new(Connection::Server(connection))), 16384, NOW);
    assert_eq!(pair.shake_hands(usize::MAX), Err(TlsFault::BadSignature));
}

#[test]
fn a_client_shows_its_certificates_when_asked_and_only_then() {
    let (own, none) = (Some(credentials(7)), None);
    for (asking, shown) in [(false, &own), (false, &none), (true, &own), (true, &none)] {
        let mut pair = Pair::new(Protocol::Smp);
        let (profile, server) = (Profile::from(Protocol::Smp), credentials(1));
        let identity = server.identity().unwrap();
        if asking {
            let endpoint = ServerEndpoint::asking_clients(profile, &server).unwrap();
            pair.server = Session::accept(&endpoint, NOW);
        }
        if let Some(shown) = shown {
            pair.client = Session::connect_showing(&profile, shown, &identity, NOW).unwrap();
        }
        pair.shake_hands(1000).unwrap();
        let client = pair.client.take_transport().unwrap();
        let server = pair.server.take_transport().unwrap();
        assert_eq!(client.session_id, server.session_id);
        let expected = shown.as_ref().filter(|_| asking);
        assert_eq!(client.showed_certificate, expected.is_some());
        assert_eq!(server.peer_chain, expected.map_or_else(Vec::new, |shown| shown.chain.clone()));
        assert!(!server.showed_certificate);
    }
}

#[test]
fn a_client_with_unsound_certificates_is_refused() {
    let server = credentials(1);
    let identity = server.identity().unwrap();
    let profile = Profile::from(Protocol::Smp);
    let mut stolen = credentials(7);
    stolen.leaf_key = credentials(8).leaf_key;
    let mut foreign = credentials(7);
    foreign.chain.pop();
    foreign.chain.extend(credentials(8).chain.pop());
    for (shown, fault) in
        [(stolen, TlsFault::BadSignature), (foreign, TlsFault::BadCertificate(ChainFault::Signature))]
    {
        let endpoint = ServerEndpoint::asking_clients(profile, &server).unwrap();
        let mut pair = Pair {
            client: Session::connect_showing(&profile, &shown, &identity, NOW).unwrap(),
            server: Session::accept(&endpoint, NOW),
        };
        assert_eq!(pair.shake_hands(usize::MAX), Err(fault));
        assert!(!pair.server.is_up());
        assert!(matches!(pair.server_to_client(usize::MAX), Err(TlsFault::Alert(_))));
    }
}

#[test]
fn the_first_name_of_the_client_that_the_server_knows_is_agreed() {
    type Row<'a> = (&'a [&'a [u8]], Result<Option<&'a [u8]>, TlsFault>);
    let rows: [Row<'_>; 8] = [
        (&[], Ok(None)),
        (&[b"smp/1"], Ok(Some(b"smp/1"))),
        (&[b"http/1.1"], Ok(Some(b"http/1.1"))),
        (&[b"h2", b"smp/1"], Ok(Some(b"h2"))),
        (&[b"http/1.1", b"h2", b"smp/1"], Ok(Some(b"http/1.1"))),
        (&[b"spdy/3", b"smp/1", b"h2"], Ok(Some(b"smp/1"))),
        (&[b"ntf/1"], Err(TlsFault::NoCommonProtocol)),
        (&[b"spdy/3", b"smp/2"], Err(TlsFault::NoCommonProtocol)),
    ];
    for (offered, expected) in rows {
        let mut pair = Pair::new(Protocol::Smp);
        let identity = credentials(1).identity().unwrap();
        pair.client = Session::connect_offering(&Protocol::Smp.into(), offered, &identity, NOW).unwrap();
        match expected {
            Ok(name) => {
                pair.shake_hands(usize::MAX).unwrap();
                assert_eq!(connection_of(&pair.server).alpn_protocol(), name);
                let transport = pair.server.take_transport().unwrap();
                assert_eq!(transport.has_alpn, name.is_some());
                assert_eq!(pair.client.take_transport().unwrap().has_alpn, name.is_some());
            }
            Err(fault) => {
                assert_eq!(pair.client_to_server(usize::MAX), Err(fault.clone()));
                assert!(pair.server.wants_write(), "the alert");
                assert_eq!(pair.server_to_client(usize::MAX), Err(fault));
                assert!(!pair.server.wants_write());
            }
        }
    }
}

#[test]
fn blocks_arrive_whole_however_the_bytes_are_cut() {
    let mut rng = Seed::from_number(3).stream(Stream::World);
    for protocol in [Protocol::Smp, Protocol::Ntf] {
        let mut pair = Pair::up(protocol);
        for number in 0..40_u8 {
            let block = vec![number; protocol.block_len()];
            let chunk = usize::try_from(rng.below(20_000)).unwrap() + 1;
            let (from, to) = if number % 2 == 0 {
                (&mut pair.client, &mut pair.server)
            } else {
                (&mut pair.server, &mut pair.client)
            };
            from.queue_block(&block).unwrap();
            let received = transfer(from, to, chunk).unwrap();
            assert_eq!(received, [block], "chunk = {chunk}");
            assert_eq!(from.take_sent(), 1);
        }
    }
}

#[test]
fn a_block_may_be_taken_along() {
    let mut pair = Pair::up(Protocol::Ntf);
    for number in 0..3 {
        pair.client.queue_block(&[number; 512]).unwrap();
    }
    let mut bytes = Vec::new();
    while pair.client.wants_write() {
        pair.client.write_to(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    for number in 0..3 {
        let taken = pair.server.feed(rest).unwrap();
        rest = &rest[taken..];
        assert_eq!(pair.server.take_block().unwrap().as_ref(), [number; 512]);
    }
    assert!(pair.server.take_block().is_none());
}

#[test]
fn small_records_add_up_to_a_block() {
    let mut pair = Pair::new(Protocol::Smp);
    let identity = credentials(1).identity().unwrap();
    pair.client = small_records(&identity);
    pair.shake_hands(usize::MAX).unwrap();
    let block: Vec<u8> = (0..16384_u32).map(|i| i.to_le_bytes()[0]).collect();
    let Engine::Talking(connection) = &mut pair.client.engine else { panic!("a client talks") };
    connection.writer().write_all(&block).unwrap();
    assert_eq!(transfer(&mut pair.client, &mut pair.server, 5000).unwrap(), [block]);
}

#[test]
fn many_blocks_in_one_record_wait_their_turn() {
    let mut pair = Pair::up(Protocol::Ntf);
    let Engine::Talking(connection) = &mut pair.client.engine else { panic!("a client talks") };
    let mut bytes = Vec::new();
    let blocks: Vec<u8> = (0..96_u8).flat_map(|number| [number; 512]).collect();
    connection.writer().write_all(&blocks).unwrap();
    while connection.wants_write() {
        connection.write_tls(&mut bytes).unwrap();
    }
    let mut rest = bytes.as_slice();
    for number in 0..96_u8 {
        // One block after each feed, so that what was decrypted piles up if anything can.
        while pair.server.wants_read() && !rest.is_empty() {
            let taken = pair.server.feed(rest).unwrap();
            rest = &rest[taken..];
            if taken == 0 {
                break;
            }
        }
        assert_eq!(pair.server.next_block().unwrap(), [number; 512]);
    }
    assert!(pair.server.next_block().is_none() && rest.is_empty());
}

#[test]
fn a_waiting_block_holds_back_what_follows() {
    let mut pair = Pair::up(Protocol::Smp);
    let mut bytes = Vec::new();
    for number in 0..3 {
        pair.client.queue_block(&[number; 16384]).unwrap();
    }
    while pair.client.wants_write() {
        pair.client.write_to(&mut bytes).unwrap();
    }
    let taken = pair.server.feed(&bytes).unwrap();
    assert!(taken < 2 * 16384, "one block and at most what rustls reads ahead");
    assert!(!pair.server.wants_read());
    assert_eq!(pair.server.feed(&bytes[taken..]).unwrap(), 0);
    assert_eq!(pair.server.next_block().unwrap(), [0; 16384]);
    assert!(pair.server.wants_read());
}

#[test]
fn the_outgoing_queue_is_bounded_and_counts_what_left() {
    let mut pair = Pair::up(Protocol::Smp);
    let mut queued = 0;
    while pair.client.has_room() {
        pair.client.queue_block(&[0; 16384]).unwrap();
        queued += 1;
    }
    assert_eq!(queued, 4);
    assert_eq!(pair.client.queue_block(&[0; 16384]), Err(SendFault::Full));
    assert_eq!(pair.client.queue_block(&[0; 16383]), Err(SendFault::WrongLength));
    // One byte short of the first record, then that byte.
    let record = 5 + 16384 + 1 + 16;
    assert_eq!(pair.client.write_to(&mut Narrow(record - 1)).unwrap(), record - 1);
    assert_eq!(pair.client.take_sent(), 0);
    assert_eq!(pair.client.write_to(&mut Narrow(1)).unwrap(), 1);
    assert_eq!(pair.client.take_sent(), 1);
    assert!(pair.client.has_room());
    while pair.client.wants_write() {
        pair.client.write_to(&mut io::sink()).unwrap();
    }
    assert_eq!(pair.client.take_sent(), 3);
    assert_eq!(pair.client.take_sent(), 0);
}

#[test]
fn nothing_is_sent_before_the_session_is_up_or_after_the_goodbye() {
    let mut pair = Pair::new(Protocol::Ntf);
    for session in [&mut pair.client, &mut pair.server] {
        assert!(!session.has_room());
        assert_eq!(session.queue_block(&[0; 512]), Err(SendFault::NotUp));
    }
    pair.shake_hands(usize::MAX).unwrap();
    pair.client.queue_block(&[7; 512]).unwrap();
    pair.client.close();
    assert!(!pair.client.has_room());
    assert_eq!(pair.client.queue_block(&[8; 512]), Err(SendFault::NotUp));
    assert_eq!(transfer(&mut pair.client, &mut pair.server, usize::MAX).unwrap(), [[7; 512]]);
    assert!(pair.server.is_closed());
    assert_eq!(pair.server.queue_block(&[8; 512]), Err(SendFault::NotUp));
    assert_eq!(pair.server.end_of_input(), Ok(()));
}

#[test]
fn an_end_without_a_goodbye_is_a_fault() {
    for mut pair in [Pair::new(Protocol::Ntf), Pair::up(Protocol::Ntf)] {
        for session in [&mut pair.client, &mut pair.server] {
            assert_eq!(session.end_of_input(), Err(TlsFault::Truncated));
            assert_eq!(session.feed(b"late"), Err(TlsFault::Truncated));
        }
    }
}

#[test]
fn sessions_may_move_between_threads() {
    const fn movable<T: Send + Sync>() {}
    movable::<Session>();
    movable::<ServerEndpoint>();
    let mut pair = Pair::new(Protocol::Ntf);
    // Each step on a thread of its own: the id must not depend on where the bytes are worked through.
    while pair.client.wants_write() || pair.server.wants_write() {
        pair = std::thread::spawn(move || {
            pair.client_to_server(200).unwrap();
            pair
        })
        .join()
        .unwrap();
        pair.server_to_client(200).unwrap();
    }
    let client = pair.client.take_transport().unwrap();
    assert_eq!(client.session_id, pair.server.take_transport().unwrap().session_id);
}

#[test]
fn an_idle_session_holds_no_block_buffer() {
    let mut pair = Pair::up(Protocol::Smp);
    pair.client.queue_block(&[1; 16384]).unwrap();
    transfer(&mut pair.client, &mut pair.server, 1000).unwrap();
    assert!(pair.server.next_block().is_none());
    assert!(pair.server.incoming.is_released());
}

#[test]
fn a_changed_byte_of_a_record_ends_the_session() {
    let mut rng = Seed::from_number(5).stream(Stream::World);
    for _ in 0..20 {
        let mut pair = Pair::up(Protocol::Ntf);
        pair.client.queue_block(&[1; 512]).unwrap();
        let mut bytes = Vec::new();
        pair.client.write_to(&mut bytes).unwrap();
        let header = 5;
        let at = header + usize::try_from(rng.below(u64::try_from(bytes.len() - header).unwrap())).unwrap();
        bytes[at] ^= 1 << rng.below(8);
        assert!(matches!(pair.server.feed(&bytes), Err(TlsFault::Protocol(_))), "byte {at}");
        assert!(pair.server.next_block().is_none());
        assert!(pair.server.wants_write(), "the alert");
    }
}

#[test]
fn a_changed_handshake_never_gives_two_ids() {
    let mut rng = Seed::from_number(6).stream(Stream::World);
    for _ in 0..60 {
        let mut pair = Pair::new(Protocol::Ntf);
        let mut hello = Vec::new();
        pair.client.write_to(&mut hello).unwrap();
        let is_hello = rng.below(2) == 0;
        if is_hello {
            spoil(&mut hello, &mut rng);
        }
        let mut flight = Vec::new();
        let _ = pair.server.feed(&hello);
        while pair.server.wants_write() {
            pair.server.write_to(&mut flight).unwrap();
        }
        if !is_hello && !flight.is_empty() {
            spoil(&mut flight, &mut rng);
        }
        let _ = pair.client.feed(&flight);
        let _ = pair.client_to_server(usize::MAX);
        if let (Some(client), Some(server)) = (pair.client.take_transport(), pair.server.take_transport()) {
            assert_eq!(client.session_id, server.session_id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn rubbish_is_a_fault_or_waits_for_more(
        bytes in proptest::collection::vec(any::<u8>(), 0..3000),
        header in proptest::option::of(Just([22, 3, 1])),
    ) {
        let pair = Pair::new(Protocol::Smp);
        let bytes: Vec<u8> = header.into_iter().flatten().chain(bytes).collect();
        for mut session in [pair.client, pair.server] {
            for chunk in bytes.chunks(700) {
                match session.feed(chunk) {
                    Ok(taken) => prop_assert_eq!(taken, chunk.len()),
                    Err(_) => break,
                }
            }
            prop_assert!(!session.is_up());
            prop_assert!(session.next_block().is_none());
            prop_assert!(session.end_of_input().is_err());
        }
    }
}

/// Credentials that differ by `number`.
fn credentials(number: u64) -> ServerCredentials {
    let mut rng = Seed::from_number(number).stream(Stream::Keys);
    generate("SMP server CA", "localhost", NOW, &mut rng).unwrap().credentials
}

/// A client that cuts what it sends into records of 64 bytes.
fn small_records(identity: &Fingerprint) -> Session {
    let verifier = Arc::new(crate::tls::verifier::ByFingerprint::new(*identity));
    let mut config = rustls::ClientConfig::builder_with_details(provider(), Arc::new(DrivenClock))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.max_fragment_size = Some(64);
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    Session::new(Engine::Talking(Box::new(Connection::Client(connection))), 16384, NOW)
}

fn connection_of(session: &Session) -> &Connection {
    let Engine::Talking(connection) = &session.engine else { panic!("no connection yet") };
    connection
}

fn spoil(bytes: &mut [u8], rng: &mut Rng) {
    let at = usize::try_from(rng.below(u64::try_from(bytes.len()).unwrap())).unwrap();
    bytes[at] ^= 1 << rng.below(8);
}

/// Moves all bytes that `from` has, `chunk` at a time. Gives the blocks that `to` received.
fn transfer(from: &mut Session, to: &mut Session, chunk: usize) -> Result<Vec<Vec<u8>>, TlsFault> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_to(&mut bytes).unwrap();
    }
    let mut blocks = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let taken = to.feed(&rest[..chunk.min(rest.len())])?;
        rest = &rest[taken..];
        let block = to.next_block().map(|block| block.to_vec());
        assert!(taken > 0 || block.is_some(), "stuck");
        blocks.extend(block);
    }
    while let Some(block) = to.next_block() {
        blocks.push(block.to_vec());
    }
    Ok(blocks)
}

struct Pair {
    client: Session,
    server: Session,
}

impl Pair {
    fn new(protocol: Protocol) -> Self {
        let credentials = credentials(1);
        let endpoint = ServerEndpoint::new(protocol.into(), &credentials).unwrap();
        let identity = credentials.identity().unwrap();
        assert_eq!(endpoint.identity(), &identity);
        Self {
            client: Session::connect(&protocol.into(), &identity, NOW).unwrap(),
            server: Session::accept(&endpoint, NOW),
        }
    }

    fn up(protocol: Protocol) -> Self {
        let mut pair = Self::new(protocol);
        pair.shake_hands(usize::MAX).unwrap();
        pair
    }

    fn client_to_server(&mut self, chunk: usize) -> Result<(), TlsFault> {
        transfer(&mut self.client, &mut self.server, chunk).map(|blocks| assert_eq!(blocks.len(), 0))
    }

    fn server_to_client(&mut self, chunk: usize) -> Result<(), TlsFault> {
        transfer(&mut self.server, &mut self.client, chunk).map(|blocks| assert_eq!(blocks.len(), 0))
    }

    fn shake_hands(&mut self, chunk: usize) -> Result<(), TlsFault> {
        while self.client.wants_write() || self.server.wants_write() {
            self.client_to_server(chunk)?;
            self.server_to_client(chunk)?;
        }
        assert!(self.client.is_up() && self.server.is_up());
        Ok(())
    }
}

/// A socket that takes this many bytes.
struct Narrow(usize);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.0);
        self.0 -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
