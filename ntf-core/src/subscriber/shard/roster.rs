//! Registrations that were never verified, over all shards, of the devices that fall to this shard.

use crate::base::id::TokenId;
use crate::base::time::Mono;
use crate::subscriber::shard::DeviceMark;
use crate::token::limits::TokenLimits;
use crate::token::places::{Crowded, Place, gives_way};
use crate::token::registration::Origin;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Who has yet to prove itself, by device, oldest first; no more entries than registrations in all shards, and TNEWs
/// that are on their way.
#[derive(Debug)]
pub(in crate::subscriber) struct Roster {
    devices: BTreeMap<DeviceMark, Vec<Place<TokenId>>>,
    len: usize,
    limits: TokenLimits,
}

impl Roster {
    pub(in crate::subscriber) const fn new(limits: TokenLimits) -> Self {
        Self { devices: BTreeMap::new(), len: 0, limits }
    }

    /// A registration wants to come; gives the one that has to go for it, which is off the roster.
    ///
    /// # Errors
    ///
    /// It may not.
    pub(in crate::subscriber) fn enter(
        &mut self,
        now: Mono,
        device: DeviceMark,
        token: TokenId,
        origin: Origin,
    ) -> Result<Option<TokenId>, Crowded> {
        let unproved = self.devices.entry(device).or_default();
        if unproved.iter().any(|place| place.holder == token) {
            return Ok(None);
        }
        let former = gives_way(unproved, origin, now, &self.limits)?;
        unproved.retain(|place| Some(place.holder) != former.map(|former| former.holder));
        // Whoever asks again and again does not keep a place for longer.
        let since = former.filter(|former| former.origin == origin).map_or(now, |former| former.since);
        unproved.push(Place { holder: token, origin, since });
        self.len += usize::from(former.is_none());
        Ok(former.map(|former| former.holder))
    }

    /// A registration has proved itself, or is gone.
    pub(in crate::subscriber) fn strike(&mut self, device: DeviceMark, token: TokenId) {
        let Some(unproved) = self.devices.get_mut(&device) else { return };
        let before = unproved.len();
        unproved.retain(|place| place.holder != token);
        self.len -= before - unproved.len();
        if unproved.is_empty() {
            self.devices.remove(&device);
        }
    }

    /// Registrations on the roster: the gauge.
    pub(in crate::subscriber) const fn len(&self) -> usize {
        self.len
    }

    pub(in crate::subscriber) fn clear(&mut self) {
        self.devices.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::id::ID_LEN;
    use core::time::Duration;

    fn limits() -> TokenLimits {
        TokenLimits { unverified_per_device: 2, ..TokenLimits::default() }
    }

    fn token(number: u8) -> TokenId {
        TokenId::new([number; ID_LEN])
    }

    fn after(time: Duration) -> Mono {
        Mono::from_micros(0) + time
    }

    #[test]
    fn a_device_has_so_many_and_what_is_struck_makes_room() {
        let [device, other] = [DeviceMark(1), DeviceMark(2)];
        let mut roster = Roster::new(limits());
        let mut enter = |device, number, origin| {
            roster.enter(after(Duration::ZERO), device, token(number), Origin(origin))
        };
        assert_eq!(enter(device, 1, 1), Ok(None));
        assert_eq!(enter(device, 2, 2), Ok(None));
        assert_eq!(enter(device, 2, 2), Ok(None), "has it already");
        assert_eq!(enter(other, 3, 2), Ok(None));
        assert_eq!(enter(device, 4, 2), Ok(Some(token(2))), "its own gives way");
        assert_eq!(enter(device, 5, 3), Err(Crowded));
        roster.strike(other, token(1));
        roster.strike(device, token(1));
        assert_eq!(roster.enter(after(Duration::ZERO), device, token(5), Origin(3)), Ok(None));
        assert_eq!(roster.len(), 3);
        for (device, number) in [(device, 4), (device, 5), (other, 3)] {
            roster.strike(device, token(number));
        }
        assert!(roster.devices.is_empty() && roster.len() == 0);
    }

    #[test]
    fn who_may_still_answer_gives_way_to_nobody_and_a_place_does_not_grow_by_asking_anew() {
        let device = DeviceMark(1);
        let (time, second) = (limits().answer_time, Duration::from_secs(1));
        let mut roster = Roster::new(limits());
        let mut enter =
            |time, number, origin| roster.enter(after(time), device, token(number), Origin(origin));
        assert_eq!(enter(Duration::ZERO, 1, 1), Ok(None));
        assert_eq!(enter(second, 2, 2), Ok(None));
        assert_eq!(enter(second * 2, 3, 3), Err(Crowded));
        assert_eq!(enter(time - second, 4, 1), Ok(Some(token(1))), "its own");
        assert_eq!(enter(time, 5, 3), Ok(Some(token(4))), "its time has been");
        assert_eq!(roster.len(), 2);
    }
}
