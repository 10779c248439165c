//! One value made by one caller for many.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use ntf_core::host::slot::{Found, Slot};
use ntf_core::host::wake::block_on;

use crate::check;

/// Three callers at once: one makes the value, all have it.
///
/// Mutants: `slot_makes_twice`.
#[test]
fn one_makes_it_for_all() {
    check(|| {
        let slot: Slot<usize, ()> = Slot::new();
        let made = Arc::new(AtomicUsize::new(0));
        let call = move || {
            let value = match slot.look(|_| true) {
                Found::Made(value, _) => value,
                Found::Wait(wait) => block_on(wait).unwrap().unwrap(),
                Found::Make(maker) => {
                    let value = made.fetch_add(1, Ordering::SeqCst);
                    maker.land(Ok(value));
                    value
                }
            };
            assert_eq!(value, 0);
        };
        let others = [call.clone(), call.clone()].map(thread::spawn);
        call();
        for thread in others {
            thread.join().unwrap();
        }
    });
}

/// A maker that fails: who waited shares the failure, and who looks after hearing of it finds the slot empty and
/// makes the value.
///
/// Mutants: `slot_tells_before_it_is_empty`.
#[test]
fn after_a_failure_the_next_tries_anew() {
    check(|| {
        let slot: Slot<u8, &str> = Slot::new();
        let Found::Make(maker) = slot.look(|_| true) else { panic!("it is empty") };
        let Found::Wait(wait) = slot.look(|_| true) else { panic!("it is being made") };
        let failing = thread::spawn(move || maker.land(Err("refused")));
        assert_eq!(block_on(wait), Ok(Err("refused")));
        let found = slot.look(|_| true);
        assert!(matches!(found, Found::Make(_)), "the failure is still there");
        if let Found::Make(maker) = found {
            maker.land(Ok(7));
        }
        assert!(matches!(slot.look(|_| true), Found::Made(7, _)));
        failing.join().unwrap();
    });
}

/// A maker that goes away without a word: two callers go on until one of them has made the value.
///
/// Mutants: `slot_maker_goes_silently`.
#[test]
fn a_maker_that_goes_lets_the_next_try() {
    check(|| {
        let slot: Slot<u8, ()> = Slot::new();
        let Found::Make(maker) = slot.look(|_| true) else { panic!("it is empty") };
        let caller = thread::spawn({
            let slot = slot.clone();
            move || {
                loop {
                    match slot.look(|_| true) {
                        Found::Made(value, _) => return value,
                        Found::Wait(wait) => {
                            if let Ok(Ok(value)) = block_on(wait) {
                                return value;
                            }
                        }
                        Found::Make(maker) => maker.land(Ok(7)),
                    }
                }
            }
        });
        drop(maker);
        assert_eq!(caller.join().unwrap(), 7);
    });
}
