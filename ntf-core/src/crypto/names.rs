//! Names that are encrypted places: ids that tell a stranger nothing, and that a table need not keep.
//!
//! A table of millions would keep 24 random bytes for each row, and an index to find the row by them. Here the id is the
//! row's place, encrypted and authenticated with a key that no one else has, so that it can be made and read again at
//! any time. It looks random, no two places have the same, and a made-up id is a place with a chance of 2⁻¹²⁰ only.
//!
//! ```text
//! id = tag (16 bytes) || place xor PRF(mask key, tag)[0..8]        tag = PRF(tag key, place || 0)[0..16]
//! ```
//!
//! The first byte of the tag is brought to one of the shard. That is the SIV construction (RFC 5297: the tag is the
//! nonce of what it authenticates) with HSalsa20 for its pseudorandom functions, one call for each. A place is
//! a slot and its generation and so never comes again; two tags meet after 2⁶⁰ places, and only then
//! would two masks be the same.

use salsa20::cipher::consts::U10;
use subtle::ConstantTimeEq as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::base::id::ID_LEN;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::model::shard::ShardPlan;

const TAG: usize = 16;
const PLACE: usize = 8;

/// The key of one table's names.
#[derive(Debug)]
pub struct NameKey {
    tag: Secret<32>,
    mask: Secret<32>,
    plan: ShardPlan,
}

impl NameKey {
    /// A fresh key for names of this shard.
    #[must_use]
    pub fn new(plan: ShardPlan, rng: &mut Rng) -> Self {
        Self { tag: Secret::new(rng.bytes()), mask: Secret::new(rng.bytes()), plan }
    }

    /// The name of a place.
    #[must_use]
    pub fn name(&self, place: u64) -> [u8; ID_LEN] {
        let place = place.to_le_bytes();
        let mut tag: [u8; TAG] = resized(prf(&self.tag, resized(&place)).as_slice());
        let [mark, ..] = &mut tag;
        *mark = self.plan.marked(*mark);
        let masked = self.mask(&tag, place);
        let mut name = [0; ID_LEN];
        for (to, from) in name.iter_mut().zip(tag.into_iter().chain(masked)) {
            *to = from;
        }
        name
    }

    /// The place with this name; nothing when the name was not made with this key. Takes the same time for all.
    #[must_use]
    pub fn place(&self, name: &[u8; ID_LEN]) -> Option<u64> {
        let (tag, masked) = name.split_first_chunk::<TAG>()?;
        let place = u64::from_le_bytes(self.mask(tag, masked.try_into().ok()?));
        bool::from(self.name(place).ct_eq(name)).then_some(place)
    }

    /// Takes another key: no name from before is a place any more.
    pub fn renew(&mut self) {
        for key in [&mut self.tag, &mut self.mask] {
            *key = Secret::new(*prf(key, [0xff; TAG]));
        }
    }

    /// Masks a place, or takes its mask away.
    fn mask(&self, tag: &[u8; TAG], mut place: [u8; PLACE]) -> [u8; PLACE] {
        for (byte, mask) in place.iter_mut().zip(prf(&self.mask, *tag).as_slice()) {
            *byte ^= mask;
        }
        place
    }
}

/// HSalsa20: a pseudorandom function of 16 bytes. Source: Bernstein, "Extending the Salsa20 nonce", 2011, theorem 3.1.
fn prf(key: &Secret<32>, input: [u8; TAG]) -> Zeroizing<[u8; 32]> {
    let mut subkey = salsa20::hsalsa::<U10>(key.expose().into(), &input.into());
    let out = Zeroizing::new(subkey.into());
    subkey.zeroize();
    out
}

/// The first `N` bytes; zeros where there are fewer.
fn resized<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut part = [0; N];
    for (to, from) in part.iter_mut().zip(bytes) {
        *to = *from;
    }
    part
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::base::rng::{Seed, Stream};
    use alloc::collections::BTreeSet;
    use core::num::NonZeroU8;

    fn key(number: u64, plan: ShardPlan) -> NameKey {
        NameKey::new(plan, &mut Seed::from_number(number).stream(Stream::Names))
    }

    #[test]
    fn a_name_leads_back_to_its_place_and_tells_its_shard() {
        for count in [1, 2, 3, 255] {
            for plan in ShardPlan::all(NonZeroU8::new(count).unwrap()) {
                let key = key(1, plan);
                for place in [0, 1, 2, u64::from(u32::MAX), 1 << 32, u64::MAX] {
                    let name = key.name(place);
                    assert_eq!(key.place(&name), Some(place), "{place} for {plan:?}");
                    assert_eq!(plan.of_name(&name), plan.own(), "{place} for {plan:?}");
                }
            }
        }
    }

    #[test]
    fn every_byte_of_a_name_counts() {
        let key = key(1, ShardPlan::ALONE);
        let name = key.name(7);
        for bit in 0..ID_LEN * 8 {
            let mut other = name;
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.place(&other), None, "bit {bit}");
        }
    }

    #[test]
    fn names_of_neighbours_have_nothing_in_common() {
        let key = key(1, ShardPlan::ALONE);
        let names: BTreeSet<_> = (0..4096).map(|place| key.name(place)).collect();
        assert_eq!(names.len(), 4096);
        // Each bit is set in about half of them: 2048, with a standard deviation of 32.
        for bit in 0..ID_LEN * 8 {
            let set = names.iter().filter(|name| name[bit / 8] >> (bit % 8) & 1 == 1).count();
            assert!((1856..=2240).contains(&set), "bit {bit} is set in {set} of 4096");
        }
    }

    #[test]
    fn names_of_another_key_are_no_places() {
        let mut key = key(1, ShardPlan::ALONE);
        let name = key.name(7);
        assert_eq!(self::key(2, ShardPlan::ALONE).place(&name), None);
        key.renew();
        assert_eq!(key.place(&name), None);
        assert_ne!(key.name(7), name);
        assert_eq!(key.place(&key.name(7)), Some(7));
    }
}
