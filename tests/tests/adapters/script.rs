//! The story: each scenario on a fresh ground. What it tells is what applications and the subscriber see,
//! in an order that neither clocks nor chance can change.

use ntf_core::base::id::EntityId;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::delivery::policy::PushPolicy;
use ntf_core::link::event::DownReason;
use ntf_core::model::server::SenderAddress;
use ntf_core::model::token::{InvalidReason, TokenStatus};
use ntf_core::subscriber::effect::Milestone;

use crate::ground::{Ground, Mishap, token};

/// A scenario, once for all grounds.
pub(crate) enum Scenario {
    /// Registers a device.
    Registration,
    /// Creates two queues, one before the device is registered and one after.
    Subscription,
    /// Messages reach their device, each with a push.
    Delivery,
    /// The device gets another token, and pushes go there.
    Replacement,
    /// The subscriber forgets everything, and the device brings it back.
    Restart,
    /// A hidden push, and beyond the budget an alert in its place.
    Budget,
    /// The provider refuses, recovers, and says that the device is gone.
    ProviderFaults,
    /// Strangers, forgers and impostors.
    Hostile,
    /// Everything ends in the middle of a push.
    Drain,
}

/// All scenarios and what they are called.
pub(crate) const SCENARIOS: [(&str, &Scenario); 9] = [
    ("registration and verification", &Scenario::Registration),
    ("subscription", &Scenario::Subscription),
    ("delivery", &Scenario::Delivery),
    ("replacement", &Scenario::Replacement),
    ("restart", &Scenario::Restart),
    ("budget", &Scenario::Budget),
    ("provider faults", &Scenario::ProviderFaults),
    ("hostile client", &Scenario::Hostile),
    ("drain", &Scenario::Drain),
];

/// Plays a scenario; gives what was seen.
pub(crate) fn play<G: Ground>(ground: G, scenario: &Scenario) -> Vec<String> {
    let mut stage = Stage { ground, told: Vec::new(), tags: 0 };
    match scenario {
        Scenario::Registration => registration(&mut stage),
        Scenario::Subscription => subscription(&mut stage),
        Scenario::Delivery => delivery(&mut stage),
        Scenario::Replacement => replacement(&mut stage),
        Scenario::Restart => restart(&mut stage),
        Scenario::Budget => budget(&mut stage),
        Scenario::ProviderFaults => provider_faults(&mut stage),
        Scenario::Hostile => hostile(&mut stage),
        Scenario::Drain => return drain(stage),
    }
    stage.told
}

/// Sends one message to a registered device, and leaves its push on the way.
pub(crate) fn send_one<G: Ground>(ground: G) -> G {
    let mut stage = Stage { ground, told: Vec::new(), tags: 0 };
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    stage.send(sender, &to, "one");
    stage.ground
}

fn registration<G: Ground>(stage: &mut Stage<G>) {
    stage.registered(1);
    stage.note_knowledge();
}

fn subscription<G: Ground>(stage: &mut Stage<G>) {
    let device = stage.ground.add_device();
    stage.create_queue(device, &[]);
    stage.register(device, 1, &[is_subscribed]);
    stage.create_queue(device, &[is_subscribed]);
    stage.note_knowledge();
}

fn delivery<G: Ground>(stage: &mut Stage<G>) {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let queues = [0, 1].map(|_| stage.create_queue(device, &[is_subscribed]));
    for number in 0..4 {
        let (_, to) = &queues[number % 2];
        stage.deliver(sender, device, to, &format!("hello {number}"));
    }
    stage.note_knowledge();
}

fn replacement<G: Ground>(stage: &mut Stage<G>) {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    stage.deliver(sender, device, &to, "by the first token");
    stage.register(device, 2, &[]);
    stage.deliver(sender, device, &to, "by the second token");
    stage.note_knowledge();
}

fn restart<G: Ground>(stage: &mut Stage<G>) {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    stage.deliver(sender, device, &to, "before");
    stage.ground.restart_subscriber(PushPolicy::Mutable);
    stage.note_knowledge();
    stage.ground.ask(device, Command::Check);
    stage.see(device, &[is_active, is_subscribed]);
    stage.deliver(sender, device, &to, "after");
    stage.note_knowledge();
}

fn budget<G: Ground>(stage: &mut Stage<G>) {
    stage.ground.restart_subscriber(PushPolicy::HiddenThenVisible);
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let queues = [0, 1].map(|_| stage.create_queue(device, &[is_subscribed]));
    stage.deliver(sender, device, &queues[0].1, "by a hidden push");
    // The alert names no queue: its notice is held, and the app that wakes looks into all of them.
    stage.send(sender, &queues[1].1, "while the budget is used up");
    stage.see(device, &[is_message]);
    stage.note_knowledge();
}

fn provider_faults<G: Ground>(stage: &mut Stage<G>) {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    for (status, reason) in
        [(503, "ServiceUnavailable"), (500, "InternalServerError"), (429, "TooManyRequests")]
    {
        stage.ground.fail(Mishap::Refuse(status, reason));
        stage.deliver(sender, device, &to, &format!("though the provider said {status}"));
    }
    stage.ground.fail(Mishap::Uninstall(token(1)));
    stage.send(sender, &to, "to a removed app");
    // The answer takes its time from the provider to the subscriber.
    loop {
        stage.ground.ask(device, Command::Check);
        let Event::Token(status) = stage.next(device, is_token) else { continue };
        if status == TokenStatus::Invalid(Some(InvalidReason::Unregistered)) {
            stage.told.push(format!("device {device}: {status:?}"));
            break;
        }
        assert_eq!(status, TokenStatus::Active, "a status between the two");
    }
    stage.note_knowledge();
}

fn hostile<G: Ground>(stage: &mut Stage<G>) {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    stage.ground.let_strangers_in();
    for body in [&b"\xff"[..], b"{}", br#"{"notificationData":{"verification":"AAAA","nonce":"AAAA"}}"#] {
        stage.ground.forge_push(device, body);
        stage.see(device, &[is_rejected]);
    }
    // The right host under a wrong identity: somebody in between.
    let (victim, tag) = (stage.ground.add_device(), stage.tag());
    let impostor = ntf_core::model::server::ServerAddress {
        identity: stage.ground.ntf_address().identity,
        ..stage.ground.smp_address()
    };
    stage.ground.ask(victim, Command::CreateQueue { tag, server: impostor });
    let seen = stage.next(victim, |event| matches!(event, Event::Unreachable { .. }));
    let Event::Unreachable { reason, .. } = seen else { panic!("{seen:?}") };
    assert_eq!(reason, DownReason::WrongIdentity);
    stage.told.push(format!("device {victim}: {reason:?}"));
    // Somebody else's queue, by somebody who guesses.
    let mut guess = to.clone();
    guess.sender = EntityId::new(&[0x55; 24]).expect("24 bytes");
    let (guesser, tag) = (stage.ground.add_device(), stage.tag());
    stage.ground.ask(guesser, Command::SendUnsigned { tag, to: guess, message: b"guessed".to_vec() });
    stage.see(guesser, &[is_failed]);
    stage.deliver(sender, device, &to, "all the same");
    stage.note_knowledge();
}

fn drain<G: Ground>(mut stage: Stage<G>) -> Vec<String> {
    let (device, sender) = (stage.registered(1), stage.ground.add_device());
    let (_, to) = stage.create_queue(device, &[is_subscribed]);
    stage.deliver(sender, device, &to, "in time");
    stage.ground.fail(Mishap::Silence);
    stage.send(sender, &to, "too late");
    let Stage { ground, mut told, .. } = stage;
    told.extend(ground.drain().into_iter().map(|who| format!("{who} has ended")));
    told
}

/// The ground, and what was seen on it.
struct Stage<G> {
    ground: G,
    told: Vec<String>,
    tags: u64,
}

type IsIt = fn(&Event) -> bool;

impl<G: Ground> Stage<G> {
    /// A device with this token, registered.
    fn registered(&mut self, number: u32) -> usize {
        let device = self.ground.add_device();
        self.register(device, number, &[]);
        device
    }

    fn register(&mut self, device: usize, number: u32, further: &[IsIt]) {
        self.ground.install(device, &token(number));
        let server = self.ground.ntf_address();
        self.ground.ask(device, Command::Register { server, device: token(number) });
        self.see(device, &[is_registered]);
        self.see(device, &[&[is_active as IsIt], further].concat());
    }

    fn create_queue(&mut self, device: usize, further: &[IsIt]) -> (QueueId, SenderAddress) {
        let (tag, server) = (self.tag(), self.ground.smp_address());
        self.ground.ask(device, Command::CreateQueue { tag, server });
        let created = self.see(device, &[&[is_created as IsIt], further].concat());
        let created = created.into_iter().find_map(|event| match event {
            Event::QueueCreated { queue, address, .. } => Some((queue, address)),
            _ => None,
        });
        created.expect("it was seen")
    }

    fn send(&mut self, sender: usize, to: &SenderAddress, message: &str) {
        let tag = self.tag();
        self.ground.ask(sender, Command::Send { tag, to: to.clone(), message: message.into() });
        self.see(sender, &[|event| matches!(event, Event::Sent { .. })]);
    }

    /// Sends a message and waits for its push and for itself. Which comes first is chance: an earlier
    /// message's acknowledgement may bring it.
    fn deliver(&mut self, sender: usize, device: usize, to: &SenderAddress, message: &str) {
        self.send(sender, to, message);
        self.see(device, &[is_pushed, is_message]);
    }

    /// Waits until each of these was seen, and tells all that was, in one order for all grounds.
    fn see(&mut self, device: usize, wanted: &[IsIt]) -> Vec<Event> {
        let mut missing = wanted.to_vec();
        let mut seen = Vec::new();
        while !missing.is_empty() {
            let event = self.ground.next_event(device);
            if let Some(found) = missing.iter().position(|is_it| is_it(&event)) {
                missing.remove(found);
            }
            seen.push(event);
        }
        let mut lines: Vec<_> = seen.iter().filter_map(words).collect();
        lines.sort();
        // How often a status is told depends on how often it was asked for.
        lines.dedup();
        self.told.extend(lines.into_iter().map(|line| format!("device {device}: {line}")));
        seen
    }

    /// Waits for an event, and tells nothing.
    fn next(&mut self, device: usize, is_it: IsIt) -> Event {
        loop {
            let event = self.ground.next_event(device);
            if is_it(&event) {
                return event;
            }
        }
    }

    /// What the subscriber knows, and what it has done with each notice so far, in the order in which it did.
    fn note_knowledge(&mut self) {
        let facts = self.ground.knowledge();
        let facts: Vec<_> = facts.iter().map(|fact| format!("{} {}", fact.count, fact.what)).collect();
        self.told.push(format!("subscriber knows {}", facts.join(", ")));
        let mut notices = Vec::new();
        let mut number = |nonce| {
            notices.iter().position(|known| *known == nonce).unwrap_or_else(|| {
                notices.push(nonce);
                notices.len() - 1
            })
        };
        let milestones = self.ground.milestones().into_iter().map(|milestone| match milestone {
            Milestone::Received { nonce } => format!("received {}", number(nonce)),
            Milestone::Ordered { nonce, .. } => format!("ordered {}", number(nonce)),
        });
        let milestones: Vec<_> = milestones.collect();
        if !milestones.is_empty() {
            self.told.push(format!("milestones: {}", milestones.join(", ")));
        }
    }

    fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }
}

/// An event in words, without what is random. `None` for what depends on how long things took.
fn words(event: &Event) -> Option<String> {
    match event {
        Event::Unreachable { .. } => None,
        Event::Message { message, .. } => Some(format!("Message({})", String::from_utf8_lossy(message))),
        event => Some(format!("{event:?}")),
    }
}

fn is_token(event: &Event) -> bool {
    matches!(event, Event::Token(_))
}

fn is_registered(event: &Event) -> bool {
    *event == Event::Token(TokenStatus::Registered)
}

fn is_active(event: &Event) -> bool {
    *event == Event::Token(TokenStatus::Active)
}

fn is_created(event: &Event) -> bool {
    matches!(event, Event::QueueCreated { .. })
}

fn is_subscribed(event: &Event) -> bool {
    matches!(event, Event::Subscription { .. })
}

fn is_pushed(event: &Event) -> bool {
    matches!(event, Event::Pushed { .. })
}

fn is_message(event: &Event) -> bool {
    matches!(event, Event::Message { .. })
}

fn is_rejected(event: &Event) -> bool {
    matches!(event, Event::PushRejected { .. })
}

fn is_failed(event: &Event) -> bool {
    matches!(event, Event::Failed { .. })
}
