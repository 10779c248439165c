//! The client through its face, against servers whose answers a test can choose.
//!
//! [`Bench`] plays subscriber, SMP servers and provider: it answers every command as a good server does,
//! and once otherwise where a test says so. It knows the other half of every secret, so it can make
//! pushes and messages.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod advice;
mod checks;
mod direct;
mod modes;
mod pushes;
mod queues;
mod recovery;
mod restarts;
mod sealing;
mod sending;
mod states;
mod steps;
mod tokens;

use crate::base::id::{EntityId, LinkId};
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Mono, Now, Wall};
use crate::client::effect::{Effect, Event, Probe};
use crate::client::input::{Command, Input, QueueId, RequestTag};
use crate::client::{Client, Config};
use crate::crypto::boxed::{BoxKey, nonce_from};
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{X25519Private, X25519Public};
use crate::link::dialect::{Ntf, Smp};
use crate::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use crate::link::responder::Responder;
use crate::machine::{Machine, Step};
use crate::model::notification::Notice;
use crate::model::server::{NotifierAddress, Protocol, SenderAddress, ServerAddress};
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::{DeviceToken, Provider, TokenStatus};
use crate::sim::identity::server_credentials;
use crate::wire::error_code::ErrorCode;
use crate::wire::payload::{self, MSG_BODY_PADDED_LEN, MessageBody, NMSG_META_PADDED_LEN, NmsgMeta};
use crate::wire::text::base64;
use crate::wire::version::VersionRange;
use crate::wire::{ntf, smp};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// How a server behaves at the next command of some kind, if not well.
#[derive(Clone, Debug)]
enum Twist {
    /// Answers with an error.
    Error(ErrorCode<'static>),
    /// Does as told, but the answer is lost with the link.
    Cut,
    /// Does as told and says nothing.
    Silence,
    /// Answers TCHK so.
    Token(TokenStatus),
    /// Answers SCHK so.
    Subscription(SubscriptionStatus),
    /// Answers something that is none to the command.
    Nonsense,
}

/// A queue as its SMP server knows it.
struct Held {
    recipient: Vec<u8>,
    message_key: BoxKey,
    notifier: Option<(EntityId, BoxKey)>,
    messages: VecDeque<(Vec<u8>, Vec<u8>)>,
}

/// A token as its subscriber knows it.
struct Registered {
    client: X25519Public,
    id: [u8; 24],
    dh: X25519Public,
}

enum Peer {
    Smp(Responder<Smp>),
    Ntf(Responder<Ntf>),
}

struct Bench {
    client: Client,
    now: Now,
    rng: Rng,
    credentials: ServerCredentials,
    peers: BTreeMap<LinkId, Peer>,
    /// Whether servers accept links.
    is_network_up: bool,
    twists: BTreeMap<&'static str, VecDeque<Twist>>,
    /// Commands that came, in order.
    words: Vec<&'static str>,
    /// Bodies of SEND.
    sent: Vec<Vec<u8>>,
    /// Tokens, the last one in use.
    tokens: Vec<Registered>,
    token_key: Option<BoxKey>,
    /// Device tokens of TNEW and TRPL, as the subscriber sees them.
    shown: Vec<DeviceToken>,
    queues: Vec<Held>,
    /// Blocks that came.
    blocks: usize,
    /// Minutes of TCRN.
    intervals: Vec<u16>,
    /// Hosts that were connected to.
    dialled: Vec<Box<str>>,
    events: Vec<Event>,
    /// What TCP was told to do.
    probes: Vec<Probe>,
    tags: u64,
}

impl Bench {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(1_700_000_000) };
        let mut rng = Seed::from_number(99).stream(Stream::World);
        Self {
            client: Client::new(config, Seed::from_number(1), now),
            now,
            credentials: server_credentials(&mut rng),
            rng,
            peers: BTreeMap::new(),
            is_network_up: true,
            twists: BTreeMap::new(),
            words: Vec::new(),
            sent: Vec::new(),
            tokens: Vec::new(),
            token_key: None,
            shown: Vec::new(),
            queues: Vec::new(),
            blocks: 0,
            intervals: Vec::new(),
            dialled: Vec::new(),
            probes: Vec::new(),
            events: Vec::new(),
            tags: 0,
        }
    }

    /// With an active token.
    fn active() -> Self {
        let mut bench = Self::new();
        bench.register(b"aa");
        let code = bench.verification([7; 32]);
        bench.push(&code);
        assert_eq!(bench.client.token_status(), Some(TokenStatus::Active));
        bench.events.clear();
        bench.words.clear();
        bench
    }

    /// With an active token and a subscribed queue.
    fn watching() -> Self {
        let mut bench = Self::active();
        bench.create();
        assert_eq!(bench.words, ["NEW", "NKEY", "SNEW"]);
        bench.events.clear();
        bench.words.clear();
        bench
    }

    fn server(&self, host: &str) -> ServerAddress {
        let identity = self.credentials.identity().unwrap();
        ServerAddress { hosts: vec![host.into()], port: "".into(), identity }
    }

    fn command(&mut self, command: Command) {
        self.client.handle(self.now, Input::Command(command));
        self.settle();
    }

    fn register(&mut self, token: &[u8]) {
        let server = self.server("ntf.test");
        let device = DeviceToken { provider: Provider::ApnsTest, token: token.into() };
        self.command(Command::Register { server, device });
    }

    fn create(&mut self) -> RequestTag {
        let tag = self.tag();
        let server = self.server("smp.test");
        self.command(Command::CreateQueue { tag, server });
        tag
    }

    fn send(&mut self, message: &[u8]) -> RequestTag {
        let tag = self.tag();
        let to = self.somebody();
        self.command(Command::Send { tag, to, message: message.to_vec() });
        tag
    }

    fn somebody(&self) -> SenderAddress {
        SenderAddress { server: self.server("smp.test"), sender: EntityId::new(b"somebody").unwrap() }
    }

    fn push(&mut self, json: &str) {
        self.client.handle(self.now, Input::Push(json.as_bytes()));
        self.settle();
    }

    fn twist(&mut self, word: &'static str, twist: Twist) {
        self.twists.entry(word).or_default().push_back(twist);
    }

    /// Lets time go on, firing what becomes due.
    fn pass(&mut self, span: Duration) {
        let until = self.now.mono + span;
        for _ in 0..10_000 {
            match self.drain() {
                Some(at) if at <= until => {
                    self.set_time(at.max(self.now.mono));
                    self.client.handle(self.now, Input::Tick);
                    self.settle();
                }
                Some(_) | None => return self.set_time(until),
            }
        }
        panic!("deadlines without progress");
    }

    fn set_time(&mut self, mono: Mono) {
        let gone = u64::try_from(mono.since(self.now.mono).as_millis()).unwrap();
        self.now = Now { mono, wall: Wall::from_millis(self.now.wall.as_millis() + gone) };
    }

    /// Breaks every link.
    fn cut(&mut self) {
        for link in core::mem::take(&mut self.peers).into_keys() {
            self.client.handle(self.now, Input::Link(LinkEvent::Down { link, reason: DownReason::Broken }));
        }
        self.settle();
    }

    /// Performs effects until there are none.
    fn settle(&mut self) {
        self.drain();
    }

    fn drain(&mut self) -> Option<Mono> {
        loop {
            match self.client.poll() {
                Step::Do(Effect::Event(event)) => self.events.push(event),
                Step::Do(Effect::Link(action)) => self.perform(action),
                Step::Do(Effect::Probe(probe)) => self.probes.push(probe),
                Step::Idle(deadline) => return deadline.map(|deadline| deadline.at),
            }
        }
    }

    fn perform(&mut self, action: LinkAction) {
        if let LinkAction::Connect { server, .. } = &action {
            self.dialled.push(server.hosts[0].clone());
        }
        match action {
            LinkAction::Connect { link, protocol, .. } if self.is_network_up => self.accept(link, protocol),
            LinkAction::Connect { link, .. } => {
                let event = LinkEvent::Down { link, reason: DownReason::Unreachable };
                self.client.handle(self.now, Input::Link(event));
            }
            LinkAction::Send { link, mut block } => {
                self.blocks += 1;
                let Some(mut peer) = self.peers.remove(&link) else { return };
                let alive = match &mut peer {
                    Peer::Smp(responder) => self.on_smp_block(responder, &mut block),
                    Peer::Ntf(responder) => self.on_ntf_block(responder, &mut block),
                };
                self.client.handle(self.now, Input::Link(LinkEvent::Sent { link, blocks: 1 }));
                if alive {
                    self.peers.insert(link, peer);
                    self.reply(link);
                } else {
                    let event = LinkEvent::Down { link, reason: DownReason::Closed };
                    self.client.handle(self.now, Input::Link(event));
                }
            }
            LinkAction::Close { link } => {
                self.peers.remove(&link);
                let event = LinkEvent::Down { link, reason: DownReason::Asked };
                self.client.handle(self.now, Input::Link(event));
            }
        }
    }

    fn accept(&mut self, link: LinkId, protocol: Protocol) {
        let session_id: [u8; 32] = self.rng.bytes();
        let transport = |peer_chain| Transport {
            session_id: session_id.into(),
            has_alpn: true,
            peer_chain,
            showed_certificate: false,
            source: None,
        };
        let (mine, rng) = (transport(Vec::new()), &mut self.rng);
        let peer = match protocol {
            Protocol::Smp => {
                Peer::Smp(Responder::accept(&mine, &self.credentials, VersionRange::SMP, rng).unwrap())
            }
            Protocol::Ntf => {
                Peer::Ntf(Responder::accept(&mine, &self.credentials, VersionRange::NTF, rng).unwrap())
            }
            Protocol::Relay => unreachable!("devices do not talk to push servers"),
        };
        self.peers.insert(link, peer);
        let transport = transport(self.credentials.chain.clone());
        self.client.handle(self.now, Input::Link(LinkEvent::Up { link, transport }));
        self.reply(link);
    }

    /// Hands over what a server has to say.
    fn reply(&mut self, link: LinkId) {
        let mut blocks = Vec::new();
        match self.peers.get_mut(&link) {
            Some(Peer::Smp(responder)) => blocks.extend(core::iter::from_fn(|| responder.take_block())),
            Some(Peer::Ntf(responder)) => blocks.extend(core::iter::from_fn(|| responder.take_block())),
            None => {}
        }
        for mut block in blocks {
            if let Some(Peer::Smp(responder)) = self.peers.get_mut(&link) {
                responder.on_sent(1);
            } else if let Some(Peer::Ntf(responder)) = self.peers.get_mut(&link) {
                responder.on_sent(1);
            }
            self.client.handle(self.now, Input::Link(LinkEvent::Block { link, block: &mut block }));
        }
    }

    /// Answers the commands of a block; false breaks the link.
    fn on_smp_block(&mut self, responder: &mut Responder<Smp>, block: &mut [u8]) -> bool {
        use smp::command::Command as C;
        use smp::queue::{NotifierIds, QueueIds, QueueMode};
        use smp::response::Message as M;
        let mut alive = true;
        let mut requests = responder.on_block(block).unwrap();
        while let Some(request) = responder.next_request(&mut requests) {
            let (command, to) = (request.command(), request.reply_to());
            if command.word() == "PING" {
                responder.reply(to, &M::Pong);
                continue;
            }
            self.words.push(command.word());
            let twist = self.twists.get_mut(command.word()).and_then(VecDeque::pop_front);
            if let Some(Twist::Error(code)) = twist {
                responder.reply(to, &M::Err(code));
                continue;
            }
            let dh = X25519Private::generate(&mut self.rng);
            let id: [u8; 24] = self.rng.bytes();
            let other: [u8; 24] = self.rng.bytes();
            let held = self.queues.iter().position(|held| held.recipient == to.entity);
            let front;
            let answer = match command {
                C::New(new) => {
                    assert_eq!(new.subscribe, smp::queue::SubscribeMode::OnlyCreate, "or GET is prohibited");
                    self.queues.push(Held {
                        recipient: id.into(),
                        message_key: BoxKey::of_dh(&dh.agree(&new.dh)),
                        notifier: None,
                        messages: VecDeque::new(),
                    });
                    let mode = Some(QueueMode::Messaging);
                    let (link, service, notifier) = (None, None, None);
                    M::Ids(QueueIds {
                        recipient: &id,
                        sender: &other,
                        dh: dh.public(),
                        mode,
                        link,
                        service,
                        notifier,
                    })
                }
                C::Nkey { dh: client, .. } => {
                    let key = BoxKey::of_dh(&dh.agree(client));
                    self.queues[held.unwrap()].notifier = Some((EntityId::new(&id).unwrap(), key));
                    M::Nid(NotifierIds { notifier: &id, dh: dh.public() })
                }
                C::Del => {
                    let held = &mut self.queues[held.unwrap()];
                    held.notifier = None;
                    held.messages.clear();
                    M::Ok
                }
                C::Ndel => {
                    self.queues[held.unwrap()].notifier = None;
                    M::Ok
                }
                C::Get => {
                    front = held.and_then(|held| self.queues[held].messages.front()).cloned();
                    match &front {
                        Some((id, body)) => M::Msg { id, body },
                        None => M::Ok,
                    }
                }
                C::Ack { message } => {
                    let messages = &mut self.queues[held.unwrap()].messages;
                    match messages.front().is_some_and(|(id, _)| id == message) {
                        true => {
                            messages.pop_front();
                            M::Ok
                        }
                        false => M::Err(ErrorCode::NoMsg),
                    }
                }
                C::Send { notify, message } => {
                    assert!(*notify);
                    self.sent.push(message.to_vec());
                    M::Ok
                }
                _ => M::Ok,
            };
            match twist {
                None => responder.reply(to, &answer),
                Some(Twist::Nonsense) => responder.reply(to, &M::End),
                Some(Twist::Cut) => alive = false,
                Some(_) => {}
            }
        }
        alive
    }

    fn on_ntf_block(&mut self, responder: &mut Responder<Ntf>, block: &mut [u8]) -> bool {
        use ntf::command::Command as C;
        use ntf::response::Response as R;
        let mut alive = true;
        let mut requests = responder.on_block(block).unwrap();
        while let Some(request) = responder.next_request(&mut requests) {
            let (command, to) = (request.command(), request.reply_to());
            if command.word() == "PING" {
                responder.reply(to, &R::Pong);
                continue;
            }
            self.words.push(command.word());
            let twist = self.twists.get_mut(command.word()).and_then(VecDeque::pop_front);
            if let Some(Twist::Error(code)) = twist {
                responder.reply(to, &R::Err(code));
                continue;
            }
            let dh = X25519Private::generate(&mut self.rng);
            let id: [u8; 24] = self.rng.bytes();
            if let C::Tnew { device, .. } | C::Trpl { device } = command {
                self.shown.push(device.to_token());
            }
            let answer = match command {
                C::Tnew { dh: client, .. } => {
                    // The same keys get the same token again, as a subscriber must.
                    if self.tokens.last().is_none_or(|token| token.client != *client) {
                        self.token_key = Some(BoxKey::of_dh(&dh.agree(client)));
                        self.tokens.push(Registered { client: *client, id, dh: dh.public() });
                    }
                    let token = self.tokens.last().unwrap();
                    R::Idtkn { token: &token.id, dh: token.dh }
                }
                C::Tchk => R::Tkn(match &twist {
                    Some(Twist::Token(status)) => *status,
                    _ => TokenStatus::Active,
                }),
                C::Tcrn { minutes } => {
                    self.intervals.push(*minutes);
                    R::Ok
                }
                C::Snew { .. } => R::Idsub { subscription: &id },
                C::Schk => R::Sub(match &twist {
                    Some(Twist::Subscription(status)) => status.clone(),
                    _ => SubscriptionStatus::Active,
                }),
                _ => R::Ok,
            };
            match twist {
                None | Some(Twist::Token(_) | Twist::Subscription(_)) => responder.reply(to, &answer),
                Some(Twist::Nonsense) => responder.reply(to, &R::Idsub { subscription: &id }),
                Some(Twist::Cut) => alive = false,
                Some(Twist::Silence | Twist::Error(_)) => {}
            }
        }
        alive
    }

    /// A verification push for the latest token.
    fn verification(&mut self, code: [u8; 32]) -> String {
        self.sealed("verification", &code)
    }

    /// A push with these notices, newest last.
    fn notices(&mut self, notices: &[(NotifierAddress, Notice)]) -> String {
        let mut text = Vec::new();
        payload::encode_notices(notices.iter().map(|(address, notice)| (address, notice)), &mut text);
        self.sealed("message", &text)
    }

    fn sealed(&mut self, kind: &str, content: &[u8]) -> String {
        let nonce: [u8; 24] = self.rng.bytes();
        let blob = self.token_key.as_ref().unwrap().seal_padded(&nonce, content, 2880).unwrap();
        let (nonce, blob) = (base64::encode(&nonce), base64::encode(&blob));
        format!(r#"{{"aps":{{}},"notificationData":{{"nonce":"{nonce}","{kind}":"{blob}"}}}}"#)
    }

    /// A message in a queue, and the notice of it.
    fn message(&mut self, queue: usize, number: u8, sent_at: i64) -> (NotifierAddress, Notice) {
        let body = MessageBody::Message { sent_at, notify: true, message: &[number] };
        self.body(queue, number, &body);
        self.notice(queue, number, sent_at)
    }

    fn body(&mut self, queue: usize, number: u8, body: &MessageBody<'_>) {
        let id = vec![number; 24];
        let mut plain = Vec::new();
        body.encode(&mut plain);
        let held = &mut self.queues[queue];
        let sealed = held.message_key.seal_padded(&nonce_from(&id), &plain, MSG_BODY_PADDED_LEN).unwrap();
        held.messages.push_back((id, sealed));
    }

    fn notice(&mut self, queue: usize, number: u8, sent_at: i64) -> (NotifierAddress, Notice) {
        let nonce: [u8; 24] = self.rng.bytes();
        let server = self.server("smp.test");
        let (notifier, key) = self.queues[queue].notifier.as_ref().unwrap();
        let mut meta = Vec::new();
        NmsgMeta { message: &[number; 24], sent_at }.encode(&mut meta);
        let meta: Box<[u8]> = key.seal_padded(&nonce, &meta, NMSG_META_PADDED_LEN).unwrap().into();
        let address = NotifierAddress { server, notifier: notifier.clone() };
        (address, Notice { received_at: sent_at, nonce, meta })
    }

    fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }

    fn take_words(&mut self) -> Vec<&'static str> {
        core::mem::take(&mut self.words)
    }

    /// Events as short texts, taken.
    fn told(&mut self) -> Vec<String> {
        core::mem::take(&mut self.events).iter().map(|event| format!("{event:?}")).collect()
    }

    /// The numbers of the messages that the application got, taken with all other events.
    fn got(&mut self) -> Vec<u8> {
        let message = |event| match event {
            Event::Message { message, .. } => Some(message[0]),
            _ => None,
        };
        core::mem::take(&mut self.events).into_iter().filter_map(message).collect()
    }

    fn first_queue(&self) -> QueueId {
        self.client.queues().next().unwrap()
    }

    /// The one rejection told, taken with all other events.
    fn rejection(&mut self) -> String {
        let told = self.told();
        let [only] = told.as_slice() else { panic!("{told:?}") };
        assert!(only.starts_with("PushRejected("), "{only}");
        only.to_string()
    }
}

const MINUTE: Duration = Duration::from_secs(60);
