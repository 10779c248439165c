//! Who gives way to whom among the registrations of one device token that were never verified.
//!
//! Anybody can ask for any device token, so places are few, and whose they are cannot be known before a code is
//! echoed. Source addresses stand for people here: whoever has more places than others loses one of their own, and
//! whoever has one keeps it for as long as an answer takes.

use crate::base::time::Mono;
use crate::token::limits::TokenLimits;
use crate::token::registration::Origin;
use core::cmp::Reverse;

/// A registration that was never verified, whatever names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<T> {
    /// Whose it is.
    pub holder: T,
    /// Where it was asked for.
    pub origin: Origin,
    /// Since when it, or what it took the place of, has one.
    pub since: Mono,
}

/// All places are taken, each by another origin, and nobody has had the time to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// Who of the others, oldest first, has to go for a newcomer; nobody while there is room.
///
/// It is one of the newcomer's origin, or else of the origin that has the most, and of those the oldest: whoever
/// repeats TNEW for the device token of others displaces what is their own. Where each is of another origin, it is
/// the oldest that has had its [`answer_time`](TokenLimits::answer_time).
///
/// # Errors
///
/// [`Crowded`].
pub fn gives_way<T: Copy>(
    others: &[Place<T>],
    newcomer: Origin,
    now: Mono,
    limits: &TokenLimits,
) -> Result<Option<Place<T>>, Crowded> {
    if others.len() < limits.unverified_per_device {
        return Ok(None);
    }
    let of = |origin| others.iter().filter(|place| place.origin == origin).count();
    let weight = |place: &Place<T>| (place.origin == newcomer, of(place.origin));
    let Some((_, heaviest)) =
        others.iter().enumerate().max_by_key(|(age, place)| (weight(place), Reverse(*age)))
    else {
        return Ok(None);
    };
    if heaviest.origin == newcomer || of(heaviest.origin) > 1 {
        return Ok(Some(*heaviest));
    }
    let has_had_its_time = |place: &&Place<T>| place.since + limits.answer_time <= now;
    others.iter().find(has_had_its_time).map(|place| Some(*place)).ok_or(Crowded)
}
