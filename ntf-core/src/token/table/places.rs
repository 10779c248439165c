//! Who gives way to whom among the registrations of one device token that were never verified.
//!
//! Anybody can ask for any device token, so places are few, and whose they are cannot be known before a code is
//! echoed. Source addresses stand for people here: whoever has more places than others loses one of their own, and
//! whoever has one keeps it for as long as an answer takes.

use crate::base::time::{Mono, Now};
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::DeviceToken;
use crate::token::registration::{Origin, Token, TokenRefusal};
use crate::token::table::Tokens;
use alloc::vec::Vec;
use core::cmp::Reverse;

impl Tokens {
    /// The registration of the same device that must give way to one that has just come, when there are too
    /// many that were never verified. The caller removes it.
    ///
    /// It is one of the same origin, or else of the origin that has the most, and of those the oldest: whoever
    /// repeats TNEW for the device token of others displaces what is their own. Where each is of another origin, it
    /// is the oldest that has had the time to answer.
    #[must_use]
    pub fn displaced_by(&self, now: Now, index: TokenIndex) -> Option<TokenIndex> {
        let newcomer = self.get(index)?;
        self.gives_way(now, newcomer.device, newcomer.origin, Some(index)).ok().flatten()
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
    ) -> Result<Option<TokenIndex>, TokenRefusal> {
        let Some(device) = self.devices.get(device.0) else { return Ok(None) };
        let others = device.registrations.iter().filter(|other| Some(**other) != newcomer);
        let others: Vec<(TokenIndex, &Token)> = others
            .filter_map(|other| Some((*other, self.get(*other).filter(|token| token.verified_in.is_none())?)))
            .collect();
        if others.len() < self.limits.unverified_per_device {
            return Ok(None);
        }
        let of = |origin| others.iter().filter(|(_, token)| token.origin == origin).count();
        let weight = |token: &Token| (token.origin == origin, of(token.origin));
        let heaviest =
            others.iter().enumerate().max_by_key(|(age, (_, token))| (weight(token), Reverse(*age)));
        let Some((_, (index, token))) = heaviest else { return Ok(None) };
        if token.origin == origin || of(token.origin) > 1 {
            return Ok(Some(*index));
        }
        let had_its_time = |token: &Token| token.placed + self.limits.answer_time <= now.mono;
        let oldest = others.iter().find(|(_, token)| had_its_time(token));
        oldest.map(|(index, _)| Some(*index)).ok_or(TokenRefusal::Crowded)
    }

    /// Since when a newcomer has its place: whoever asks again and again does not keep it for longer.
    pub(super) fn placed(
        &self,
        now: Now,
        device: DeviceIndex,
        origin: Origin,
        newcomer: Option<TokenIndex>,
    ) -> Mono {
        let gives_way = self.gives_way(now, device, origin, newcomer).ok().flatten();
        let former = gives_way.and_then(|index| self.get(index)).filter(|token| token.origin == origin);
        former.map_or(now.mono, |token| token.placed)
    }
}
