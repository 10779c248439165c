//! Connecting to one of several addresses: one that never answers must not use up the time of the others.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::or;

use crate::wait::sleep;

/// An address that has not answered after this long is not waited for alone: the next is tried beside it.
///
/// Source: RFC 8305 5 allows up to 2 s; ours is this long because nobody watches, and most peers need no
/// second connection.
const PAUSE: Duration = Duration::from_secs(1);

/// Addresses tried at a time; beyond that the oldest attempt, which has had eight seconds, is given up.
/// Source: ours.
const ATTEMPTS_MAX: usize = 8;

type Attempt<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// Attempts under way, oldest first. The first to succeed wins.
pub(crate) struct Attempts<T> {
    running: VecDeque<Attempt<T>>,
    pause: Duration,
    failure: Option<io::Error>,
}

impl<T> Attempts<T> {
    pub(crate) fn new() -> Self {
        Self { running: VecDeque::new(), pause: PAUSE, failure: None }
    }

    /// Starts one more attempt. Gives the winner, if there is one before it is time for the next attempt.
    pub(crate) async fn start(
        &mut self,
        attempt: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> Option<T> {
        if self.running.len() >= ATTEMPTS_MAX {
            self.running.pop_front();
        }
        self.running.push_back(Box::pin(attempt));
        let pause = self.pause;
        or(self.winner(), async {
            sleep(pause).await;
            None
        })
        .await
    }

    /// Waits for `future` while attempts go on; breaks off with the winner, if there is one first.
    pub(crate) async fn meanwhile<U>(&mut self, future: impl Future<Output = U>) -> ControlFlow<T, U> {
        let won = async {
            match self.winner().await {
                Some(winner) => ControlFlow::Break(winner),
                None => pending().await,
            }
        };
        or(won, async { ControlFlow::Continue(future.await) }).await
    }

    /// Waits until one succeeds or all have failed.
    ///
    /// # Errors
    ///
    /// That of the last to fail.
    pub(crate) async fn end(mut self) -> io::Result<T> {
        match self.winner().await {
            Some(winner) => Ok(winner),
            None => Err(self.failure.unwrap_or_else(|| io::Error::other("the name has no address"))),
        }
    }

    /// The first to succeed; none once all have failed. Nothing is lost when this is dropped.
    async fn winner(&mut self) -> Option<T> {
        poll_fn(|context| {
            let mut winner = None;
            let failure = &mut self.failure;
            self.running.retain_mut(|attempt| match attempt.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(Ok(thing)) => {
                    winner = Some(thing);
                    false
                }
                Poll::Ready(Err(error)) => {
                    *failure = Some(error);
                    false
                }
            });
            match winner {
                None if !self.running.is_empty() => Poll::Pending,
                winner => Poll::Ready(winner),
            }
        })
        .await
    }
}

impl<T> fmt::Debug for Attempts<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attempts({} running)", self.running.len())
    }
}

#[cfg(test)]
mod tests {
    use ntf_core::host::oneshot;

    use super::*;
    use crate::rt::run;

    type Answer = io::Result<u8>;

    fn attempts(pause: Duration) -> Attempts<u8> {
        Attempts { pause, ..Attempts::new() }
    }

    #[test]
    fn an_attempt_that_fails_makes_way_at_once() {
        run(1, async {
            let mut attempts = attempts(Duration::MAX);
            assert_eq!(attempts.start(async { Err(io::Error::other("first")) }).await, None);
            assert_eq!(attempts.start(async { Ok(2) }).await, Some(2));
        })
        .unwrap();
    }

    #[test]
    fn silent_attempts_hold_up_nobody_and_are_given_up_in_the_end() {
        run(1, async {
            let mut attempts = attempts(Duration::from_millis(1));
            let mut held = Vec::new();
            for _ in 0..3 * ATTEMPTS_MAX {
                let (answer, answered) = oneshot::channel::<Answer>();
                held.push(answer);
                assert_eq!(attempts.start(async { answered.await.expect("held") }).await, None);
                assert!(attempts.running.len() <= ATTEMPTS_MAX);
            }
            let given_up = held.iter().filter(|answer| answer.is_closed()).count();
            assert_eq!(given_up, 2 * ATTEMPTS_MAX);
            // One that is slow wins all the same, though later ones are under way.
            let slow = held.swap_remove(2 * ATTEMPTS_MAX);
            slow.send(Ok(7)).expect("it is waited for");
            assert_eq!(attempts.end().await.unwrap(), 7);
        })
        .unwrap();
    }

    #[test]
    fn attempts_go_on_while_something_else_is_waited_for() {
        run(1, async {
            let mut attempts = attempts(Duration::from_millis(1));
            let (answer, answered) = oneshot::channel::<Answer>();
            assert_eq!(attempts.start(async { answered.await.expect("held") }).await, None);
            assert_eq!(attempts.meanwhile(async { "found" }).await, ControlFlow::Continue("found"));
            answer.send(Ok(7)).expect("it is waited for");
            assert_eq!(attempts.meanwhile(pending::<()>()).await, ControlFlow::Break(7));
        })
        .unwrap();
    }

    #[test]
    fn the_last_failure_is_told() {
        run(1, async {
            let mut attempts = attempts(Duration::MAX);
            for why in ["first", "last"] {
                assert_eq!(attempts.start(async move { Err(io::Error::other(why)) }).await, None);
            }
            assert_eq!(attempts.end().await.unwrap_err().to_string(), "last");
            assert!(Attempts::<u8>::new().end().await.is_err(), "there was nothing to try");
        })
        .unwrap();
    }
}
