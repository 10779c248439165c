//! One value that one caller makes for many: a connection, say.
//!
//! Whoever finds the slot empty makes the value; all who come meanwhile wait and share the outcome. An outcome
//! that is a failure goes to those who waited for it, and the next caller tries anew. A maker that is dropped,
//! by a panic or with its runtime, leaves the slot empty, and those who waited learn that it is so.

use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::host::oneshot::Abandoned;
use crate::host::sync::{Arc, Lock, mutant};
use crate::host::wait_list::{Ticket, WaitList};

/// A slot for one value, made by one caller at a time. Clones share it.
pub struct Slot<T, E> {
    shared: Arc<Lock<State<T, E>>>,
}

struct State<T, E> {
    now: Now<T, E>,
    /// Values begun so far; names the latest.
    round: Round,
}

enum Now<T, E> {
    Empty,
    Making(Arc<Lock<Flight<T, E>>>),
    Made(T),
}

/// Which value of a slot this is. Each attempt has one of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Round(u64);

/// One attempt.
struct Flight<T, E> {
    landed: Option<Result<Result<T, E>, Abandoned>>,
    waiting: WaitList,
}

/// What a caller finds.
#[derive(Debug)]
pub enum Found<T, E> {
    /// The value, and which one it is.
    Made(T, Round),
    /// Somebody is making it.
    Wait(Wait<T, E>),
    /// Nobody is: make it, and say how it went.
    Make(Maker<T, E>),
}

impl<T: Clone, E: Clone> Slot<T, E> {
    /// An empty slot.
    #[must_use]
    pub fn new() -> Self {
        Self { shared: Arc::new(Lock::new(State { now: Now::Empty, round: Round(0) })) }
    }

    /// Looks into the slot. A value that `is_usable` refuses is as good as none.
    ///
    /// `is_usable` runs under the slot's lock: it must be quick and must not come back here.
    pub fn look(&self, is_usable: impl FnOnce(&T) -> bool) -> Found<T, E> {
        let mut state = self.shared.lock();
        match &state.now {
            Now::Made(value) if is_usable(value) => return Found::Made(value.clone(), state.round),
            Now::Making(flight) if !mutant("slot_makes_twice") => {
                return Found::Wait(Wait { flight: flight.clone(), ticket: None });
            }
            Now::Empty | Now::Making(_) | Now::Made(_) => {}
        }
        let flight = Arc::new(Lock::new(Flight { landed: None, waiting: WaitList::default() }));
        state.round = Round(state.round.0 + 1);
        let round = state.round;
        let old = mem::replace(&mut state.now, Now::Making(flight.clone()));
        drop(state);
        drop(old);
        Found::Make(Maker { slot: self.clone(), flight, round, has_landed: false })
    }

    /// Empties the slot, unless it has moved on from this value. Who holds the value keeps it.
    pub fn forget(&self, round: Round) {
        let mut state = self.shared.lock();
        if state.round == round && matches!(state.now, Now::Made(_)) {
            let old = mem::replace(&mut state.now, Now::Empty);
            drop(state);
            drop(old);
        }
    }
}

impl<T, E> Slot<T, E> {
    /// Puts the outcome of a round into the slot, if it is still the latest.
    fn settle(&self, round: Round, now: Now<T, E>) {
        let mut state = self.shared.lock();
        let old = if state.round == round { mem::replace(&mut state.now, now) } else { now };
        drop(state);
        drop(old);
    }
}

/// Whoever makes the value.
///
/// Give it to a task of its own where the first caller may give up while others still wait.
#[must_use = "a maker that is dropped has failed"]
pub struct Maker<T, E> {
    slot: Slot<T, E>,
    flight: Arc<Lock<Flight<T, E>>>,
    round: Round,
    has_landed: bool,
}

impl<T: Clone, E: Clone> Maker<T, E> {
    /// Which value this will be.
    #[must_use]
    pub const fn round(&self) -> Round {
        self.round
    }

    /// A wait for this very value, such as for the caller who gives the maker to a task.
    pub fn wait(&self) -> Wait<T, E> {
        Wait { flight: self.flight.clone(), ticket: None }
    }

    /// Says how it went: a value stays in the slot, a failure empties it.
    pub fn land(mut self, outcome: Result<T, E>) {
        self.has_landed = true;
        let now = match &outcome {
            Ok(value) => Now::Made(value.clone()),
            Err(_) => Now::Empty,
        };
        if mutant("slot_tells_before_it_is_empty") {
            land(&self.flight, Ok(outcome));
            return self.slot.settle(self.round, now);
        }
        // The slot first: whoever hears of a failure and looks again must not find this attempt.
        self.slot.settle(self.round, now);
        land(&self.flight, Ok(outcome));
    }
}

impl<T, E> Drop for Maker<T, E> {
    fn drop(&mut self) {
        if self.has_landed || mutant("slot_maker_goes_silently") {
            return;
        }
        self.slot.settle(self.round, Now::Empty);
        land(&self.flight, Err(Abandoned));
    }
}

fn land<T, E>(flight: &Lock<Flight<T, E>>, outcome: Result<Result<T, E>, Abandoned>) {
    let mut flight = flight.lock();
    flight.landed = Some(outcome);
    let waiting = flight.waiting.take_all();
    drop(flight);
    waiting.for_each(Waker::wake);
}

/// A wait for the outcome of one attempt: the outcome, or that its maker has gone.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Wait<T, E> {
    flight: Arc<Lock<Flight<T, E>>>,
    ticket: Option<Ticket>,
}

impl<T: Clone, E: Clone> Future for Wait<T, E> {
    type Output = Result<Result<T, E>, Abandoned>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut flight = this.flight.lock();
        if let Some(outcome) = &flight.landed {
            // Landing has taken everybody off the list.
            this.ticket = None;
            return Poll::Ready(outcome.clone());
        }
        let spare = flight.waiting.wait(&mut this.ticket, context.waker());
        drop(flight);
        drop(spare);
        Poll::Pending
    }
}

impl<T, E> Drop for Wait<T, E> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mine = self.flight.lock().waiting.leave(ticket);
            drop(mine);
        }
    }
}

impl<T, E> Clone for Slot<T, E> {
    fn clone(&self) -> Self {
        Self { shared: self.shared.clone() }
    }
}

impl<T: Clone, E: Clone> Default for Slot<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E> fmt::Debug for Slot<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.shared.lock().now {
            Now::Empty => "Slot(empty)",
            Now::Making(_) => "Slot(making)",
            Now::Made(_) => "Slot(made)",
        })
    }
}

impl<T, E> fmt::Debug for Maker<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Maker({:?})", self.round)
    }
}

impl<T, E> fmt::Debug for Wait<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wait")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::host::wake::block_on;

    type Sample = Slot<u8, &'static str>;

    fn make(slot: &Sample) -> Maker<u8, &'static str> {
        let Found::Make(maker) = slot.look(|_| true) else { panic!("the slot is empty: {slot:?}") };
        maker
    }

    fn wait(slot: &Sample) -> Wait<u8, &'static str> {
        let Found::Wait(wait) = slot.look(|_| true) else { panic!("somebody makes it: {slot:?}") };
        wait
    }

    #[test]
    fn one_makes_the_value_and_all_share_it() {
        let slot = Sample::new();
        let maker = make(&slot);
        let waiting = [wait(&slot), wait(&slot)].map(|wait| thread::spawn(move || block_on(wait)));
        maker.land(Ok(7));
        for waiter in waiting {
            assert_eq!(waiter.join().unwrap(), Ok(Ok(7)));
        }
        assert!(matches!(slot.look(|_| true), Found::Made(7, _)));
    }

    #[test]
    fn a_failure_goes_to_those_who_waited_and_the_next_tries_anew() {
        let slot = Sample::new();
        let maker = make(&slot);
        let early = wait(&slot);
        maker.land(Err("refused"));
        make(&slot).land(Ok(7));
        assert_eq!(block_on(early), Ok(Err("refused")), "of the attempt it waited for");
    }

    #[test]
    fn a_maker_that_is_dropped_lets_the_next_try() {
        let slot = Sample::new();
        let maker = make(&slot);
        let early = thread::spawn({
            let wait = wait(&slot);
            move || block_on(wait)
        });
        drop(maker);
        assert_eq!(early.join().unwrap(), Err(Abandoned));
        make(&slot).land(Ok(7));
    }

    #[test]
    fn a_maker_that_panics_lets_the_next_try() {
        let slot = Sample::new();
        let maker = make(&slot);
        let early = wait(&slot);
        let dying = thread::spawn(move || {
            let _maker = maker;
            panic!("as a bug would");
        });
        assert!(dying.join().is_err());
        assert_eq!(block_on(early), Err(Abandoned));
        make(&slot).land(Ok(7));
    }

    #[test]
    fn a_value_is_forgotten_only_while_it_is_the_latest() {
        let slot = Sample::new();
        let maker = make(&slot);
        let first = maker.round();
        maker.land(Ok(1));
        let Found::Make(maker) = slot.look(|value| *value != 1) else { panic!("it is not usable") };
        let second = maker.round();
        slot.forget(first);
        slot.forget(second);
        assert!(matches!(slot.look(|_| true), Found::Wait(_)), "what is being made is not forgotten");
        maker.land(Ok(2));
        slot.forget(first);
        assert!(matches!(slot.look(|_| true), Found::Made(2, round) if round == second));
        slot.forget(second);
        assert!(matches!(slot.look(|_| true), Found::Make(_)));
    }
}
