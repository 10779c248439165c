//! Registrations that were never verified, over all shards, of the devices that fall to this shard.

use crate::base::id::TokenId;
use crate::base::time::Mono;
use crate::subscriber::shard::DeviceMark;
use crate::token::limits::TokenLimits;
use crate::token::places::{Place, gives_way};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Who has yet to prove itself, by device, oldest first; no more entries than registrations in all shards.
#[derive(Debug)]
pub(in crate::subscriber) struct Roster {
    devices: BTreeMap<DeviceMark, Vec<Place<TokenId>>>,
    limits: TokenLimits,
}

impl Roster {
    pub(in crate::subscriber) const fn new(limits: TokenLimits) -> Self {
        Self { devices: BTreeMap::new(), limits }
    }

    /// A registration has come, or come anew; gives the one that has to go for it, which is off the roster.
    ///
    /// Where nobody has to go for it, and there is no place, it is the newcomer: a shard that knows all of a device's
    /// registrations would have refused it.
    pub(in crate::subscriber) fn enter(
        &mut self,
        now: Mono,
        device: DeviceMark,
        mut newcomer: Place<TokenId>,
    ) -> Option<TokenId> {
        let unproved = self.devices.entry(device).or_default();
        let Ok(displaced) = gives_way(unproved, newcomer.origin, now, &self.limits) else {
            return Some(newcomer.holder);
        };
        if let Some(former) = displaced {
            unproved.retain(|place| place.holder != former.holder);
            if former.origin == newcomer.origin {
                // Whoever asks again and again does not keep a place for longer.
                newcomer.since = newcomer.since.min(former.since);
            }
        }
        unproved.push(newcomer);
        displaced.map(|former| former.holder)
    }

    /// A registration has proved itself, or is gone.
    pub(in crate::subscriber) fn strike(&mut self, device: DeviceMark, token: TokenId) {
        let Some(unproved) = self.devices.get_mut(&device) else { return };
        unproved.retain(|place| place.holder != token);
        if unproved.is_empty() {
            self.devices.remove(&device);
        }
    }

    /// Registrations on the roster: the gauge. Costs a walk over the devices.
    pub(in crate::subscriber) fn len(&self) -> usize {
        self.devices.values().map(Vec::len).sum()
    }

    pub(in crate::subscriber) fn clear(&mut self) {
        self.devices.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ID_LEN;
    use crate::token::registration::Origin;
    use core::time::Duration;

    fn limits() -> TokenLimits {
        TokenLimits { unverified_per_device: 2, ..TokenLimits::default() }
    }

    fn token(number: u8) -> TokenId {
        TokenId::new([number; ID_LEN])
    }

    /// Registration and origin by number, since so many seconds.
    fn place(number: u8, origin: u32, secs: u64) -> Place<TokenId> {
        Place { holder: token(number), origin: Origin(origin), since: after(Duration::from_secs(secs)) }
    }

    fn after(time: Duration) -> Mono {
        Mono::from_micros(0) + time
    }

    #[test]
    fn a_device_has_so_many_and_what_is_struck_makes_room() {
        let [device, other] = [DeviceMark(1), DeviceMark(2)];
        let now = after(Duration::ZERO);
        let mut roster = Roster::new(limits());
        assert_eq!(roster.enter(now, device, place(1, 1, 0)), None);
        assert_eq!(roster.enter(now, device, place(2, 2, 0)), None);
        assert_eq!(roster.enter(now, other, place(3, 2, 0)), None);
        assert_eq!(roster.enter(now, device, place(4, 2, 0)), Some(token(2)), "its own gives way");
        roster.strike(other, token(1));
        roster.strike(device, token(1));
        assert_eq!(roster.enter(now, device, place(5, 3, 0)), None);
        assert_eq!(roster.len(), 3);
        for (device, number) in [(device, 4), (device, 5), (other, 3)] {
            roster.strike(device, token(number));
        }
        assert!(roster.devices.is_empty());
    }

    #[test]
    fn who_may_still_answer_gives_way_to_nobody_and_a_place_does_not_grow_by_asking_anew() {
        let device = DeviceMark(1);
        let time = limits().answer_time;
        let second = Duration::from_secs(1);
        let mut roster = Roster::new(limits());
        assert_eq!(roster.enter(after(Duration::ZERO), device, place(1, 1, 0)), None);
        assert_eq!(roster.enter(after(second), device, place(2, 2, 1)), None);
        assert_eq!(roster.enter(after(second * 2), device, place(3, 3, 2)), Some(token(3)), "itself");
        assert_eq!(roster.enter(after(time - second), device, place(4, 1, 9)), Some(token(1)), "its own");
        assert_eq!(roster.enter(after(time), device, place(5, 3, 10)), Some(token(4)), "its time has been");
        assert_eq!(roster.len(), 2);
    }
}
