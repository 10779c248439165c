//! Peers that do not keep to the protocol: each costs itself the link, and nobody else anything.

use super::pair::{address, admitted, at, credentials, order, transport};
use crate::base::id::LinkId;
use crate::base::limits::RELAY_BLOCK_LEN;
use crate::base::rng::Seed;
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::machine::{Machine, Step};
use crate::model::push::{PushId, PushOrder, PushOutcome, PushResult};
use crate::relay::frame::{
    Answer, BlockWriter, Farewell, Frame, Frames, Hello, Order, Outcome, Room, VERSION, Welcome, block_of,
};
use crate::relay::push_end::{self, Config, Limits, PushEnd};
use crate::relay::subscriber_end::{self, SubscriberEnd};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use proptest::prelude::*;

/// A push server's end, and whoever connects to it.
struct Server {
    end: PushEnd,
    pushed: Vec<PushOrder>,
    said: Vec<(LinkId, String)>,
    closed: Vec<LinkId>,
    links: u64,
}

impl Server {
    fn new(limits: Limits) -> Self {
        let config = Config::new(vec![admitted("one", limits), admitted("two", limits)]);
        let end = PushEnd::new(config, at(0));
        Self { end, pushed: Vec::new(), said: Vec::new(), closed: Vec::new(), links: 0 }
    }

    fn give(&mut self, micros: u64, input: push_end::Input<'_>) {
        self.end.handle(at(micros), input);
        while let Step::Do(effect) = self.end.poll() {
            match effect {
                push_end::Effect::Order(order) => self.pushed.push(order),
                push_end::Effect::Link(LinkAction::Send { link, block }) => {
                    for frame in Frames::of(&block) {
                        let text = match frame.unwrap() {
                            Frame::Goodbye(why) => format!("{why:?}"),
                            frame => frame.kind().into(),
                        };
                        self.said.push((link, text));
                    }
                }
                push_end::Effect::Link(LinkAction::Close { link }) => self.closed.push(link),
                push_end::Effect::Link(LinkAction::Connect { .. }) => unreachable!("it opens no link"),
            }
        }
    }

    fn connect_as(&mut self, transport: Transport) -> LinkId {
        self.links += 1;
        let link = LinkId::accepted(self.links);
        self.give(0, push_end::Input::Link(LinkEvent::Up { link, transport }));
        link
    }

    fn say(&mut self, link: LinkId, mut block: Block) {
        self.give(0, push_end::Input::Link(LinkEvent::Block { link, block: &mut block }));
    }

    fn greet(&mut self, name: &str, instance: u8) -> LinkId {
        let link = self.connect_as(transport(name));
        self.say(link, hello(instance));
        link
    }

    fn said_on(&self, link: LinkId) -> Vec<&str> {
        self.said.iter().filter(|(on, _)| *on == link).map(|(_, text)| text.as_str()).collect()
    }
}

fn hello(instance: u8) -> Block {
    let instance = [instance; 16];
    block_of(&Frame::Hello(Hello { version_min: VERSION, version_max: VERSION, instance }))
}

fn asking(request: u64) -> Block {
    let order = order(1);
    block_of(&Frame::Order(Order::of(request, &order)))
}

#[test]
fn whoever_is_not_on_the_list_is_not_let_in() {
    let mut server = Server::new(Limits::default());
    let stranger = server.connect_as(transport("three"));
    let nameless = server.connect_as(Transport { peer_chain: Vec::new(), ..transport("one") });
    assert_eq!(server.closed, [stranger, nameless]);
    assert!(server.said.is_empty(), "they learn nothing");
    let links = server.end.counters().links;
    assert_eq!((links.strangers.total(), links.nameless.total(), links.accepted.total()), (1, 1, 0));
    // What they say afterwards is to nobody.
    server.say(stranger, hello(1));
    server.say(stranger, asking(1));
    assert!(server.pushed.is_empty() && server.said.is_empty());
}

#[test]
fn of_two_with_one_name_the_newer_is_served_and_the_older_is_told() {
    let mut server = Server::new(Limits::default());
    let older = server.greet("one", 1);
    let other = server.greet("two", 1);
    let newer = server.greet("one", 2);
    assert_eq!(server.said_on(older), ["welcome", "Replaced"]);
    assert_eq!(server.closed, [older]);
    server.say(older, asking(1));
    assert!(server.pushed.is_empty(), "the older is over");
    server.say(newer, asking(1));
    server.say(other, asking(1));
    assert_eq!(server.pushed.len(), 2);
    assert_eq!(server.end.links(), 2);
}

#[test]
fn links_that_never_say_hello_are_few_and_short() {
    let mut server = Server::new(Limits::default());
    let first = server.connect_as(transport("one"));
    for _ in 0..100 {
        server.connect_as(transport("one"));
    }
    assert_eq!(server.end.links(), 1);
    assert_eq!((server.closed.len(), server.closed[0]), (100, first));
    server.give(30_000_000, push_end::Input::Tick);
    assert_eq!(server.end.links(), 0);
    assert_eq!(server.end.counters().links.silent.total(), 1);
}

#[test]
fn a_subscriber_that_ignores_its_credits_loses_its_link() {
    let mut server = Server::new(Limits { credits: 3, ..Limits::default() });
    let link = server.greet("one", 1);
    for request in 1..=3 {
        server.say(link, asking(request));
    }
    server.say(link, asking(3));
    assert_eq!(server.pushed.len(), 3, "the same again is no further order");
    server.say(link, asking(4));
    assert_eq!(server.said_on(link), ["welcome", "Credits"]);
    assert_eq!((server.pushed.len(), server.end.links(), server.closed.len()), (3, 0, 1));
    // Coming back does not help: what is in hand is counted whatever the link or the instance.
    for instance in 2..100 {
        let link = server.greet("one", instance);
        for request in 1..=3 {
            server.say(link, asking(request));
        }
    }
    assert_eq!((server.pushed.len(), server.end.in_hand()), (3, 3));
}

#[test]
fn a_subscriber_that_asks_again_and_again_pushes_once() {
    let mut server = Server::new(Limits::default());
    for _ in 0..20 {
        let link = server.greet("one", 1);
        server.say(link, asking(1));
    }
    assert_eq!(server.pushed.len(), 1);
    let outcome = PushOutcome { id: server.pushed[0].id, result: PushResult::Accepted };
    server.give(0, push_end::Input::Outcome(outcome));
    for _ in 0..20 {
        let link = server.greet("one", 1);
        server.say(link, asking(1));
        assert_eq!(server.said_on(link), ["welcome", "outcome"]);
    }
    assert_eq!(server.pushed.len(), 1);
    assert_eq!(server.end.counters().orders.remembered.total(), 20);
}

#[test]
fn what_cannot_be_understood_ends_the_link() {
    let goodbye = |server: &Server, link| server.said_on(link).last().map(|text| String::from(*text));
    for (what, block) in [
        ("an order before the hello", asking(1)),
        ("nonsense before the hello", vec![0xff; RELAY_BLOCK_LEN].into()),
    ] {
        let mut server = Server::new(Limits::default());
        let link = server.connect_as(transport("one"));
        server.say(link, block);
        assert_eq!(goodbye(&server, link).as_deref(), Some("Fault"), "{what}");
        assert!(server.pushed.is_empty());
    }
    for (what, block) in [
        ("a second hello", hello(1)),
        ("a welcome", block_of(&Frame::Welcome(Welcome { version: VERSION, credits: 1 }))),
        (
            "an outcome",
            block_of(&Frame::Outcome(Outcome { request: 1, result: Answer::Accepted { device: None } })),
        ),
        ("credits", block_of(&Frame::Credits(1))),
        ("drain", block_of(&Frame::Drain)),
        ("nonsense", vec![0xff; RELAY_BLOCK_LEN].into()),
    ] {
        let mut server = Server::new(Limits::default());
        let link = server.greet("one", 1);
        server.say(link, block);
        assert_eq!(goodbye(&server, link).as_deref(), Some("Fault"), "{what}");
        assert_eq!(server.end.links(), 0, "{what}");
    }
}

#[test]
fn a_version_that_is_not_spoken_here_is_refused_in_words() {
    let mut server = Server::new(Limits::default());
    for (version_min, version_max, ok) in
        [(1, 1, true), (0, 9, true), (2, 9, false), (0, 0, false), (9, 1, false)]
    {
        let link = server.connect_as(transport("one"));
        server.say(link, block_of(&Frame::Hello(Hello { version_min, version_max, instance: [1; 16] })));
        let expected = if ok { "welcome" } else { "Version" };
        assert_eq!(server.said_on(link).first(), Some(&expected), "{version_min} to {version_max}");
    }
}

#[test]
fn a_subscriber_that_reads_nothing_is_closed_before_it_costs_much() {
    let mut server = Server::new(Limits::default());
    let link = server.greet("one", 1);
    for _ in 0..200 {
        server.say(link, block_of(&Frame::Ping));
    }
    // Nothing was ever reported as sent: blocks stop at the window, and pings owe one pong.
    assert!(server.said_on(link).len() <= 66, "{}", server.said_on(link).len());
}

/// A subscriber's end, and whoever answers it.
struct Client {
    end: SubscriberEnd,
    link: Option<LinkId>,
    outcomes: Vec<PushOutcome>,
    asked: Vec<u64>,
}

impl Client {
    fn new() -> Self {
        let config = subscriber_end::Config::new(address(), credentials("one"));
        let end = SubscriberEnd::new(config, &Seed::from_number(1), at(0));
        let mut client = Self { end, link: None, outcomes: Vec::new(), asked: Vec::new() };
        client.drain();
        client
    }

    fn give(&mut self, micros: u64, input: subscriber_end::Input<'_>) {
        self.end.handle(at(micros), input);
        self.drain();
    }

    fn drain(&mut self) {
        while let Step::Do(effect) = self.end.poll() {
            match effect {
                subscriber_end::Effect::Link(LinkAction::Connect { link, .. }) => self.link = Some(link),
                subscriber_end::Effect::Link(LinkAction::Close { .. }) => self.link = None,
                subscriber_end::Effect::Link(LinkAction::Send { block, .. }) => {
                    for frame in Frames::of(&block) {
                        if let Frame::Order(order) = frame.unwrap() {
                            self.asked.push(order.request);
                        }
                    }
                }
                subscriber_end::Effect::Outcome(outcome) => self.outcomes.push(outcome),
                subscriber_end::Effect::Recognised { .. } => {}
            }
        }
    }

    fn open(&mut self, micros: u64, credits: u32) {
        let link = self.link.unwrap();
        let transport = transport("push server");
        self.give(micros, subscriber_end::Input::Link(LinkEvent::Up { link, transport }));
        self.hear(micros, block_of(&Frame::Welcome(Welcome { version: VERSION, credits })));
    }

    fn hear(&mut self, micros: u64, mut block: Block) {
        let link = self.link.unwrap();
        self.give(micros, subscriber_end::Input::Link(LinkEvent::Block { link, block: &mut block }));
    }
}

#[test]
fn a_push_server_that_talks_nonsense_is_left_and_asked_again_later() {
    let accepted = Answer::Accepted { device: None };
    for (what, block) in [
        ("nonsense", vec![0xff; RELAY_BLOCK_LEN].into()),
        (
            "an outcome of what was not asked",
            block_of(&Frame::Outcome(Outcome { request: 9, result: accepted })),
        ),
        ("a hello", hello(1)),
        ("a second welcome", block_of(&Frame::Welcome(Welcome { version: VERSION, credits: 1 }))),
        ("an order", asking(1)),
    ] {
        let mut client = Client::new();
        client.open(0, 10);
        client.give(0, subscriber_end::Input::Order(order(5)));
        assert_eq!(client.asked, [1], "{what}");
        client.hear(0, block);
        assert_eq!((client.link, client.end.counters().faults.total()), (None, 1), "{what}");
        assert!(client.outcomes.is_empty(), "{what}: the order is still wanted");
        client.give(1_000_000, subscriber_end::Input::Tick);
        client.open(1_000_000, 10);
        assert_eq!(client.asked, [1, 1], "{what}: the same number");
    }
}

#[test]
fn a_push_server_that_answers_twice_is_caught() {
    let mut client = Client::new();
    client.open(0, 10);
    client.give(0, subscriber_end::Input::Order(order(5)));
    let outcome = Outcome { request: 1, result: Answer::Accepted { device: None } };
    let mut writer = BlockWriter::new();
    assert_eq!(writer.push(&Frame::Outcome(outcome)), Ok(Room::Yes));
    assert_eq!(writer.push(&Frame::Outcome(outcome)), Ok(Room::Yes));
    client.hear(0, writer.finish().unwrap());
    assert_eq!(client.outcomes, [PushOutcome { id: PushId(5), result: PushResult::Accepted }]);
    assert_eq!(client.end.counters().faults.total(), 1);
}

#[test]
fn pauses_and_credits_beyond_reason_are_cut() {
    let mut client = Client::new();
    client.open(0, u32::MAX);
    client.give(0, subscriber_end::Input::Order(order(5)));
    let result = Answer::TryLater { after_millis: u64::MAX };
    client.hear(0, block_of(&Frame::Outcome(Outcome { request: 1, result })));
    let later = PushResult::TryLater { after: Duration::from_secs(3600) };
    assert_eq!(client.outcomes, [PushOutcome { id: PushId(5), result: later }]);
}

#[test]
fn one_that_was_replaced_does_not_hurry_back() {
    let mut client = Client::new();
    client.open(0, 10);
    client.hear(0, block_of(&Frame::Goodbye(Farewell::Replaced)));
    assert_eq!(client.end.counters().replaced.total(), 1);
    client.give(14_000_000, subscriber_end::Input::Tick);
    assert_eq!(client.link, None, "the longest pause, of 15 to 30 seconds");
    client.give(30_000_000, subscriber_end::Input::Tick);
    assert!(client.link.is_some());
}

#[test]
fn a_push_server_that_falls_silent_is_given_up_within_forty_seconds() {
    let mut client = Client::new();
    client.open(0, 10);
    client.give(20_000_000, subscriber_end::Input::Tick);
    client.give(30_000_000, subscriber_end::Input::Tick);
    assert!(client.link.is_some());
    client.give(40_000_000, subscriber_end::Input::Tick);
    assert_eq!((client.link, client.end.counters().silent.total()), (None, 1));
}

#[test]
fn a_stopped_end_is_idle_for_ever() {
    let mut client = Client::new();
    client.open(0, 10);
    client.give(0, subscriber_end::Input::Order(order(5)));
    client.give(0, subscriber_end::Input::Stop);
    assert_eq!((client.link, client.end.held()), (None, 0));
    client.give(1, subscriber_end::Input::Order(order(6)));
    assert!(matches!(client.end.poll(), Step::Idle(None)));
    let mut server = Server::new(Limits::default());
    let link = server.greet("one", 1);
    server.give(0, push_end::Input::Stop);
    assert_eq!(server.said_on(link), ["welcome", "Leaving"]);
    assert_eq!((server.end.links(), server.closed.len()), (0, 1));
    assert!(matches!(server.end.poll(), Step::Idle(None)));
}

proptest! {
    #[test]
    fn no_sequence_of_blocks_harms_a_push_server(
        script in prop::collection::vec((0_u8..12, 0_u64..8, any::<u8>()), 0..120),
    ) {
        let limits = Limits { credits: 4, ..Limits::default() };
        let mut server = Server::new(limits);
        let mut links = Vec::new();
        for (choice, number, byte) in script {
            let link = links.get(usize::from(byte) % links.len().max(1)).copied();
            match (choice, link) {
                (0, _) | (_, None) => links.push(server.connect_as(transport(["one", "two", "three"][usize::from(byte % 3)]))),
                (1, _) => links.push(server.greet(["one", "two"][usize::from(byte % 2)], byte / 64)),
                (2, Some(link)) => server.say(link, hello(byte)),
                (3..=6, Some(link)) => server.say(link, asking(number)),
                (7, Some(link)) => server.say(link, vec![byte; RELAY_BLOCK_LEN].into()),
                (8, Some(link)) => server.give(0, push_end::Input::Link(LinkEvent::Down { link, reason: DownReason::Closed })),
                (9, _) => {
                    let id = PushId(number);
                    server.give(0, push_end::Input::Outcome(PushOutcome { id, result: PushResult::Accepted }));
                }
                (10, Some(link)) => server.give(0, push_end::Input::Link(LinkEvent::Sent { link, blocks: u32::from(byte) })),
                (_, Some(link)) => server.say(link, block_of(&Frame::Ping)),
            }
            prop_assert!(server.end.links() <= 4, "two for each that is served");
            prop_assert!(server.end.in_hand() <= 8, "the credits of both");
            let orders = server.end.counters().orders;
            let ended = orders.handed_on.total() + orders.repeated.total() + orders.remembered.total()
                + orders.busy.total() + orders.throttled.total() + orders.forgotten.total();
            let overdrawn = server.end.counters().links.overdrawn.total();
            prop_assert_eq!(orders.received.total(), ended + overdrawn);
        }
    }

    #[test]
    fn no_sequence_of_blocks_harms_a_subscriber(
        script in prop::collection::vec((0_u8..10, 0_u64..8, any::<u8>()), 0..120),
    ) {
        let mut client = Client::new();
        let (mut now, mut ordered) = (0, 0_usize);
        for (choice, number, byte) in script {
            now += u64::from(byte) * 20_000;
            match (choice, client.link) {
                (0..=2, _) | (_, None) => {
                    client.give(now, subscriber_end::Input::Order(order(number)));
                    ordered += 1;
                }
                (3, Some(_)) => client.open(now, u32::from(byte % 4)),
                (4, Some(_)) => {
                    let result = Answer::Accepted { device: None };
                    client.hear(now, block_of(&Frame::Outcome(Outcome { request: number, result })));
                }
                (5, Some(_)) => client.hear(now, vec![byte; RELAY_BLOCK_LEN].into()),
                (6, Some(_)) => client.hear(now, block_of(&Frame::Credits(byte.into()))),
                (7, Some(link)) => {
                    let reason = DownReason::Broken;
                    client.link = None;
                    client.give(now, subscriber_end::Input::Link(LinkEvent::Down { link, reason }));
                }
                (8, Some(_)) => client.hear(now, block_of(&Frame::Goodbye(Farewell::Leaving))),
                (_, Some(_)) => client.give(now, subscriber_end::Input::Tick),
            }
            prop_assert_eq!(ordered, client.outcomes.len() + client.end.held(), "each order ends once");
        }
    }
}
