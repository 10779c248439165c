//! After each turn: what passed, what was seen, whom it concerns, and what is told of it.

use crate::base::time::Mono;
use crate::client::DirectState;
use crate::client::effect::Event;
use crate::model::push::{PushKind, PushOrder, PushOutcome, PushPayload, PushResult};
use crate::model::server::Protocol;
use crate::model::token::{DeviceToken, Provider, TokenStatus};
use crate::sim::oracle::Excuse;
use crate::sim::passing::Parcel;
use crate::sim::sight::{Loss, Sight};
use crate::sim::stage::Stage;
use crate::sim::stage::cast::{DIRECT, Party};
use crate::sim::stage::deed::Deed;
use crate::sim::stage::envelopes;
use crate::sim::stage::judge::{Promise, promise_of};
use crate::sim::stage::learned::{Fact, Secret};
use crate::sim::stage::view::{Happening, Kind, MessageState, millis};
use crate::sim::stage::words::{Contents, transmissions};
use crate::wire::smp::response::Message;
use crate::wire::version::SmpVersion;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A phone, as its owner sees it.
#[derive(Default)]
pub(super) struct Phone {
    pub(super) token: Option<DeviceToken>,
    /// Apple takes its token no more.
    pub(super) is_refused: bool,
    /// Its queues that the subscriber watches, as far as it was told.
    pub(super) watched: usize,
    /// What stands on the screen.
    pub(super) notification: Option<String>,
    /// It is an alert that stands for whatever comes, until the app is opened or reads by itself.
    pub(super) has_alert: bool,
}

impl Stage {
    /// Takes in everything that has happened since the last turn.
    pub(super) fn observe(&mut self) {
        for passing in self.world.take_passings() {
            let now = self.now();
            let (told, event) = self.envelopes.take(now, &self.cast, passing);
            self.told.extend(told);
            match event {
                Some(envelopes::Event::Written(id)) => self.on_written(now, id),
                Some(envelopes::Event::Handed(id)) => self.on_handed(now, id),
                None => {}
            }
        }
        for (at, sight) in self.world.take_sights() {
            self.see(at, sight);
        }
        for what in self.world.take_violations() {
            self.broke(Promise::Contract, what);
        }
        if let Some(node) = self.world.take_touched() {
            for (law, what) in crate::sim::laws::Laws::after_step(&self.world, node) {
                self.broke(promise_of(law), what);
            }
        }
    }

    fn on_written(&mut self, now: Mono, id: u32) {
        self.hear_of_queues(id);
        let Some(envelope) = self.envelopes.get_mut(id) else { return };
        envelope.sighting = self.knowledge.search(&envelope.name, &envelope.parcel);
        self.knowledge.read(now, envelope.from, envelope);
    }

    fn on_handed(&mut self, now: Mono, id: u32) {
        if let Some(envelope) = self.envelopes.get(id) {
            self.knowledge.read(now, envelope.to, envelope);
        }
        self.hear_of_notices(id);
    }

    /// Ids come into being in the answers of SMP servers.
    fn hear_of_queues(&mut self, id: u32) {
        let Some(envelope) = self.envelopes.get(id) else { return };
        let (server, device) = match (envelope.from, envelope.to.device()) {
            (Party::Smp1, Some(device)) => (0, device),
            (Party::Smp2, Some(device)) => (1, device),
            _ => return,
        };
        let Parcel::Block { block, .. } = &envelope.parcel else { return };
        let Contents::Batch(batch) = transmissions(Protocol::Smp, block) else { return };
        let mut secrets: Vec<(Secret, Vec<u8>)> = Vec::new();
        for inner in &batch {
            match Message::decode(inner.command, SmpVersion::MAX) {
                Ok(Message::Ids(ids)) => {
                    secrets.push((Secret::Recipient { device, queue: server }, ids.recipient.into()));
                    secrets.push((Secret::Sender { device, queue: server }, ids.sender.into()));
                }
                Ok(Message::Nid(ids)) => {
                    secrets.push((Secret::Notifier { device, queue: server }, ids.notifier.into()));
                }
                Ok(_) | Err(_) => {}
            }
        }
        let party = envelope.from;
        for (secret, bytes) in secrets {
            self.knowledge.add(secret, &bytes);
            self.knowledge.know(party, Fact::Hosts, || "it holds one".into());
        }
    }

    /// The subscriber got notices: their messages are this far.
    fn hear_of_notices(&mut self, id: u32) {
        let Some(envelope) = self.envelopes.get(id).filter(|envelope| envelope.to == Party::Subscriber)
        else {
            return;
        };
        let Parcel::Block { protocol: Protocol::Smp, block, .. } = &envelope.parcel else { return };
        let Contents::Batch(batch) = transmissions(Protocol::Smp, block) else { return };
        for inner in &batch {
            let Ok(Message::Nmsg { nonce, .. }) = Message::decode(inner.command, SmpVersion::MAX) else {
                continue;
            };
            if let Some(Secret::Notifier { device, queue }) = self.knowledge.secret_of(inner.entity_id) {
                self.ledger.noticed(device, queue, nonce);
                if self.phones.get(device).is_some_and(|phone| phone.has_alert) {
                    self.ledger.shown(device);
                }
            }
        }
    }

    fn see(&mut self, at: Mono, sight: Sight) {
        match sight {
            Sight::Told { device, event } if device == self.cast.nodes.sender => self.sender_told(at, event),
            Sight::Told { device, event } => {
                if let Some(device) = self.cast.device_of(device) {
                    self.phone_told(at, device, event);
                }
            }
            Sight::Ordered { subscriber, order } if subscriber == self.cast.subscriber().0 => {
                self.ordered(at, &order)
            }
            Sight::Ended { push, outcome } => self.ended(push, outcome),
            Sight::Requested { body, .. } => {
                if let Some((law, what)) = self.judge.laws.on_request(&body) {
                    self.broke(promise_of(law), what);
                }
            }
            Sight::Shown { device } => {
                if let Some(device) = self.cast.device_of(device) {
                    self.show(device, "You have a new message".into(), true);
                    self.ledger.shown(device);
                }
            }
            Sight::Lost { device, loss } => {
                if let Some(device) = self.cast.device_of(device) {
                    let excuse = match loss {
                        Loss::Dropped => Excuse::ProviderDropped,
                        Loss::Replaced => Excuse::PushReplaced,
                    };
                    self.judge.excuse(at, at, device, excuse);
                    self.ledger.hold_up(device, MessageState::Merged, excuse);
                    self.note(format!("Apple has lost a push for {}.", Party::of_device(device).label()));
                }
            }
            Sight::Ordered { .. } | Sight::Delivered { .. } => {}
        }
    }

    fn ordered(&mut self, at: Mono, order: &PushOrder) {
        let owner = self.owner_of(&order.device);
        if let Some((law, what)) = self.judge.laws.on_order(at, self.cast.subscriber().0, order, owner) {
            self.broke(promise_of(law), what);
        }
        let Some((device, _)) = owner else { return };
        if matches!(order.payload.kind(), PushKind::Hidden | PushKind::CheckMessages) {
            self.judge.hidden_ordered(at, order.id, device);
        }
        let (PushPayload::Message(sealed) | PushPayload::Hidden(sealed)) = &order.payload else { return };
        let client = self.cast.nodes.devices.get(device).and_then(|node| self.world.client(*node));
        let notices = client.and_then(|client| client.read_notices(&sealed.nonce, &sealed.ciphertext));
        let nonces: Vec<_> = notices.into_iter().flatten().map(|(_, notice)| notice.nonce).collect();
        self.ledger.ordered(device, &nonces);
    }

    fn ended(&mut self, push: crate::sim::NodeId, outcome: PushOutcome) {
        let now = self.now();
        if push == self.outcomes_from() {
            self.judge.hidden_ended(outcome);
        }
        if let Some(device) = self.judge.laws.on_outcome(&self.cast.nodes, push, outcome) {
            self.judge.excuse(now, now, device, Excuse::ProviderRefused);
        }
        if self.cast.nodes.pushes.contains(&push) && matches!(outcome.result, PushResult::TokenInvalid { .. })
        {
            self.note("Apple takes a device token no more: the subscriber will push to it no longer.".into());
        }
    }

    /// The node from which the subscriber gets its outcomes.
    fn outcomes_from(&self) -> crate::sim::NodeId {
        self.cast.relay.map_or_else(|| self.cast.node_of(Party::Push), |(end, _)| end)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn sender_told(&mut self, at: Mono, event: Event) {
        match event {
            Event::Sent { tag } => self.ledger.taken(at, u32::try_from(tag.0).unwrap_or(0)),
            Event::Failed { tag: Some(tag), why, .. } => {
                if let Some(device) = self.ledger.refused(u32::try_from(tag.0).unwrap_or(0)) {
                    let phone = Party::of_device(device).label();
                    self.note(format!("A message for {phone} was not taken: {why}. The sender keeps it."));
                }
            }
            Event::Unreachable { .. } => {
                self.note("The sender cannot reach an SMP server; it goes on trying.".into())
            }
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "an application attends to what it waits for")]
    fn phone_told(&mut self, at: Mono, device: usize, event: Event) {
        let party = Party::of_device(device);
        let label = party.label();
        match event {
            Event::QueueCreated { address, .. } => {
                self.knowledge.know(Party::Sender, Fact::Hosts, || "in the address of a queue".into());
                if device == DIRECT {
                    self.knowledge.know(party, Fact::Direct, || "it is it".into());
                    self.knowledge.know(Party::Sender, Fact::Direct, || "has its address".into());
                }
                self.talks.begin(device, address, &mut self.keys);
                self.note(format!("{label} has a queue, and the sender its address."));
            }
            Event::Token(TokenStatus::Active) => {
                self.judge.excuse_until(at, device, Excuse::NotVerified);
                self.note(format!("{label} is registered: a push has proved its token."));
            }
            Event::Token(status) => {
                self.judge.keys_changed(device);
                self.note(format!(
                    "{label} hears of its token: {}.",
                    crate::wire::text::status::token(status)
                ));
            }
            Event::Subscription { .. } => {
                let Some(phone) = self.phones.get_mut(device) else { return };
                phone.watched += 1;
                if phone.watched >= self.talks.count(device) {
                    self.judge.excuse_until(at, device, Excuse::SubscriberForgot);
                }
                self.note(format!("A queue of {label} is watched."));
            }
            Event::Direct { state, .. } => self.note(format!("{label}: {}.", words_of(state))),
            Event::Message { message, .. } => self.read(device, &message),
            Event::PushRejected { why } => {
                if let Some((law, what)) = self.judge.laws.on_rejected(device, why) {
                    self.broke(promise_of(law), what);
                }
            }
            Event::Failed { why, .. } => self.note(format!("{label}: {why}.")),
            Event::Unreachable { .. } => {
                self.note(format!("{label} cannot reach a server; it goes on trying."))
            }
            _ => {}
        }
    }

    /// A phone's app opened a message.
    fn read(&mut self, device: usize, message: &[u8]) {
        let label = Party::of_device(device).label();
        let Some((number, text)) = self.talks.open(message, Some(device)) else {
            return self.broke(Promise::Addressee, format!("{label} got a message that is not for it"));
        };
        self.knowledge.know(Party::of_device(device), Fact::Text, || "opened it with its key".into());
        if !self.ledger.read(number) && !self.judge.was_disturbed(self.world.now().mono) {
            self.broke(Promise::Addressee, format!("{label} got message {number} twice"));
        }
        self.show(device, text.clone(), false);
        self.note(format!("{label} opens message {number}: {text}"));
    }

    fn show(&mut self, device: usize, text: String, is_alert: bool) {
        if let Some(phone) = self.phones.get_mut(device) {
            phone.notification = Some(text);
            phone.has_alert = is_alert;
        }
    }

    /// Whose device token this is; which of its tokens does not matter on a stage.
    fn owner_of(&self, token: &DeviceToken) -> Option<(usize, u32)> {
        let opened = match token.provider {
            Provider::Sealed => {
                let identity = self.cast.subscriber().1?.identity;
                self.cast.opening.as_ref()?.open(&token.token, &identity).ok()?
            }
            Provider::ApnsDev | Provider::ApnsProd | Provider::ApnsTest | Provider::ApnsNull => token.clone(),
        };
        match self.knowledge.secret_of(&opened.token)? {
            Secret::Token { device } => Some((device, 0)),
            Secret::Host | Secret::Notifier { .. } | Secret::Recipient { .. } | Secret::Sender { .. } => None,
        }
    }

    pub(super) fn note(&mut self, text: String) {
        self.tell(Kind::Note, text);
    }

    pub(super) fn tell_deed(&mut self, deed: &Deed) {
        self.tell(Kind::Deed, words_of_deed(deed));
    }

    /// A promise was broken.
    pub(super) fn broke(&mut self, promise: Promise, what: String) {
        if self.judge.broke(promise, &what) {
            self.tell(Kind::Law, what);
        }
    }

    fn tell(&mut self, kind: Kind, text: String) {
        let at = millis(self.now());
        self.told.push(Happening {
            at,
            kind,
            id: None,
            from: None,
            to: None,
            name: None,
            arrives: None,
            fate: None,
            text,
        });
    }
}

const fn words_of(state: DirectState) -> &'static str {
    match state {
        DirectState::On => "the messages of a queue come by themselves",
        DirectState::Lost => "a connection is lost; another one is on its way",
        DirectState::TakenOver => "another connection has taken a queue",
        DirectState::Gone => "a queue is gone from its server",
    }
}

fn words_of_deed(deed: &Deed) -> String {
    match deed {
        Deed::Send { device, text } => format!("You send to {}: {text}", device.label()),
        Deed::Autoplay(true) => "Messages go out by themselves.".into(),
        Deed::Autoplay(false) => "No more messages go out by themselves.".into(),
        Deed::Kill(party) => format!("You end the process of the {}.", party.label()),
        Deed::Start(party) => format!("You start the {} again.", party.label()),
        Deed::Cut(a, b) => format!("You cut the way between {} and {}.", a.label(), b.label()),
        Deed::Mend(a, b) => format!("You mend the way between {} and {}.", a.label(), b.label()),
        Deed::Slow(a, b, 0) => {
            format!("The way between {} and {} is as quick as before.", a.label(), b.label())
        }
        Deed::Slow(a, b, millis) => {
            format!("What goes between {} and {} takes {millis} ms longer.", a.label(), b.label())
        }
        Deed::DropPushes(true) => "Apple accepts pushes from here on and loses them.".into(),
        Deed::DropPushes(false) => "Apple delivers pushes again.".into(),
        Deed::RefuseToken(device) => format!("Apple takes the token of {} no more.", device.label()),
        Deed::Flood(device) => format!("A flood of messages begins for {}.", device.label()),
        Deed::Hostile(true) => "A stranger begins to hammer the subscriber.".into(),
        Deed::Hostile(false) => "The stranger goes away.".into(),
        Deed::OpenApp(device) => format!("The owner of {} opens the app.", device.label()),
        Deed::Network(network) => match network {
            crate::sim::stage::Network::Wifi => "The phones are on Wi-Fi.".into(),
            crate::sim::stage::Network::Carrier => "The phones are on a carrier's network.".into(),
        },
    }
}
