//! Names of things: entities of the protocols, links, correlation ids.
//!
//! Whoever sees a queue's id can tell that it is watched, so ids print redacted.

use alloc::boxed::Box;
use core::fmt;

/// Bytes in every id that this project makes. Source: `smp-transport` 8, `ntf-protocol` 0.
pub const ID_LEN: usize = 24;

/// An entity id of a peer's making: 1 to 255 opaque bytes.
///
/// Ids of the reference have 24 bytes and are held inline (up to 30 are); longer ones go to the heap, so
/// that the value stays at 32 bytes in tables of millions.
///
/// Source: `smp-transport` 4.2 (opaque, 1 to 255 bytes).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(Repr);

#[derive(Clone)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

const INLINE: usize = 30;

impl EntityId {
    /// The id with these bytes, or `None` when there are none or more than 255.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let len = u8::try_from(bytes.len()).ok().filter(|len| *len > 0)?;
        let mut inline = [0; INLINE];
        match inline.get_mut(..bytes.len()) {
            Some(target) => {
                target.copy_from_slice(bytes);
                Some(Self(Repr::Inline { len, bytes: inline }))
            }
            None => Some(Self(Repr::Heap(bytes.into()))),
        }
    }

    /// The bytes as they travel, without the length byte.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Repr {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { len, bytes } => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Heap(bytes) => bytes,
        }
    }
}

impl PartialEq for Repr {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Repr {}

impl PartialOrd for Repr {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Repr {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl core::hash::Hash for Repr {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EntityId(redacted)")
    }
}

macro_rules! own_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_LEN]);

        impl $name {
            /// The id with these bytes.
            #[must_use]
            pub const fn new(bytes: [u8; ID_LEN]) -> Self {
                Self(bytes)
            }

            /// The id a peer named, or `None` when its length shows that it is not one of ours.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes as they travel, without the length byte.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; ID_LEN] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    };
}

own_id! {
    /// A token registered with a subscriber.
    TokenId
}
own_id! {
    /// A subscription of a token to one queue.
    SubscriptionId
}
own_id! {
    /// Correlation id of a command of ours; also the nonce of its authenticator, so never used twice.
    CorrId
}

/// One connection, for as long as it lasts. Never reused.
///
/// Adapters number the links they accept, roles number the links they ask for; the two ranges differ in
/// the lowest bit, so neither needs to ask the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(u64);

impl LinkId {
    /// The adapter's `number`th accepted link.
    #[must_use]
    pub const fn accepted(number: u64) -> Self {
        Self(number << 1)
    }

    /// The role's `number`th opened link.
    #[must_use]
    pub const fn opened(number: u64) -> Self {
        Self((number << 1) | 1)
    }

    /// The number it was made with.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0 >> 1
    }

    /// Whether a peer opened this link.
    #[must_use]
    pub const fn is_accepted(self) -> bool {
        self.0 & 1 == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};

    #[test]
    fn entity_id_bounds() {
        for (len, ok) in
            [(0, false), (1, true), (24, true), (30, true), (31, true), (255, true), (256, false)]
        {
            let bytes = vec![7; len];
            let id = EntityId::new(&bytes);
            assert_eq!(id.is_some(), ok, "len = {len}");
            if let Some(id) = id {
                assert_eq!(id.as_bytes(), bytes, "len = {len}");
            }
        }
    }

    #[test]
    fn an_entity_id_takes_32_bytes() {
        assert_eq!(size_of::<EntityId>(), 32);
    }

    #[test]
    fn ids_are_not_printed() {
        assert_eq!(format!("{:?}", TokenId::new([65; 24])), "TokenId(redacted)");
        assert_eq!(EntityId::new(b"AAAA").map(|id| format!("{id:?}")).as_deref(), Some("EntityId(redacted)"));
    }

    #[test]
    fn accepted_and_opened_links_never_meet() {
        assert!(LinkId::accepted(3).is_accepted());
        assert!(!LinkId::opened(3).is_accepted());
        assert_ne!(LinkId::accepted(3), LinkId::opened(3));
    }
}
