//! The places of a device's registrations that were never verified, as [`crate::token::places`] gives them.

use crate::base::time::{Mono, Now};
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::DeviceToken;
use crate::token::places::{Place, gives_way};
use crate::token::registration::{Origin, TokenRefusal};
use crate::token::table::Tokens;
use alloc::vec::Vec;

impl Tokens {
    /// The registration of the same device that must give way to one that has just come, when there are too
    /// many that were never verified: see [`gives_way`]. The caller removes it.
    #[must_use]
    pub fn displaced_by(&self, now: Now, index: TokenIndex) -> Option<TokenIndex> {
        let newcomer = self.get(index)?;
        self.gives_way(now, newcomer.device, newcomer.origin, Some(index))
            .ok()
            .flatten()
            .map(|place| place.holder)
    }

    /// Whether a registration for this device token may come, or move there: see [`TokenRefusal::Crowded`].
    ///
    /// # Errors
    ///
    /// That.
    pub fn has_place(
        &self,
        now: Now,
        device: &DeviceToken,
        origin: Origin,
        moving: Option<TokenIndex>,
    ) -> Result<(), TokenRefusal> {
        let Some(device) = self.find_device(device) else { return Ok(()) };
        self.gives_way(now, device, origin, moving).map(drop)
    }

    fn gives_way(
        &self,
        now: Now,
        device: DeviceIndex,
        origin: Origin,
        newcomer: Option<TokenIndex>,
    ) -> Result<Option<Place<TokenIndex>>, TokenRefusal> {
        let Some(device) = self.devices.get(device.0) else { return Ok(None) };
        let others = device.registrations.as_slice().iter().filter(|other| Some(**other) != newcomer);
        let others: Vec<_> = others.filter_map(|other| self.place(*other)).collect();
        gives_way(&others, origin, now.mono, &self.limits).map_err(|_| TokenRefusal::Crowded)
    }

    /// The place of a registration, unless it has proved itself.
    fn place(&self, index: TokenIndex) -> Option<Place<TokenIndex>> {
        let token = self.get(index).filter(|token| token.verified_in.is_none())?;
        Some(Place { holder: index, origin: token.origin, since: token.placed })
    }

    /// Since when a newcomer has its place: whoever asks again and again does not keep it for longer.
    pub(super) fn placed(
        &self,
        now: Now,
        device: DeviceIndex,
        origin: Origin,
        newcomer: Option<TokenIndex>,
    ) -> Mono {
        let former = self.gives_way(now, device, origin, newcomer).ok().flatten();
        former.filter(|place| place.origin == origin).map_or(now.mono, |place| place.since)
    }
}
