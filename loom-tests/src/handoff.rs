//! A link that moves from one thread to another.

use loom::thread;
use ntf_core::host::handoff::{Arrival, Departure, Desk, Moving, Sorted, link};
use ntf_core::host::mailbox::{Closed, Receiver, bounded};
use ntf_core::host::wake::block_on;

use crate::check;

/// Takes what is left of a link out of its old holder's mailbox.
fn see_off(mut departure: Departure<u8, ()>, mailbox: &mut Receiver<u8>) -> Arrival<u8, ()> {
    loop {
        match departure {
            Departure::Goes(arrival) => return arrival,
            Departure::Waits(parting) => departure = parting.collect(block_on(mailbox.recv()).unwrap()),
        }
    }
}

/// Hand-off of a link while it receives bytes: the link's task posts three letters, the old holder takes one at most
/// and parts with it, the new holder gets the rest: each letter once, in order.
///
/// Mutants: `handoff_forgets_late_letters`, `handoff_counts_after_posting`.
#[test]
fn bytes_arrive_once_and_in_order_while_the_link_moves() {
    check(|| {
        let (old, mut old_mailbox) = bounded(2);
        let (new, mut new_mailbox) = bounded(2);
        let (mut line, mut hold) = link(old.clone());
        let (hand_over, mut arrivals) = bounded(1);
        let task = thread::spawn(move || {
            block_on(async {
                for letter in 0..3 {
                    assert_eq!(line.post(letter).await, Ok(()));
                }
            });
        });
        let new_holder = thread::spawn(move || {
            let arrival: Arrival<u8, Vec<u8>> = block_on(arrivals.recv()).unwrap();
            let settled = arrival.settle(new);
            let mut seen = settled.luggage;
            seen.extend(settled.late);
            while seen.len() < 3 {
                let next = block_on(new_mailbox.recv());
                assert!(next.is_some(), "only {seen:?} came");
                seen.extend(next);
            }
            assert_eq!(seen, [0, 1, 2]);
        });
        let mut seen = Vec::new();
        if let Ok(letter) = old_mailbox.try_recv() {
            hold.took_letter();
            seen.push(letter);
        }
        let mut departure = hold.part(seen);
        let arrival = loop {
            match departure {
                Departure::Goes(arrival) => break arrival,
                Departure::Waits(parting) => {
                    departure = parting.collect(block_on(old_mailbox.recv()).unwrap());
                }
            }
        };
        assert!(hand_over.try_send(arrival).is_ok());
        task.join().unwrap();
        new_holder.join().unwrap();
        assert!(old_mailbox.is_empty(), "a letter was left behind");
        drop(old);
    });
}

/// The old holder ends right after the hand-off: the link's task finds its new holder all the same.
///
/// Mutants: `handoff_gives_up_when_closed`.
#[test]
fn the_end_of_the_old_holder_does_not_cut_the_link_off() {
    check(|| {
        let (old, mut old_mailbox) = bounded(1);
        let (new, mut new_mailbox) = bounded(2);
        let (mut line, hold) = link(old);
        let task = thread::spawn(move || {
            block_on(async {
                for letter in 0..2 {
                    assert_eq!(line.post(letter).await, Ok(()));
                }
            });
        });
        let arrival = see_off(hold.part(()), &mut old_mailbox);
        drop(old_mailbox);
        let mut seen = arrival.settle(new).late;
        while seen.len() < 2 {
            seen.push(block_on(new_mailbox.recv()).unwrap());
        }
        assert_eq!(seen, [0, 1]);
        task.join().unwrap();
    });
}

/// The new holder dies with the link in its mailbox: the link's task learns of it and does not wait for ever.
///
/// Mutants: `oneshot_abandons_silently`.
#[test]
fn a_link_that_is_lost_on_the_way_learns_of_it() {
    check(|| {
        let (old, mut old_mailbox) = bounded(1);
        let (mut line, hold) = link(old);
        let (hand_over, arrivals) = bounded(1);
        let task = thread::spawn(move || {
            block_on(async {
                match line.post(0).await {
                    Ok(()) => line.post(1).await,
                    closed => closed,
                }
            })
        });
        let dying = thread::spawn(move || drop(arrivals));
        let arrival = see_off(hold.part(()), &mut old_mailbox);
        // Too late or in vain: either way the arrival is dropped.
        let refused = hand_over.try_send(arrival);
        drop(refused);
        assert!(matches!(task.join().unwrap(), Err(Closed(0 | 1))));
        dying.join().unwrap();
    });
}

/// A link moves on from a desk that has not worked off the letters that came with it: they move on too, and come
/// before all others. The link's task posts two letters meanwhile.
///
/// Mutants: `desk_forgets_letters_in_hand`.
#[test]
fn letters_in_hand_move_on_with_their_link() {
    check(|| {
        let [(first, first_mailbox), (second, second_mailbox), (last, mut last_mailbox)] =
            [bounded(2), bounded(2), bounded(2)];
        let (mut line, hold) = link(first.clone());
        let task = thread::spawn(move || {
            block_on(async {
                for letter in 0..2 {
                    assert_eq!(line.post(letter).await, Ok(()));
                }
            });
        });
        let mut desk = Desk::new(first);
        desk.take((), hold, ());
        let moving = send_on(desk, first_mailbox);
        let mut desk = Desk::new(second);
        desk.settle(moving);
        let moving = send_on(desk, second_mailbox);
        let mut desk = Desk::new(last);
        desk.settle(moving);
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let letter = desk.next_late().or_else(|| block_on(last_mailbox.recv()));
            assert!(letter.is_some(), "only {seen:?} came");
            seen.extend(letter);
        }
        assert_eq!(seen, [0, 1]);
        task.join().unwrap();
    });
}

/// Parts with the only link of a desk, and waits until it can go.
fn send_on(mut desk: Desk<(), u8, (), ()>, mut mailbox: Receiver<u8>) -> Moving<(), u8, (), ()> {
    let mut moving = desk.part((), ());
    loop {
        match moving {
            Some(moving) => return moving,
            None => {
                let letter = block_on(mailbox.recv()).unwrap();
                moving = match desk.sort((), letter) {
                    Sorted::Goes(moving) => Some(moving),
                    Sorted::Kept => None,
                    Sorted::Here(letter) => panic!("{letter} came after the link was parted with"),
                };
            }
        }
    }
}
