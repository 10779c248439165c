//! What can go wrong on a TLS session, and whose fault it is.

use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use core::fmt;

use rustls::{AlertDescription, CertificateError, Error, OtherError};

use crate::crypto::cert::ChainFault;

/// The session is over because of the peer, or of what lies between.
///
/// No text in here names a peer, an address or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsFault {
    /// The peer's certificates are lawful but not those that were asked for: an attack, or an
    /// address that has grown old.
    WrongIdentity,
    /// The peer's certificates are unlawful. Never [`ChainFault::WrongIdentity`].
    BadCertificate(ChainFault),
    /// The peer does not hold the key of its first certificate.
    BadSignature,
    /// The peer gave up, with this alert.
    Alert(Alert),
    /// The peer knows none of our application protocols, or we none of its.
    NoCommonProtocol,
    /// The peer broke TLS, speaks none of what we speak, or its bytes were changed on the way.
    Protocol(Box<str>),
    /// The connection ended without TLS having been closed: while connecting, or inside a block.
    Truncated,
}

/// An alert of the peer. Source: RFC 8446 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert(pub u8);

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ({})", AlertDescription::from(self.0), self.0)
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongIdentity => {
                f.write_str("the server's certificates are not those that its address asks for")
            }
            Self::BadCertificate(why) => write!(f, "the peer's certificates are refused: {why}"),
            Self::BadSignature => {
                f.write_str("the peer did not sign the handshake with the key of its certificate")
            }
            Self::Alert(alert) => write!(f, "the peer gave up with the TLS alert {alert}"),
            Self::NoCommonProtocol => {
                f.write_str("the peer offers no application protocol that is spoken here")
            }
            Self::Protocol(what) => write!(f, "the TLS session failed: {what}"),
            Self::Truncated => f.write_str("the connection ended without a TLS goodbye"),
        }
    }
}

impl core::error::Error for TlsFault {}

/// The verifier's verdict on its way through rustls, which answers the peer with an alert.
#[derive(Debug)]
struct Verdict(TlsFault);

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for Verdict {}

/// Wraps a verdict on certificates as rustls wants it; `From<Error>` unwraps it.
pub(super) fn refuse(fault: TlsFault) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Verdict(fault)))))
}

impl From<ChainFault> for TlsFault {
    fn from(fault: ChainFault) -> Self {
        if fault == ChainFault::WrongIdentity { Self::WrongIdentity } else { Self::BadCertificate(fault) }
    }
}

impl From<Error> for TlsFault {
    fn from(error: Error) -> Self {
        if let Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) = &error
            && let Some(Verdict(fault)) = inner.downcast_ref::<Verdict>()
        {
            return fault.clone();
        }
        if let Error::AlertReceived(alert) = error {
            let is_alpn = alert == AlertDescription::NoApplicationProtocol;
            return if is_alpn { Self::NoCommonProtocol } else { Self::Alert(Alert(u8::from(alert))) };
        }
        if error == Error::NoApplicationProtocol {
            return Self::NoCommonProtocol;
        }
        Self::Protocol(format!("{error}").into_boxed_str())
    }
}

/// A block was not taken. Visible by reading the calling code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendFault {
    /// TLS is not up yet, or it is over.
    NotUp,
    /// The block is not as long as the profile says.
    WrongLength,
    /// [`Session::has_room`](super::Session::has_room) says no: bytes must reach the socket first.
    Full,
}

impl fmt::Display for SendFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUp => "the session is not up",
            Self::WrongLength => "the block has another length than the profile's",
            Self::Full => "the session's outgoing queue is full",
        })
    }
}

impl core::error::Error for SendFault {}
