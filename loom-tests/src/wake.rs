//! A thread that waits without a runtime.

use core::future::poll_fn;
use core::task::Poll;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use ntf_core::host::sync::Lock;
use ntf_core::host::wake::block_on;

use crate::check;

/// A wake between the look and the sleep is heard.
///
/// Mutants: `bell_forgets_early_rings`.
#[test]
fn a_wake_before_the_sleep_counts() {
    check(|| {
        let is_done = Arc::new(AtomicBool::new(false));
        let waker = Arc::new(Lock::new(None));
        let other = thread::spawn({
            let (is_done, waker) = (is_done.clone(), waker.clone());
            move || {
                is_done.store(true, Ordering::SeqCst);
                let waker: Option<core::task::Waker> = waker.lock().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        block_on(poll_fn(|context| {
            *waker.lock() = Some(context.waker().clone());
            if is_done.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        }));
        other.join().unwrap();
    });
}
