//! What became of each message, from what was seen. A message is lost until its device has opened it.

use std::collections::HashMap;
use std::time::Duration;

use ntf_core::Mono;
use ntf_core::base::limits::NONCE_LEN;

use super::scene::{Seen, Sight};

/// The way of one message. A step that was not seen on its own is `None`: a notice that merged into
/// another's push has no push of its own.
#[derive(Clone, Debug)]
pub(super) struct Way {
    pub(super) number: u64,
    pub(super) queue: usize,
    pub(super) asked: Mono,
    pub(super) sent: Option<Mono>,
    pub(super) noticed: Option<Mono>,
    pub(super) accepted: Option<Mono>,
    pub(super) opened: Option<Mono>,
    pub(super) fetched: Option<Mono>,
    pub(super) text: String,
    shown: bool,
}

/// The end of the run in numbers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    pub(super) messages: u64,
    /// Message pushes that the provider accepted.
    pub(super) pushed: u64,
    /// Messages that their device fetched and opened.
    pub(super) decrypted: u64,
    pub(super) lost: u64,
    /// From SEND accepted to device decrypted, in milliseconds.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// All messages of the run.
pub(super) struct Ledger {
    messages: u64,
    ways: HashMap<u64, Way>,
    next: u64,
    pushed: u64,
    done: u64,
    noticed: HashMap<[u8; NONCE_LEN], Mono>,
    last_accepted: HashMap<usize, Mono>,
    opened: HashMap<Vec<u8>, Opened>,
}

#[derive(Clone, Copy)]
struct Opened {
    at: Mono,
    accepted: Option<Mono>,
    noticed: Option<Mono>,
}

impl Ledger {
    pub(super) fn new(messages: u32) -> Self {
        Self {
            messages: u64::from(messages),
            ways: HashMap::new(),
            next: 0,
            pushed: 0,
            done: 0,
            noticed: HashMap::new(),
            last_accepted: HashMap::new(),
            opened: HashMap::new(),
        }
    }

    /// The number of the next message to send, if any is left.
    pub(super) const fn next_to_send(&self) -> Option<u64> {
        if self.next < self.messages { Some(self.next + 1) } else { None }
    }

    pub(super) fn sending(&mut self, number: u64, queue: usize, at: Mono) {
        self.next = number;
        let way = Way {
            number,
            queue,
            asked: at,
            sent: None,
            noticed: None,
            accepted: None,
            opened: None,
            fetched: None,
            text: String::new(),
            shown: false,
        };
        self.ways.insert(number, way);
    }

    pub(super) fn on_the_way(&self) -> usize {
        usize::try_from(self.next - self.done).unwrap_or(usize::MAX)
    }

    pub(super) const fn done(&self) -> u64 {
        self.done
    }

    pub(super) const fn messages(&self) -> u64 {
        self.messages
    }

    pub(super) fn is_complete(&self) -> bool {
        self.done == self.messages && self.ways.values().all(|way| way.sent.is_some())
    }

    /// Takes in what was seen; gives the messages whose way is thereby complete.
    pub(super) fn note(&mut self, sight: Sight) -> Vec<Way> {
        let at = sight.at;
        match sight.what {
            Seen::Sent { number } => {
                if let Some(way) = self.ways.get_mut(&number) {
                    way.sent = Some(at);
                    return completed(way);
                }
            }
            Seen::Noticed { nonce } => {
                self.noticed.insert(nonce, at);
            }
            Seen::Accepted { device } => {
                self.pushed += 1;
                self.last_accepted.insert(device, at);
            }
            Seen::Pushed { device, message_id, nonce } => {
                if let Some(message_id) = message_id {
                    let accepted = self.last_accepted.get(&device).copied();
                    let noticed = self.noticed.get(&nonce).copied();
                    self.opened.insert(message_id, Opened { at, accepted, noticed });
                }
            }
            Seen::Fetched { message_id, message } => return self.fetched(at, &message_id, &message),
            Seen::Told { .. } => {}
        }
        Vec::new()
    }

    fn fetched(&mut self, at: Mono, message_id: &[u8], message: &[u8]) -> Vec<Way> {
        let text = String::from_utf8_lossy(message).into_owned();
        let number = text.split(':').next().and_then(|number| number.parse().ok());
        let Some(way) = number.and_then(|number: u64| self.ways.get_mut(&number)) else { return Vec::new() };
        if way.fetched.is_some() {
            return Vec::new();
        }
        self.done += 1;
        way.fetched = Some(at);
        way.text = text;
        if let Some(opened) = self.opened.remove(message_id) {
            way.opened = Some(opened.at);
            way.accepted = opened.accepted;
            way.noticed = opened.noticed;
        }
        completed(way)
    }

    pub(super) fn summary(&self) -> Summary {
        let mut latencies: Vec<Duration> =
            self.ways.values().filter_map(|way| Some(way.fetched?.since(way.sent?))).collect();
        latencies.sort();
        Summary {
            messages: self.messages,
            pushed: self.pushed,
            decrypted: self.done,
            lost: self.messages - self.done,
            p50_ms: percentile_ms(&latencies, 50),
            p99_ms: percentile_ms(&latencies, 99),
        }
    }
}

/// A way is shown once, when the sender knows that it was sent and the device has opened it, in
/// whichever order the two became known.
fn completed(way: &mut Way) -> Vec<Way> {
    if way.shown || way.sent.is_none() || way.fetched.is_none() {
        return Vec::new();
    }
    way.shown = true;
    vec![way.clone()]
}

/// The smallest value that `percent` of the sorted values do not exceed, in milliseconds.
fn percentile_ms(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(rank).map_or(0.0, |latency| (latency.as_secs_f64() * 1e6).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Mono {
        Mono::from_micros(micros)
    }

    #[test]
    fn percentiles_of_known_values() {
        let values: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        for (percent, expected) in [(50, 50.0), (99, 99.0), (100, 100.0)] {
            assert!((percentile_ms(&values, percent) - expected).abs() < 1e-9, "p{percent}");
        }
        assert!(percentile_ms(&[], 50).abs() < 1e-9);
    }

    #[test]
    fn a_message_that_is_not_fetched_is_lost() {
        let mut ledger = Ledger::new(2);
        for number in [1, 2] {
            ledger.sending(number, 0, at(0));
            ledger.note(Sight { at: at(5), what: Seen::Sent { number } });
        }
        let message = b"1: hi".to_vec();
        let rows = ledger.note(Sight { at: at(9), what: Seen::Fetched { message_id: vec![1], message } });
        assert_eq!(rows.len(), 1);
        let summary = ledger.summary();
        assert_eq!((summary.decrypted, summary.lost), (1, 1));
        assert!(!ledger.is_complete());
    }

    #[test]
    fn a_message_fetched_twice_counts_once() {
        let mut ledger = Ledger::new(1);
        ledger.sending(1, 0, at(0));
        ledger.note(Sight { at: at(1), what: Seen::Sent { number: 1 } });
        for _ in 0..2 {
            let message = b"1: hi".to_vec();
            ledger.note(Sight { at: at(9), what: Seen::Fetched { message_id: vec![1], message } });
        }
        assert_eq!(ledger.summary().decrypted, 1);
        assert!(ledger.is_complete());
    }
}
