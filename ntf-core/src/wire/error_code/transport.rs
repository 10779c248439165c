//! Errors of transports, in the answer to a service and in errors of proxies.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::wire::cursor::utf8;

/// How a transport failed. Source: `smp-transport` 3.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransportError<'a> {
    /// A bad block.
    Block,
    /// No common version.
    Version,
    /// A message too long.
    LargeMsg,
    /// A wrong session id.
    Session,
    /// No key to authorize with.
    NoAuth,
    /// The greeting failed.
    Handshake(HandshakeError),
    /// Another failure, as it was written.
    Other(&'a str),
}

/// How a greeting failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HandshakeError {
    /// A hello does not parse.
    Parse,
    /// The server is not the one that the client expects.
    Identity,
    /// A signed key does not verify.
    BadAuth,
    /// The service is refused.
    BadService,
}

impl<'a> TransportError<'a> {
    /// Reads a transport error to its end.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] when it is of no known form and not UTF-8 either.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        match bytes {
            b"BLOCK" => Ok(Self::Block),
            b"VERSION" => Ok(Self::Version),
            b"LARGE_MSG" => Ok(Self::LargeMsg),
            b"SESSION" => Ok(Self::Session),
            b"NO_AUTH" => Ok(Self::NoAuth),
            b"HANDSHAKE PARSE" => Ok(Self::Handshake(HandshakeError::Parse)),
            b"HANDSHAKE IDENTITY" => Ok(Self::Handshake(HandshakeError::Identity)),
            b"HANDSHAKE BAD_AUTH" => Ok(Self::Handshake(HandshakeError::BadAuth)),
            b"HANDSHAKE BAD_SERVICE" => Ok(Self::Handshake(HandshakeError::BadService)),
            other => utf8(other, "transport error").map(Self::Other),
        }
    }

    /// Appends the error.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let text = match self {
            Self::Block => "BLOCK",
            Self::Version => "VERSION",
            Self::LargeMsg => "LARGE_MSG",
            Self::Session => "SESSION",
            Self::NoAuth => "NO_AUTH",
            Self::Handshake(HandshakeError::Parse) => "HANDSHAKE PARSE",
            Self::Handshake(HandshakeError::Identity) => "HANDSHAKE IDENTITY",
            Self::Handshake(HandshakeError::BadAuth) => "HANDSHAKE BAD_AUTH",
            Self::Handshake(HandshakeError::BadService) => "HANDSHAKE BAD_SERVICE",
            Self::Other(text) => text,
        };
        out.extend_from_slice(text.as_bytes());
    }
}
