//! What an operator may choose, with the reference's values as defaults.

use crate::base::secret::Secret;
use crate::crypto::cert::ServerCredentials;
use crate::wire::version::{SmpVersion, VersionRange};
use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;
use zeroize::Zeroize;

/// What a recurring time of zero counts as: without it the server would ask to be woken for ever.
pub(super) const SHORTEST: Duration = Duration::from_secs(1);

/// Everything a server must be told.
///
/// Only the credentials have no default: take [`Config::new`] and change the fields that matter.
#[derive(Debug)]
pub struct Config {
    /// The certificate chain shown to clients and the key of its leaf.
    pub credentials: ServerCredentials,
    /// The SMP versions offered to clients that agree on an ALPN name; 6 to 18 by default. Others are
    /// offered the oldest one only.
    pub versions: VersionRange<SmpVersion>,
    /// Who may create queues; everybody by default.
    pub creation: Creation,
    /// Time between rounds of notifications; 1.5 s by default. Zero counts as one microsecond.
    ///
    /// Source: `smp-transport` 6.3.
    pub nmsg_round: Duration,
    /// Time between rounds of END and DELD; 15 s by default. Zero counts as one microsecond.
    ///
    /// Source: `smp-transport` 6.4.
    pub event_round: Duration,
    /// How long an undelivered notification is kept; 24 h by default. Source: `smp-transport` 6.3.
    pub notification_lifetime: Duration,
    /// How long an unacknowledged message is kept; 21 days by default. Source: `smp-transport` 8.
    pub message_lifetime: Duration,
    /// Time between looks for what has expired; 1 h by default. What expired is kept up to this much
    /// longer, though never handed out. Less than a second counts as one. Source: `smp-transport` 6.3; the reference looks for messages
    /// every two hours.
    pub sweep_every: Duration,
    /// Time from TLS to the end of the SMP handshake, after which a link is closed; 120 s by default.
    ///
    /// Source: `smp-transport` 2.8.
    pub handshake_max: Duration,
    /// How long a link without any subscription may stay silent; 6 h by default.
    ///
    /// Source: `smp-transport` 6.4.
    pub silence_max: Duration,
    /// Bounds of tables.
    pub limits: Limits,
}

impl Config {
    /// A server with these credentials and the defaults of the reference.
    #[must_use]
    pub const fn new(credentials: ServerCredentials) -> Self {
        Self {
            credentials,
            versions: VersionRange::SMP,
            creation: Creation::Anybody,
            nmsg_round: Duration::from_millis(1500),
            event_round: Duration::from_secs(15),
            notification_lifetime: Duration::from_secs(24 * 3600),
            message_lifetime: Duration::from_secs(21 * 24 * 3600),
            sweep_every: Duration::from_secs(3600),
            handshake_max: Duration::from_secs(120),
            silence_max: Duration::from_secs(6 * 3600),
            limits: Limits::DEFAULT,
        }
    }
}

/// Who may create queues.
#[derive(Clone, Default)]
pub enum Creation {
    /// Everybody; a password in NEW is ignored.
    #[default]
    Anybody,
    /// Whoever sends this password with NEW.
    WithPassword(Password),
    /// Nobody: NEW is answered `AUTH`.
    Nobody,
}

impl fmt::Debug for Creation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anybody => "Anybody",
            Self::WithPassword(_) => "WithPassword(redacted)",
            Self::Nobody => "Nobody",
        })
    }
}

/// The password for creating queues, as it stands in the server's address. Compared by its hash, so that
/// the time to answer tells nothing of it, its length included.
#[derive(Clone)]
pub struct Password(Secret<64>);

impl Password {
    /// The password with this text.
    #[must_use]
    pub fn new(mut text: Box<[u8]>) -> Self {
        let hash = crate::crypto::sha::sha512(&text);
        text.zeroize();
        Self(Secret::new(hash))
    }

    /// Whether a client named this password.
    pub(super) fn matches(&self, named: &[u8]) -> bool {
        self.0.matches(&crate::crypto::sha::sha512(named))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// Bounds of everything that peers can make grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Links at a time; 10,000 by default. Full: a new link is closed at once.
    pub links: usize,
    /// Queues; 100,000 by default. Full: NEW is answered `INTERNAL`.
    pub queues: usize,
    /// Messages of one queue; 128 by default. Full: one quota marker, and `QUOTA` to the sender.
    ///
    /// Source: `smp-transport` 5.4.
    pub queue_quota: usize,
    /// Bytes of message bodies and short link data together; 1 GiB by default. Full: every queue acts as
    /// if its quota were reached, and no link data is taken (`INTERNAL`).
    pub bytes: usize,
    /// Recipient keys of one queue; 16 by default. More: RKEY is answered `INTERNAL`.
    pub recipient_keys: usize,
    /// Notifications stored for one notifier; 256 by default. Full: the oldest gives way.
    pub notifications_per_notifier: usize,
    /// Notifications stored for all notifiers; 1,000,000 by default, 40 bytes each. Full: the notifier's
    /// own oldest gives way, and one that has none stored gets none.
    pub notifications: usize,
    /// Services known by their certificates; 10,000 by default. Full: one that is not connected and has no
    /// queue is forgotten, or if there is none, the new one is refused with `HANDSHAKE BAD_SERVICE`.
    pub services: usize,
    /// END and DELD that wait for the next event round of one link; 10,000 by default. Full: the link is
    /// closed, and learns by subscribing again.
    pub events_per_link: usize,
}

impl Limits {
    /// The default bounds. Source: ours, but for the quota; a small server for hundreds of devices.
    pub const DEFAULT: Self = Self {
        links: 10_000,
        queues: 100_000,
        queue_quota: 128,
        bytes: 1 << 30,
        recipient_keys: 16,
        notifications_per_notifier: 256,
        notifications: 1_000_000,
        services: 10_000,
        events_per_link: 10_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn a_password_matches_itself_only_and_is_not_printed() {
        let password = Password::new(b"open sesame".as_slice().into());
        for (named, expected) in [
            (b"open sesame".as_slice(), true),
            (b"open sesam", false),
            (b"open sesame!", false),
            (b"", false),
        ] {
            assert_eq!(password.matches(named), expected, "{named:?}");
        }
        assert_eq!(format!("{password:?}"), "Password(redacted)");
        assert_eq!(format!("{:?}", Creation::WithPassword(password)), "WithPassword(redacted)");
    }
}
