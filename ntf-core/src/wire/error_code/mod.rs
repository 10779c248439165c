//! Errors as peers name them: `ERR SP error`, the same words in both protocols.
//!
//! ```text
//! error  = "BLOCK" | "SESSION" | "CMD" SP command | "PROXY" SP proxy | "AUTH"
//!        | "BLOCKED" SP "reason=" reason ["," "notice=" JSON] | "SERVICE" | "CRYPTO" | "QUOTA"
//!        | "STORE" SP text to the end | "NO_MSG" | "LARGE_MSG" | "EXPIRED" | "INTERNAL" | "DUPLICATE_"
//! command = "UNKNOWN" | "SYNTAX" | "PROHIBITED" | "NO_AUTH" | "HAS_AUTH" | "NO_ENTITY"
//! proxy   = "PROTOCOL" SP error | "BROKER" SP broker | "BASIC_AUTH" | "NO_SESSION"
//! broker  = "RESPONSE" SP short(text) | "UNEXPECTED" SP short(text) | "NETWORK" [SP network]
//!         | "TIMEOUT" | "HOST" | "NO_SERVICE" | "TRANSPORT" SP transport
//! network = "CONNECT" SP short(text) | "TLS" SP short(text) | "UNKNOWNCA" | "FAILED" | "TIMEOUT"
//!         | "SUBSCRIBE" SP short(text)
//! ```
//!
//! An error that is not of this grammar is kept as text, so that a newer peer's word reaches whoever has to
//! decide about it. What a fault of a peer is called on the wire is decided in [`ErrorCode::of`] and nowhere
//! else. Source: `smp-transport` 5.8, `ntf-protocol` 2.4.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::wire::cursor::{Reader, utf8};
use crate::wire::version::SmpVersion;

mod proxy;
mod transport;

pub use proxy::{BrokerError, NetworkError, ProxyError};
pub use transport::{HandshakeError, TransportError};

/// An error of either protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode<'a> {
    /// A block, a transmission or the size of an authorization is malformed.
    Block,
    /// The transmission names another session.
    Session,
    /// The command is wrong in itself.
    Cmd(CommandError),
    /// From a proxy of messages.
    Proxy(ProxyError<'a>),
    /// Unknown entity, wrong authorization, wrong state: which of them is not said.
    Auth,
    /// An operator blocked the queue.
    Blocked(Blocked<'a>),
    /// The rules of service sessions were violated.
    Service,
    /// Decryption failed.
    Crypto,
    /// The queue is full; from a subscriber: the interval is too short.
    Quota,
    /// The server's storage failed, in words.
    Store(&'a str),
    /// ACK without a delivered message.
    NoMsg,
    /// The message is too long.
    LargeMsg,
    /// A key has expired.
    Expired,
    /// The server failed.
    Internal,
    /// Internal to servers; not expected on the wire.
    Duplicate,
    /// An error of another grammar, as it was written.
    Other(&'a str),
}

/// What is wrong with a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CommandError {
    /// The command word is unknown.
    Unknown,
    /// The parameters do not parse, or bytes are left over.
    Syntax,
    /// The command is not allowed here.
    Prohibited,
    /// Authorization or entity id is missing.
    NoAuth,
    /// Authorization or entity id is there and must not be.
    HasAuth,
    /// The entity id is missing. Read also as `NO_QUEUE`, its former name.
    NoEntity,
}

/// Why a queue is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked<'a> {
    /// The reason.
    pub reason: BlockReason,
    /// The operator's notice: the text of a JSON object with an optional integer `ttl` in seconds.
    pub notice: Option<&'a str>,
}

/// The reason for which an operator blocks a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockReason {
    /// Unwanted messages.
    Spam,
    /// Unlawful content.
    Content,
}

impl<'a> ErrorCode<'a> {
    /// The error that answers a peer's fault in a command. The one map from faults to words.
    ///
    /// Source: `smp-transport` 4.6, `ntf-protocol` 1.7.
    #[must_use]
    pub const fn of(fault: PeerFault) -> Self {
        match fault {
            PeerFault::UnknownCommand => Self::Cmd(CommandError::Unknown),
            PeerFault::BadBlock => Self::Block,
            PeerFault::Truncated { .. }
            | PeerFault::Malformed { .. }
            | PeerFault::TrailingBytes { .. }
            | PeerFault::TooLong { .. } => Self::Cmd(CommandError::Syntax),
        }
    }

    /// The error as a peer of this SMP version understands it. NTF peers understand all of it.
    #[must_use]
    pub const fn for_smp(self, version: SmpVersion) -> Self {
        let Self::Blocked(blocked) = self else { return self };
        if !version.has_blocked_error() {
            Self::Auth
        } else if !version.has_block_notices() {
            Self::Blocked(Blocked { reason: blocked.reason, notice: None })
        } else {
            self
        }
    }

    /// Reads an error: what follows `ERR SP`.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Malformed`] when it is of no known form and not UTF-8 either.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        match Self::known(bytes) {
            Some(error) => Ok(error),
            None => utf8(bytes, "error").map(Self::Other),
        }
    }

    /// Appends the error, without `ERR SP`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Block => out.extend_from_slice(b"BLOCK"),
            Self::Session => out.extend_from_slice(b"SESSION"),
            Self::Cmd(error) => {
                out.extend_from_slice(b"CMD ");
                out.extend_from_slice(error.word().as_bytes());
            }
            Self::Proxy(error) => {
                out.extend_from_slice(b"PROXY ");
                error.encode(out);
            }
            Self::Auth => out.extend_from_slice(b"AUTH"),
            Self::Blocked(blocked) => blocked.encode(out),
            Self::Service => out.extend_from_slice(b"SERVICE"),
            Self::Crypto => out.extend_from_slice(b"CRYPTO"),
            Self::Quota => out.extend_from_slice(b"QUOTA"),
            Self::Store(text) => {
                out.extend_from_slice(b"STORE ");
                out.extend_from_slice(text.as_bytes());
            }
            Self::NoMsg => out.extend_from_slice(b"NO_MSG"),
            Self::LargeMsg => out.extend_from_slice(b"LARGE_MSG"),
            Self::Expired => out.extend_from_slice(b"EXPIRED"),
            Self::Internal => out.extend_from_slice(b"INTERNAL"),
            Self::Duplicate => out.extend_from_slice(b"DUPLICATE_"),
            Self::Other(text) => out.extend_from_slice(text.as_bytes()),
        }
    }

    fn known(bytes: &'a [u8]) -> Option<Self> {
        let (word, rest) = split(bytes);
        match (word, rest) {
            (b"BLOCK", None) => Some(Self::Block),
            (b"SESSION", None) => Some(Self::Session),
            (b"CMD", Some(rest)) => CommandError::known(rest).map(Self::Cmd),
            (b"PROXY", Some(rest)) => ProxyError::known(rest).map(Self::Proxy),
            (b"AUTH", None) => Some(Self::Auth),
            (b"BLOCKED", Some(rest)) => Blocked::known(rest).map(Self::Blocked),
            (b"SERVICE", None) => Some(Self::Service),
            (b"CRYPTO", None) => Some(Self::Crypto),
            (b"QUOTA", None) => Some(Self::Quota),
            (b"STORE", Some(rest)) => core::str::from_utf8(rest).ok().map(Self::Store),
            (b"NO_MSG", None) => Some(Self::NoMsg),
            (b"LARGE_MSG", None) => Some(Self::LargeMsg),
            (b"EXPIRED", None) => Some(Self::Expired),
            (b"INTERNAL", None) => Some(Self::Internal),
            (b"DUPLICATE_", None) => Some(Self::Duplicate),
            _ => None,
        }
    }
}

impl CommandError {
    /// The word after `CMD SP`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Syntax => "SYNTAX",
            Self::Prohibited => "PROHIBITED",
            Self::NoAuth => "NO_AUTH",
            Self::HasAuth => "HAS_AUTH",
            Self::NoEntity => "NO_ENTITY",
        }
    }

    fn known(bytes: &[u8]) -> Option<Self> {
        match bytes {
            b"UNKNOWN" => Some(Self::Unknown),
            b"SYNTAX" => Some(Self::Syntax),
            b"PROHIBITED" => Some(Self::Prohibited),
            b"NO_AUTH" => Some(Self::NoAuth),
            b"HAS_AUTH" => Some(Self::HasAuth),
            b"NO_ENTITY" | b"NO_QUEUE" => Some(Self::NoEntity),
            _ => None,
        }
    }
}

impl<'a> Blocked<'a> {
    fn known(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"reason=")?;
        let (reason, rest) = if let Some(rest) = rest.strip_prefix(b"spam") {
            (BlockReason::Spam, rest)
        } else {
            (BlockReason::Content, rest.strip_prefix(b"content")?)
        };
        let notice = match rest {
            [] => None,
            rest => Some(core::str::from_utf8(rest.strip_prefix(b",notice=")?).ok()?),
        };
        Some(Self { reason, notice })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(match self.reason {
            BlockReason::Spam => b"BLOCKED reason=spam",
            BlockReason::Content => b"BLOCKED reason=content",
        });
        if let Some(notice) = self.notice {
            out.extend_from_slice(b",notice=");
            out.extend_from_slice(notice.as_bytes());
        }
    }
}

/// The word before the first space, and what follows that space if there is one.
pub(in crate::wire) fn split(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut reader = Reader::new(bytes);
    match reader.until(b' ', "word") {
        Ok(word) => (word, Some(reader.rest())),
        Err(_) => (bytes, None),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_error_keeps_its_text() {
        for text in [
            "",
            "TOMORROW",
            "TOMORROW and more",
            "block",
            "BLOCK ",
            "CMD",
            "CMD TOMORROW",
            "PROXY BROKER TOMORROW",
            "BLOCKED reason=rain",
            "BLOCKED reason=spam;",
            "STORE",
            "AUTH 1",
        ] {
            let error = ErrorCode::decode(text.as_bytes());
            assert_eq!(error, Ok(ErrorCode::Other(text)), "{text:?}");
            let mut out = Vec::new();
            error.unwrap().encode(&mut out);
            assert_eq!(out, text.as_bytes());
        }
        assert_eq!(ErrorCode::decode(&[0xff]), Err(PeerFault::Malformed { field: "error" }));
    }

    #[test]
    fn all_that_the_grammar_has_is_known() {
        for text in [
            "DUPLICATE_",
            "STORE ",
            "STORE queue store error",
            "BLOCKED reason=spam,notice={\"ttl\":1}",
            "PROXY PROTOCOL PROXY PROTOCOL AUTH",
            "PROXY BROKER NETWORK",
            "PROXY BROKER NETWORK CONNECT \u{3}abc",
            "PROXY BROKER NETWORK TLS \u{0}",
            "PROXY BROKER NETWORK UNKNOWNCA",
            "PROXY BROKER NETWORK FAILED",
            "PROXY BROKER NETWORK TIMEOUT",
            "PROXY BROKER NETWORK SUBSCRIBE \u{1}x",
            "PROXY BROKER NO_SERVICE",
            "PROXY BROKER TRANSPORT BLOCK",
            "PROXY BROKER TRANSPORT TOMORROW",
        ] {
            let error = ErrorCode::decode(text.as_bytes()).unwrap();
            assert!(!matches!(error, ErrorCode::Other(_)), "{text:?} is {error:?}");
            let mut out = Vec::new();
            error.encode(&mut out);
            assert_eq!(out, text.as_bytes(), "{text:?}");
        }
        let former = ErrorCode::decode(b"CMD NO_QUEUE");
        assert_eq!(former, Ok(ErrorCode::Cmd(CommandError::NoEntity)));
    }

    #[test]
    fn a_fault_has_one_word() {
        let syntax = ErrorCode::Cmd(CommandError::Syntax);
        for (fault, expected) in [
            (PeerFault::UnknownCommand, ErrorCode::Cmd(CommandError::Unknown)),
            (PeerFault::BadBlock, ErrorCode::Block),
            (PeerFault::Truncated { field: "x" }, syntax),
            (PeerFault::Malformed { field: "x" }, syntax),
            (PeerFault::TrailingBytes { field: "x" }, syntax),
            (PeerFault::TooLong { field: "x" }, syntax),
        ] {
            assert_eq!(ErrorCode::of(fault), expected, "{fault:?}");
        }
    }
}
