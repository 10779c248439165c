//! Protocol versions, as answers to "what changes on the wire?".
//!
//! Code outside this file asks a version what it can do and never compares numbers, so that the history
//! of `smp-transport` 3.5 and `ntf-protocol` 1.4 is written down once.

use crate::base::fault::PeerFault;
use crate::wire::cursor::{Reader, Writer};

/// A version of the messaging protocol, agreed or offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SmpVersion(pub u16);

impl SmpVersion {
    /// The oldest version spoken: all that a peer without ALPN gets.
    pub const MIN: Self = Self(6);
    /// The newest version spoken.
    pub const MAX: Self = Self(18);

    /// Whether hellos carry session keys and transmissions leave the session id out.
    #[must_use]
    pub const fn implies_session_id(self) -> bool {
        self.0 >= 7
    }

    /// Whether X25519 authenticators may authorize commands.
    #[must_use]
    pub const fn has_authenticators(self) -> bool {
        self.0 >= 7
    }

    /// Whether NEW and IDS say if the sender may secure the queue (then as a Bool, later as a mode).
    #[must_use]
    pub const fn has_sender_secure(self) -> bool {
        self.0 >= 9
    }

    /// Whether DELD exists; older peers get END.
    #[must_use]
    pub const fn has_deleted_event(self) -> bool {
        self.0 >= 10
    }

    /// Whether blocks are encrypted inside TLS when both sides sent keys.
    #[must_use]
    pub const fn encrypts_blocks(self) -> bool {
        self.0 >= 11
    }

    /// Whether `ERR BLOCKED` exists; older peers get `ERR AUTH`.
    #[must_use]
    pub const fn has_blocked_error(self) -> bool {
        self.0 >= 12
    }

    /// Whether the client hello says if the client is a proxy.
    #[must_use]
    pub const fn has_proxy_flag(self) -> bool {
        self.0 >= 14
    }

    /// Whether NEW and IDS carry queue modes and link data.
    #[must_use]
    pub const fn has_short_links(self) -> bool {
        self.0 >= 15
    }

    /// Whether services exist: in the client hello, as second signature, in SOK and IDS.
    #[must_use]
    pub const fn has_services(self) -> bool {
        self.0 >= 16
    }

    /// Whether NEW and IDS can create notifier credentials.
    #[must_use]
    pub const fn has_notifier_in_new(self) -> bool {
        self.0 >= 17
    }

    /// Whether `ERR BLOCKED` may carry a notice.
    #[must_use]
    pub const fn has_block_notices(self) -> bool {
        self.0 >= 18
    }

    /// Most bytes of a SEND message. Source: `smp-transport` 5.4.
    #[must_use]
    pub const fn message_len_max(self) -> usize {
        match self.0 {
            ..8 => 16088,
            8..11 => 16064,
            11.. => 16048,
        }
    }
}

/// A version of the notification protocol, agreed or offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NtfVersion(pub u16);

impl NtfVersion {
    /// The oldest version spoken: all that a peer without ALPN gets.
    pub const MIN: Self = Self(1);
    /// The newest version spoken.
    pub const MAX: Self = Self(3);

    /// Whether the server hello carries a session key and transmissions leave the session id out.
    #[must_use]
    pub const fn implies_session_id(self) -> bool {
        self.0 >= 2
    }

    /// Whether X25519 authenticators may authorize commands.
    #[must_use]
    pub const fn has_authenticators(self) -> bool {
        self.0 >= 2
    }

    /// Whether a block holds a batch rather than one bare transmission.
    #[must_use]
    pub const fn batches(self) -> bool {
        self.0 >= 2
    }

    /// Whether `TKN INVALID` may say why.
    #[must_use]
    pub const fn has_invalid_reason(self) -> bool {
        self.0 >= 3
    }
}

/// What [`VersionRange`] needs to know of a version.
pub trait Version: Copy + Ord {
    /// The version with this number.
    fn from_number(number: u16) -> Self;
    /// The version's number.
    fn number(self) -> u16;
}

impl Version for SmpVersion {
    fn from_number(number: u16) -> Self {
        Self(number)
    }

    fn number(self) -> u16 {
        self.0
    }
}

impl Version for NtfVersion {
    fn from_number(number: u16) -> Self {
        Self(number)
    }

    fn number(self) -> u16 {
        self.0
    }
}

/// The versions a peer offers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange<V> {
    min: V,
    max: V,
}

impl VersionRange<SmpVersion> {
    /// All that we speak.
    pub const SMP: Self = Self { min: SmpVersion::MIN, max: SmpVersion::MAX };
    /// What a server offers to a client without ALPN. Source: `smp-transport` 2.4.
    pub const SMP_WITHOUT_ALPN: Self = Self { min: SmpVersion::MIN, max: SmpVersion::MIN };
}

impl VersionRange<NtfVersion> {
    /// All that we speak.
    pub const NTF: Self = Self { min: NtfVersion::MIN, max: NtfVersion::MAX };
    /// What a server offers to a client without ALPN. Source: `ntf-protocol` 1.1.
    pub const NTF_WITHOUT_ALPN: Self = Self { min: NtfVersion::MIN, max: NtfVersion::MIN };
}

impl<V: Version> VersionRange<V> {
    /// The versions from `min` to `max`, or `None` when `min` is above `max`.
    #[must_use]
    pub fn new(min: V, max: V) -> Option<Self> {
        (min <= max).then_some(Self { min, max })
    }

    /// The oldest version offered.
    #[must_use]
    pub const fn min(&self) -> V {
        self.min
    }

    /// The newest version offered.
    #[must_use]
    pub const fn max(&self) -> V {
        self.max
    }

    /// Whether `version` is offered.
    #[must_use]
    pub fn contains(&self, version: V) -> bool {
        self.min <= version && version <= self.max
    }

    /// The newest version that both sides offer.
    #[must_use]
    pub fn agree(&self, other: &Self) -> Option<V> {
        Self::new(self.min.max(other.min), self.max.min(other.max)).map(|common| common.max)
    }

    /// Reads `min` Word16, `max` Word16.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`], or [`PeerFault::Malformed`] when `min` is above `max`.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, PeerFault> {
        let field = "version range";
        let min = V::from_number(reader.u16(field)?);
        let max = V::from_number(reader.u16(field)?);
        Self::new(min, max).ok_or(PeerFault::Malformed { field })
    }

    /// Appends the range.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.u16(self.min.number()).u16(self.max.number());
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_on_the_newest_common_version() {
        let range = |min, max| VersionRange::new(SmpVersion(min), SmpVersion(max)).unwrap();
        for (ours, theirs, agreed) in [
            (range(6, 18), range(6, 18), Some(18)),
            (range(6, 18), range(6, 6), Some(6)),
            (range(6, 18), range(17, 30), Some(18)),
            (range(6, 18), range(18, 18), Some(18)),
            (range(6, 18), range(19, 20), None),
            (range(6, 18), range(1, 5), None),
        ] {
            assert_eq!(ours.agree(&theirs), agreed.map(SmpVersion), "{theirs:?}");
            assert_eq!(theirs.agree(&ours), agreed.map(SmpVersion), "{theirs:?}");
        }
    }

    #[test]
    fn a_range_never_runs_backwards() {
        let bytes = [0, 7, 0, 6];
        assert_eq!(
            VersionRange::<NtfVersion>::decode(&mut Reader::new(&bytes)),
            Err(PeerFault::Malformed { field: "version range" })
        );
        assert_eq!(VersionRange::new(NtfVersion(3), NtfVersion(2)), None);
    }

    #[test]
    fn messages_shrink_with_what_the_versions_add() {
        for (version, len) in [(6, 16088), (7, 16088), (8, 16064), (10, 16064), (11, 16048), (18, 16048)] {
            assert_eq!(SmpVersion(version).message_len_max(), len, "version {version}");
        }
    }
}
