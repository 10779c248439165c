//! A subscriber's end and a push server's end with a link between them, one step at a time.

use crate::base::id::LinkId;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Mono, Now, Wall};
use crate::crypto::cert::{ServerCredentials, identity_of};
use crate::crypto::keys::{Ed25519Private, SigningKey};
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::machine::{Machine, Step};
use crate::model::push::{PushId, PushOrder, PushOutcome, PushPayload, PushResult, Sealed};
use crate::model::server::{Fingerprint, ServerAddress};
use crate::model::token::{DeviceTag, DeviceToken, Provider};
use crate::relay::push_end::{self, Admitted, Limits, PushEnd};
use crate::relay::subscriber_end::{self, SubscriberEnd};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// Certificates as far as this layer looks at them: the second one is the identity.
pub(super) fn credentials(name: &str) -> ServerCredentials {
    let leaf_key = SigningKey::Ed25519(Ed25519Private::from_seed([1; 32]));
    ServerCredentials { chain: vec![Box::from(&b"leaf"[..]), Box::from(name.as_bytes())], leaf_key }
}

pub(super) fn identity(name: &str) -> Fingerprint {
    identity_of(&credentials(name).chain).unwrap()
}

pub(super) fn transport(name: &str) -> Transport {
    Transport {
        session_id: Box::from([0; 32]),
        has_alpn: true,
        peer_chain: credentials(name).chain,
        showed_certificate: false,
        source: None,
    }
}

pub(super) fn address() -> ServerAddress {
    ServerAddress { hosts: vec!["push.example".into()], port: "".into(), identity: identity("push server") }
}

pub(super) fn admitted(name: &str, limits: Limits) -> Admitted {
    Admitted { name: name.into(), identity: identity(name), limits }
}

pub(super) fn device() -> DeviceToken {
    DeviceToken { provider: Provider::ApnsProd, token: Box::from(&b"00ff"[..]) }
}

pub(super) fn order(id: u64) -> PushOrder {
    order_to(id, device())
}

pub(super) fn order_to(id: u64, device: DeviceToken) -> PushOrder {
    let sealed = Sealed { nonce: [1; 24], ciphertext: vec![2; 2896].into() };
    PushOrder { id: PushId(id), device, payload: PushPayload::Message(sealed) }
}

pub(super) fn at(micros: u64) -> Now {
    Now { mono: Mono::from_micros(micros), wall: Wall::from_millis(1_700_000_000_000 + micros / 1000) }
}

/// What is on its way.
enum Letter {
    ToPush(Block),
    ToSubscriber(Block),
    /// The push server's role is done with an order.
    Done(PushId, PushResult),
}

/// What the push server's role does with what it gets.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushing {
    Accepts,
    Keeps,
}

pub(super) struct Pair {
    pub(super) now: Now,
    pub(super) subscriber: SubscriberEnd,
    pub(super) push: PushEnd,
    pub(super) subscriber_config: subscriber_end::Config,
    pub(super) push_config: push_end::Config,
    /// The link as each end calls it.
    link: Option<(LinkId, LinkId)>,
    letters: VecDeque<Letter>,
    pub(super) is_reachable: bool,
    pub(super) pushing: Pushing,
    /// What the push server's role was asked for, those of earlier processes included.
    pub(super) pushed: Vec<PushOrder>,
    pub(super) outcomes: Vec<PushOutcome>,
    pub(super) recognised: Vec<(PushId, DeviceTag)>,
    accepted: u64,
    seeds: Rng,
}

impl Pair {
    pub(super) fn new() -> Self {
        Self::with(push_end::Config::new(vec![admitted("one", Limits::default())]))
    }

    pub(super) fn with(push_config: push_end::Config) -> Self {
        let mut seeds = Seed::from_number(5).stream(Stream::World);
        let subscriber_config = subscriber_end::Config::new(address(), credentials("one"));
        let mut pair = Self {
            now: at(0),
            subscriber: SubscriberEnd::new(subscriber_config.clone(), &Seed::new(seeds.bytes()), at(0)),
            push: PushEnd::new(push_config.clone(), at(0)),
            subscriber_config,
            push_config,
            link: None,
            letters: VecDeque::new(),
            is_reachable: true,
            pushing: Pushing::Accepts,
            pushed: Vec::new(),
            outcomes: Vec::new(),
            recognised: Vec::new(),
            accepted: 0,
            seeds,
        };
        pair.drain();
        pair
    }

    pub(super) fn order(&mut self, order: PushOrder) {
        self.subscriber.handle(self.now, subscriber_end::Input::Order(order));
        self.drain();
    }

    /// The push server's role is done with an order that it kept.
    pub(super) fn done(&mut self, id: PushId, result: PushResult) {
        self.push.handle(self.now, push_end::Input::Outcome(PushOutcome { id, result }));
        self.drain();
    }

    /// Delivers the oldest letter. Says whether there was one.
    pub(super) fn step(&mut self) -> bool {
        let Some(letter) = self.letters.pop_front() else { return false };
        match (letter, self.link) {
            (Letter::ToPush(mut block), Some((_, link))) => {
                let event = LinkEvent::Block { link, block: &mut block };
                self.push.handle(self.now, push_end::Input::Link(event));
            }
            (Letter::ToSubscriber(mut block), Some((link, _))) => {
                let event = LinkEvent::Block { link, block: &mut block };
                self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
            }
            (Letter::Done(id, result), _) => {
                let input = push_end::Input::Outcome(PushOutcome { id, result });
                self.push.handle(self.now, input);
            }
            // Bytes for a link that is gone are lost.
            (Letter::ToPush(_) | Letter::ToSubscriber(_), None) => {}
        }
        self.drain();
        true
    }

    /// Delivers everything, without time going on.
    pub(super) fn settle(&mut self) {
        while self.step() {}
    }

    /// Lets time go on, in steps of a tenth of a second.
    pub(super) fn run_for(&mut self, span: Duration) {
        let until = self.now.mono + span;
        while self.now.mono < until {
            self.settle();
            self.now = at(self.now.mono.as_micros() + 100_000);
            self.subscriber.handle(self.now, subscriber_end::Input::Tick);
            self.push.handle(self.now, push_end::Input::Tick);
            self.drain();
        }
        self.settle();
    }

    /// Breaks the link; both ends notice, and what was on it is lost.
    pub(super) fn cut(&mut self) {
        self.letters.retain(|letter| matches!(letter, Letter::Done(..)));
        if let Some((subscriber, push)) = self.link.take() {
            let reason = DownReason::Broken;
            let event = LinkEvent::Down { link: push, reason };
            self.push.handle(self.now, push_end::Input::Link(event));
            let event = LinkEvent::Down { link: subscriber, reason };
            self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
        }
        self.drain();
    }

    /// Kills the push server's process, role included, and starts another.
    pub(super) fn kill_push(&mut self) {
        self.letters.clear();
        self.push = PushEnd::new(self.push_config.clone(), self.now);
        let link = self.link.take();
        if let Some((link, _)) = link {
            let event = LinkEvent::Down { link, reason: DownReason::Closed };
            self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
        }
        self.drain();
    }

    /// Kills the subscriber's process and starts another.
    pub(super) fn kill_subscriber(&mut self) {
        self.letters.retain(|letter| matches!(letter, Letter::Done(..)));
        let seed = Seed::new(self.seeds.bytes());
        self.subscriber = SubscriberEnd::new(self.subscriber_config.clone(), &seed, self.now);
        let link = self.link.take();
        if let Some((_, link)) = link {
            let event = LinkEvent::Down { link, reason: DownReason::Closed };
            self.push.handle(self.now, push_end::Input::Link(event));
        }
        self.drain();
    }

    pub(super) fn results(&self) -> Vec<(u64, PushResult)> {
        self.outcomes.iter().map(|outcome| (outcome.id.0, outcome.result)).collect()
    }

    fn drain(&mut self) {
        loop {
            let subscriber = self.subscriber.poll();
            if let Step::Do(effect) = subscriber {
                self.perform_subscriber(effect);
                continue;
            }
            match self.push.poll() {
                Step::Do(effect) => self.perform_push(effect),
                Step::Idle(_) => break,
            }
        }
    }

    fn perform_subscriber(&mut self, effect: subscriber_end::Effect) {
        match effect {
            subscriber_end::Effect::Outcome(outcome) => self.outcomes.push(outcome),
            subscriber_end::Effect::Recognised { push, device } => self.recognised.push((push, device)),
            subscriber_end::Effect::Link(LinkAction::Connect { link, server, showing, .. }) => {
                if !self.is_reachable || server.identity != identity("push server") {
                    let reason = match self.is_reachable {
                        true => DownReason::WrongIdentity,
                        false => DownReason::Unreachable,
                    };
                    let event = LinkEvent::Down { link, reason };
                    return self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
                }
                self.accepted += 1;
                let accepted = LinkId::accepted(self.accepted);
                self.link = Some((link, accepted));
                let shown = showing.map(|shown| shown.chain).unwrap_or_default();
                let theirs = Transport { peer_chain: shown, ..transport("push server") };
                let event = LinkEvent::Up { link: accepted, transport: theirs };
                self.push.handle(self.now, push_end::Input::Link(event));
                let event = LinkEvent::Up { link, transport: transport("push server") };
                self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
            }
            subscriber_end::Effect::Link(LinkAction::Send { link, block }) => {
                if self.link.is_some_and(|(ours, _)| ours == link) {
                    self.letters.push_back(Letter::ToPush(block));
                    let event = LinkEvent::Sent { link, blocks: 1 };
                    self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
                }
            }
            subscriber_end::Effect::Link(LinkAction::Close { link }) => {
                if self.link.is_some_and(|(ours, _)| ours == link) {
                    self.settle_last(|letter| matches!(letter, Letter::ToPush(_)));
                    if let Some((_, link)) = self.link.take() {
                        let event = LinkEvent::Down { link, reason: DownReason::Closed };
                        self.push.handle(self.now, push_end::Input::Link(event));
                    }
                }
            }
        }
    }

    fn perform_push(&mut self, effect: push_end::Effect) {
        match effect {
            push_end::Effect::Order(order) => {
                if self.pushing == Pushing::Accepts {
                    self.letters.push_back(Letter::Done(order.id, PushResult::Accepted));
                }
                self.pushed.push(order);
            }
            push_end::Effect::Link(LinkAction::Send { link, block }) => {
                if self.link.is_some_and(|(_, ours)| ours == link) {
                    self.letters.push_back(Letter::ToSubscriber(block));
                    let event = LinkEvent::Sent { link, blocks: 1 };
                    self.push.handle(self.now, push_end::Input::Link(event));
                }
            }
            push_end::Effect::Link(LinkAction::Close { link }) => {
                if self.link.is_some_and(|(_, ours)| ours == link) {
                    self.settle_last(|letter| matches!(letter, Letter::ToSubscriber(_)));
                    if let Some((link, _)) = self.link.take() {
                        let event = LinkEvent::Down { link, reason: DownReason::Closed };
                        self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
                    }
                }
            }
            push_end::Effect::Link(LinkAction::Connect { .. }) => unreachable!("a push server opens no link"),
        }
    }

    /// What was said before a close arrives before it.
    fn settle_last(&mut self, is_said: impl Fn(&Letter) -> bool) {
        let Some((subscriber, push)) = self.link else { return };
        let (said, rest): (Vec<Letter>, Vec<Letter>) = self.letters.drain(..).partition(|it| is_said(it));
        self.letters = rest.into();
        for letter in said {
            match letter {
                Letter::ToPush(mut block) => {
                    let event = LinkEvent::Block { link: push, block: &mut block };
                    self.push.handle(self.now, push_end::Input::Link(event));
                }
                Letter::ToSubscriber(mut block) => {
                    let event = LinkEvent::Block { link: subscriber, block: &mut block };
                    self.subscriber.handle(self.now, subscriber_end::Input::Link(event));
                }
                Letter::Done(..) => {}
            }
        }
    }
}
