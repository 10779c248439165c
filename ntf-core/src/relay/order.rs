//! Orders and outcomes of the model as the link carries them, and back.

use core::time::Duration;

use crate::model::push::{CollapseId, PushId, PushOrder, PushPayload, PushResult, Sealed};
use crate::model::token::{self, DeviceTag, DeviceToken};
use crate::relay::frame::{Answer, Device, InvalidReason, Order, Payload, Provider, Refusal};

/// Longest pause that a push server may ask for. Source: ours; notices wait that long at most.
const AFTER_MAX: Duration = Duration::from_secs(3600);

impl<'a> Order<'a> {
    /// An order of the model, under a number of the link.
    #[must_use]
    pub fn of(request: u64, order: &'a PushOrder) -> Self {
        Self { request, device: Device::of(&order.device), payload: Payload::of(&order.payload) }
    }
}

impl<'a> Device<'a> {
    fn of(device: &'a DeviceToken) -> Self {
        let provider = match device.provider {
            token::Provider::ApnsDev => Provider::ApnsDev,
            token::Provider::ApnsProd => Provider::ApnsProd,
            token::Provider::ApnsTest => Provider::ApnsTest,
            token::Provider::ApnsNull => Provider::ApnsNull,
            token::Provider::Sealed => return Self::Sealed(&device.token),
        };
        Self::Plain { provider, token: &device.token }
    }
}

impl Provider {
    /// The provider as the model names it.
    #[must_use]
    pub const fn to_model(self) -> token::Provider {
        match self {
            Self::ApnsDev => token::Provider::ApnsDev,
            Self::ApnsProd => token::Provider::ApnsProd,
            Self::ApnsTest => token::Provider::ApnsTest,
            Self::ApnsNull => token::Provider::ApnsNull,
        }
    }
}

impl<'a> Payload<'a> {
    fn of(payload: &'a PushPayload) -> Self {
        match payload {
            PushPayload::Verification(sealed) => {
                Self::Verification { nonce: sealed.nonce, ciphertext: &sealed.ciphertext }
            }
            PushPayload::Message(sealed) => {
                Self::Message { nonce: sealed.nonce, ciphertext: &sealed.ciphertext }
            }
            PushPayload::CheckMessages => Self::CheckMessages,
            PushPayload::Hidden(sealed) => {
                Self::Hidden { nonce: sealed.nonce, ciphertext: &sealed.ciphertext }
            }
            PushPayload::Alert(collapse) => Self::Alert { collapse: collapse.0 },
        }
    }

    /// The payload as a value to keep.
    #[must_use]
    pub fn to_model(self) -> PushPayload {
        let sealed = |nonce, ciphertext: &[u8]| Sealed { nonce, ciphertext: ciphertext.into() };
        match self {
            Self::Verification { nonce, ciphertext } => PushPayload::Verification(sealed(nonce, ciphertext)),
            Self::Message { nonce, ciphertext } => PushPayload::Message(sealed(nonce, ciphertext)),
            Self::CheckMessages => PushPayload::CheckMessages,
            Self::Hidden { nonce, ciphertext } => PushPayload::Hidden(sealed(nonce, ciphertext)),
            Self::Alert { collapse } => PushPayload::Alert(CollapseId(collapse)),
        }
    }
}

impl Answer {
    /// What the push server's end says for a result of its role.
    #[must_use]
    pub fn of(result: PushResult, device: Option<DeviceTag>) -> Self {
        match result {
            PushResult::Accepted => Self::Accepted { device: device.map(|tag| tag.0) },
            PushResult::TokenInvalid { reason, since_millis } => {
                let reason = match reason {
                    token::InvalidReason::Bad => InvalidReason::Bad,
                    token::InvalidReason::Topic => InvalidReason::Topic,
                    token::InvalidReason::Expired => InvalidReason::Expired,
                    token::InvalidReason::Unregistered => InvalidReason::Unregistered,
                };
                Self::TokenInvalid { reason, since_millis }
            }
            PushResult::TryLater { after } => Self::TryLater { after_millis: millis(after) },
            PushResult::Throttled { after } => Self::DeviceThrottled { after_millis: millis(after) },
            PushResult::TooLarge => Self::TooLarge,
            PushResult::Refused => Self::Refused(Refusal::Provider),
        }
    }

    /// What the subscriber's role is told. A pause beyond an hour counts as an hour.
    #[must_use]
    pub fn to_model(self) -> PushResult {
        match self {
            Self::Accepted { .. } => PushResult::Accepted,
            Self::TokenInvalid { reason, since_millis } => {
                let reason = match reason {
                    InvalidReason::Bad => token::InvalidReason::Bad,
                    InvalidReason::Topic => token::InvalidReason::Topic,
                    InvalidReason::Expired => token::InvalidReason::Expired,
                    InvalidReason::Unregistered => token::InvalidReason::Unregistered,
                };
                PushResult::TokenInvalid { reason, since_millis }
            }
            Self::TryLater { after_millis } | Self::Throttled { after_millis } => {
                PushResult::TryLater { after: Duration::from_millis(after_millis).min(AFTER_MAX) }
            }
            Self::DeviceThrottled { after_millis } => {
                PushResult::Throttled { after: Duration::from_millis(after_millis).min(AFTER_MAX) }
            }
            Self::TooLarge => PushResult::TooLarge,
            Self::Refused(Refusal::Provider | Refusal::PlainToken) => PushResult::Refused,
        }
    }

    /// What the device is called at the push server, if it said so.
    #[must_use]
    pub fn device(self) -> Option<DeviceTag> {
        match self {
            Self::Accepted { device } => device.map(DeviceTag),
            Self::TokenInvalid { .. }
            | Self::TryLater { .. }
            | Self::Throttled { .. }
            | Self::DeviceThrottled { .. }
            | Self::TooLarge
            | Self::Refused(_) => None,
        }
    }
}

/// The order of the push server's role, under its own number.
#[must_use]
pub(super) fn push_order(id: PushId, device: DeviceToken, payload: Payload<'_>) -> PushOrder {
    PushOrder { id, device, payload: payload.to_model() }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
