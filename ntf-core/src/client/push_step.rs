//! The step of a notification service extension: one push in, what it announces out.
//!
//! iOS starts a small process for each push, with 24 MB of memory and about 30 seconds. It must not have the
//! application's whole state, and need not: [`Client::export_for_pushes`] gives what opens pushes and
//! messages. [`PushStep`] opens one push, gets what it announces with a bounded number of GETs, and ends with
//! one [`PushOutcome`]. What is left in the queues, the application fetches.
//!
//! A message is acknowledged when it has been handed over, so the extension stores it before its process ends.

use crate::base::rng::Seed;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::config::Config;
use crate::client::effect::{Effect, Event};
use crate::client::input::{Input, QueueId};
use crate::client::opened::Opened;
use crate::client::state::ImportError;
use crate::link::event::{LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use alloc::vec::Vec;
use core::fmt;

/// Opens one push and gets what it announces.
#[derive(Debug)]
pub struct PushStep {
    pub(super) client: Client,
    outcome: PushOutcome,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Working,
    /// The system wants the process to end.
    Expired,
    Told,
}

/// What can happen to a step.
#[derive(Debug)]
pub enum StepInput<'a> {
    /// Something happened to a link.
    Link(LinkEvent<'a>),
    /// The announced deadline has come.
    Tick,
    /// The system wants the process to end: tells what there is, and closes.
    Expire,
}

/// What a step asks of the world.
#[derive(Debug)]
pub enum StepEffect {
    /// Do this to a link.
    Link(LinkAction),
    /// Nothing more will come but the closing of links.
    Done(PushOutcome),
}

/// What became of a push.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PushOutcome {
    /// What the push is for.
    pub kind: PushKind,
    /// The queues that it names, as far as they are the device's.
    pub queues: Vec<QueueId>,
    /// The messages that were got, in the order of each queue.
    pub messages: Vec<Got>,
    /// There may be more in the queues: the bound was reached, or a server could not be asked in time.
    pub has_more: bool,
}

/// What a push is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PushKind {
    /// It announces messages, or asks the device to look for some.
    #[default]
    Messages,
    /// It proves the registration: hand it to the application, whose client has the token.
    Verification,
    /// It cannot be used, for this reason: a stranger's, one that came before, or one for an earlier
    /// registration. Show what the push itself says, or nothing.
    Rejected(&'static str),
}

/// A message that a step got.
#[derive(Clone, PartialEq, Eq)]
pub struct Got {
    /// The queue.
    pub queue: QueueId,
    /// The SMP server's id of it.
    pub message_id: Vec<u8>,
    /// Unix seconds at which the SMP server received it.
    pub sent_at: i64,
    /// What the sender sent.
    pub message: Vec<u8>,
}

impl PushStep {
    /// Begins with a push as the provider delivered it and the bytes of [`Client::export_for_pushes`]. GET goes
    /// out `fetches_max` times at most; each gives a message or says that there are no more.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the bytes of the state. What is wrong with the push is an outcome.
    pub fn new(
        config: Config,
        seed: Seed,
        now: Now,
        state: &[u8],
        push: &[u8],
        fetches_max: usize,
    ) -> Result<Self, ImportError> {
        let (mut client, opened) = Client::import_for_a_push(config, seed, now, state, push, fetches_max)?;
        let mut outcome = PushOutcome::default();
        match opened {
            Opened::Verification(_) => outcome.kind = PushKind::Verification,
            Opened::Notices(_) | Opened::CheckMessages | Opened::Rejected(_) => {
                client.on_push(now, opened);
                client.settle(now);
            }
        }
        Ok(Self { client, outcome, phase: Phase::Working })
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Pushed { queue, .. } => self.outcome.queues.push(queue),
            Event::Message { queue, message_id, sent_at, message } => {
                self.outcome.messages.push(Got { queue, message_id, sent_at, message });
            }
            Event::PushRejected { why } => self.outcome.kind = PushKind::Rejected(why),
            // The client goes on trying, and the step ends when its time does.
            Event::Unreachable { .. } | Event::Failed { .. } => self.outcome.has_more = true,
            Event::Token(_)
            | Event::Periodic(_)
            | Event::Unregistered
            | Event::QueueCreated { .. }
            | Event::QueueDeleted { .. }
            | Event::Subscription { .. }
            | Event::NotificationsOff { .. }
            | Event::Direct { .. }
            | Event::Refreshed { .. }
            | Event::Sent { .. }
            | Event::QuotaReached { .. } => {}
        }
    }

    /// Whether there is nothing left to do, or no time.
    fn is_over(&self) -> bool {
        match self.phase {
            Phase::Working => self.client.pending() == 0,
            Phase::Expired => true,
            Phase::Told => false,
        }
    }

    fn finish(&mut self) -> StepEffect {
        self.phase = Phase::Told;
        self.outcome.has_more |= self.client.pending() > 0 || self.client.line.has_more();
        self.client.handle(self.client.latest, Input::Stop);
        StepEffect::Done(core::mem::take(&mut self.outcome))
    }
}

impl Machine for PushStep {
    type Input<'a> = StepInput<'a>;
    type Effect = StepEffect;

    fn handle(&mut self, now: Now, input: StepInput<'_>) {
        match input {
            StepInput::Link(event) => self.client.handle(now, Input::Link(event)),
            StepInput::Tick => self.client.handle(now, Input::Tick),
            StepInput::Expire if self.phase == Phase::Working => self.phase = Phase::Expired,
            StepInput::Expire => {}
        }
    }

    fn poll(&mut self) -> Step<StepEffect> {
        loop {
            return match self.client.poll() {
                Step::Do(Effect::Link(action)) => Step::Do(StepEffect::Link(action)),
                // It holds no connections.
                Step::Do(Effect::Probe(_)) => continue,
                Step::Do(Effect::Event(event)) => {
                    self.on_event(event);
                    continue;
                }
                Step::Idle(_) if self.is_over() => Step::Do(self.finish()),
                Step::Idle(deadline) => Step::Idle(deadline),
            };
        }
    }
}

impl fmt::Debug for PushOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PushOutcome({:?}, {} messages)", self.kind, self.messages.len())
    }
}

impl fmt::Debug for Got {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Got({} bytes)", self.message.len())
    }
}
