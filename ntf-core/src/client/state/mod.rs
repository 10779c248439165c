//! A client's state as bytes, for programs that end between two commands.
//!
//! ```text
//! state    = "NTFC" version(2) body checksum
//! body     = written Word32 queues made || mode || Bool unregistered || direct || maybe(token)
//!            || list32(leaving) || list32(queue) || list32(deleting) || list32(sender)
//! written  = Int64, Unix seconds
//! mode     = "I" | "P" | "D" | "O"
//! direct   = Bool enabled || list(network)
//! network  = Int64 name || bracket without a packet || bracket with TCP's questions
//! bracket  = Word16 seconds survived || maybe(Word16 seconds dropped), 0 where TCP's questions are not answered
//! token    = server provider short(device) maybe(push key(32) short(sealed device)) short(key) dh(32) phase
//!            Bool another push || Bool check || Bool replacement || maybe(Word16 minutes) || maybe(due)
//! phase    = "N" | "R" issued | "V" issued code(32) | "A" issued | "I" issued short(status)
//! issued   = short(token id) secret(32)
//! leaving  = ("T" | "S") server short(id) short(key) due
//! queue    = Word32 id server short(key) short(recipient id) short(sender id) secret(32)
//!            Bool notifications || notifier || maybe(short(subscription id) due) || Bool fetch
//!            Int64 broker time list(message id(24))
//! notifier = "M" | "K" short(notifier id) short(key) secret(32) | "R" | "O"
//! deleting = Word32 id server short(key) short(recipient id) due
//! sender   = server short(sender id) short(key) Bool secured
//! due      = Word32, seconds after `written`
//! checksum = the first 8 bytes of the SHA-256 of all before
//! ```
//!
//! `server` and the primitives are those of [`crate::wire`]; keys are PKCS#8. Versions 1 to 4 are read too.
//! Version 4 has one bracket for each network, the one with TCP's questions. None before has `direct` or the modes
//! `D` and `O`. Versions 1 and 2 have no sealed device. Version 1 has neither `written`, mode and what follows it,
//! nor dues, and a notifier is maybe("K" without its letter).
//!
//! The bytes hold every secret of the device in the clear: whoever stores them owns their protection. The
//! checksum finds accidents, not attacks.
//!
//! What was under way (requests, a queue that is being created, messages to be sent) is not part of it: a
//! client that is restored begins those anew or has forgotten them. What was intended is: to check, to
//! fetch, to remove, to delete.
//!
//! **Dates.** Only spans are written, and the date of writing. The calendar may have been set back since:
//! then no time is taken to have passed, and nothing is due later than it was. It may have been set forward:
//! then everything is due at once, and once only; and a deletion whose time is over is tried for an hour
//! more. So a wrong calendar brings neither a storm nor silence.

mod queue;
mod read;
mod write;

use crate::base::fault::PeerFault;
use crate::base::rng::Seed;
use crate::base::time::{Now, Wall};
use crate::client::Client;
use crate::client::config::Config;
use crate::client::leave::Left;
use crate::client::mode::Mode;
use crate::client::opened::Opened;
use crate::client::queue::{Phase as QueuePhase, Queue};
use crate::client::receive::Line;
use crate::crypto::sha::sha256;
use crate::wire::cursor::{Reader, Writer};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use queue::Wanted;
use zeroize::Zeroizing;

const MAGIC: &[u8; 4] = b"NTFC";

/// A version of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    /// Read only.
    One = 1,
    /// Read only.
    Two = 2,
    /// Read only.
    Three = 3,
    /// Read only.
    Four = 4,
    /// The one that is written.
    Five = 5,
}

/// How much of a state is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    ForPushes,
}

const CHECKSUM_LEN: usize = 8;

/// Why bytes are not the state of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImportError {
    /// They do not begin as a state does.
    NotAState,
    /// They were written by a program of another version.
    OtherVersion {
        /// The version of the bytes.
        found: u8,
    },
    /// They are cut short or were changed.
    Damaged,
    /// They are whole, but hold something that cannot be.
    Malformed {
        /// The field that is wrong.
        field: &'static str,
    },
    /// They hold more than the configuration allows.
    TooMany {
        /// Of what.
        what: &'static str,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAState => f.write_str("this is not the state of a device"),
            Self::OtherVersion { found } => {
                write!(f, "the state is of version {found}; this program reads 1 to 5")
            }
            Self::Damaged => f.write_str("the state is damaged: its checksum does not fit"),
            Self::Malformed { field } => write!(f, "the state is whole, but its {field} is not possible"),
            Self::TooMany { what } => write!(f, "the state holds more {what} than the configuration allows"),
        }
    }
}

impl core::error::Error for ImportError {}

impl From<PeerFault> for ImportError {
    fn from(fault: PeerFault) -> Self {
        Self::Malformed { field: fault.field() }
    }
}

impl Client {
    /// Everything a device must not lose, as bytes, as of the last input. They hold secrets; see the module.
    ///
    /// To be stored after events that matter: `QueueCreated`, `Token`, `Subscription`, `Message`.
    #[must_use]
    pub fn export(&self) -> Zeroizing<Vec<u8>> {
        self.export_part(Part::All)
    }

    /// What a [`PushStep`](crate::client::PushStep) needs of it: the token, and the queues that pushes are made
    /// for. They hold secrets as well.
    #[must_use]
    pub fn export_for_pushes(&self) -> Zeroizing<Vec<u8>> {
        self.export_part(Part::ForPushes)
    }

    fn export_part(&self, part: Part) -> Zeroizing<Vec<u8>> {
        // Room for all of it at once: a vector that grows leaves copies of secrets behind.
        let room = 4096 + 2048 * (self.queues.len() + self.senders.kept().count() + self.leavings.len());
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        self.write(&mut Writer::new(&mut bytes), part);
        let checksum = sha256(&bytes);
        bytes.extend(checksum.into_iter().take(CHECKSUM_LEN));
        bytes
    }

    /// A client with the state that [`export`](Self::export) gave.
    ///
    /// It goes on with what was intended within seconds, and checks when the next check is due. An app
    /// registers its device token nevertheless, which checks at once; and sets its list of subscribers.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes. Nothing of them is used then.
    pub fn import(config: Config, seed: Seed, now: Now, bytes: &[u8]) -> Result<Self, ImportError> {
        let (mut client, ()) = Self::restore(config, seed, now, bytes, |_| (Wanted::All, ()))?;
        client.go_on(now);
        Ok(client)
    }

    /// A client that fetches what this push announces, with so many GETs in all, and does nothing else; and the push, opened.
    /// It has the queues that the push names, and no others.
    pub(super) fn import_for_a_push(
        config: Config,
        seed: Seed,
        now: Now,
        bytes: &[u8],
        push: &[u8],
        fetches_max: usize,
    ) -> Result<(Self, Opened), ImportError> {
        let (mut client, opened) = Self::restore(config, seed, now, bytes, |client| {
            let opened = client.open_push(push);
            (opened.names().map_or(Wanted::All, Wanted::Named), opened)
        })?;
        client.timers.clear();
        // Another process holds the direct connections, if there are any; here, GET is what is wanted.
        client.mode = Mode::Instant;
        client.line = Line::of(fetches_max);
        for id in client.live_queues() {
            client.note_notifier(id);
        }
        Ok((client, opened))
    }

    /// Reads a state. `choose` says which of its queues are wanted, when all but these has been read, the token included.
    fn restore<T>(
        config: Config,
        seed: Seed,
        now: Now,
        bytes: &[u8],
        choose: impl FnOnce(&Self) -> (Wanted, T),
    ) -> Result<(Self, T), ImportError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(ImportError::NotAState)?;
        let version = match rest.first() {
            Some(1) => Version::One,
            Some(2) => Version::Two,
            Some(3) => Version::Three,
            Some(4) => Version::Four,
            Some(5) => Version::Five,
            Some(&found) => return Err(ImportError::OtherVersion { found }),
            None => return Err(ImportError::Damaged),
        };
        let (content, checksum) = bytes
            .len()
            .checked_sub(CHECKSUM_LEN)
            .and_then(|len| bytes.split_at_checked(len))
            .ok_or(ImportError::Damaged)?;
        if !sha256(content).starts_with(checksum) {
            return Err(ImportError::Damaged);
        }
        let body = content.get(MAGIC.len() + 1..).ok_or(ImportError::Damaged)?;
        let mut client = Self::new(config, seed, now);
        let chosen = client.read_all(now, version, &mut Reader::new(body), choose)?;
        Ok((client, chosen))
    }
}
