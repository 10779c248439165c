//! What a run on the stage begins with.

use crate::delivery::policy::PushPolicy;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a run begins with. The same options and deeds give the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Everything random comes from it.
    pub seed: u64,
    /// Where subscriber and push server run.
    pub shape: Shape,
    /// How the phones with pushes learn of messages.
    pub policy: Policy,
    /// Whether phones seal their device tokens to the push server. Only with [`Shape::Split`].
    pub sealed: bool,
    /// The network that the phones are on.
    pub network: Network,
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, shape: Shape::Split, policy: Policy::Mutable, sealed: false, network: Network::Wifi }
    }
}

/// Options that contradict each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedWithinOneProcess;

impl fmt::Display for SealedWithinOneProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "device tokens are sealed to a push server of its own: with subscriber and push server in one process \
             there is nobody to seal them from",
        )
    }
}

impl core::error::Error for SealedWithinOneProcess {}

impl Options {
    /// Whether there is such a stage.
    ///
    /// # Errors
    ///
    /// When they ask for sealed tokens within one process.
    pub const fn check(&self) -> Result<(), SealedWithinOneProcess> {
        match (self.sealed, self.shape) {
            (true, Shape::Single) => Err(SealedWithinOneProcess),
            (true, Shape::Split) | (false, Shape::Split | Shape::Single) => Ok(()),
        }
    }
}

/// Where subscriber and push server run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// As two processes with a relay link between them.
    Split,
    /// In one process.
    Single,
}

/// How the phones with pushes learn of messages; see [`PushPolicy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// [`PushPolicy::Mutable`].
    Mutable,
    /// [`PushPolicy::HiddenThenVisible`].
    HiddenThenVisible,
    /// [`PushPolicy::VisibleOnly`].
    VisibleOnly,
}

impl Policy {
    /// The policy as the subscriber knows it.
    #[must_use]
    pub const fn to_model(self) -> PushPolicy {
        match self {
            Self::Mutable => PushPolicy::Mutable,
            Self::HiddenThenVisible => PushPolicy::HiddenThenVisible,
            Self::VisibleOnly => PushPolicy::VisibleOnly,
        }
    }
}

/// What the phones' network does to silent connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Network {
    /// A router at home: they are kept for 5 to 20 minutes.
    Wifi,
    /// A carrier: they are kept for 45 to 60 seconds.
    Carrier,
}

/// Why a deed makes no sense now, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonsense(pub String);

impl fmt::Display for Nonsense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Nonsense {}
