//! A subscription as the table holds it, and what goes in and out.

use crate::base::id::{EntityId, SubscriptionId};
use crate::base::list::Links;
use crate::base::secret::Secret;
use crate::crypto::keys::AuthPrivateKey;
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::server::ServerAddress;
use crate::subscription::state::Standing;

/// A subscription of a token to a queue.
pub struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) notifier: EntityId,
    pub(super) key: PackedKey,
    pub(super) owner: TokenIndex,
    /// The slot of the server's row, which stays while a row names it.
    pub(super) server: u32,
    /// The session in which the standing was reached; for a row that is tied to our service the tie, and for one
    /// that failed the trial.
    pub(super) session: u32,
    pub(super) is_tied: bool,
    pub(super) on_server: Links,
    pub(super) on_owner: Links,
    pub(super) standing: Standing,
}

impl Subscription {
    /// The name the client uses.
    #[must_use]
    pub const fn id(&self) -> SubscriptionId {
        self.id
    }

    /// The queue's notifier id.
    #[must_use]
    pub const fn notifier(&self) -> &EntityId {
        &self.notifier
    }

    /// The token it belongs to.
    #[must_use]
    pub const fn owner(&self) -> TokenIndex {
        self.owner
    }
}

/// A notifier key in 33 bytes: without the public half, which is computed again for each NSUB. The rare
/// Ed448 keys are kept beside the table.
pub(super) enum PackedKey {
    Ed25519(Secret<32>),
    X25519(Secret<32>),
    Ed448,
}

/// A subscription to ask for.
#[derive(Debug)]
pub struct Ask {
    /// The subscription.
    pub index: SubscriptionIndex,
    /// The queue's notifier id.
    pub notifier: EntityId,
    /// Authorizes the NSUB.
    pub key: AuthPrivateKey,
}

/// What a SNEW asks for.
#[derive(Debug)]
pub struct Wanted {
    /// The name it will have.
    pub id: SubscriptionId,
    /// The token it belongs to.
    pub owner: TokenIndex,
    /// The SMP server that holds the queue.
    pub server: ServerAddress,
    /// The queue's notifier id.
    pub notifier: EntityId,
    /// The key that authorizes NSUB.
    pub key: AuthPrivateKey,
}
