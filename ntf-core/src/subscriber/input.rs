//! What can happen to a subscriber.

use crate::link::event::LinkEvent;
use crate::model::push::{PushId, PushOutcome};
use crate::model::token::DeviceTag;

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
    /// The announced deadline has come.
    Tick,
    /// Close all links and forget everything.
    Stop,
}
