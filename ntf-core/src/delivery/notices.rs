//! The notices of one token: the newest of each queue, oldest first.
//!
//! A notice is wanted until it has gone out. It then stays as one of the last six, to ride along in later
//! pushes, because Apple replaces a push that the device has not fetched yet by the next one. What is too old
//! goes, wanted or not. Source: `ntf-protocol` 4.5 and H15; for the age defect D21.

use crate::base::time::Mono;
use crate::model::index::SubscriptionIndex;
use crate::model::notification::{NOTICES_PER_PUSH_MAX, Notice};
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A notice and how far it has come.
#[derive(Debug)]
pub struct Held {
    /// The subscription it came for.
    pub subscription: SubscriptionIndex,
    /// What came.
    pub notice: Notice,
    /// When it came.
    came: Mono,
    stage: Stage,
}

impl Held {
    /// Whether the notice has never been in an order.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.stage == Stage::Fresh
    }

    /// Whether the notice was in an order of which nothing good or bad has come yet.
    const fn is_unfinished(&self) -> bool {
        match self.stage {
            Stage::Again | Stage::Flying => true,
            Stage::Fresh | Stage::Done => false,
        }
    }

    const fn is_wanted(&self) -> bool {
        match self.stage {
            Stage::Fresh | Stage::Again => true,
            Stage::Flying | Stage::Done => false,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Never in an order.
    Fresh,
    /// Was in an order that did not reach the provider.
    Again,
    /// In the order that is out.
    Flying,
    /// Has gone out; rides along if there is room.
    Done,
}

/// The notices of one token.
#[derive(Debug, Default)]
pub struct Notices {
    held: VecDeque<Held>,
}

/// Fresh notices that ended without an order, by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// A newer notice of the same queue took their place.
    pub merged: u32,
    /// Too many queues waited; the oldest notices went.
    pub displaced: u32,
    /// They fit into no push.
    pub oversize: u32,
    /// They waited for too long.
    pub expired: u32,
}

/// The notices of one push, by place, oldest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection(Vec<usize>);

impl Notices {
    /// Takes a notice in; it replaces an earlier one of the same queue and becomes the newest.
    ///
    /// At most `bound` queues wait. What has gone out already is kept only while there are no more than
    /// six notices.
    pub fn take_in(
        &mut self,
        now: Mono,
        subscription: SubscriptionIndex,
        notice: Notice,
        bound: usize,
    ) -> Ended {
        let mut ended = Ended::default();
        if let Some(earlier) = self.remove(subscription) {
            ended.merged += u32::from(earlier.is_fresh());
        }
        self.held.push_back(Held { subscription, notice, came: now, stage: Stage::Fresh });
        self.trim();
        while self.held.len() > bound.max(1) {
            let oldest = self.held.iter().position(Held::is_wanted).and_then(|place| self.held.remove(place));
            let Some(oldest) = oldest else { break };
            ended.displaced += u32::from(oldest.is_fresh());
        }
        ended
    }

    /// When the oldest notice came. Notices lie in the order in which they came.
    #[must_use]
    pub fn oldest(&self) -> Option<Mono> {
        self.held.front().map(|held| held.came)
    }

    /// Drops what came at this time or earlier, wherever it is on its way.
    pub fn expire(&mut self, latest: Mono) -> Ended {
        let mut ended = Ended::default();
        while let Some(held) = self.held.pop_front_if(|held| held.came <= latest) {
            ended.expired += u32::from(held.is_fresh());
        }
        ended
    }

    /// Forgets the notice of a queue.
    pub fn remove(&mut self, subscription: SubscriptionIndex) -> Option<Held> {
        let place = self.held.iter().position(|held| held.subscription == subscription)?;
        self.held.remove(place)
    }

    /// Chooses what goes into a push of at most `room` bytes, where `len_of` tells what an entry takes.
    ///
    /// The oldest wanted notices go first, so that under pressure the last push holds the newest; what is
    /// left of the six places goes to notices that have gone out already and are older than the newest
    /// chosen one, which stays last. A notice that fits into no push is dropped.
    /// Source: `ntf-protocol` 3.4, 4.5 and defect D16.
    pub fn select(&mut self, room: usize, len_of: impl Fn(&Held) -> usize) -> (Selection, Ended) {
        let mut ended = Ended::default();
        let mut chosen: Vec<usize> = Vec::new();
        let mut used = 0_usize;
        let mut place = 0;
        while let Some(held) = self.held.get(place)
            && chosen.len() < NOTICES_PER_PUSH_MAX
        {
            let len = len_of(held);
            if !held.is_wanted() {
                place += 1;
            } else if len > room {
                ended.oversize += u32::from(held.is_fresh());
                self.held.remove(place);
            } else if used.saturating_add(len) <= room {
                used = used.saturating_add(len);
                chosen.push(place);
                place += 1;
            } else {
                break;
            }
        }
        let newest = chosen.last().copied().unwrap_or(0);
        for (place, held) in self.held.iter().enumerate().take(newest).rev() {
            let len = len_of(held);
            if held.stage == Stage::Done
                && chosen.len() < NOTICES_PER_PUSH_MAX
                && used.saturating_add(len) <= room
            {
                used = used.saturating_add(len);
                chosen.push(place);
            }
        }
        chosen.sort_unstable();
        (Selection(chosen), ended)
    }

    /// The notices of a selection, oldest first, as long as nothing else was done since.
    pub fn selected(&self, selection: &Selection) -> impl Iterator<Item = &Held> {
        selection.0.iter().filter_map(|place| self.held.get(*place))
    }

    /// The order with these notices is out. Gives how many went out for the first time.
    pub fn sent(&mut self, selection: &Selection) -> u32 {
        let mut first = 0;
        for place in &selection.0 {
            if let Some(held) = self.held.get_mut(*place)
                && held.is_wanted()
            {
                first += u32::from(held.is_fresh());
                held.stage = Stage::Flying;
            }
        }
        first
    }

    /// The notices that want a push, oldest first.
    pub fn wanted(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.is_wanted())
    }

    /// An order that stands for all that is wanted is out. Gives how many went out for the first time.
    pub fn announced(&mut self) -> u32 {
        let mut first = 0;
        for held in self.held.iter_mut().filter(|held| held.is_wanted()) {
            first += u32::from(held.is_fresh());
            held.stage = Stage::Flying;
        }
        first
    }

    /// When each notice in the order that is out came.
    pub fn flying_since(&self) -> impl Iterator<Item = Mono> {
        self.held.iter().filter(|held| held.stage == Stage::Flying).map(|held| held.came)
    }

    /// The order that was out has come to an end, good or bad: its notices need no other.
    pub fn landed(&mut self) {
        self.turn(Stage::Done);
        self.trim();
    }

    /// The order that was out did not reach the provider: its notices want another.
    pub fn bounced(&mut self) {
        self.turn(Stage::Again);
    }

    /// Whether a push is wanted.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.held.iter().any(Held::is_wanted)
    }

    /// Notices held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Notices that were never in an order.
    #[must_use]
    pub fn fresh(&self) -> u32 {
        self.held.iter().map(|held| u32::from(held.is_fresh())).sum()
    }

    /// Notices that were in an order, and whether they have reached the provider is not known.
    #[must_use]
    pub fn unfinished(&self) -> u32 {
        self.held.iter().map(|held| u32::from(held.is_unfinished())).sum()
    }

    fn turn(&mut self, stage: Stage) {
        for held in self.held.iter_mut().filter(|held| held.stage == Stage::Flying) {
            held.stage = stage;
        }
    }

    /// Drops the oldest that have gone out while there are more notices than fit into a push.
    fn trim(&mut self) {
        while self.held.len() > NOTICES_PER_PUSH_MAX {
            let Some(place) = self.held.iter().position(|held| held.stage == Stage::Done) else { return };
            self.held.remove(place);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::slab::Slab;

    fn queue(number: u32) -> SubscriptionIndex {
        let mut slab = Slab::new(u32::MAX);
        let mut last = None;
        for _ in 0..=number {
            last = slab.insert(()).ok();
        }
        SubscriptionIndex(last.unwrap())
    }

    fn notice(time: i64) -> Notice {
        Notice { received_at: time, nonce: [0; 24], meta: [].into() }
    }

    fn took(notices: &mut Notices, number: u32, time: i64) -> Ended {
        notices.take_in(Mono::default(), queue(number), notice(time), 64)
    }

    /// Orders with room for everything; gives the times of the notices in it.
    fn order(notices: &mut Notices) -> Vec<i64> {
        order_of(notices, 10_000, |_| 1)
    }

    fn order_of(notices: &mut Notices, room: usize, len_of: impl Fn(&Held) -> usize) -> Vec<i64> {
        let (selection, _) = notices.select(room, len_of);
        let times = notices.selected(&selection).map(|held| held.notice.received_at).collect();
        notices.sent(&selection);
        times
    }

    #[test]
    fn one_busy_queue_among_many_leaves_one_notice_of_each() {
        let mut notices = Notices::default();
        took(&mut notices, 0, 0);
        for time in 1..100 {
            let merged = u32::from(time > 1);
            assert_eq!(took(&mut notices, 1, time), Ended { merged, ..Ended::default() });
        }
        took(&mut notices, 2, 100);
        assert_eq!(order(&mut notices), [0, 99, 100]);
    }

    #[test]
    fn the_newest_notice_is_in_the_push_and_last() {
        let mut notices = Notices::default();
        for time in 0..6 {
            took(&mut notices, u32::try_from(time).unwrap(), time);
            assert_eq!(order(&mut notices).last(), Some(&time));
            notices.landed();
        }
        took(&mut notices, 0, 6);
        assert_eq!(order(&mut notices), [1, 2, 3, 4, 5, 6], "the others ride along");
        notices.landed();
        took(&mut notices, 9, 7);
        assert_eq!(order(&mut notices), [2, 3, 4, 5, 6, 7]);
        notices.landed();
        assert_eq!(notices.len(), 6, "what went out is forgotten beyond six");
    }

    #[test]
    fn more_queues_than_fit_go_out_in_several_pushes_the_newest_last() {
        let mut notices = Notices::default();
        for time in 0..14 {
            took(&mut notices, u32::try_from(time).unwrap(), time);
        }
        assert_eq!(order(&mut notices), [0, 1, 2, 3, 4, 5]);
        notices.landed();
        assert_eq!(order(&mut notices), [6, 7, 8, 9, 10, 11]);
        notices.landed();
        assert_eq!(order(&mut notices), [8, 9, 10, 11, 12, 13]);
        notices.landed();
        assert!(!notices.is_wanted());
    }

    #[test]
    fn a_notice_that_came_while_the_order_was_out_goes_into_the_next() {
        let mut notices = Notices::default();
        took(&mut notices, 0, 0);
        took(&mut notices, 1, 1);
        order(&mut notices);
        assert_eq!(took(&mut notices, 0, 2), Ended::default(), "the earlier one was ordered, not merged");
        notices.landed();
        assert!(notices.is_wanted());
        assert_eq!(order(&mut notices), [1, 2]);
    }

    #[test]
    fn a_bounced_order_is_wanted_again_and_counts_once() {
        let mut notices = Notices::default();
        took(&mut notices, 0, 0);
        assert_eq!(notices.fresh(), 1);
        let (selection, _) = notices.select(100, |_| 1);
        assert_eq!(notices.sent(&selection), 1);
        notices.bounced();
        assert_eq!((notices.is_wanted(), notices.fresh()), (true, 0));
        let (selection, _) = notices.select(100, |_| 1);
        assert_eq!(notices.sent(&selection), 0, "not for the first time");
        notices.bounced();
        assert_eq!(took(&mut notices, 0, 1), Ended::default(), "it had its order: not merged");
    }

    #[test]
    fn too_many_waiting_queues_displace_the_oldest() {
        let mut notices = Notices::default();
        for time in 0..8 {
            let ended =
                notices.take_in(Mono::default(), queue(u32::try_from(time).unwrap()), notice(time), 7);
            assert_eq!(ended.displaced, u32::from(time == 7), "time = {time}");
        }
        assert_eq!(order(&mut notices), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn what_is_too_old_goes_and_is_counted_if_it_was_never_ordered() {
        let mut notices = Notices::default();
        let at = Mono::from_micros;
        for (number, came) in [(0, 1), (1, 2), (0, 3)] {
            notices.take_in(at(came), queue(number), notice(0), 64);
        }
        assert_eq!(notices.oldest(), Some(at(2)), "a newer notice of a queue counts from its own time");
        assert_eq!(notices.expire(at(1)), Ended::default());
        assert_eq!(notices.expire(at(2)), Ended { expired: 1, ..Ended::default() });
        order(&mut notices);
        notices.landed();
        assert_eq!(notices.expire(at(9)), Ended::default(), "it has gone out");
        assert!(notices.is_empty() && notices.oldest().is_none());
    }

    #[test]
    fn what_does_not_fit_rides_in_the_next_push_and_oldest_extras_are_left_out() {
        let mut notices = Notices::default();
        for time in 0..4 {
            took(&mut notices, u32::try_from(time).unwrap(), time);
        }
        let len_of = |_: &Held| 10;
        assert_eq!(order_of(&mut notices, 25, len_of), [0, 1]);
        notices.landed();
        assert_eq!(order_of(&mut notices, 35, len_of), [1, 2, 3]);
    }

    #[test]
    fn a_notice_too_long_for_any_push_is_dropped_and_does_not_block_the_others() {
        let mut notices = Notices::default();
        took(&mut notices, 0, 1000);
        took(&mut notices, 1, 1);
        let len_of = |held: &Held| usize::try_from(held.notice.received_at).unwrap();
        let (selection, ended) = notices.select(500, len_of);
        assert_eq!(ended, Ended { oversize: 1, ..Ended::default() });
        assert_eq!(notices.selected(&selection).count(), 1);
        assert_eq!(notices.len(), 1);
        assert_eq!(notices.select(0, |_| 1).1.oversize, 1);
        assert_eq!(notices.select(0, |_| 1), (Selection::default(), Ended::default()));
    }
}
