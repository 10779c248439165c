//! The opening of a link: four ends, one state each.
//!
//! The server speaks first. Each end is a value that the other end's hello turns into a session or a
//! fault: [`ClientGreeting::on_hello`] and [`ServerGreeting::on_hello`]. Versions are agreed here, session
//! keys exchanged and block encryption begun; nothing is known of commands yet.
//!
//! ```text
//! server → client   versions, session id, session key signed with the TLS leaf
//! client → server   version, the server it expects, its own session key (SMP)
//! ```
//!
//! A client that is a service is answered once more before commands may be sent: `service`.
//!
//! Source: `smp-transport` 3.2 to 3.6, `ntf-protocol` 1.3.

mod client;
mod server;
mod service;

pub use client::{BlockEncryption, ClientGreeting, ClientSession};
pub use server::{ServerGreeted, ServerGreeting, ServerSession};
pub(crate) use service::refusal;
pub use service::{Applicant, Greeted, PeerService, ServiceGreeting, ServiceIdentity};

use crate::base::fault::PeerFault;
use crate::crypto::chain::Chain;
use crate::link::dialect::Dialect;
use crate::link::event::Block;
use crate::wire::block::{self, Layout};
use alloc::boxed::Box;
use core::fmt;

/// Why a link cannot go on. There is no message for any of these: the link is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkFault {
    /// The peer's hello is malformed.
    Hello(PeerFault),
    /// The server's hello names another session: somebody sits in between, or TLS reports a wrong id.
    WrongSession,
    /// No version is common to both.
    NoCommonVersion,
    /// The server is not the one we expect; or the client expects another server than we are.
    WrongIdentity,
    /// The server's session key is not signed with its certificate.
    UnsignedKey,
    /// The client wants to be a service and has not proved to be it: the certificates in its hello are not
    /// those of TLS, or have not signed its key.
    UnprovenService,
    /// The server does not take us as a service.
    ServiceRefused,
    /// The server takes us as a service and gives it no id.
    NamelessService,
    /// A block does not decrypt: whatever comes next will not either.
    Undecryptable,
    /// A block is not of the protocol's size: the adapter's mistake.
    WrongBlockLen,
}

impl fmt::Display for LinkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hello(fault) => write!(f, "the hello is malformed: {fault}"),
            Self::WrongSession => f.write_str("the hello names another session"),
            Self::NoCommonVersion => f.write_str("no version is common to both sides"),
            Self::WrongIdentity => f.write_str("the server is another than expected"),
            Self::UnsignedKey => f.write_str("the session key is not signed by the server"),
            Self::UnprovenService => f.write_str("the client claims to be a service and has not proved it"),
            Self::ServiceRefused => f.write_str("the server does not take us as a service"),
            Self::NamelessService => f.write_str("the server gives a service no id"),
            Self::Undecryptable => f.write_str("a block does not decrypt"),
            Self::WrongBlockLen => f.write_str("a block has a wrong size"),
        }
    }
}

impl core::error::Error for LinkFault {}

/// What both ends of an open link have: the version, the session id and the chain of incoming blocks.
pub(crate) struct Session<D: Dialect> {
    pub(crate) version: D::Version,
    pub(crate) id: Box<[u8]>,
    opening: Option<Chain>,
}

/// Why a block of an open link cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Its size is wrong.
    Len,
    /// It does not decrypt.
    Seal,
    /// The length in it reaches beyond its end.
    Padding,
}

impl<D: Dialect> Session<D> {
    /// Decrypts a block where it lies and gives its content.
    pub(crate) fn open<'b>(&mut self, block: &'b mut [u8]) -> Result<&'b [u8], Unreadable> {
        if block.len() != D::PROTOCOL.block_len() {
            return Err(Unreadable::Len);
        }
        let padded: &'b [u8] = match &mut self.opening {
            Some(chain) => chain.open_block(block).map_err(|_| Unreadable::Seal)?,
            None => block,
        };
        block::content(padded).map_err(|_| Unreadable::Padding)
    }
}

impl<D: Dialect> fmt::Debug for Session<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, encrypted: {})", self.version, self.opening.is_some())
    }
}

/// The content of a hello's block.
fn hello_content<D: Dialect>(block: &[u8]) -> Result<&[u8], LinkFault> {
    if block.len() != D::PROTOCOL.block_len() {
        return Err(LinkFault::WrongBlockLen);
    }
    block::content(block).map_err(LinkFault::Hello)
}

/// The block of a hello.
fn hello_block<D: Dialect>(content: &[u8]) -> Option<Block> {
    Layout::plain(D::PROTOCOL).block(content).ok().map(Into::into)
}
