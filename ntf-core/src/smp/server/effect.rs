//! What a queue server asks of the world.

use crate::link::event::LinkAction;

/// An effect of the queue server.
#[derive(Debug)]
pub enum Effect {
    /// Do this to a link: send a block, or close it. Never to open one.
    Link(LinkAction),
}
