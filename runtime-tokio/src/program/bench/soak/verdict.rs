//! Whether a soak has left the server as it was.

use serde_json::{Value, json};

use super::ledger::Mail;
use super::scene::Done;
use super::watch::{HELD, LOST, Reading};
use crate::program::bench::figures::count;

/// By how much memory at the later ebbs may be above that at the first ones, in bytes.
///
/// A server at rest does not hold the same number of pages each time: its allocator keeps what is free between what is
/// not, and more of it until the worst tide has come.
const GROWTH_MAX: u64 = 512 << 10;

/// And for each tide in between: what leaks grows on with the load, and this is what a tide may leave. In one with 1800
/// messages and 40 registrations it is 27 bytes of each message, or 1200 of each registration.
const GROWTH_OF_TIDE_MAX: u64 = 48 << 10;

/// Fewer tell nothing about what memory does from ebb to ebb.
pub(super) const TIDES_MIN: usize = 3;

/// Messages for each restart, at most, that come within this time and may be told of by no push: what an SMP server has
/// sent and nobody has read when its connections close.
const UNTOLD_MILLIS: u64 = 100;

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Before anybody came.
    pub(super) before: Reading,
    /// Whenever all had gone.
    pub(super) ebbs: Vec<Reading>,
    pub(super) mail: Mail,
    pub(super) done: Done,
    /// Messages a second.
    pub(super) rate: u32,
}

impl Record {
    /// Memory in the first third of ebbs, at the highest, and in the last third, at the lowest: what is above that is a
    /// trend, and not the chance of one ebb.
    fn memory(&self) -> (u64, u64) {
        let third = self.third();
        let first = self.ebbs.iter().take(third).map(|seen| seen.memory).max();
        let last = self.ebbs.iter().rev().take(third).map(|seen| seen.memory).min();
        (first.unwrap_or(0), last.unwrap_or(0))
    }

    fn third(&self) -> usize {
        (self.ebbs.len() / 3).max(1)
    }

    /// By how much it may have grown in so many tides.
    fn growth_max(&self) -> u64 {
        let between = (self.ebbs.len() + 1).saturating_sub(2 * self.third());
        GROWTH_MAX + GROWTH_OF_TIDE_MAX * u64::try_from(between).unwrap_or(u64::MAX >> 20)
    }

    /// What is wrong, in words; nothing, if nothing is.
    pub(super) fn complaints(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.mail.lost > 0 {
            wrong.push(format!("{} of {} messages have not arrived", self.mail.lost, self.mail.sent));
        }
        let found_max = self.done.restarts * u64::from(self.rate) * UNTOLD_MILLIS / 1000;
        if self.mail.found > found_max {
            let (found, restarts) = (self.mail.found, self.done.restarts);
            wrong.push(format!(
                "no push has told of {found} messages, which {restarts} restarts do not explain"
            ));
        }
        let Some(last) = self.ebbs.last() else { return wrong };
        for (name, number) in last.above_zero(&LOST) {
            wrong.push(format!("work was lost: {name} is {number}"));
        }
        for (name, number) in last.above_zero(&HELD) {
            wrong.push(format!("something does not end: {name} is {number} after all have gone"));
        }
        let (files, files_before) = (last.files(), self.before.files());
        if files > files_before {
            wrong.push(format!(
                "{files} descriptors are open after all have gone, and {files_before} were before"
            ));
        }
        let (first, later) = self.memory();
        if self.ebbs.len() >= TIDES_MIN && later > first + self.growth_max() {
            wrong.push(format!(
                "memory has grown from {:.1} to {:.1} MB from ebb to ebb",
                count(first) / 1e6,
                count(later) / 1e6
            ));
        }
        wrong
    }

    pub(super) fn json(&self, minutes: f64) -> Value {
        let (first, later) = self.memory();
        let files = self.ebbs.last().map_or(0, Reading::files);
        json!({
            "minutes": (minutes * 10.0).round() / 10.0,
            "tides": self.ebbs.len(),
            "registrations": self.done.registrations,
            "messages": self.mail.sent,
            "fetched": self.mail.fetched,
            "found": self.mail.found,
            "refused": self.mail.refused,
            "gone": self.mail.gone,
            "lost": self.mail.lost,
            "provider_faults": self.done.provider_faults,
            "restarts": self.done.restarts,
            "naps": self.done.naps,
            "strangers": self.done.strangers,
            "memory_before": self.before.memory,
            "memory_first_ebbs": first,
            "memory_last_ebbs": later,
            "descriptors_before": self.before.files(),
            "descriptors_after": files,
            "complaints": self.complaints(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::bench::soak::watch::numbers;

    fn record(memory: &[u64]) -> Record {
        let ebb = |memory: &u64| Reading { memory: *memory, ..Reading::default() };
        Record { ebbs: memory.iter().map(ebb).collect(), ..Record::default() }
    }

    #[test]
    fn memory_that_goes_up_and_down_is_told_from_memory_that_grows() {
        const MB: u64 = 1 << 20;
        // Of three: two tides are between the first and the last.
        let most = 20 * MB + GROWTH_MAX + 2 * GROWTH_OF_TIDE_MAX;
        // 130 KB from tide to tide, as a listener once kept tasks that had ended.
        let leak = (0..17).map(|tide| 3_700_000 + 130_000 * tide).collect();
        for (memory, grows) in [
            (vec![20 * MB, 25 * MB, 21 * MB, 26 * MB, 22 * MB, 25 * MB], false),
            (vec![20 * MB, 22 * MB, 24 * MB, 26 * MB, 28 * MB, 30 * MB], true),
            (vec![20 * MB, 20 * MB, 20 * MB, 20 * MB, 20 * MB, 40 * MB], false),
            (vec![20 * MB, 20 * MB, most], false),
            (vec![20 * MB, 20 * MB, most + 1], true),
            (vec![20 * MB, 40 * MB], false),
            (leak, true),
            (vec![], false),
        ] {
            assert_eq!(!record(&memory).complaints().is_empty(), grows, "{memory:?}");
        }
    }

    #[test]
    fn what_is_lost_is_named() {
        let lost = Record { mail: Mail { sent: 9, lost: 2, ..Mail::default() }, ..record(&[1]) };
        assert_eq!(lost.complaints(), ["2 of 9 messages have not arrived"]);
        let found = |found| Record {
            mail: Mail { found, ..Mail::default() },
            done: Done { restarts: 2, ..Done::default() },
            rate: 100,
            ..record(&[1])
        };
        assert_eq!(found(20).complaints(), [""; 0]);
        assert_eq!(
            found(21).complaints(),
            ["no push has told of 21 messages, which 2 restarts do not explain"]
        );
        let seen = |page: &str| Record {
            ebbs: vec![Reading { numbers: numbers(page), ..Reading::default() }],
            ..Record::default()
        };
        assert_eq!(
            seen("ntf_push_refused_total 3\nntf_subscriber_links 1\n").complaints(),
            [
                "work was lost: ntf_push_refused_total is 3",
                "something does not end: ntf_subscriber_links is 1 after all have gone"
            ]
        );
        assert!(seen("ntf_push_accepted_total 3\nntf_connections_open 1\n").complaints().is_empty());
    }
}
