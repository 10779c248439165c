//! Recorded sessions through our links: as the server that heard the client, and as the client that heard
//! the server.
//!
//! The private session keys of the recorded sides are not known, so the side that is played takes its own,
//! and what depends on them is made anew with the recorded keys: authenticators, and the encryption of
//! blocks. Signatures, ids and commands are the recorded bytes. Whatever stands between is real: the
//! server's hello of the recording must satisfy our client, and our replies must be the recorded blocks.

use std::collections::{BTreeMap, BTreeSet};

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::{Seed, Stream};
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::auth::authorize;
use ntf_core::crypto::cert::{self, ServerCredentials};
use ntf_core::crypto::chain::{BlockChains, Chain};
use ntf_core::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use ntf_core::link::dialect::{ClientHello, Dialect};
use ntf_core::link::engine::{ClientEvent, Engine, EnginePlan, Inbox, LinkNumbers};
use ntf_core::link::event::{LinkAction, LinkEvent, Transport};
use ntf_core::link::requester::Timeliness;
use ntf_core::link::responder::{Credential, ReplyTo, Responder};
use ntf_core::link::state::BlockEncryption;
use ntf_core::model::server::ServerAddress;
use ntf_core::sim::identity::server_credentials;
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::version::{Version, VersionRange};

use crate::recording::{Block, Connection, Item, Recording, Side};
use crate::replay::encode;

/// Plays the server of a connection; gives how many commands were verified.
pub(crate) fn serve<D: Dialect>(recording: &Recording, number: u64) -> usize {
    let mut server = Served::<D>::greet(recording, number);
    let blocks = recording.blocks_of(number);
    let sessions = blocks.filter_map(|block| Some((block, block.items.as_ref()?)));
    sessions.for_each(|(block, items)| match block.from {
        Side::Client => server.hear(block, items),
        Side::Server => server.say(block, items),
    });
    server.verified
}

/// Our server on a recorded connection, and the client that speaks to it.
struct Served<'r, D: Dialect> {
    connection: &'r Connection,
    version: D::Version,
    responder: Responder<D>,
    server_key: Option<X25519Public>,
    /// How the client seals and opens.
    chains: Option<BlockChains>,
    /// Commands that were not played, or that our server answered by itself.
    settled: BTreeSet<Vec<u8>>,
    verified: usize,
}

impl<'r, D: Dialect> Served<'r, D> {
    fn greet(recording: &'r Recording, number: u64) -> Self {
        let connection = &recording.connections[&number];
        let version = D::Version::from_number(connection.version);
        let recorded = D::decode_server_hello(&recording.hello(number, Side::Server).content).unwrap();
        let credentials = credentials();
        let transport = Transport {
            session_id: connection.session_id.as_slice().into(),
            has_alpn: recorded.versions != D::VERSIONS_WITHOUT_ALPN,
            peer_chain: Vec::new(),
            showed_certificate: false,
            source: None,
        };
        let mut rng = Seed::from_number(number).stream(Stream::Keys);
        let mut responder =
            Responder::<D>::accept(&transport, &credentials, recorded.versions, &mut rng).unwrap();

        let block = responder.take_block().unwrap();
        let hello = D::decode_server_hello(block::content(&block).unwrap()).unwrap();
        assert_eq!((hello.versions, hello.session_id), (recorded.versions, recorded.session_id));
        assert_eq!(hello.signed_key.is_some(), recorded.signed_key.is_some());
        let leaf = cert::leaf_public_key(&credentials.chain[0]).unwrap();
        let server_key = hello.signed_key.map(|key| cert::verify_session_key(key, &leaf).unwrap());

        let theirs = D::decode_client_hello(&recording.hello(number, Side::Client).content).unwrap();
        let own = theirs.key.map(|_| X25519Private::generate(&mut rng));
        let ours = ClientHello {
            identity: credentials.identity().unwrap(),
            key: own.as_ref().map(X25519Private::public),
            service: None,
            ..theirs
        };
        let mut content = Vec::new();
        D::encode_client_hello(&ours, &mut content);
        let mut block = Layout::plain(D::PROTOCOL).block(&content).unwrap();
        assert!(responder.on_block(&mut block).is_ok());
        assert_eq!(responder.version(), Some(version), "{}", recording.name);
        let chains = match (own, &server_key) {
            (Some(own), Some(server)) if D::encrypts_blocks(version) => {
                Some(BlockChains::derive(&connection.session_id, &own.agree(server)))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        Self { connection, version, responder, server_key, chains, settled: BTreeSet::new(), verified: 0 }
    }

    /// A block of the client comes.
    fn hear(&mut self, block: &Block, items: &[Item]) {
        assert_eq!(block.is_encrypted, self.chains.is_some());
        let format = D::format(self.version);
        let layout = layout::<D>(self.chains.is_some());
        let mut writer = BatchWriter::new(layout, format);
        let mut played = Vec::new();
        for item in items {
            match self.authorization(item) {
                Some(authorization) => {
                    let body = (&*item.corr_id, &*item.entity_id, &*item.command);
                    writer.push(&encode(format, &self.connection.session_id, &authorization, body)).unwrap();
                    played.push(item);
                }
                None => assert!(self.settled.insert(item.corr_id.clone())),
            }
        }
        let Some(mut block) = writer.finish() else { return };
        if let Some(chains) = &mut self.chains {
            chains.client_to_server.seal_block(&mut block);
        }
        let mut requests = self.responder.on_block(&mut block).unwrap();
        for item in played {
            let request = self.responder.next_request(&mut requests).expect("each command is a request");
            let mut command = Vec::new();
            D::encode_command(request.command(), self.version, &mut command);
            assert_eq!(command, item.command);
            let credential = match &item.owner {
                Some(owner) => Credential::Key(owner),
                None if item.authorization.is_empty() => Credential::Open,
                None => Credential::Unknown,
            };
            let is_right = item.owner.is_none() || item.signer.is_none() || signer(item) == item.owner;
            match self.responder.verify(request, credential) {
                Ok(_) => {
                    assert!(is_right, "the key is another");
                    self.verified += 1;
                }
                Err(_) => {
                    assert!(item.owner.is_none() || !is_right, "{:?} is authorized", item.word());
                    assert!(!item.was_done);
                    self.settled.insert(item.corr_id.clone());
                    self.check_refusal(item);
                }
            }
        }
        assert!(self.responder.next_request(&mut requests).is_none());
    }

    /// What the client puts in place of the recorded authorization; `None` when it has not got the key.
    fn authorization(&self, item: &Item) -> Option<Vec<u8>> {
        if item.authorization.is_empty() {
            return Some(Vec::new());
        }
        let to_auth = self.connection.authorized(item);
        match (&item.signer, &item.owner) {
            (Some(key), _) => {
                let made = authorize(key, self.server_key.as_ref(), &item.corr_id, &to_auth).unwrap();
                Some(made.as_bytes().to_vec())
            }
            (None, Some(AuthPublicKey::Ed25519(_) | AuthPublicKey::Ed448(_)))
                if self.connection.service.is_none() =>
            {
                Some(item.authorization.clone())
            }
            (None, Some(_) | None) => None,
        }
    }

    /// The server answered by itself that the entity is unknown.
    fn check_refusal(&mut self, item: &Item) {
        let mut refusal = Vec::new();
        D::encode_message(&D::error(ErrorCode::Auth), self.version, &mut refusal);
        let content = self.take_content().unwrap();
        let mut batch = BatchReader::new(&content, D::format(self.version)).unwrap();
        let answer = batch.next().unwrap().unwrap();
        assert_eq!((answer.corr_id, answer.entity_id), (&*item.corr_id, &*item.entity_id));
        assert_eq!(answer.command, refusal);
        assert!(batch.next().is_none());
    }

    /// The server's recorded messages, said by ours, are the recorded block.
    fn say(&mut self, block: &Block, items: &[Item]) {
        let is_played = |item: &&Item| !self.settled.contains(&item.corr_id);
        let played: Vec<_> = items.iter().filter(is_played).collect();
        for item in &played {
            let message = D::decode_message(&item.command, self.version).unwrap();
            if item.corr_id.is_empty() {
                self.responder.event(&item.entity_id, &message);
            } else {
                self.responder.reply(ReplyTo { corr: &item.corr_id, entity: &item.entity_id }, &message);
            }
        }
        let content = self.take_content();
        match (played.len(), content) {
            (0, content) => assert_eq!(content, None),
            (some, Some(content)) if some == items.len() => assert!(content == block.content),
            (some, content) => {
                let batch = BatchReader::new(content.as_ref().unwrap(), D::format(self.version)).unwrap();
                assert_eq!(batch.remaining(), some);
            }
        }
        assert_eq!(self.responder.unsendable(), 0);
    }

    /// The next block of our server as its client reads it.
    fn take_content(&mut self) -> Option<Vec<u8>> {
        let mut block = self.responder.take_block()?;
        self.responder.on_sent(1);
        let chain: Option<&mut Chain> = self.chains.as_mut().map(|chains| &mut chains.server_to_client);
        let padded = match chain {
            Some(chain) => chain.open_block(&mut block).unwrap(),
            None => &mut block,
        };
        Some(block::content(padded).unwrap().to_vec())
    }
}

fn signer(item: &Item) -> Option<AuthPublicKey> {
    item.signer.as_ref()?.public()
}

/// Plays the client of a connection; gives how many messages of the server reached it.
pub(crate) fn ask<D: Dialect>(recording: &Recording, number: u64) -> usize {
    let connection = &recording.connections[&number];
    let hello = &recording.hello(number, Side::Server).content;
    let is_provable = D::decode_server_hello(hello).unwrap().signed_key.is_none();
    if !is_provable && connection.server_chain.is_empty() {
        // The server's certificates are nowhere in the file.
        return 0;
    }
    let mut client = Asking::<D>::greet(recording, number);
    let sessions = recording.blocks_of(number).filter_map(|block| Some((block.from, block.items.as_ref()?)));
    sessions.for_each(|(from, items)| match from {
        Side::Client => client.say(items),
        Side::Server => client.hear(items),
    });
    assert_eq!(client.engine.in_flight(), 0, "{}: every command was answered", recording.name);
    client.heard
}

/// Our client on a recorded connection.
struct Asking<'r, D: Dialect> {
    connection: &'r Connection,
    version: D::Version,
    engine: Engine<D, usize>,
    links: LinkNumbers,
    link: LinkId,
    /// By recorded correlation id: the tag and the correlation id of ours.
    sent: BTreeMap<Vec<u8>, (usize, Vec<u8>)>,
    heard: usize,
}

impl<'r, D: Dialect> Asking<'r, D> {
    fn greet(recording: &'r Recording, number: u64) -> Self {
        let connection = &recording.connections[&number];
        let version = D::Version::from_number(connection.version);
        let plan = EnginePlan {
            versions: VersionRange::new(D::VERSIONS.min(), version).unwrap(),
            encryption: BlockEncryption::Never,
            ..EnginePlan::default()
        };
        let server = ServerAddress {
            hosts: vec!["recorded.example".into()],
            port: "".into(),
            identity: connection.server,
        };
        let mut engine = Engine::<D, usize>::new(server, plan, &Seed::from_number(number));
        let mut links = LinkNumbers::default();
        engine.connect(now());
        let Some(LinkAction::Connect { link, .. }) = engine.poll(&mut links) else { panic!("no connection") };
        let transport = Transport {
            session_id: connection.session_id.as_slice().into(),
            has_alpn: true,
            peer_chain: connection.server_chain.iter().map(|der| der.as_slice().into()).collect(),
            showed_certificate: false,
            source: None,
        };
        engine.on_link(now(), LinkEvent::Up { link, transport });
        let content = &recording.hello(number, Side::Server).content;
        let mut block = Layout::plain(D::PROTOCOL).block(content).unwrap();
        let mut inbox = engine.on_link(now(), LinkEvent::Block { link, block: &mut block });
        match engine.next(&mut inbox) {
            Some(ClientEvent::Ready { version: agreed }) => assert_eq!(agreed, version),
            other => panic!("{}: {other:?}", recording.name),
        }

        let recorded = D::decode_client_hello(&recording.hello(number, Side::Client).content).unwrap();
        let ours = sent(&mut engine, &mut links).unwrap();
        let ours = D::decode_client_hello(block::content(&ours).unwrap()).unwrap();
        assert_eq!((ours.version, ours.identity), (recorded.version, recorded.identity));
        assert!(!ours.is_proxy && ours.service.is_none());
        Self { connection, version, engine, links, link, sent: BTreeMap::new(), heard: 0 }
    }

    /// The client's recorded commands, said by ours, differ in correlation id and authorization only.
    fn say(&mut self, items: &[Item]) {
        let is_played = |item: &&Item| item.authorization.is_empty() || item.signer.is_some();
        let played: Vec<_> = items.iter().filter(is_played).collect();
        let first = self.sent.len();
        for (tag, item) in (first..).zip(&played) {
            let command = D::decode_command(&item.command, self.version).unwrap();
            let (entity, key) = (EntityId::new(&item.entity_id), item.signer.as_ref());
            self.engine.request(now(), entity.as_ref(), key, &command, tag).unwrap();
        }
        let Some(block) = sent(&mut self.engine, &mut self.links) else {
            return assert!(played.is_empty());
        };
        self.engine.on_link(now(), LinkEvent::Sent { link: self.link, blocks: 1 });
        let batch = BatchReader::new(block::content(&block).unwrap(), D::format(self.version)).unwrap();
        assert_eq!(batch.remaining(), played.len());
        for ((tag, item), ours) in (first..).zip(&played).zip(batch) {
            let ours = ours.unwrap();
            assert_eq!(ours.authorization.len(), item.authorization.len());
            assert_eq!((ours.entity_id, ours.command), (&*item.entity_id, &*item.command));
            assert_eq!(
                ours.session_id,
                D::format(self.version).sends_session_id().then_some(&*self.connection.session_id)
            );
            assert_ne!(ours.corr_id, item.corr_id);
            self.sent.insert(item.corr_id.clone(), (tag, ours.corr_id.to_vec()));
        }
    }

    /// A block of the server comes, in answer to ours.
    fn hear(&mut self, items: &[Item]) {
        let format = D::format(self.version);
        let mut writer = BatchWriter::new(Layout::plain(D::PROTOCOL), format);
        let mut expected = Vec::new();
        for item in items {
            let (tag, corr_id) = match self.sent.get(&item.corr_id) {
                Some((tag, corr_id)) => (Some(*tag), corr_id.as_slice()),
                None if item.corr_id.is_empty() => (None, &[][..]),
                None => continue,
            };
            let body = (corr_id, &*item.entity_id, &*item.command);
            writer.push(&encode(format, &self.connection.session_id, &[], body)).unwrap();
            expected.push((tag, item));
        }
        let Some(mut block) = writer.finish() else { return };
        let event = LinkEvent::Block { link: self.link, block: &mut block };
        let mut inbox: Inbox<'_> = self.engine.on_link(now(), event);
        for (tag, item) in expected {
            let message = match (self.engine.next(&mut inbox), tag) {
                (Some(ClientEvent::Reply { tag, timeliness, result }), Some(expected)) => {
                    assert_eq!((tag, timeliness), (expected, Timeliness::InTime));
                    result.unwrap()
                }
                (Some(ClientEvent::Unasked { entity, message }), None) => {
                    assert_eq!(entity, item.entity_id);
                    message
                }
                (other, _) => panic!("{:?} gives {other:?}", item.word()),
            };
            let mut again = Vec::new();
            D::encode_message(&message, self.version, &mut again);
            assert!(again == item.command);
            self.heard += 1;
        }
        assert!(self.engine.next(&mut inbox).is_none());
    }
}

/// The next block that the engine sends.
fn sent<D: Dialect>(engine: &mut Engine<D, usize>, links: &mut LinkNumbers) -> Option<Vec<u8>> {
    match engine.poll(links)? {
        LinkAction::Send { block, .. } => Some(block.into_vec()),
        other => panic!("{other:?}"),
    }
}

fn layout<D: Dialect>(is_encrypted: bool) -> Layout {
    match is_encrypted {
        true => Layout::sealed(D::PROTOCOL),
        false => Layout::plain(D::PROTOCOL),
    }
}

/// A server of ours.
fn credentials() -> ServerCredentials {
    server_credentials(&mut Seed::from_number(7).stream(Stream::Keys))
}

fn now() -> Now {
    Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) }
}
