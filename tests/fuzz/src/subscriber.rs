//! The role `subscriber`: devices, SMP servers, a push server and the clock, all at the fuzzer's whim.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Public};
use ntf_core::link::dialect::{Dialect, Ntf, Smp};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::link::state::BlockEncryption;
use ntf_core::machine::{Machine, Step};
use ntf_core::model::push::{PushId, PushOrder, PushOutcome, PushPayload, PushResult, Sealed};
use ntf_core::model::server::NotifierAddress;
use ntf_core::model::token::{DeviceToken, InvalidReason, Provider};
use ntf_core::subscriber::effect::Effect;
use ntf_core::subscriber::input::Input;
use ntf_core::subscriber::{Config, Subscriber};
use ntf_core::wire::block::Layout;
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::payload::decode_notices;
use ntf_core::wire::transmission::write_body;
use ntf_core::wire::version::{NtfVersion, SmpVersion, VersionRange};

use crate::peer::{Channel, ClientWishes, ServerEnd, address, answer, credentials, transport, x25519};
use crate::script::{Pen, Script};

/// Input: one byte for how much is checked, then what happens.
pub fn subscriber(data: &[u8]) {
    let mut script = Script::new(data);
    World::new(script.byte()).run(&mut script);
}

pub fn scripts() -> impl Iterator<Item = Vec<u8>> {
    // A device registers app 0, echoes the code, watches a queue; its server comes up and notifies.
    let command = |app, kind, argument| [COMMANDS, 0, 0, app, 0, kind, argument];
    let watched = move |setup| {
        Pen::default()
            .bytes(&[setup, DEVICE, 0, 3])
            .bytes(&command(0, TNEW, 0))
            .bytes(&[OUTCOME, 0, 0])
            .bytes(&command(0, TVFY, 0))
            .bytes(&command(0, SNEW, 0))
            .bytes(&[SERVER_UP, 0, 18])
            .bytes(&[TELL, 0, 0, 0, ANSWER, OK, 0])
            .bytes(&[TELL, 0, 0, 0, EVENT, NMSG, 7, 0])
    };
    (0..2).flat_map(move |setup| {
        [
            watched(setup).bytes(&[OUTCOME, 0, 0, WAIT, 5]).bytes(&command(0, TDEL, 0)).0,
            watched(setup)
                .bytes(&[TELL, 0, 0, 0, EVENT, END, 0])
                .bytes(&command(0, SCHK, 0))
                .bytes(&[STOP])
                .0,
            watched(setup).bytes(&[SERVER_DOWN, 0, WAIT, 6, SERVER_UP, 0, 18, OUTCOME, 0, 3, WAIT, 4]).0,
            Pen::default().bytes(&[setup, RAW_DEVICE, 1, 0, 3, 0, 3, 0]).0,
        ]
    })
}

const DEVICE: u8 = 0;
const RAW_DEVICE: u8 = 1;
const COMMANDS: u8 = 2;
const RAW_CONTENT: u8 = 3;
const SERVER_UP: u8 = 4;
const TELL: u8 = 5;
const RAW_TELL: u8 = 6;
const OUTCOME: u8 = 7;
const WAIT: u8 = 8;
const DEVICE_DOWN: u8 = 9;
const SERVER_DOWN: u8 = 10;
const SENT: u8 = 11;
const STOP: u8 = 12;
const OPERATIONS: usize = 13;

const TNEW: u8 = 0;
const TVFY: u8 = 1;
const TDEL: u8 = 3;
const SNEW: u8 = 6;
const SCHK: u8 = 7;

const ANSWER: u8 = 0;
const EVENT: u8 = 1;
const OK: u8 = 0;
const NMSG: u8 = 0;
const END: u8 = 1;

const PADDED_LEN: usize = 640;
/// After the provider found a push too large: half, and not below the smallest.
const SHRUNK_LEN: usize = 512;
const TOKENS: u32 = 4;
const SUBSCRIPTIONS: u32 = 8;
const SERVERS: u32 = 2;
const NOTICES: usize = 6;
const ORDERS: usize = 2;
const LINKS: usize = 3;

/// A stranger with one key and what he has learned.
struct App {
    key: AuthPrivateKey,
    token: DeviceToken,
    id: Vec<u8>,
    server_key: Option<X25519Public>,
    code: Vec<u8>,
    subscriptions: Vec<Vec<u8>>,
}

enum DeviceEnd {
    Open(Channel<Ntf>),
    /// Its cipher or its hellos are a mess; what it is sent cannot be read.
    Broken,
}

enum SmpEnd {
    Away,
    Greeted(ServerEnd<Smp>),
    Open(Channel<Smp>),
    Broken,
}

struct Watched {
    link: LinkId,
    end: SmpEnd,
    /// Correlation and notifier ids of what it was asked.
    asked: Vec<(Vec<u8>, Vec<u8>)>,
}

struct World {
    subscriber: Subscriber,
    /// Given the same, it has to do the same.
    twin: Option<Subscriber>,
    now: Now,
    is_stopped: bool,
    devices: BTreeMap<LinkId, DeviceEnd>,
    accepted: u64,
    servers: Vec<Watched>,
    apps: Vec<App>,
    orders: Vec<PushId>,
    next_corr: u32,
    /// Who asked what, to read the answers.
    asking: BTreeMap<Vec<u8>, (usize, Vec<u8>)>,
    owed: usize,
}

/// An input as a value, to be given twice.
enum Given {
    Up(LinkId, Transport),
    Block(LinkId, Vec<u8>),
    Sent(LinkId, u32),
    Down(LinkId, DownReason),
    Outcome(PushOutcome),
    Tick,
    Stop,
}

impl World {
    fn new(setup: u8) -> Self {
        let make = || {
            let mut config = Config::new(credentials());
            config.padded_len = PADDED_LEN;
            config.allow_test_provider = true;
            config.links = LINKS;
            config.tokens.tokens = TOKENS;
            config.tokens.unverified_per_device = 2;
            config.tokens.verification_attempts = 3;
            config.subscriptions.subscriptions = SUBSCRIPTIONS;
            config.subscriptions.per_token = 5;
            config.subscriptions.servers = SERVERS;
            config.delivery.queues_per_token = 3;
            config.delivery.notices = NOTICES;
            config.delivery.orders = ORDERS;
            config.smp.requester.in_flight_max = 4;
            if setup & 2 != 0 {
                config.smp.encryption = BlockEncryption::Never;
            }
            let start = Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) };
            Subscriber::new(config, Seed::from_number(7), start)
        };
        let app = |number: u8| App {
            key: match number {
                1 => x25519(20).into(),
                _ => Ed25519Private::from_seed([20 + number; 32]).into(),
            },
            // The first two are on one device.
            token: DeviceToken { provider: Provider::ApnsTest, token: vec![b'a' + number / 2; 4].into() },
            id: vec![9; 24],
            server_key: None,
            code: vec![9; 32],
            subscriptions: vec![],
        };
        Self {
            subscriber: make(),
            twin: (setup & 1 != 0).then(make),
            now: Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) },
            is_stopped: false,
            devices: BTreeMap::new(),
            accepted: 0,
            servers: vec![],
            apps: (0..5).map(app).collect(),
            orders: vec![],
            next_corr: 0,
            asking: BTreeMap::new(),
            owed: 0,
        }
    }

    fn run(&mut self, script: &mut Script<'_>) {
        for _ in 0..96 {
            if script.is_over() {
                break;
            }
            self.step(script);
            self.assert_lawful();
        }
        self.give(Given::Stop);
        assert!(matches!(self.subscriber.poll(), Step::Idle(None)), "after its end nothing is due");
        assert!(self.devices.is_empty() && self.servers.is_empty(), "after its end no link is open");
        let gauges = self.subscriber.gauges();
        assert_eq!((gauges.tokens, gauges.subscriptions, gauges.notices, gauges.servers), (0, 0, 0, 0));
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match u8::try_from(script.below(OPERATIONS)).expect("operations are few") {
            DEVICE => {
                let has_alpn = !script.flag();
                let number = script.byte();
                let (link, hello) = self.open_device(has_alpn);
                let Some(hello) = hello else { return };
                let newest = if has_alpn { NtfVersion::MAX.0 } else { NtfVersion::MIN.0 };
                let version = NtfVersion(u16::from(number).clamp(NtfVersion::MIN.0, newest));
                let (block, channel) =
                    answer::<Ntf>(&hello, &ClientWishes { version, sends_key: false, is_proxy: false });
                self.devices.insert(link, DeviceEnd::Open(channel));
                self.give(Given::Block(link, block));
                assert!(self.devices.contains_key(&link), "a good hello is welcome");
            }
            RAW_DEVICE => {
                let (link, hello) = self.open_device(script.flag());
                if hello.is_some()
                    && let Ok(block) = Layout::plain(Ntf::PROTOCOL).block(script.large())
                {
                    self.give(Given::Block(link, block));
                    assert!(!self.devices.contains_key(&link), "no fuzzer knows the fingerprint");
                }
            }
            COMMANDS => self.command(script),
            RAW_CONTENT => {
                let Some(link) = self.device(script) else { return };
                let content = script.large();
                let Some(DeviceEnd::Open(channel)) = self.devices.get_mut(&link) else { return };
                let expected = channel.expected_replies(content);
                if let Some(block) = channel.seal(content) {
                    self.owed += expected;
                    self.give(Given::Block(link, block));
                    self.settle_debts();
                }
            }
            SERVER_UP => {
                let Some(at) = self.server(script) else { return };
                let version =
                    SmpVersion(u16::from(script.byte()).clamp(SmpVersion::MIN.0, SmpVersion::MAX.0));
                let Some(server) = self.servers.get_mut(at) else { return };
                let link = server.link;
                if let SmpEnd::Away = server.end {
                    let versions = VersionRange::new(SmpVersion::MIN, version).expect("clamped");
                    let (end, hello) = ServerEnd::new(versions);
                    server.end = SmpEnd::Greeted(end);
                    self.give(Given::Up(link, transport(true, true)));
                    self.give(Given::Block(link, hello));
                }
            }
            TELL => self.tell(script),
            RAW_TELL => {
                let Some(at) = self.server(script) else { return };
                let content = script.large();
                let server = &mut self.servers[at];
                let link = server.link;
                let block = match &mut server.end {
                    SmpEnd::Open(channel) => channel.seal(content),
                    SmpEnd::Greeted(_) | SmpEnd::Broken => Layout::plain(Smp::PROTOCOL).block(content).ok(),
                    SmpEnd::Away => {
                        server.end = SmpEnd::Broken;
                        self.give(Given::Up(link, transport(true, true)));
                        return;
                    }
                };
                if let Some(block) = block {
                    self.give(Given::Block(link, block));
                }
            }
            OUTCOME => {
                let known = self.orders.len();
                let id = match script.below(known + 1) {
                    at if at < known => self.orders.remove(at),
                    _ => PushId(script.byte().into()),
                };
                let result = match script.below(8) {
                    0 | 1 => PushResult::Accepted,
                    2 => PushResult::Refused,
                    3 => PushResult::TryLater { after: Duration::from_secs(u64::from(script.byte()) << 4) },
                    4 => PushResult::TryLater { after: Duration::MAX },
                    5 => PushResult::Throttled { after: Duration::from_secs(u64::from(script.byte()) << 4) },
                    6 => PushResult::TooLarge,
                    _ => PushResult::TokenInvalid {
                        reason: script.one_of(&[InvalidReason::Bad, InvalidReason::Unregistered]),
                        since_millis: None,
                    },
                };
                self.give(Given::Outcome(PushOutcome { id, result }));
            }
            WAIT => self.wait(script),
            DEVICE_DOWN => {
                if let Some(link) = self.device(script) {
                    self.devices.remove(&link);
                    self.give(Given::Down(link, DownReason::Closed));
                }
            }
            SERVER_DOWN => {
                if let Some(at) = self.server(script) {
                    let link = self.servers.remove(at).link;
                    self.give(Given::Down(link, DownReason::Unreachable));
                }
            }
            SENT => {
                // Also of links that nobody has.
                let link = match script.byte() {
                    number if number & 1 == 0 => LinkId::accepted(u64::from(number) >> 1),
                    number => LinkId::opened(u64::from(number) >> 1),
                };
                self.give(Given::Sent(link, script.byte().into()));
            }
            _ => {
                self.give(Given::Stop);
                self.is_stopped = true;
            }
        }
    }

    /// A device connects; gives the hello, if it was let in.
    fn open_device(&mut self, has_alpn: bool) -> (LinkId, Option<Vec<u8>>) {
        let link = LinkId::accepted(self.accepted);
        self.accepted += 1;
        if self.is_stopped {
            return (link, None);
        }
        let is_full = self.devices.len() >= LINKS;
        self.devices.insert(link, DeviceEnd::Broken);
        let sent = self.give(Given::Up(link, transport(has_alpn, false)));
        assert!(self.devices.len() <= LINKS, "the table of links has a bound");
        // With a full table either this device is turned away or one that was silent gives way to it.
        match self.devices.contains_key(&link) {
            true => assert_eq!(sent.len(), 1, "the server speaks first"),
            false => assert!(is_full, "there was room"),
        }
        (link, sent.into_iter().next())
    }

    fn device(&self, script: &mut Script<'_>) -> Option<LinkId> {
        let links: Vec<_> = self.devices.keys().copied().collect();
        let at = script.below(links.len().max(1));
        links.get(at).copied()
    }

    fn server(&self, script: &mut Script<'_>) -> Option<usize> {
        let at = script.below(self.servers.len().max(1));
        (at < self.servers.len()).then_some(at)
    }

    /// A device sends a block of commands.
    fn command(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.device(script) else { return };
        let count = 1 + script.below(3);
        let mut items = vec![];
        for _ in 0..count {
            let at = script.below(self.apps.len());
            let manner = script.byte();
            let (command, mut entity) = self.write_command(at, script);
            let Some(DeviceEnd::Open(channel)) = self.devices.get(&link) else { return };
            // Mostly the app's own key and id.
            let signer =
                if manner & 7 == 1 { &self.apps[(at + 1) % self.apps.len()] } else { &self.apps[at] };
            if manner & 7 == 2 {
                entity = script.short().into();
            }
            self.next_corr += 1;
            let corr = [self.next_corr.to_be_bytes().as_slice(), &[0; 20]].concat();
            let mut body = vec![];
            write_body(&corr, &entity, &mut body, |out| out.extend_from_slice(&command));
            let authorization = match manner & 7 {
                3 => vec![],
                4 => script.short().into(),
                _ => channel.sign(&signer.key, &corr, &body).unwrap_or_default(),
            };
            items.push(channel.write(&authorization, None, &body));
            self.asking.insert(corr, (at, entity));
        }
        let Some(DeviceEnd::Open(channel)) = self.devices.get_mut(&link) else { return };
        if let Some(block) = channel.seal_batch(&items) {
            self.owed += items.len();
            self.give(Given::Block(link, block));
            self.settle_debts();
        }
    }

    /// A command and what it is about.
    fn write_command(&self, at: usize, script: &mut Script<'_>) -> (Vec<u8>, Vec<u8>) {
        let app = &self.apps[at];
        let other = &self.apps[(at + 2) % self.apps.len()];
        let kind = script.below(11);
        let choice = script.byte();
        let subscription = app.subscriptions.get(usize::from(choice)).cloned().unwrap_or_else(|| vec![8; 24]);
        let (command, entity) = match u8::try_from(kind).expect("kinds are few") {
            TNEW => {
                let device = Device::of(if choice & 1 == 0 { &app.token } else { &other.token });
                let auth = app.key.public().expect("the algorithm is known");
                let dh = x25519((choice >> 1) & 3).public();
                (Command::Tnew { device, auth, dh }, vec![])
            }
            TVFY => {
                let code = if choice & 1 == 0 { &app.code } else { &other.code };
                (Command::Tvfy { code }, app.id.clone())
            }
            2 => (Command::Tchk, app.id.clone()),
            TDEL => (Command::Tdel, app.id.clone()),
            4 => (Command::Trpl { device: Device::of(&other.token) }, app.id.clone()),
            5 => (Command::Tcrn { minutes: choice.into() }, app.id.clone()),
            SNEW => {
                let host = ["a.example", "b.example", "smp4.simplex.im"][usize::from(choice) % 3];
                let number = (choice >> 2) & 7;
                let notifier = NotifierAddress {
                    server: address(host),
                    notifier: EntityId::new(&vec![number; if choice & 0x80 == 0 { 24 } else { 200 }])
                        .expect("the length is lawful"),
                };
                let key = Ed25519Private::from_seed([40 + number; 32]).into();
                (Command::Snew { token: &app.id, notifier, key }, vec![])
            }
            SCHK => (Command::Schk, subscription),
            8 => (Command::Sdel, subscription),
            9 => (Command::Ping, vec![]),
            _ => return (script.short().into(), app.id.clone()),
        };
        let mut out = vec![];
        command.encode(NtfVersion::MAX, &mut out);
        (out, entity)
    }

    /// An SMP server says something: answers, events, nonsense.
    fn tell(&mut self, script: &mut Script<'_>) {
        let Some(at) = self.server(script) else { return };
        let Watched { end: SmpEnd::Open(channel), asked, link } = &mut self.servers[at] else { return };
        let link = *link;
        let mut items = vec![];
        for _ in 0..=script.below(3) {
            let known = script.below(asked.len().max(1));
            let (corr, entity) = asked.get(known).cloned().unwrap_or_default();
            let is_event = script.below(3) == 1;
            let message: Vec<u8> = match (is_event, script.below(7)) {
                (true, 0 | 3) => [b"NMSG ".as_slice(), &[script.byte(); 24], &[144], &[2; 144]].concat(),
                (true, 1) => b"END".to_vec(),
                (true, 2) => b"DELD".to_vec(),
                (true, 4) => [b"NMSG ".as_slice(), &[1; 24], &[script.byte()], &[3; 255]].concat(),
                (false, 0 | 1) => b"OK".to_vec(),
                (false, 2) => b"SOK 0".to_vec(),
                (false, 3) => b"ERR AUTH".to_vec(),
                (false, 4) => b"ERR INTERNAL".to_vec(),
                (_, 5) => b"ERR BLOCKED reason=spam".to_vec(),
                (_, _) => script.short().into(),
            };
            let entity = if script.below(8) == 1 { script.short().into() } else { entity };
            let mut body = vec![];
            let corr = if is_event { &[][..] } else { &corr };
            write_body(corr, &entity, &mut body, |out| out.extend_from_slice(&message));
            items.push(channel.write(&[], None, &body));
        }
        if let Some(block) = channel.seal_batch(&items) {
            self.give(Given::Block(link, block));
        }
    }

    fn wait(&mut self, script: &mut Script<'_>) {
        let seconds = script.one_of(&[0, 1, 5, 30, 61, 400, 4_000, 90_000, 3_000_000]);
        let until = self.now.mono + Duration::from_secs(seconds);
        let mut last = None;
        for _ in 0..200_000 {
            let due = match self.subscriber.poll() {
                Step::Idle(due) => due.map(|due| due.at).filter(|at| *at <= until),
                Step::Do(_) => panic!("a drained machine is idle"),
            };
            let Some(at) = due else {
                return self.pass(until);
            };
            // A deadline may be due at once, but kept it must be over.
            assert!(last != Some(at) || at > self.now.mono, "a kept deadline is over");
            last = Some(at);
            self.pass(at);
            self.give(Given::Tick);
        }
        panic!("no end of deadlines");
    }

    fn pass(&mut self, until: Mono) {
        let span = until.since(self.now.mono);
        let millis = u64::try_from(span.as_millis()).expect("waits are short");
        self.now = Now {
            mono: self.now.mono + span,
            wall: Wall::from_millis(self.now.wall.as_millis().saturating_add(millis)),
        };
    }

    /// Hands an input to the subscriber and performs what it asks; gives the blocks that cannot be read.
    fn give(&mut self, given: Given) -> Vec<Vec<u8>> {
        hand_in(&mut self.subscriber, self.now, &given);
        if let Some(twin) = &mut self.twin {
            hand_in(twin, self.now, &given);
        }
        let mut unread = vec![];
        loop {
            let step = self.subscriber.poll();
            if let Some(twin) = &mut self.twin {
                assert_same(&step, &twin.poll());
            }
            match step {
                Step::Do(effect) => unread.extend(self.perform(effect)),
                Step::Idle(_) => break,
            }
        }
        assert!(matches!(self.subscriber.poll(), Step::Idle(_)), "a second drain yields nothing");
        unread
    }

    fn perform(&mut self, effect: Effect) -> Option<Vec<u8>> {
        match effect {
            Effect::Link(LinkAction::Connect { link, protocol, server: _, showing: _, reach: _ }) => {
                assert_eq!(protocol, Smp::PROTOCOL);
                assert!(!link.is_accepted() && self.servers.iter().all(|server| server.link != link));
                self.servers.push(Watched { link, end: SmpEnd::Away, asked: vec![] });
                None
            }
            Effect::Link(LinkAction::Send { link, block }) if link.is_accepted() => {
                self.on_reply(link, block)
            }
            Effect::Link(LinkAction::Send { link, block }) => {
                self.on_asked(link, block);
                None
            }
            Effect::Link(LinkAction::Close { link }) => {
                let was_open = self.devices.remove(&link).is_some() | self.forget_server(link);
                assert!(was_open, "what is closed was open");
                let given = Given::Down(link, DownReason::Asked);
                hand_in(&mut self.subscriber, self.now, &given);
                if let Some(twin) = &mut self.twin {
                    hand_in(twin, self.now, &given);
                }
                None
            }
            Effect::Push(order) => {
                self.on_order(&order);
                None
            }
            Effect::Milestone(_) => None,
            Effect::Shard { .. } | Effect::HandOff { .. } => panic!("it is alone"),
        }
    }

    fn forget_server(&mut self, link: LinkId) -> bool {
        let before = self.servers.len();
        self.servers.retain(|server| server.link != link);
        self.servers.len() < before
    }

    /// A device reads its answers.
    fn on_reply(&mut self, link: LinkId, block: Box<[u8]>) -> Option<Vec<u8>> {
        let device = self.devices.get_mut(&link).expect("nothing is sent where no link is");
        let DeviceEnd::Open(channel) = device else { return Some(block.into_vec()) };
        for told in channel.open(block) {
            self.owed = self.owed.checked_sub(1).expect("a subscriber speaks only when asked");
            let response = Response::decode(&told.command, channel.version).expect("our answers can be read");
            // Without a correlation id it answers what could not be read.
            let Some((at, entity)) = self.asking.remove(&told.corr) else { continue };
            assert!(
                told.entity == entity || matches!(response, Response::Err(_)),
                "an answer names its entity"
            );
            let app = &mut self.apps[at];
            match response {
                Response::Idtkn { token, dh } => {
                    app.id = token.into();
                    app.server_key = Some(dh);
                }
                Response::Idsub { subscription } if app.subscriptions.len() < 8 => {
                    app.subscriptions.push(subscription.into());
                }
                Response::Idsub { .. }
                | Response::Ok
                | Response::Tkn(_)
                | Response::Sub(_)
                | Response::Pong
                | Response::Err(_) => {}
            }
        }
        None
    }

    /// Each request has been answered, but for those whose ids fill a block.
    fn settle_debts(&mut self) {
        assert!(self.owed <= 1, "{} requests are not answered", self.owed);
        self.owed = 0;
    }

    /// An SMP server reads what it is asked.
    fn on_asked(&mut self, link: LinkId, block: Box<[u8]>) {
        let server = self.servers.iter_mut().find(|server| server.link == link);
        let server = server.expect("nothing is sent where no link is");
        server.end = match std::mem::replace(&mut server.end, SmpEnd::Broken) {
            SmpEnd::Greeted(end) => SmpEnd::Open(end.open(&block)),
            SmpEnd::Open(mut channel) => {
                for told in channel.open(block) {
                    assert!(Smp::decode_command(&told.command, channel.version).is_ok());
                    if !told.authorization.is_empty() {
                        server.asked.push((told.corr, told.entity));
                    }
                }
                let excess = server.asked.len().saturating_sub(16);
                server.asked.drain(..excess);
                SmpEnd::Open(channel)
            }
            SmpEnd::Broken => SmpEnd::Broken,
            SmpEnd::Away => panic!("a block before the link was up"),
        };
    }

    fn on_order(&mut self, order: &PushOrder) {
        assert!(!self.orders.contains(&order.id), "an order's name is its own");
        self.orders.push(order.id);
        match &order.payload {
            PushPayload::Verification(sealed) => {
                for at in 0..self.apps.len() {
                    if let Some(code) = self.open(at, sealed) {
                        assert_eq!(code.len(), 32);
                        self.apps[at].code = code;
                    }
                }
            }
            PushPayload::Message(sealed) | PushPayload::Hidden(sealed) => {
                let text = (0..self.apps.len()).find_map(|at| self.open(at, sealed));
                // Registered anew, an app has forgotten the key that its old token was made with.
                let Some(text) = text else { return };
                let notices = decode_notices(&text).expect("what is pushed can be read");
                let queues: BTreeSet<_> = notices.iter().map(|(queue, _)| queue).collect();
                assert_eq!(queues.len(), notices.len(), "one notice of each queue");
                assert!((1..=3).contains(&notices.len()));
            }
            PushPayload::CheckMessages | PushPayload::Alert(_) => {}
        }
    }

    fn open(&self, at: usize, sealed: &Sealed) -> Option<Vec<u8>> {
        let lengths = [PADDED_LEN, SHRUNK_LEN].map(|len| len + 16);
        assert!(lengths.contains(&sealed.ciphertext.len()), "one length, and one after a push was too large");
        let server_key = self.apps[at].server_key?;
        (0..4).find_map(|number| {
            let key = BoxKey::of_dh(&x25519(number).agree(&server_key));
            key.open_padded(&sealed.nonce, &mut sealed.ciphertext.to_vec()).ok().map(<[u8]>::to_vec)
        })
    }

    fn assert_lawful(&mut self) {
        let (counters, gauges) = (self.subscriber.counters(), self.subscriber.gauges());
        let delivery = counters.delivery;
        assert!(
            gauges.tokens <= TOKENS && gauges.subscriptions <= SUBSCRIPTIONS && gauges.servers <= SERVERS
        );
        assert!(gauges.notices <= NOTICES && gauges.orders_out <= ORDERS && gauges.links <= LINKS);
        assert_eq!(gauges.effects, 0);
        assert_eq!(
            counters.received.total(),
            counters.unwanted.total() + delivery.taken_in.total() + delivery.refused_full.total(),
            "a notice that came is accounted for"
        );
        assert!(delivery.ended() <= delivery.taken_in.total());
        for fact in self.subscriber.knowledge() {
            let is_short = fact.sample.is_none_or(|sample| sample.chars().count() <= 9);
            assert!(is_short || fact.what == "SMP servers", "{} are shown whole", fact.what);
        }
        self.orders.drain(..self.orders.len().saturating_sub(8));
    }
}

fn hand_in(subscriber: &mut Subscriber, now: Now, given: &Given) {
    let mut block;
    let input = match given {
        Given::Up(link, transport) => {
            Input::Link(LinkEvent::Up { link: *link, transport: transport.clone() })
        }
        Given::Block(link, bytes) => {
            block = bytes.clone();
            Input::Link(LinkEvent::Block { link: *link, block: &mut block })
        }
        Given::Sent(link, blocks) => Input::Link(LinkEvent::Sent { link: *link, blocks: *blocks }),
        Given::Down(link, reason) => Input::Link(LinkEvent::Down { link: *link, reason: *reason }),
        Given::Outcome(outcome) => Input::Outcome(*outcome),
        Given::Tick => Input::Tick,
        Given::Stop => Input::Stop,
    };
    subscriber.handle(now, input);
}

fn assert_same(one: &Step<Effect>, other: &Step<Effect>) {
    match (one, other) {
        (
            Step::Do(Effect::Link(LinkAction::Send { link, block })),
            Step::Do(Effect::Link(LinkAction::Send { link: other_link, block: other_block })),
        ) => assert!(link == other_link && block == other_block, "twins write the same"),
        (Step::Do(Effect::Push(order)), Step::Do(Effect::Push(other))) => assert!(order == other),
        _ => assert_eq!(format!("{one:?}"), format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_go_all_the_way_to_a_push() {
        for (number, script) in scripts().enumerate() {
            let mut script = Script::new(&script);
            let mut world = World::new(script.byte());
            world.run(&mut script);
            let counters = world.subscriber.counters();
            let is_whole = number % 4 != 3;
            assert_eq!(
                counters.delivery.message_orders.total() > 0,
                is_whole,
                "script {number}: {counters:?}"
            );
        }
    }
}
