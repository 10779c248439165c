//! What a subscriber asks of the world.

use crate::base::id::LinkId;
use crate::base::limits::NONCE_LEN;
use crate::link::event::LinkAction;
use crate::model::push::{PushId, PushOrder};
use crate::model::shard::ShardId;
use crate::subscriber::shard::{Letter, Parcel};
use alloc::boxed::Box;
use core::fmt;

/// An effect of the subscriber.
#[derive(Debug)]
pub enum Effect {
    /// Do this to a link.
    Link(LinkAction),
    /// Hand this to the push server; answered by `Input::Outcome`.
    Push(PushOrder),
    /// Hand this to another shard, after what it was handed before; as `Input::Letter`.
    Shard {
        /// Which one.
        to: ShardId,
        /// What to say.
        letter: Letter,
    },
    /// Move a link to another shard: as `Input::Adopt`, followed by whatever happens to the link from here on.
    /// This shard hears no more of it.
    HandOff {
        /// The link.
        link: LinkId,
        /// Where to.
        to: ShardId,
        /// What is known of it.
        parcel: Box<Parcel>,
    },
    /// Something a watcher of the run may want to know. Doing nothing with it is fine.
    Milestone(Milestone),
}

/// A step on the way of a notice. Names no token, queue or server; the nonce is random to all but the
/// SMP server and the device, and is not printed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    /// An NMSG came and was taken in.
    Received {
        /// The notice's nonce.
        nonce: [u8; NONCE_LEN],
    },
    /// The notice went into an order, as its newest.
    Ordered {
        /// The notice's nonce.
        nonce: [u8; NONCE_LEN],
        /// The order.
        push: PushId,
    },
}

impl fmt::Debug for Milestone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received { .. } => f.write_str("Received"),
            Self::Ordered { push, .. } => write!(f, "Ordered({})", push.0),
        }
    }
}
