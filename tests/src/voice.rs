//! What a client says and hears, block by block, from keys and codec alone: no role code, and no matter
//! what carries the blocks.
//!
//! A [`Voice`] begins with the server's hello. Whoever can carry its blocks [`Speaks`] with it:
//! [`raw::Talk`](crate::raw::Talk) over sockets, [`simulated::Talk`](crate::simulated::Talk) in virtual time.
//! All fail by panicking.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]

use std::collections::VecDeque;

use ntf_core::base::rng::Rng;
use ntf_core::crypto::auth::authorize;
use ntf_core::crypto::cert::{leaf_public_key, verify_session_key};
use ntf_core::crypto::chain::BlockChains;
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private, X25519Public};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::batch::{BatchReader, BatchWriter};
use ntf_core::wire::block::{Layout, content};
use ntf_core::wire::hello::{ntf, smp};
use ntf_core::wire::transmission::{Format, Outgoing, write_authorized, write_body};
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};

/// What authorizes a transmission.
#[derive(Clone, Copy, Debug)]
pub enum Auth<'a> {
    /// Nothing.
    None,
    /// This key, rightly.
    Key(&'a AuthPrivateKey),
    /// These bytes, whatever they are.
    Bytes(&'a [u8]),
}

/// An answer or event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The correlation id.
    pub corr: Vec<u8>,
    /// The entity id.
    pub entity: Vec<u8>,
    /// Word and parameters.
    pub command: Vec<u8>,
}

impl Answer {
    /// An answer to nobody in particular.
    #[must_use]
    pub fn to_nobody(command: &str) -> Self {
        Self { corr: Vec::new(), entity: Vec::new(), command: command.as_bytes().to_vec() }
    }

    /// The command as text, for messages and comparisons.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.command).into_owned()
    }
}

/// A transmission that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Item {
    /// Its correlation id.
    pub corr: Vec<u8>,
    /// All of it, without its length.
    pub bytes: Vec<u8>,
}

/// A server's hello that came, read.
#[derive(Debug)]
pub struct Offer<V> {
    /// The offered versions.
    pub versions: VersionRange<V>,
    /// The server's session key.
    pub key: Option<X25519Public>,
    session_id: Vec<u8>,
}

/// Reads the hello of an SMP server; TLS gave this session id and showed this chain.
#[must_use]
pub fn smp_offer(block: &[u8], session_id: &[u8], chain: &[Box<[u8]>]) -> Offer<SmpVersion> {
    let hello = smp::ServerHello::decode(content(block).expect("padding")).expect("a hello");
    assert_eq!(hello.session_id, session_id, "the server names the session");
    let key = hello.key.map(|key| signed(chain, key.signed_key));
    Offer { versions: hello.versions, key, session_id: session_id.to_vec() }
}

/// Reads the hello of a subscriber; TLS gave this session id and showed this chain.
#[must_use]
pub fn ntf_offer(block: &[u8], session_id: &[u8], chain: &[Box<[u8]>]) -> Offer<NtfVersion> {
    let hello = ntf::ServerHello::decode(content(block).expect("padding")).expect("a hello");
    assert_eq!(hello.session_id, session_id, "the server names the session");
    let key = hello.signed_key.map(|key| signed(chain, key));
    Offer { versions: hello.versions, key, session_id: session_id.to_vec() }
}

fn signed(chain: &[Box<[u8]>], object: &[u8]) -> X25519Public {
    let leaf = chain.first().expect("a server shows its certificates");
    let leaf = leaf_public_key(leaf).expect("a leaf certificate");
    verify_session_key(object, &leaf).expect("signed by the leaf")
}

/// A client that has greeted a server.
#[derive(Debug)]
pub struct Voice {
    /// For ids and keys.
    pub rng: Rng,
    protocol: Protocol,
    format: Format,
    session_id: Vec<u8>,
    server_key: Option<X25519Public>,
    chains: Option<BlockChains>,
    /// Answers that came and were not asked for yet.
    unread: VecDeque<Answer>,
}

impl Voice {
    /// Chooses a version that an SMP server offers, with block encryption. The voice, and the block of its
    /// hello.
    #[must_use]
    pub fn smp(
        server: &ServerAddress,
        version: SmpVersion,
        offer: Offer<SmpVersion>,
        mut rng: Rng,
    ) -> (Self, Vec<u8>) {
        assert!(offer.versions.contains(version), "the server speaks {version:?}");
        let own = X25519Private::generate(&mut rng);
        let hello = smp::ClientHello {
            version,
            identity: server.identity,
            session_key: Some(own.public()),
            is_proxy: false,
            service: None,
        };
        let mut bytes = Vec::new();
        hello.encode(&mut bytes);
        let chains = match &offer.key {
            Some(key) if version.encrypts_blocks() => {
                Some(BlockChains::derive(&offer.session_id, &own.agree(key)))
            }
            Some(_) | None => None,
        };
        Self::new(Protocol::Smp, Format::smp(version), offer, chains, rng, &bytes)
    }

    /// Chooses a version that a subscriber offers. The voice, and the block of its hello.
    #[must_use]
    pub fn ntf(
        server: &ServerAddress,
        version: NtfVersion,
        offer: Offer<NtfVersion>,
        rng: Rng,
    ) -> (Self, Vec<u8>) {
        assert!(offer.versions.contains(version), "the server speaks {version:?}");
        let mut bytes = Vec::new();
        ntf::ClientHello { version, identity: server.identity }.encode(&mut bytes);
        Self::new(Protocol::Ntf, Format::ntf(version), offer, None, rng, &bytes)
    }

    fn new<V>(
        protocol: Protocol,
        format: Format,
        offer: Offer<V>,
        chains: Option<BlockChains>,
        rng: Rng,
        hello: &[u8],
    ) -> (Self, Vec<u8>) {
        let hello = Layout::plain(protocol).block(hello).expect("a hello fits");
        let Offer { key: server_key, session_id, .. } = offer;
        let unread = VecDeque::new();
        (Self { rng, protocol, format, session_id, server_key, chains, unread }, hello)
    }

    /// How blocks are laid out after the hellos.
    #[must_use]
    pub const fn layout(&self) -> Layout {
        match &self.chains {
            Some(_) => Layout::sealed(self.protocol),
            None => Layout::plain(self.protocol),
        }
    }

    /// A transmission with a fresh correlation id.
    pub fn item(&mut self, auth: Auth<'_>, entity: &[u8], command: &[u8]) -> Item {
        let corr = self.rng.bytes::<24>().to_vec();
        let bytes = self.transmission(auth, &corr, entity, command);
        Item { corr, bytes }
    }

    /// A transmission of these parts.
    pub fn transmission(&self, auth: Auth<'_>, corr: &[u8], entity: &[u8], command: &[u8]) -> Vec<u8> {
        let mut body = Vec::new();
        write_body(corr, entity, &mut body, |out| out.extend_from_slice(command));
        let mut to_auth = Vec::new();
        write_authorized(&self.session_id, &body, &mut to_auth);
        let authorization = match auth {
            Auth::None => Vec::new(),
            Auth::Key(key) => authorize(key, self.server_key.as_ref(), corr, &to_auth)
                .expect("a key that this link can use")
                .as_bytes()
                .to_vec(),
            Auth::Bytes(bytes) => bytes.to_vec(),
        };
        let mut bytes = Vec::new();
        let outgoing = Outgoing {
            authorization: &authorization,
            service_signature: None,
            session_id: &self.session_id,
            body: &body,
        };
        outgoing.encode(self.format, &mut bytes);
        bytes
    }

    /// The block of these transmissions.
    pub fn batch(&mut self, items: &[&[u8]]) -> Vec<u8> {
        let mut batch = BatchWriter::new(self.layout(), self.format);
        for item in items {
            batch.push(item).expect("the items of a test fit one block");
        }
        let block = batch.finish().expect("at least one item");
        self.seal(block)
    }

    /// The block of this content, lawful or not.
    pub fn block(&mut self, content: &[u8]) -> Vec<u8> {
        let block = self.layout().block(content).expect("content that fits a block");
        self.seal(block)
    }

    /// A block whose inner length says more than the block holds.
    pub fn block_of_bad_length(&mut self) -> Vec<u8> {
        let layout = self.layout();
        let mut block = layout.block(b"").expect("an empty block");
        for byte in block.iter_mut().skip(layout.head()).take(2) {
            *byte = 0xff;
        }
        self.seal(block)
    }

    /// A block went out past the cipher: brings its chain to where the server's is.
    pub fn skip_sealed(&mut self) {
        let nowhere = self.layout().block(b"").expect("an empty block");
        self.seal(nowhere);
    }

    fn seal(&mut self, mut block: Vec<u8>) -> Vec<u8> {
        if let Some(chains) = &mut self.chains {
            chains.client_to_server.seal_block(&mut block);
        }
        block
    }

    /// Reads a block that came; what it holds is there for the next answer.
    pub fn hear(&mut self, mut block: Vec<u8>) {
        let padded = match &mut self.chains {
            Some(chains) => &*chains.server_to_client.open_block(&mut block).expect("a sealed block"),
            None => &*block,
        };
        for item in BatchReader::new(content(padded).expect("padding"), self.format).expect("a batch") {
            let item = item.expect("a transmission");
            assert!(item.authorization.is_empty(), "servers sign nothing");
            self.unread.push_back(Answer {
                corr: item.corr_id.to_vec(),
                entity: item.entity_id.to_vec(),
                command: item.command.to_vec(),
            });
        }
    }

    /// The next answer or event of those that came.
    pub fn next_answer(&mut self) -> Option<Answer> {
        self.unread.pop_front()
    }
}

/// Something that carries the blocks of a [`Voice`].
pub trait Speaks {
    /// What it says and hears with.
    fn voice(&mut self) -> &mut Voice;

    /// Sends a block as it is. Whether it arrives is for the peer to show.
    fn write_block(&mut self, block: &[u8]);

    /// The next block.
    fn read_block(&mut self) -> Vec<u8>;

    /// The next answer or event.
    fn read(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.voice().next_answer() {
                return answer;
            }
            let block = self.read_block();
            self.voice().hear(block);
        }
    }

    /// Sends transmissions in one block.
    fn send(&mut self, items: &[&[u8]]) {
        let block = self.voice().batch(items);
        self.write_block(&block);
    }

    /// Sends a block with this content, lawful or not.
    fn send_content(&mut self, content: &[u8]) {
        let block = self.voice().block(content);
        self.write_block(&block);
    }

    /// Sends a block whose inner length says more than the block holds.
    fn send_bad_length(&mut self) {
        let block = self.voice().block_of_bad_length();
        self.write_block(&block);
    }

    /// A transmission with a fresh correlation id.
    fn item(&mut self, auth: Auth<'_>, entity: &[u8], command: &[u8]) -> Item {
        self.voice().item(auth, entity, command)
    }

    /// Sends one transmission and reads its answer.
    fn ask(&mut self, auth: Auth<'_>, entity: &[u8], command: &[u8]) -> Answer {
        let item = self.item(auth, entity, command);
        self.send(&[&item.bytes]);
        let answer = self.read();
        assert_eq!(answer.corr, item.corr, "the answer to {}", String::from_utf8_lossy(command));
        answer
    }

    /// Asks, and says what came as text; the answer must be about the same entity.
    fn ask_text(&mut self, auth: Auth<'_>, entity: &[u8], command: &[u8]) -> String {
        let answer = self.ask(auth, entity, command);
        assert_eq!(answer.entity, entity, "the entity of the answer {}", answer.text());
        answer.text()
    }

    /// The connection still works: PING is answered.
    fn expect_alive(&mut self) {
        assert_eq!(self.ask_text(Auth::None, b"", b"PING"), "PONG");
    }

    /// A fresh Ed25519 key.
    fn key(&mut self) -> AuthPrivateKey {
        AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut self.voice().rng))
    }
}
