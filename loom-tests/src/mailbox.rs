//! The bounded mailbox.

use core::task::{Context, Poll};
use std::task::Waker;

use loom::thread;
use ntf_core::host::mailbox::{Closed, NoLetter, Refused, bounded};
use ntf_core::host::wake::block_on;

use crate::{Note, check, poll_once};

/// A receiver that goes to sleep while letters are put in is woken. Two senders and the receiver.
///
/// Mutants: `recv_looks_then_waits`.
#[test]
fn a_receiver_never_sleeps_on_a_letter() {
    check(|| {
        let (sender, mut receiver) = bounded(2);
        let threads = [1, 2].map(|letter| {
            let sender = sender.clone();
            thread::spawn(move || sender.try_send(letter).unwrap())
        });
        let sum: i32 = (0..2).filter_map(|_| block_on(receiver.recv())).sum();
        assert_eq!(sum, 3);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// Senders that wait for a place get one for every letter that is taken; each one's letters stay in order.
///
/// Mutants: `recv_wakes_no_sender`.
#[test]
fn a_place_that_falls_free_wakes_a_sender() {
    check(|| {
        let (sender, mut receiver) = bounded(1);
        let threads = [10, 20].map(|first| {
            let sender = sender.clone();
            thread::spawn(move || block_on(sender.send(first)).unwrap())
        });
        drop(sender);
        let mut letters = Vec::new();
        while let Some(letter) = block_on(receiver.recv()) {
            letters.push(letter);
        }
        letters.sort_unstable();
        assert_eq!(letters, [10, 20]);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// One sender's letters come out in the order they went in, though it has to wait for places.
///
/// Mutants: `recv_wakes_no_sender`, `last_sender_goes_silently`.
#[test]
fn letters_stay_in_order_through_a_full_mailbox() {
    check(|| {
        let (sender, mut receiver) = bounded(1);
        let thread = thread::spawn(move || {
            block_on(async {
                for letter in 0..3 {
                    sender.send(letter).await.unwrap();
                }
            });
        });
        let mut expected = 0;
        while let Some(letter) = block_on(receiver.recv()) {
            assert_eq!(letter, expected);
            expected += 1;
        }
        assert_eq!(expected, 3);
        thread.join().unwrap();
    });
}

/// Close against send: a letter is either among those that can still be taken, or back with its sender; a sender
/// that waits is told.
///
/// Mutants: `close_wakes_nobody`, `closed_takes_letters`, `closed_loses_letters`.
#[test]
fn close_against_send() {
    check(|| {
        let (sender, mut receiver) = bounded(1);
        let waiting = thread::spawn({
            let sender = sender.clone();
            move || block_on(sender.send(1)).map_err(|Closed(letter)| letter)
        });
        let trying = thread::spawn(move || sender.try_send(2));
        receiver.close();
        let mut taken = Vec::new();
        while let Ok(letter) = receiver.try_recv() {
            taken.push(letter);
        }
        assert_eq!(receiver.try_recv(), Err(NoLetter::Ended));
        match waiting.join().unwrap() {
            Ok(()) => assert!(taken.contains(&1)),
            Err(letter) => assert!(letter == 1 && !taken.contains(&1)),
        }
        match trying.join().unwrap() {
            Ok(()) => assert!(taken.contains(&2)),
            Err(Refused::Full(letter) | Refused::Closed(letter)) => {
                assert!(letter == 2 && !taken.contains(&2));
            }
        }
    });
}

/// A receiver that is dropped lets go of its letters and of senders that wait.
///
/// Mutants: `close_wakes_nobody`.
#[test]
fn a_receiver_that_goes_frees_its_senders() {
    check(|| {
        let (sender, receiver) = bounded(1);
        sender.try_send(loom::sync::Arc::new(())).unwrap();
        let waiting = thread::spawn(move || block_on(sender.send(loom::sync::Arc::new(()))));
        drop(receiver);
        assert!(waiting.join().unwrap().is_err());
        // What was in the mailbox has been dropped: loom counts.
    });
}

/// A sender that gives up, at any moment, passes a place it was given on to the next.
///
/// Mutants: `place_lost_on_cancel`.
#[test]
fn a_send_that_is_given_up_costs_nobody_a_place() {
    check(|| {
        let (sender, mut receiver) = bounded(1);
        sender.try_send(0).unwrap();
        let given_up = thread::spawn({
            let sender = sender.clone();
            move || poll_once(sender.send(1)).is_some()
        });
        let patient = thread::spawn(move || block_on(sender.send(2)).unwrap());
        let mut letters = Vec::new();
        while let Some(letter) = block_on(receiver.recv()) {
            letters.push(letter);
        }
        let was_sent = given_up.join().unwrap();
        assert_eq!(letters.contains(&1), was_sent);
        assert!(letters.contains(&2));
        patient.join().unwrap();
    });
}

/// Two wakers: a receiver that moved to another task is woken there.
///
/// Mutants: `recv_keeps_old_waker`.
#[test]
fn two_wakers() {
    check(|| {
        let (sender, mut receiver) = bounded(1);
        let thread = thread::spawn(move || sender.try_send(1).unwrap());
        let (old, new) = (Note::new(), Note::new());
        let is_there = [old.clone(), new.clone()].into_iter().any(|note| {
            let waker = Waker::from(note);
            receiver.poll_recv(&mut Context::from_waker(&waker)) == Poll::Ready(Some(1))
        });
        thread.join().unwrap();
        assert!(is_there || new.is_woken(), "the task that polled last sleeps on a letter");
    });
}
