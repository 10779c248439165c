//! The orders of one subscriber's instance by number: in hand, answered, or too old to know.

use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

use crate::base::time::Mono;
use crate::relay::frame::Answer;

/// What is known of the numbers of one instance.
#[derive(Default)]
pub(super) struct Requests {
    known: BTreeMap<u64, Known>,
    /// The answered ones, in the order in which they were.
    ended: VecDeque<(Mono, u64)>,
    /// The highest number forgotten. Numbers rise, so what is below and not known may have been pushed.
    forgotten: Option<u64>,
}

#[derive(Clone, Copy)]
enum Known {
    InHand,
    Ended(Answer),
}

/// What is known of one number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Not asked for before.
    Never,
    /// The push server is at it.
    InHand,
    /// It ended so.
    Ended(Answer),
    /// It may have ended long ago.
    Forgotten,
}

impl Requests {
    pub(super) fn look_up(&self, request: u64) -> Seen {
        match self.known.get(&request) {
            Some(Known::InHand) => Seen::InHand,
            Some(Known::Ended(answer)) => Seen::Ended(*answer),
            None if self.forgotten.is_some_and(|highest| request <= highest) => Seen::Forgotten,
            None => Seen::Never,
        }
    }

    pub(super) fn begin(&mut self, request: u64) {
        self.known.insert(request, Known::InHand);
    }

    /// Remembers an answer, and forgets the oldest when there are more than `bound`.
    pub(super) fn end(&mut self, now: Mono, request: u64, answer: Answer, bound: usize) {
        self.known.insert(request, Known::Ended(answer));
        self.ended.push_back((now, request));
        while self.ended.len() > bound {
            self.forget_oldest();
        }
    }

    /// When the oldest answer was given.
    pub(super) fn oldest(&self) -> Option<Mono> {
        self.ended.front().map(|(at, _)| *at)
    }

    /// Forgets answers given `span` ago or earlier.
    pub(super) fn forget(&mut self, now: Mono, span: Duration) {
        while self.oldest().is_some_and(|at| at + span <= now) {
            self.forget_oldest();
        }
    }

    /// Answers remembered.
    pub(super) fn remembered(&self) -> usize {
        self.ended.len()
    }

    fn forget_oldest(&mut self) {
        if let Some((_, request)) = self.ended.pop_front() {
            self.known.remove(&request);
            self.forgotten = self.forgotten.max(Some(request));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: Answer = Answer::TryLater { after_millis: 5 };

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_number_is_new_once() {
        let mut requests = Requests::default();
        assert!(requests.look_up(1) == Seen::Never);
        requests.begin(1);
        assert!(requests.look_up(1) == Seen::InHand);
        requests.end(at(0), 1, ANSWER, 10);
        assert!(requests.look_up(1) == Seen::Ended(ANSWER));
        requests.forget(at(9), Duration::from_secs(10));
        assert!(requests.look_up(1) == Seen::Ended(ANSWER));
        requests.forget(at(10), Duration::from_secs(10));
        assert!(requests.look_up(1) == Seen::Forgotten);
        assert!(requests.look_up(2) == Seen::Never);
    }

    #[test]
    fn a_full_memory_forgets_the_oldest_and_never_calls_it_new() {
        let mut requests = Requests::default();
        requests.begin(1);
        for request in 2..=6 {
            requests.begin(request);
            requests.end(at(request), request, ANSWER, 3);
        }
        assert_eq!(requests.remembered(), 3);
        assert!(requests.look_up(1) == Seen::InHand, "what is in hand is not forgotten");
        assert!(requests.look_up(2) == Seen::Forgotten);
        assert!(requests.look_up(3) == Seen::Forgotten);
        assert!(requests.look_up(4) == Seen::Ended(ANSWER));
        assert_eq!(requests.oldest(), Some(at(4)));
    }
}
