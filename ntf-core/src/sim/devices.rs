//! Devices of the world: new ones, and others with the same state.

use crate::client::{self, Client};
use crate::sim::node::Role;
use crate::sim::world::{NodeId, World};
use alloc::boxed::Box;
use alloc::vec::Vec;

impl World {
    /// Adds a device.
    pub fn add_client(&mut self, mut config: client::Config) -> NodeId {
        // The world performs it.
        config.direct.tcp_asks = true;
        let machine = Box::new(Client::new(config.clone(), self.fresh_seed(), self.now()));
        self.add(Role::Client { machine, config: Box::new(config), events: Vec::new() }, None)
    }

    /// Sets up another device with the saved state of this one, as somebody does who restores a copy. `None`
    /// where it is no device, or does not read what it wrote.
    pub fn copy_device(&mut self, node: NodeId) -> Option<NodeId> {
        let (seed, now) = (self.fresh_seed(), self.now_of(node));
        let Role::Client { machine, config, .. } = &self.nodes.get(node.index())?.role else { return None };
        let copy = Client::import((**config).clone(), seed, now, &machine.export()).ok()?;
        let (machine, config) = (Box::new(copy), config.clone());
        Some(self.add(Role::Client { machine, config, events: Vec::new() }, None))
    }

    /// A device's machine.
    #[must_use]
    pub fn client(&self, node: NodeId) -> Option<&Client> {
        match &self.nodes.get(node.index())?.role {
            Role::Client { machine, .. } => Some(machine),
            Role::Smp(_)
            | Role::Subscriber { .. }
            | Role::Push { .. }
            | Role::Relay(_)
            | Role::Provider { .. }
            | Role::Stranger(_) => None,
        }
    }
}
