//! The role `smp::server`: recipients, senders and notifiers who keep no rule, and the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private};
use ntf_core::link::dialect::{Dialect, Smp};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent};
use ntf_core::machine::{Machine, Step};
use ntf_core::smp::server::meter::Gauges;
use ntf_core::smp::server::{Config, Effect, Input, Server};
use ntf_core::wire::block::Layout;
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::queue::{NewQueue, NotifierKeys, QueueRequest, SubscribeMode};
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::transmission::write_body;
use ntf_core::wire::version::SmpVersion;

use crate::peer::{Channel, ClientWishes, answer, credentials, transport, x25519};
use crate::script::{Pen, Script};

/// Input: what happens.
pub fn smp_server(data: &[u8]) {
    World::new().run(&mut Script::new(data));
}

pub fn scripts() -> impl Iterator<Item = Vec<u8>> {
    // One client makes a queue with a notifier, watches it, sends, fetches and acknowledges; a second one takes
    // the subscriptions over.
    let command = |link, kind, choice| [COMMANDS, link, 0, 0, 0, kind, choice];
    let start = move |version| {
        Pen::default()
            .bytes(&[CLIENT, version, 1])
            .bytes(&command(0, NEW, 0))
            .bytes(&command(0, NKEY, 0))
            .bytes(&command(0, NSUB, 0))
            .bytes(&command(0, SEND, 1))
            .bytes(&[WAIT, 2])
    };
    (6..=18).step_by(3).flat_map(move |version| {
        [
            start(version).bytes(&command(0, GET, 0)).bytes(&command(0, ACK, 0)).bytes(&command(0, DEL, 0)).0,
            start(version)
                .bytes(&[CLIENT, version, 0])
                .bytes(&command(1, SUB, 0))
                .bytes(&command(1, NSUB, 0))
                .bytes(&[WAIT, 4])
                .bytes(&command(1, ACK, 0))
                .bytes(&[DOWN, 0, WAIT, 6, STOP])
                .0,
        ]
    })
}

const CLIENT: u8 = 0;
const RAW_CLIENT: u8 = 1;
const COMMANDS: u8 = 2;
const RAW_CONTENT: u8 = 3;
const WAIT: u8 = 4;
const DOWN: u8 = 5;
const STALL: u8 = 6;
const STOP: u8 = 7;
const OPERATIONS: usize = 8;

const NEW: u8 = 0;
const SUB: u8 = 1;
const GET: u8 = 2;
const ACK: u8 = 3;
const SEND: u8 = 4;
const NKEY: u8 = 5;
const NSUB: u8 = 6;
const DEL: u8 = 7;

const LINKS: usize = 3;
const QUEUES: usize = 4;
const QUOTA: usize = 3;
const BYTES: usize = 60_000;
const NOTIFICATIONS: usize = 5;
const EVENTS: usize = 3;

/// Ids that the server gave out.
#[derive(Clone, Default)]
struct Queue {
    recipient: Vec<u8>,
    sender: Vec<u8>,
    notifier: Vec<u8>,
    message: Vec<u8>,
}

struct Client {
    /// Nothing while its hello is a mess.
    channel: Option<Channel<Smp>>,
    /// Whether its adapter does not get rid of blocks.
    is_stalled: bool,
    hello: Option<Vec<u8>>,
}

struct World {
    server: Server,
    now: Now,
    is_stopped: bool,
    clients: BTreeMap<LinkId, Client>,
    accepted: u64,
    queues: Vec<Queue>,
    next_corr: u32,
    /// The queue that a command was about, to read its answer.
    asking: BTreeMap<Vec<u8>, usize>,
    owed: usize,
    notified: u32,
}

impl World {
    fn new() -> Self {
        let mut config = Config::new(credentials());
        config.limits.links = LINKS;
        config.limits.queues = QUEUES;
        config.limits.queue_quota = QUOTA;
        config.limits.bytes = BYTES;
        config.limits.recipient_keys = 2;
        config.limits.notifications = NOTIFICATIONS;
        config.limits.notifications_per_notifier = 2;
        config.limits.events_per_link = EVENTS;
        let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) };
        Self {
            server: Server::new(config, Seed::from_number(5), now),
            now,
            is_stopped: false,
            clients: BTreeMap::new(),
            accepted: 0,
            queues: vec![Queue::default(); 4],
            next_corr: 0,
            asking: BTreeMap::new(),
            owed: 0,
            notified: 0,
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
        self.give(Input::Stop);
        assert!(matches!(self.server.poll(), Step::Idle(None)), "after its end nothing is due");
        assert_eq!(self.server.gauges(), Gauges::default(), "after its end nothing is held");
        assert!(self.clients.is_empty(), "after its end no link is open");
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match u8::try_from(script.below(OPERATIONS)).expect("operations are few") {
            CLIENT => {
                let version = u16::from(script.byte()).clamp(SmpVersion::MIN.0, SmpVersion::MAX.0);
                let wishes =
                    ClientWishes { version: SmpVersion(version), sends_key: script.flag(), is_proxy: false };
                let Some((link, hello)) = self.connect() else { return };
                let (mut block, channel) = answer::<Smp>(&hello, &wishes);
                if let Some(client) = self.clients.get_mut(&link) {
                    client.channel = Some(channel);
                }
                self.give(Input::Link(LinkEvent::Block { link, block: &mut block }));
                assert!(self.clients.contains_key(&link), "a good hello is welcome");
            }
            RAW_CLIENT => {
                let hello = Layout::plain(Smp::PROTOCOL).block(script.large());
                if let Some((link, _)) = self.connect()
                    && let Ok(mut block) = hello
                {
                    self.give(Input::Link(LinkEvent::Block { link, block: &mut block }));
                    assert!(!self.clients.contains_key(&link), "no fuzzer knows the fingerprint");
                }
            }
            COMMANDS => self.command(script),
            RAW_CONTENT => {
                let Some(link) = self.client(script) else { return };
                let content = script.large();
                let Some(channel) = self.clients.get_mut(&link).and_then(|client| client.channel.as_mut())
                else {
                    return;
                };
                let expected = channel.expected_replies(content);
                if let Some(mut block) = channel.seal(content) {
                    self.owed += expected;
                    self.give(Input::Link(LinkEvent::Block { link, block: &mut block }));
                    self.settle_debts(link);
                }
            }
            WAIT => self.wait(script),
            DOWN => {
                if let Some(link) = self.client(script) {
                    self.clients.remove(&link);
                    self.give(Input::Link(LinkEvent::Down { link, reason: DownReason::Closed }));
                }
            }
            STALL => {
                if let Some(link) = self.client(script)
                    && let Some(client) = self.clients.get_mut(&link)
                {
                    client.is_stalled = !client.is_stalled;
                    self.give(Input::Link(LinkEvent::Sent { link, blocks: script.byte().into() }));
                }
            }
            _ => {
                self.give(Input::Stop);
                self.is_stopped = true;
            }
        }
    }

    /// A client connects; gives its link and the server's hello, if it was let in.
    fn connect(&mut self) -> Option<(LinkId, Vec<u8>)> {
        if self.is_stopped {
            return None;
        }
        let link = LinkId::accepted(self.accepted);
        self.accepted += 1;
        let is_full = self.clients.len() >= LINKS;
        self.clients.insert(link, Client { channel: None, is_stalled: false, hello: None });
        self.give(Input::Link(LinkEvent::Up { link, transport: transport(true, false) }));
        assert_eq!(self.clients.contains_key(&link), !is_full, "the table of links has a bound");
        let hello = self.clients.get_mut(&link)?.hello.take();
        Some((link, hello.expect("the server speaks first")))
    }

    fn client(&self, script: &mut Script<'_>) -> Option<LinkId> {
        let at = script.below(self.clients.len().max(1));
        self.clients.keys().nth(at).copied()
    }

    /// A client sends a block of commands.
    fn command(&mut self, script: &mut Script<'_>) {
        let Some(link) = self.client(script) else { return };
        let Some(channel) = self.clients.get_mut(&link).and_then(|client| client.channel.as_mut()) else {
            return;
        };
        let mut items = vec![];
        for _ in 0..=script.below(4) {
            let at = script.below(self.queues.len());
            let manner = script.byte();
            let (command, entity) = write_command(&self.queues[at], at, channel.version, script);
            self.next_corr += 1;
            let corr = [self.next_corr.to_be_bytes().as_slice(), &[0; 20]].concat();
            let mut body = vec![];
            write_body(&corr, &entity, &mut body, |out| out.extend_from_slice(&command));
            // Mostly the key that the queue was made with.
            let authorization = match manner & 7 {
                0 if command.starts_with(b"SEND") || command == b"PING" => vec![],
                3 => vec![],
                4 => script.short().into(),
                1 => channel.sign(&signer(at + 1), &corr, &body).unwrap_or_default(),
                _ => channel.sign(&signer(at), &corr, &body).unwrap_or_default(),
            };
            items.push(channel.write(&authorization, None, &body));
            self.asking.insert(corr, at);
        }
        if let Some(mut block) = channel.seal_batch(&items) {
            self.owed += items.len();
            self.give(Input::Link(LinkEvent::Block { link, block: &mut block }));
            self.settle_debts(link);
        }
    }

    fn wait(&mut self, script: &mut Script<'_>) {
        let seconds = script.one_of(&[0, 1, 2, 15, 30, 130, 4_000, 90_000, 3_000_000]);
        let until = self.now.mono + Duration::from_secs(seconds);
        let mut last = None;
        // Rounds and sweeps come for as long as there is something to look after.
        for _ in 0..10_000 {
            let due = match self.server.poll() {
                Step::Idle(due) => due,
                Step::Do(_) => panic!("a drained machine is idle"),
            };
            let Some(due) = due.filter(|due| due.at <= until) else {
                return self.pass(until);
            };
            assert!(last != Some((due.at, due.reason)) || due.at > self.now.mono, "a kept deadline is over");
            last = Some((due.at, due.reason));
            self.pass(due.at);
            self.give(Input::Tick);
        }
        self.pass(until);
    }

    fn pass(&mut self, until: Mono) {
        let span = until.since(self.now.mono);
        let millis = u64::try_from(span.as_millis()).expect("waits are short");
        let wall = Wall::from_millis(self.now.wall.as_millis().saturating_add(millis));
        self.now = Now { mono: self.now.mono + span, wall };
    }

    fn give(&mut self, input: Input<'_>) {
        self.server.handle(self.now, input);
        while let Step::Do(Effect::Link(action)) = self.server.poll() {
            match action {
                LinkAction::Send { link, block } => {
                    let is_stalled = self.receive(link, block);
                    if !is_stalled {
                        let sent = LinkEvent::Sent { link, blocks: 1 };
                        self.server.handle(self.now, Input::Link(sent));
                    }
                }
                LinkAction::Close { link } => {
                    assert!(self.clients.remove(&link).is_some(), "what is closed was open");
                    let down = LinkEvent::Down { link, reason: DownReason::Asked };
                    self.server.handle(self.now, Input::Link(down));
                }
                LinkAction::Connect { .. } => panic!("a server opens no links"),
            }
        }
        assert!(matches!(self.server.poll(), Step::Idle(_)), "a second drain yields nothing");
    }

    /// A client reads what it is told; says whether it does so slowly.
    fn receive(&mut self, link: LinkId, block: Box<[u8]>) -> bool {
        let client = self.clients.get_mut(&link).expect("nothing is sent where no link is");
        let Some(channel) = &mut client.channel else {
            client.hello = Some(block.into_vec());
            return false;
        };
        for told in channel.open(block) {
            let message = Message::decode(&told.command, channel.version).expect("our answers can be read");
            let at = self.asking.remove(&told.corr);
            let is_event = told.corr.is_empty() && !told.entity.is_empty();
            if !is_event {
                self.owed = self.owed.checked_sub(1).expect("a command is answered once");
            }
            match &message {
                Message::Nmsg { .. } | Message::End | Message::Deld => {
                    assert!(is_event, "{message:?} is no answer");
                    self.notified += u32::from(matches!(message, Message::Nmsg { .. }));
                }
                Message::Msg { body, .. } => assert_eq!(body.len(), 16_122, "bodies have one length"),
                Message::Err(ErrorCode::Internal | ErrorCode::Other(_)) | Message::Pong => {
                    assert!(!is_event);
                }
                _ => {}
            }
            let queue = at.and_then(|at| self.queues.get_mut(at));
            match (message, queue) {
                (Message::Ids(ids), Some(queue)) => {
                    queue.recipient = ids.recipient.into();
                    queue.sender = ids.sender.into();
                    queue.notifier = ids.notifier.map(|ids| ids.notifier.to_vec()).unwrap_or_default();
                }
                (Message::Nid(ids), Some(queue)) => queue.notifier = ids.notifier.into(),
                (Message::Msg { id, .. }, None) => {
                    let queue = self.queues.iter_mut().find(|queue| queue.recipient == told.entity);
                    if let Some(queue) = queue {
                        queue.message = id.into();
                    }
                }
                (Message::Msg { id, .. }, Some(queue)) => queue.message = id.into(),
                _ => {}
            }
        }
        client.is_stalled
    }

    /// Each command has been answered, unless its link was closed.
    fn settle_debts(&mut self, link: LinkId) {
        if self.clients.contains_key(&link) {
            assert_eq!(self.owed, 0, "a command is answered");
        }
        self.owed = 0;
    }

    fn assert_lawful(&self) {
        let gauges = self.server.gauges();
        assert!(gauges.links <= LINKS && gauges.links == self.clients.len());
        assert!(gauges.queues <= QUEUES && gauges.notifiers <= QUEUES && gauges.watched <= QUEUES);
        assert!(gauges.messages <= QUEUES * (QUOTA + 1));
        assert!(gauges.bytes <= BYTES && gauges.notifications <= NOTIFICATIONS);
        assert!(gauges.endings <= LINKS * EVENTS);
        let counters = self.server.counters();
        let stored = counters.notifications_stored.total();
        let ended = [
            counters.notifications_sent,
            counters.notifications_dropped,
            counters.notifications_expired,
            counters.notifications_withdrawn,
        ];
        let ended: u64 = ended.iter().map(|counter| counter.total()).sum();
        let held = u64::try_from(gauges.notifications).expect("few are held");
        assert!(self.is_stopped || stored <= ended + held, "a notification is accounted for");
        for fact in self.server.knowledge() {
            assert!(fact.sample.is_none_or(|sample| sample.chars().count() <= 16), "{}", fact.what);
        }
    }
}

/// A command about a queue, and the id that it names.
fn write_command(
    queue: &Queue,
    at: usize,
    version: SmpVersion,
    script: &mut Script<'_>,
) -> (Vec<u8>, Vec<u8>) {
    let kind = script.below(15);
    let choice = script.byte();
    let public = |at| signer(at).public().expect("the algorithm is known");
    let message = [choice; 400];
    let (command, entity) = match u8::try_from(kind).expect("kinds are few") {
        NEW => {
            let new = NewQueue {
                auth: public(at),
                dh: x25519(9).public(),
                password: None,
                subscribe: if choice & 1 == 0 { SubscribeMode::OnlyCreate } else { SubscribeMode::Subscribe },
                request: [None, Some(QueueRequest::Messaging(None)), Some(QueueRequest::Contact(None))]
                    [usize::from(choice >> 1) % 3],
                notifier: (choice & 8 != 0)
                    .then(|| NotifierKeys { auth: public(at), dh: x25519(10).public() }),
            };
            (Command::New(new), vec![])
        }
        SUB => (Command::Sub, queue.recipient.clone()),
        GET => (Command::Get, queue.recipient.clone()),
        ACK => {
            let message = if choice & 1 == 0 { &queue.message[..] } else { &[] };
            (Command::Ack { message }, queue.recipient.clone())
        }
        SEND => {
            let message = &message[..usize::from(choice)];
            (Command::Send { notify: choice & 1 == 1, message }, queue.sender.clone())
        }
        NKEY => (Command::Nkey { notifier: public(at), dh: x25519(10).public() }, queue.recipient.clone()),
        NSUB => (Command::Nsub, queue.notifier.clone()),
        DEL => (Command::Del, queue.recipient.clone()),
        8 => (Command::Ndel, queue.recipient.clone()),
        9 => (Command::Off, queue.recipient.clone()),
        10 => (Command::Key { sender: public(at) }, queue.recipient.clone()),
        11 => (Command::Skey { sender: public(at) }, queue.sender.clone()),
        12 => (Command::Que, queue.recipient.clone()),
        13 => (Command::Ping, vec![]),
        _ => {
            let entity = [&queue.recipient, &queue.sender, &queue.notifier][usize::from(choice) % 3];
            return (script.short().into(), entity.clone());
        }
    };
    let mut out = vec![];
    command.encode(version, &mut out);
    (out, entity)
}

fn signer(number: usize) -> AuthPrivateKey {
    let number = u8::try_from(number).expect("queues are few");
    match number {
        1 => x25519(20).into(),
        _ => Ed25519Private::from_seed([20 + number; 32]).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_deliver_and_notify() {
        for (number, script) in scripts().enumerate() {
            let mut world = World::new();
            world.run(&mut Script::new(&script));
            let counters = world.server.counters();
            let done = (world.notified > 0, counters.messages_acknowledged.total() > 0);
            assert_eq!(done, (true, true), "script {number}: {counters:?}");
        }
    }
}
