//! What can happen to a queue server.

use crate::link::event::LinkEvent;

/// An input of the queue server. All its links are accepted ones and speak SMP.
#[derive(Debug)]
pub enum Input<'a> {
    /// Something happened to a link.
    Link(LinkEvent<'a>),
    /// The announced deadline has come.
    Tick,
    /// Close all links and forget everything.
    Stop,
}
