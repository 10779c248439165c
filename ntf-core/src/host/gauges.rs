//! Numbers that other threads read while their owner works on.

use core::array;
use core::fmt;

use crate::host::sync::{Arc, AtomicBool, AtomicU64, Ordering, mutant, pause};

/// A number that any thread adds to and any thread reads, such as bytes that crossed sockets.
#[derive(Debug, Default)]
pub struct Tally(AtomicU64);

impl Tally {
    /// Adds.
    pub fn add(&self, several: u64) {
        if mutant("tally_reads_then_writes") {
            self.0.store(self.0.load(Ordering::Relaxed) + several, Ordering::Relaxed);
            return;
        }
        // Nothing else is read on the strength of it.
        self.0.fetch_add(several, Ordering::Relaxed);
    }

    /// The sum so far.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A fact that one task notes and another asks for; who hears of it otherwise uses [`Stop`](super::stop::Stop).
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// Notes whether it is so.
    pub fn set(&self, is_set: bool) {
        let order = if mutant("flag_publishes_nothing") { Ordering::Relaxed } else { Ordering::Release };
        self.0.store(is_set, order);
    }

    /// Whether it is so. What its setter did before, this thread sees.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A set of `N` numbers that belong together, as their owner last published them.
///
/// The owner never waits for readers, and readers never see half of one set and half of another.
#[must_use]
pub fn gauges<const N: usize>() -> (Writer<N>, Reader<N>) {
    let numbers = array::from_fn(|_| AtomicU64::new(0));
    let shared = Arc::new(Shared { round: AtomicU64::new(0), numbers });
    (Writer { shared: shared.clone() }, Reader { shared })
}

/// A sequence lock. While the round is odd, the numbers change.
///
/// Each number is written with `Release` and read with `Acquire`: whoever reads a number of a later set also
/// sees that the round has moved on, and reads again.
struct Shared<const N: usize> {
    round: AtomicU64,
    numbers: [AtomicU64; N],
}

/// The owner's end. There is one.
pub struct Writer<const N: usize> {
    shared: Arc<Shared<N>>,
}

impl<const N: usize> Writer<N> {
    /// Replaces the set. Takes a store for each number, whoever reads.
    pub fn publish(&mut self, numbers: &[u64; N]) {
        let round = self.shared.round.load(Ordering::Relaxed);
        if !mutant("gauges_published_without_notice") {
            self.shared.round.store(round + 1, Ordering::Relaxed);
        }
        for (place, number) in self.shared.numbers.iter().zip(numbers) {
            place.store(*number, Ordering::Release);
        }
        self.shared.round.store(round + 2, Ordering::Release);
    }
}

/// A reader's end. Clones read the same set.
#[derive(Clone)]
pub struct Reader<const N: usize> {
    shared: Arc<Shared<N>>,
}

impl<const N: usize> Reader<N> {
    /// The set as last published; zeros before that. Reads again while the owner is just publishing.
    #[must_use]
    pub fn read(&self) -> [u64; N] {
        loop {
            if let Some(numbers) = self.try_read() {
                return numbers;
            }
            pause();
        }
    }

    /// As [`read`](Self::read), once: `None` when the owner was just publishing.
    #[must_use]
    pub fn try_read(&self) -> Option<[u64; N]> {
        let round = self.shared.round.load(Ordering::Acquire);
        let numbers = array::from_fn(|index| {
            self.shared.numbers.get(index).map_or(0, |number| number.load(Ordering::Acquire))
        });
        let is_whole = mutant("gauges_read_once")
            || round.is_multiple_of(2) && self.shared.round.load(Ordering::Relaxed) == round;
        is_whole.then_some(numbers)
    }
}

impl<const N: usize> fmt::Debug for Writer<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Writer({N} numbers)")
    }
}

impl<const N: usize> fmt::Debug for Reader<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reader").field(&self.read()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_set() {
        let rounds = if cfg!(miri) { 100 } else { 100_000 };
        let (mut writer, reader) = gauges::<3>();
        let work = thread::spawn(move || {
            for number in 1..=rounds {
                writer.publish(&[number, number * 2, number * 3]);
            }
        });
        let mut last = 0;
        while last < rounds {
            let [one, two, three] = reader.read();
            assert_eq!((two, three), (one * 2, one * 3));
            assert!(one >= last, "sets do not go back in time");
            last = one;
        }
        work.join().unwrap();
    }

    #[test]
    fn a_tally_sums_what_threads_add() {
        let tally = Tally::default();
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..100).for_each(|_| tally.add(2)));
            }
        });
        assert_eq!(tally.total(), 400);
    }

    #[test]
    fn a_flag_is_as_it_was_set() {
        let flag = Flag::default();
        assert!(!flag.is_set());
        flag.set(true);
        assert!(flag.is_set());
    }
}
