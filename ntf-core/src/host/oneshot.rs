//! One answer to one question.
//!
//! Each end learns when the other goes away, so an answer that never comes is an error and not a wait without end.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use crate::host::sync::{Arc, Lock, mutant};
use crate::host::wait_list::wake;

/// The two ends: who answers, and who waits.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { answer: None, is_asked: true, is_held: true, waker: None };
    let shared = Arc::new(Lock::new(state));
    (Sender { shared: shared.clone() }, Receiver { shared })
}

struct State<T> {
    answer: Option<T>,
    /// The receiver is there.
    is_asked: bool,
    /// The sender is there.
    is_held: bool,
    waker: Option<Waker>,
}

/// Who answers has gone without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;

impl fmt::Display for Abandoned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("whoever was to answer has ended")
    }
}

impl core::error::Error for Abandoned {}

/// The end that answers. Dropping it without an answer tells the other end so.
pub struct Sender<T> {
    shared: Arc<Lock<State<T>>>,
}

impl<T> Sender<T> {
    /// Answers.
    ///
    /// # Errors
    ///
    /// Gives the answer back when nobody waits for it any more.
    pub fn send(self, answer: T) -> Result<(), T> {
        let mut state = self.shared.lock();
        if !state.is_asked && !mutant("oneshot_answers_nobody") {
            return Err(answer);
        }
        state.answer = Some(answer);
        // The waker is called by `drop`.
        Ok(())
    }

    /// Whether nobody waits any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        !self.shared.lock().is_asked
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_held = false;
        let waker = state.waker.take();
        drop(state);
        if !mutant("oneshot_abandons_silently") {
            wake(waker);
        }
    }
}

/// The end that waits: a future.
#[must_use = "futures do nothing unless they are awaited"]
pub struct Receiver<T> {
    shared: Arc<Lock<State<T>>>,
}

impl<T> Receiver<T> {
    /// The answer, if it is there. `Err` when it will never be, or was taken.
    ///
    /// # Errors
    ///
    /// See [`Abandoned`].
    pub fn try_recv(&mut self) -> Result<Option<T>, Abandoned> {
        let mut state = self.shared.lock();
        match state.answer.take() {
            None if !state.is_held => Err(Abandoned),
            answer => Ok(answer),
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Abandoned>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.shared.lock();
        if let Some(answer) = state.answer.take() {
            return Poll::Ready(Ok(answer));
        }
        if !state.is_held {
            return Poll::Ready(Err(Abandoned));
        }
        let spare = state.waker.replace(context.waker().clone());
        drop(state);
        drop(spare);
        Poll::Pending
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_asked = false;
        let left = (state.answer.take(), state.waker.take());
        drop(state);
        drop(left);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::host::wake::block_on;

    #[test]
    fn an_answer_crosses_threads() {
        let (sender, receiver) = channel();
        let asker = thread::spawn(|| block_on(receiver));
        assert_eq!(sender.send(7), Ok(()));
        assert_eq!(asker.join().unwrap(), Ok(7));
    }

    #[test]
    fn an_answer_that_will_never_come_ends_the_wait() {
        let (sender, receiver) = channel::<u8>();
        let asker = thread::spawn(|| block_on(receiver));
        drop(sender);
        assert_eq!(asker.join().unwrap(), Err(Abandoned));
    }

    #[test]
    fn an_answer_that_nobody_waits_for_comes_back() {
        let (sender, mut receiver) = channel();
        assert_eq!(receiver.try_recv(), Ok(None));
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(7), Err(7));
    }

    #[test]
    fn an_answer_is_taken_once() {
        let (sender, mut receiver) = channel();
        sender.send(7).unwrap();
        assert_eq!(receiver.try_recv(), Ok(Some(7)));
        assert_eq!(receiver.try_recv(), Err(Abandoned));
    }
}
