//! A queue: who may do what with it, and what it holds.
//!
//! Knows neither links nor bytes. The rules of which key secures a queue and of short links live here;
//! delivery is in `readers` and `message`, notifications are in `notifier`.

use super::id::{RecipientId, SenderId, ShortLinkId};
use super::message::Inbox;
use super::notifier::Notifier;
use super::readers::Readers;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::AuthPublicKey;
use crate::wire::smp::queue::QueueMode;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    /// The id for its recipient.
    pub(super) recipient: RecipientId,
    /// The id for its sender.
    pub(super) sender: SenderId,
    /// Any of these authorizes the recipient's commands. Never empty.
    pub(super) recipient_keys: Vec<AuthPublicKey>,
    /// Shared with the recipient; opens message bodies.
    pub(super) secret: BoxKey,
    /// What the queue is for, when its creator said so.
    pub(super) mode: Option<QueueMode>,
    /// Who may send.
    pub(super) access: Access,
    /// Whether anybody may send.
    pub(super) status: Status,
    /// Who may watch, when that was asked for.
    pub(super) notifier: Option<Notifier>,
    /// What a short link leads to.
    pub(super) link: Option<ShortLink>,
    /// Messages not yet acknowledged.
    pub(super) inbox: Inbox,
    /// Who reads.
    pub(super) readers: Readers,
}

/// Who may send to a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anybody who knows the sender id, without authorization.
    Open,
    /// The owner of this key.
    Secured(AuthPublicKey),
}

/// The queue is secured with another key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecuredOtherwise;

impl Access {
    /// Secures the queue. The same key again changes nothing.
    pub(super) fn secure(&mut self, key: AuthPublicKey) -> Result<(), SecuredOtherwise> {
        match self {
            Self::Secured(former) if *former != key => Err(SecuredOtherwise),
            Self::Secured(_) | Self::Open => {
                *self = Self::Secured(key);
                Ok(())
            }
        }
    }
}

/// Whether a queue takes messages. Nobody blocks queues here, so there is no third state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// It does.
    Active,
    /// Its recipient has sent OFF; reading goes on.
    Suspended,
}

/// Opaque data behind a short link, encrypted by its owner.
pub(super) struct ShortLink {
    /// The id in the link.
    pub(super) id: ShortLinkId,
    /// The part that never changes.
    pub(super) fixed: Box<[u8]>,
    /// The part that the owner may replace.
    pub(super) user: Box<[u8]>,
}

impl ShortLink {
    /// Bytes of both parts.
    pub(super) fn len(&self) -> usize {
        self.fixed.len().saturating_add(self.user.len())
    }
}

impl fmt::Debug for ShortLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShortLink({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::keys::Ed25519Public;

    #[test]
    fn a_queue_is_secured_once() {
        let mut access = Access::Open;
        assert_eq!(access.secure(key(1)), Ok(()));
        assert_eq!(access.secure(key(1)), Ok(()));
        assert_eq!(access.secure(key(2)), Err(SecuredOtherwise));
        assert_eq!(access, Access::Secured(key(1)));
    }

    fn key(number: u8) -> AuthPublicKey {
        AuthPublicKey::Ed25519(Ed25519Public::new([number; 32]))
    }
}
