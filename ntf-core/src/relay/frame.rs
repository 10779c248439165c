//! What a subscriber and its push server say to each other, and how it lies in a block.
//!
//! ```text
//! block  = *( length frame ) 2*OCTET(0)        4096 bytes; what follows the zero length is not looked at
//! length = 2*OCTET                             big-endian, 1 or more
//! frame  = postcard of `Frame`
//! ```
//!
//! A frame lies in one block, and several small ones share it, so that an observer sees neither the kinds
//! nor the lengths of what is said. The order of variants and fields below is the format: what is added
//! comes with another version, and [`Frame::Hello`] and [`Frame::Welcome`] stay as they are for ever.
//! Source: ours; `docs/protocol/relay.md`.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Serialize};

use crate::base::fault::{Misuse, PeerFault};
use crate::base::limits::{NONCE_LEN, RELAY_BLOCK_LEN};
use crate::link::event::Block;
use crate::model::token::DEVICE_TAG_LEN;

/// The version of the protocol that this module speaks.
pub const VERSION: u16 = 1;

/// Bytes of the number that tells one run of a subscriber from the next.
pub const INSTANCE_LEN: usize = 16;

/// Longest ciphertext in an order: an order with it, and with the longest device token, fills a block.
///
/// Apple takes bodies of 4096 bytes, in which ciphertext is written in four bytes for three, so nothing
/// that could be pushed is longer. Source: ours.
pub const CIPHERTEXT_LEN_MAX: usize = 3600;

/// Bytes before each frame.
const LENGTH_LEN: usize = 2;

/// One thing said.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<'a> {
    /// Subscriber, first: who I am is in my certificate; this is what I speak.
    Hello(Hello),
    /// Push server, first: what we speak, and how many orders may be unanswered.
    Welcome(Welcome),
    /// Push server: so many orders may be unanswered from here on.
    Credits(u32),
    /// Subscriber: push this.
    #[serde(borrow)]
    Order(Order<'a>),
    /// Push server: what became of an order.
    Outcome(Outcome),
    /// Either: are you there?
    Ping,
    /// Either: yes.
    Pong,
    /// Push server: I am about to leave. Outcomes still come; further orders are put off.
    Drain,
    /// Either, last: I close the link, and why.
    Goodbye(Farewell),
}

/// What a subscriber speaks.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Oldest version.
    pub version_min: u16,
    /// Newest version.
    pub version_max: u16,
    /// Drawn at random when the process starts. Request ids are remembered for one instance: another one
    /// counts from the beginning.
    pub instance: [u8; INSTANCE_LEN],
}

/// What is spoken on this link.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The newest version that both speak.
    pub version: u16,
    /// Orders that may be unanswered on this link.
    pub credits: u32,
}

/// One push to one device, asked for under a number.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order<'a> {
    /// Names the order within the subscriber's instance. Each further order has a higher one; the same one
    /// again is the same order.
    pub request: u64,
    /// The device.
    #[serde(borrow)]
    pub device: Device<'a>,
    /// What to push.
    pub payload: Payload<'a>,
}

/// The device of an order.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Device<'a> {
    /// A device token, as stock apps register it.
    Plain {
        /// Who understands it.
        provider: Provider,
        /// The token, 1 to 255 bytes.
        token: &'a [u8],
    },
    /// One that the subscriber cannot read: [`crate::relay::sealed_token`].
    Sealed(&'a [u8]),
}

/// Who delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Provider {
    /// Apple's sandbox.
    ApnsDev,
    /// Apple's production service.
    ApnsProd,
    /// A stand-in for Apple.
    ApnsTest,
    /// Nobody.
    ApnsNull,
}

/// What a push carries.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Payload<'a> {
    /// The encrypted registration code.
    Verification {
        /// Nonce of the box.
        nonce: [u8; NONCE_LEN],
        /// The box.
        ciphertext: &'a [u8],
    },
    /// Encrypted notices.
    Message {
        /// Nonce of the box.
        nonce: [u8; NONCE_LEN],
        /// The box.
        ciphertext: &'a [u8],
    },
    /// Nothing but the hint to look.
    CheckMessages,
    /// Encrypted notices that show nothing.
    Hidden {
        /// Nonce of the box.
        nonce: [u8; NONCE_LEN],
        /// The box.
        ciphertext: &'a [u8],
    },
    /// A visible alert, in the words of the push server.
    Alert {
        /// The name under which alerts of one registration replace each other.
        collapse: u64,
    },
}

/// What became of an order.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The order's number.
    pub request: u64,
    /// Its result.
    pub result: Answer,
}

/// The result of an order.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The provider took it. With it comes what the device is called here, if its token was sealed: a
    /// subscriber that missed it once hears it again with the next push.
    Accepted {
        /// Bytes of a [`DeviceTag`](crate::model::token::DeviceTag).
        device: Option<[u8; DEVICE_TAG_LEN]>,
    },
    /// The provider no longer accepts the device token, or the sealed one does not open here.
    TokenInvalid {
        /// Why.
        reason: InvalidReason,
        /// Unix milliseconds since when, if the provider said so.
        since_millis: Option<u64>,
    },
    /// Not now: the provider is down, slow or limiting.
    TryLater {
        /// How long to wait before this device is tried again, in milliseconds.
        after_millis: u64,
    },
    /// Not now: the subscriber has used up what it may push.
    Throttled {
        /// How long to wait, in milliseconds.
        after_millis: u64,
    },
    /// Not this push; another may pass.
    Refused(Refusal),
    /// Not now: the device had its share of hidden pushes.
    DeviceThrottled {
        /// When it may have the next, in milliseconds.
        after_millis: u64,
    },
    /// Not at this size; a smaller push may pass.
    TooLarge,
}

/// What a provider said of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InvalidReason {
    /// No token of this environment.
    Bad,
    /// Another app's.
    Topic,
    /// Expired.
    Expired,
    /// The app was removed.
    Unregistered,
}

/// Why a push was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The provider refused it, or is not served here.
    Provider,
    /// The subscriber may push to sealed tokens only.
    PlainToken,
}

/// Why a link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// No version is spoken by both.
    Version,
    /// A newer link of the same subscriber has come.
    Replaced,
    /// More orders than credits.
    Credits,
    /// Something that cannot be understood.
    Fault,
    /// The process ends.
    Leaving,
    /// Nothing was heard for too long.
    Silent,
}

impl Frame<'_> {
    /// The kind, for counters and logs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Welcome(_) => "welcome",
            Self::Credits(_) => "credits",
            Self::Order(_) => "order",
            Self::Outcome(_) => "outcome",
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::Drain => "drain",
            Self::Goodbye(_) => "goodbye",
        }
    }
}

/// Prints the kind: orders name devices, and hellos name instances.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Frame({})", self.kind())
    }
}

/// Reads the frames of a block one by one. After the first fault there is nothing more.
#[derive(Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The frames of this block.
    #[must_use]
    pub const fn of(block: &'a [u8]) -> Self {
        Self { rest: block }
    }

    fn next_frame(&mut self) -> Result<Option<Frame<'a>>, PeerFault> {
        let Some((length, rest)) = self.rest.split_first_chunk::<LENGTH_LEN>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 {
            return Ok(None);
        }
        let (frame, rest) =
            rest.split_at_checked(length).ok_or(PeerFault::Truncated { field: "relay frame" })?;
        let (frame, left) =
            postcard::take_from_bytes(frame).map_err(|_| PeerFault::Malformed { field: "relay frame" })?;
        if !left.is_empty() {
            return Err(PeerFault::TrailingBytes { field: "relay frame" });
        }
        self.rest = rest;
        Ok(Some(frame))
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, PeerFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_frame();
        if !matches!(next, Ok(Some(_))) {
            self.rest = &[];
        }
        next.transpose()
    }
}

/// A block that is being filled with frames.
#[derive(Default)]
pub struct BlockWriter {
    content: Vec<u8>,
}

impl BlockWriter {
    /// An empty block.
    #[must_use]
    pub const fn new() -> Self {
        Self { content: Vec::new() }
    }

    /// Adds a frame. Says whether there was room; without room nothing changes.
    ///
    /// # Errors
    ///
    /// [`Misuse::TooLong`] when the frame fits no block, which only an order can bring about.
    pub fn push(&mut self, frame: &Frame<'_>) -> Result<Room, Misuse> {
        let start = self.content.len();
        if start == 0 {
            self.content.reserve_exact(RELAY_BLOCK_LEN);
        }
        self.content.extend_from_slice(&[0; LENGTH_LEN]);
        let written = match postcard::to_extend(frame, core::mem::take(&mut self.content)) {
            Ok(content) => {
                self.content = content;
                self.content.len() - start - LENGTH_LEN
            }
            Err(_) => return Err(Misuse::TooLong { field: "relay frame" }),
        };
        if self.content.len() > RELAY_BLOCK_LEN {
            self.content.truncate(start);
            return match start {
                0 => Err(Misuse::TooLong { field: "relay frame" }),
                _ => Ok(Room::No),
            };
        }
        // No frame is empty, and one that fits the block is far below 64 KiB.
        let length = u16::try_from(written).unwrap_or(u16::MAX).to_be_bytes();
        if let Some(place) = self.content.get_mut(start..start + LENGTH_LEN) {
            place.copy_from_slice(&length);
        }
        Ok(Room::Yes)
    }

    /// Whether nothing was added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// The block, filled up with zeros; `None` when it has no frame.
    #[must_use]
    pub fn finish(mut self) -> Option<Block> {
        if self.content.is_empty() {
            return None;
        }
        self.content.resize(RELAY_BLOCK_LEN, 0);
        Some(self.content.into_boxed_slice())
    }
}

impl fmt::Debug for BlockWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockWriter({} bytes)", self.content.len())
    }
}

/// Whether a frame had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is in the block.
    Yes,
    /// It has to go into the next one.
    No,
}

/// A block that carries one small frame.
#[must_use]
pub fn block_of(frame: &Frame<'_>) -> Block {
    let mut writer = BlockWriter::new();
    let pushed = writer.push(frame);
    debug_assert!(pushed.is_ok(), "only orders can be too long for a block");
    writer.finish().unwrap_or_else(|| Box::from(vec![0; RELAY_BLOCK_LEN]))
}
