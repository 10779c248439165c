//! How long a notification extension's step takes with one payload: from the bytes of its state to the connection that
//! it asks for. `cargo bench -p ntf-tests --bench push_step`

#![allow(clippy::disallowed_methods, reason = "a bench measures by the clock")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use ntf_tests::announced::{Announced, Opened};

const RUNS: usize = 501;

/// What a step may take.
const BOUND: Duration = Duration::from_millis(1);

fn main() {
    for queues in [1, 100] {
        let announced = Announced::with(queues);
        let mut took: Vec<_> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                let opened = announced.open(black_box(&announced.push));
                let took = began.elapsed();
                assert_eq!(opened, Opened::Fetches);
                took
            })
            .collect();
        took.sort_unstable();
        let at = |part: usize| took.get(RUNS * part / 100).copied().unwrap_or_default();
        let (median, late) = (at(50), at(99));
        println!("one payload, {queues:>3} queues: median {median:?}, 99 of 100 within {late:?}");
        assert!(median < BOUND, "more than {BOUND:?}");
    }
}
