//! What the server would have to admit that it knows, and how much it holds.

use super::Server;
use super::meter::Gauges;
use super::presence::Presence;
use crate::model::knowledge::Fact;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use base64ct::{Base64UrlUnpadded, Encoding};

/// Bytes of an id that a demonstration shows: enough to tell ids apart, too few to use one.
const SAMPLE_LEN: usize = 6;

impl Server {
    /// What is held at the moment. Costs O(links).
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        let totals = self.broker.store().totals();
        let sum = |of: fn(&Presence) -> usize| self.broker.presences().map(of).sum();
        Gauges {
            links: self.links.len(),
            unsent_blocks: self.links.values().map(|link| u64::from(link.responder.unsent())).sum(),
            queues: self.broker.store().len(),
            notifiers: self.broker.store().notifiers_len(),
            watched: sum(|presence| presence.watched.len()),
            subscribed: sum(|presence| presence.subscribed.len()),
            messages: totals.messages,
            bytes: totals.bytes,
            notifications: totals.notifications,
            services: self.broker.services().len(),
            tied: self.broker.services().tied_len(),
            endings: sum(|presence| presence.endings.len()),
        }
    }

    /// What this server knows, as it would have to admit it: from its tables and counters, nothing else.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let gauges = self.gauges();
        let store = self.broker.store();
        let recipient = store.any_recipient().map(|id| sample(id.as_bytes()));
        let notifier = store.any_notifier().map(|id| sample(id.as_bytes()));
        let fact =
            |what, count, sample| Fact { what, count: u64::try_from(count).unwrap_or(u64::MAX), sample };
        vec![
            fact("queues", gauges.queues, recipient),
            fact("notifier ids", gauges.notifiers, notifier),
            fact("notifier ids watched", gauges.watched, None),
            fact("notifier ids tied to a service", gauges.tied, None),
            fact("encrypted messages held", gauges.messages, None),
            fact("bytes of encrypted messages held", gauges.bytes, None),
            Fact {
                what: "times at which a message came",
                count: self.counters().messages_accepted.total(),
                sample: None,
            },
            fact("connections", gauges.links, None),
        ]
    }
}

fn sample(id: &[u8]) -> String {
    let mut text = Base64UrlUnpadded::encode_string(id.get(..SAMPLE_LEN).unwrap_or(id));
    text.push('…');
    text
}
