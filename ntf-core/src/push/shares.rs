//! What each device may still be sent: budgets of hidden pushes over the orders of all subscribers.
//!
//! Devices are held as keyed hashes of their tokens, for as long as their budgets have not rested.

use crate::base::budget::{Admit, Budgets};
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::model::push::PushKind;
use crate::model::token::DeviceToken;
use crate::push::Config;
use crate::push::limited::Limited;

/// The budgets of all devices.
pub(super) struct Shares {
    hash: HashKey,
    hidden: Budgets,
    verification: Budgets,
    limited: Limited,
}

/// One use of a budget that is on the books.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    of: Of,
    device: u64,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    Hidden,
    Verification,
}

impl Shares {
    pub(super) fn new(config: &Config, hashing: &mut Rng) -> Self {
        Self {
            hash: HashKey::new(hashing),
            hidden: Budgets::new(config.hidden_pushes, config.devices_paced_max),
            verification: Budgets::new(config.verification_pushes, config.devices_paced_max),
            limited: Limited::new(config.devices_paced_max),
        }
    }

    /// What a device is called in here.
    pub(super) fn name(&self, device: &DeviceToken) -> u64 {
        self.hash.of(device)
    }

    /// The provider wants a device to be left alone until then.
    pub(super) fn limit(&mut self, device: u64, until: Mono) {
        self.limited.hold(device, until);
    }

    /// Until when the provider wants a device to be left alone, if it does.
    pub(super) fn limited_until(&mut self, now: Mono, device: u64) -> Option<Mono> {
        self.limited.until(now, device)
    }

    /// Devices that are left alone.
    pub(super) fn limited(&self) -> usize {
        self.limited.len()
    }

    /// Books a push to a device. `Ok(None)` for one that everybody sees, which nobody counts.
    ///
    /// # Errors
    ///
    /// When the device may have the next push of this kind.
    pub(super) fn take(&mut self, now: Mono, kind: PushKind, device: u64) -> Result<Option<Share>, Mono> {
        let of = match kind {
            PushKind::Hidden | PushKind::CheckMessages => Of::Hidden,
            PushKind::Verification => Of::Verification,
            PushKind::Message | PushKind::Alert => return Ok(None),
        };
        match self.budgets(of).admit(now, device) {
            Admit::Now => Ok(Some(Share { of, device })),
            Admit::Later(at) => Err(at),
        }
    }

    /// Takes a push off the books.
    pub(super) fn give_back(&mut self, now: Mono, share: Share) {
        self.budgets(share.of).refund(now, share.device);
    }

    /// Budgets held.
    pub(super) fn len(&self) -> usize {
        self.hidden.len() + self.verification.len()
    }

    pub(super) fn clear(&mut self) {
        self.hidden.clear();
        self.verification.clear();
        self.limited.clear();
    }

    const fn budgets(&mut self, of: Of) -> &mut Budgets {
        match of {
            Of::Hidden => &mut self.hidden,
            Of::Verification => &mut self.verification,
        }
    }
}
