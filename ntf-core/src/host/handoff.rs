//! A link that moves from one thread to another while its bytes arrive.
//!
//! The link's own task posts letters (blocks, mostly) into the mailbox of the thread that holds the link. When
//! that thread parts with it, some of them may still lie in its mailbox, among letters of other links. None
//! may be lost, doubled or overtaken. So the letters are counted: the task counts what it has posted, the
//! holder what it has taken, and the difference is what is still to come:
//!
//! 1. The holder [parts](Hold::part) with the link. From then on the task posts nothing more here: its next
//!    letter waits for the new address.
//! 2. The holder [collects](Parting::collect) the link's letters that come out of its mailbox late. As a rule there
//!    are none. They travel with the link, in order.
//! 3. The link [arrives](Arrival::settle) as one letter, or comes back if the new holder takes no more. Settling
//!    gives the task its new address.
//!
//! An arrival, or a parting, that is dropped on the way (a thread that died) cuts the link off: its task's next
//! letter comes back as [`Closed`]. A link may move again. Late letters are bounded by the holder's mailbox.
//!
//! A thread keeps its links on a [`Desk`], which does the counting.

mod desk;

pub use desk::{Desk, Luggage, Moving, Sorted};

use alloc::vec::Vec;
use core::fmt;

use crate::host::mailbox::{Closed, Sender};
use crate::host::oneshot;
use crate::host::sync::{Arc, Guard, Lock, mutant};
use crate::host::wait_list::wake;

/// The two ends of a link whose letters go to `mailbox`: its task's, and its holder's.
#[must_use]
pub fn link<L>(mailbox: Sender<L>) -> (Line<L>, Hold<L>) {
    let route = Arc::new(Lock::new(Route { posted: 0, moved: None, has_line: true }));
    (Line { route: route.clone(), mailbox, moving: None }, Hold { route, taken: 0 })
}

struct Route<L> {
    /// Letters that went into mailboxes, all of them together.
    posted: u64,
    /// The holder has parted: the new address comes this way.
    moved: Option<oneshot::Receiver<Sender<L>>>,
    has_line: bool,
}

/// The link's task's end.
pub struct Line<L> {
    route: Arc<Lock<Route<L>>>,
    mailbox: Sender<L>,
    moving: Option<oneshot::Receiver<Sender<L>>>,
}

impl<L> Line<L> {
    /// Posts a letter to whoever holds the link, as soon as there is a place and a holder.
    ///
    /// Dropping the future before it is done drops the letter and nothing else.
    ///
    /// # Errors
    ///
    /// Gives the letter back when the link has no holder any more.
    pub async fn post(&mut self, letter: L) -> Result<(), Closed<L>> {
        loop {
            if let Some(moving) = &mut self.moving {
                let address = moving.await;
                self.moving = None;
                match address {
                    Ok(mailbox) => self.mailbox = mailbox,
                    Err(oneshot::Abandoned) => return Err(Closed(letter)),
                }
            }
            let place = self.mailbox.reserve().await;
            if place.is_err() && mutant("handoff_gives_up_when_closed") {
                return Err(Closed(letter));
            }
            // Under the route's lock a letter is either counted or not posted here.
            let mut route = self.route.lock();
            // Looked at even if the mailbox is closed: it may be closed because the link has gone elsewhere.
            self.moving = route.moved.take();
            if self.moving.is_some() {
                drop(route);
                drop(place);
                continue;
            }
            let Ok(permit) = place else { return Err(Closed(letter)) };
            if mutant("handoff_counts_after_posting") {
                drop(route);
                let posted = permit.send(letter);
                self.route.lock().posted += 1;
                return posted;
            }
            let receiver = permit.fill(letter)?;
            route.posted += 1;
            drop(route);
            wake(receiver);
            return Ok(());
        }
    }
}

impl<L> Drop for Line<L> {
    fn drop(&mut self) {
        let mut route = self.route.lock();
        route.has_line = false;
        let moved = route.moved.take();
        drop(route);
        drop(moved);
    }
}

/// The end of the thread that holds the link.
pub struct Hold<L> {
    route: Arc<Lock<Route<L>>>,
    /// Letters of the link that came out of mailboxes.
    taken: u64,
}

impl<L> Hold<L> {
    /// Notes a letter of this link that came out of the holder's mailbox. Every one must be noted.
    pub const fn took_letter(&mut self) {
        self.taken += 1;
    }

    /// Whether the link's task is still there. If not, no letter will come beyond those in the mailbox.
    #[must_use]
    pub fn has_line(&self) -> bool {
        self.route().has_line
    }

    /// Parts with the link, which takes `luggage` along: what the new holder must know.
    pub fn part<S>(self, luggage: S) -> Departure<L, S> {
        let (tell, address) = oneshot::channel();
        let mut route = self.route();
        let old = route.moved.replace(address);
        let posted = route.posted;
        drop(route);
        drop(old);
        let missing = if mutant("handoff_forgets_late_letters") { 0 } else { posted - self.taken };
        Parting { arrival: Arrival { hold: self, luggage, late: Vec::new(), tell }, missing }.check()
    }

    fn route(&self) -> Guard<'_, Route<L>> {
        self.route.lock()
    }
}

/// A link on its way out.
#[derive(Debug)]
pub enum Departure<L, S> {
    /// Some of its letters are still in the mailbox.
    Waits(Parting<L, S>),
    /// It can go.
    Goes(Arrival<L, S>),
}

/// A link some of whose letters are still in its old holder's mailbox.
#[must_use = "a parting that is dropped cuts the link off"]
pub struct Parting<L, S> {
    arrival: Arrival<L, S>,
    missing: u64,
}

impl<L, S> Parting<L, S> {
    /// Adds the link's next letter that came out of the mailbox.
    pub fn collect(mut self, letter: L) -> Departure<L, S> {
        self.arrival.hold.taken += 1;
        self.arrival.late.push(letter);
        self.missing -= 1;
        self.check()
    }

    /// Letters that are still to come out.
    #[must_use]
    pub const fn missing(&self) -> u64 {
        self.missing
    }

    fn check(self) -> Departure<L, S> {
        if self.missing == 0 { Departure::Goes(self.arrival) } else { Departure::Waits(self) }
    }
}

/// A whole link, between two holders.
#[must_use = "an arrival that is dropped cuts the link off"]
pub struct Arrival<L, S> {
    hold: Hold<L>,
    luggage: S,
    late: Vec<L>,
    tell: oneshot::Sender<Sender<L>>,
}

/// A link at its new holder.
#[derive(Debug)]
pub struct Settled<L, S> {
    /// What the old holder sent along.
    pub luggage: S,
    /// Letters that came late to the old holder. They come before anything from the mailbox.
    pub late: Vec<L>,
    /// The link.
    pub hold: Hold<L>,
}

impl<L, S> Arrival<L, S> {
    /// Takes the link: its letters go to `mailbox` from here on.
    ///
    /// Also for the old holder, when the new one refused.
    #[must_use]
    pub fn settle(self, mailbox: Sender<L>) -> Settled<L, S> {
        // Nobody hears it when the link's task has ended; its last letters are in `late`.
        let unheard = self.tell.send(mailbox);
        drop(unheard);
        Settled { luggage: self.luggage, late: self.late, hold: self.hold }
    }

    /// What the link takes along.
    #[must_use]
    pub const fn luggage(&self) -> &S {
        &self.luggage
    }
}

impl<L> fmt::Debug for Line<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.moving.is_some() { "Line(moving)" } else { "Line" })
    }
}

impl<L> fmt::Debug for Hold<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hold({} letters taken)", self.taken)
    }
}

impl<L, S> fmt::Debug for Parting<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Parting({} letters missing)", self.missing)
    }
}

impl<L, S> fmt::Debug for Arrival<L, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrival({} late letters)", self.late.len())
    }
}

#[cfg(test)]
mod tests {
    use core::pin::pin;
    use core::task::{Context, Poll, Waker};
    use std::vec;

    use super::*;
    use crate::host::mailbox::bounded;
    use crate::host::wake::block_on;

    #[test]
    fn late_letters_travel_with_the_link_and_come_first() {
        let (old, mut old_mailbox) = bounded(4);
        let (new, mut new_mailbox) = bounded(4);
        let (mut line, mut hold) = link(old);
        for letter in 1..=3 {
            block_on(line.post(letter)).unwrap();
        }
        assert_eq!(old_mailbox.try_recv(), Ok(1));
        hold.took_letter();
        let Departure::Waits(parting) = hold.part("state") else { panic!("two letters are in the mailbox") };
        assert_eq!(parting.missing(), 2);
        let mut next = pin!(line.post(4));
        let mut context = Context::from_waker(Waker::noop());
        assert!(next.as_mut().poll(&mut context).is_pending(), "nothing more is posted here");
        let Departure::Waits(parting) = parting.collect(old_mailbox.try_recv().unwrap()) else {
            panic!("one letter is in the mailbox")
        };
        let Departure::Goes(arrival) = parting.collect(old_mailbox.try_recv().unwrap()) else {
            panic!("none is in the mailbox")
        };
        assert_eq!(arrival.luggage(), &"state");
        let settled = arrival.settle(new);
        assert_eq!((settled.luggage, settled.late), ("state", vec![2, 3]));
        assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(new_mailbox.try_recv(), Ok(4));
    }

    #[test]
    fn a_link_can_move_again_and_need_not_have_noticed_the_first_time() {
        let mailboxes = [bounded(4), bounded(4)];
        let [(first, _), (second, mut mailbox)] = mailboxes;
        let (mut line, hold) = link(first.clone());
        let Departure::Goes(arrival) = hold.part(()) else { panic!("nothing was posted") };
        let Departure::Goes(arrival) = arrival.settle(first).hold.part(()) else {
            panic!("nothing was posted")
        };
        let settled = arrival.settle(second);
        block_on(line.post(1)).unwrap();
        assert_eq!(mailbox.try_recv(), Ok(1));
        assert!(settled.hold.has_line());
        drop(line);
        assert!(!settled.hold.has_line());
    }

    #[test]
    fn an_old_mailbox_that_closes_does_not_cut_off_what_has_left() {
        let (old, old_mailbox) = bounded(1);
        let (new, mut new_mailbox) = bounded(1);
        let (mut line, hold) = link(old);
        let Departure::Goes(arrival) = hold.part(()) else { panic!("nothing was posted") };
        drop(old_mailbox);
        let _settled = arrival.settle(new);
        block_on(line.post(1)).unwrap();
        assert_eq!(new_mailbox.try_recv(), Ok(1));
    }

    #[test]
    fn a_link_lost_on_the_way_learns_of_it() {
        let (old, _old_mailbox) = bounded(1);
        let (mut line, hold) = link(old);
        drop(hold.part(()));
        assert_eq!(block_on(line.post(1)), Err(Closed(1)));
    }
}
