//! Places that are taken and given back.

use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use ntf_core::host::places::Places;
use ntf_core::host::wake::block_on;

use crate::{check, poll_once};

/// One place is held by one at a time, and whoever waits for it gets it, though another gives up.
///
/// Mutants: `place_lost_on_cancel`, `place_is_given_twice`.
#[test]
fn one_place_is_held_by_one_at_a_time() {
    check(|| {
        let places = Places::new(1);
        let inside = Arc::new(AtomicUsize::new(0));
        let held = places.try_take().unwrap();
        let patient = thread::spawn({
            let (places, inside) = (places.clone(), inside.clone());
            move || {
                let _place = block_on(places.take());
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        });
        let hasty = thread::spawn(move || {
            if let Some(_place) = poll_once(places.take()) {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                inside.fetch_sub(1, Ordering::SeqCst);
            }
        });
        drop(held);
        patient.join().unwrap();
        hasty.join().unwrap();
    });
}
