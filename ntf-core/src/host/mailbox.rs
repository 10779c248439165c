//! A bounded queue of letters: many senders, one receiver.
//!
//! The bound is kept exactly: a letter is in the queue, or its sender still has it. A place that falls free
//! goes to the sender that has waited longest, so under load every sender gets its turn.
//!
//! | who goes | the others |
//! | --- | --- |
//! | the receiver, or it says [`close`](Receiver::close) | senders that wait or come later get their letters back |
//! | the last sender | the receiver gets what is in the queue, then `None` |
//! | a future that waits for a place | the place it was given goes to the next |
//!
//! Costs and the comparison with other queues: `docs/decisions/0005-what-threads-share.md`.

use alloc::collections::VecDeque;
use core::fmt;
use core::future::poll_fn;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::host::sync::{Arc, Guard, Lock, mutant};
use crate::host::wait_list::{Ticket, Turnstile, wake};

/// A mailbox for `bound` letters; zero counts as one.
///
/// Memory is taken as letters come, so that a bound which is there to catch a fault costs nothing.
#[must_use]
pub fn bounded<T>(bound: usize) -> (Sender<T>, Receiver<T>) {
    let bound = bound.max(1);
    let state = State {
        letters: VecDeque::new(),
        places: Turnstile::new(bound),
        senders: 1,
        is_open: true,
        receiver: None,
        len_max: 0,
        refused: 0,
    };
    let shared = Arc::new(Shared { bound, state: Lock::new(state) });
    (Sender { shared: shared.clone() }, Receiver { shared })
}

struct Shared<T> {
    bound: usize,
    state: Lock<State<T>>,
}

struct State<T> {
    letters: VecDeque<T>,
    /// The bound, less the letters and the permits that are out.
    places: Turnstile,
    senders: usize,
    is_open: bool,
    /// The receiver, while it waits.
    receiver: Option<Waker>,
    len_max: usize,
    refused: u64,
}

impl<T> State<T> {
    /// Puts a letter into a place that was taken for it; gives the receiver to wake.
    #[must_use]
    fn put(&mut self, letter: T) -> Option<Waker> {
        self.letters.push_back(letter);
        self.len_max = self.len_max.max(self.letters.len());
        self.receiver.take()
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> Guard<'_, State<T>> {
        self.state.lock()
    }

    fn depth(&self) -> Depth {
        let state = self.lock();
        Depth {
            bound: self.bound,
            len: state.letters.len(),
            len_max: state.len_max,
            waiting: state.places.waiting(),
            refused: state.refused,
        }
    }

    /// Lets no letter in any more; every sender that waits learns of it.
    fn close(&self) {
        let mut state = self.lock();
        state.is_open = false;
        let waiting = state.places.dismiss();
        drop(state);
        if !mutant("close_wakes_nobody") {
            waiting.for_each(Waker::wake);
        }
    }
}

/// How full a mailbox is and was: its gauge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Letters it takes.
    pub bound: usize,
    /// Letters in it.
    pub len: usize,
    /// Most letters that were in it at a time.
    pub len_max: usize,
    /// Senders that wait for a place.
    pub waiting: usize,
    /// Letters that [`Sender::try_send`] gave back because it was full.
    pub refused: u64,
}

/// Why a letter comes back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// No place is free, or others wait for one.
    Full(T),
    /// The receiver takes no more.
    Closed(T),
}

impl<T> Refused<T> {
    /// The letter.
    pub fn into_letter(self) -> T {
        match self {
            Self::Full(letter) | Self::Closed(letter) => letter,
        }
    }
}

/// The receiver takes no more; here is the letter back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed<T>(pub T);

/// Why there is no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLetter {
    /// None for the time being.
    Empty,
    /// None, and none will come: it is closed, or all senders are gone.
    Ended,
}

/// The way into a mailbox.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Puts a letter in, if there is a place.
    ///
    /// # Errors
    ///
    /// Gives the letter back when the mailbox is full or closed.
    pub fn try_send(&self, letter: T) -> Result<(), Refused<T>> {
        self.put(letter, |state| state.refused = state.refused.saturating_add(1))
    }

    /// Puts a letter in as soon as there is a place.
    ///
    /// Dropping the future before it is done drops the letter and gives its turn to the next sender. Use
    /// [`reserve`](Self::reserve) where the letter must outlive a wait that is given up.
    ///
    /// # Errors
    ///
    /// Gives the letter back when the mailbox is closed.
    pub async fn send(&self, letter: T) -> Result<(), Closed<T>> {
        match self.put(letter, |_| ()) {
            Ok(()) => Ok(()),
            Err(Refused::Closed(letter)) => Err(Closed(letter)),
            Err(Refused::Full(letter)) => match self.reserve().await {
                Ok(permit) => permit.send(letter),
                Err(Closed(())) => Err(Closed(letter)),
            },
        }
    }

    /// Waits for a place, to be filled or given back.
    ///
    /// The future ends with `Err` when the mailbox is closed.
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve { sender: self, ticket: None }
    }

    /// Whether letters are refused for good.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().is_open
    }

    /// How full it is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.shared.depth()
    }

    fn put(&self, letter: T, on_full: impl FnOnce(&mut State<T>)) -> Result<(), Refused<T>> {
        let mut state = self.shared.lock();
        if !state.is_open && !mutant("closed_takes_letters") {
            return Err(Refused::Closed(letter));
        }
        if !state.places.try_take() {
            on_full(&mut state);
            return Err(Refused::Full(letter));
        }
        let receiver = state.put(letter);
        drop(state);
        wake(receiver);
        Ok(())
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Self { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.senders -= 1;
        let receiver = if state.senders == 0 { state.receiver.take() } else { None };
        drop(state);
        if !mutant("last_sender_goes_silently") {
            wake(receiver);
        }
    }
}

/// A wait for a place, see [`Sender::reserve`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Reserve<'a, T> {
    sender: &'a Sender<T>,
    ticket: Option<Ticket>,
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, Closed<()>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let sender = self.sender;
        let mut state = sender.shared.lock();
        if !state.is_open {
            // The list was dismissed, so there is nothing to leave.
            self.ticket = None;
            return Poll::Ready(Err(Closed(())));
        }
        let (taken, spare) = state.places.poll_take(&mut self.ticket, context.waker());
        drop(state);
        drop(spare);
        taken.map(|()| Ok(Permit { sender }))
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let (mine, next) = self.sender.shared.lock().places.leave(ticket);
            drop(mine);
            wake(next);
        }
    }
}

/// A place in a mailbox, held for one letter. Dropping it gives the place back.
#[must_use = "a permit that is not used gives its place back"]
pub struct Permit<'a, T> {
    sender: &'a Sender<T>,
}

impl<T> Permit<'_, T> {
    /// Fills the place.
    ///
    /// # Errors
    ///
    /// Gives the letter back when the mailbox was closed in the meantime.
    pub fn send(self, letter: T) -> Result<(), Closed<T>> {
        let receiver = self.fill(letter)?;
        wake(receiver);
        Ok(())
    }

    /// As [`send`](Self::send), for callers that hold a lock: gives the receiver to wake after releasing it.
    pub(super) fn fill(self, letter: T) -> Result<Option<Waker>, Closed<T>> {
        let mut state = self.sender.shared.lock();
        if !state.is_open {
            drop(state);
            return Err(Closed(letter));
        }
        let receiver = state.put(letter);
        drop(state);
        // The letter has the place.
        mem::forget(self);
        Ok(receiver)
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        let next = self.sender.shared.lock().places.give_back();
        wake(next);
    }
}

/// The way out of a mailbox: one task, letters in the order they went in.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// The next letter. `None` when the mailbox is empty and closed, or empty with all senders gone.
    ///
    /// A future that is dropped has taken nothing.
    pub async fn recv(&mut self) -> Option<T> {
        poll_fn(|context| self.poll_recv(context)).await
    }

    /// As [`recv`](Self::recv), for a future made by hand. Only the waker of the last call is woken.
    pub fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.shared.lock();
        match Self::take(&mut state) {
            Ok((letter, sender)) => {
                drop(state);
                wake(sender);
                Poll::Ready(Some(letter))
            }
            Err(NoLetter::Ended) => Poll::Ready(None),
            Err(NoLetter::Empty) => {
                if mutant("recv_looks_then_waits") {
                    drop(state);
                    state = self.shared.lock();
                }
                let is_known = state
                    .receiver
                    .as_ref()
                    .is_some_and(|known| known.will_wake(context.waker()) || mutant("recv_keeps_old_waker"));
                let spare = if is_known { None } else { state.receiver.replace(context.waker().clone()) };
                drop(state);
                drop(spare);
                Poll::Pending
            }
        }
    }

    /// The next letter, if it is there.
    ///
    /// # Errors
    ///
    /// Says whether waiting makes sense.
    pub fn try_recv(&mut self) -> Result<T, NoLetter> {
        let mut state = self.shared.lock();
        let (letter, sender) = Self::take(&mut state)?;
        drop(state);
        wake(sender);
        Ok(letter)
    }

    /// Lets no letter in any more: senders learn of it, and what is in the queue can still be taken, to its
    /// end.
    pub fn close(&mut self) {
        self.shared.close();
    }

    /// Letters that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.lock().letters.len()
    }

    /// Whether no letter waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How full it is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.shared.depth()
    }

    /// A further way in, whoever else has one.
    #[must_use]
    pub fn sender(&self) -> Sender<T> {
        self.shared.lock().senders += 1;
        Sender { shared: self.shared.clone() }
    }

    fn take(state: &mut State<T>) -> Result<(T, Option<Waker>), NoLetter> {
        if !state.is_open && mutant("closed_loses_letters") {
            return Err(NoLetter::Ended);
        }
        match state.letters.pop_front() {
            Some(letter) => {
                let next = state.places.give_back();
                Ok((letter, if mutant("recv_wakes_no_sender") { None } else { next }))
            }
            None if state.is_open && state.senders > 0 => Err(NoLetter::Empty),
            None => Err(NoLetter::Ended),
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.close();
        let mut state = self.shared.lock();
        let (letters, waker) = (mem::take(&mut state.letters), state.receiver.take());
        drop(state);
        drop((letters, waker));
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({:?})", self.depth())
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({:?})", self.depth())
    }
}

impl<T> fmt::Debug for Reserve<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.ticket.is_some() { "Reserve(waiting)" } else { "Reserve" })
    }
}

impl<T> fmt::Debug for Permit<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(test)]
mod tests;
