//! What a subscriber asks of the world.

use crate::base::limits::NONCE_LEN;
use crate::link::event::LinkAction;
use crate::model::push::{PushId, PushOrder};
use core::fmt;

/// An effect of the subscriber.
#[derive(Debug)]
pub enum Effect {
    /// Do this to a link.
    Link(LinkAction),
    /// Hand this to the push server; answered by `Input::Outcome`.
    Push(PushOrder),
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
