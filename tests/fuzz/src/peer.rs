//! The other end of a link, made from keys and codec alone: whatever the tested end seals, signs or
//! expects has to fit it.

use core::marker::PhantomData;

use ntf_core::base::rng::{Seed, Stream};
use ntf_core::crypto::auth::{authorize, verify};
use ntf_core::crypto::cert::{self, ServerCredentials};
use ntf_core::crypto::chain::{BlockChains, Chain};
use ntf_core::crypto::keys::{AuthPrivateKey, AuthPublicKey, X25519Private, X25519Public};
use ntf_core::link::dialect::{ClientHello, Dialect, ServerHello};
use ntf_core::link::event::Transport;
use ntf_core::model::server::{Fingerprint, ServerAddress};
use ntf_core::sim::identity::server_credentials;
use ntf_core::wire::batch::BatchReader;
use ntf_core::wire::block::{self, Layout};
use ntf_core::wire::transmission::{Outgoing, Transmission, write_authorized};
use ntf_core::wire::version::VersionRange;

/// What the server of these tests proves itself with, always the same.
pub fn credentials() -> ServerCredentials {
    use std::sync::LazyLock;
    static CREDENTIALS: LazyLock<ServerCredentials> =
        LazyLock::new(|| server_credentials(&mut Seed::from_number(1).stream(Stream::Keys)));
    CREDENTIALS.clone()
}

pub fn identity() -> Fingerprint {
    credentials().identity().expect("the chain has an identity")
}

pub fn address(host: &str) -> ServerAddress {
    ServerAddress { hosts: vec![host.into()], port: "".into(), identity: identity() }
}

/// A TLS session as the client (`peer_chain` is the server's) or as the server sees it.
pub fn transport(has_alpn: bool, is_client: bool) -> Transport {
    Transport {
        session_id: SESSION_ID.into(),
        has_alpn,
        peer_chain: if is_client { credentials().chain } else { vec![] },
        showed_certificate: false,
        source: None,
    }
}

const SESSION_ID: [u8; 32] = [0x5e; 32];

/// A fixed key; its number tells it from others.
pub fn x25519(number: u8) -> X25519Private {
    X25519Private::from_bytes([number; 32])
}

/// One end of a link whose hellos are exchanged.
pub struct Channel<D: Dialect> {
    pub version: D::Version,
    sealing: Option<Chain>,
    opening: Option<Chain>,
    /// The server's session key as its client knows it, and as the server itself does.
    server_key: Option<X25519Public>,
    own_key: Option<X25519Private>,
    dialect: PhantomData<D>,
}

/// A server that has not heard of its client.
pub struct ServerEnd<D: Dialect> {
    key: Option<X25519Private>,
    dialect: PhantomData<D>,
}

impl<D: Dialect> ServerEnd<D> {
    /// The server, and its hello.
    pub fn new(versions: VersionRange<D::Version>) -> (Self, Vec<u8>) {
        let credentials = credentials();
        let key = D::has_session_keys(versions.max()).then(|| x25519(1));
        let signed = key.as_ref().map(|key| cert::sign_session_key(&credentials.leaf_key, &key.public()));
        let hello = ServerHello {
            versions,
            session_id: &SESSION_ID,
            chain: credentials.chain.iter().map(|certificate| &**certificate).collect(),
            signed_key: signed.as_deref(),
        };
        let mut content = vec![];
        D::encode_server_hello(&hello, &mut content);
        let block = Layout::plain(D::PROTOCOL).block(&content).expect("a hello fits a block");
        (Self { key, dialect: PhantomData }, block)
    }

    /// The channel that the client's hello opens. The client is ours, so it must be a good one.
    pub fn open(self, hello: &[u8]) -> Channel<D> {
        assert_eq!(hello.len(), D::PROTOCOL.block_len());
        let hello = D::decode_client_hello(block::content(hello).expect("our hello has its length"))
            .expect("our hello can be read");
        assert_eq!(hello.identity, identity());
        let own_key = self.key.filter(|_| D::has_session_keys(hello.version));
        let chains = match (&own_key, &hello.key) {
            (Some(own), Some(client)) if D::encrypts_blocks(hello.version) => {
                Some(BlockChains::derive(&SESSION_ID, &own.agree(client)))
            }
            _ => None,
        };
        let (sealing, opening) =
            chains.map(|chains| (chains.server_to_client, chains.client_to_server)).unzip();
        let server_key = own_key.as_ref().map(X25519Private::public);
        Channel { version: hello.version, sealing, opening, server_key, own_key, dialect: PhantomData }
    }
}

/// What a client puts into its hello.
pub struct ClientWishes<V> {
    pub version: V,
    pub sends_key: bool,
    pub is_proxy: bool,
}

/// The client's hello and the channel that it opens, in answer to a server's hello. The server is ours, so
/// its hello must be a good one.
pub fn answer<D: Dialect>(hello: &[u8], wishes: &ClientWishes<D::Version>) -> (Vec<u8>, Channel<D>) {
    assert_eq!(hello.len(), D::PROTOCOL.block_len());
    let hello = D::decode_server_hello(block::content(hello).expect("our hello has its length"))
        .expect("our hello can be read");
    assert_eq!(hello.session_id, SESSION_ID);
    let credentials = credentials();
    let leaf = cert::leaf_public_key(&credentials.chain[0]).expect("our leaf has a key");
    let server_key = hello
        .signed_key
        .map(|signed| cert::verify_session_key(signed, &leaf).expect("our session key is signed"))
        .filter(|_| D::has_session_keys(wishes.version));
    let own_key = (D::has_client_key(wishes.version) && wishes.sends_key).then(|| x25519(2));
    let chains = match (&own_key, &server_key) {
        (Some(own), Some(server)) if D::encrypts_blocks(wishes.version) && !wishes.is_proxy => {
            Some(BlockChains::derive(&SESSION_ID, &own.agree(server)))
        }
        _ => None,
    };
    let (sealing, opening) = chains.map(|chains| (chains.client_to_server, chains.server_to_client)).unzip();
    let mut content = vec![];
    D::encode_client_hello(
        &ClientHello {
            version: wishes.version,
            identity: identity(),
            key: own_key.as_ref().map(X25519Private::public),
            is_proxy: wishes.is_proxy,
            service: None,
        },
        &mut content,
    );
    let block = Layout::plain(D::PROTOCOL).block(&content).expect("a hello fits a block");
    let version = wishes.version;
    (block, Channel { version, sealing, opening, server_key, own_key: None, dialect: PhantomData })
}

/// A transmission that was read, as a value.
pub struct Told {
    pub authorization: Vec<u8>,
    pub corr: Vec<u8>,
    pub entity: Vec<u8>,
    pub command: Vec<u8>,
    body: Vec<u8>,
}

impl<D: Dialect> Channel<D> {
    /// The block that carries this content, or nothing when none does.
    pub fn seal(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        let layout = match self.sealing {
            Some(_) => Layout::sealed(D::PROTOCOL),
            None => Layout::plain(D::PROTOCOL),
        };
        let mut block = layout.block(content).ok()?;
        if let Some(chain) = &mut self.sealing {
            chain.seal_block(&mut block);
        }
        Some(block)
    }

    /// The block that carries these transmissions, or nothing when none does.
    pub fn seal_batch(&mut self, transmissions: &[Vec<u8>]) -> Option<Vec<u8>> {
        if !D::format(self.version).batches() {
            return match transmissions {
                [only] => self.seal(only),
                _ => None,
            };
        }
        let mut content = vec![u8::try_from(transmissions.len()).ok()?];
        for transmission in transmissions {
            content.extend_from_slice(&u16::try_from(transmission.len()).ok()?.to_be_bytes());
            content.extend_from_slice(transmission);
        }
        self.seal(&content)
    }

    /// What a block of the tested end holds. It must open and be a batch.
    pub fn open(&mut self, mut block: Box<[u8]>) -> Vec<Told> {
        assert_eq!(block.len(), D::PROTOCOL.block_len());
        let padded: &[u8] = match &mut self.opening {
            Some(chain) => chain.open_block(&mut block).expect("what one end seals, the other opens"),
            None => &block,
        };
        let content = block::content(padded).expect("our blocks have their length");
        let format = D::format(self.version);
        let batch = BatchReader::new(content, format).expect("our blocks are batches");
        batch
            .map(|item| {
                let item = item.expect("our transmissions can be read");
                assert_eq!(item.session_id.is_some(), format.sends_session_id());
                assert!(item.session_id.is_none_or(|id| id == SESSION_ID));
                Told {
                    authorization: item.authorization.into(),
                    corr: item.corr_id.into(),
                    entity: item.entity_id.into(),
                    command: item.command.into(),
                    body: item.body.into(),
                }
            })
            .collect()
    }

    /// Whether the owner of `key` authorized this; for the server's end.
    pub fn is_authorized(&self, told: &Told, key: &AuthPublicKey) -> bool {
        let mut to_auth = vec![];
        write_authorized(&SESSION_ID, &told.body, &mut to_auth);
        verify(Some(key), self.own_key.as_ref(), &told.corr, &to_auth, &told.authorization)
    }

    /// The authorization of a body, if the key can make one here; for the client's end.
    pub fn sign(&self, key: &AuthPrivateKey, corr: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        let mut to_auth = vec![];
        write_authorized(&SESSION_ID, body, &mut to_auth);
        let authorization = authorize(key, self.server_key.as_ref(), corr, &to_auth).ok()?;
        Some(authorization.as_bytes().into())
    }

    /// A transmission with this authorization.
    pub fn write(&self, authorization: &[u8], service_signature: Option<&[u8]>, body: &[u8]) -> Vec<u8> {
        let mut out = vec![];
        Outgoing { authorization, service_signature, session_id: &SESSION_ID, body }
            .encode(D::format(self.version), &mut out);
        out
    }

    /// How many answers a block of this content asks for.
    pub fn expected_replies(&self, content: &[u8]) -> usize {
        BatchReader::new(content, D::format(self.version)).map_or(1, |batch| batch.remaining())
    }

    /// Whether the item could be split, for knowing whether an answer names it.
    pub fn split<'a>(&self, item: &'a [u8]) -> Option<Transmission<'a>> {
        Transmission::decode(item, D::format(self.version)).ok()
    }
}
