//! What the step of a notification extension takes: iOS gives such a process 24 MB and no second chance.
//!
//! `cargo test -p ntf-tests --test push_step -- --nocapture` prints the figures; for time, see the bench of the same name.

use allocation_counter::measure;
use ntf_core::client::push_step::PushKind;
use ntf_tests::announced::{Announced, Opened};

/// Of the 20 MB that a step may take, all but what TLS and the system need.
const BOUND: u64 = 2_000_000;

#[test]
fn a_step_with_a_hundred_queues_stays_far_below_20_mb_and_needs_no_more_than_its_part_of_the_state() {
    let announced = Announced::with(100);
    let mut opened = None;
    let taken = measure(|| opened = Some(announced.open(&announced.push)));
    assert_eq!(opened, Some(Opened::Fetches), "it opens, and its queue is asked");
    println!(
        "state {} bytes, push {} bytes: {} bytes at most",
        announced.state.len(),
        announced.push.len(),
        taken.bytes_max
    );
    assert!(taken.bytes_max > 10_000, "it was weighed");
    assert!(taken.bytes_max < BOUND, "{} bytes", taken.bytes_max);
    assert_eq!(taken.bytes_current, 0, "nothing is left of it");
}

#[test]
fn a_push_that_was_tampered_with_ends_the_step_at_once() {
    let announced = Announced::with(1);
    for at in [announced.push.len() / 2, announced.push.len() / 3] {
        let mut foreign = announced.push.clone();
        if let Some(byte) = foreign.get_mut(at) {
            *byte = if *byte == b'A' { b'B' } else { b'A' };
        }
        let Opened::Over(outcome) = announced.open(&foreign) else { panic!("it opened, changed at {at}") };
        assert!(matches!(outcome.kind, PushKind::Rejected(_)), "{outcome:?}");
    }
}
