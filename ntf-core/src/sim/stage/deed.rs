//! What the audience does to the stage.

use crate::sim::stage::cast::Party;
use crate::sim::stage::options::Network;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Longest message, in bytes. Source: ours; a line.
pub const TEXT_LEN_MAX: usize = 200;

/// Longest delay of a link, in milliseconds. Source: ours; beyond it connections time out anyway.
pub const SLOW_MILLIS_MAX: u32 = 60_000;

/// Most deeds of one run. Source: ours; hours of clicking, and a recording stays small.
pub const DEEDS_MAX: usize = 10_000;

/// Something that is done to the stage. The order of variants is part of the format of recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deed {
    /// The sender sends a message.
    Send {
        /// The phone it is for.
        device: Party,
        /// What it says: 1 to [`TEXT_LEN_MAX`] bytes.
        text: String,
    },
    /// Messages at random times, drawn from the seed, or no more of them.
    Autoplay(bool),
    /// A server's process ends.
    Kill(Party),
    /// Another process takes its place.
    Start(Party),
    /// Nothing passes between two parties.
    Cut(Party, Party),
    /// Everything passes again.
    Mend(Party, Party),
    /// What passes between two parties takes so many milliseconds longer; 0 mends it.
    Slow(Party, Party, u32),
    /// Apple accepts pushes and loses them, or delivers them again.
    DropPushes(bool),
    /// Apple takes a phone's token no more; the phone gets another one some time later.
    RefuseToken(Party),
    /// A phone gets many messages, a few seconds apart.
    Flood(Party),
    /// A stranger hammers the subscriber, or goes away.
    Hostile(bool),
    /// A phone's owner opens the app.
    OpenApp(Party),
    /// The phones change to another network.
    Network(Network),
}

/// A deed, and the moment of the run at which it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Turns of the stage before it: of several things at one time it says which came first.
    pub(super) turn: u64,
    /// Microseconds since the start.
    pub(super) at_micros: u64,
    /// What was done.
    pub(super) deed: Deed,
}
