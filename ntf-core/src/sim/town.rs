//! Who takes part in a scenario, and the world they live in.

use crate::base::rng::Seed;
use crate::base::time::Wall;
use crate::client;
use crate::crypto::es256::Es256Key;
use crate::model::server::ServerAddress;
use crate::push;
use crate::sim::scenario::Town;
use crate::sim::world::{Config, NodeId, World};
use crate::smp::server as smp;
use crate::subscriber;
use alloc::format;
use alloc::vec::Vec;

/// Made for simulations, protects nothing.
const KEY_PEM: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGvKODR3TbfWaia0m
uwzkeexYF8FfnRc1De80NaAqn9ChRANCAAR82UAoO5t2YG8LNCwRr5LLcTP0C5sy
CZSbP9lxWL//XptWw7CB1h5p1uomBdvyC2RWFdMlrV8/rMRlRpAVjlKY
-----END PRIVATE KEY-----
";

/// The nodes of a town by what they are.
#[derive(Clone, Debug)]
pub(super) struct Nodes {
    pub(super) provider: NodeId,
    /// Sends every message.
    pub(super) sender: NodeId,
    pub(super) smp: Vec<(NodeId, ServerAddress)>,
    pub(super) subscribers: Vec<(NodeId, ServerAddress)>,
    pub(super) pushes: Vec<NodeId>,
    pub(super) devices: Vec<NodeId>,
}

/// The date at which every scenario begins.
const EPOCH: Wall = Wall::from_secs(1_700_000_000);

/// The host name of an SMP server: what a push must never show.
pub(super) fn smp_host(number: usize) -> alloc::string::String {
    format!("smp{number}.town")
}

/// A push server with a key of its provider.
pub(super) fn push_config() -> push::Config {
    push::Config {
        key: Es256Key::from_pkcs8_pem(KEY_PEM).ok(),
        key_id: "KEYSHARED1".into(),
        allow_test_provider: true,
        ..push::Config::default()
    }
}

/// Builds a town. Nodes come in a fixed order, so that a fault may name them by number.
pub(super) fn build(seed: u64, town: &Town) -> (World, Nodes) {
    let config = Config {
        link_latency: town.link_latency,
        provider_latency: town.provider_latency,
        delivery_latency: town.delivery_latency,
        shards: town.shards,
        epoch: EPOCH,
        ..Config::default()
    };
    let mut world = World::new(Seed::from_number(seed), config);
    let provider = world.add_provider();
    let sender = world.add_client(client::Config::default());
    world.call(sender, "sender");
    let smp = (0..usize::from(town.smp_servers))
        .map(|number| world.add_smp(&smp_host(number), smp::Config::new))
        .collect();
    let mut subscribers = Vec::new();
    let mut pushes = Vec::new();
    for number in 0..town.subscribers {
        let push = world.add_push(provider, push_config());
        pushes.push(push);
        let host = format!("ntf{number}.town");
        subscribers.push(world.add_subscriber(&host, push, |credentials| subscriber::Config {
            allow_test_provider: true,
            use_service_certificates: town.uses_services,
            ..subscriber::Config::new(credentials)
        }));
    }
    let devices = town.devices.iter().map(|_| world.add_client(client::Config::default())).collect();
    (world, Nodes { provider, sender, smp, subscribers, pushes, devices })
}
