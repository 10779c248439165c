//! Who learned what: the run's secrets, searched for in everything that each party could read.
//!
//! Nothing here is set down by hand. A secret is registered when it comes into being (a device token, a queue's ids,
//! what a message says); a parcel is searched once, when it is written; and whoever wrote it or was handed it has
//! learned what was found in it. What a party has from outside the network is noted where it gets it.

use crate::base::time::Mono;
use crate::model::push::PushPayload;
use crate::model::server::Protocol;
use crate::relay::frame::{Frame, Frames, Payload};
use crate::sim::laws::contains;
use crate::sim::net::{Side, WireId};
use crate::sim::passing::Parcel;
use crate::sim::stage::beginnings::Beginnings;
use crate::sim::stage::cast::{DIRECT, Party, SMP_HOSTS};
use crate::sim::stage::envelopes::Envelope;
use crate::sim::stage::options::Shape;
use crate::sim::stage::reading::sealed_of;
use crate::sim::stage::view::{FactRow, Known, Learned};
use crate::wire::block;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// A thing that somebody may learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fact {
    Token,
    Hosts,
    Notifier,
    Recipient,
    Sender,
    Together,
    When,
    Text,
    PhoneAddress,
    SenderAddress,
    Direct,
}

/// Each fact in words, and why it is so or should be.
const FACTS: [(Fact, &str, &str); 11] = [
    (
        Fact::Token,
        "device token of an iPhone",
        "The one identifier in the system: Apple and the push server need it, and the subscriber only where it is not sealed.",
    ),
    (
        Fact::Hosts,
        "which SMP servers hold the queues",
        "The subscriber connects to them. Pushes name them inside the box that the phone alone opens.",
    ),
    (
        Fact::Notifier,
        "notifier id of a queue",
        "The name under which it is watched; it leads neither to the address for sending nor to that for receiving.",
    ),
    (
        Fact::Recipient,
        "address for receiving from a queue",
        "Known to the phone and to the SMP server that holds the queue.",
    ),
    (
        Fact::Sender,
        "address for sending to a queue",
        "Known to whoever sends, to the phone and to the SMP server.",
    ),
    (
        Fact::Together,
        "that two queues are of one iPhone",
        "Phones have queues on different servers; the subscriber watches all of a phone for one registration.",
    ),
    (
        Fact::When,
        "when a message came for an iPhone",
        "Each on the way of a notice sees its time, and nothing of what it says.",
    ),
    (Fact::Text, "what a message says", "Encrypted from the sender's app to the phone's."),
    (
        Fact::PhoneAddress,
        "network address of an iPhone",
        "Known to whom it connects to: its SMP servers, the subscriber, and Apple.",
    ),
    (Fact::SenderAddress, "network address of the sender", "Known to the SMP servers it sends to."),
    (
        Fact::Direct,
        "that the Android phone exists",
        "It has neither token nor push: only its SMP servers and whoever writes to it know of it.",
    ),
];

/// Most texts that are searched for at a time. Source: ours; the latest ones, which are the ones on their way.
const TEXTS_MAX: usize = 16;

/// Texts shorter than this could be in any ciphertext by chance.
const TEXT_LEN_MIN: usize = 6;

/// Most connections whose contents are remembered, each in a few words. Beyond it the oldest goes.
const WIRES_MAX: usize = 256;

/// Something that is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Secret {
    Token { device: usize },
    Host,
    Notifier { device: usize, queue: usize },
    Recipient { device: usize, queue: usize },
    Sender { device: usize, queue: usize },
}

impl Secret {
    /// Whether it names a queue of a phone with pushes.
    const fn is_of_iphone(self) -> bool {
        match self {
            Self::Notifier { device, .. } | Self::Recipient { device, .. } | Self::Sender { device, .. } => {
                device != DIRECT
            }
            Self::Token { .. } | Self::Host => false,
        }
    }
}

/// What of the run's secrets is in a parcel.
#[derive(Clone, Debug, Default)]
pub(super) struct Sighting {
    found: Vec<usize>,
    has_text: bool,
    tells_of_a_message: bool,
}

/// Who learned what.
pub(super) struct Knowledge {
    shape: Shape,
    secrets: Vec<(Secret, Vec<u8>)>,
    /// The secrets that begin with a byte.
    by_first: [Vec<usize>; 256],
    texts: VecDeque<Vec<u8>>,
    beginnings: Beginnings,
    learned: BTreeMap<(Fact, Party), String>,
    /// What each party found: the secret, and where it was first.
    found: BTreeMap<(Party, usize), String>,
    /// The phones' queues that were named over a connection.
    wires: BTreeMap<(WireId, Party), Vec<(usize, usize)>>,
}

impl Knowledge {
    pub(super) fn new(shape: Shape) -> Self {
        let mut knowledge = Self {
            shape,
            secrets: Vec::new(),
            by_first: [const { Vec::new() }; 256],
            texts: VecDeque::new(),
            beginnings: Beginnings::default(),
            learned: BTreeMap::new(),
            found: BTreeMap::new(),
            wires: BTreeMap::new(),
        };
        for host in SMP_HOSTS {
            knowledge.add(Secret::Host, host.as_bytes());
        }
        knowledge
    }

    /// A secret has come into being.
    pub(super) fn add(&mut self, secret: Secret, bytes: &[u8]) {
        let [first, _, ..] = bytes else { return };
        if self.secrets.iter().any(|(_, known)| known == bytes) {
            return;
        }
        if let Some(list) = self.by_first.get_mut(usize::from(*first)) {
            list.push(self.secrets.len());
        }
        self.beginnings.add(bytes);
        self.secrets.push((secret, bytes.into()));
    }

    /// Somebody wrote a message.
    pub(super) fn add_text(&mut self, text: &str) {
        if text.len() < TEXT_LEN_MIN {
            return;
        }
        if self.texts.len() >= TEXTS_MAX {
            self.texts.pop_front();
        }
        self.beginnings.add(text.as_bytes());
        self.texts.push_back(text.as_bytes().into());
    }

    /// A party has something from outside the network.
    pub(super) fn know(&mut self, party: Party, fact: Fact, how: impl FnOnce() -> String) {
        self.learned.entry((fact, party)).or_insert_with(how);
    }

    /// The secret that these bytes are.
    pub(super) fn secret_of(&self, bytes: &[u8]) -> Option<Secret> {
        self.secrets.iter().find(|(_, known)| known == bytes).map(|(secret, _)| *secret)
    }

    /// Searches a parcel.
    pub(super) fn search(&self, name: &str, parcel: &Parcel) -> Sighting {
        let mut sighting = Sighting::default();
        match parcel {
            Parcel::Block { protocol: Protocol::Relay, block, .. } => self.search_in(block, &mut sighting),
            Parcel::Block { block, .. } => {
                self.search_in(block::content(block).unwrap_or(block), &mut sighting);
            }
            Parcel::Order(order) => {
                self.search_in(&order.device.token, &mut sighting);
                if let PushPayload::Message(sealed)
                | PushPayload::Hidden(sealed)
                | PushPayload::Verification(sealed) = &order.payload
                {
                    self.search_in(&sealed.ciphertext, &mut sighting);
                }
            }
            Parcel::Request { path, body, .. } => {
                self.search_in(path.as_bytes(), &mut sighting);
                self.search_body(body, &mut sighting);
            }
            Parcel::Push(body) => self.search_body(body, &mut sighting),
            Parcel::Outcome(_) | Parcel::Answer(_) => {}
        }
        sighting.tells_of_a_message = self.tells_of_a_message(name, parcel, &sighting.found);
        sighting
    }

    /// Whether whoever reads a parcel learns that a message has come for an iPhone.
    fn tells_of_a_message(&self, name: &str, parcel: &Parcel, found: &[usize]) -> bool {
        match parcel {
            Parcel::Order(order) => !matches!(order.payload, PushPayload::Verification(_)),
            Parcel::Block { protocol: Protocol::Relay, block, .. } => Frames::of(block).any(|frame| {
                matches!(frame, Ok(Frame::Order(order)) if !matches!(order.payload, Payload::Verification { .. }))
            }),
            Parcel::Block { .. } => {
                let is_message = name.split(' ').any(|word| matches!(word, "SEND" | "NMSG" | "MSG"));
                let mut secrets = found.iter().filter_map(|number| self.secrets.get(*number));
                is_message && secrets.any(|(secret, _)| secret.is_of_iphone())
            }
            Parcel::Request { body, .. } | Parcel::Push(body) => !contains(body, b"\"verification\""),
            Parcel::Outcome(_) | Parcel::Answer(_) => false,
        }
    }

    fn search_body(&self, body: &[u8], sighting: &mut Sighting) {
        self.search_in(body, sighting);
        if let Some(sealed) = core::str::from_utf8(body).ok().and_then(sealed_of) {
            self.search_in(&sealed.ciphertext, sighting);
        }
    }

    fn search_in(&self, bytes: &[u8], sighting: &mut Sighting) {
        for (at, pair) in bytes.windows(2).enumerate() {
            let [first, second] = *pair else { continue };
            if self.beginnings.has(first, second) {
                self.look_at(bytes.get(at..).unwrap_or_default(), first, sighting);
            }
        }
    }

    /// What of that which is sought is there at the beginning of these bytes.
    fn look_at(&self, bytes: &[u8], first: u8, sighting: &mut Sighting) {
        sighting.has_text |= self.texts.iter().any(|text| bytes.starts_with(text));
        for number in self.by_first.get(usize::from(first)).into_iter().flatten() {
            let is_there = self.secrets.get(*number).is_some_and(|(_, secret)| bytes.starts_with(secret));
            if is_there && !sighting.found.contains(number) {
                sighting.found.push(*number);
            }
        }
    }

    /// A party wrote an envelope, or was handed it.
    pub(super) fn read(&mut self, at: Mono, party: Party, envelope: &Envelope) {
        let how = || format!("in {}, at {}", envelope.name, seconds(at));
        if envelope.sighting.has_text {
            self.know(party, Fact::Text, how);
        }
        if envelope.sighting.tells_of_a_message {
            self.know(party, Fact::When, how);
        }
        for number in &envelope.sighting.found {
            let Some(secret) = self.secrets.get(*number).map(|(secret, _)| *secret) else { continue };
            self.found.entry((party, *number)).or_insert_with(how);
            let (fact, queue) = match secret {
                Secret::Token { .. } => (Fact::Token, None),
                Secret::Host => (Fact::Hosts, None),
                Secret::Notifier { device, queue } => (Fact::Notifier, Some((device, queue))),
                Secret::Recipient { device, queue } => (Fact::Recipient, Some((device, queue))),
                Secret::Sender { device, queue } => (Fact::Sender, Some((device, queue))),
            };
            self.learned.entry((fact, party)).or_insert_with(how);
            if let Some((device, queue)) = queue {
                self.name_queue(party, envelope, device, queue, how());
            }
        }
        self.see_address(party, envelope, how());
    }

    /// A queue of a phone was named over a connection.
    fn name_queue(&mut self, party: Party, envelope: &Envelope, device: usize, queue: usize, how: String) {
        if device == DIRECT {
            self.learned.entry((Fact::Direct, party)).or_insert_with(|| how.clone());
        }
        let Parcel::Block { wire, .. } = &envelope.parcel else { return };
        if self.wires.len() >= WIRES_MAX {
            self.wires.pop_first();
        }
        let named = self.wires.entry((*wire, party)).or_default();
        if !named.contains(&(device, queue)) {
            named.push((device, queue));
        }
        let is_together =
            device != DIRECT && named.iter().any(|(other, twin)| *other == device && *twin != queue);
        if is_together {
            self.learned.entry((Fact::Together, party)).or_insert(how);
        }
    }

    /// Whoever is connected to knows where the other side is.
    fn see_address(&mut self, party: Party, envelope: &Envelope, how: String) {
        let seen = match &envelope.parcel {
            Parcel::Block { writer: Side::Opener, .. } if party == envelope.to => envelope.from,
            Parcel::Push(_) if party == envelope.from => envelope.to,
            Parcel::Block { .. }
            | Parcel::Order(_)
            | Parcel::Outcome(_)
            | Parcel::Request { .. }
            | Parcel::Answer(_)
            | Parcel::Push(_) => return,
        };
        let fact = match seen {
            Party::DeviceA | Party::DeviceB => Fact::PhoneAddress,
            Party::DeviceC => Fact::Direct,
            Party::Sender => Fact::SenderAddress,
            Party::Smp1 | Party::Smp2 | Party::Subscriber | Party::Push | Party::Apple | Party::Stranger => {
                return;
            }
        };
        self.learned.entry((fact, party)).or_insert(how);
    }

    /// The table of parties and facts.
    pub(super) fn rows(&self) -> Vec<FactRow> {
        FACTS.iter().map(|(fact, words, why)| self.row(*fact, words, why)).collect()
    }

    fn row(&self, fact: Fact, words: &'static str, why: &'static str) -> FactRow {
        let evidence: BTreeMap<_, _> = Party::ALL
            .into_iter()
            .filter_map(|party| {
                let of = |party| self.learned.get(&(fact, party));
                // What one process knows, all of it knows.
                let twin = match (self.shape, party) {
                    (Shape::Single, Party::Subscriber) => Some(Party::Push),
                    (Shape::Single, Party::Push) => Some(Party::Subscriber),
                    _ => None,
                };
                of(party).or_else(|| of(twin?)).map(|how| (party, how.clone()))
            })
            .collect();
        let learned = |party: &Party| if evidence.contains_key(party) { Learned::Yes } else { Learned::No };
        let parties = Party::ALL.iter().map(|party| (*party, learned(party))).collect();
        FactRow { fact: words, why, parties, evidence }
    }

    /// The secrets that a party found, with where each was.
    pub(super) fn found_by(&self, party: Party) -> Vec<Known> {
        let theirs = self.found.range((party, 0)..=(party, usize::MAX));
        theirs
            .filter_map(|((_, number), how)| {
                let (secret, bytes) = self.secrets.get(*number)?;
                let (title, is_text) = match secret {
                    Secret::Token { device } => (format!("device token of {}", label(*device)), true),
                    Secret::Host => ("SMP server".into(), true),
                    Secret::Notifier { device, .. } => (format!("notifier id ({})", label(*device)), false),
                    Secret::Recipient { device, .. } => (format!("recipient id ({})", label(*device)), false),
                    Secret::Sender { device, .. } => (format!("sender id ({})", label(*device)), false),
                };
                Some(match is_text {
                    true => Known::line(title, format!("{}, {how}", String::from_utf8_lossy(bytes))),
                    false => Known::line(title, how.clone()).with_bytes(bytes),
                })
            })
            .collect()
    }
}

fn label(device: usize) -> &'static str {
    Party::of_device(device).label()
}

fn seconds(at: Mono) -> String {
    format!("{}.{} s", at.as_micros() / 1_000_000, at.as_micros() / 100_000 % 10)
}
