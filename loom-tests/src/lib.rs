//! Models of what threads share in `ntf_core::host`. `README.md` beside this crate tells how to run them.
//!
//! Each model has at most three threads with four operations each. `check` says how far it is explored. Its doc
//! names the mutants that it must notice: rules of the code that can be broken on purpose. `mutants` beside this
//! crate reads them there and breaks them one by one. What must be true is said with `assert`: no other panic
//! counts as noticing a mutant, but for loom's report of a deadlock.

#![cfg(all(ntf_loom, test))]

mod drain;
mod gauges;
mod handoff;
mod mailbox;
mod oneshot;
mod places;
mod slot;
mod stop;
mod wake;

use core::task::{Context, Poll};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use loom::sync::atomic::{AtomicBool, Ordering};

/// Times that one thread may be interrupted where it could go on, in one execution.
///
/// Every bug that was ever seen in such code shows with two; a third is for what nobody has seen. A thread that
/// waits is not interrupted, so this does not bound how often threads take turns.
const PREEMPTIONS: usize = 3;

/// Runs `model` in every interleaving of its threads with at most [`PREEMPTIONS`] interruptions, or as many as
/// `LOOM_MAX_PREEMPTIONS` says.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.check(model);
}

/// A waker that remembers that it was woken.
struct Note(AtomicBool);

impl Note {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(false)))
    }

    fn is_woken(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Note {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Polls once, as a task does that is dropped before it is polled again. `None` if it was not ready.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
