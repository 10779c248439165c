//! A stand-in with a provider key of its own, and the settings by which a push server uses it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use ntf_core::crypto::es256::Es256Key;
use ntf_core::model::token::Provider;
use ntf_core::push::Config as PushConfig;
use zeroize::Zeroizing;

use crate::http2::{Endpoint, ProviderConfig, Roots};
use crate::standin::{StandIn, StandInConfig, StandInFault, make_provider_key};

/// Ids in the form of Apple's: ten characters.
const KEY_ID: &str = "STANDINKEY";
const TEAM_ID: &str = "STANDINORG";

/// A running stand-in that accepts one freshly made key. Device tokens of provider `AT` belong to it.
#[derive(Debug)]
pub struct Trial {
    stand_in: StandIn,
    key_pem: Zeroizing<String>,
    key: Es256Key,
    topic: String,
}

/// Why a stand-in for trying things out did not start.
#[derive(Debug)]
pub enum TrialFault {
    /// No key could be made: the system gave no randomness.
    Key,
    /// The stand-in itself.
    StandIn(StandInFault),
}

impl fmt::Display for TrialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("no signing key could be made: the system gave no randomness"),
            Self::StandIn(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for TrialFault {}

impl Trial {
    /// Makes a key and starts a stand-in that listens at `listen` and knows the app `topic`.
    ///
    /// # Errors
    ///
    /// The address is in use or not ours, or the system gives no randomness.
    pub async fn start(listen: SocketAddr, topic: &str) -> Result<Self, TrialFault> {
        let key_pem = make_provider_key().map_err(|_| TrialFault::Key)?;
        let key = Es256Key::from_pkcs8_pem(&key_pem).map_err(|_| TrialFault::Key)?;
        let config =
            StandInConfig { listen, ..StandInConfig::new(topic, TEAM_ID, KEY_ID, key.public_point()) };
        let stand_in = StandIn::start(config).await.map_err(TrialFault::StandIn)?;
        Ok(Self { stand_in, key_pem, key, topic: topic.to_owned() })
    }

    /// The stand-in.
    #[must_use]
    pub const fn stand_in(&self) -> &StandIn {
        &self.stand_in
    }

    /// The signing key, PKCS#8 in PEM, as Apple would hand it out.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// The id of the key.
    #[must_use]
    pub const fn key_id(&self) -> &'static str {
        KEY_ID
    }

    /// The id of the team that owns the key.
    #[must_use]
    pub const fn team_id(&self) -> &'static str {
        TEAM_ID
    }

    /// Settings of a push server that signs with the key.
    #[must_use]
    pub fn push_config(&self) -> PushConfig {
        PushConfig {
            topic: self.topic.clone(),
            team_id: TEAM_ID.to_owned(),
            key_id: KEY_ID.to_owned(),
            key: Some(self.key.clone()),
            allow_test_provider: true,
            ..PushConfig::default()
        }
    }

    /// Settings of an adapter that reaches the stand-in and trusts nobody else.
    ///
    /// # Errors
    ///
    /// None in practice: the stand-in's address is well formed.
    pub fn provider_config(&self) -> Result<ProviderConfig, crate::http2::SetUpFault> {
        let endpoint = Endpoint::parse(&self.stand_in.endpoint())?;
        Ok(ProviderConfig {
            endpoint_overrides: BTreeMap::from([(Provider::ApnsTest, endpoint)]),
            roots: Roots::Pem(self.stand_in.ca_pem().to_owned()),
            ..ProviderConfig::default()
        })
    }

    /// Closes the listener and all connections, and waits until they are closed.
    pub async fn stop(self) {
        self.stand_in.stop().await;
    }
}
