//! How pushes are signed and where they go.

use ntf_core::model::token::Provider;
use ntf_core::push::Config;

use crate::http2::{Endpoint, ProviderConfig, Providers, Roots, read_key_file};
use crate::program::announce::sentence;
use crate::program::config::push::AppleKeys;
use crate::program::failure::Failure;
use crate::rt::spawn;

/// Settings of a push server and of what carries its requests.
pub(crate) struct Apple {
    pub(crate) push: Config,
    pub(crate) providers: ProviderConfig,
}

impl Apple {
    /// What the keys of a file say.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or an endpoint is none.
    pub(crate) fn of(keys: &AppleKeys) -> Result<Self, Failure> {
        let mut push = Config {
            topic: keys.topic.clone(),
            allow_test_provider: keys.test_url.is_some(),
            ..Config::default()
        };
        match &keys.key {
            Some(file) => {
                push.key = Some(read_key_file(file).map_err(|fault| Failure::failed(sentence(&fault)))?);
                push.key_id.clone_from(&keys.key_id);
                push.team_id.clone_from(&keys.team_id);
            }
            None => eprintln!(
                "No signing key of Apple's given (--apns-key, or key in [apns]): only device tokens of the null provider are served; all other pushes are refused."
            ),
        }
        let mut providers = ProviderConfig::default();
        if let Some(url) = &keys.test_url {
            let endpoint = Endpoint::parse(url).map_err(|fault| Failure::usage(sentence(&fault)))?;
            providers.endpoint_overrides.insert(Provider::ApnsTest, endpoint);
        }
        if let Some(file) = &keys.test_ca {
            providers.roots = Roots::File(file.clone());
        }
        Ok(Self { push, providers })
    }

    /// What carries requests.
    ///
    /// # Errors
    ///
    /// When there are no certificates to trust.
    pub(crate) fn providers(&self) -> Result<Providers, Failure> {
        Providers::new(&self.providers).map_err(|fault| Failure::failed(sentence(&fault)))
    }
}

/// Has an endpoint that cannot be used told now, by a warning, and not at the first push.
pub(crate) fn check_test_endpoint(keys: &AppleKeys, providers: Providers) {
    if keys.test_url.is_some() {
        spawn(async move { providers.check(Provider::ApnsTest).await.is_ok() });
    }
}
