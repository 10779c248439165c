//! The client engine in virtual time, against the server's end and against nobody.

use super::*;
use crate::base::id::LinkId;
use crate::link::dialect::Smp;
use crate::link::engine::{ClientEvent, Engine, EnginePlan, Inbox, LinkNumbers, NtfClient};
use crate::link::event::{DownReason, LinkAction, LinkEvent};
use crate::link::requester::NotSent;
use crate::link::responder::Credential;
use crate::model::server::ServerAddress;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use alloc::format;
use alloc::string::String;
use core::time::Duration;

/// A client, the network, and a server that knows one key.
struct World {
    credentials: ServerCredentials,
    client: Engine<Smp, u32>,
    numbers: LinkNumbers,
    server: Option<Responder<Smp>>,
    link: Option<LinkId>,
    actions: Vec<String>,
    events: Vec<String>,
    is_answering: bool,
}

fn address(credentials: &ServerCredentials) -> ServerAddress {
    ServerAddress {
        hosts: vec!["smp.example".into()],
        port: "".into(),
        identity: credentials.identity().unwrap(),
    }
}

impl World {
    fn new() -> Self {
        let credentials = credentials(1);
        let client = Engine::new(address(&credentials), EnginePlan::default(), &Seed::from_number(4));
        Self {
            credentials,
            client,
            numbers: LinkNumbers::default(),
            server: None,
            link: None,
            actions: Vec::new(),
            events: Vec::new(),
            is_answering: true,
        }
    }

    /// A world in which the link is open at second 0.
    fn open() -> Self {
        let mut world = Self::new();
        world.client.connect(now(0));
        world.drain(now(0));
        world.up(now(0));
        assert_eq!(world.take_events(), ["ready 18"]);
        world.take_actions();
        world
    }

    /// TLS comes up.
    fn up(&mut self, now: Now) {
        let link = self.link.unwrap();
        let Tls { client, server } = Tls::new(&self.credentials);
        self.server =
            Some(Responder::accept(&server, &self.credentials, Smp::VERSIONS, &mut keys(1)).unwrap());
        self.event(now, LinkEvent::Up { link, transport: client });
        self.deliver(now);
    }

    fn down(&mut self, now: Now, reason: DownReason) {
        let link = self.link.unwrap();
        self.server = None;
        self.event(now, LinkEvent::Down { link, reason });
    }

    fn event(&mut self, now: Now, event: LinkEvent<'_>) {
        let mut inbox = self.client.on_link(now, event);
        self.note(&mut inbox);
        self.drain(now);
    }

    fn tick(&mut self, now: Now) {
        self.client.tick(now);
        self.note(&mut Inbox::default());
        self.drain(now);
    }

    fn nsub(&mut self, now: Now, tag: u32) -> Result<(), NotSent> {
        let result = self.client.request(now, Some(&entity(1)), Some(&ed25519_key(7)), &Command::Nsub, tag);
        self.drain(now);
        result
    }

    /// Performs the client's actions, and the server's answers if it gives any.
    fn drain(&mut self, now: Now) {
        while let Some(action) = self.client.poll(&mut self.numbers) {
            match action {
                LinkAction::Connect { link, .. } => {
                    self.link = Some(link);
                    self.actions.push("connect".into());
                }
                LinkAction::Close { link } => {
                    assert_eq!(self.link, Some(link));
                    self.actions.push("close".into());
                }
                LinkAction::Send { link, mut block } => {
                    assert_eq!(self.link, Some(link));
                    self.actions.push("send".into());
                    if self.is_answering
                        && let Some(server) = &mut self.server
                    {
                        let key = ed25519_key(7).public().unwrap();
                        let mut requests = server.on_block(&mut block).unwrap();
                        while let Some(request) = server.next_request(&mut requests) {
                            let (credential, answer) = if matches!(request.command(), Command::Ping) {
                                (Credential::Open, Message::Pong)
                            } else {
                                (Credential::Key(&key), Message::Sok { service: None })
                            };
                            let done = server.verify(request, credential).unwrap();
                            server.reply(done.reply_to(), &answer);
                        }
                    }
                    let mut inbox = self.client.on_link(now, LinkEvent::Sent { link, blocks: 1 });
                    self.note(&mut inbox);
                }
            }
        }
        self.deliver(now);
    }

    /// Hands the server's blocks to the client.
    fn deliver(&mut self, now: Now) {
        while let Some(mut block) = self.server.as_mut().and_then(Responder::take_block) {
            let link = self.link.unwrap();
            self.event(now, LinkEvent::Block { link, block: &mut block });
        }
    }

    fn note(&mut self, inbox: &mut Inbox<'_>) {
        while let Some(event) = self.client.next(inbox) {
            self.events.push(match event {
                ClientEvent::Ready { version } => format!("ready {}", version.0),
                ClientEvent::Reply { tag, timeliness, result } => format!("{tag} {timeliness:?} {result:?}"),
                ClientEvent::Unasked { entity, message } => format!("{} unasked {message:?}", entity[0]),
                ClientEvent::TimedOut { tag } => format!("{tag} timed out"),
                ClientEvent::Lost { tag } => format!("{tag} lost"),
                ClientEvent::Down { why, .. } => format!("down {why:?}"),
                ClientEvent::Unreachable { why, .. } => format!("unreachable {why:?}"),
                ClientEvent::Stray(stray) => format!("{stray:?}"),
            });
        }
    }

    /// Lets time pass up to `end`, in steps of the client's deadlines.
    fn run_until(&mut self, end: Now) {
        while let Some(deadline) = self.client.deadline().filter(|deadline| deadline.at <= end.mono) {
            let now = Now { mono: deadline.at, ..end };
            self.tick(now);
            assert_ne!(self.client.deadline(), Some(deadline), "a deadline makes progress");
        }
    }

    fn take_events(&mut self) -> Vec<String> {
        core::mem::take(&mut self.events)
    }

    fn take_actions(&mut self) -> Vec<String> {
        core::mem::take(&mut self.actions)
    }
}

#[test]
fn nothing_happens_until_a_connection_is_wanted() {
    let mut world = World::new();
    world.tick(now(1000));
    assert_eq!(world.client.deadline(), None);
    assert_eq!(world.nsub(now(1000), 1), Err(NotSent::NotReady));
    assert_eq!((world.take_actions(), world.take_events()), (vec![], vec![]));
}

#[test]
fn a_request_is_answered() {
    let mut world = World::open();
    assert_eq!(world.nsub(now(1), 5), Ok(()));
    assert_eq!(world.take_events(), ["5 InTime Ok(SOK)"]);
    assert_eq!((world.client.in_flight(), world.client.room()), (0, 4096));
}

#[test]
fn a_second_connect_changes_nothing() {
    let mut world = World::open();
    world.client.connect(now(1));
    world.drain(now(1));
    assert_eq!(world.take_actions(), Vec::<String>::new());
}

#[test]
fn a_lost_link_gives_its_requests_back_and_is_opened_again() {
    let mut world = World::open();
    world.is_answering = false;
    assert_eq!(world.nsub(now(1), 5), Ok(()));
    assert_eq!(world.nsub(now(1), 6), Ok(()));
    world.take_actions();
    let first = world.link;
    world.down(now(2), DownReason::Broken);
    assert_eq!(world.take_events(), ["down Down(Broken)", "5 lost", "6 lost"]);
    assert_eq!(world.client.room(), 0);
    let retry = world.client.deadline().unwrap();
    assert_eq!(retry.reason, "reconnect");
    assert!(retry.at > now(2).mono && retry.at <= now(3).mono, "within the first delay");
    world.run_until(now(3));
    assert_eq!(world.take_actions(), ["connect"]);
    assert_ne!(world.link, first, "links are not reused");
    world.is_answering = true;
    world.up(now(3));
    assert_eq!(world.take_events(), ["ready 18"]);
}

#[test]
fn events_of_a_former_link_are_ignored() {
    let mut world = World::open();
    let former = world.link.unwrap();
    world.down(now(1), DownReason::Closed);
    world.run_until(now(3));
    world.up(now(3));
    world.take_events();
    let mut block = vec![0; 16384];
    for event in [
        LinkEvent::Block { link: former, block: &mut block },
        LinkEvent::Sent { link: former, blocks: 9 },
        LinkEvent::Down { link: former, reason: DownReason::Closed },
    ] {
        world.event(now(4), event);
    }
    assert_eq!(world.take_events(), Vec::<String>::new());
    assert!(world.client.is_ready());
}

#[test]
fn failed_attempts_are_repeated_with_growing_delays() {
    let mut world = World::new();
    world.client.connect(now(0));
    world.drain(now(0));
    let mut at = now(0);
    let mut delays = Vec::new();
    for _ in 0..8 {
        world.down(at, DownReason::Unreachable);
        let until = world.client.deadline().unwrap().at;
        delays.push(until.since(at.mono));
        at.mono = until;
        world.tick(at);
    }
    assert_eq!(world.take_events(), vec!["unreachable Down(Unreachable)"; 8]);
    assert!(delays[0] <= Duration::from_secs(1));
    assert!(delays[7] >= Duration::from_secs(15) && delays[7] <= Duration::from_secs(30), "{delays:?}");
}

#[test]
fn a_server_that_only_says_hello_is_tried_ever_more_seldom() {
    let mut world = World::new();
    world.client.connect(now(0));
    world.drain(now(0));
    let mut at = now(0);
    for _ in 0..8 {
        world.up(at);
        world.down(at, DownReason::Closed);
        let until = world.client.deadline().unwrap().at;
        assert!(until > at.mono);
        at.mono = until;
        world.tick(at);
    }
    assert!(at.mono >= now(45).mono, "eight pauses that grow");
    world.up(at);
    assert_eq!(world.nsub(at, 5), Ok(()));
    world.down(at, DownReason::Closed);
    let pause = world.client.deadline().unwrap().at.since(at.mono);
    assert!(pause <= Duration::from_secs(1), "one that answers is tried soon: {pause:?}");
}

#[test]
fn a_server_that_does_not_say_hello_is_left() {
    let mut world = World::new();
    world.client.connect(now(0));
    world.drain(now(0));
    let Tls { client, .. } = Tls::new(&world.credentials);
    let link = world.link.unwrap();
    world.event(now(5), LinkEvent::Up { link, transport: client });
    world.run_until(now(45));
    assert_eq!(world.take_actions(), ["connect", "close"]);
    assert_eq!(world.take_events(), ["unreachable ConnectTimeout"]);
}

#[test]
fn a_server_with_a_wrong_hello_is_left() {
    let mut world = World::new();
    world.client.connect(now(0));
    world.drain(now(0));
    let Tls { client, .. } = Tls::new(&world.credentials);
    let link = world.link.unwrap();
    world.event(now(1), LinkEvent::Up { link, transport: client });
    let mut block = vec![0; 16384];
    world.event(now(1), LinkEvent::Block { link, block: &mut block });
    assert_eq!(world.take_actions(), ["connect", "close"]);
    assert_eq!(world.take_events(), ["unreachable Fault(Hello(Truncated { field: \"version range\" }))"]);
    world.run_until(now(3));
    assert_eq!(world.take_actions(), ["connect"], "it may have been mended meanwhile");
}

#[test]
fn a_request_times_out_and_its_late_reply_is_told() {
    let mut world = World::open();
    assert_eq!(world.nsub(now(1), 5), Ok(()));
    world.take_events();
    world.is_answering = false;
    let server = world.server.take();
    assert_eq!(world.nsub(now(2), 6), Ok(()));
    world.run_until(now(31));
    assert_eq!(world.take_events(), Vec::<String>::new());
    world.run_until(now(32));
    assert_eq!(world.take_events(), ["6 timed out"]);
    drop(server);
    assert_eq!(world.client.in_flight(), 1, "the PING that looks into it");
}

#[test]
fn a_watched_link_is_pinged_every_minute_of_silence() {
    let mut world = World::open();
    assert_eq!(world.nsub(now(1), 5), Ok(()));
    world.take_actions();
    world.take_events();
    world.run_until(now(60));
    assert_eq!(world.take_actions(), Vec::<String>::new());
    world.run_until(now(241));
    assert_eq!(world.take_actions(), vec!["send"; 4]);
    assert_eq!(world.take_events(), Vec::<String>::new(), "answers to PING are not told");
    assert_eq!(world.client.in_flight(), 0);
}

#[test]
fn an_idle_link_without_subscriptions_is_left_alone() {
    let mut world = World::open();
    let get = Command::Get;
    world.client.request(now(1), Some(&entity(1)), Some(&ed25519_key(7)), &get, 5).unwrap();
    world.drain(now(1));
    assert_eq!(world.take_events(), ["5 InTime Ok(SOK)"]);
    assert_eq!(world.client.deadline(), None);
}

#[test]
fn a_dead_server_is_found_in_minutes() {
    let mut world = World::open();
    assert_eq!(world.nsub(now(1), 5), Ok(()));
    world.take_actions();
    world.take_events();
    world.is_answering = false;
    world.run_until(now(120));
    assert_eq!(world.take_actions(), ["send", "send"]);
    world.run_until(now(121));
    assert_eq!(world.take_actions(), ["close"]);
    assert_eq!(world.take_events(), ["down Silent"]);
    world.run_until(now(123));
    assert_eq!(world.take_actions(), ["connect"]);
}

#[test]
fn a_server_that_went_silent_under_requests_is_found_sooner() {
    let mut world = World::open();
    world.is_answering = false;
    let get = Command::Get;
    world.client.request(now(1), Some(&entity(1)), Some(&ed25519_key(7)), &get, 5).unwrap();
    world.drain(now(1));
    world.run_until(now(91));
    assert_eq!(world.take_events(), ["5 timed out", "down Silent"]);
}

#[test]
fn disconnecting_sends_what_was_asked_and_then_rests() {
    let mut world = World::open();
    let key = ed25519_key(7);
    world.client.request(now(1), Some(&entity(1)), Some(&key), &Command::Nsub, 5).unwrap();
    world.client.disconnect();
    world.is_answering = false;
    world.note(&mut Inbox::default());
    assert_eq!(world.take_events(), ["down Asked", "5 lost"]);
    world.drain(now(1));
    assert_eq!(world.take_actions(), ["send", "close"]);
    assert_eq!((world.client.deadline(), world.client.is_wanted()), (None, false));
    world.down(now(2), DownReason::Asked);
    assert_eq!(world.take_events(), Vec::<String>::new());
}

#[test]
fn many_subscriptions_go_through_in_slices() {
    let mut world = World::open();
    let (mut asked, mut answered) = (0, 0);
    while answered < 20_000 {
        while asked < 20_000 && world.client.room() > 0 {
            let entity = EntityId::new(&u32::to_be_bytes(asked + 1)).unwrap();
            // Without a signature each, so that the test is quick; the server refuses all of them.
            world.client.request(now(1), Some(&entity), None, &Command::Nsub, asked).unwrap();
            asked += 1;
        }
        assert!(world.client.in_flight() <= 4096);
        answered += world.refuse_all(now(1));
    }
    assert_eq!((asked, answered), (20_000, 20_000));
    assert_eq!(world.client.in_flight(), 0);
}

impl World {
    /// Carries all blocks both ways at a server that refuses everything; counts the replies.
    fn refuse_all(&mut self, now: Now) -> u32 {
        let (link, mut replies) = (self.link.unwrap(), 0);
        while let Some(LinkAction::Send { mut block, .. }) = self.client.poll(&mut self.numbers) {
            let server = self.server.as_mut().unwrap();
            let mut requests = server.on_block(&mut block).unwrap();
            assert!(server.next_request(&mut requests).is_none());
            self.client.on_link(now, LinkEvent::Sent { link, blocks: 1 });
        }
        while let Some(mut block) = self.server.as_mut().and_then(Responder::take_block) {
            let mut inbox = self.client.on_link(now, LinkEvent::Block { link, block: &mut block });
            while let Some(event) = self.client.next(&mut inbox) {
                assert!(matches!(event, ClientEvent::Reply { result: Ok(Message::Err(_)), .. }));
                replies += 1;
            }
        }
        replies
    }
}

#[test]
fn engines_of_one_role_share_no_keys() {
    let credentials = credentials(1);
    let hello = |seed| {
        let mut client = NtfClient::<u32>::new(address(&credentials), EnginePlan::default(), &seed);
        client.connect(now(0));
        let mut numbers = LinkNumbers::default();
        let Some(LinkAction::Connect { link, .. }) = client.poll(&mut numbers) else { panic!("connects") };
        let tls = Tls::new(&credentials);
        client.on_link(now(0), LinkEvent::Up { link, transport: tls.client });
        let mut server = Responder::<crate::link::dialect::Ntf>::accept(
            &tls.server,
            &credentials,
            crate::link::dialect::Ntf::VERSIONS,
            &mut keys(1),
        )
        .unwrap();
        let mut block = server.take_block().unwrap();
        client.on_link(now(0), LinkEvent::Block { link, block: &mut block });
        let ping = crate::wire::ntf::command::Command::Ping;
        client.request(now(0), None, None, &ping, 1).unwrap();
        let mut sent = Vec::new();
        while let Some(LinkAction::Send { block, .. }) = client.poll(&mut numbers) {
            sent.push(block);
        }
        sent
    };
    assert_eq!(hello(Seed::from_number(1)), hello(Seed::from_number(1)), "the same seed, the same bytes");
    assert_ne!(hello(Seed::from_number(1))[1], hello(Seed::from_number(2))[1]);
}
