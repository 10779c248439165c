//! Who is on the stage, and the world they live in.

use crate::base::reach::Reach;
use crate::base::rng::{Rng, Seed};
use crate::client::{self, DirectPlan};
use crate::crypto::keys::X25519Private;
use crate::link::state::BlockEncryption;
use crate::model::server::ServerAddress;
use crate::model::token::{DeviceToken, Provider};
use crate::push;
use crate::relay::push_end::Limits;
use crate::relay::sealed_token::OpeningKey;
use crate::sim::node::Alerts;
use crate::sim::stage::options::{Options, Shape};
use crate::sim::town::{Nodes, push_config};
use crate::sim::world::{Config, NodeId, World};
use crate::smp::client::SmpPlan;
use crate::smp::server as smp;
use crate::subscriber;
use crate::subscriber::config::SealedTokens;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Somebody on the stage. The order of variants is part of the format of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Party {
    /// Who sends every message.
    Sender,
    /// An SMP server.
    Smp1,
    /// Another one.
    Smp2,
    /// The notifications subscriber.
    Subscriber,
    /// The push server.
    Push,
    /// The provider of pushes.
    Apple,
    /// A phone with pushes.
    DeviceA,
    /// Another one.
    DeviceB,
    /// A phone with direct connections.
    DeviceC,
    /// Somebody who means no good.
    Stranger,
}

impl Party {
    /// Everybody.
    pub const ALL: [Self; 10] = [
        Self::Sender,
        Self::Smp1,
        Self::Smp2,
        Self::Subscriber,
        Self::Push,
        Self::Apple,
        Self::DeviceA,
        Self::DeviceB,
        Self::DeviceC,
        Self::Stranger,
    ];

    /// The phones.
    pub const DEVICES: [Self; 3] = [Self::DeviceA, Self::DeviceB, Self::DeviceC];

    /// What people call it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Sender => "sender",
            Self::Smp1 => "SMP server 1",
            Self::Smp2 => "SMP server 2",
            Self::Subscriber => "subscriber",
            Self::Push => "push server",
            Self::Apple => "Apple",
            Self::DeviceA => "iPhone A",
            Self::DeviceB => "iPhone B",
            Self::DeviceC => "Android C",
            Self::Stranger => "stranger",
        }
    }

    /// The number of a phone.
    pub(super) const fn device(self) -> Option<usize> {
        match self {
            Self::DeviceA => Some(0),
            Self::DeviceB => Some(1),
            Self::DeviceC => Some(2),
            Self::Sender
            | Self::Smp1
            | Self::Smp2
            | Self::Subscriber
            | Self::Push
            | Self::Apple
            | Self::Stranger => None,
        }
    }

    /// The phone of a number.
    pub(super) fn of_device(number: usize) -> Self {
        Self::DEVICES.get(number).copied().unwrap_or(Self::DeviceC)
    }

    /// Whether two parties have anything to do with each other.
    pub(super) const fn talks_to(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Sender, Self::Smp1 | Self::Smp2)
                | (Self::Smp1 | Self::Smp2, Self::Subscriber)
                | (Self::Subscriber, Self::Push)
                | (Self::Push, Self::Apple)
                | (Self::Apple, Self::DeviceA | Self::DeviceB)
                | (Self::Subscriber, Self::DeviceA | Self::DeviceB)
                | (Self::Smp1 | Self::Smp2, Self::DeviceA | Self::DeviceB | Self::DeviceC)
                | (Self::Subscriber, Self::Stranger)
        )
    }
}

/// The number of the phone with direct connections.
pub(super) const DIRECT: usize = 2;

/// Host names: what a push must never show.
pub(super) const SMP_HOSTS: [&str; 2] = ["smp1.example", "smp2.example"];

/// From one check of a device to the next, at most.
///
/// Source: ours; phones check once in three days, and nobody watches a stage for so long.
const CHECKS: Duration = Duration::from_secs(15 * 60);

/// Who is who in the world.
pub(super) struct Cast {
    pub(super) nodes: Nodes,
    /// Both ends of the relay link, the subscriber's first.
    pub(super) relay: Option<(NodeId, NodeId)>,
    pub(super) stranger: NodeId,
    /// What opens sealed device tokens.
    pub(super) opening: Option<OpeningKey>,
}

impl Cast {
    /// Whose node this is.
    pub(super) fn party_of(&self, node: NodeId) -> Option<Party> {
        let nodes = &self.nodes;
        if let Some(number) = nodes.devices.iter().position(|device| *device == node) {
            return Some(Party::of_device(number));
        }
        if let Some(number) = nodes.smp.iter().position(|(smp, _)| *smp == node) {
            return Some(if number == 0 { Party::Smp1 } else { Party::Smp2 });
        }
        let is_subscriber = nodes.subscribers.iter().any(|(subscriber, _)| *subscriber == node);
        let is_end = |end: fn((NodeId, NodeId)) -> NodeId| self.relay.map(end) == Some(node);
        match node {
            _ if is_subscriber || is_end(|(end, _)| end) => Some(Party::Subscriber),
            _ if nodes.pushes.contains(&node) || is_end(|(_, end)| end) => Some(Party::Push),
            _ if node == nodes.provider => Some(Party::Apple),
            _ if node == nodes.sender => Some(Party::Sender),
            _ if node == self.stranger => Some(Party::Stranger),
            _ => None,
        }
    }

    /// The nodes of a party; more than one where a relay link has an end of its own.
    pub(super) fn nodes_of(&self, party: Party) -> Vec<NodeId> {
        let nodes = &self.nodes;
        match party {
            Party::Sender => vec![nodes.sender],
            Party::Smp1 => nodes.smp.first().map(|(node, _)| *node).into_iter().collect(),
            Party::Smp2 => nodes.smp.get(1).map(|(node, _)| *node).into_iter().collect(),
            Party::Subscriber => {
                let role = nodes.subscribers.first().map(|(node, _)| *node);
                role.into_iter().chain(self.relay.map(|(end, _)| end)).collect()
            }
            Party::Push => nodes.pushes.iter().copied().chain(self.relay.map(|(_, end)| end)).collect(),
            Party::Apple => vec![nodes.provider],
            Party::DeviceA | Party::DeviceB | Party::DeviceC => {
                party.device().and_then(|number| nodes.devices.get(number)).copied().into_iter().collect()
            }
            Party::Stranger => vec![self.stranger],
        }
    }

    /// The first node of a party.
    pub(super) fn node_of(&self, party: Party) -> NodeId {
        self.nodes_of(party).first().copied().unwrap_or(self.nodes.provider)
    }

    pub(super) fn device_of(&self, node: NodeId) -> Option<usize> {
        self.nodes.devices.iter().position(|device| *device == node)
    }

    pub(super) fn subscriber(&self) -> (NodeId, Option<&ServerAddress>) {
        let subscriber = self.nodes.subscribers.first();
        (subscriber.map_or(self.nodes.provider, |(node, _)| *node), subscriber.map(|(_, address)| address))
    }
}

/// A device token as Apple makes them: 64 hexadecimal digits.
pub(super) fn fresh_token(rng: &mut Rng) -> DeviceToken {
    let bytes: [u8; 32] = rng.bytes();
    let token: String = bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect();
    DeviceToken { provider: Provider::ApnsTest, token: token.into_bytes().into() }
}

/// Builds the world.
///
/// Blocks are not encrypted once more inside TLS, as the protocol lets a client choose: what passes between two parties
/// is then what both of them read.
pub(super) fn build(options: &Options, rng: &mut Rng) -> (World, Cast) {
    let mut world = World::new(Seed::from_number(options.seed), Config::default());
    let provider = world.add_provider();
    let opening = options.sealed.then(|| OpeningKey::new(X25519Private::generate(rng)));
    let sender = world.add_client(client_config(&None));
    let smp = SMP_HOSTS.iter().map(|host| world.add_smp(host, smp::Config::new)).collect();
    let push = world.add_push(provider, push::Config { devices_counted_max: 16, ..push_config() });
    let subscriber = world.add_subscriber("ntf.example", push, |credentials| {
        let mut config = subscriber::Config::new(credentials);
        config.allow_test_provider = true;
        config.delivery.policy = options.policy.to_model();
        config.smp.encryption = BlockEncryption::Never;
        config.smp.reach = Reach::Anywhere;
        if options.sealed {
            config.sealed_tokens = SealedTokens::Demanded;
        }
        config
    });
    let relay = (options.shape == Shape::Split).then(|| {
        let split = world.split(
            push,
            "push.example",
            &[subscriber.0],
            Limits::default(),
            |config| config.keys = opening.iter().cloned().collect(),
            |_| {},
        );
        let end = split.subscriber_ends.first().copied().unwrap_or(subscriber.0);
        (end, split.push_end)
    });
    let devices: Vec<_> = Party::DEVICES.iter().map(|_| world.add_client(client_config(&opening))).collect();
    for device in &devices {
        world.set_alerts(*device, Alerts::Shown);
    }
    let stranger = world.add_stranger();
    let nodes = Nodes { provider, sender, smp, subscribers: vec![subscriber], pushes: vec![push], devices };
    (world, Cast { nodes, relay, stranger, opening })
}

fn client_config(opening: &Option<OpeningKey>) -> client::Config {
    let usual = client::Config::default();
    client::Config {
        smp: SmpPlan { encryption: BlockEncryption::Never, ..usual.smp },
        direct: DirectPlan::default(),
        seal_to: opening.as_ref().map(|key| *key.public()),
        first_check: CHECKS,
        later_checks: CHECKS,
        check_window: CHECKS / 5,
        ..usual
    }
}
