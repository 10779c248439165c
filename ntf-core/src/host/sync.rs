//! The only door to locks and atomic numbers: std's, or loom's under `--cfg ntf_loom`.
//!
//! Besides, the few things that every use of them here has in common. A test reads the sources and fails where
//! another file goes to std or loom for them.

#[cfg(ntf_loom)]
mod kind {
    pub use loom::sync::{Arc, MutexGuard as Guard};

    pub(in crate::host) use loom::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(super) use loom::sync::{Condvar, Mutex};
    pub(in crate::host) use loom::thread::yield_now as pause;
}

#[cfg(not(ntf_loom))]
mod kind {
    pub use std::sync::{Arc, MutexGuard as Guard};

    pub(in crate::host) use core::hint::spin_loop as pause;
    pub(in crate::host) use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    pub(super) use std::sync::{Condvar, Mutex};
}

pub(super) use crate::base::mutant::is as mutant;
use core::fmt;
use std::sync::PoisonError;

pub use kind::{Arc, Guard};
pub(super) use kind::{AtomicBool, AtomicU64, Ordering, pause};
/// What [`Waker`](core::task::Waker) wants its owner in, whatever the locks are.
pub(super) use std::sync::Arc as SharedWake;

/// A value that one thread at a time may touch.
///
/// A panic of a holder does not keep others out: hold it only for changes that a panic cannot leave half
/// done.
#[derive(Default)]
pub struct Lock<T>(kind::Mutex<T>);

impl<T> Lock<T> {
    /// A lock around `value`.
    pub fn new(value: T) -> Self {
        Self(kind::Mutex::new(value))
    }

    /// Waits until nobody else holds it. Never hold it across a wait of another kind.
    pub fn lock(&self) -> Guard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

/// What a thread sleeps by: a ring is heard by the next wait, or by the one that is on.
#[derive(Default)]
pub(super) struct Bell {
    has_rung: Lock<bool>,
    rings: kind::Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.has_rung.lock() = true;
        self.rings.notify_one();
    }

    /// Sleeps until it has rung since the last wait. One thread waits.
    pub(super) fn wait(&self) {
        let mut has_rung = self.has_rung.lock();
        if mutant("bell_forgets_early_rings") {
            *has_rung = false;
        }
        while !*has_rung {
            has_rung = self.rings.wait(has_rung).unwrap_or_else(PoisonError::into_inner);
        }
        *has_rung = false;
    }
}
