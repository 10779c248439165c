//! Embeds a small SMP server.

use std::error::Error;

use ntf_core::model::server::Protocol;
use ntf_core::smp::server::{Config, Server};
use ntf_core::wire::text::address;
use ntf_runtime_smol::clock::Clock;
use ntf_runtime_smol::identity::Identity;
use ntf_runtime_smol::service::{os_seed, run_smp_server};

fn main() -> Result<(), Box<dyn Error>> {
    smol::block_on(async {
        let (clock, identity) = (Clock::start(), Identity::make("localhost", Protocol::Smp)?);
        let role = Server::new(Config::new(identity.credentials()), os_seed()?, clock.now());
        let endpoint = identity.endpoint(Protocol::Smp)?;
        let mut server = run_smp_server(role, clock, "127.0.0.1:5223".parse()?, endpoint).await?;
        let listening = server.address().ok_or("it listens")?;
        println!("{}", address::server(&identity.address("localhost", listening)?, Protocol::Smp));
        server.ended().await;
        Ok(())
    })
}
