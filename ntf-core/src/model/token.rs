//! Device tokens and the states of their registration.

use alloc::boxed::Box;
use core::fmt;

/// Who delivers pushes for a device token. Source: `ntf-protocol` 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provider {
    /// Apple's sandbox, `AD`.
    ApnsDev,
    /// Apple's production service, also TestFlight, `AP`.
    ApnsProd,
    /// A stand-in for Apple, `AT`; refused unless the configuration names its address.
    ApnsTest,
    /// Nobody: every push succeeds without leaving the process, `AN`.
    ApnsNull,
    /// A push server: the token is sealed to its key, and says inside who delivers; see
    /// [`crate::relay::sealed_token`]. `SL`, ours: no server of the reference knows it.
    Sealed,
}

/// A provider's name of one app on one device: the only identity in the system.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceToken {
    /// Who understands the token.
    pub provider: Provider,
    /// The token as it goes into the provider's request path: 1 to 255 bytes of ASCII. A sealed one is 255
    /// bytes of any kind.
    pub token: Box<[u8]>,
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceToken({:?}, redacted)", self.provider)
    }
}

impl Drop for DeviceToken {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.token);
    }
}

/// What a push server calls a device towards one subscriber: the same for every sealed token of the same
/// device, another towards another subscriber, and no way back to the device token.
///
/// Source: `docs/protocol/sealed-tokens.md`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceTag(pub [u8; DEVICE_TAG_LEN]);

/// Bytes of a sealed device token: as many as the protocol's field for device tokens holds, so that all are
/// of one size. Source: `docs/protocol/sealed-tokens.md`.
pub const SEALED_TOKEN_LEN: usize = 255;

/// Bytes of a [`DeviceTag`].
pub const DEVICE_TAG_LEN: usize = 16;

impl fmt::Debug for DeviceTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceTag(redacted)")
    }
}

/// What a provider said of a token it no longer accepts. Source: `ntf-protocol` 2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidReason {
    /// The token is no token of this environment.
    Bad,
    /// The token belongs to another app.
    Topic,
    /// The token has expired.
    Expired,
    /// The app was removed from the device.
    Unregistered,
}

/// A token's status as the protocol names it. Source: `ntf-protocol` 2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TokenStatus {
    /// Only a client says this: not registered yet.
    New,
    /// Registered; the verification push is on its way.
    Registered,
    /// The provider rejected the token, perhaps for a reason it named.
    Invalid(Option<InvalidReason>),
    /// The provider accepted the verification push.
    Confirmed,
    /// The device has proved that it receives our pushes.
    Active,
    /// Forgotten for want of use.
    Expired,
}

impl TokenStatus {
    /// Whether TVFY may succeed. Source: `ntf-protocol` 2.5.
    #[must_use]
    pub const fn allows_verification(self) -> bool {
        matches!(self, Self::Registered | Self::Confirmed | Self::Active)
    }

    /// Whether SNEW, SCHK and SDEL may succeed. Source: `ntf-protocol` 2.5.
    #[must_use]
    pub const fn allows_subscription_commands(self) -> bool {
        matches!(self, Self::Active | Self::Invalid(_) | Self::Expired)
    }
}
