//! The server driven by small clients over the real codec and ciphers, in virtual time.

mod commands;
mod hostile;
mod laws;
mod path;
mod rounds;
mod services;

use super::*;
use crate::base::rng::Rng;
use crate::base::time::Wall;
use crate::crypto::auth;
use crate::crypto::boxed::BoxKey;
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private, SigningKey, X25519Private};
use crate::link::dialect::Smp;
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::link::state::{BlockEncryption, ClientGreeting, ClientSession};
use crate::wire::batch::BatchReader;
use crate::wire::error_code::ErrorCode;
use crate::wire::payload::{MessageBody, NmsgMeta};
use crate::wire::smp::command::Command;
use crate::wire::smp::queue::{NewQueue, QueueMode, QueueRequest, SubscribeMode};
use crate::wire::smp::response::Message;
use crate::wire::transmission::{self, Format};
use crate::wire::version::{SmpVersion, VersionRange};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use std::collections::BTreeMap as Map;

/// A server and its clients.
struct World {
    server: Server,
    now: Now,
    clients: Map<LinkId, Client>,
    rng: Rng,
    next_link: u64,
}

/// One client's end of one link.
struct Client {
    greeting: Option<ClientGreeting<Smp>>,
    session: Option<ClientSession<Smp>>,
    /// Everything the server said since it was last taken.
    heard: Vec<Heard>,
    /// Blocks the adapter holds: they are neither read nor reported as sent.
    stalled: Option<Vec<Block>>,
    is_closed: bool,
}

/// One transmission of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    corr: Vec<u8>,
    entity: Vec<u8>,
    message: Vec<u8>,
}

/// A queue as its recipient holds it.
struct Mailbox {
    key: AuthPrivateKey,
    dh: X25519Private,
    recipient: Vec<u8>,
    sender: Vec<u8>,
    box_key: BoxKey,
}

/// A notifier as its recipient holds it.
struct Watch {
    key: AuthPrivateKey,
    id: Vec<u8>,
    box_key: BoxKey,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Config)) -> Self {
        let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(1_700_000_000) };
        let mut config = Config::new(credentials());
        change(&mut config);
        let seed = Seed::from_number(7);
        let rng = Seed::from_number(8).stream(crate::base::rng::Stream::World);
        Self { server: Server::new(config, seed, now), now, clients: Map::new(), rng, next_link: 0 }
    }

    /// A client that speaks the newest version.
    fn client(&mut self) -> LinkId {
        self.client_of(18, BlockEncryption::WherePossible)
    }

    /// A client that speaks this version at most.
    fn client_of(&mut self, version: u16, encryption: BlockEncryption) -> LinkId {
        let link = self.connect(version, encryption);
        assert_eq!(self.client_mut(link).session.as_ref().unwrap().version(), SmpVersion(version));
        link
    }

    /// A link that may come up or not.
    fn connect(&mut self, version: u16, encryption: BlockEncryption) -> LinkId {
        let link = LinkId::accepted(self.next_link);
        self.next_link += 1;
        let transport = Transport {
            session_id: self.rng.bytes::<32>().into(),
            has_alpn: true,
            peer_chain: credentials().chain,
            showed_certificate: false,
            source: None,
        };
        let versions = VersionRange::new(SmpVersion(6), SmpVersion(version)).unwrap();
        let identity = credentials().identity().unwrap();
        let greeting = ClientGreeting::new(transport.clone(), identity, versions, encryption);
        let client = Client {
            greeting: Some(greeting),
            session: None,
            heard: Vec::new(),
            stalled: None,
            is_closed: false,
        };
        self.clients.insert(link, client);
        self.handle(Input::Link(LinkEvent::Up { link, transport }));
        link
    }

    fn client_mut(&mut self, link: LinkId) -> &mut Client {
        self.clients.get_mut(&link).unwrap()
    }

    fn handle(&mut self, input: Input<'_>) {
        self.server.handle(self.now, input);
        self.drain();
    }

    /// Performs all effects, as an adapter does, and those that follow from them.
    fn drain(&mut self) {
        loop {
            let mut sent: Map<LinkId, u32> = Map::new();
            let mut down = Vec::new();
            let mut answers = Vec::new();
            while let Step::Do(Effect::Link(action)) = self.server.poll() {
                match action {
                    LinkAction::Send { link, block } => {
                        let Some(client) = self.clients.get_mut(&link) else { continue };
                        match &mut client.stalled {
                            Some(held) => held.push(block),
                            None => {
                                *sent.entry(link).or_default() += 1;
                                answers
                                    .extend(client.on_block(block, &mut self.rng).map(|block| (link, block)));
                            }
                        }
                    }
                    LinkAction::Close { link } => down.push(link),
                    LinkAction::Connect { .. } => panic!("a server opens no links"),
                }
            }
            if sent.is_empty() && down.is_empty() {
                return;
            }
            for (link, blocks) in sent {
                self.server.handle(self.now, Input::Link(LinkEvent::Sent { link, blocks }));
            }
            for (link, mut block) in answers {
                self.server.handle(self.now, Input::Link(LinkEvent::Block { link, block: &mut block }));
            }
            for link in down {
                self.client_mut(link).is_closed = true;
                let reason = DownReason::Asked;
                self.server.handle(self.now, Input::Link(LinkEvent::Down { link, reason }));
            }
        }
    }

    /// Lets time pass, waking the server whenever it asked to be woken.
    fn advance(&mut self, span: Duration) {
        let end = self.now.mono + span;
        let start = self.now;
        let mut ticks = 0;
        while let Step::Idle(Some(deadline)) = self.server.poll() {
            if deadline.at > end {
                break;
            }
            ticks += 1;
            assert!(ticks < 100_000, "the deadline law: {}", deadline.reason);
            self.set_time(start, self.now.mono.max(deadline.at));
            self.handle(Input::Tick);
        }
        self.set_time(start, end);
    }

    fn set_time(&mut self, start: Now, mono: Mono) {
        let passed = u64::try_from(mono.since(start.mono).as_millis()).unwrap();
        self.now = Now { mono, wall: Wall::from_millis(start.wall.as_millis() + passed) };
    }

    /// Sends commands in one block and gives their correlation ids.
    fn send_all(
        &mut self,
        link: LinkId,
        commands: &[(Option<&AuthPrivateKey>, &[u8], Command<'_>)],
    ) -> Vec<[u8; 24]> {
        let corrs: Vec<[u8; 24]> = commands.iter().map(|_| self.rng.bytes()).collect();
        let session = self.client_mut(link).session.as_mut().unwrap();
        for ((key, entity, command), corr) in commands.iter().zip(&corrs) {
            let transmission =
                transmit(session, *key, corr, entity, |version, out| command.encode(version, out));
            session.outgoing.push(|out| out.extend_from_slice(&transmission)).unwrap();
        }
        self.flush(link);
        corrs
    }

    /// Sends one ready transmission.
    fn send_raw(&mut self, link: LinkId, transmission: &[u8]) {
        let session = self.client_mut(link).session.as_mut().unwrap();
        session.outgoing.push(|out| out.extend_from_slice(transmission)).unwrap();
        self.flush(link);
    }

    fn flush(&mut self, link: LinkId) {
        while let Some(mut block) = self.client_mut(link).session.as_mut().unwrap().outgoing.take() {
            self.handle(Input::Link(LinkEvent::Block { link, block: &mut block }));
        }
    }

    /// Sends one command and gives the answer, its word and parameters as they came.
    fn ask(
        &mut self,
        link: LinkId,
        key: Option<&AuthPrivateKey>,
        entity: &[u8],
        command: Command<'_>,
    ) -> Vec<u8> {
        let corr = self.send_all(link, &[(key, entity, command)])[0];
        let answer = self.take_answer(link, &corr);
        assert!(
            answer.entity == entity || answer.message.starts_with(b"IDS"),
            "an answer repeats the entity of its command"
        );
        answer.message
    }

    /// As [`ask`](Self::ask), for commands that are answered OK.
    fn ask_ok(&mut self, link: LinkId, key: Option<&AuthPrivateKey>, entity: &[u8], command: Command<'_>) {
        let word = command.word();
        assert_eq!(self.ask(link, key, entity, command), b"OK", "{word}");
    }

    fn take_answer(&mut self, link: LinkId, corr: &[u8]) -> Heard {
        let heard = &mut self.client_mut(link).heard;
        let at = heard.iter().position(|heard| heard.corr == corr).expect("every command is answered");
        heard.remove(at)
    }

    /// The events heard on a link, oldest first: what they are about, and what they are.
    fn take_events(&mut self, link: LinkId) -> Vec<(Vec<u8>, Vec<u8>)> {
        let heard = &mut self.client_mut(link).heard;
        assert!(heard.iter().all(|heard| heard.corr.is_empty()), "an answer that nobody took");
        core::mem::take(heard).into_iter().map(|heard| (heard.entity, heard.message)).collect()
    }

    fn version(&self, link: LinkId) -> SmpVersion {
        self.clients[&link].session.as_ref().unwrap().version()
    }

    /// Creates a queue, authorized by this key.
    fn mailbox_of(&mut self, link: LinkId, key: AuthPrivateKey, subscribe: SubscribeMode) -> Mailbox {
        let dh = X25519Private::generate(&mut self.rng);
        let new = NewQueue {
            auth: key.public().unwrap(),
            dh: dh.public(),
            password: None,
            subscribe,
            request: Some(QueueRequest::Messaging(None)),
            notifier: None,
        };
        let answer = self.ask(link, Some(&key), b"", Command::New(new));
        let Message::Ids(ids) = Message::decode(&answer, self.version(link)).unwrap() else {
            panic!("not created: {}", std::string::String::from_utf8_lossy(&answer));
        };
        let box_key = BoxKey::of_dh(&dh.agree(&ids.dh));
        Mailbox { key, recipient: ids.recipient.into(), sender: ids.sender.into(), dh, box_key }
    }

    fn mailbox(&mut self, link: LinkId, subscribe: SubscribeMode) -> Mailbox {
        let key = self.ed25519();
        self.mailbox_of(link, key, subscribe)
    }

    /// Gives a queue a notifier with this key.
    fn notifier_of(&mut self, link: LinkId, mailbox: &Mailbox, key: AuthPrivateKey) -> Watch {
        let dh = X25519Private::generate(&mut self.rng);
        let command = Command::Nkey { notifier: key.public().unwrap(), dh: dh.public() };
        let answer = self.ask(link, Some(&mailbox.key), &mailbox.recipient, command);
        let Message::Nid(ids) = Message::decode(&answer, self.version(link)).unwrap() else {
            panic!("no notifier");
        };
        Watch { key, id: ids.notifier.into(), box_key: BoxKey::of_dh(&dh.agree(&ids.dh)) }
    }

    fn notifier(&mut self, link: LinkId, mailbox: &Mailbox) -> Watch {
        let key = self.ed25519();
        self.notifier_of(link, mailbox, key)
    }

    fn watch(&mut self, link: LinkId, watch: &Watch) {
        let expected: &[u8] = if self.version(link).0 >= 16 { b"SOK 0" } else { b"OK" };
        assert_eq!(self.ask(link, Some(&watch.key), &watch.id, Command::Nsub), expected);
    }

    fn send(&mut self, link: LinkId, mailbox: &Mailbox, notify: bool, message: &[u8]) {
        self.ask_ok(link, None, &mailbox.sender, Command::Send { notify, message });
    }

    fn ed25519(&mut self) -> AuthPrivateKey {
        AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut self.rng))
    }

    fn x25519(&mut self) -> AuthPrivateKey {
        AuthPrivateKey::X25519(X25519Private::generate(&mut self.rng))
    }
}

impl Client {
    /// Takes a block; gives the one to answer with while hellos are exchanged.
    fn on_block(&mut self, mut block: Block, rng: &mut Rng) -> Option<Block> {
        if let Some(greeting) = self.greeting.take() {
            let (session, hello) = greeting.on_hello(&block, rng).unwrap();
            self.session = Some(session);
            return Some(hello);
        }
        let session = self.session.as_mut().unwrap();
        let format = Format::smp(session.version());
        let content = session.session.open(&mut block).expect("the server's blocks open");
        for transmission in BatchReader::new(content, format).unwrap() {
            let transmission = transmission.unwrap();
            assert!(transmission.authorization.is_empty());
            let message = Message::decode(transmission.command, session.version()).unwrap();
            assert!(message.allows_entity(transmission.entity_id), "{message:?}");
            self.heard.push(Heard {
                corr: transmission.corr_id.into(),
                entity: transmission.entity_id.into(),
                message: transmission.command.into(),
            });
        }
        None
    }
}

impl Mailbox {
    /// The message in an answer or event.
    fn open(&self, msg: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let (id, body) = self.open_body(msg);
        match MessageBody::decode(&body).unwrap() {
            MessageBody::Message { sent_at, message, .. } => {
                assert!(sent_at >= 1_700_000_000);
                (id, message.into())
            }
            MessageBody::Quota { .. } => panic!("a quota marker"),
        }
    }

    fn open_body(&self, msg: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let Message::Msg { id, body } = Message::decode(msg, SmpVersion(18)).unwrap() else {
            panic!("no message: {}", std::string::String::from_utf8_lossy(msg));
        };
        assert_eq!(body.len(), 16122);
        let mut body = body.to_vec();
        let body = self.box_key.open_padded(id.try_into().unwrap(), &mut body).unwrap();
        (id.into(), body.into())
    }
}

impl Watch {
    /// Which message an NMSG tells of, and its time.
    fn open(&self, nmsg: &[u8]) -> (Vec<u8>, i64) {
        let Message::Nmsg { nonce, meta } = Message::decode(nmsg, SmpVersion(18)).unwrap() else {
            panic!("no notification: {}", std::string::String::from_utf8_lossy(nmsg));
        };
        assert_eq!(meta.len(), 144);
        let mut meta = meta.to_vec();
        let meta = NmsgMeta::decode(self.box_key.open_padded(&nonce, &mut meta).unwrap()).unwrap();
        (meta.message.into(), meta.sent_at)
    }
}

/// A transmission as a client makes it.
fn transmit(
    session: &ClientSession<Smp>,
    key: Option<&AuthPrivateKey>,
    corr: &[u8],
    entity: &[u8],
    command: impl FnOnce(SmpVersion, &mut Vec<u8>),
) -> Vec<u8> {
    let version = session.version();
    let id = &session.session.id;
    let mut body = Vec::new();
    transmission::write_body(corr, entity, &mut body, |out| command(version, out));
    let mut to_auth = Vec::new();
    transmission::write_authorized(id, &body, &mut to_auth);
    let authorization =
        key.map(|key| auth::authorize(key, session.server_key.as_ref(), corr, &to_auth).unwrap());
    let mut out = Vec::new();
    transmission::Outgoing {
        authorization: authorization.as_ref().map_or(&[][..], |authorization| authorization.as_bytes()),
        service_signature: None,
        session_id: id,
        body: &body,
    }
    .encode(Format::smp(version), &mut out);
    out
}

fn encoded(message: &Message<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    message.encode(SmpVersion(18), &mut out);
    out
}

fn err(code: ErrorCode<'_>) -> Vec<u8> {
    encoded(&Message::Err(code))
}

/// A chain made with OpenSSL, Ed25519, and the key of its leaf.
fn credentials() -> ServerCredentials {
    let leaf_key = hex::decode(LEAF_KEY).unwrap();
    ServerCredentials {
        chain: vec![hex::decode(LEAF).unwrap().into(), hex::decode(CA).unwrap().into()],
        leaf_key: SigningKey::from_pkcs8(&leaf_key).unwrap(),
    }
}

const LEAF: &str = "\
    3082017130820123a00302010202140f6955877bd0cc253a5a67c19a85e87f2a3610a7300506032b6570302a31163014\
    06035504030c0d534d50207365727665722043413110300e060355040a0c0753696d706c65583020170d323631313232\
    3232323132365a180f32313236313032393232323132365a30143112301006035504030c096c6f63616c686f7374302a\
    300506032b6570032100400ef84e5b1fa304d7c75d5dcdaef37d11589ab5c58c99d3888246b66836ca12a36f306d3009\
    0603551d1304023000300b0603551d0f0404030203c830130603551d25040c300a06082b06010505070301301d060355\
    1d0e041604145a4688bdeaf89fe15908f9d6dbb1104eddf54cd7301f0603551d2304183016801454cd355e174ec70a56\
    88f9b350d96ac01cb3ecd8300506032b657003410036450513c6853d84b6e2c92b3d0be0d06b932c2b9bf0368cc9e471\
    9bcf135b9f66b505af2f28b645c7d727f688b280bb87e3957ccb01289929200fd892dae401";
const CA: &str = "\
    3082016b3082011da00302010202143efb1847c610100dff3ea1c544cb0b5ef11fa654300506032b6570302a31163014\
    06035504030c0d534d50207365727665722043413110300e060355040a0c0753696d706c65583020170d323631313232\
    3232323132365a180f32313236313032393232323132365a302a3116301406035504030c0d534d502073657276657220\
    43413110300e060355040a0c0753696d706c6558302a300506032b6570032100d5cd60812864e385bee748caee43b2cd\
    7fe076a82bb331e61ca28aa73e4760cea3533051301d0603551d0e0416041454cd355e174ec70a5688f9b350d96ac01c\
    b3ecd8301f0603551d2304183016801454cd355e174ec70a5688f9b350d96ac01cb3ecd8300f0603551d130101ff0405\
    30030101ff300506032b6570034100ff0827406e07313248cb08b8457d4cbdd7168a72e37d77a9b4f286206c48f5d812\
    0518355e086c03a45182d8c55fc6c8fe7208f97f2d496812bf581f28779a05";
const LEAF_KEY: &str = "\
    302e020100300506032b657004220420a2f1d58cd8d76dfde35ae44ef2ad024dcee42491cc42d90a430a924dab770445";
