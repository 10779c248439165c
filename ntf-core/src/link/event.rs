//! What an adapter tells a role about links, and what a role asks of it. The same for every role.

use crate::base::id::LinkId;
use crate::base::reach::Reach;
use crate::base::source::Source;
use crate::crypto::cert::ServerCredentials;
use crate::model::server::{Protocol, ServerAddress};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// A whole transport block: [`Protocol::block_len`] bytes.
pub type Block = Box<[u8]>;

/// Something happened to a link. Prints no block.
pub enum LinkEvent<'a> {
    /// TLS is up. The first event of an accepted link; the answer to [`LinkAction::Connect`].
    Up {
        /// The link.
        link: LinkId,
        /// What TLS learned.
        transport: Transport,
    },
    /// A whole block came. It is decrypted where it lies, so the bytes are scrap afterwards.
    Block {
        /// The link.
        link: LinkId,
        /// Exactly one block.
        block: &'a mut [u8],
    },
    /// Blocks handed over with [`LinkAction::Send`] have reached the socket.
    Sent {
        /// The link.
        link: LinkId,
        /// How many since the last such event.
        blocks: u32,
    },
    /// The link is gone, or never came up. The last event of a link; comes also after `Close`.
    Down {
        /// The link.
        link: LinkId,
        /// Why.
        reason: DownReason,
    },
}

impl LinkEvent<'_> {
    /// The link it happened to.
    #[must_use]
    pub const fn link(&self) -> LinkId {
        match self {
            Self::Up { link, .. }
            | Self::Block { link, .. }
            | Self::Sent { link, .. }
            | Self::Down { link, .. } => *link,
        }
    }
}

impl fmt::Debug for LinkEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { link, transport } => write!(f, "Up({link:?}, {transport:?})"),
            Self::Block { link, .. } => write!(f, "Block({link:?})"),
            Self::Sent { link, blocks } => write!(f, "Sent({link:?}, {blocks})"),
            Self::Down { link, reason } => write!(f, "Down({link:?}, {reason:?})"),
        }
    }
}

/// What TLS learned while connecting.
#[derive(Clone)]
pub struct Transport {
    /// The client's Finished value on both sides. Source: `smp-transport` 2.6.
    pub session_id: Box<[u8]>,
    /// Whether any ALPN name was agreed; without one only the oldest version is spoken. Source: 2.4.
    pub has_alpn: bool,
    /// The peer's certificates as DER, leaf first; empty when it showed none. TLS has checked that the chain
    /// is sound and that the peer holds the leaf's key; a client's identity may be any.
    pub peer_chain: Vec<Box<[u8]>>,
    /// Whether we showed a certificate of our own as a client. Source: 2.7.
    pub showed_certificate: bool,
    /// Where the link comes from, for limits by source; `None` where the adapter does not know, and then no
    /// such limit applies.
    pub source: Option<Source>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transport(alpn: {}, peer certificates: {})", self.has_alpn, self.peer_chain.len())
    }
}

/// Why a link is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DownReason {
    /// The role asked for it.
    Asked,
    /// The peer closed it.
    Closed,
    /// No host of the address could be reached or resolved.
    Unreachable,
    /// The hosts of the address resolve to addresses that [`LinkAction::Connect::reach`] does not permit, and to
    /// no others.
    NotPublic,
    /// The TCP connection broke.
    Broken,
    /// The TLS handshake failed, other than by the next reason.
    Tls,
    /// The certificates are not those the address asks for.
    WrongIdentity,
    /// TLS was not up in time, or TCP got no answer on an open link for longer than it bears.
    TimedOut,
}

impl fmt::Display for DownReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "the connection was closed on this side",
            Self::Closed => "the server closed the connection",
            Self::Unreachable => "no host of the address can be reached",
            Self::NotPublic => "no host of the address has a public address",
            Self::Broken => "the connection broke",
            Self::Tls => "the TLS handshake failed",
            Self::WrongIdentity => {
                "another server answers there: its certificates are not those of the address"
            }
            Self::TimedOut => "the server did not answer in time",
        })
    }
}

/// Something to do to a link. Prints no block.
pub enum LinkAction {
    /// Open TCP and TLS; answered by `Up` or `Down`.
    Connect {
        /// The link's name, of the role's choosing.
        link: LinkId,
        /// Block size, ALPN and default port.
        protocol: Protocol,
        /// Where, and whom to expect.
        server: ServerAddress,
        /// The certificates to show if the server asks for any. Source: `smp-transport` 2.7.
        showing: Option<Box<ServerCredentials>>,
        /// Which addresses of its hosts may be connected to.
        reach: Reach,
    },
    /// Send one block, after those before it.
    Send {
        /// The link.
        link: LinkId,
        /// Exactly one block.
        block: Block,
    },
    /// Send what was handed over, then close. Answered by `Down`.
    Close {
        /// The link.
        link: LinkId,
    },
}

impl fmt::Debug for LinkAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { link, protocol, .. } => write!(f, "Connect({link:?}, {protocol:?})"),
            Self::Send { link, .. } => write!(f, "Send({link:?})"),
            Self::Close { link } => write!(f, "Close({link:?})"),
        }
    }
}
