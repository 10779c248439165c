//! Waiting without a runtime.

use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::task::Wake;

use crate::host::sync::{Bell, SharedWake};

/// Runs `future` on this thread, which sleeps while there is nothing to do.
///
/// For threads that have no executor. A future that needs a runtime's reactor or timers will not get them here.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    // A bell of its own, because a future may use `std::thread::park` for purposes of its own and take the
    // thread's token.
    let ringer = SharedWake::new(Ringer(Bell::default()));
    let waker = Waker::from(ringer.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        ringer.0.wait();
    }
}

struct Ringer(Bell);

impl Wake for Ringer {
    fn wake(self: SharedWake<Self>) {
        self.0.ring();
    }

    fn wake_by_ref(self: &SharedWake<Self>) {
        self.0.ring();
    }
}

#[cfg(test)]
mod tests {
    use core::future::poll_fn;
    use std::thread;

    use super::*;

    #[test]
    fn a_thread_sleeps_until_it_is_woken() {
        let mut polls = 0;
        let output = block_on(poll_fn(|context| {
            polls += 1;
            if polls == 2 {
                return Poll::Ready(polls);
            }
            let waker = context.waker().clone();
            thread::spawn(move || waker.wake());
            Poll::Pending
        }));
        assert_eq!(output, 2);
    }

    #[test]
    fn a_wake_before_the_sleep_counts() {
        let mut polls = 0;
        block_on(poll_fn(|context| {
            polls += 1;
            context.waker().wake_by_ref();
            if polls == 3 { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}
