//! Numbers that other threads read.

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;
use ntf_core::host::gauges::{Flag, Tally, gauges};

use crate::check;

/// A reader sees a whole set, and never an older one than before, while the owner publishes two.
///
/// Mutants: `gauges_read_once`, `gauges_published_without_notice`.
#[test]
fn a_snapshot_is_whole() {
    check(|| {
        let (mut writer, reader) = gauges::<2>();
        let owner = thread::spawn(move || {
            writer.publish(&[1, 10]);
            writer.publish(&[2, 20]);
        });
        let mut last = 0;
        for _ in 0..2 {
            if let Some([one, ten]) = reader.try_read() {
                assert_eq!(ten, one * 10, "half of one set and half of another");
                assert!(one >= last, "an older set than before");
                last = one;
            }
        }
        owner.join().unwrap();
        assert_eq!(reader.read(), [2, 20]);
    });
}

/// Two threads add to one number.
///
/// Mutants: `tally_reads_then_writes`.
#[test]
fn a_tally_loses_nothing() {
    check(|| {
        let tally = loom::sync::Arc::new(Tally::default());
        let other = thread::spawn({
            let tally = tally.clone();
            move || tally.add(2)
        });
        tally.add(3);
        other.join().unwrap();
        assert_eq!(tally.total(), 5);
    });
}

/// Who sees a flag set sees what its setter did before.
///
/// Mutants: `flag_publishes_nothing`.
#[test]
fn a_flag_publishes_what_came_before() {
    check(|| {
        let shared = loom::sync::Arc::new((Flag::default(), AtomicUsize::new(0)));
        let setter = thread::spawn({
            let shared = shared.clone();
            move || {
                shared.1.store(7, Ordering::Relaxed);
                shared.0.set(true);
            }
        });
        if shared.0.is_set() {
            // Nothing but the flag orders this after the store.
            assert_eq!(shared.1.load(Ordering::Relaxed), 7);
        }
        setter.join().unwrap();
    });
}
