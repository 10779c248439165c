//! Draining while others still hand links over.

use loom::thread;
use ntf_core::host::handoff::{Arrival, Departure, link};
use ntf_core::host::mailbox::{Refused, bounded};
use ntf_core::host::stop::{Cause, Stage, Stop};
use ntf_core::host::wake::block_on;

use crate::check;

/// Drain against late hand-offs: a shard that drains closes its mailbox and takes what is in it; a link that comes
/// too late goes back to its old holder. Exactly one of the two has it, and the link's task can post to that one.
///
/// Mutants: `closed_takes_letters`, `closed_loses_letters`.
#[test]
fn a_link_handed_over_too_late_stays() {
    check(|| {
        let (old, mut old_mailbox) = bounded(1);
        let (mut line, hold) = link(old.clone());
        let (hand_over, mut arrivals) = bounded::<Arrival<u8, ()>>(1);
        let draining = thread::spawn(move || {
            arrivals.close();
            let (new, new_mailbox) = bounded(1);
            let settled = arrivals.try_recv().ok().map(|arrival| arrival.settle(new));
            settled.map(|settled| (settled, new_mailbox))
        });
        let Departure::Goes(arrival) = hold.part(()) else { panic!("nothing was posted") };
        let kept = match hand_over.try_send(arrival) {
            Ok(()) => None,
            Err(Refused::Closed(arrival) | Refused::Full(arrival)) => Some(arrival.settle(old)),
        };
        let taken = draining.join().unwrap();
        assert!(taken.is_some() != kept.is_some(), "both have the link, or neither");
        assert_eq!(block_on(line.post(7)), Ok(()));
        match taken {
            Some((_settled, mut new_mailbox)) => assert_eq!(new_mailbox.try_recv(), Ok(7)),
            None => assert_eq!(old_mailbox.try_recv(), Ok(7)),
        }
    });
}

/// A shard that waits for letters is told to drain by another that dies: it closes its mailbox, and whoever waits to
/// post there gets the letter back.
///
/// Mutants: `stop_looks_then_waits`, `close_wakes_nobody`.
#[test]
fn a_death_elsewhere_frees_whoever_posts_here() {
    check(|| {
        let stop = Stop::new();
        let (dying, member) = (stop.join("other"), stop.join("this"));
        let (sender, receiver) = bounded(1);
        sender.try_send(0).unwrap();
        let shard = thread::spawn(move || {
            block_on(member.stop().reached(Stage::Draining));
            drop(receiver);
            member.finished();
        });
        let posting = thread::spawn(move || block_on(sender.send(1)));
        drop(dying);
        assert!(posting.join().unwrap().is_err());
        shard.join().unwrap();
        block_on(stop.deserted());
        assert!(matches!(stop.cause(), Some(Cause::Died { .. })));
    });
}
