//! Embeds a notification server, on async-std. See `subscriber_on_smol` for the same on smol.

use std::error::Error;

use ntf_core::model::server::Protocol;
use ntf_core::push::Push;
use ntf_core::subscriber::{Config, Subscriber};
use ntf_core::wire::text::address;
use ntf_runtime_smol::clock::Clock;
use ntf_runtime_smol::http2::{ProviderConfig, Providers};
use ntf_runtime_smol::identity::Identity;
use ntf_runtime_smol::service::{os_seed, run_server};

fn main() -> Result<(), Box<dyn Error>> {
    async_std::task::block_on(async {
        let (clock, identity) = (Clock::start(), Identity::make("localhost", Protocol::Ntf)?);
        let role = Subscriber::new(Config::new(identity.credentials()), os_seed()?, clock.now());
        let push = Push::new(ntf_core::push::Config::default(), os_seed()?, clock.now());
        let providers = Providers::new(&ProviderConfig::default())?;
        let (listen, endpoint) = ("127.0.0.1:5443".parse()?, identity.endpoint(Protocol::Ntf)?);
        let milestone = |step| println!("{step:?}");
        let mut both = run_server(role, push, clock, listen, endpoint, providers, milestone).await?;
        let listening = both.subscriber.address().ok_or("it listens")?;
        println!("{}", address::server(&identity.address("localhost", listening)?, Protocol::Ntf));
        both.subscriber.ended().await;
        Ok(())
    })
}
