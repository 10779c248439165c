//! A peer played by hand: it hears what comes over its links, and does to them what the run tells it.
//!
//! A machine like any other, without a rule of its own. It stands for whoever speaks the protocol another
//! way than our roles do: too much, not at all, or something else. It can be a client, a server that is
//! listed under a host name, and a device that gets pushes.

use crate::base::id::LinkId;
use crate::base::outbox::Outbox;
use crate::base::time::Now;
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::machine::{Machine, Step};
use crate::model::server::Protocol;
use alloc::vec::Vec;
use core::fmt;

/// What can happen to a stranger.
#[derive(Debug)]
pub enum Input<'a> {
    /// Something happened to one of its links.
    Link(LinkEvent<'a>),
    /// Its provider delivered a push.
    Pushed(&'a [u8]),
    /// It is told to do this.
    Act(LinkAction),
}

/// What a stranger heard. Prints no block and no push.
pub enum Heard {
    /// TLS is up.
    Up {
        /// The link.
        link: LinkId,
        /// What TLS learned.
        transport: Transport,
    },
    /// A whole block came, as it was on the wire.
    Block {
        /// The link.
        link: LinkId,
        /// The block.
        block: Block,
    },
    /// A link is gone, or never came up.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
    /// A push came: its JSON body.
    Push(Vec<u8>),
}

impl fmt::Debug for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { link, .. } => write!(f, "Up({link:?})"),
            Self::Block { link, .. } => write!(f, "Block({link:?})"),
            Self::Down { link, reason } => write!(f, "Down({link:?}, {reason:?})"),
            Self::Push(body) => write!(f, "Push({} bytes)", body.len()),
        }
    }
}

/// A peer played by hand.
#[derive(Debug)]
pub struct Stranger {
    protocol: Option<Protocol>,
    reading: Reading,
    heard: Vec<Heard>,
    outbox: Outbox<LinkAction>,
}

/// Whether a stranger takes what is sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As it comes.
    All,
    /// Nothing: what is sent to it stays with the sender.
    Nothing,
}

impl Stranger {
    /// A stranger that reads, and speaks this with those who connect to it; `None` if nobody can.
    #[must_use]
    pub const fn new(protocol: Option<Protocol>) -> Self {
        Self { protocol, reading: Reading::All, heard: Vec::new(), outbox: Outbox::new() }
    }

    /// What it speaks with those who connect to it.
    #[must_use]
    pub const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// Whether it takes what is sent to it.
    #[must_use]
    pub const fn reading(&self) -> Reading {
        self.reading
    }

    /// Lets it read from here on, or stop reading.
    pub const fn set_reading(&mut self, reading: Reading) {
        self.reading = reading;
    }

    /// What it heard and nobody took yet.
    #[must_use]
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// Takes what it heard since the last call.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        core::mem::take(&mut self.heard)
    }
}

impl Machine for Stranger {
    type Input<'a> = Input<'a>;
    type Effect = LinkAction;

    fn handle(&mut self, _now: Now, input: Input<'_>) {
        self.heard.push(match input {
            Input::Link(LinkEvent::Up { link, transport }) => Heard::Up { link, transport },
            Input::Link(LinkEvent::Block { link, block }) => Heard::Block { link, block: (&*block).into() },
            Input::Link(LinkEvent::Down { link, reason }) => Heard::Down { link, reason },
            Input::Link(LinkEvent::Sent { .. }) => return,
            Input::Pushed(body) => Heard::Push(body.into()),
            Input::Act(action) => return self.outbox.push(action),
        });
    }

    fn poll(&mut self) -> Step<LinkAction> {
        self.outbox.pop().map_or(Step::Idle(None), Step::Do)
    }
}
