//! One answer to one question.

use loom::thread;
use ntf_core::host::oneshot::{Abandoned, channel};
use ntf_core::host::wake::block_on;

use crate::check;

/// An answer reaches whoever waits, or comes back; when nobody waits any more, it always comes back.
///
/// Mutants: `oneshot_abandons_silently`, `oneshot_answers_nobody`.
#[test]
fn an_answer_arrives_or_comes_back() {
    check(|| {
        let (sender, receiver) = channel();
        let answering = thread::spawn(move || sender.send(7));
        assert_eq!(block_on(receiver), Ok(7));
        assert_eq!(answering.join().unwrap(), Ok(()));

        let (sender, mut receiver) = channel();
        let answering = thread::spawn(move || sender.send(7));
        let taken = receiver.try_recv();
        drop(receiver);
        let answered = answering.join().unwrap();
        assert!(taken != Ok(Some(7)) || answered == Ok(()), "it was taken and came back: {answered:?}");

        let (sender, receiver) = channel();
        thread::spawn(move || drop(receiver)).join().unwrap();
        assert_eq!(sender.send(7), Err(7));
    });
}

/// Whoever waits learns that no answer will come.
///
/// Mutants: `oneshot_abandons_silently`.
#[test]
fn a_sender_that_goes_ends_the_wait() {
    check(|| {
        let (sender, receiver) = channel::<u8>();
        let gone = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver), Err(Abandoned));
        gone.join().unwrap();
    });
}
