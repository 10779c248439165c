//! Tasks that wait, in the order they came; and places that they wait for. Under a lock of somebody else.

use alloc::collections::BTreeMap;
use core::mem;
use core::task::{Poll, Waker};

use crate::host::sync::mutant;

/// One stay on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// Wakers of tasks that wait, first come first.
///
/// Bounded by use: as many as there are futures that wait, each of which its task has paid for. Leaving
/// costs O(log n), because whole listeners of waiting links may go at once.
///
/// Methods give back the wakers they remove: the caller drops or wakes them after releasing its lock.
#[derive(Debug, Default)]
pub(super) struct WaitList {
    /// The last ticket given out; 64 bits do not wrap in the life of a process.
    last: u64,
    waiting: BTreeMap<Ticket, Waker>,
}

impl WaitList {
    /// Waits, or goes on waiting under the same ticket.
    #[must_use]
    pub(super) fn wait(&mut self, ticket: &mut Option<Ticket>, waker: &Waker) -> Option<Waker> {
        if let Some(known) = ticket.and_then(|ticket| self.waiting.get_mut(&ticket)) {
            return if known.will_wake(waker) { None } else { Some(mem::replace(known, waker.clone())) };
        }
        self.last += 1;
        let new = Ticket(self.last);
        *ticket = Some(new);
        self.waiting.insert(new, waker.clone())
    }

    /// Whether the ticket is still on the list.
    pub(super) fn holds(&self, ticket: Ticket) -> bool {
        self.waiting.contains_key(&ticket)
    }

    /// Gives up waiting.
    #[must_use]
    pub(super) fn leave(&mut self, ticket: Ticket) -> Option<Waker> {
        self.waiting.remove(&ticket)
    }

    /// Takes who has waited longest.
    #[must_use]
    pub(super) fn take_first(&mut self) -> Option<Waker> {
        self.waiting.pop_first().map(|(_, waker)| waker)
    }

    /// Takes everybody.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        mem::take(&mut self.waiting).into_values()
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// A number of places, and those who wait for one.
///
/// A place given back goes to whoever has waited longest, there and then: nobody who comes later can take it
/// in between. So somebody waits only while no place is free.
#[derive(Debug)]
pub(super) struct Turnstile {
    free: usize,
    waiting: WaitList,
}

impl Turnstile {
    pub(super) fn new(places: usize) -> Self {
        Self { free: places, waiting: WaitList::default() }
    }

    /// Takes a place if one is free.
    pub(super) fn try_take(&mut self) -> bool {
        let is_free = self.free > 0;
        if is_free {
            self.free -= 1;
        }
        is_free
    }

    /// Takes a place, or waits for one under `ticket`; the waker to drop comes second.
    ///
    /// When it is ready the ticket is spent.
    pub(super) fn poll_take(
        &mut self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> (Poll<()>, Option<Waker>) {
        let is_mine = match *ticket {
            // Taken off the list by whoever gave the place.
            Some(stay) => !self.waiting.holds(stay),
            None => self.try_take(),
        };
        if is_mine {
            *ticket = None;
            return (Poll::Ready(()), None);
        }
        (Poll::Pending, self.waiting.wait(ticket, waker))
    }

    /// Gives a place back; the task that has it from here on must be woken.
    #[must_use]
    pub(super) fn give_back(&mut self) -> Option<Waker> {
        let next = self.waiting.take_first();
        if next.is_none() || mutant("place_is_given_twice") {
            self.free += 1;
        }
        next
    }

    /// Gives up waiting: the first waker is to be dropped, the second to be woken.
    ///
    /// A place that was given to this ticket already goes to the next.
    #[must_use]
    pub(super) fn leave(&mut self, ticket: Ticket) -> (Option<Waker>, Option<Waker>) {
        match self.waiting.leave(ticket) {
            Some(waker) => (Some(waker), None),
            None if mutant("place_lost_on_cancel") => (None, None),
            None => (None, self.give_back()),
        }
    }

    /// Takes everybody off the list, to be told that there will be no places any more.
    pub(super) fn dismiss(&mut self) -> impl Iterator<Item = Waker> + use<> {
        self.waiting.take_all()
    }

    pub(super) fn free(&self) -> usize {
        self.free
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Wakes, if there is somebody to wake. Call it with no lock held.
pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
