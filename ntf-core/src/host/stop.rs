//! Stopping together: drain first, then stop; and whoever dies takes the others along in good order.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::thread;

use crate::host::sync::{Arc, Lock, mutant};
use crate::host::wait_list::{Ticket, WaitList};

/// How far the end has come. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Work as usual.
    Running,
    /// Take nothing new on, finish what is in hand.
    Draining,
    /// Leave at once.
    Stopped,
}

/// Why the end has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asked for it.
    Asked,
    /// A member went away without saying that it had finished.
    Died {
        /// The name it joined under.
        who: String,
        /// Whether it went by a panic; else its thread or runtime let go of it.
        by_panic: bool,
    },
    /// A member does not read its letters any more, so the others cannot keep their promises.
    Stuck {
        /// The name it joined under.
        who: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => f.write_str("asked to stop"),
            Self::Died { who, by_panic: true } => write!(f, "{who} panicked"),
            Self::Died { who, by_panic: false } => write!(f, "{who} was dropped before it had finished"),
            Self::Stuck { who } => write!(f, "{who} does not read its letters"),
        }
    }
}

impl core::error::Error for Cause {}

/// The common end of several tasks or threads. Clones share it.
#[derive(Clone)]
pub struct Stop {
    shared: Arc<Lock<State>>,
}

struct State {
    stage: Stage,
    /// The first cause; later ones are consequences.
    cause: Option<Cause>,
    members: usize,
    waiting: WaitList,
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Running, with no members.
    #[must_use]
    pub fn new() -> Self {
        let state = State { stage: Stage::Running, cause: None, members: 0, waiting: WaitList::default() };
        Self { shared: Arc::new(Lock::new(state)) }
    }

    /// Asks everybody to finish. Whoever waits for this stage is woken.
    pub fn drain(&self, cause: Cause) {
        self.advance(Stage::Draining, Some(cause), 0);
    }

    /// Tells everybody to leave at once.
    pub fn stop(&self, cause: Cause) {
        self.advance(Stage::Stopped, Some(cause), 0);
    }

    /// How far it has come.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.shared.lock().stage
    }

    /// Why, once it is no longer running.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.shared.lock().cause.clone()
    }

    /// Waits until this stage or a later one.
    pub fn reached(&self, stage: Stage) -> Wait {
        Wait { stop: self.clone(), until: Until::Stage(stage), ticket: None }
    }

    /// Waits until no member is left.
    pub fn deserted(&self) -> Wait {
        Wait { stop: self.clone(), until: Until::Deserted, ticket: None }
    }

    /// Counts a task or thread in, under a name for [`Cause::Died`].
    #[must_use = "a member that is dropped counts as dead"]
    pub fn join(&self, name: &str) -> Member {
        self.shared.lock().members += 1;
        Member { stop: self.clone(), name: name.to_owned(), has_finished: false }
    }

    fn advance(&self, stage: Stage, cause: Option<Cause>, leaving: usize) {
        let mut state = self.shared.lock();
        state.members -= if mutant("dead_members_stay") && stage > Stage::Running { 0 } else { leaving };
        if stage > Stage::Running && state.cause.is_none() {
            state.cause = cause;
        }
        state.stage = state.stage.max(stage);
        let waiting = state.waiting.take_all();
        drop(state);
        if mutant("stop_wakes_one") {
            waiting.take(1).for_each(Waker::wake);
        } else {
            waiting.for_each(Waker::wake);
        }
    }
}

/// One of those who are to stop together.
///
/// Dropped without [`finished`](Self::finished), by a panic or with its runtime, it makes the others drain.
pub struct Member {
    stop: Stop,
    name: String,
    has_finished: bool,
}

impl Member {
    /// Leaves in good order.
    pub fn finished(mut self) {
        self.has_finished = true;
    }

    /// The common end.
    #[must_use]
    pub const fn stop(&self) -> &Stop {
        &self.stop
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        if self.has_finished {
            self.stop.advance(Stage::Running, None, 1);
        } else {
            let who = core::mem::take(&mut self.name);
            let cause = Cause::Died { who, by_panic: thread::panicking() };
            self.stop.advance(Stage::Draining, Some(cause), 1);
        }
    }
}

/// A wait for the end, or a part of it.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Wait {
    stop: Stop,
    until: Until,
    ticket: Option<Ticket>,
}

enum Until {
    Stage(Stage),
    Deserted,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let mut state = this.stop.shared.lock();
        let is_over = match this.until {
            Until::Stage(_) if mutant("drain_counts_as_stop") => state.stage > Stage::Running,
            Until::Stage(stage) => state.stage >= stage,
            Until::Deserted => state.members == 0,
        };
        if mutant("stop_looks_then_waits") {
            drop(state);
            state = this.stop.shared.lock();
        }
        let spare = match (is_over, this.ticket) {
            (false, _) => state.waiting.wait(&mut this.ticket, context.waker()),
            (true, Some(ticket)) => state.waiting.leave(ticket),
            (true, None) => None,
        };
        drop(state);
        drop(spare);
        if is_over {
            this.ticket = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mine = self.stop.shared.lock().waiting.leave(ticket);
            drop(mine);
        }
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        write!(f, "Stop({:?}, {} members)", state.stage, state.members)
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({})", self.name)
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;
    use crate::host::wake::block_on;

    #[test]
    fn everybody_learns_of_the_end_whenever_they_ask() {
        let stop = Stop::new();
        let waiting = [Stage::Draining, Stage::Draining, Stage::Stopped].map(|stage| {
            let reached = stop.reached(stage);
            thread::spawn(move || block_on(reached))
        });
        stop.drain(Cause::Asked);
        block_on(stop.reached(Stage::Draining));
        stop.stop(Cause::Asked);
        for waiter in waiting {
            waiter.join().unwrap();
        }
        block_on(stop.reached(Stage::Draining));
    }

    #[test]
    fn the_end_does_not_go_back() {
        let stop = Stop::new();
        assert_eq!((stop.stage(), stop.cause()), (Stage::Running, None));
        stop.stop(Cause::Asked);
        stop.drain(Cause::Died { who: "late".to_owned(), by_panic: false });
        assert_eq!((stop.stage(), stop.cause()), (Stage::Stopped, Some(Cause::Asked)));
    }

    #[test]
    fn a_thread_that_dies_makes_the_others_drain_and_is_named() {
        let stop = Stop::new();
        let (first, second) = (stop.join("shard 0"), stop.join("shard 1"));
        let dying = thread::spawn(move || {
            let _member = first;
            panic!("as a bug would");
        });
        block_on(second.stop().reached(Stage::Draining));
        assert!(dying.join().is_err());
        second.finished();
        block_on(stop.deserted());
        assert_eq!(stop.cause().unwrap().to_string(), "shard 0 panicked");
    }

    #[test]
    fn a_runtime_that_is_dropped_takes_its_member_along() {
        let stop = Stop::new();
        let member = stop.join("shard 0");
        let other = stop.join("shard 1");
        let task = async move {
            core::future::pending::<()>().await;
            member.finished();
        };
        drop(task);
        block_on(stop.reached(Stage::Draining));
        other.finished();
        block_on(stop.deserted());
        assert_eq!(stop.cause().unwrap().to_string(), "shard 0 was dropped before it had finished");
    }
}
