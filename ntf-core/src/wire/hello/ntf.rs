//! The two hellos of NTF.
//!
//! ```text
//! server hello = version range || short(session id) [|| large(signed key)]     key if the newest is 2 or more
//! client hello = Word16 version || short(server identity, 32 bytes)
//! ```
//!
//! Source: `ntf-protocol` 1.3.

use alloc::vec::Vec;

use crate::base::fault::PeerFault;
use crate::model::server::Fingerprint;
use crate::wire::cursor::{Reader, Writer};
use crate::wire::server;
use crate::wire::version::{NtfVersion, VersionRange};

/// What a server says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello<'a> {
    /// The versions it offers.
    pub versions: VersionRange<NtfVersion>,
    /// The session id as the server sees it.
    pub session_id: &'a [u8],
    /// Its session key, signed with the leaf key of its TLS certificate.
    pub signed_key: Option<&'a [u8]>,
}

impl<'a> ServerHello<'a> {
    /// Reads the content of the first block.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short. A signed key that does not parse counts as absent.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        let versions = VersionRange::<NtfVersion>::decode(&mut reader)?;
        let session_id = reader.short("session id")?;
        let signed_key =
            if versions.max().implies_session_id() { reader.large("signed key").ok() } else { None };
        Ok(Self { versions, session_id, signed_key })
    }

    /// Appends the hello. A key is left out when no version offered can use it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        self.versions.encode(&mut writer);
        writer.short(self.session_id);
        if let Some(key) = self.signed_key.filter(|_| self.versions.max().implies_session_id()) {
            writer.large(key);
        }
    }
}

/// What a client answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientHello {
    /// The version it chose.
    pub version: NtfVersion,
    /// Whom it expects the server to be.
    pub identity: Fingerprint,
}

impl ClientHello {
    /// Reads the content of the client's first block.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short or wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, PeerFault> {
        let mut reader = Reader::new(bytes);
        let version = NtfVersion(reader.u16("version")?);
        Ok(Self { version, identity: server::fingerprint(&mut reader)? })
    }

    /// Appends the hello: 35 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        Writer::new(out).u16(self.version.0).short(self.identity.as_bytes());
    }
}
