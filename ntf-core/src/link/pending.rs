//! Requests that wait for their replies.
//!
//! Replies come in any order and are matched by correlation id only. A request that timed out is
//! remembered for a while, so that its late reply still reaches whoever asked: for NSUB that saves a
//! repetition. One timeout serves all, so the order of sending is the order of expiry and no timer queue
//! is needed. Source: `smp-transport` 7.3.

use crate::base::id::{CorrId, EntityId, ID_LEN};
use crate::base::time::Mono;
use alloc::collections::VecDeque;
use core::hash::{BuildHasherDefault, Hasher};
use core::time::Duration;
use hashbrown::HashMap;

/// Requests of one link, each with the tag of whoever asked.
///
/// At most `bound` wait for a reply and as many late ones are remembered; a further late one displaces
/// the oldest, whose reply will then count as unknown.
#[derive(Debug)]
pub(crate) struct PendingTable<T> {
    requests: HashMap<CorrId, Pending<T>, BuildHasherDefault<CorrHasher>>,
    /// Waiting requests from oldest to newest; those already answered are skipped when they come first.
    waiting: VecDeque<(Mono, CorrId)>,
    late: VecDeque<CorrId>,
    waiting_len: usize,
    timeout: Duration,
    bound: usize,
}

#[derive(Debug)]
struct Pending<T> {
    tag: T,
    entity: Option<EntityId>,
    is_late: bool,
}

/// Whose reply is this?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer<T> {
    /// The reply to a request that waits.
    Known(T),
    /// The reply to a request that has timed out.
    Late(T),
    /// The reply to a request that waits, naming another entity than the request did.
    WrongEntity(T),
    /// The reply to a request that has timed out, naming another entity than the request did.
    LateWrongEntity(T),
    /// To no request that we remember.
    Unknown,
}

/// A request whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expired<T> {
    /// The tag of whoever asked.
    pub(crate) tag: T,
    /// When it was sent.
    pub(crate) sent: Mono,
}

impl<T: Copy> PendingTable<T> {
    /// A table for `bound` requests that wait `timeout` each.
    pub(crate) fn new(timeout: Duration, bound: usize) -> Self {
        Self {
            requests: HashMap::default(),
            waiting: VecDeque::new(),
            late: VecDeque::new(),
            waiting_len: 0,
            timeout,
            bound,
        }
    }

    /// Adds a request sent now. Whether there is [room](Self::room) is the caller's to ask; a PING goes in
    /// beyond the bound.
    pub(crate) fn insert(&mut self, now: Mono, corr: CorrId, entity: Option<EntityId>, tag: T) {
        if self.requests.insert(corr, Pending { tag, entity, is_late: false }).is_none() {
            self.waiting.push_back((now + self.timeout, corr));
            self.waiting_len += 1;
        }
    }

    /// Takes the request that a reply answers. An empty `entity` is none.
    pub(crate) fn answer(&mut self, corr: &[u8], entity: &[u8]) -> Answer<T> {
        let Some(corr) = CorrId::from_slice(corr) else { return Answer::Unknown };
        let Some(pending) = self.requests.remove(&corr) else { return Answer::Unknown };
        if pending.is_late {
            // Its place in `late` stays until it is displaced; looking for it would cost more.
        } else {
            self.waiting_len -= 1;
            self.drop_answered();
        }
        let is_right = pending.entity.as_ref().map_or(&[][..], EntityId::as_bytes) == entity;
        match (pending.is_late, is_right) {
            (false, true) => Answer::Known(pending.tag),
            (true, true) => Answer::Late(pending.tag),
            (false, false) => Answer::WrongEntity(pending.tag),
            (true, false) => Answer::LateWrongEntity(pending.tag),
        }
    }

    /// Takes one request whose time is over; it stays known as late.
    pub(crate) fn expire(&mut self, now: Mono) -> Option<Expired<T>> {
        loop {
            let (deadline, corr) = *self.waiting.front()?;
            let Some(pending) = self.requests.get_mut(&corr) else {
                self.waiting.pop_front();
                continue;
            };
            if deadline > now {
                return None;
            }
            self.waiting.pop_front();
            self.waiting_len -= 1;
            pending.is_late = true;
            let tag = pending.tag;
            if self.late.len() >= self.bound
                && let Some(oldest) = self.late.pop_front()
            {
                self.requests.remove(&oldest);
            }
            self.late.push_back(corr);
            let sent = Mono::from_micros(
                deadline
                    .as_micros()
                    .saturating_sub(u64::try_from(self.timeout.as_micros()).unwrap_or(u64::MAX)),
            );
            return Some(Expired { tag, sent });
        }
    }

    /// The tags of all requests that wait, oldest first.
    pub(crate) fn into_waiting(self) -> impl Iterator<Item = T> {
        let mut requests = self.requests;
        self.waiting
            .into_iter()
            .filter_map(move |(_, corr)| requests.remove(&corr).map(|pending| pending.tag))
    }

    /// When the oldest waiting request times out.
    pub(crate) fn deadline(&self) -> Option<Mono> {
        self.waiting.front().map(|(deadline, _)| *deadline)
    }

    /// Requests that wait: the gauge.
    pub(crate) const fn len(&self) -> usize {
        self.waiting_len
    }

    /// How many more requests may wait.
    pub(crate) const fn room(&self) -> usize {
        self.bound.saturating_sub(self.waiting_len)
    }

    /// Keeps the front of `waiting` a request that waits, so that [`deadline`](Self::deadline) is true.
    fn drop_answered(&mut self) {
        while let Some((_, corr)) = self.waiting.front()
            && !self.requests.contains_key(corr)
        {
            self.waiting.pop_front();
        }
        if self.waiting.is_empty() && self.waiting.capacity() > SHRINK_ABOVE {
            // A burst of subscriptions must not leave its high-water mark on every server's link.
            self.waiting.shrink_to(SHRINK_ABOVE);
            self.requests.shrink_to(SHRINK_ABOVE);
        }
    }
}

const SHRINK_ABOVE: usize = 64;

/// Takes the first bytes of a correlation id as its hash.
///
/// The ids in the table are our own random bytes, so they are spread already, and a server cannot add
/// ids of its choice.
#[derive(Clone, Copy, Debug, Default)]
struct CorrHasher(u64);

impl Hasher for CorrHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}

const _: () = assert!(ID_LEN >= 8, "a correlation id fills a hash");

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    fn corr(number: u8) -> CorrId {
        CorrId::new([number; ID_LEN])
    }

    fn table(requests: u8) -> PendingTable<u8> {
        let mut table = PendingTable::new(TIMEOUT, 4);
        for number in 0..requests {
            table.insert(at(u64::from(number)), corr(number), EntityId::new(&[number]), number);
        }
        table
    }

    #[test]
    fn replies_find_their_requests_in_any_order() {
        let mut table = table(3);
        assert_eq!(table.answer(&[2; 24], &[2]), Answer::Known(2));
        assert_eq!(table.answer(&[0; 24], &[0]), Answer::Known(0));
        assert_eq!(table.deadline(), Some(at(31)));
        assert_eq!(table.answer(&[1; 24], &[1]), Answer::Known(1));
        assert_eq!(table.answer(&[1; 24], &[1]), Answer::Unknown, "each is answered once");
        assert_eq!((table.len(), table.deadline()), (0, None));
    }

    #[test]
    fn a_reply_for_another_entity_is_not_taken_for_the_answer() {
        let mut table = table(2);
        assert_eq!(table.answer(&[0; 24], &[1]), Answer::WrongEntity(0));
        assert_eq!(table.expire(at(31)).map(|expired| expired.tag), Some(1));
        assert_eq!(table.answer(&[1; 24], &[]), Answer::LateWrongEntity(1));
    }

    #[test]
    fn ids_we_never_sent_are_unknown() {
        let mut table = table(1);
        for stranger in [&[9; 24][..], &[], &[0; 23], &[0; 25]] {
            assert_eq!(table.answer(stranger, &[0]), Answer::Unknown);
        }
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn a_request_expires_at_its_timeout_and_its_reply_is_then_late() {
        let mut table = table(2);
        assert_eq!(table.expire(at(29)), None);
        assert_eq!(table.expire(at(30)), Some(Expired { tag: 0, sent: at(0) }));
        assert_eq!(table.expire(at(30)), None);
        assert_eq!((table.len(), table.deadline()), (1, Some(at(31))));
        assert_eq!(table.answer(&[0; 24], &[0]), Answer::Late(0));
    }

    #[test]
    fn of_too_many_late_requests_the_oldest_are_forgotten() {
        let mut table = table(4);
        assert_eq!(table.room(), 0);
        while table.expire(at(99)).is_some() {}
        assert_eq!(table.room(), 4, "late requests do not count as waiting");
        table.insert(at(99), corr(9), None, 9);
        assert_eq!(table.expire(at(200)).map(|expired| expired.tag), Some(9));
        assert_eq!(table.answer(&[0; 24], &[0]), Answer::Unknown);
        assert_eq!(table.answer(&[1; 24], &[1]), Answer::Late(1));
        assert_eq!(table.answer(&[9; 24], &[]), Answer::Late(9));
    }

    #[test]
    fn what_waits_is_given_back_in_order_and_without_the_late() {
        let mut table = table(4);
        assert_eq!(table.expire(at(30)).map(|expired| expired.tag), Some(0));
        assert_eq!(table.answer(&[2; 24], &[2]), Answer::Known(2));
        assert_eq!(table.into_waiting().collect::<Vec<_>>(), [1, 3]);
    }
}
