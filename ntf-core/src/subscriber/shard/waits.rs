//! What waits for other shards' words.

use crate::base::id::LinkId;
use crate::link::responder::ReplyLater;
use crate::model::shard::ShardId;
use crate::subscriber::shard::{Arrival, QueueMark, Ticket, Wish};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// An answer that a link waits for.
#[derive(Debug)]
pub(in crate::subscriber) struct Owed {
    pub(in crate::subscriber) link: LinkId,
    pub(in crate::subscriber) to: ReplyLater,
}

/// What a link waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::subscriber) enum Wait {
    /// Words of other shards.
    Words(Ticket),
    /// The claim on a queue.
    Claim(QueueMark),
    /// A place among the registrations of a device.
    Place(Ticket),
}

/// What to do when the last word has come.
#[derive(Debug)]
pub(in crate::subscriber) enum Then {
    /// Answer OK.
    Answer(Owed),
    /// Tell another shard that what it asked for is done.
    Tell(ShardId, Ticket),
}

/// Everything that waits.
///
/// A link waits for one command at a time and takes what it waits for with it when it ends, and another shard asks
/// on behalf of its links, so there are no more entries than links in all shards.
#[derive(Debug, Default)]
pub(in crate::subscriber) struct Waits {
    tickets: BTreeMap<Ticket, Waiting>,
    next: u64,
    /// SNEWs that wait for the claim on their queue, first come first served.
    claims: BTreeMap<QueueMark, Vec<(Owed, Wish)>>,
    /// TNEWs and TRPLs that wait for a place.
    places: BTreeMap<Ticket, (Owed, Arrival)>,
}

#[derive(Debug)]
struct Waiting {
    missing: usize,
    then: Then,
}

impl Waits {
    /// A ticket that was not used before.
    pub(in crate::subscriber) const fn ticket(&mut self) -> Ticket {
        let ticket = Ticket(self.next);
        self.next = self.next.wrapping_add(1);
        ticket
    }

    /// Does `then` after so many words; at once, by giving it back, when there are none to wait for.
    pub(in crate::subscriber) fn enter(
        &mut self,
        ticket: Ticket,
        missing: usize,
        then: Then,
    ) -> Option<Then> {
        if missing == 0 {
            return Some(then);
        }
        self.tickets.insert(ticket, Waiting { missing, then });
        None
    }

    /// A word has come; gives what is to be done if it was the last.
    pub(in crate::subscriber) fn done(&mut self, ticket: Ticket) -> Option<Then> {
        let waiting = self.tickets.get_mut(&ticket)?;
        waiting.missing = waiting.missing.saturating_sub(1);
        if waiting.missing > 0 {
            return None;
        }
        self.tickets.remove(&ticket).map(|waiting| waiting.then)
    }

    /// An SNEW waits for a claim; says whether it is the first for its queue, and the claim has to be asked for.
    pub(in crate::subscriber) fn claim(&mut self, queue: QueueMark, owed: Owed, wish: Wish) -> bool {
        let is_asked_for = self.claims.contains_key(&queue);
        self.claims.entry(queue).or_default().push((owed, wish));
        !is_asked_for
    }

    /// A registration waits for a place.
    pub(in crate::subscriber) fn place(&mut self, ticket: Ticket, owed: Owed, arrival: Arrival) {
        self.places.insert(ticket, (owed, arrival));
    }

    /// What waits for that place, if its link is still there.
    pub(in crate::subscriber) fn placed(&mut self, ticket: Ticket) -> Option<(Owed, Arrival)> {
        self.places.remove(&ticket)
    }

    /// A link has ended: nobody waits for its answer any more. What it asked for is done or dropped all the same.
    pub(in crate::subscriber) fn forget(&mut self, link: LinkId, wait: Wait) {
        match wait {
            Wait::Words(ticket) => _ = self.tickets.remove(&ticket),
            Wait::Place(ticket) => _ = self.places.remove(&ticket),
            Wait::Claim(queue) => {
                if let Some(waiting) = self.claims.get_mut(&queue) {
                    waiting.retain(|(owed, _)| owed.link != link);
                }
            }
        }
    }

    /// Those that wait for the claim on a queue.
    pub(in crate::subscriber) fn claimed(&mut self, queue: QueueMark) -> Vec<(Owed, Wish)> {
        self.claims.remove(&queue).unwrap_or_default()
    }

    /// Entries: the gauge.
    pub(in crate::subscriber) fn len(&self) -> usize {
        self.tickets.len() + self.places.len() + self.claims.values().map(Vec::len).sum::<usize>()
    }

    pub(in crate::subscriber) fn clear(&mut self) {
        self.tickets.clear();
        self.claims.clear();
        self.places.clear();
    }
}
