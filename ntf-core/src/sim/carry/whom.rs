//! Who stands behind whom.

use crate::sim::node::{Node, Role};
use crate::sim::world::{NodeId, World};

impl World {
    pub(in crate::sim) fn push_of(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes.get(node.index()) {
            Some(Node { role: Role::Subscriber { push, .. }, .. }) => Some(*push),
            Some(Node { role: Role::Relay(end), .. }) => end.push(),
            Some(_) | None => None,
        }
    }

    pub(in crate::sim) fn subscriber_of(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes.get(node.index()) {
            Some(Node { role: Role::Push { subscriber, .. }, .. }) => *subscriber,
            Some(Node { role: Role::Relay(end), .. }) => end.subscriber(),
            Some(_) | None => None,
        }
    }

    pub(in crate::sim) fn provider_of(&self, node: NodeId) -> Option<NodeId> {
        match self.nodes.get(node.index()) {
            Some(Node { role: Role::Push { provider, .. }, .. }) => Some(*provider),
            Some(_) | None => None,
        }
    }
}
