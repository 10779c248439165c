//! One command or answer with its addressing and authorization.
//!
//! ```text
//! SMP v6, NTF v1      short(authorization)                                 || short(session id) || body
//! SMP v7-15, NTF v2+  short(authorization)                                 || body
//! SMP v16+            short(authorization) [|| maybe(short(service sig))]  || body
//! body                short(correlation id) || short(entity id) || command
//! authorized bytes    short(session id) || body, in all versions
//! ```
//!
//! The service signature's `maybe` byte is there only after a non-empty authorization. Nothing is verified
//! here. Source: `smp-transport` 4.2 and 4.3, `ntf-protocol` 1.5.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{ED448_SIGNATURE_LEN, ED25519_SIGNATURE_LEN};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::version::{NtfVersion, SmpVersion};

/// Bytes of an X25519 authenticator. Source: `smp-transport` 4.4.
pub const AUTHENTICATOR_LEN: usize = 80;

/// What the agreed version changes about transmissions and batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    sends_session_id: bool,
    has_service_signature: bool,
    batches: bool,
}

impl Format {
    /// The format of an SMP version.
    #[must_use]
    pub const fn smp(version: SmpVersion) -> Self {
        Self {
            sends_session_id: !version.implies_session_id(),
            has_service_signature: version.has_services(),
            batches: true,
        }
    }

    /// The format of an NTF version.
    #[must_use]
    pub const fn ntf(version: NtfVersion) -> Self {
        Self {
            sends_session_id: !version.implies_session_id(),
            has_service_signature: false,
            batches: version.batches(),
        }
    }

    /// Whether each transmission names the session.
    #[must_use]
    pub const fn sends_session_id(self) -> bool {
        self.sends_session_id
    }

    /// Whether a service may add its signature.
    #[must_use]
    pub const fn has_service_signature(self) -> bool {
        self.has_service_signature
    }

    /// Whether a block holds a counted batch; if not, one bare transmission.
    #[must_use]
    pub const fn batches(self) -> bool {
        self.batches
    }
}

/// A transmission split into its fields. Prints nothing of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Transmission<'a> {
    /// Signature or authenticator, or empty.
    pub authorization: &'a [u8],
    /// The service's signature, 64 bytes; only where the format has it.
    pub service_signature: Option<&'a [u8]>,
    /// The session id as the peer sent it; only where the format has it.
    pub session_id: Option<&'a [u8]>,
    /// The correlation id: the request's in an answer, empty in an event.
    pub corr_id: &'a [u8],
    /// What the command is about, or empty.
    pub entity_id: &'a [u8],
    /// Command word and parameters.
    pub command: &'a [u8],
    /// Correlation id, entity id and command as they were sent: the end of the authorized bytes.
    pub body: &'a [u8],
}

impl<'a> Transmission<'a> {
    /// Splits a transmission.
    ///
    /// # Errors
    ///
    /// The fault of the field that was short, or a service signature that is not 64 bytes. The answer to
    /// any of them is `ERR BLOCK` with empty ids. Source: `smp-transport` 4.6.
    pub fn decode(bytes: &'a [u8], format: Format) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        let authorization = reader.short("authorization")?;
        let service_signature = if format.has_service_signature && !authorization.is_empty() {
            reader.maybe("service signature", |reader| {
                let signature = reader.short("service signature")?;
                match signature.len() == ED25519_SIGNATURE_LEN {
                    true => Ok(signature),
                    false => Err(PeerFault::Malformed { field: "service signature" }),
                }
            })?
        } else {
            None
        };
        let session_id = if format.sends_session_id { Some(reader.short("session id")?) } else { None };
        let body = reader.rest();
        let mut reader = Reader::new(body);
        let corr_id = reader.short("correlation id")?;
        let entity_id = reader.short("entity id")?;
        let command = reader.rest();
        Ok(Self { authorization, service_signature, session_id, corr_id, entity_id, command, body })
    }

    /// Whether the authorization has the length of some kind, or is empty.
    ///
    /// If not, the answer is `ERR BLOCK` with the correlation id and an empty entity id.
    /// Source: `smp-transport` 4.6.
    #[must_use]
    pub const fn has_lawful_authorization(&self) -> bool {
        matches!(
            self.authorization.len(),
            0 | ED25519_SIGNATURE_LEN | AUTHENTICATOR_LEN | ED448_SIGNATURE_LEN
        )
    }

    /// Appends the transmission.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        Outgoing {
            authorization: self.authorization,
            service_signature: self.service_signature,
            session_id: self.session_id.unwrap_or_default(),
            body: self.body,
        }
        .encode(format, out);
    }
}

impl fmt::Debug for Transmission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Transmission({} bytes of body)", self.body.len())
    }
}

/// A transmission of ours: a body from [`write_body`] and what authorizes it.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Signature or authenticator over [`write_authorized`]; empty in every answer.
    pub authorization: &'a [u8],
    /// The service's signature; left out where the format or the authorization leaves no room for it.
    pub service_signature: Option<&'a [u8]>,
    /// The session id; left out where the format implies it.
    pub session_id: &'a [u8],
    /// Correlation id, entity id and command.
    pub body: &'a [u8],
}

impl Outgoing<'_> {
    /// Appends the transmission.
    pub fn encode(&self, format: Format, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.short(self.authorization);
        if format.has_service_signature && !self.authorization.is_empty() {
            writer.maybe(self.service_signature, |writer, signature| {
                writer.short(signature);
            });
        }
        if format.sends_session_id {
            writer.short(self.session_id);
        }
        writer.bytes(self.body);
    }
}

/// Appends a body; `command` appends the command.
pub fn write_body(corr_id: &[u8], entity_id: &[u8], out: &mut Vec<u8>, command: impl FnOnce(&mut Vec<u8>)) {
    Writer::new(out).short(corr_id).short(entity_id);
    command(out);
}

/// Appends the bytes that an authorization covers. Source: `smp-transport` 4.3.
pub fn write_authorized(session_id: &[u8], body: &[u8], out: &mut Vec<u8>) {
    Writer::new(out).short(session_id).bytes(body);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use alloc::vec;

    const V16: Format = Format::smp(SmpVersion(16));

    fn with_signature(len: usize) -> Vec<u8> {
        let mut out = vec![1, 7, b'1', u8::try_from(len).unwrap()];
        out.resize(4 + len, 9);
        out.extend_from_slice(&[1, b'c', 1, b'e', b'X']);
        out
    }

    #[test]
    fn a_service_signature_has_64_bytes() {
        let malformed = PeerFault::Malformed { field: "service signature" };
        for (len, expected) in [(0, Err(malformed)), (63, Err(malformed)), (64, Ok(64)), (65, Err(malformed))]
        {
            let bytes = with_signature(len);
            let read = Transmission::decode(&bytes, V16).map(|read| read.service_signature.unwrap().len());
            assert_eq!(read, expected, "{len}");
        }
    }

    #[test]
    fn a_service_signature_may_follow_an_authorization_only() {
        let read = Transmission::decode(&[0, 0, 0, b'X'], V16).unwrap();
        assert_eq!((read.service_signature, read.command), (None, b"X".as_slice()));
        let read = Transmission::decode(&[1, 7, b'0', 0, 0, b'X'], V16).unwrap();
        assert_eq!((read.service_signature, read.command), (None, b"X".as_slice()));
        let fault = PeerFault::Malformed { field: "service signature" };
        assert_eq!(Transmission::decode(&[1, 7, 0, 0, b'X'], V16), Err(fault));
        let read = Transmission::decode(&[1, 7, 0, 0, b'X'], Format::smp(SmpVersion(15))).unwrap();
        assert_eq!((read.authorization, read.command), ([7].as_slice(), b"X".as_slice()));
    }

    #[test]
    fn the_body_is_what_follows_the_session_id() {
        let read =
            Transmission::decode(&[0, 2, 5, 5, 1, b'c', 1, b'e', b'X'], Format::smp(SmpVersion(6))).unwrap();
        assert_eq!(read.session_id, Some([5, 5].as_slice()));
        assert_eq!(read.body, [1, b'c', 1, b'e', b'X']);
        assert_eq!((read.corr_id, read.entity_id), (b"c".as_slice(), b"e".as_slice()));
    }

    #[test]
    fn a_field_that_is_short_is_named() {
        for (bytes, field) in [
            (&[][..], "authorization"),
            (&[1], "authorization"),
            (&[0], "session id"),
            (&[0, 1], "session id"),
            (&[0, 0], "correlation id"),
            (&[0, 0, 0], "entity id"),
            (&[0, 0, 0, 1], "entity id"),
        ] {
            let read = Transmission::decode(bytes, Format::smp(SmpVersion(6)));
            assert_eq!(read, Err(PeerFault::Truncated { field }), "{bytes:?}");
        }
    }

    #[test]
    fn an_authorization_has_the_length_of_some_kind() {
        for (len, lawful) in [
            (0, true),
            (1, false),
            (63, false),
            (64, true),
            (65, false),
            (79, false),
            (80, true),
            (81, false),
            (113, false),
            (114, true),
            (115, false),
            (255, false),
        ] {
            let authorization = vec![7; len];
            let read = Transmission {
                authorization: &authorization,
                service_signature: None,
                session_id: None,
                corr_id: &[],
                entity_id: &[],
                command: &[],
                body: &[0, 0],
            };
            assert_eq!(read.has_lawful_authorization(), lawful, "{len}");
        }
    }
}
