//! Processes and links of the town, and what the audience has broken of them.

use crate::sim::fault::{Fault, Weather};
use crate::sim::oracle::Excuse;
use crate::sim::stage::Stage;
use crate::sim::stage::cast::{DIRECT, Party};
use crate::sim::stage::judge::Promise;
use crate::sim::stage::options::{Network, Nonsense, Shape};
use crate::sim::stage::stranger::Hammering;
use crate::sim::stage::view::MessageState;
use crate::sim::world::NodeId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// What the audience has set going or broken.
#[derive(Default)]
pub(super) struct Machinery {
    /// The autoplay that is on, by its number.
    pub(super) autoplay: Option<u32>,
    pub(super) hammering: Hammering,
    pub(super) started: u32,
    pub(super) cut: BTreeSet<(Party, Party)>,
    pub(super) slow: BTreeMap<(Party, Party), u32>,
    pub(super) down: BTreeSet<Party>,
    pub(super) drops_pushes: bool,
    pub(super) network: Option<Network>,
}

impl Machinery {
    /// Whether anything is broken at the moment that may hold messages up.
    pub(super) fn is_broken(&self) -> bool {
        !self.cut.is_empty() || !self.slow.is_empty() || !self.down.is_empty() || self.drops_pushes
    }
}

/// Two parties, in the order in which everything here names them.
pub(super) fn pair(a: Party, b: Party) -> (Party, Party) {
    (a.min(b), a.max(b))
}

impl Stage {
    pub(super) fn can_be_killed(&self, party: Party) -> Result<(), Nonsense> {
        match party {
            Party::Smp1 | Party::Smp2 | Party::Subscriber | Party::Push => Ok(()),
            Party::Sender
            | Party::Apple
            | Party::DeviceA
            | Party::DeviceB
            | Party::DeviceC
            | Party::Stranger => {
                Err(Nonsense(format!("The process of {} is not the audience's to end.", party.label())))
            }
        }
    }

    pub(super) fn can_be_cut(&self, a: Party, b: Party) -> Result<(), Nonsense> {
        let (one, other) = pair(a, b);
        let is_within =
            pair(Party::Subscriber, Party::Push) == (one, other) && self.options.shape == Shape::Single;
        let is_unseen = one == Party::Apple || other == Party::Stranger;
        if is_within {
            return Err(Nonsense(
                "Subscriber and push server are one process here: there is no link to cut.".into(),
            ));
        }
        match (one.talks_to(other) || other.talks_to(one)) && !is_unseen {
            true => Ok(()),
            false => {
                Err(Nonsense(format!("There is no link to touch between {} and {}.", a.label(), b.label())))
            }
        }
    }

    /// The parties that end and begin with a process.
    fn process_of(&self, party: Party) -> Vec<Party> {
        match (party, self.options.shape) {
            (Party::Subscriber | Party::Push, Shape::Single) => [Party::Subscriber, Party::Push].into(),
            (party, _) => [party].into(),
        }
    }

    pub(super) fn kill(&mut self, party: Party) {
        for party in self.process_of(party) {
            if !self.machinery.down.insert(party) {
                continue;
            }
            for node in self.cast.nodes_of(party) {
                self.world.apply(Fault::SwitchOff(node));
            }
            if party == Party::Subscriber {
                self.forget_all();
            }
        }
    }

    pub(super) fn start(&mut self, party: Party) {
        let process = self.process_of(party);
        let is_up = process.iter().all(|party| !self.machinery.down.contains(party));
        if is_up {
            return self.note(format!("{} runs already.", capital(party.label())));
        }
        for party in &process {
            self.machinery.down.remove(party);
        }
        // The first node restarts whatever else is in its process.
        let first = match (party, self.cast.relay) {
            (Party::Push, Some((_, end))) => end,
            (Party::Push | Party::Subscriber, None) => self.cast.subscriber().0,
            (party, _) => self.cast.node_of(party),
        };
        self.world.apply(Fault::Restart(first));
        for node in process.iter().flat_map(|party| self.cast.nodes_of(*party)) {
            self.world.switch_on(node);
        }
        if process.contains(&Party::Subscriber) {
            self.judge.subscriber_restarted(&self.cast.nodes);
            let gauges =
                self.world.subscriber(self.cast.subscriber().0).map(|subscriber| subscriber.gauges());
            if gauges.is_some_and(|gauges| gauges.tokens > 0 || gauges.subscriptions > 0) {
                self.broke(Promise::Memory, "a fresh subscriber knows of somebody".into());
            }
            self.note("The subscriber has begun anew and knows nobody. Phones notice at their next check, or when their app is opened.".into());
        }
    }

    /// The subscriber's memory is gone.
    fn forget_all(&mut self) {
        let now = self.now();
        for device in 0..DIRECT {
            self.judge.excuse_from(now, device, Excuse::SubscriberForgot);
            if let Some(phone) = self.phones.get_mut(device) {
                phone.watched = 0;
            }
            self.ledger.hold_up(device, MessageState::Noticed, Excuse::SubscriberForgot);
        }
        self.note("The subscriber's process has ended, and everything in its memory with it.".into());
    }

    pub(super) fn cut(&mut self, (a, b): (Party, Party)) {
        self.machinery.cut.insert((a, b));
        match (a, b) {
            (Party::Push, Party::Apple) => self.set_weather(),
            _ => self.between(a, b, Fault::Partition),
        }
    }

    pub(super) fn mend(&mut self, (a, b): (Party, Party)) {
        self.machinery.cut.remove(&(a, b));
        self.slow((a, b), 0);
        match (a, b) {
            (Party::Push, Party::Apple) => self.set_weather(),
            _ => self.between(a, b, Fault::Heal),
        }
    }

    /// A fault between all nodes of two parties.
    fn between(&mut self, a: Party, b: Party, fault: impl Fn(NodeId, NodeId) -> Fault) {
        for one in self.cast.nodes_of(a) {
            for other in self.cast.nodes_of(b) {
                self.world.apply(fault(one, other));
            }
        }
        if b == Party::Subscriber {
            self.judge.notices_may_be_lost(self.world.now().mono);
        }
    }

    pub(super) fn slow(&mut self, (a, b): (Party, Party), millis: u32) {
        match millis {
            0 => _ = self.machinery.slow.remove(&(a, b)),
            millis => _ = self.machinery.slow.insert((a, b), millis),
        }
        for one in self.cast.nodes_of(a) {
            for other in self.cast.nodes_of(b) {
                self.world.slow_between(one, other, Duration::from_millis(millis.into()));
            }
        }
    }

    pub(super) fn set_weather(&mut self) {
        let is_cut = self.machinery.cut.contains(&(Party::Push, Party::Apple));
        let weather = match (is_cut, self.machinery.drops_pushes) {
            (true, _) => Weather::Unreachable,
            (false, true) => Weather::Losing(1),
            (false, false) => Weather::Fair,
        };
        self.world.apply(Fault::Provider(self.cast.nodes.provider, weather));
    }
}

/// With a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
