//! The opening of links.

use super::*;
use crate::base::fault::PeerFault;
use crate::link::dialect::{ClientHello, Ntf, ServerHello, Smp};
use crate::link::state::{LinkFault, ServerGreeting};
use crate::model::server::Fingerprint;
use crate::wire::block::{self, Layout};
use crate::wire::hello::smp as hello;
use crate::wire::version::SmpVersion;

#[test]
fn both_ends_agree_on_every_version() {
    for version in each(Smp::VERSIONS) {
        for encryption in [BlockEncryption::WherePossible, BlockEncryption::Never] {
            let pair = Pair::<Smp>::new(version, encryption);
            assert_eq!(pair.client.version().number(), version);
        }
    }
    for version in each(Ntf::VERSIONS) {
        let pair = Pair::<Ntf>::new(version, BlockEncryption::WherePossible);
        assert_eq!(pair.client.version().number(), version);
    }
}

#[test]
fn without_alpn_the_oldest_version_is_spoken() {
    fn agreed<D: Dialect>() -> u16 {
        let credentials = credentials(1);
        let Tls { mut client, mut server } = Tls::new(&credentials);
        (client.has_alpn, server.has_alpn) = (false, false);
        let mut responder = Responder::<D>::accept(&server, &credentials, D::VERSIONS, &mut keys(1)).unwrap();
        let identity = credentials.identity().unwrap();
        let greeting = ClientGreeting::<D>::new(client, identity, D::VERSIONS, BlockEncryption::default());
        let hello = responder.take_block().unwrap();
        let (session, mut answer) = greeting.on_hello(&hello, &mut keys(2)).unwrap();
        assert!(!session.has_server_key());
        assert!(responder.on_block(&mut answer).is_ok());
        session.version().number()
    }
    assert_eq!(agreed::<Smp>(), 6);
    assert_eq!(agreed::<Ntf>(), 1);
}

#[test]
fn client_hellos_are_those_of_the_worked_examples() {
    let identity = core::array::from_fn(|at| 0xe0 + u8::try_from(at).unwrap());
    let key = X25519Private::from_bytes([0x22; 32]).public();
    let fingerprint = "20e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
    let spki = "2c302a300506032b656e0321000faa684ed28867b97f4a6a2dee5df8ce974e76b7018e3f22a1c4cf2678570f20";
    for (version, key, expected) in [
        (18, Some(key), alloc::format!("0012{fingerprint}{spki}4630")),
        (14, Some(key), alloc::format!("000e{fingerprint}{spki}46")),
        (7, Some(key), alloc::format!("0007{fingerprint}{spki}")),
        (18, None, alloc::format!("0012{fingerprint}4630")),
        (6, None, alloc::format!("0006{fingerprint}")),
    ] {
        let mut content = Vec::new();
        let identity = Fingerprint::new(identity);
        let version = SmpVersion(version);
        let hello = ClientHello { version, identity, key, is_proxy: false, service: None };
        Smp::encode_client_hello(&hello, &mut content);
        assert_eq!(hex::encode(&content), expected);
    }
}

#[test]
fn the_first_block_of_an_ntf_client() {
    let credentials = credentials(1);
    let Tls { client, server } = Tls::new(&credentials);
    let (_, hello) = ServerGreeting::<Ntf>::new(&server, &credentials, Ntf::VERSIONS, &mut keys(1)).unwrap();
    let identity = credentials.identity().unwrap();
    let greeting = ClientGreeting::<Ntf>::new(client, identity, Ntf::VERSIONS, BlockEncryption::default());
    let (_, answer) = greeting.on_hello(&hello, &mut keys(2)).unwrap();
    assert_eq!(answer[..5], [0, 35, 0, 3, 32]);
    assert_eq!(answer[5..37], *identity.as_bytes());
    assert_eq!(answer[37..], [b'#'; 475]);
}

#[test]
fn the_same_seed_gives_the_same_hellos() {
    let credentials = credentials(1);
    let Tls { server, .. } = Tls::new(&credentials);
    let hello =
        |seed| ServerGreeting::<Smp>::new(&server, &credentials, Smp::VERSIONS, &mut keys(seed)).unwrap().1;
    assert_eq!(hello(1), hello(1));
    assert_ne!(hello(1), hello(2));
}

#[test]
fn a_client_walks_away_from_a_server_that_is_not_what_it_claims() {
    fn faults<D: Dialect>() {
        let ours = credentials(1);
        let theirs = credentials(2);
        let identity = ours.identity().unwrap();
        let genuine = Tls::new(&ours);
        let hello = |credentials: &ServerCredentials, tls: &Tls| {
            let greeting = ServerGreeting::<D>::new(&tls.server, credentials, D::VERSIONS, &mut keys(1));
            greeting.unwrap().1
        };
        let forged = |credentials: &ServerCredentials, key: &ServerCredentials| {
            let credentials =
                ServerCredentials { chain: credentials.chain.clone(), leaf_key: key.leaf_key.clone() };
            hello(&credentials, &genuine)
        };
        let other_session = Tls {
            server: Transport { session_id: [6; 32].into(), ..genuine.server.clone() },
            client: genuine.client.clone(),
        };
        let other_peer = Transport { peer_chain: theirs.chain.clone(), ..genuine.client.clone() };
        let no_peer = Transport { peer_chain: Vec::new(), ..genuine.client.clone() };
        let mut garbage = hello(&ours, &genuine);
        garbage[..2].copy_from_slice(&u16::MAX.to_be_bytes());
        let mut short = hello(&ours, &genuine);
        short[..2].copy_from_slice(&3_u16.to_be_bytes());
        for (what, transport, block, versions, expected) in [
            (
                "another session",
                &genuine.client,
                hello(&ours, &other_session),
                D::VERSIONS,
                LinkFault::WrongSession,
            ),
            (
                "newer versions only",
                &genuine.client,
                hello(&ours, &genuine),
                only(99),
                LinkFault::NoCommonVersion,
            ),
            (
                "another peer in TLS",
                &other_peer,
                hello(&ours, &genuine),
                D::VERSIONS,
                LinkFault::WrongIdentity,
            ),
            ("no peer in TLS", &no_peer, hello(&ours, &genuine), D::VERSIONS, LinkFault::WrongIdentity),
            (
                "a key signed by another",
                &genuine.client,
                forged(&ours, &theirs),
                D::VERSIONS,
                LinkFault::UnsignedKey,
            ),
            ("bad padding", &genuine.client, garbage, D::VERSIONS, LinkFault::Hello(PeerFault::BadBlock)),
            (
                "an end inside the versions",
                &genuine.client,
                short,
                D::VERSIONS,
                LinkFault::Hello(PeerFault::Truncated { field: "version range" }),
            ),
            (
                "a block of another size",
                &genuine.client,
                vec![0; 100].into(),
                D::VERSIONS,
                LinkFault::WrongBlockLen,
            ),
        ] {
            let greeting =
                ClientGreeting::<D>::new(transport.clone(), identity, versions, BlockEncryption::default());
            let result = greeting.on_hello(&block, &mut keys(2)).map(|_| ());
            assert_eq!(result, Err(expected), "{what}");
        }
    }
    faults::<Smp>();
    faults::<Ntf>();
}

#[test]
fn the_chain_in_an_smp_hello_must_lead_to_the_same_identity() {
    let ours = credentials(1);
    let theirs = credentials(2);
    let tls = Tls::new(&ours);
    let (_, block) = ServerGreeting::<Smp>::new(&tls.server, &ours, Smp::VERSIONS, &mut keys(1)).unwrap();
    let content = block::content(&block).unwrap();
    let genuine = Smp::decode_server_hello(content).unwrap();
    for (chain, expected) in [
        (genuine.chain.clone(), None),
        (theirs.chain.iter().map(|der| &**der).collect(), Some(LinkFault::WrongIdentity)),
        (vec![&*ours.chain[1]], Some(LinkFault::WrongIdentity)),
    ] {
        let mut content = Vec::new();
        Smp::encode_server_hello(&ServerHello { chain, ..genuine.clone() }, &mut content);
        let block = Layout::plain(Smp::PROTOCOL).block(&content).unwrap();
        let greeting = ClientGreeting::<Smp>::new(
            tls.client.clone(),
            ours.identity().unwrap(),
            Smp::VERSIONS,
            BlockEncryption::default(),
        );
        assert_eq!(greeting.on_hello(&block, &mut keys(2)).err(), expected);
    }
}

#[test]
fn a_server_closes_on_a_client_that_means_another() {
    let credentials = credentials(1);
    let Tls { server, .. } = Tls::new(&credentials);
    let identity = credentials.identity().unwrap();
    let hello = |version, identity: Fingerprint| {
        let version = SmpVersion(version);
        let mut content = Vec::new();
        let hello = ClientHello { version, identity, key: None, is_proxy: false, service: None };
        Smp::encode_client_hello(&hello, &mut content);
        content
    };
    let truncated_identity = [0, 18, 3, 1, 2, 3].to_vec();
    let no_service_byte = {
        let mut content = hello(16, identity);
        content.pop();
        content
    };
    for (content, expected) in [
        (hello(18, identity), None),
        (hello(6, identity), None),
        (hello(18, Fingerprint::new([0; 32])), Some(LinkFault::WrongIdentity)),
        (hello(19, identity), Some(LinkFault::NoCommonVersion)),
        (hello(5, identity), Some(LinkFault::NoCommonVersion)),
        (no_service_byte, Some(LinkFault::Hello(PeerFault::Truncated { field: "service" }))),
    ] {
        assert_eq!(greet(&server, &credentials, &content).0, expected);
    }
    assert!(matches!(greet(&server, &credentials, &truncated_identity).0, Some(LinkFault::Hello(_))));
}

#[test]
fn bytes_after_a_hello_are_room_for_later_versions() {
    let credentials = credentials(1);
    let Tls { server, .. } = Tls::new(&credentials);
    let mut content = Vec::new();
    let hello = ClientHello {
        version: SmpVersion(18),
        identity: credentials.identity().unwrap(),
        key: None,
        is_proxy: false,
        service: None,
    };
    Smp::encode_client_hello(&hello, &mut content);
    content.extend(b"what version 19 adds");
    assert_eq!(greet(&server, &credentials, &content).0, None);
}

#[test]
fn a_service_is_told_why_it_is_refused() {
    let credentials = credentials(1);
    let Tls { server, .. } = Tls::new(&credentials);
    let mut content = Vec::new();
    hello::ClientHello {
        version: SmpVersion(18),
        identity: credentials.identity().unwrap(),
        session_key: None,
        is_proxy: false,
        service: Some(hello::ServiceHello {
            role: hello::ServiceRole::Notifier,
            key: hello::SignedKey { chain: vec![&credentials.chain[0]], signed_key: &[0x30, 0] },
        }),
    }
    .encode(&mut content);
    let (fault, last) = greet(&server, &credentials, &content);
    assert_eq!(fault, Some(LinkFault::UnprovenService));
    assert_eq!(block::content(&last.unwrap()), Ok(&b"EHANDSHAKE BAD_AUTH"[..]));
}

/// Answers a server's hello with this content: the fault, and what the server still has to say.
fn greet(
    transport: &Transport,
    credentials: &ServerCredentials,
    content: &[u8],
) -> (Option<LinkFault>, Option<Block>) {
    let mut server = Responder::<Smp>::accept(transport, credentials, Smp::VERSIONS, &mut keys(1)).unwrap();
    assert!(server.take_block().is_some());
    let mut block = Layout::plain(Smp::PROTOCOL).block(content).unwrap();
    let fault = server.on_block(&mut block).err();
    assert_eq!(server.version().is_some(), fault.is_none());
    (fault, server.take_block())
}
