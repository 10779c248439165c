//! Who reads a queue, and what each reader has yet to acknowledge.
//!
//! One link is subscribed and gets messages pushed, one unacknowledged at a time. Others may fetch with
//! GET. A link does one or the other with a queue, never both. Links that went down are not told to the
//! queue: link ids are never reused, so what they leave behind matches nobody and is overwritten or
//! forgotten in turn.
//!
//! Source: `smp-transport` 5.3 and 5.5.

use super::id::MessageId;
use crate::base::id::LinkId;
use alloc::vec::Vec;

/// Links that may be fetching from one queue at a time; beyond, the one that began first is forgotten.
///
/// A forgotten link's ACK is answered `NO_MSG` and it may subscribe again. Source: ours; a recipient
/// has one app and one notification extension, and each of them one link.
pub(super) const FETCHERS_MAX: usize = 4;

/// All readers of one queue.
#[derive(Debug, Default)]
pub(super) struct Readers {
    subscriber: Option<Subscriber>,
    fetchers: Vec<Fetcher>,
}

/// The link to which messages are pushed.
#[derive(Clone, Copy, Debug)]
struct Subscriber {
    link: LinkId,
    unacknowledged: Option<MessageId>,
}

/// A link that used GET.
#[derive(Clone, Copy, Debug)]
struct Fetcher {
    link: LinkId,
    unacknowledged: Option<MessageId>,
}

/// What a link does with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Nothing.
    Nothing,
    /// It is the subscriber.
    Subscribed,
    /// It used GET.
    Fetching,
}

/// An acknowledgement that named the last delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acknowledged {
    /// By the subscriber: the next message goes into the answer.
    BySubscriber(MessageId),
    /// By a link that fetches: it asks for the next one itself.
    ByFetcher(MessageId),
}

impl Readers {
    /// What `link` does with the queue.
    pub(super) fn reading(&self, link: LinkId) -> Reading {
        if self.subscriber() == Some(link) {
            Reading::Subscribed
        } else if self.fetchers.iter().any(|fetcher| fetcher.link == link) {
            Reading::Fetching
        } else {
            Reading::Nothing
        }
    }

    /// The link that was subscribed last. It may be down.
    pub(super) fn subscriber(&self) -> Option<LinkId> {
        self.subscriber.map(|subscriber| subscriber.link)
    }

    /// What `link` has yet to acknowledge.
    pub(super) fn unacknowledged_by(&self, link: LinkId) -> Option<MessageId> {
        match self.subscriber.filter(|subscriber| subscriber.link == link) {
            Some(subscriber) => subscriber.unacknowledged,
            None => self.fetchers.iter().find(|fetcher| fetcher.link == link)?.unacknowledged,
        }
    }

    /// Makes `link` the subscriber, with nothing unacknowledged. Gives the one it replaces, which may be
    /// the same link.
    pub(super) fn subscribe(&mut self, link: LinkId) -> Option<LinkId> {
        self.subscriber.replace(Subscriber { link, unacknowledged: None }).map(|former| former.link)
    }

    /// The subscriber to whom a message may be pushed now: it has acknowledged all before.
    pub(super) fn idle_subscriber(&self) -> Option<LinkId> {
        self.subscriber.filter(|subscriber| subscriber.unacknowledged.is_none()).map(|idle| idle.link)
    }

    /// Notes that the subscriber was given this message.
    pub(super) fn delivered(&mut self, id: MessageId) {
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.unacknowledged = Some(id);
        }
    }

    /// Notes a GET by `link` and what it was given.
    pub(super) fn fetched(&mut self, link: LinkId, given: Option<MessageId>) {
        self.fetchers.retain(|fetcher| fetcher.link != link);
        if self.fetchers.len() >= FETCHERS_MAX {
            self.fetchers.remove(0);
        }
        self.fetchers.push(Fetcher { link, unacknowledged: given });
    }

    /// Takes an acknowledgement by `link`; an empty `named` matches any message.
    ///
    /// `None` when nothing was delivered to this link, or another message.
    pub(super) fn acknowledge(&mut self, link: LinkId, named: &[u8]) -> Option<Acknowledged> {
        let matches = |id: &MessageId| named.is_empty() || named == id.as_bytes();
        if let Some(subscriber) = self.subscriber.as_mut().filter(|subscriber| subscriber.link == link) {
            let id = subscriber.unacknowledged.take_if(|id| matches(id))?;
            return Some(Acknowledged::BySubscriber(id));
        }
        let fetcher = self.fetchers.iter_mut().find(|fetcher| fetcher.link == link)?;
        let id = fetcher.unacknowledged.take_if(|id| matches(id))?;
        Some(Acknowledged::ByFetcher(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acknowledgement_must_name_what_was_delivered_to_that_link() {
        for (link, named, expected) in [
            (link(1), [7; 24].as_slice(), Some(Acknowledged::BySubscriber(id(7)))),
            (link(1), &[], Some(Acknowledged::BySubscriber(id(7)))),
            (link(1), &[8; 24], None),
            (link(1), &[7; 23], None),
            (link(2), &[9; 24], Some(Acknowledged::ByFetcher(id(9)))),
            (link(2), &[], Some(Acknowledged::ByFetcher(id(9)))),
            (link(2), &[7; 24], None),
            (link(3), &[], None),
        ] {
            let mut readers = Readers::default();
            readers.subscribe(LinkId::accepted(1));
            readers.delivered(id(7));
            readers.fetched(LinkId::accepted(2), Some(id(9)));
            assert_eq!(readers.acknowledge(link, named), expected, "{link:?} {named:?}");
            if expected.is_some() {
                assert_eq!(readers.acknowledge(link, named), None, "{link:?} {named:?} again");
            }
        }
    }

    #[test]
    fn a_new_subscriber_has_nothing_unacknowledged() {
        let mut readers = Readers::default();
        assert_eq!(readers.subscribe(link(1)), None);
        readers.delivered(id(7));
        assert_eq!(readers.idle_subscriber(), None);
        assert_eq!(readers.subscribe(link(2)), Some(link(1)));
        assert_eq!(readers.idle_subscriber(), Some(link(2)));
        assert_eq!(readers.acknowledge(link(1), &[]), None);
    }

    #[test]
    fn fetchers_are_bounded_and_the_first_is_forgotten() {
        let mut readers = Readers::default();
        for number in 0..=4 {
            readers.fetched(link(number), Some(id(7)));
        }
        assert_eq!(readers.fetchers.len(), FETCHERS_MAX);
        assert_eq!(readers.reading(link(0)), Reading::Nothing);
        assert_eq!(readers.reading(link(4)), Reading::Fetching);
        readers.fetched(link(1), None);
        assert_eq!(readers.fetchers.len(), FETCHERS_MAX);
        assert_eq!(readers.acknowledge(link(1), &[]), None);
    }

    fn link(number: u64) -> LinkId {
        LinkId::accepted(number)
    }

    fn id(number: u8) -> MessageId {
        MessageId::new([number; 24])
    }
}
