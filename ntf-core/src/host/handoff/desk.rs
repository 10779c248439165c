//! The links that one thread holds, those that are leaving it, and those that have just arrived.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use crate::host::handoff::{Arrival, Departure, Hold, Parting};
use crate::host::mailbox::Sender;
use crate::host::sync::mutant;

/// What a link takes along besides its letters.
pub struct Luggage<K, L, C, W> {
    /// The link.
    pub link: K,
    companion: C,
    /// What the old holder tells the new one.
    pub word: W,
    /// Letters that had followed the link to its old holder, which parted with it before it came to them.
    held: Vec<L>,
}

/// A link between two desks.
pub type Moving<K, L, C, W> = Arrival<L, Luggage<K, L, C, W>>;

/// The desk of one thread: links by name, each with its [`Hold`] and a companion, which is whatever the thread
/// needs to work with it.
///
/// Every letter of a link passes over it: [`sort`](Self::sort) for those out of the mailbox,
/// [`next_late`](Self::next_late) for those that came with a link. Its owner works letters off one by one, and
/// looks for late ones before it takes anything out of a mailbox.
pub struct Desk<K, L, C, W> {
    mailbox: Sender<L>,
    held: BTreeMap<K, (Hold<L>, C)>,
    leaving: Leaving<K, L, C, W>,
    /// Letters of links that have arrived.
    late: VecDeque<(K, L)>,
}

/// Links on their way out, with what goes along.
type Leaving<K, L, C, W> = BTreeMap<K, Parting<L, Luggage<K, L, C, W>>>;

/// What to do with a letter out of the mailbox.
#[derive(Debug)]
pub enum Sorted<K, L, C, W> {
    /// The link is here, or nobody's: work it off.
    Here(L),
    /// It goes along with its link, which still waits for others.
    Kept,
    /// It was the last that its link waited for: the link goes.
    Goes(Moving<K, L, C, W>),
}

impl<K: Ord + Copy, L, C, W> Desk<K, L, C, W> {
    /// An empty desk, whose links post into `mailbox`.
    #[must_use]
    pub const fn new(mailbox: Sender<L>) -> Self {
        Self { mailbox, held: BTreeMap::new(), leaving: BTreeMap::new(), late: VecDeque::new() }
    }

    /// Takes a new link.
    pub fn take(&mut self, link: K, hold: Hold<L>, companion: C) {
        self.held.insert(link, (hold, companion));
    }

    /// What works with a link that is here.
    #[must_use]
    pub fn companion(&self, link: K) -> Option<&C> {
        self.held.get(&link).map(|(_, companion)| companion)
    }

    /// Lets go of a link that has ended, or is to.
    pub fn let_go(&mut self, link: K) {
        self.held.remove(&link);
    }

    /// Sees a letter that came out of the mailbox.
    pub fn sort(&mut self, link: K, letter: L) -> Sorted<K, L, C, W> {
        if let Some((hold, _)) = self.held.get_mut(&link) {
            hold.took_letter();
            return Sorted::Here(letter);
        }
        // A link that was let go of still has letters on their way.
        let Some(parting) = self.leaving.remove(&link) else { return Sorted::Here(letter) };
        match parting.collect(letter) {
            Departure::Goes(moving) => Sorted::Goes(moving),
            Departure::Waits(parting) => {
                self.leaving.insert(link, parting);
                Sorted::Kept
            }
        }
    }

    /// The next letter that came along with a link.
    pub fn next_late(&mut self) -> Option<L> {
        self.late.pop_front().map(|(_, letter)| letter)
    }

    /// Parts with a link. `None` when it waits for letters, see [`sort`](Self::sort), or is not here, because it
    /// is ending: then the word is for nobody.
    pub fn part(&mut self, link: K, word: W) -> Option<Moving<K, L, C, W>> {
        let (hold, companion) = self.held.remove(&link)?;
        let mut held = Vec::new();
        if !mutant("desk_forgets_letters_in_hand") {
            let late = core::mem::take(&mut self.late);
            for (owner, letter) in late {
                if owner == link {
                    held.push(letter);
                } else {
                    self.late.push_back((owner, letter));
                }
            }
        }
        match hold.part(Luggage { link, companion, word, held }) {
            Departure::Goes(moving) => Some(moving),
            Departure::Waits(parting) => {
                self.leaving.insert(link, parting);
                None
            }
        }
    }

    /// Takes a link that arrives; gives what its old holder has to tell. Its letters come from
    /// [`next_late`](Self::next_late), then from the mailbox.
    pub fn settle(&mut self, moving: Moving<K, L, C, W>) -> (K, W) {
        let settled = moving.settle(self.mailbox.clone());
        let Luggage { link, companion, word, held } = settled.luggage;
        self.held.insert(link, (settled.hold, companion));
        self.late.extend(held.into_iter().chain(settled.late).map(|letter| (link, letter)));
        (link, word)
    }

    /// Links that are here or leaving.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held.len() + self.leaving.len()
    }

    /// Whether no link is here or leaving.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, L, C, W> fmt::Debug for Desk<K, L, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({} links, {} leaving)", self.held.len(), self.leaving.len())
    }
}

impl<K, L, C, W> fmt::Debug for Luggage<K, L, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Luggage({} letters in hand)", self.held.len())
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::host::handoff::link;
    use crate::host::mailbox::{Receiver, bounded};
    use crate::host::wake::block_on;

    type Desks = Desk<u8, u8, &'static str, &'static str>;

    fn desk() -> (Desks, Receiver<u8>) {
        let (sender, receiver) = bounded(8);
        (Desk::new(sender), receiver)
    }

    #[test]
    fn letters_follow_a_link_that_moves_on_before_they_are_worked_off() {
        let (mut first, mut first_mailbox) = desk();
        let (mut second, _second_mailbox) = desk();
        let (mut third, mut third_mailbox) = desk();
        let (mut line, hold) = link(first.mailbox.clone());
        first.take(7, hold, "companion");
        for letter in 1..=3 {
            block_on(line.post(letter)).unwrap();
        }
        let letter = first_mailbox.try_recv().unwrap();
        assert!(matches!(first.sort(7, letter), Sorted::Here(1)));
        assert!(first.part(7, "to the second").is_none(), "two letters are in the mailbox");
        assert!(matches!(first.sort(7, first_mailbox.try_recv().unwrap()), Sorted::Kept));
        let Sorted::Goes(moving) = first.sort(7, first_mailbox.try_recv().unwrap()) else {
            panic!("none is in the mailbox")
        };
        assert!(first.is_empty());
        assert_eq!(second.settle(moving), (7, "to the second"));
        assert_eq!(second.companion(7), Some(&"companion"));
        assert_eq!(second.next_late(), Some(2));
        let moving = second.part(7, "to the third").unwrap();
        assert_eq!(second.next_late(), None, "it is none of its business any more");
        assert_eq!(third.settle(moving), (7, "to the third"));
        block_on(line.post(4)).unwrap();
        let mut seen = vec![third.next_late().unwrap()];
        assert_eq!(third.next_late(), None);
        let letter = third_mailbox.try_recv().unwrap();
        if let Sorted::Here(letter) = third.sort(7, letter) {
            seen.push(letter);
        }
        assert_eq!(seen, [3, 4]);
    }

    #[test]
    fn letters_of_a_link_that_was_let_go_of_are_still_seen() {
        let (mut desk, _mailbox) = desk();
        let (_line, hold) = link(desk.mailbox.clone());
        desk.take(1, hold, "");
        desk.let_go(1);
        assert!(desk.part(1, "").is_none());
        assert!(matches!(desk.sort(1, 9), Sorted::Here(9)));
    }
}
