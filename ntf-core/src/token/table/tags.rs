//! Which sealed device tokens are of one device, as far as the push server has said so.

use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::token::DeviceTag;
use crate::token::table::Tokens;
use alloc::collections::{BTreeMap, BTreeSet};

/// What the push server calls devices. At most one entry for each row of the table of device tokens.
#[derive(Debug, Default)]
pub(super) struct Tags {
    by_device: BTreeMap<DeviceIndex, DeviceTag>,
    by_tag: BTreeMap<DeviceTag, BTreeSet<DeviceIndex>>,
}

/// Whether a name was news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recognised {
    /// It was not known of this device token, or another one was.
    First,
    /// It was known.
    Before,
}

impl Tags {
    /// All device tokens called as this one is, itself included; none when it has no name.
    pub(super) fn alike(&self, device: DeviceIndex) -> impl Iterator<Item = DeviceIndex> {
        let alike = self.by_device.get(&device).and_then(|tag| self.by_tag.get(tag));
        alike.into_iter().flatten().copied()
    }

    /// All device tokens called so.
    pub(super) fn of(&self, tag: DeviceTag) -> impl Iterator<Item = DeviceIndex> {
        self.by_tag.get(&tag).into_iter().flatten().copied()
    }

    pub(super) fn forget(&mut self, device: DeviceIndex) {
        if let Some(tag) = self.by_device.remove(&device) {
            let alike = self.by_tag.get_mut(&tag);
            if alike.is_some_and(|alike| alike.remove(&device) && alike.is_empty()) {
                self.by_tag.remove(&tag);
            }
        }
    }

    fn note(&mut self, device: DeviceIndex, tag: DeviceTag) -> Recognised {
        if self.by_device.get(&device) == Some(&tag) {
            return Recognised::Before;
        }
        self.forget(device);
        self.by_device.insert(device, tag);
        self.by_tag.entry(tag).or_default().insert(device);
        Recognised::First
    }
}

impl Tokens {
    /// What the push server calls the device of a registration, if it has said so.
    #[must_use]
    pub fn tag(&self, index: TokenIndex) -> Option<DeviceTag> {
        self.tags.by_device.get(&self.get(index)?.device).copied()
    }

    /// Notes what the push server calls the device of a registration. A push server that changed its key
    /// gives other names; the latest counts.
    pub fn recognise(&mut self, index: TokenIndex, tag: DeviceTag) -> Recognised {
        match self.get(index).map(|token| token.device) {
            Some(device) => self.tags.note(device, tag),
            None => Recognised::Before,
        }
    }
}
