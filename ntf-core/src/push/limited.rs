//! Devices that the provider has asked to leave alone for a while.
//!
//! The outcome tells a subscriber how long to wait; here it is held for those that do not, and for other
//! subscribers and registrations of the device, which were not told. A time further off than
//! [`Config::later_max`](super::Config::later_max) is cut to it. Source: `ntf-protocol` 3.8.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::base::time::Mono;

/// Until when, by the keyed hash of a device.
pub(super) struct Limited {
    until: BTreeMap<u64, Mono>,
    ending: BTreeSet<(Mono, u64)>,
    bound: usize,
}

/// Ended ones forgotten at a time, so that one after a long silence costs what any other does.
const FORGOTTEN_AT_ONCE: usize = 4;

impl Limited {
    /// An empty table of at most `bound` devices, 1 or more. A full one forgets the device that may be asked for
    /// first: its subscriber knows, and its provider says so again.
    pub(super) fn new(bound: usize) -> Self {
        Self { until: BTreeMap::new(), ending: BTreeSet::new(), bound: bound.max(1) }
    }

    /// Leaves a device alone until then, or for longer if that was asked for before.
    pub(super) fn hold(&mut self, device: u64, until: Mono) {
        if self.until.get(&device).is_some_and(|held| *held >= until) {
            return;
        }
        self.forget(device);
        if self.until.len() >= self.bound
            && let Some((_, first)) = self.ending.pop_first()
        {
            self.until.remove(&first);
        }
        self.until.insert(device, until);
        self.ending.insert((until, device));
    }

    /// Until when a device is to be left alone, if it is.
    pub(super) fn until(&mut self, now: Mono, device: u64) -> Option<Mono> {
        for _ in 0..FORGOTTEN_AT_ONCE {
            match self.ending.first().copied() {
                Some((until, ended)) if until <= now => self.forget(ended),
                Some(_) | None => break,
            }
        }
        self.until.get(&device).copied().filter(|until| *until > now)
    }

    pub(super) fn len(&self) -> usize {
        self.until.len()
    }

    pub(super) fn clear(&mut self) {
        self.until.clear();
        self.ending.clear();
    }

    fn forget(&mut self, device: u64) {
        if let Some(until) = self.until.remove(&device) {
            self.ending.remove(&(until, device));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    #[test]
    fn a_device_is_held_until_its_time_and_then_forgotten() {
        let mut limited = Limited::new(10);
        limited.hold(1, at(10));
        limited.hold(1, at(20));
        limited.hold(1, at(15));
        for (secs, expected) in [(0, Some(at(20))), (19, Some(at(20))), (20, None)] {
            assert_eq!(limited.until(at(secs), 1), expected, "at {secs}");
            assert_eq!(limited.until(at(secs), 2), None);
        }
        assert_eq!(limited.len(), 0);
    }

    #[test]
    fn a_full_table_forgets_whoever_may_be_asked_for_first() {
        let mut limited = Limited::new(2);
        for (device, secs) in [(1, 30), (2, 10), (3, 20)] {
            limited.hold(device, at(secs));
        }
        let held = [1, 2, 3].map(|device| limited.until(at(0), device).is_some());
        assert_eq!((held, limited.len()), ([true, false, true], 2));
    }
}
