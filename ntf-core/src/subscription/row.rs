//! A subscription as the table holds it, and what goes in and out.

use crate::base::id::{EntityId, ID_LEN};
use crate::base::list::Links;
use crate::crypto::keys::{AuthPrivateKey, Ed448Private, Ed25519Private, X25519Private};
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::server::ServerAddress;
use crate::subscription::state::Standing;
use alloc::boxed::Box;

/// A subscription of a token to a queue. Its id is not here: it is made of its place.
pub struct Subscription {
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

/// A notifier key in 65 bytes, with the public half of an Ed25519 key, which is half the work of signing NSUB. The rare
/// Ed448 keys are larger, and are kept beside the table.
pub(super) enum PackedKey {
    Ed25519(Ed25519Private),
    X25519(X25519Private),
    Ed448,
}

impl PackedKey {
    /// The key, packed; an Ed448 key comes back, to be kept beside the table.
    pub(super) fn new(key: AuthPrivateKey) -> (Self, Option<Box<Ed448Private>>) {
        match key {
            AuthPrivateKey::Ed25519(key) => (Self::Ed25519(key), None),
            AuthPrivateKey::X25519(key) => (Self::X25519(key), None),
            AuthPrivateKey::Ed448(key) => (Self::Ed448, Some(Box::new(key))),
        }
    }

    /// The key, unless it is beside the table.
    pub(super) fn unpack(&self) -> Option<AuthPrivateKey> {
        match self {
            Self::Ed25519(key) => Some(AuthPrivateKey::Ed25519(key.clone())),
            Self::X25519(key) => Some(AuthPrivateKey::X25519(key.clone())),
            Self::Ed448 => None,
        }
    }

    /// Whether this is that key, if it is here. Takes constant time for keys of one kind.
    pub(super) fn matches(&self, key: &AuthPrivateKey) -> bool {
        match (self, key) {
            (Self::Ed25519(own), AuthPrivateKey::Ed25519(key)) => own == key,
            (Self::X25519(own), AuthPrivateKey::X25519(key)) => own == key,
            (
                Self::Ed25519(_) | Self::X25519(_) | Self::Ed448,
                AuthPrivateKey::Ed25519(_) | AuthPrivateKey::X25519(_) | AuthPrivateKey::Ed448(_),
            ) => false,
        }
    }
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
    /// The token it belongs to.
    pub owner: TokenIndex,
    /// The SMP server that holds the queue.
    pub server: ServerAddress,
    /// The queue's notifier id.
    pub notifier: EntityId,
    /// The key that authorizes NSUB.
    pub key: AuthPrivateKey,
}
