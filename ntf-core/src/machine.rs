//! The contract between a machine and whoever drives it.
//!
//! A driver calls [`Machine::handle`] once per event, then [`Machine::poll`] until it answers
//! [`Step::Idle`], performing each effect in order. When the named deadline comes, the driver hands in
//! the role's tick input. That is all; `docs/ARCHITECTURE.md` shows a driver of sixty lines.

use crate::base::time::{Deadline, Now};

/// A state machine without input or output of its own.
pub trait Machine {
    /// What can happen to it.
    type Input<'a>;
    /// What it asks of the world.
    type Effect;

    /// Applies one input.
    ///
    /// A peer's fault becomes an effect, never a panic and never an `Err`. Work per call is bounded.
    /// `now.mono` must not go back between calls; an earlier value counts as the latest one seen.
    fn handle(&mut self, now: Now, input: Self::Input<'_>);

    /// The next thing to do.
    ///
    /// [`Step::Idle`] ends the drain: until the next [`handle`](Machine::handle), further calls give
    /// `Idle` again. Costs O(1) when there is nothing to do, whatever the machine holds.
    fn poll(&mut self) -> Step<Self::Effect>;
}

/// The answer of [`Machine::poll`].
#[derive(Debug)]
pub enum Step<E> {
    /// Perform this, then poll again.
    Do(E),
    /// Nothing to do until the next input, or until the deadline if there is one.
    Idle(Option<Deadline>),
}
