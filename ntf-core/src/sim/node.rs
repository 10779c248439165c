//! One machine of the simulated world, whatever its role.
//!
//! Turns what the world carries into the role's inputs, and the role's effects into what the world
//! carries. Holds no behaviour of its own.

use crate::base::id::LinkId;
use crate::base::rng::Seed;
use crate::base::time::{Mono, Now};
use crate::client::effect::{Event, Probe};
use crate::client::input::Command;
use crate::client::{self, Client};
use crate::crypto::cert::ServerCredentials;
use crate::link::event::{DownReason, LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use crate::model::push::{PushId, PushOrder, PushOutcome};
use crate::model::server::Protocol;
use crate::model::token::DeviceTag;
use crate::push::effect::{Request, RequestId};
use crate::push::{self, Push};
use crate::sim::carry::Silence;
use crate::sim::fault::Weather;
use crate::sim::provider::{self, ConnectionId, Provider, Reply};
use crate::sim::relay::End;
use crate::sim::stranger::{self, Stranger};
use crate::sim::world::NodeId;
use crate::smp::server::{self as smp, Server};
use crate::subscriber;
use crate::subscriber::effect::Milestone;
use crate::subscriber::shard::Shards;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU8;
use core::time::Duration;

/// A machine and what the world knows about it.
pub(super) struct Node {
    pub(super) role: Role,
    /// Links are accepted and inputs delivered; a node that is off hears nothing.
    pub(super) power: Power,
    /// What it shows to those who connect.
    pub(super) credentials: Option<ServerCredentials>,
    /// Whether its addresses are private: who connects to public ones only does not connect to it.
    pub(super) is_inside: bool,
    /// Whether it asks those who connect for certificates.
    pub(super) asks_clients: bool,
    /// Links accepted so far; their numbers are the adapter's to give.
    pub(super) accepted: u64,
    /// The deadline it announced last.
    pub(super) wake: Option<Mono>,
    /// What it adds to the latency of everything to and from it.
    pub(super) lag: Duration,
    /// How far its calendar is from the world's, in milliseconds.
    pub(super) calendar_off_by: i64,
    /// How a provider behaves; nothing to others.
    pub(super) weather: Weather,
    /// The latest push for a device that was off.
    pub(super) kept_push: Option<Vec<u8>>,
    /// Attempts at links that came to nothing while the machine was suspended: it learns of them when it goes on.
    pub(super) missed: Vec<(LinkId, DownReason)>,
    /// Pushes for a device that it will never get.
    pub(super) pushes_lost: u64,
    /// Whether alerts that wake no app are kept from it until somebody opens it.
    pub(super) alerts: Alerts,
    /// A name of its own, for people.
    pub(super) alias: Option<&'static str>,
}

impl Node {
    pub(super) fn new(role: Role, credentials: Option<ServerCredentials>, asks_clients: bool) -> Self {
        Self {
            role,
            power: Power::On,
            credentials,
            is_inside: false,
            asks_clients,
            accepted: 0,
            wake: None,
            lag: Duration::ZERO,
            calendar_off_by: 0,
            weather: Weather::Fair,
            kept_push: None,
            missed: Vec::new(),
            pushes_lost: 0,
            alerts: Alerts::Opened,
            alias: None,
        }
    }
}

/// Letters between shards take up to this long, a fraction of what links take. Source: ours; between busy threads.
pub(super) const SHARD_LATENCY: Duration = Duration::from_millis(2);

/// Whether a node takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    On,
    Off,
}

/// What becomes of an alert that wakes no app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alerts {
    /// Somebody sees it and opens the app at once, which is handed it.
    Opened,
    /// It stands on the screen, and the app hears nothing of it.
    Shown,
}

/// The machine.
pub(super) enum Role {
    Smp(Box<Server>),
    Subscriber {
        machine: Box<Shards>,
        shards: NonZeroU8,
        config: Box<subscriber::Config>,
        push: NodeId,
        milestones: Vec<(Mono, Milestone)>,
    },
    Push {
        machine: Box<Push>,
        config: Box<push::Config>,
        provider: NodeId,
        subscriber: Option<NodeId>,
    },
    /// An end of a relay link: of a subscriber's process, or of a push server's.
    Relay(End),
    Provider {
        machine: Box<Provider>,
        owners: BTreeMap<Box<[u8]>, NodeId>,
    },
    Client {
        machine: Box<Client>,
        config: Box<client::Config>,
        events: Vec<(Mono, Event)>,
    },
    Stranger(Box<Stranger>),
}

/// What the world gives to a node.
pub(super) enum Given<'a> {
    Link(LinkEvent<'a>),
    Order(PushOrder),
    Outcome(PushOutcome),
    Recognised { push: PushId, device: DeviceTag },
    Request { from: ConnectionId, request: &'a Request },
    Answer { request: RequestId, reply: &'a Reply },
    Unanswered { request: RequestId, why: Silence },
    Pushed(&'a [u8]),
    Command(Command),
    Act(LinkAction),
    Script(Reply),
    Install(&'a [u8]),
    Uninstall(&'a [u8]),
    Tick,
    Stop,
}

/// What a node asks of the world.
pub(super) enum Asked {
    Link(LinkAction),
    Probe(Probe),
    Order(PushOrder),
    Outcome(PushOutcome),
    Recognised { push: PushId, device: DeviceTag },
    Request(Request),
    Answer { to: ConnectionId, request: RequestId, reply: Reply },
    Deliver { token: Box<[u8]>, body: Vec<u8> },
    Nothing,
}

/// The world gave a node something that its role has no input for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misdelivered;

impl Role {
    /// What it speaks with those who connect to it.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Smp(_) => Some(Protocol::Smp),
            Self::Subscriber { .. } => Some(Protocol::Ntf),
            Self::Relay(end) => end.protocol(),
            Self::Push { .. } | Self::Provider { .. } | Self::Client { .. } => None,
            Self::Stranger(machine) => machine.protocol(),
        }
    }

    /// Begins anew with what a process of this kind keeps.
    pub(super) fn begin_again(&mut self, seed: Seed, now: Now) -> Result<(), client::ImportError> {
        match self {
            // Their queues are on disk in real life.
            Self::Smp(_) | Self::Provider { .. } | Self::Stranger(_) => {}
            Self::Subscriber { machine, config, shards, .. } => {
                **machine = Shards::new(config, *shards, SHARD_LATENCY, &seed, now);
            }
            Self::Push { machine, config, .. } => **machine = Push::new((**config).clone(), seed, now),
            Self::Relay(end) => end.begin_again(&seed, now),
            Self::Client { machine, config, .. } => {
                let state = machine.export();
                **machine = Client::import((**config).clone(), seed, now, &state)?;
            }
        }
        Ok(())
    }

    /// Gives the machine an input.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever a role has no input for is misdelivered")]
    pub(super) fn give(&mut self, now: Now, given: Given<'_>) -> Result<(), Misdelivered> {
        match self {
            Self::Smp(machine) => machine.handle(
                now,
                match given {
                    Given::Link(event) => smp::Input::Link(event),
                    Given::Tick => smp::Input::Tick,
                    Given::Stop => smp::Input::Stop,
                    other => return other.misdelivered(),
                },
            ),
            Self::Subscriber { machine, .. } => machine.handle(
                now,
                match given {
                    Given::Link(event) => subscriber::input::Input::Link(event),
                    Given::Outcome(outcome) => subscriber::input::Input::Outcome(outcome),
                    Given::Recognised { push, device } => {
                        subscriber::input::Input::Recognised { push, device }
                    }
                    Given::Tick => subscriber::input::Input::Tick,
                    Given::Stop => subscriber::input::Input::Stop,
                    other => return other.misdelivered(),
                },
            ),
            Self::Push { machine, .. } => match given {
                Given::Order(order) => machine.handle(now, push::input::Input::Order(order)),
                Given::Answer { request, reply } => {
                    let body = reply.body();
                    let answer = push::input::Answer::Response {
                        status: reply.status,
                        body: body.as_bytes(),
                        retry_after: reply.retry_after,
                    };
                    machine.handle(now, push::input::Input::Answer { request, answer });
                }
                Given::Unanswered { request, why } => {
                    let answer = match why {
                        Silence::Unreachable => push::input::Answer::Unreachable,
                        Silence::TimedOut => push::input::Answer::TimedOut,
                        Silence::Broken => push::input::Answer::Broken,
                    };
                    machine.handle(now, push::input::Input::Answer { request, answer });
                }
                Given::Tick => machine.handle(now, push::input::Input::Tick),
                Given::Stop => machine.handle(now, push::input::Input::Stop),
                other => return other.misdelivered(),
            },
            Self::Relay(end) => return end.give(now, given),
            Self::Provider { machine, .. } => machine.handle(
                now,
                match given {
                    Given::Request { from, request } => provider::Input::Request { from, request },
                    Given::Script(reply) => provider::Input::Script(reply),
                    Given::Install(token) => provider::Input::Install(token),
                    Given::Uninstall(token) => provider::Input::Uninstall(token),
                    Given::Tick | Given::Stop => return Ok(()),
                    other => return other.misdelivered(),
                },
            ),
            Self::Client { machine, .. } => machine.handle(
                now,
                match given {
                    Given::Link(event) => client::input::Input::Link(event),
                    Given::Pushed(body) => client::input::Input::Push(body),
                    Given::Command(command) => client::input::Input::Command(command),
                    Given::Tick => client::input::Input::Tick,
                    Given::Stop => client::input::Input::Stop,
                    other => return other.misdelivered(),
                },
            ),
            Self::Stranger(machine) => machine.handle(
                now,
                match given {
                    Given::Link(event) => stranger::Input::Link(event),
                    Given::Pushed(body) => stranger::Input::Pushed(body),
                    Given::Act(action) => stranger::Input::Act(action),
                    Given::Tick | Given::Stop => return Ok(()),
                    other => return other.misdelivered(),
                },
            ),
        }
        Ok(())
    }

    /// The machine's next step, with its effect in the world's words.
    pub(super) fn poll(&mut self, now: Now) -> Step<Asked> {
        match self {
            Self::Smp(machine) => step(machine.poll(), |smp::Effect::Link(action)| Asked::Link(action)),
            Self::Subscriber { machine, milestones, .. } => step(machine.poll(), |effect| match effect {
                subscriber::effect::Effect::Link(action) => Asked::Link(action),
                subscriber::effect::Effect::Push(order) => Asked::Order(order),
                // Shards settle these among themselves.
                subscriber::effect::Effect::Shard { .. } | subscriber::effect::Effect::HandOff { .. } => {
                    Asked::Nothing
                }
                subscriber::effect::Effect::Milestone(milestone) => {
                    milestones.push((now.mono, milestone));
                    Asked::Nothing
                }
            }),
            Self::Push { machine, .. } => step(machine.poll(), |effect| match effect {
                push::effect::Effect::Request(request) => Asked::Request(request),
                push::effect::Effect::Outcome(outcome) => Asked::Outcome(outcome),
            }),
            Self::Relay(end) => end.poll(),
            Self::Provider { machine, .. } => step(machine.poll(), |effect| match effect {
                provider::Effect::Answer { to, request, reply } => Asked::Answer { to, request, reply },
                provider::Effect::Deliver { token, body } => Asked::Deliver { token, body },
            }),
            Self::Client { machine, events, .. } => step(machine.poll(), |effect| match effect {
                client::effect::Effect::Link(action) => Asked::Link(action),
                client::effect::Effect::Probe(probe) => Asked::Probe(probe),
                client::effect::Effect::Event(event) => {
                    events.push((now.mono, event));
                    Asked::Nothing
                }
            }),
            Self::Stranger(machine) => step(machine.poll(), Asked::Link),
        }
    }
}

impl Given<'_> {
    pub(super) const fn misdelivered(&self) -> Result<(), Misdelivered> {
        Err(Misdelivered)
    }
}

pub(super) fn step<E>(step: Step<E>, asked: impl FnOnce(E) -> Asked) -> Step<Asked> {
    match step {
        Step::Do(effect) => Step::Do(asked(effect)),
        Step::Idle(deadline) => Step::Idle(deadline),
    }
}
