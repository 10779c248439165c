//! What the audience sees, as values: with `serde` they are the objects that a page draws.

use crate::sim::stage::cast::Party;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use serde::Serialize;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When, in milliseconds since the start.
    pub at: f64,
    /// What kind of thing.
    pub kind: Kind,
    /// Of an envelope: its number. The same number again tells that something else became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Who did it, or sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Party>,
    /// Who gets it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Party>,
    /// Of an envelope: what is in it, in the protocol's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Of an envelope: when it will be there, in milliseconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrives: Option<f64>,
    /// Of an envelope: what becomes of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
    /// A sentence.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something is on its way, or its way has changed.
    Envelope,
    /// Something worth a line.
    Note,
    /// The audience did something.
    Deed,
    /// A promise was broken.
    Law,
}

/// What becomes of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It will be there.
    Arrives,
    /// It will never be there.
    Lost,
    /// It waits where the way is cut.
    Held,
}

/// The stage at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Milliseconds since the start.
    pub now: f64,
    /// Everybody.
    pub parties: Vec<PartyView>,
    /// Who has to do with whom.
    pub links: Vec<LinkView>,
    /// The latest messages, newest last.
    pub messages: Vec<MessageView>,
    /// All messages of the run.
    pub account: Account,
    /// What is promised.
    pub laws: Vec<LawView>,
    /// Hidden pushes that phones may still have.
    pub budget: Vec<BudgetView>,
    /// What an hour of each phone's connections costs.
    pub idle: Vec<IdleView>,
}

/// A party at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartyView {
    /// Who.
    pub id: Party,
    /// What people call it.
    pub label: &'static str,
    /// Whether its process runs.
    pub up: bool,
    /// What it holds, a few words each.
    pub lines: Vec<String>,
    /// What stands on a phone's screen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notification: Option<String>,
}

/// Two parties that have to do with each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LinkView {
    /// One.
    pub a: Party,
    /// The other.
    pub b: Party,
    /// How it is between them.
    pub state: LinkState,
}

/// How it is between two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Connected.
    Up,
    /// About to be.
    Connecting,
    /// Not connected; nobody wants anything, as a rule.
    Down,
    /// The audience cut it.
    Cut,
    /// The audience made it slow.
    Slow,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MessageView {
    /// Its number, from 1.
    pub id: u32,
    /// The phone it is for.
    pub device: Party,
    /// What it says.
    pub text: String,
    /// How far it is.
    pub state: MessageState,
    /// Why it is no further.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was sent, in milliseconds since the start.
    pub at: f64,
}

/// How far a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum MessageState {
    /// On its way to the SMP server.
    #[serde(rename = "sent")]
    Sent,
    /// The SMP server has it.
    #[serde(rename = "held by server")]
    Held,
    /// The subscriber has heard of it.
    #[serde(rename = "noticed")]
    Noticed,
    /// A push with its notice was ordered.
    #[serde(rename = "pushed")]
    Pushed,
    /// A newer notice of its queue speaks for it.
    #[serde(rename = "merged")]
    Merged,
    /// An alert on the screen speaks for it.
    #[serde(rename = "shown")]
    Shown,
    /// The phone has opened it.
    #[serde(rename = "read")]
    Read,
    /// The phone was not told of it, by a rule; it will find it when it looks.
    #[serde(rename = "lost-excused")]
    Excused,
}

/// Where all messages of the run are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Account {
    /// All.
    pub sent: u32,
    /// Opened by their phone.
    pub read: u32,
    /// An alert on the screen speaks for them.
    pub shown: u32,
    /// On their way.
    pub waiting: u32,
    /// Their phone was not told, by a rule; they wait at their SMP server.
    pub lost: u32,
}

/// A promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LawView {
    /// A few words.
    pub name: &'static str,
    /// Whether it was kept so far.
    pub holds: bool,
    /// What it says, or how it was broken.
    pub text: String,
}

/// Hidden pushes that a phone may have.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BudgetView {
    /// The phone.
    pub device: Party,
    /// So many at once now.
    pub left: u32,
    /// So many at once after a rest.
    pub of: u32,
    /// When it may have one more, in milliseconds since the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_at: Option<f64>,
}

/// What an hour of a phone's connections costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct IdleView {
    /// The phone.
    pub device: Party,
    /// Bytes in and out.
    pub bytes_per_hour: u32,
    /// Times its radio woke.
    pub wakeups_per_hour: u32,
}

/// Something that a party has, with what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Known {
    /// What it is.
    pub title: String,
    /// What it says.
    pub text: String,
    /// The bytes, in hexadecimal; the first of them where there are many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Whether the party can read it.
    pub readable: bool,
    /// What is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Known>,
}

/// Who learned one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactRow {
    /// The thing.
    pub fact: &'static str,
    /// Why it is so, or should be.
    pub why: &'static str,
    /// Everybody, and whether they learned it in this run.
    pub parties: BTreeMap<Party, Learned>,
    /// Where and when those who learned it did.
    pub evidence: BTreeMap<Party, String>,
}

/// Whether somebody learned something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Learned {
    /// It was in what they could read.
    #[serde(rename = "learned")]
    Yes,
    /// It was not.
    #[serde(rename = "not learned")]
    No,
}

/// Most bytes that are shown of anything. Source: ours; a screen full.
const BYTES_SHOWN: usize = 256;

impl Known {
    pub(super) fn line(title: impl Into<String>, text: impl Into<String>) -> Self {
        Self { title: title.into(), text: text.into(), readable: true, ..Self::default() }
    }

    /// With these bytes.
    pub(super) fn with_bytes(mut self, bytes: &[u8]) -> Self {
        self.bytes = Some(hex(bytes));
        self
    }

    /// Bytes that say nothing to whoever has them.
    pub(super) fn sealed(title: impl Into<String>, text: impl Into<String>, bytes: &[u8]) -> Self {
        Self { readable: false, ..Self::line(title, text).with_bytes(bytes) }
    }

    pub(super) fn with(mut self, children: Vec<Known>) -> Self {
        self.children = children;
        self
    }
}

/// The first bytes, in hexadecimal.
fn hex(bytes: &[u8]) -> String {
    let mut text: String = bytes.iter().take(BYTES_SHOWN).map(|byte| alloc::format!("{byte:02x}")).collect();
    if bytes.len() > BYTES_SHOWN {
        text.push('…');
    }
    text
}

/// Milliseconds since the start.
#[expect(clippy::cast_precision_loss, reason = "a run of 285 years is longer than anybody watches")]
pub(super) fn millis(at: crate::base::time::Mono) -> f64 {
    at.as_micros() as f64 / 1000.0
}
