use core::pin::pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc as StdArc;
use std::task::Wake;
use std::thread;
use std::vec::Vec;

use super::*;
use crate::host::wake::block_on;

/// Counts how often it was woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: StdArc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counting() -> (StdArc<Count>, Waker) {
    let count = StdArc::new(Count::default());
    (count.clone(), Waker::from(count))
}

fn woken(count: &Count) -> usize {
    count.0.load(Ordering::Relaxed)
}

#[test]
fn letters_come_out_in_the_order_they_went_in() {
    let (sender, mut receiver) = bounded(2);
    assert_eq!(sender.try_send(1), Ok(()));
    assert_eq!(sender.try_send(2), Ok(()));
    assert_eq!(sender.try_send(3), Err(Refused::Full(3)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(sender.try_send(3), Ok(()));
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(2), Ok(3)));
    assert_eq!(receiver.try_recv(), Err(NoLetter::Empty));
    let depth = Depth { bound: 2, len: 0, len_max: 2, waiting: 0, refused: 1 };
    assert_eq!(sender.depth(), depth);
}

#[test]
fn a_mailbox_for_nothing_holds_one() {
    let (sender, receiver) = bounded(0);
    assert_eq!(sender.try_send(1), Ok(()));
    assert_eq!(sender.try_send(2).map_err(Refused::into_letter), Err(2));
    assert_eq!((receiver.len(), receiver.is_empty()), (1, false));
}

#[test]
fn the_receiver_is_woken_once_for_each_wait() {
    let (sender, mut receiver) = bounded(4);
    let (count, waker) = counting();
    let mut context = Context::from_waker(&waker);
    assert!(receiver.poll_recv(&mut context).is_pending());
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(woken(&count), 1);
    assert_eq!(receiver.poll_recv(&mut context), Poll::Ready(Some(1)));
    assert_eq!(receiver.poll_recv(&mut context), Poll::Ready(Some(2)));
    assert!(receiver.poll_recv(&mut context).is_pending());
    drop(sender);
    assert_eq!(woken(&count), 2);
    assert_eq!(receiver.poll_recv(&mut context), Poll::Ready(None));
}

#[test]
fn the_last_waker_of_the_receiver_counts() {
    let (sender, mut receiver) = bounded(4);
    let ((old, old_waker), (new, new_waker)) = (counting(), counting());
    assert!(receiver.poll_recv(&mut Context::from_waker(&old_waker)).is_pending());
    assert!(receiver.poll_recv(&mut Context::from_waker(&new_waker)).is_pending());
    sender.try_send(1).unwrap();
    assert_eq!((woken(&old), woken(&new)), (0, 1));
}

#[test]
fn places_go_to_the_sender_that_waited_longest() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let ((first_count, first_waker), (second_count, second_waker)) = (counting(), counting());
    let (mut first, mut second) = (pin!(sender.send(1)), pin!(sender.send(2)));
    assert!(first.as_mut().poll(&mut Context::from_waker(&first_waker)).is_pending());
    assert!(second.as_mut().poll(&mut Context::from_waker(&second_waker)).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!((woken(&first_count), woken(&second_count)), (1, 0));
    assert_eq!(sender.try_send(3), Err(Refused::Full(3)), "nobody comes before those who wait");
    assert!(second.as_mut().poll(&mut Context::from_waker(&second_waker)).is_pending());
    assert_eq!(first.as_mut().poll(&mut Context::from_waker(&first_waker)), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(second.as_mut().poll(&mut Context::from_waker(&second_waker)), Poll::Ready(Ok(())));
}

#[test]
fn a_send_that_is_given_up_passes_its_place_on() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let (count, waker) = counting();
    let mut context = Context::from_waker(&waker);
    let mut given_up = alloc::boxed::Box::pin(sender.send(1));
    let mut second = pin!(sender.send(2));
    assert!(given_up.as_mut().poll(&mut context).is_pending());
    assert!(second.as_mut().poll(&mut context).is_pending());
    assert_eq!(receiver.try_recv(), Ok(0));
    drop(given_up);
    assert_eq!(woken(&count), 2);
    assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn a_send_that_is_given_up_while_it_waits_leaves_the_list() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut given_up = alloc::boxed::Box::pin(sender.send(1));
    assert!(given_up.as_mut().poll(&mut context).is_pending());
    assert_eq!(sender.depth().waiting, 1);
    drop(given_up);
    assert_eq!(sender.depth().waiting, 0);
    assert_eq!(receiver.try_recv(), Ok(0));
    assert_eq!(sender.try_send(2), Ok(()));
}

#[test]
fn a_permit_holds_its_place_until_it_is_used_or_dropped() {
    let (sender, mut receiver) = bounded(1);
    let permit = block_on(sender.reserve()).unwrap();
    assert_eq!(sender.try_send(1), Err(Refused::Full(1)));
    drop(permit);
    let permit = block_on(sender.reserve()).unwrap();
    assert_eq!(permit.send(2), Ok(()));
    assert_eq!(receiver.try_recv(), Ok(2));
    let permit = block_on(sender.reserve()).unwrap();
    receiver.close();
    assert_eq!(permit.send(3), Err(Closed(3)));
}

#[test]
fn after_close_senders_get_letters_back_and_the_rest_can_be_taken() {
    let (sender, mut receiver) = bounded(1);
    sender.try_send(1).unwrap();
    let waiting = thread::spawn({
        let sender = sender.clone();
        move || block_on(sender.send(2))
    });
    while receiver.depth().waiting == 0 {
        thread::yield_now();
    }
    receiver.close();
    assert_eq!(waiting.join().unwrap(), Err(Closed(2)));
    assert!(sender.is_closed());
    assert_eq!(sender.try_send(3), Err(Refused::Closed(3)));
    assert_eq!(block_on(sender.send(4)), Err(Closed(4)));
    assert_eq!(block_on(receiver.recv()), Some(1));
    assert_eq!(block_on(receiver.recv()), None);
    assert_eq!(receiver.try_recv(), Err(NoLetter::Ended));
}

#[test]
fn a_receiver_that_is_dropped_drops_its_letters_and_frees_its_senders() {
    let (sender, receiver) = bounded(1);
    let letter = StdArc::new(());
    sender.try_send(letter.clone()).unwrap();
    let waiting = thread::spawn({
        let (sender, letter) = (sender.clone(), letter.clone());
        move || block_on(sender.send(letter)).is_err()
    });
    drop(receiver);
    assert!(waiting.join().unwrap());
    assert_eq!(StdArc::strong_count(&letter), 1);
}

#[test]
fn a_letter_that_holds_a_way_into_its_own_mailbox_can_be_dropped() {
    struct Letter(#[allow(dead_code, reason = "held to be dropped")] Sender<Letter>);
    let (sender, receiver) = bounded(2);
    sender.try_send(Letter(sender.clone())).map_err(|_| "full").unwrap();
    drop(receiver);
    assert!(sender.is_closed());
}

#[test]
fn nothing_is_lost_or_doubled_between_threads() {
    const SENDERS: usize = 3;
    let each = if cfg!(miri) { 20 } else { 20_000 };
    let (sender, mut receiver) = bounded(4);
    let threads: Vec<_> = (0..SENDERS)
        .map(|number| {
            let sender = sender.clone();
            thread::spawn(move || {
                block_on(async {
                    for letter in 0..each {
                        sender.send((number, letter)).await.unwrap();
                    }
                });
            })
        })
        .collect();
    drop(sender);
    let mut next = [0; SENDERS];
    while let Some((number, letter)) = block_on(receiver.recv()) {
        let expected = &mut next[number];
        assert_eq!(letter, *expected, "each sender's letters stay in order");
        *expected += 1;
    }
    assert_eq!(next, [each; SENDERS]);
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(receiver.depth().len_max <= 4);
}
