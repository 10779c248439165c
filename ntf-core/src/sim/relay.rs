//! Subscribers and push servers with a relay link between them, as two processes have it.
//!
//! [`World::split`] takes subscribers and a push server that were one process and puts a link between them.
//! Each end is a node of its own that exchanges orders and outcomes with its role the way a process does
//! within itself; between the ends is a link like any other, with all its faults.

use crate::base::rng::Seed;
use crate::base::time::Now;
use crate::crypto::cert::ServerCredentials;
use crate::machine::{Machine, Step};
use crate::model::server::{Protocol, ServerAddress};
use crate::relay::push_end::{self, Admitted, Limits, PushEnd};
use crate::relay::subscriber_end::{self, SubscriberEnd};
use crate::sim::node::{Asked, Given, Misdelivered, Node, Role, step};
use crate::sim::world::{NodeId, World};
use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

/// An end of a relay link.
pub(super) enum End {
    Subscriber { machine: Box<SubscriberEnd>, config: Box<subscriber_end::Config>, subscriber: NodeId },
    Push { machine: Box<PushEnd>, config: Box<push_end::Config>, push: NodeId },
}

impl End {
    /// The role whose orders it takes, or rather whose outcomes it gives.
    pub(super) const fn subscriber(&self) -> Option<NodeId> {
        match self {
            Self::Subscriber { subscriber, .. } => Some(*subscriber),
            Self::Push { .. } => None,
        }
    }

    /// The role that it hands orders to; they are one process.
    pub(super) const fn push(&self) -> Option<NodeId> {
        match self {
            Self::Push { push, .. } => Some(*push),
            Self::Subscriber { .. } => None,
        }
    }

    pub(super) const fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Push { .. } => Some(Protocol::Relay),
            Self::Subscriber { .. } => None,
        }
    }

    pub(super) fn begin_again(&mut self, seed: &Seed, now: Now) {
        match self {
            Self::Subscriber { machine, config, .. } => {
                **machine = SubscriberEnd::new((**config).clone(), seed, now);
            }
            Self::Push { machine, config, .. } => **machine = PushEnd::new((**config).clone(), now),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever an end has no input for is misdelivered")]
    pub(super) fn give(&mut self, now: Now, given: Given<'_>) -> Result<(), Misdelivered> {
        match self {
            Self::Subscriber { machine, .. } => machine.handle(
                now,
                match given {
                    Given::Link(event) => subscriber_end::Input::Link(event),
                    Given::Order(order) => subscriber_end::Input::Order(order),
                    Given::Tick => subscriber_end::Input::Tick,
                    Given::Stop => subscriber_end::Input::Stop,
                    other => return other.misdelivered(),
                },
            ),
            Self::Push { machine, .. } => machine.handle(
                now,
                match given {
                    Given::Link(event) => push_end::Input::Link(event),
                    Given::Outcome(outcome) => push_end::Input::Outcome(outcome),
                    Given::Tick => push_end::Input::Tick,
                    Given::Stop => push_end::Input::Stop,
                    other => return other.misdelivered(),
                },
            ),
        }
        Ok(())
    }

    pub(super) fn poll(&mut self) -> Step<Asked> {
        match self {
            Self::Subscriber { machine, .. } => step(machine.poll(), |effect| match effect {
                subscriber_end::Effect::Link(action) => Asked::Link(action),
                subscriber_end::Effect::Outcome(outcome) => Asked::Outcome(outcome),
                subscriber_end::Effect::Recognised { push, device } => Asked::Recognised { push, device },
            }),
            Self::Push { machine, .. } => step(machine.poll(), |effect| match effect {
                push_end::Effect::Link(action) => Asked::Link(action),
                push_end::Effect::Order(order) => Asked::Order(order),
            }),
        }
    }
}

/// The nodes of a relay link and its address.
#[derive(Clone, Debug)]
pub struct Split {
    /// The end in the push server's process. A restart of it restarts the push server.
    pub push_end: NodeId,
    /// The ends in the subscribers' processes, in the order in which these were named. A restart of a
    /// subscriber restarts its end.
    pub subscriber_ends: Vec<NodeId>,
    /// Where the push server is.
    pub address: ServerAddress,
}

impl World {
    /// Puts relay links between a push server, from then on under the host name `host`, and these
    /// subscribers, whom it knows as `subscriber 0` and so on, with these limits.
    ///
    /// `push_config` and `subscriber_config` may change what the ends are told.
    pub fn split(
        &mut self,
        push: NodeId,
        host: &str,
        subscribers: &[NodeId],
        limits: Limits,
        push_config: impl FnOnce(&mut push_end::Config),
        subscriber_config: impl Fn(&mut subscriber_end::Config),
    ) -> Split {
        let known: Vec<(NodeId, ServerCredentials)> =
            subscribers.iter().filter_map(|node| Some((*node, self.credentials_of(*node)?))).collect();
        let admitted = known.iter().enumerate().filter_map(|(number, (_, credentials))| {
            let identity = credentials.identity().ok()?;
            Some(Admitted { name: format!("subscriber {number}").into(), identity, limits })
        });
        let mut config = push_end::Config::new(admitted.collect());
        push_config(&mut config);
        let machine = Box::new(PushEnd::new(config.clone(), self.now()));
        let credentials = self.credentials();
        let end = End::Push { machine, config: Box::new(config), push };
        let push_end = self.add(Role::Relay(end), Some(credentials));
        let address = self.list(host, push_end);
        if let Some(Node { role: Role::Push { subscriber, .. }, .. }) = self.nodes.get_mut(push.index()) {
            *subscriber = Some(push_end);
        }
        let mut subscriber_ends = Vec::new();
        for (subscriber, credentials) in known {
            let mut config = subscriber_end::Config::new(address.clone(), credentials);
            subscriber_config(&mut config);
            let machine = Box::new(SubscriberEnd::new(config.clone(), &self.fresh_seed(), self.now()));
            let end = End::Subscriber { machine, config: Box::new(config), subscriber };
            let node = self.add(Role::Relay(end), None);
            subscriber_ends.push(node);
            if let Some(Node { role: Role::Subscriber { push, .. }, .. }) =
                self.nodes.get_mut(subscriber.index())
            {
                *push = node;
            }
        }
        Split { push_end, subscriber_ends, address }
    }

    /// The subscriber's end of a relay link.
    #[must_use]
    pub fn subscriber_end(&self, node: NodeId) -> Option<&SubscriberEnd> {
        match self.nodes.get(node.index()).map(|node| &node.role) {
            Some(Role::Relay(End::Subscriber { machine, .. })) => Some(machine),
            Some(_) | None => None,
        }
    }

    /// The push server's end of a relay link.
    #[must_use]
    pub fn push_end(&self, node: NodeId) -> Option<&PushEnd> {
        match self.nodes.get(node.index()).map(|node| &node.role) {
            Some(Role::Relay(End::Push { machine, .. })) => Some(machine),
            Some(_) | None => None,
        }
    }

    fn credentials_of(&self, node: NodeId) -> Option<ServerCredentials> {
        self.nodes.get(node.index())?.credentials.clone()
    }
}
