//! Deeds, done: what each of them means to the world.

use crate::base::time::Mono;
use crate::client::Mode;
use crate::client::direct::{Circumstance, NetworkId};
use crate::client::input::{Command, RequestTag};
use crate::sim::net::Latency;
use crate::sim::oracle::Excuse;
use crate::sim::stage::Stage;
use crate::sim::stage::agenda::{self, AUDIT_PAUSE, FLOOD, FLOOD_PAUSE, HAMMER_PAUSE, NEW_TOKEN_AFTER, Task};
use crate::sim::stage::cast::{DIRECT, Party, fresh_token};
use crate::sim::stage::deed::{Deed, Entry, SLOW_MILLIS_MAX, TEXT_LEN_MAX};
use crate::sim::stage::learned::{Fact, Secret};
use crate::sim::stage::ledger::OPEN_MAX;
use crate::sim::stage::machinery::pair;
use crate::sim::stage::options::{Network, Nonsense};
use alloc::format;
use alloc::string::String;
use core::time::Duration;

impl Stage {
    /// The first moment: phones have tokens, register and make their queues.
    pub(super) fn open(&mut self) {
        let (_, subscriber) = self.cast.subscriber();
        debug_assert!(subscriber.is_some(), "there is a subscriber");
        for device in 0..Party::DEVICES.len() {
            if device == DIRECT {
                self.command(device, Command::SetMode(Mode::Direct));
            } else {
                self.give_token(device);
                self.register(device);
            }
            for (_, server) in self.cast.nodes.smp.clone() {
                self.command(device, Command::CreateQueue { tag: RequestTag(0), server });
            }
            self.knowledge.know(Party::of_device(device), Fact::Hosts, || "it chose them".into());
        }
        self.move_to(self.options.network);
        self.agenda.add(Mono::ZERO + AUDIT_PAUSE, Task::Audit);
        self.observe();
    }

    /// Whether a deed can be done now.
    pub(super) fn make_sense(&self, deed: &Deed) -> Result<(), Nonsense> {
        let nonsense = |why: String| Err(Nonsense(why));
        let is_phone = |party: Party| match party.device() {
            Some(_) => Ok(()),
            None => nonsense(format!("The {} is no phone.", party.label())),
        };
        let has_pushes = |party: Party| match party.device() {
            Some(DIRECT) => nonsense(format!("{} has no token and gets no pushes.", party.label())),
            Some(_) => Ok(()),
            None => nonsense(format!("The {} is no phone.", party.label())),
        };
        match deed {
            Deed::Send { text, .. } if text.is_empty() => nonsense("An empty message is not sent.".into()),
            Deed::Send { text, .. } if text.len() > TEXT_LEN_MAX => {
                nonsense(format!("A message has {TEXT_LEN_MAX} bytes at most; this one has {}.", text.len()))
            }
            Deed::Send { device, .. } | Deed::Flood(device) => {
                is_phone(*device)?;
                if self.talks.count(device.device().unwrap_or(0)) == 0 {
                    return nonsense(format!("{} has no queue yet; wait a moment.", device.label()));
                }
                if self.ledger.open() + usize::try_from(FLOOD).unwrap_or(0) > OPEN_MAX {
                    return nonsense(format!(
                        "{OPEN_MAX} messages are unread; let their phones open them first."
                    ));
                }
                Ok(())
            }
            Deed::OpenApp(device) => is_phone(*device),
            Deed::RefuseToken(device) => has_pushes(*device),
            Deed::Kill(party) | Deed::Start(party) => self.can_be_killed(*party),
            Deed::Cut(a, b) | Deed::Mend(a, b) => self.can_be_cut(*a, *b),
            Deed::Slow(_, _, millis) if *millis > SLOW_MILLIS_MAX => {
                nonsense(format!("A link is slowed by {SLOW_MILLIS_MAX} ms at most."))
            }
            Deed::Slow(a, b, _) => self.can_be_cut(*a, *b),
            Deed::Autoplay(_) | Deed::DropPushes(_) | Deed::Hostile(_) | Deed::Network(_) => Ok(()),
        }
    }

    /// Does a deed that makes sense, and writes it down.
    pub(super) fn perform(&mut self, deed: Deed) {
        self.tell_deed(&deed);
        self.deeds.push(Entry { turn: self.turns, at_micros: self.now().as_micros(), deed: deed.clone() });
        let now = self.now();
        if !matches!(deed, Deed::Send { .. } | Deed::Autoplay(_) | Deed::Flood(_) | Deed::OpenApp(_)) {
            self.judge.disturbed(now);
        }
        match deed {
            Deed::Send { device, text } => self.send(device.device().unwrap_or(0), &text),
            Deed::Autoplay(is_on) => self.set_autoplay(is_on),
            Deed::Kill(party) => self.kill(party),
            Deed::Start(party) => self.start(party),
            Deed::Cut(a, b) => self.cut(pair(a, b)),
            Deed::Mend(a, b) => self.mend(pair(a, b)),
            Deed::Slow(a, b, millis) => self.slow(pair(a, b), millis),
            Deed::DropPushes(is_on) => {
                self.machinery.drops_pushes = is_on;
                self.set_weather();
            }
            Deed::RefuseToken(device) => self.refuse_token(device.device().unwrap_or(0)),
            Deed::Flood(device) => {
                let device = device.device().unwrap_or(0);
                self.agenda.add(now, Task::Flood { device, left: FLOOD });
            }
            Deed::Hostile(is_on) => self.set_hostile(is_on),
            Deed::OpenApp(device) => self.open_app(device.device().unwrap_or(0)),
            Deed::Network(network) => self.move_to(network),
        }
        self.observe();
    }

    /// Does what the agenda has for this moment.
    pub(super) fn do_task(&mut self) {
        let now = self.now();
        match self.agenda.take() {
            Some(Task::Autoplay { since }) if self.machinery.autoplay == Some(since) => {
                let (device, line) = agenda::any_message(&mut self.choice);
                self.send(device.device().unwrap_or(0), line);
                self.agenda.add(now + agenda::pause(&mut self.choice), Task::Autoplay { since });
            }
            Some(Task::Flood { device, left }) => {
                self.send(device, &format!("Message {} of a flood", FLOOD + 1 - left));
                if left > 1 {
                    self.agenda.add(now + FLOOD_PAUSE, Task::Flood { device, left: left - 1 });
                }
            }
            Some(Task::NewToken { device }) => self.renew_token(device),
            Some(Task::Hammer { since }) if self.machinery.hammering.is(since) => {
                self.hammer();
                self.agenda.add(now + HAMMER_PAUSE, Task::Hammer { since });
            }
            Some(Task::Audit) => {
                self.audit();
                self.agenda.add(now + AUDIT_PAUSE, Task::Audit);
            }
            Some(Task::Autoplay { .. } | Task::Hammer { .. }) | None => {}
        }
    }

    fn command(&mut self, device: usize, command: Command) {
        if let Some(node) = self.cast.nodes.devices.get(device) {
            self.world.command(*node, command);
        }
    }

    fn send(&mut self, device: usize, text: &str) {
        if self.ledger.open() >= OPEN_MAX {
            return;
        }
        let place = usize::try_from(self.ledger.sent()).unwrap_or(0);
        let Some(talk) = self.talks.of(device, place) else { return };
        // Each phone has one queue on each server.
        let queue =
            self.cast.nodes.smp.iter().position(|(_, server)| *server == talk.address.server).unwrap_or(0);
        let number = self.ledger.send(self.world.now().mono, device, queue, text);
        let message = talk.seal(number, text, &mut self.keys);
        let (tag, to) = (RequestTag(number.into()), talk.address.clone());
        self.knowledge.add_text(text);
        self.knowledge.know(Party::Sender, Fact::Text, || "wrote it".into());
        self.world.command(self.cast.nodes.sender, Command::Send { tag, to, message });
    }

    fn set_autoplay(&mut self, is_on: bool) {
        self.machinery.autoplay = is_on.then(|| {
            self.machinery.started += 1;
            let task = Task::Autoplay { since: self.machinery.started };
            self.agenda.add(self.world.now().mono + agenda::pause(&mut self.choice), task);
            self.machinery.started
        });
    }

    fn refuse_token(&mut self, device: usize) {
        let now = self.now();
        let Some(phone) = self.phones.get_mut(device) else { return };
        let Some(token) = phone.token.clone() else { return };
        phone.is_refused = true;
        self.judge.excuse_from(now, device, Excuse::NotVerified);
        self.world.uninstall(self.cast.nodes.provider, &token.token);
        self.agenda.add(now + NEW_TOKEN_AFTER, Task::NewToken { device });
    }

    /// The phone gets another token in place of one that was refused.
    fn renew_token(&mut self, device: usize) {
        if self.phones.get(device).is_some_and(|phone| phone.is_refused) {
            self.give_token(device);
            self.judge.keys_changed(device);
            self.note(format!("{} has another device token.", Party::of_device(device).label()));
            self.register(device);
        }
    }

    fn give_token(&mut self, device: usize) {
        let token = fresh_token(&mut self.keys);
        let party = Party::of_device(device);
        self.knowledge.add(Secret::Token { device }, &token.token);
        self.knowledge.know(party, Fact::Token, || "from its operating system".into());
        self.knowledge.know(Party::Apple, Fact::Token, || "made it".into());
        if let Some(node) = self.cast.nodes.devices.get(device) {
            self.world.install(self.cast.nodes.provider, &token.token, *node);
        }
        if let Some(phone) = self.phones.get_mut(device) {
            phone.token = Some(token);
            phone.is_refused = false;
        }
    }

    fn register(&mut self, device: usize) {
        let token = self.phones.get(device).and_then(|phone| phone.token.clone());
        let server = self.cast.subscriber().1.cloned();
        if let (Some(device_token), Some(server)) = (token, server) {
            self.command(device, Command::Register { server, device: device_token });
        }
    }

    /// What an app does when it is opened: it registers, checks, and looks for messages.
    fn open_app(&mut self, device: usize) {
        if let Some(phone) = self.phones.get_mut(device) {
            phone.notification = None;
            phone.has_alert = false;
        }
        if device == DIRECT {
            return self.command(device, Command::Circumstance(Circumstance::Foreground));
        }
        if self.phones.get(device).is_some_and(|phone| phone.is_refused) {
            return self.renew_token(device);
        }
        self.register(device);
        self.command(device, Command::Check);
        self.command(device, Command::FetchAll);
    }

    fn move_to(&mut self, network: Network) {
        if self.machinery.network == Some(network) {
            return;
        }
        self.machinery.network = Some(network);
        let (name, keeps) = match network {
            Network::Wifi => (1, (300, 1200)),
            Network::Carrier => (2, (45, 60)),
        };
        let keeps = Latency { min: Duration::from_secs(keeps.0), max: Duration::from_secs(keeps.1) };
        for device in 0..Party::DEVICES.len() {
            if let Some(node) = self.cast.nodes.devices.get(device) {
                self.world.set_translator(*node, Some(keeps));
            }
            self.command(device, Command::Circumstance(Circumstance::Network(NetworkId(name))));
        }
    }
}
