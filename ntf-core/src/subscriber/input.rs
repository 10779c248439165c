//! What can happen to a subscriber.

use crate::base::id::LinkId;
use crate::link::event::LinkEvent;
use crate::model::push::{PushId, PushOutcome};
use crate::model::shard::ShardId;
use crate::model::token::DeviceTag;
use crate::subscriber::shard::{Letter, Parcel};
use alloc::boxed::Box;

/// An input of the subscriber. Accepted links speak NTF, opened links speak SMP.
#[derive(Debug)]
pub enum Input<'a> {
    /// Something happened to a link.
    Link(LinkEvent<'a>),
    /// The push server tells what became of an order.
    Outcome(PushOutcome),
    /// The push server tells what it calls the device of an order, whose token it alone can read. Comes
    /// before the outcome.
    Recognised {
        /// The order.
        push: PushId,
        /// Its device.
        device: DeviceTag,
    },
    /// Another shard has written.
    Letter {
        /// Which one.
        from: ShardId,
        /// What it says.
        letter: Letter,
    },
    /// Another shard hands over a link. Its events come here from now on, those that happened meanwhile first.
    Adopt {
        /// The link.
        link: LinkId,
        /// What is known of it.
        parcel: Box<Parcel>,
    },
    /// The announced deadline has come.
    Tick,
    /// Take no more work and finish what is under way: close all links, hand the push server what waits for it,
    /// and hear its outcomes, until [`Subscriber::is_drained`](crate::subscriber::Subscriber::is_drained) or for
    /// as long as one likes. `Stop` has to follow.
    Drain,
    /// Close all links and forget everything.
    Stop,
}
