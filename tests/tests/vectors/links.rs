//! `handshakes.json` and `ntf_decode.json` once more, whole: our ends of a link against the reference's
//! hellos, signed with its Ed448 certificates, and against commands it had to answer.

use crate::file::{Vector, each};
use crate::values;
use ntf_core::base::id::EntityId;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::cert::{ServerCredentials, identity_of};
use ntf_core::crypto::keys::{Ed25519Private, SigningKey};
use ntf_core::link::dialect::{Dialect, Ntf, Smp};
use ntf_core::link::event::{Block, Transport};
use ntf_core::link::responder::{Credential, Responder};
use ntf_core::link::state::{BlockEncryption, ClientGreeting, LinkFault, ServerGreeted, ServerGreeting};
use ntf_core::model::server::Fingerprint;
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::version::{Version, VersionRange};

#[test]
fn hellos_of_the_reference_open_links_of_ours() {
    let mut chain = Vec::new();
    each("handshakes", |vector| match vector.words()[0] {
        "smp_server_hello" => chain = client_accepts::<Smp>(vector),
        "ntf_server_hello" => chain = client_accepts::<Ntf>(vector),
        "smp_client_hello" => {
            assert_eq!(server_answers::<Smp>(vector, &chain, &[]), None, "{}", vector.name);
        }
        "ntf_client_hello" => {
            assert_eq!(server_answers::<Ntf>(vector, &chain, &[]), None, "{}", vector.name);
        }
        "smp_client_hello_service" => {
            let shown: Vec<Box<[u8]>> = vector
                .input("service_cert_chain_der")
                .list()
                .iter()
                .map(|certificate| certificate.hex().into())
                .collect();
            let answer = |shown: &[Box<[u8]>]| server_answers::<Smp>(vector, &chain, shown);
            assert_eq!(answer(&shown), None, "{}", vector.name);
            for wrong in [&[], &shown[..1], &chain] {
                assert_eq!(answer(wrong), Some(LinkFault::UnprovenService), "{}", vector.name);
            }
        }
        "smp_server_service_response" | "smp_server_service_error" => {}
        other => panic!("{}: no hello is called {other}", vector.name),
    });
}

#[test]
fn a_subscriber_answers_good_and_bad_commands_as_the_reference_does() {
    each("ntf_decode", |vector| {
        for version in vector.versions() {
            let session_id = vector.input("session_id").hex();
            let mut server = open::<Ntf>(version, &session_id);
            let mut block = plain::<Ntf>(&vector.input("content").hex());
            let mut requests = server.on_block(&mut block).unwrap();
            let request = server.next_request(&mut requests);
            let name = format!("{} v{version}", vector.name);
            let is_good = vector.output("ok").is_some();
            assert_eq!(request.is_some(), is_good, "{name}");
            if let Some(request) = request {
                assert_eq!(request.entity(), vector.input("entity_id").hex(), "{name}");
                assert_eq!(request.reply_to().corr, vector.input("corr_id").hex(), "{name}");
                let is_bare = vector.input("authorization").hex().is_empty();
                let credential = if is_bare { Credential::Open } else { Credential::Unknown };
                assert_eq!(server.verify(request, credential).is_ok(), is_bare, "{name}");
            }
            assert!(server.next_request(&mut requests).is_none(), "{name}");
            let answers: Vec<_> = std::iter::from_fn(|| server.take_block()).collect();
            if let Some(error) = vector.output("error").some() {
                let expected: Vec<_> =
                    error.get("response_content").list().iter().map(|content| content.hex()).collect();
                let answers: Vec<_> = answers.iter().map(|block| block::content(block).unwrap()).collect();
                assert_eq!(answers, expected, "{name}");
            }
        }
    });
}

/// Takes the server's hello of a vector as a client; gives the server's certificates.
fn client_accepts<D: Dialect>(vector: &Vector) -> Vec<Box<[u8]>> {
    let chain: Vec<Box<[u8]>> =
        vector.input("cert_chain_der").list().iter().map(|certificate| certificate.hex().into()).collect();
    let identity = values::fingerprint(vector.input("ca_fingerprint_sha256"));
    let transport = transport(&vector.input("session_id").hex(), chain.clone());
    let greet = |identity: Fingerprint, transport: Transport| {
        let encryption = BlockEncryption::WherePossible;
        ClientGreeting::<D>::new(transport, identity, D::VERSIONS, encryption)
            .on_hello(&plain::<D>(&vector.output("encoded").hex()), &mut keys())
    };
    let (session, _) = greet(identity, transport.clone()).unwrap();
    let newest = vector.input("max").u16();
    assert_eq!(session.version().number(), newest, "{}", vector.name);
    let has_key = D::has_session_keys(session.version());
    assert_eq!(session.has_server_key(), has_key, "{}", vector.name);

    let other_session = Transport { session_id: [9; 32].into(), ..transport.clone() };
    assert_eq!(greet(identity, other_session).err(), Some(LinkFault::WrongSession), "{}", vector.name);
    // Without a key there is nothing in the hello to check: the oldest versions rely on TLS alone.
    let stranger = greet(Fingerprint::new([9; 32]), transport).err();
    assert_eq!(stranger, has_key.then_some(LinkFault::WrongIdentity), "{}", vector.name);
    chain
}

/// Takes the client's hello of a vector as the server with these certificates, who was shown those.
fn server_answers<D: Dialect>(
    vector: &Vector,
    chain: &[Box<[u8]>],
    shown: &[Box<[u8]>],
) -> Option<LinkFault> {
    let credentials = credentials(chain.to_vec());
    let transport = transport(&[5; 32], shown.to_vec());
    let greeting = ServerGreeting::<D>::new(&transport, &credentials, D::VERSIONS, &mut keys());
    let (greeting, _) = greeting.unwrap();
    let session = match greeting.on_hello(&plain::<D>(&vector.output("encoded").hex())) {
        Ok(ServerGreeted::Open(session)) => session,
        Ok(ServerGreeted::Applicant(applicant)) => {
            assert_eq!(applicant.identity(), identity_of(shown).unwrap(), "{}", vector.name);
            applicant.accept(EntityId::new(&[7; 24]).unwrap()).0
        }
        Err(fault) => return Some(fault),
    };
    assert!(vector.versions().contains(&session.version().number()), "{}", vector.name);
    None
}

/// A server's end past the hellos.
fn open<D: Dialect>(version: u16, session_id: &[u8]) -> Responder<D> {
    let credentials = credentials(vec![[1].into(), [2].into()]);
    let version = D::Version::from_number(version);
    let versions = VersionRange::new(version, version).unwrap();
    let transport = transport(session_id, Vec::new());
    let mut server = Responder::<D>::accept(&transport, &credentials, versions, &mut keys()).unwrap();
    assert!(server.take_block().is_some());
    let mut hello = Vec::new();
    let identity = credentials.identity().unwrap();
    D::encode_client_hello(
        &ntf_core::link::dialect::ClientHello {
            version,
            identity,
            key: None,
            is_proxy: false,
            service: None,
        },
        &mut hello,
    );
    assert!(server.on_block(&mut plain::<D>(&hello)).is_ok());
    server
}

fn plain<D: Dialect>(content: &[u8]) -> Block {
    Layout::plain(D::PROTOCOL).block(content).unwrap().into()
}

/// Nobody looks at what this server signs.
fn credentials(chain: Vec<Box<[u8]>>) -> ServerCredentials {
    ServerCredentials { chain, leaf_key: SigningKey::Ed25519(Ed25519Private::from_seed([1; 32])) }
}

fn transport(session_id: &[u8], peer_chain: Vec<Box<[u8]>>) -> Transport {
    Transport {
        session_id: session_id.into(),
        has_alpn: true,
        peer_chain,
        showed_certificate: false,
        source: None,
    }
}

fn keys() -> Rng {
    Seed::from_number(1).stream(Stream::Keys)
}
