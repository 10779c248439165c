//! What an engine tells its role.

use crate::base::time::Mono;
use crate::link::dialect::Dialect;
use crate::link::event::DownReason;
use crate::link::requester::{Incoming, ReplyFault, Stray, Timeliness};
use crate::link::state::LinkFault;
use core::fmt;

/// What happened at one server.
#[derive(Debug)]
pub enum ClientEvent<'b, D: Dialect, T> {
    /// The link is open; requests can be made.
    Ready {
        /// The agreed version.
        version: D::Version,
    },
    /// The reply to a request.
    Reply {
        /// The request's tag.
        tag: T,
        /// Whether the tag was reported as timed out before.
        timeliness: Timeliness,
        /// The reply, `ERR` included.
        result: Result<D::Message<'b>, ReplyFault>,
    },
    /// The server says something about an entity unasked: MSG, NMSG, END, ENDS, DELD, `ERR BLOCKED`.
    Unasked {
        /// The entity; not empty.
        entity: &'b [u8],
        /// What it says.
        message: D::Message<'b>,
    },
    /// No reply in time. One may still come, as late.
    TimedOut {
        /// The request's tag.
        tag: T,
    },
    /// The link broke before the reply came, or before the request left: it may or may not have been
    /// carried out. Comes after [`Down`](Self::Down); nothing will come for the tag any more.
    Lost {
        /// The request's tag.
        tag: T,
    },
    /// The open link is gone, and with it everything the server did for it.
    Down {
        /// Why.
        why: Loss,
        /// When the next attempt is made; `None` after [`Engine::disconnect`](super::Engine::disconnect).
        retry_at: Option<Mono>,
    },
    /// An attempt to open a link failed.
    Unreachable {
        /// Why.
        why: Loss,
        /// When the next attempt is made.
        retry_at: Option<Mono>,
    },
    /// Something came that nobody waits for; to be counted.
    Stray(Stray),
}

/// Why there is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The adapter said so.
    Down(DownReason),
    /// The server broke the protocol.
    Fault(LinkFault),
    /// TLS and hellos took too long.
    ConnectTimeout,
    /// The server answered neither requests nor PINGs.
    Silent,
    /// The role asked for it.
    Asked,
}

impl Loss {
    /// The reason as adapters put it, for telling users.
    #[must_use]
    pub const fn down_reason(self) -> DownReason {
        match self {
            Self::Down(reason) => reason,
            Self::Fault(LinkFault::WrongIdentity | LinkFault::UnsignedKey | LinkFault::WrongSession) => {
                DownReason::WrongIdentity
            }
            Self::Fault(_) => DownReason::Broken,
            Self::ConnectTimeout | Self::Silent => DownReason::TimedOut,
            Self::Asked => DownReason::Asked,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(reason) => reason.fmt(f),
            Self::Fault(fault) => fault.fmt(f),
            Self::ConnectTimeout => f.write_str("the server did not answer in time"),
            Self::Silent => f.write_str("the server fell silent"),
            Self::Asked => f.write_str("the connection was closed on this side"),
        }
    }
}

/// An event that borrows nothing.
#[derive(Debug)]
pub(super) enum Noted<D: Dialect, T> {
    Ready(D::Version),
    TimedOut(T),
    Lost(T),
    Down { why: Loss, retry_at: Option<Mono> },
    Unreachable { why: Loss, retry_at: Option<Mono> },
    Stray(Stray),
}

impl<D: Dialect, T> From<Noted<D, T>> for ClientEvent<'_, D, T> {
    fn from(noted: Noted<D, T>) -> Self {
        match noted {
            Noted::Ready(version) => Self::Ready { version },
            Noted::TimedOut(tag) => Self::TimedOut { tag },
            Noted::Lost(tag) => Self::Lost { tag },
            Noted::Down { why, retry_at } => Self::Down { why, retry_at },
            Noted::Unreachable { why, retry_at } => Self::Unreachable { why, retry_at },
            Noted::Stray(stray) => Self::Stray(stray),
        }
    }
}

impl<'b, D: Dialect, T> From<Incoming<'b, D, T>> for ClientEvent<'b, D, T> {
    fn from(incoming: Incoming<'b, D, T>) -> Self {
        match incoming {
            Incoming::Reply { tag, timeliness, result } => Self::Reply { tag, timeliness, result },
            Incoming::Unasked { entity, message } => Self::Unasked { entity, message },
            Incoming::Stray(stray) => Self::Stray(stray),
        }
    }
}
