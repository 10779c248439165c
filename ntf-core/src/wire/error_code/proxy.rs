//! Errors of proxies of messages. We run none, but their answers reach clients.

use alloc::vec::Vec;

use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::{TransportError, split};

/// An error of a proxy of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyError<'a> {
    /// The relay's answer to the proxy: an error to be read with [`ErrorCode::decode`](super::ErrorCode::decode).
    ///
    /// Kept as bytes, so that errors nested by a peer cost no stack.
    Protocol(&'a [u8]),
    /// The proxy cannot talk to the relay.
    Broker(BrokerError<'a>),
    /// Proxying is off, or the password is wrong.
    BasicAuth,
    /// The proxy has no such session.
    NoSession,
}

/// How talking to a relay failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerError<'a> {
    /// An answer that does not parse.
    Response(&'a str),
    /// An answer of another kind than expected.
    Unexpected(&'a str),
    /// The network failed; how is seldom said.
    Network(Option<NetworkError<'a>>),
    /// No answer in time.
    Timeout,
    /// The host is not allowed or not compatible.
    Host,
    /// No service there.
    NoService,
    /// The transport failed.
    Transport(TransportError<'a>),
}

/// How the network failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkError<'a> {
    /// No connection.
    Connect(&'a str),
    /// TLS failed.
    Tls(&'a str),
    /// The certificate is not the expected one.
    UnknownCa,
    /// Failed in another way.
    Failed,
    /// Too slow.
    Timeout,
    /// Subscribing failed.
    Subscribe(&'a str),
}

impl<'a> ProxyError<'a> {
    pub(super) fn known(bytes: &'a [u8]) -> Option<Self> {
        match split(bytes) {
            (b"PROTOCOL", Some(rest)) => Some(Self::Protocol(rest)),
            (b"BROKER", Some(rest)) => BrokerError::known(rest).map(Self::Broker),
            (b"BASIC_AUTH", None) => Some(Self::BasicAuth),
            (b"NO_SESSION", None) => Some(Self::NoSession),
            _ => None,
        }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Protocol(error) => {
                out.extend_from_slice(b"PROTOCOL ");
                out.extend_from_slice(error);
            }
            Self::Broker(error) => {
                out.extend_from_slice(b"BROKER ");
                error.encode(out);
            }
            Self::BasicAuth => out.extend_from_slice(b"BASIC_AUTH"),
            Self::NoSession => out.extend_from_slice(b"NO_SESSION"),
        }
    }
}

impl<'a> BrokerError<'a> {
    fn known(bytes: &'a [u8]) -> Option<Self> {
        match split(bytes) {
            (b"RESPONSE", Some(rest)) => short_text(rest).map(Self::Response),
            (b"UNEXPECTED", Some(rest)) => short_text(rest).map(Self::Unexpected),
            (b"NETWORK", None) => Some(Self::Network(None)),
            (b"NETWORK", Some(rest)) => NetworkError::known(rest).map(|error| Self::Network(Some(error))),
            (b"TIMEOUT", None) => Some(Self::Timeout),
            (b"HOST", None) => Some(Self::Host),
            (b"NO_SERVICE", None) => Some(Self::NoService),
            (b"TRANSPORT", Some(rest)) => TransportError::decode(rest).ok().map(Self::Transport),
            _ => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Response(text) => word_and_text(b"RESPONSE ", text, out),
            Self::Unexpected(text) => word_and_text(b"UNEXPECTED ", text, out),
            Self::Network(None) => out.extend_from_slice(b"NETWORK"),
            Self::Network(Some(error)) => {
                out.extend_from_slice(b"NETWORK ");
                error.encode(out);
            }
            Self::Timeout => out.extend_from_slice(b"TIMEOUT"),
            Self::Host => out.extend_from_slice(b"HOST"),
            Self::NoService => out.extend_from_slice(b"NO_SERVICE"),
            Self::Transport(error) => {
                out.extend_from_slice(b"TRANSPORT ");
                error.encode(out);
            }
        }
    }
}

impl<'a> NetworkError<'a> {
    fn known(bytes: &'a [u8]) -> Option<Self> {
        match split(bytes) {
            (b"CONNECT", Some(rest)) => short_text(rest).map(Self::Connect),
            (b"TLS", Some(rest)) => short_text(rest).map(Self::Tls),
            (b"UNKNOWNCA", None) => Some(Self::UnknownCa),
            (b"FAILED", None) => Some(Self::Failed),
            (b"TIMEOUT", None) => Some(Self::Timeout),
            (b"SUBSCRIBE", Some(rest)) => short_text(rest).map(Self::Subscribe),
            _ => None,
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Connect(text) => word_and_text(b"CONNECT ", text, out),
            Self::Tls(text) => word_and_text(b"TLS ", text, out),
            Self::UnknownCa => out.extend_from_slice(b"UNKNOWNCA"),
            Self::Failed => out.extend_from_slice(b"FAILED"),
            Self::Timeout => out.extend_from_slice(b"TIMEOUT"),
            Self::Subscribe(text) => word_and_text(b"SUBSCRIBE ", text, out),
        }
    }
}

/// A `short(text)` that ends the message.
fn short_text(bytes: &[u8]) -> Option<&str> {
    let mut reader = Reader::new(bytes);
    let text = reader.short_text("text").ok()?;
    reader.is_empty().then_some(text)
}

fn word_and_text(word: &[u8], text: &str, out: &mut Vec<u8>) {
    Writer::new(out).bytes(word).short(text.as_bytes());
}
