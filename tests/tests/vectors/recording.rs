//! Recorded sessions: what was said on which connection, in order, and which of the recorded keys said it.
//!
//! [`recordings`] reads a file and works out the keys: entities are followed from the answer that names
//! them to the command that uses them, so every authorized command has the key that must have authorized
//! it, unless its entity never existed. What a file holds decides what is checked; nothing is fixed here.

use std::collections::BTreeMap;

use ntf_core::crypto::auth::authorize;
use ntf_core::crypto::cert;
use ntf_core::crypto::keys::{AuthPrivateKey, AuthPublicKey, DhSecret, Ed25519Public, X25519Public};
use ntf_core::model::server::{Fingerprint, Protocol};
use ntf_core::wire::hello::{ntf, smp};
use ntf_core::wire::ntf::{command as ntf_command, response as ntf_response};
use ntf_core::wire::smp::{command as smp_command, response as smp_response};
use ntf_core::wire::transmission::{write_authorized, write_body};
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use serde_json::Value;

use crate::{bytes, name, vectors};

/// One recorded session.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) inputs: Value,
    pub(crate) events: Vec<Event>,
    pub(crate) connections: BTreeMap<u64, Connection>,
    /// Every private key of the recording.
    pub(crate) keys: Vec<AuthPrivateKey>,
    /// The secret of each device token's pushes, as far as its keys were recorded.
    pub(crate) push_secrets: BTreeMap<Vec<u8>, DhSecret>,
    /// The private DH keys of clients, by their public halves as SubjectPublicKeyInfo.
    dh_keys: BTreeMap<Vec<u8>, AuthPrivateKey>,
}

pub(crate) enum Event {
    /// What the client did, or what it found.
    Note(Value),
    /// A block of a connection.
    Block(Block),
    /// What the push provider was asked.
    Push(Value),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

pub(crate) struct Block {
    pub(crate) connection: u64,
    pub(crate) from: Side,
    pub(crate) len: usize,
    /// What is in the block before padding and before encryption inside TLS.
    pub(crate) content: Vec<u8>,
    pub(crate) is_encrypted: bool,
    /// The transmissions, or `None` for a block of the handshake.
    pub(crate) items: Option<Vec<Item>>,
}

/// A transmission as the recorder parsed it.
pub(crate) struct Item {
    pub(crate) authorization: Vec<u8>,
    pub(crate) service_signature: Option<Vec<u8>>,
    pub(crate) corr_id: Vec<u8>,
    pub(crate) entity_id: Vec<u8>,
    pub(crate) command: Vec<u8>,
    /// The key that the command's entity asks for; `None` when there is no such entity, or no such key.
    pub(crate) owner: Option<AuthPublicKey>,
    /// The recorded key that authorized the command.
    pub(crate) signer: Option<AuthPrivateKey>,
    /// Whether the server's answer is no error.
    pub(crate) was_done: bool,
}

/// What the handshake of a connection says.
pub(crate) struct Connection {
    pub(crate) protocol: Protocol,
    pub(crate) version: u16,
    pub(crate) session_id: Vec<u8>,
    pub(crate) server: Fingerprint,
    /// The server's certificates, if they or their like are somewhere in the file.
    pub(crate) server_chain: Vec<Vec<u8>>,
    pub(crate) server_key: Option<X25519Public>,
    pub(crate) service: Option<Service>,
}

/// The service that a client is.
pub(crate) struct Service {
    pub(crate) identity: Fingerprint,
    pub(crate) key: Ed25519Public,
}

/// The sessions of a file, at least one.
pub(crate) fn recordings(file: &str) -> Vec<Recording> {
    let vectors = vectors(file);
    assert!(!vectors.is_empty(), "{file} is empty");
    let mut recordings: Vec<_> = vectors.iter().map(Recording::read).collect();
    let chains: BTreeMap<Fingerprint, Vec<Vec<u8>>> = recordings
        .iter()
        .flat_map(Recording::chains)
        .map(|chain| (cert::identity_of(&chain).unwrap(), chain))
        .collect();
    for recording in &mut recordings {
        recording.connect(&chains);
        Ledger::default().follow(recording);
    }
    recordings
}

impl Recording {
    fn read(vector: &Value) -> Self {
        let inputs = vector["inputs"].clone();
        let mut pairs = Vec::new();
        collect_keys(vector, &mut pairs);
        let private = |pair: &(String, String)| {
            let key = AuthPrivateKey::from_pkcs8(&hex::decode(&pair.1).unwrap()).unwrap();
            (hex::decode(&pair.0).unwrap(), key)
        };
        let dh_keys: BTreeMap<_, _> = pairs.iter().map(private).collect();
        for (public, private) in &dh_keys {
            assert_eq!(&private.public().unwrap().to_spki(), public, "{}", name(vector));
        }
        Self {
            name: name(vector).to_owned(),
            inputs,
            events: vector["events"].as_array().unwrap().iter().map(Event::read).collect(),
            connections: BTreeMap::new(),
            keys: dh_keys.values().cloned().collect(),
            push_secrets: BTreeMap::new(),
            dh_keys,
        }
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.events
            .iter()
            .filter_map(|event| if let Event::Block(block) = event { Some(block) } else { None })
    }

    /// The blocks of one connection, handshake included.
    pub(crate) fn blocks_of(&self, connection: u64) -> impl Iterator<Item = &Block> {
        self.blocks().filter(move |block| block.connection == connection)
    }

    pub(crate) fn hello(&self, connection: u64, from: Side) -> &Block {
        self.blocks_of(connection).find(|block| block.items.is_none() && block.from == from).unwrap()
    }

    /// All certificate chains in hellos of SMP. That of a notification server stands in its service hello.
    fn chains(&self) -> Vec<Vec<Vec<u8>>> {
        let smp_hellos = self.blocks().filter(|block| block.items.is_none() && block.len == SMP_BLOCK_LEN);
        let chain = |block: &Block| match block.from {
            Side::Server => Some(smp::ServerHello::decode(&block.content).ok()?.key?.chain.owned()),
            Side::Client => Some(smp::ClientHello::decode(&block.content).ok()?.service?.key.chain.owned()),
        };
        smp_hellos.filter_map(chain).collect()
    }

    fn connect(&mut self, chains: &BTreeMap<Fingerprint, Vec<Vec<u8>>>) {
        let mut numbers: Vec<_> = self.blocks().map(|block| block.connection).collect();
        numbers.dedup();
        for number in numbers {
            let session_id = self.session_id(number);
            let server = self.hello(number, Side::Server);
            let client = self.hello(number, Side::Client);
            let connection = match server.len {
                SMP_BLOCK_LEN => smp_connection(&server.content, &client.content, session_id),
                _ => ntf_connection(&server.content, &client.content, session_id, chains),
            };
            assert!(self.expects(&connection.server), "{}: the client wants another server", self.name);
            self.connections.insert(number, connection);
        }
    }

    /// Whether the recording names this server.
    fn expects(&self, server: &Fingerprint) -> bool {
        let identity = hex::encode(server.as_bytes());
        let fields = self.inputs.as_object().unwrap();
        fields.iter().any(|(name, value)| name.ends_with("server_key_hash") && *value == identity)
    }

    fn session_id(&self, connection: u64) -> Vec<u8> {
        let hello = self.hello(connection, Side::Server);
        let at = 5;
        hello.content[at..at + usize::from(hello.content[at - 1])].to_vec()
    }
}

const SMP_BLOCK_LEN: usize = Protocol::Smp.block_len();

fn smp_connection(server: &[u8], client: &[u8], session_id: Vec<u8>) -> Connection {
    let (server, client) =
        (smp::ServerHello::decode(server).unwrap(), smp::ClientHello::decode(client).unwrap());
    let leaf = |key: &smp::SignedKey<'_>| cert::leaf_public_key(key.chain[0]).unwrap();
    let key = server.key.as_ref();
    Connection {
        protocol: Protocol::Smp,
        version: client.version.0,
        session_id,
        server: client.identity,
        server_chain: key.map(|key| key.chain.owned()).unwrap_or_default(),
        server_key: key.map(|key| cert::verify_session_key(key.signed_key, &leaf(key)).unwrap()),
        service: client.service.map(|service| Service {
            identity: cert::identity_of(&service.key.chain).unwrap(),
            key: cert::verify_service_key(service.key.signed_key, &leaf(&service.key)).unwrap(),
        }),
    }
}

fn ntf_connection(
    server: &[u8],
    client: &[u8],
    session_id: Vec<u8>,
    chains: &BTreeMap<Fingerprint, Vec<Vec<u8>>>,
) -> Connection {
    let (server, client) =
        (ntf::ServerHello::decode(server).unwrap(), ntf::ClientHello::decode(client).unwrap());
    let server_chain = chains.get(&client.identity).cloned().unwrap_or_default();
    let leaf = server_chain.first().map(|leaf| cert::leaf_public_key(leaf).unwrap());
    let server_key = match (server.signed_key, leaf) {
        (Some(signed_key), Some(leaf)) => Some(cert::verify_session_key(signed_key, &leaf).unwrap()),
        (Some(_) | None, Some(_) | None) => None,
    };
    Connection {
        protocol: Protocol::Ntf,
        version: client.version.0,
        session_id,
        server: client.identity,
        server_chain,
        server_key,
        service: None,
    }
}

impl Connection {
    /// The bytes that a transmission's authorization covers, without a service's fingerprint.
    pub(crate) fn authorized(&self, item: &Item) -> Vec<u8> {
        let (mut body, mut out) = (Vec::new(), Vec::new());
        write_body(&item.corr_id, &item.entity_id, &mut body, |out| out.extend_from_slice(&item.command));
        write_authorized(&self.session_id, &body, &mut out);
        out
    }

    /// What the owner of an entity authorizes: in a service session, the service's name too.
    pub(crate) fn authorized_by_owner(&self, item: &Item) -> Vec<u8> {
        match &self.service {
            Some(service) if item.needs_service() => {
                [service.identity.as_bytes().as_slice(), &self.authorized(item)].concat()
            }
            Some(_) | None => self.authorized(item),
        }
    }
}

impl Item {
    /// The word of the command.
    pub(crate) fn word(&self) -> &[u8] {
        self.command.split(|byte| *byte == b' ').next().unwrap()
    }

    /// Whether a service signs the command beside the owner. Source: `smp-transport` 4.5.
    pub(crate) fn needs_service(&self) -> bool {
        matches!(self.word(), b"NEW" | b"SUB" | b"NSUB")
    }

    /// Whether a service alone signs the command.
    pub(crate) fn is_of_service(&self) -> bool {
        matches!(self.word(), b"SUBS" | b"NSUBS")
    }

    fn read(value: &Value) -> Self {
        let item = Self {
            authorization: bytes(&value["authorization"]),
            service_signature: value["service_signature"]
                .is_string()
                .then(|| bytes(&value["service_signature"])),
            corr_id: bytes(&value["corr_id"]),
            entity_id: bytes(&value["entity_id"]),
            command: bytes(&value["command"]),
            owner: None,
            signer: None,
            was_done: false,
        };
        assert_eq!(item.word(), value["tag"].as_str().unwrap().as_bytes());
        item
    }
}

impl Event {
    fn read(value: &Value) -> Self {
        match value["event"].as_str().unwrap() {
            "note" => Self::Note(value.clone()),
            "apns_request" => Self::Push(value.clone()),
            "block" => Self::Block(Block::read(value)),
            other => panic!("nobody reads events called {other}"),
        }
    }
}

impl Block {
    fn read(value: &Value) -> Self {
        let items = |items: &Vec<Value>| items.iter().map(Item::read).collect();
        let block = Self {
            connection: value["connection"].as_u64().unwrap(),
            from: match value["from"].as_str().unwrap() {
                "client" => Side::Client,
                "server" => Side::Server,
                other => panic!("nobody is called {other}"),
            },
            len: value["block_size"].as_u64().unwrap().try_into().unwrap(),
            content: bytes(&value["content"]),
            is_encrypted: value["encrypted"].as_bool().unwrap(),
            items: value["transmissions"].as_array().map(items),
        };
        let protocol = match value["protocol"].as_str().unwrap() {
            "smp" => Protocol::Smp,
            "ntf" => Protocol::Ntf,
            other => panic!("no protocol is called {other}"),
        };
        assert_eq!(block.len, protocol.block_len());
        assert_eq!(block.items.is_none(), value["handshake"] == true);
        block
    }
}

/// Follows entities from the answers that name them, in the order of the recording.
#[derive(Default)]
struct Ledger {
    /// Who may give commands about an entity.
    owners: BTreeMap<Vec<u8>, AuthPublicKey>,
    senders: BTreeMap<Vec<u8>, Vec<u8>>,
    devices: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Commands that wait for their answer, by connection and correlation id.
    asked: BTreeMap<(u64, Vec<u8>), Asked>,
}

struct Asked {
    event: usize,
    item: usize,
    command: Vec<u8>,
    entity: Vec<u8>,
}

impl Ledger {
    fn follow(&mut self, recording: &mut Recording) {
        for event in 0..recording.events.len() {
            let Event::Block(block) = &recording.events[event] else { continue };
            let (number, from) = (block.connection, block.from);
            for item in 0..block.items.as_ref().map_or(0, Vec::len) {
                match from {
                    Side::Client => self.ask(recording, number, event, item),
                    Side::Server => self.answer(recording, number, event, item),
                }
            }
        }
        assert!(self.asked.is_empty(), "{}: commands without an answer", recording.name);
    }

    fn ask(&mut self, recording: &mut Recording, number: u64, event: usize, index: usize) {
        let connection = &recording.connections[&number];
        let item = item_of(&recording.events, event, index);
        self.learn_keys(connection, item, &mut recording.keys);
        let owner = self.owner(connection, item);
        let signer = recording.keys.iter().find(|key| {
            let to_auth = connection.authorized_by_owner(item);
            authorize(key, connection.server_key.as_ref(), &item.corr_id, &to_auth)
                .is_ok_and(|made| made.as_bytes() == item.authorization)
        });
        let (signer, corr_id) = (signer.cloned(), item.corr_id.clone());
        let (command, entity) = (item.command.clone(), item.entity_id.clone());
        self.asked.insert((number, corr_id), Asked { event, item: index, command, entity });
        let Event::Block(block) = &mut recording.events[event] else { unreachable!("it was one above") };
        let item = &mut block.items.as_mut().unwrap()[index];
        (item.owner, item.signer) = (owner, signer);
    }

    /// A notifier's private key travels in SNEW.
    fn learn_keys(&self, connection: &Connection, item: &Item, keys: &mut Vec<AuthPrivateKey>) {
        if connection.protocol == Protocol::Ntf
            && let Ok(ntf_command::Command::Snew { key, .. }) =
                ntf_command::Command::decode(&item.command, NtfVersion(connection.version))
            && !keys.contains(&key)
        {
            keys.push(key);
        }
    }

    /// The key that must have authorized the command.
    fn owner(&self, connection: &Connection, item: &Item) -> Option<AuthPublicKey> {
        let own = match connection.protocol {
            Protocol::Smp => {
                let command = smp_command::Command::decode(&item.command, SmpVersion(connection.version));
                match command.unwrap() {
                    smp_command::Command::New(new) => Some(new.auth),
                    smp_command::Command::Skey { sender } | smp_command::Command::Lkey { sender } => {
                        Some(sender)
                    }
                    _ => None,
                }
            }
            Protocol::Ntf => {
                let command = ntf_command::Command::decode(&item.command, NtfVersion(connection.version));
                match command.unwrap() {
                    ntf_command::Command::Tnew { auth, .. } => Some(auth),
                    ntf_command::Command::Snew { token, .. } => self.owners.get(token).copied(),
                    _ => None,
                }
            }
            Protocol::Relay => unreachable!("the recordings are of SMP and NTF"),
        };
        own.or_else(|| self.owners.get(&item.entity_id).copied())
    }

    fn answer(&mut self, recording: &mut Recording, number: u64, event: usize, index: usize) {
        let item = item_of(&recording.events, event, index);
        if item.corr_id.is_empty() {
            return;
        }
        let answer = item.command.clone();
        let asked = self.asked.remove(&(number, item.corr_id.clone())).expect("an answer to a command");
        let connection = &recording.connections[&number];
        match connection.protocol {
            Protocol::Smp => self.smp_answer(SmpVersion(connection.version), &asked, &answer),
            Protocol::Ntf => {
                let version = NtfVersion(connection.version);
                self.ntf_answer(version, &asked, &answer, &recording.dh_keys, &mut recording.push_secrets);
            }
            Protocol::Relay => unreachable!("the recordings are of SMP and NTF"),
        }
        let Event::Block(block) = &mut recording.events[asked.event] else {
            unreachable!("it held a command")
        };
        block.items.as_mut().unwrap()[asked.item].was_done = !answer.starts_with(b"ERR ");
    }

    fn smp_answer(&mut self, version: SmpVersion, asked: &Asked, answer: &[u8]) {
        use smp_command::Command;
        use smp_response::Message;
        let command = Command::decode(&asked.command, version).unwrap();
        let answer = Message::decode(answer, version).unwrap();
        match (command, answer) {
            (Command::New(new), Message::Ids(ids)) => {
                self.owners.insert(ids.recipient.to_vec(), new.auth);
                self.senders.insert(ids.recipient.to_vec(), ids.sender.to_vec());
                if let (Some(keys), Some(notifier)) = (new.notifier, ids.notifier) {
                    self.owners.insert(notifier.notifier.to_vec(), keys.auth);
                }
            }
            (Command::Key { sender }, Message::Ok) => {
                self.owners.insert(self.senders[&asked.entity].clone(), sender);
            }
            (Command::Skey { sender }, Message::Ok) => {
                self.owners.insert(asked.entity.clone(), sender);
            }
            (Command::Nkey { notifier, .. }, Message::Nid(ids)) => {
                self.owners.insert(ids.notifier.to_vec(), notifier);
            }
            (Command::Del, Message::Ok) => {
                self.owners.remove(&asked.entity);
                self.owners.remove(&self.senders[&asked.entity]);
            }
            _ => {}
        }
    }

    fn ntf_answer(
        &mut self,
        version: NtfVersion,
        asked: &Asked,
        answer: &[u8],
        dh_keys: &BTreeMap<Vec<u8>, AuthPrivateKey>,
        push_secrets: &mut BTreeMap<Vec<u8>, DhSecret>,
    ) {
        use ntf_command::Command;
        use ntf_response::Response;
        let command = Command::decode(&asked.command, version).unwrap();
        let answer = Response::decode(answer, version).unwrap();
        match (command, answer) {
            (Command::Tnew { device, auth, dh }, Response::Idtkn { token, dh: server_dh }) => {
                self.owners.insert(token.to_vec(), auth);
                self.devices.insert(token.to_vec(), device.token.to_vec());
                if let Some(AuthPrivateKey::X25519(own)) = dh_keys.get(dh.to_spki().as_slice()) {
                    push_secrets.insert(device.token.to_vec(), own.agree(&server_dh));
                }
            }
            (Command::Trpl { device }, Response::Ok) => {
                let former = self.devices.insert(asked.entity.clone(), device.token.to_vec());
                if let Some(secret) = former.and_then(|former| push_secrets.get(&former)) {
                    let secret = DhSecret::new(*secret.expose());
                    push_secrets.insert(device.token.to_vec(), secret);
                }
            }
            (Command::Snew { token, .. }, Response::Idsub { subscription }) => {
                self.owners.insert(subscription.to_vec(), self.owners[token]);
            }
            (Command::Tdel | Command::Sdel, Response::Ok) => {
                self.owners.remove(&asked.entity);
            }
            _ => {}
        }
    }
}

fn item_of(events: &[Event], event: usize, item: usize) -> &Item {
    let Event::Block(block) = &events[event] else { panic!("event {event} is no block") };
    &block.items.as_ref().unwrap()[item]
}

/// Public and private halves, in hex, of every key in a vector.
fn collect_keys(value: &Value, keys: &mut Vec<(String, String)>) {
    if let (Some(public), Some(private)) = (value["public_spki"].as_str(), value["private_pkcs8"].as_str()) {
        keys.push((public.to_owned(), private.to_owned()));
    }
    if let Value::Array(items) = value {
        items.iter().for_each(|item| collect_keys(item, keys));
    } else if let Value::Object(fields) = value {
        fields.values().for_each(|field| collect_keys(field, keys));
    }
}

trait Owned {
    fn owned(&self) -> Vec<Vec<u8>>;
}

impl Owned for Vec<&[u8]> {
    fn owned(&self) -> Vec<Vec<u8>> {
        self.iter().map(|certificate| certificate.to_vec()).collect()
    }
}
