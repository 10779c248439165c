//! A subscription as the table holds it, and what goes in and out.

use crate::base::id::{EntityId, ID_LEN, SubscriptionId};
use crate::base::list::Links;
use crate::base::secret::Secret;
use crate::crypto::keys::AuthPrivateKey;
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::server::ServerAddress;
use crate::subscription::state::Standing;

/// A subscription of a token to a queue.
pub struct Subscription {
    pub(super) id: SubscriptionId,
    pub(super) notifier: PackedId,
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

    /// The token it belongs to.
    #[must_use]
    pub const fn owner(&self) -> TokenIndex {
        self.owner
    }
}

/// A notifier id in 25 bytes: servers make ids of 24. The rare longer ones are kept beside the table.
pub(super) struct PackedId {
    /// None is empty, so zero says that the id is elsewhere.
    len: u8,
    bytes: [u8; ID_LEN],
}

impl PackedId {
    /// The id, packed, if it is not too long.
    pub(super) fn new(id: &EntityId) -> Option<Self> {
        let id = id.as_bytes();
        let mut bytes = [0; ID_LEN];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { len: u8::try_from(id.len()).ok()?, bytes })
    }

    /// Stands for an id that is kept beside the table.
    pub(super) const ELSEWHERE: Self = Self { len: 0, bytes: [0; ID_LEN] };

    /// The bytes of the id, if they are here.
    pub(super) fn as_bytes(&self) -> Option<&[u8]> {
        self.bytes.get(..usize::from(self.len)).filter(|bytes| !bytes.is_empty())
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
