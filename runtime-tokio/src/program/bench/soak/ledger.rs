//! Who can be written to, and which messages have yet to arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use ntf_core::client::input::QueueId;
use ntf_core::host::sync::{Guard, Lock};
use ntf_core::model::server::SenderAddress;

/// Messages that may be on their way; while there are as many, no other is sent. A machine that is too slow for the
/// rate slows it down so, and nothing piles up.
const UNDER_WAY_MAX: usize = 300;

/// A queue of a phone at a server, which go by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Queue {
    pub(super) phone: u64,
    pub(super) server: usize,
    pub(super) id: QueueId,
}

/// All messages of a soak. Each is fetched by its phone, or refused by its server, or goes with its queue; what is none
/// of these is lost.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    queues: Vec<(Queue, SenderAddress)>,
    /// Whose turn it is.
    next: usize,
    under_way: BTreeMap<u64, Queue>,
    sent: u64,
    fetched: u64,
    found: u64,
    refused: u64,
    gone: u64,
}

/// How many messages there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    pub(super) sent: u64,
    /// Of these, those that their phones have.
    pub(super) fetched: u64,
    /// Of these, those that no push told of: the app was opened, and looked. A notice that is on a connection when it
    /// breaks is sent to nobody again. Source: `smp-transport` 6.3.
    pub(super) found: u64,
    /// Those that the SMP server did not take: it had forgotten the queue.
    pub(super) refused: u64,
    /// Those that went with their queue: it was deleted, or its server or its phone were gone.
    pub(super) gone: u64,
    /// All others.
    pub(super) lost: u64,
}

/// A ledger that phones and those who write to them have in common. Nobody holds it for longer than an entry takes.
#[derive(Clone, Default)]
pub(super) struct Shared(Arc<Lock<Ledger>>);

impl Shared {
    pub(super) fn lock(&self) -> Guard<'_, Ledger> {
        self.0.lock()
    }
}

impl Ledger {
    /// Messages go there from here on.
    pub(super) fn open(&mut self, queues: impl IntoIterator<Item = (Queue, SenderAddress)>) {
        self.queues.extend(queues);
    }

    /// Nothing goes to these queues any more, and nothing is expected from there.
    pub(super) fn close(&mut self, which: impl Fn(&Queue) -> bool) {
        self.queues.retain(|(queue, _)| !which(queue));
        let before = self.under_way.len();
        self.under_way.retain(|_, queue| !which(queue));
        self.gone += u64::try_from(before - self.under_way.len()).unwrap_or(0);
    }

    /// Nothing goes anywhere any more. What has not arrived stays expected.
    pub(super) fn forget_queues(&mut self) {
        self.queues.clear();
    }

    /// The next message and where it goes, one queue after the other, unless too many are under way.
    pub(super) fn send(&mut self) -> Option<(u64, SenderAddress)> {
        if self.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        self.next = (self.next + 1) % self.queues.len().max(1);
        let (queue, address) = self.queues.get(self.next)?;
        self.sent += 1;
        self.under_way.insert(self.sent, *queue);
        Some((self.sent, address.clone()))
    }

    /// The SMP server did not take this message.
    pub(super) fn on_refused(&mut self, number: u64) {
        self.refused += u64::from(self.under_way.remove(&number).is_some());
    }

    /// A phone has this message. One that comes again, as may happen after a fault, counts once.
    pub(super) fn on_fetched(&mut self, message: &[u8]) {
        let number = std::str::from_utf8(message).ok().and_then(|number| number.parse().ok());
        let arrived = number.and_then(|number: u64| self.under_way.remove(&number));
        self.fetched += u64::from(arrived.is_some());
    }

    /// No push is to be expected any more: the apps are opened.
    pub(super) fn look(&mut self) {
        self.found += u64::try_from(self.under_way.len()).unwrap_or(u64::MAX);
    }

    /// Messages that have yet to arrive.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.len()
    }

    /// The sum, with everything that has not arrived as lost.
    pub(super) fn mail(&self) -> Mail {
        let lost = u64::try_from(self.under_way.len()).unwrap_or(u64::MAX);
        Mail {
            sent: self.sent,
            fetched: self.fetched,
            found: self.found,
            refused: self.refused,
            gone: self.gone,
            lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntf_core::base::id::EntityId;
    use ntf_core::model::server::{Fingerprint, ServerAddress};

    fn ledger() -> Ledger {
        let server = ServerAddress {
            hosts: vec!["localhost".into()],
            port: "".into(),
            identity: Fingerprint::new([1; 32]),
        };
        let sender = EntityId::new(&[2; 24]).expect("24 bytes");
        let address = SenderAddress { server, sender };
        let mut ledger = Ledger::default();
        let queue = |phone| Queue { phone, server: 0, id: QueueId(0) };
        ledger.open([0, 1].map(|phone| (queue(phone), address.clone())));
        ledger
    }

    #[test]
    fn each_message_has_one_end_and_what_has_none_is_lost() {
        let mut ledger = ledger();
        let numbers: Vec<u64> =
            std::iter::from_fn(|| ledger.send()).map(|(number, _)| number).take(6).collect();
        assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
        ledger.on_fetched(b"1");
        ledger.on_fetched(b"1");
        ledger.on_fetched(b"not ours");
        ledger.on_refused(2);
        ledger.on_fetched(b"2");
        // Messages take turns, so three of the six were for each phone.
        ledger.close(|queue| queue.phone == 0);
        let mail = ledger.mail();
        assert_eq!((mail.sent, mail.fetched, mail.refused), (6, 1, 1));
        assert_eq!((mail.gone, mail.lost), (2, 2));
        assert_eq!(ledger.under_way(), 2);
    }

    #[test]
    fn a_full_way_waits_and_an_empty_town_gets_nothing() {
        let mut ledger = ledger();
        assert_eq!(std::iter::from_fn(|| ledger.send()).count(), UNDER_WAY_MAX);
        ledger.on_fetched(b"7");
        assert!(ledger.send().is_some());
        ledger.close(|_| true);
        assert!(ledger.send().is_none());
    }
}
