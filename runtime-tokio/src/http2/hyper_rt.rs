//! hyper's tasks and timers, by the runtime's.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::rt::{Executor, Sleep, Timer};

use crate::rt::{sleep_until, spawn};

/// Runs what hyper wants to run beside the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tasks;

impl<F> Executor<F> for Tasks
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    fn execute(&self, future: F) {
        spawn(future);
    }
}

/// Wakes hyper for its pings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timers;

impl Timer for Timers {
    fn sleep(&self, time: std::time::Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(Instant::now() + time)
    }

    fn sleep_until(&self, at: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(Box::pin(sleep_until(at))))
    }
}

struct Sleeping(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl Future for Sleeping {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl Sleep for Sleeping {}
