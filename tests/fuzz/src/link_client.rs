//! A link as its client: whatever the server sends, and whenever.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private};
use ntf_core::link::dialect::{Dialect, Ntf, Smp};
use ntf_core::link::engine::{ClientEvent, Engine, EnginePlan, Inbox, LinkNumbers};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent};
use ntf_core::link::requester::{NotSent, Timeliness};
use ntf_core::link::state::BlockEncryption;
use ntf_core::wire::block::Layout;
use ntf_core::wire::transmission::write_body;
use ntf_core::wire::version::{Version, VersionRange};
use ntf_core::wire::{ntf, smp};

use crate::peer::{Channel, ServerEnd, address, transport, x25519};
use crate::script::{Pen, Script};

/// Input: one byte for protocol, encryption and ALPN, then what happens.
pub fn link_client(data: &[u8]) {
    let mut script = Script::new(data);
    let setup = script.byte();
    match setup & 1 {
        0 => World::<Smp>::new(setup).run(&mut script),
        _ => World::<Ntf>::new(setup).run(&mut script),
    }
}

pub fn scripts() -> impl Iterator<Item = Vec<u8>> {
    // Connects, gets a hello of all versions, asks two things. Then right answers, answers to another entity,
    // late ones; the end of the link; blocks that are none.
    let answer = |known, whose| [TELL, 0, known, 9, whose, OK];
    (0..8).flat_map(move |setup| {
        let open = || {
            Pen::default()
                .bytes(&[setup, CONNECT, UP, HELLO, 0, 0xff])
                .bytes(&[ASK, 0, 1, 0])
                .bytes(&[ASK, 1, 2, 1])
        };
        [
            open().bytes(&answer(0, RIGHT)).bytes(&answer(1, RIGHT)).bytes(&[WAIT, 5, DISCONNECT]).0,
            open().bytes(&answer(1, OTHER)).bytes(&[WAIT, 4]).bytes(&answer(0, RIGHT)).bytes(&[SENT, 9]).0,
            open().bytes(&[DOWN, 1, 0, WAIT, 3, UP, HELLO, 0, 0xff]).bytes(&[ASK, 0, 1, 0]).0,
            open().bytes(&[RAW_CONTENT, 0, 6, 1, 0, 3, 0, 0, 0, RAW_BLOCK]).short(b"#").0,
        ]
    })
}

const CONNECT: u8 = 0;
const UP: u8 = 1;
const HELLO: u8 = 2;
const RAW_HELLO: u8 = 3;
const ASK: u8 = 4;
const TELL: u8 = 5;
const RAW_CONTENT: u8 = 6;
const RAW_BLOCK: u8 = 7;
const SENT: u8 = 8;
const WAIT: u8 = 9;
const DOWN: u8 = 10;
const DISCONNECT: u8 = 11;
const OPERATIONS: usize = 12;

/// Whose answer the server gives, and which.
const RIGHT: u8 = 0;
const OTHER: u8 = 2;
const OK: u8 = 0;

/// Requests that may wait at a time.
const WINDOW: usize = 8;

/// PINGs go beyond the window; these are most that can wait at a time, given up after that many.
const PINGS: usize = 8;

pub trait Asks: Dialect {
    /// A command, and whether it needs an entity and an authorization.
    fn command(script: &mut Script<'_>) -> (Self::Command<'static>, bool);
}

impl Asks for Smp {
    fn command(script: &mut Script<'_>) -> (Self::Command<'static>, bool) {
        use smp::command::Command;
        match script.below(6) {
            0 => (Command::Nsub, true),
            1 => (Command::Sub, true),
            2 => (Command::Get, true),
            3 => (Command::Ack { message: &[7; 24] }, true),
            4 => (Command::Send { notify: true, message: &[8; 16_100] }, true),
            _ => (Command::Ping, false),
        }
    }
}

impl Asks for Ntf {
    fn command(script: &mut Script<'_>) -> (Self::Command<'static>, bool) {
        use ntf::command::Command;
        match script.below(4) {
            0 => (Command::Tchk, true),
            1 => (Command::Tvfy { code: &[7; 32] }, true),
            2 => (Command::Sdel, true),
            _ => (Command::Ping, false),
        }
    }
}

/// What has become of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Waits,
    TimedOut,
}

struct Known {
    corr: Vec<u8>,
    entity: Vec<u8>,
}

struct World<D: Dialect> {
    engine: Engine<D, u32>,
    links: LinkNumbers,
    now: Now,
    has_alpn: bool,
    link: Option<LinkId>,
    server: Server<D>,
    /// What the server has been asked on this link.
    known: Vec<Known>,
    used_corrs: BTreeSet<Vec<u8>>,
    fates: BTreeMap<u32, Fate>,
    next_tag: u32,
    answered: u32,
}

enum Server<D: Dialect> {
    Away,
    Up,
    Greeted(ServerEnd<D>),
    Open(Channel<D>),
}

impl<D: Asks> World<D> {
    fn new(setup: u8) -> Self {
        let mut plan = EnginePlan::<D>::default();
        plan.requester.in_flight_max = WINDOW;
        if setup & 2 != 0 {
            plan.encryption = BlockEncryption::Never;
        }
        Self {
            engine: Engine::new(address("server.example"), plan, &Seed::from_number(3)),
            links: LinkNumbers::default(),
            now: Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) },
            has_alpn: setup & 4 == 0,
            link: None,
            server: Server::Away,
            known: vec![],
            used_corrs: BTreeSet::new(),
            fates: BTreeMap::new(),
            next_tag: 0,
            answered: 0,
        }
    }

    fn run(&mut self, script: &mut Script<'_>) {
        for _ in 0..64 {
            if script.is_over() {
                break;
            }
            self.step(script);
            self.drain();
        }
        self.engine.disconnect();
        self.read(&mut Inbox::default());
        self.drain();
        assert!(!self.fates.values().any(|fate| *fate == Fate::Waits), "every request comes back");
        assert_eq!(self.engine.deadline(), None, "whoever wants nothing waits for nothing");
        assert_eq!(self.engine.in_flight(), 0);
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match u8::try_from(script.below(OPERATIONS)).expect("operations are few") {
            CONNECT => self.engine.connect(self.now),
            UP => {
                if let (Server::Away, Some(link)) = (&self.server, self.link) {
                    self.server = Server::Up;
                    let transport = transport(self.has_alpn, true);
                    self.hand_in(LinkEvent::Up { link, transport });
                }
            }
            HELLO => {
                let offer = if self.has_alpn { D::VERSIONS } else { D::VERSIONS_WITHOUT_ALPN };
                let number = |byte: u8| D::Version::from_number(byte.into());
                let (min, max) =
                    (number(script.byte()).max(offer.min()), number(script.byte()).min(offer.max()));
                let versions = VersionRange::new(min, max).unwrap_or(offer);
                let (server, mut hello) = ServerEnd::new(versions);
                if let (Server::Up, Some(link)) = (&self.server, self.link) {
                    self.server = Server::Greeted(server);
                    self.hand_in(LinkEvent::Block { link, block: &mut hello });
                    assert!(self.engine.is_ready(), "a good hello opens the link");
                }
            }
            RAW_HELLO => {
                let hello = Layout::plain(D::PROTOCOL).block(script.large());
                self.hand_in_block(hello.ok());
            }
            ASK => self.ask(script),
            TELL => self.tell(script),
            RAW_CONTENT => {
                let content = script.large();
                let block = match &mut self.server {
                    Server::Open(channel) => channel.seal(content),
                    Server::Away | Server::Up | Server::Greeted(_) => None,
                };
                self.hand_in_block(block);
            }
            RAW_BLOCK => {
                let mut block = script.short().to_vec();
                // Mostly of the right size: the rest is quickly told.
                if !script.flag() {
                    block.resize(D::PROTOCOL.block_len(), script.byte());
                }
                self.hand_in_block(Some(block));
            }
            SENT => {
                if let Some(link) = self.link {
                    self.hand_in(LinkEvent::Sent { link, blocks: script.byte().into() });
                }
            }
            WAIT => self.wait(script),
            DOWN => {
                let reason =
                    script.one_of(&[DownReason::Closed, DownReason::Unreachable, DownReason::Broken]);
                // Of this link, or of one that is long gone.
                let link = if script.flag() { Some(LinkId::opened(0)) } else { self.link };
                if let Some(link) = link {
                    self.hand_in(LinkEvent::Down { link, reason });
                }
            }
            _ => {
                self.engine.disconnect();
                self.read(&mut Inbox::default());
            }
        }
    }

    fn ask(&mut self, script: &mut Script<'_>) {
        let (command, needs_entity) = D::command(script);
        let entity = EntityId::new(&[script.byte().max(1); 24]);
        let entity = entity.filter(|_| needs_entity);
        let key = needs_entity.then(|| signer(script.byte()));
        let (tag, before) = (self.next_tag, self.engine.in_flight());
        match self.engine.request(self.now, entity.as_ref(), key.as_ref(), &command, tag) {
            Ok(()) => {
                assert_eq!(self.engine.in_flight(), before + 1);
                self.fates.insert(tag, Fate::Waits);
                self.next_tag += 1;
            }
            Err(NotSent::NotReady) => assert!(!self.engine.is_ready()),
            Err(NotSent::Full) => assert_eq!(self.engine.room(), 0),
            Err(NotSent::TooLong | NotSent::CannotAuthorize(_) | NotSent::NoService) => {
                assert_eq!(self.engine.in_flight(), before)
            }
        }
    }

    /// A block of answers and events: right ones, wrong ones, and ones that nobody waits for.
    fn tell(&mut self, script: &mut Script<'_>) {
        let Server::Open(channel) = &mut self.server else { return };
        let mut items = vec![];
        for _ in 0..=script.below(4) {
            let known = match self.known.len() {
                0 => None,
                len => self.known.get(script.below(len)),
            };
            let (corr, entity) = known.map_or((&[][..], &[][..]), |known| (&known.corr, &known.entity));
            let other = [script.byte(); 24];
            let (corr, entity) = match script.below(8) {
                0 | 1 => (corr, entity),
                2 => (corr, &other[..]),
                3 => (corr, &[][..]),
                4 => (&[][..], entity),
                5 => (&[][..], &[][..]),
                6 => (&other[..], entity),
                _ => (script.short(), script.short()),
            };
            let message = match script.below(8) {
                0 => b"OK",
                1 => b"PONG".as_slice(),
                2 => b"ERR AUTH",
                3 => b"ERR BLOCK",
                4 => b"END",
                5 => b"SOK 0",
                6 => b"TKN ACTIVE",
                _ => script.short(),
            };
            let mut body = vec![];
            write_body(corr, entity, &mut body, |out| out.extend_from_slice(message));
            items.push(channel.write(&[], None, &body));
        }
        let block = channel.seal_batch(&items);
        self.hand_in_block(block);
    }

    fn wait(&mut self, script: &mut Script<'_>) {
        let micros = script.one_of(&[0, 1_000, 1_000_000, 10_000_000, 30_000_000, 60_000_000, 1_200_000_000]);
        let until = self.now.mono + Duration::from_micros(micros);
        // Every deadline on the way is kept, and each brings the machine forward.
        for _ in 0..1_000 {
            let due = self.engine.deadline().filter(|deadline| deadline.at <= until);
            self.now.mono = due.map_or(until, |deadline| deadline.at.max(self.now.mono));
            self.engine.tick(self.now);
            let next = self.engine.deadline();
            assert!(next.is_none_or(|next| next.at > self.now.mono), "a deadline that was kept is over");
            self.read(&mut Inbox::default());
            self.drain();
            if due.is_none() {
                return;
            }
        }
        panic!("a thousand deadlines in {micros} µs");
    }

    fn hand_in_block(&mut self, block: Option<Vec<u8>>) {
        if let (Some(mut block), Some(link)) = (block, self.link) {
            self.hand_in(LinkEvent::Block { link, block: &mut block });
        }
    }

    fn hand_in(&mut self, event: LinkEvent<'_>) {
        if let LinkEvent::Down { link, .. } = event
            && Some(link) == self.link
        {
            self.part();
        }
        let mut inbox = self.engine.on_link(self.now, event);
        self.read(&mut inbox);
    }

    fn read(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(event) = self.engine.next(inbox) {
            match event {
                ClientEvent::Ready { version } => {
                    assert!(D::VERSIONS.contains(version));
                    assert_eq!(self.engine.version(), Some(version));
                }
                ClientEvent::Reply { tag, timeliness, .. } => {
                    let expected = match timeliness {
                        Timeliness::InTime => Fate::Waits,
                        Timeliness::Late => Fate::TimedOut,
                    };
                    assert_eq!(self.fates.remove(&tag), Some(expected), "a request is answered once");
                    self.answered += 1;
                }
                ClientEvent::Unasked { entity, .. } => assert!(!entity.is_empty()),
                ClientEvent::TimedOut { tag } => {
                    assert_eq!(self.fates.insert(tag, Fate::TimedOut), Some(Fate::Waits));
                }
                ClientEvent::Lost { tag } => assert_eq!(self.fates.remove(&tag), Some(Fate::Waits)),
                ClientEvent::Down { retry_at, .. } | ClientEvent::Unreachable { retry_at, .. } => {
                    assert!(retry_at.is_none_or(|at| at > self.now.mono));
                    assert!(!self.engine.is_ready());
                    // No late reply can come any more.
                    self.fates.retain(|_, fate| *fate == Fate::Waits);
                }
                ClientEvent::Stray(_) => {}
            }
        }
        assert!(self.engine.in_flight() <= WINDOW + PINGS, "{}", self.engine.in_flight());
    }

    /// Does what the engine asks, as the server sees it.
    fn drain(&mut self) {
        while let Some(action) = self.engine.poll(&mut self.links) {
            match action {
                LinkAction::Connect { link, protocol, server, showing, reach: _ } => {
                    assert!(showing.is_none(), "no service is offered");
                    assert_eq!((protocol, server), (D::PROTOCOL, address("server.example")));
                    assert_eq!(self.engine.link(), Some(link));
                    self.part();
                    self.link = Some(link);
                }
                LinkAction::Send { link, block } => {
                    assert_eq!(Some(link), self.link, "nothing is sent where no link is");
                    self.receive(block);
                }
                LinkAction::Close { link } => {
                    if Some(link) == self.link {
                        self.part();
                        self.hand_in(LinkEvent::Down { link, reason: DownReason::Asked });
                    }
                }
            }
        }
        assert!(self.engine.poll(&mut self.links).is_none(), "a drained engine is idle");
    }

    fn receive(&mut self, block: Box<[u8]>) {
        self.server = match std::mem::replace(&mut self.server, Server::Away) {
            // A hello that the fuzzer wrote; what it makes of the answer is its own affair.
            Server::Up => Server::Up,
            Server::Greeted(server) => Server::Open(server.open(&block)),
            Server::Open(mut channel) => {
                for told in channel.open(block) {
                    let command = D::decode_command(&told.command, channel.version);
                    assert!(command.is_ok(), "our commands can be read");
                    assert_eq!(told.corr.len(), 24);
                    assert!(
                        self.used_corrs.insert(told.corr.clone()),
                        "a correlation id is never used twice"
                    );
                    if !told.authorization.is_empty() {
                        let keys = [0, 1].map(|key| signer(key).public().expect("the algorithm is known"));
                        assert!(keys.iter().any(|key| channel.is_authorized(&told, key)));
                    }
                    self.known.push(Known { corr: told.corr, entity: told.entity });
                }
                Server::Open(channel)
            }
            Server::Away => panic!("a block before the link was up"),
        };
    }

    fn part(&mut self) {
        self.link = None;
        self.server = Server::Away;
        self.known.clear();
    }
}

fn signer(choice: u8) -> AuthPrivateKey {
    match choice & 1 {
        0 => Ed25519Private::from_seed([6; 32]).into(),
        _ => x25519(7).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_get_their_answers() {
        fn answered<D: Asks>(mut script: Script<'_>, setup: u8) -> u32 {
            let mut world = World::<D>::new(setup);
            world.run(&mut script);
            world.answered
        }
        for (number, bytes) in scripts().enumerate() {
            let mut script = Script::new(&bytes);
            let setup = script.byte();
            let count = match setup & 1 {
                0 => answered::<Smp>(script, setup),
                _ => answered::<Ntf>(script, setup),
            };
            // Without a session key one of the two requests is not made.
            let made = if setup & 4 == 0 { 2 } else { 1 };
            assert_eq!(count, [made, made, 0, 0][number % 4], "script {number}");
        }
    }
}
