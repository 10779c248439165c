//! The hellos of SMP, and the answer to a service.
//!
//! ```text
//! server hello   = version range || short(session id)
//!                  [|| chain || large(signed key)]  if the newest version is 7 or more
//! client hello   = Word16 version || short(server identity, 32 bytes)
//!                  [|| key(session key)]            v7+, absent without a tag
//!                  [|| Bool is proxy]               v14+
//!                  [|| maybe(service)]              v16+
//! service        = "M" | "N" | "P"  || chain || large(signed key)
//! service answer = "R" short(service id) | "E" transport error
//! chain          = list(large(certificate)…), leaf first, at least one
//! ```
//!
//! Source: `smp-transport` 3.2 to 3.4.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::X25519Public;
use crate::model::server::Fingerprint;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::TransportError;
use crate::wire::server;
use crate::wire::version::{SmpVersion, VersionRange};

/// A key that the holder of a certificate vouches for. Both are opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedKey<'a> {
    /// Certificates as DER, leaf first.
    pub chain: Vec<&'a [u8]>,
    /// The key, signed with the leaf's key.
    pub signed_key: &'a [u8],
}

impl<'a> SignedKey<'a> {
    /// Reads a chain and a signed key.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short; an empty chain is malformed.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        let chain = reader.nonempty_list("certificate chain", |reader| reader.large("certificate"))?;
        Ok(Self { chain, signed_key: reader.large("signed key")? })
    }

    /// Appends the chain and the signed key.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.list(&self.chain, |writer, certificate| {
            writer.large(certificate);
        });
        writer.large(self.signed_key);
    }
}

/// What a server says first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The versions it offers.
    pub versions: VersionRange<SmpVersion>,
    /// The session id as the server sees it.
    pub session_id: &'a [u8],
    /// Its X25519 session key, signed with the leaf key of its TLS certificate.
    pub key: Option<SignedKey<'a>>,
}

impl<'a> ServerHello<'a> {
    /// Reads the content of the first block.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short. A key that does not parse counts as absent.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        let versions = VersionRange::<SmpVersion>::decode(&mut reader)?;
        let session_id = reader.short("session id")?;
        let key =
            if versions.max().implies_session_id() { SignedKey::decode(&mut reader).ok() } else { None };
        Ok(Self { versions, session_id, key })
    }

    /// Appends the hello. A key is left out when no version offered can use it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        self.versions.encode(&mut writer);
        writer.short(self.session_id);
        if let Some(key) = self.key.as_ref().filter(|_| self.versions.max().implies_session_id()) {
            key.encode(&mut writer);
        }
    }
}

/// What a client answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientHello<'a> {
    /// The version it chose.
    pub version: SmpVersion,
    /// Whom it expects the server to be.
    pub identity: Fingerprint,
    /// Its session key; without one blocks are not encrypted.
    pub session_key: Option<X25519Public>,
    /// Whether it is a proxy of messages.
    pub is_proxy: bool,
    /// The service it is, if it is one.
    pub service: Option<ServiceHello<'a>>,
}

impl<'a> ClientHello<'a> {
    /// Reads the content of the client's first block, with the fields of the version it names.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short or wrong. A session key that does not parse counts as absent.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        let version = SmpVersion(reader.u16("version")?);
        let identity = server::fingerprint(&mut reader)?;
        let session_key = if version.implies_session_id() { optional_key(&mut reader) } else { None };
        let is_proxy = version.has_proxy_flag() && reader.bool("proxy flag")?;
        let service =
            if version.has_services() { reader.maybe("service", ServiceHello::decode)? } else { None };
        Ok(Self { version, identity, session_key, is_proxy, service })
    }

    /// Appends the hello, with the fields that its version has.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u16(self.version.0).short(self.identity.as_bytes());
        if let Some(key) = self.session_key.filter(|_| self.version.implies_session_id()) {
            writer.short(&key.to_spki());
        }
        if self.version.has_proxy_flag() {
            writer.bool(self.is_proxy);
        }
        if self.version.has_services() {
            writer.maybe(self.service.as_ref(), |writer, service| {
                writer.u8(service.role.tag());
                service.key.encode(writer);
            });
        }
    }
}

/// The key if one is next. There is no tag: bytes that are no key are left for the next field.
fn optional_key(reader: &mut Reader<'_>) -> Option<X25519Public> {
    let mut ahead = *reader;
    let key = X25519Public::from_spki(ahead.short("session key").ok()?).ok()?;
    *reader = ahead;
    Some(key)
}

/// What a service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServiceRole {
    /// Receives messages, `M`.
    Messaging,
    /// Watches queues, `N`.
    Notifier,
    /// Passes messages on, `P`.
    Proxy,
}

impl ServiceRole {
    const fn tag(self) -> u8 {
        match self {
            Self::Messaging => b'M',
            Self::Notifier => b'N',
            Self::Proxy => b'P',
        }
    }
}

/// The part of a client hello in which a service introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceHello<'a> {
    /// What the service does.
    pub role: ServiceRole,
    /// Its Ed25519 session key, signed with the leaf key of its TLS certificate.
    pub key: SignedKey<'a>,
}

impl<'a> ServiceHello<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        let field = "service role";
        let role = match reader.u8(field)? {
            b'M' => ServiceRole::Messaging,
            b'N' => ServiceRole::Notifier,
            b'P' => ServiceRole::Proxy,
            _ => return Err(PeerFault::Malformed { field }),
        };
        Ok(Self { role, key: SignedKey::decode(reader)? })
    }
}

/// What a server answers to a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ServiceAnswer<'a> {
    /// Accepted under this id, the same at every connection.
    Accepted {
        /// The service id.
        service: &'a [u8],
    },
    /// Refused; the server closes the link.
    Refused(TransportError<'a>),
}

impl<'a> ServiceAnswer<'a> {
    /// Reads the content of the block after the client hello.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short or wrong.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        let field = "service answer";
        let mut reader = Reader::new(bytes);
        match reader.u8(field)? {
            b'R' => Ok(Self::Accepted { service: reader.short("service id")? }),
            b'E' => TransportError::decode(reader.rest()).map(Self::Refused),
            _ => Err(PeerFault::Malformed { field }),
        }
    }

    /// Appends the answer.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Accepted { service } => {
                Writer::new(out).u8(b'R').short(service);
            }
            Self::Refused(error) => {
                out.push(b'E');
                error.encode(out);
            }
        }
    }
}

impl fmt::Debug for ServiceAnswer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted { .. } => f.write_str("Accepted(redacted)"),
            Self::Refused(error) => write!(f, "Refused({error:?})"),
        }
    }
}
