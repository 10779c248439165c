//! Stopping together.

use loom::thread;
use ntf_core::host::stop::{Cause, Stage, Stop};
use ntf_core::host::wake::block_on;

use crate::check;

/// Whoever waits for the end hears of it, early or late: two waiters against a stop.
///
/// Mutants: `stop_wakes_one`, `stop_looks_then_waits`.
#[test]
fn late_waiters_hear_of_the_stop() {
    check(|| {
        let stop = Stop::new();
        let waiting = [Stage::Draining, Stage::Stopped].map(|stage| {
            let reached = stop.reached(stage);
            thread::spawn(move || block_on(reached))
        });
        stop.stop(Cause::Asked);
        for thread in waiting {
            thread.join().unwrap();
        }
    });
}

/// Drain, then stop: whoever waits for the stop is not let go by the drain.
///
/// Mutants: `stop_looks_then_waits`, `drain_counts_as_stop`.
#[test]
fn drain_comes_before_stop() {
    check(|| {
        let stop = Stop::new();
        let shard = thread::spawn({
            let stop = stop.clone();
            move || {
                block_on(stop.reached(Stage::Draining));
                block_on(stop.reached(Stage::Stopped));
                stop.stage()
            }
        });
        stop.drain(Cause::Asked);
        stop.stop(Cause::Asked);
        assert_eq!(shard.join().unwrap(), Stage::Stopped);
    });
}

/// A member that dies makes the other drain and leave, and whoever waits for both to be gone hears of it.
///
/// Mutants: `stop_looks_then_waits`, `dead_members_stay`.
#[test]
fn a_member_that_dies_takes_the_others_along() {
    check(|| {
        let stop = Stop::new();
        let (dying, other) = (stop.join("one"), stop.join("other"));
        let dying = thread::spawn(move || drop(dying));
        let other = thread::spawn(move || {
            block_on(other.stop().reached(Stage::Draining));
            other.finished();
        });
        block_on(stop.deserted());
        assert_eq!(stop.cause(), Some(Cause::Died { who: "one".to_owned(), by_panic: false }));
        dying.join().unwrap();
        other.join().unwrap();
    });
}
