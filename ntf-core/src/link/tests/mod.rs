//! Both ends of a link talk to each other, and each copes with a peer that does not keep the rules.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod blocks;
mod engine;
mod greeting;
mod requests;
mod services;

use crate::base::id::EntityId;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Mono, Now, Wall};
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, SigningKey, X25519Private};
use crate::link::dialect::Dialect;
use crate::link::event::{Block, Transport};
use crate::link::requester::{Incoming, Requester, RequesterPlan};
use crate::link::responder::Responder;
use crate::link::state::{BlockEncryption, ClientGreeting};
use crate::wire::version::{Version, VersionRange};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

const SESSION_ID: [u8; 32] = [5; 32];

/// The moment `secs` seconds after the start.
fn now(secs: u64) -> Now {
    Now { mono: Mono::from_micros(secs * 1_000_000), wall: Wall::from_secs(1_800_000_000 + secs) }
}

fn keys(number: u64) -> Rng {
    Seed::from_number(number).stream(Stream::Keys)
}

fn entity(byte: u8) -> EntityId {
    EntityId::new(&[byte; 24]).unwrap()
}

fn ed25519_key(byte: u8) -> AuthPrivateKey {
    AuthPrivateKey::Ed25519(Ed25519Private::from_seed([byte; 32]))
}

fn x25519_key(byte: u8) -> AuthPrivateKey {
    AuthPrivateKey::X25519(X25519Private::from_bytes([byte; 32]))
}

/// A range of one version.
fn only<V: Version>(number: u16) -> VersionRange<V> {
    VersionRange::new(V::from_number(number), V::from_number(number)).unwrap()
}

/// All versions in a range.
fn each<V: Version>(range: VersionRange<V>) -> impl Iterator<Item = u16> {
    range.min().number()..=range.max().number()
}

/// A server whose leaf key is Ed25519 with this seed. What links read of a certificate is there; TLS would
/// want more.
fn credentials(byte: u8) -> ServerCredentials {
    let leaf_key = Ed25519Private::from_seed([byte; 32]);
    let leaf = certificate(&leaf_key.public().to_spki());
    let identity = certificate(&Ed25519Private::from_seed([byte ^ 0xff; 32]).public().to_spki());
    ServerCredentials { chain: vec![leaf, identity], leaf_key: SigningKey::Ed25519(leaf_key) }
}

/// The least that is an X.509 certificate of this key.
fn certificate(spki: &[u8]) -> Box<[u8]> {
    let algorithm = der(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let time = der(0x17, &[b"260101000000Z"]);
    let to_be_signed = der(
        0x30,
        &[
            &[0xa0, 3, 2, 1, 2],
            &[2, 1, 1],
            &algorithm,
            &der(0x30, &[]),
            &der(0x30, &[&time, &time]),
            &der(0x30, &[]),
            spki,
        ],
    );
    der(0x30, &[&to_be_signed, &algorithm, &der(3, &[&[0; 65]])]).into()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()).unwrap() {
        len @ ..128 => out.push(len),
        len => out.extend([0x81, len]),
    }
    out.extend(content);
    out
}

/// What both ends of one TLS session learn.
struct Tls {
    client: Transport,
    server: Transport,
}

impl Tls {
    fn new(credentials: &ServerCredentials) -> Self {
        let transport = |peer_chain| Transport {
            session_id: SESSION_ID.into(),
            has_alpn: true,
            peer_chain,
            showed_certificate: false,
            source: None,
        };
        Self { client: transport(credentials.chain.clone()), server: transport(Vec::new()) }
    }
}

/// A client and a server on one link, past their hellos.
struct Pair<D: Dialect> {
    client: Requester<D, u32>,
    server: Responder<D>,
}

impl<D: Dialect> Pair<D> {
    fn new(version: u16, encryption: BlockEncryption) -> Self {
        let credentials = credentials(1);
        let Tls { client, server } = Tls::new(&credentials);
        let mut responder = Responder::<D>::accept(&server, &credentials, D::VERSIONS, &mut keys(1)).unwrap();
        let hello = responder.take_block().unwrap();
        assert_eq!(responder.take_block(), None);
        let greeting =
            ClientGreeting::<D>::new(client, credentials.identity().unwrap(), only(version), encryption);
        let (session, mut answer) = greeting.on_hello(&hello, &mut keys(2)).unwrap();
        assert!(responder.on_block(&mut answer).is_ok());
        assert_eq!(responder.version(), Some(D::Version::from_number(version)));
        let correlation = Seed::from_number(3).stream(Stream::Correlation);
        let client = Requester::new(session, RequesterPlan::default(), correlation);
        Self { client, server: responder }
    }

    /// What the client has to send.
    fn client_blocks(&mut self) -> Vec<Block> {
        core::iter::from_fn(|| self.client.take_block()).collect()
    }

    /// What the server has to send.
    fn server_blocks(&mut self) -> Vec<Block> {
        core::iter::from_fn(|| self.server.take_block()).collect()
    }

    /// What a block tells the client, in words.
    fn read(&mut self, mut block: Block) -> Vec<alloc::string::String> {
        let mut messages = match self.client.on_block(&mut block) {
            Ok(Ok(messages)) => messages,
            Ok(Err(stray)) => return vec![alloc::format!("{stray:?}")],
            Err(fault) => return vec![alloc::format!("{fault:?}")],
        };
        let mut words = Vec::new();
        while let Some(incoming) = self.client.next_message(&mut messages) {
            words.push(match incoming {
                Incoming::Reply { tag, timeliness, result } => {
                    alloc::format!("{tag} {timeliness:?} {result:?}")
                }
                Incoming::Unasked { entity, message } => alloc::format!("{} unasked {message:?}", entity[0]),
                Incoming::Stray(stray) => alloc::format!("{stray:?}"),
            });
        }
        words
    }

    /// What the server has to say to the client, in words.
    fn answers(&mut self) -> Vec<alloc::string::String> {
        self.server_blocks().into_iter().flat_map(|block| self.read(block)).collect()
    }
}
