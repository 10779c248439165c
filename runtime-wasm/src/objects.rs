//! Options and deeds as a page writes them.

use ntf_core::sim::stage::{Deed, Network, Options, Party, Policy, Shape};
use serde::{Deserialize, Serialize};

/// Options with the seed as text: a JavaScript number has 53 bits.
#[derive(Debug, Serialize, Deserialize)]
pub struct OptionsObject {
    seed: String,
    shape: Shape,
    policy: Policy,
    sealed: bool,
    network: Network,
}

impl OptionsObject {
    /// The options, if the seed is a number.
    #[must_use]
    pub fn read(&self) -> Option<Options> {
        let Self { seed, shape, policy, sealed, network } = self;
        let seed = seed.parse().ok()?;
        Some(Options { seed, shape: *shape, policy: *policy, sealed: *sealed, network: *network })
    }
}

impl From<Options> for OptionsObject {
    fn from(options: Options) -> Self {
        let Options { seed, shape, policy, sealed, network } = options;
        Self { seed: seed.to_string(), shape, policy, sealed, network }
    }
}

/// A deed with its name in the field `do`.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is a deed of the same name")]
pub enum DeedObject {
    Send { device: Party, text: String },
    Autoplay { on: bool },
    Kill { party: Party },
    Start { party: Party },
    Cut { a: Party, b: Party },
    Mend { a: Party, b: Party },
    Slow { a: Party, b: Party, ms: u32 },
    DropPushes { on: bool },
    RefuseToken { device: Party },
    Flood { device: Party },
    Hostile { on: bool },
    OpenApp { device: Party },
    Network { network: Network },
}

impl From<DeedObject> for Deed {
    fn from(object: DeedObject) -> Self {
        match object {
            DeedObject::Send { device, text } => Self::Send { device, text },
            DeedObject::Autoplay { on } => Self::Autoplay(on),
            DeedObject::Kill { party } => Self::Kill(party),
            DeedObject::Start { party } => Self::Start(party),
            DeedObject::Cut { a, b } => Self::Cut(a, b),
            DeedObject::Mend { a, b } => Self::Mend(a, b),
            DeedObject::Slow { a, b, ms } => Self::Slow(a, b, ms),
            DeedObject::DropPushes { on } => Self::DropPushes(on),
            DeedObject::RefuseToken { device } => Self::RefuseToken(device),
            DeedObject::Flood { device } => Self::Flood(device),
            DeedObject::Hostile { on } => Self::Hostile(on),
            DeedObject::OpenApp { device } => Self::OpenApp(device),
            DeedObject::Network { network } => Self::Network(network),
        }
    }
}
