//! The device side: registers, subscribes, opens pushes, fetches messages; and sends them.
//!
//! [`input`] and [`effect`] are its face, [`Client`] the machine. One file per concern: `register`,
//! `verify`, `check`, `leave`, `mode` and `subscribe` talk to the subscriber, `queues` to SMP servers as a recipient, `send`
//! as a sender, `opened` opens pushes, `receive` fetches what they announce, [`direct`] lets messages come by themselves.
//! Each concern keeps what it wants in its own state and goes on with it whenever something changes, so a lost link loses
//! no intention.
//!
//! Keys are made here and never leave, except by [`Client::export`].

pub mod advice;
mod body;
mod check;
pub mod config;
mod delete;
pub mod direct;
pub mod effect;
pub mod input;
mod leave;
mod meters;
pub mod mode;
mod on_link;
mod on_timer;
mod opened;
pub mod push_step;
mod queue;
mod queues;
#[cfg(feature = "sim")]
mod reading;
mod receive;
mod refresh;
mod register;
mod send;
mod servers;
pub mod state;
mod subscribe;
mod token;
mod verify;

// The servers that the tests play show certificates of the simulator's making.
#[cfg(all(test, feature = "sim"))]
mod tests;

pub use advice::Advice;
pub use config::Config;
pub use direct::{Circumstance, DirectPlan, DirectState, NetworkId, Pace, Usage};
pub use meters::{Counters, Gauges};
pub use mode::{Mode, Notifications};
pub use push_step::PushStep;
pub use send::MESSAGE_LEN_MAX;
pub use state::ImportError;

use crate::base::outbox::Outbox;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Mono, Now};
use crate::base::timers::Timers;
use crate::client::direct::{Cause, Direct};
use crate::client::effect::{Effect, Event};
use crate::client::input::{Command, Input, QueueId, RequestTag};
use crate::client::leave::Leavings;
use crate::client::on_timer::Timer;
use crate::client::queue::Queue;
use crate::client::receive::{Line, NotifierKey};
use crate::client::refresh::Refresh;
use crate::client::send::{Phase, Senders};
use crate::client::servers::Servers;
use crate::client::token::{Generation, Token};
use crate::link::event::{LinkAction, LinkEvent};
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use crate::model::server::{SenderAddress, ServerAddress};
use crate::model::token::TokenStatus;
use crate::wire::text::base64;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

/// The device side of one app on one device.
pub struct Client {
    config: Config,
    keys: Rng,
    jitter: Rng,
    choice: Rng,
    servers: Servers,
    /// The subscribers to choose from when a token is made.
    subscribers: Vec<ServerAddress>,
    mode: Mode,
    /// The application wants no token: no queue is watched until it registers again.
    has_unregistered: bool,
    token: Option<Token>,
    generation: Generation,
    /// When the application's last check began.
    checked_at: Option<Mono>,
    leavings: Leavings,
    queues: BTreeMap<QueueId, Queue>,
    queues_made: u32,
    notifiers: BTreeMap<NotifierKey, QueueId>,
    line: Line,
    senders: Senders,
    direct: Direct,
    refresh: Option<Refresh>,
    timers: Timers<Timer>,
    counters: Counters,
    outbox: Outbox<Effect>,
    run: Run,
    latest: Now,
}

/// Whether the client still takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    On,
    Stopped,
}

impl Client {
    /// A client without token or queues.
    #[must_use]
    pub fn new(config: Config, seed: Seed, now: Now) -> Self {
        Self {
            keys: seed.stream(Stream::Keys),
            jitter: seed.stream(Stream::Jitter),
            choice: seed.stream(Stream::Choice),
            servers: Servers::new(&seed),
            subscribers: Vec::new(),
            mode: Mode::default(),
            has_unregistered: false,
            token: None,
            generation: Generation::default(),
            checked_at: None,
            leavings: Leavings::default(),
            queues: BTreeMap::new(),
            queues_made: 0,
            notifiers: BTreeMap::new(),
            line: Line::default(),
            senders: Senders::default(),
            direct: Direct::new(),
            refresh: None,
            timers: Timers::new(),
            counters: Counters::default(),
            outbox: Outbox::new(),
            run: Run::On,
            latest: now,
            config,
        }
    }

    /// The queues, in the order of their ids; those being deleted too.
    pub fn queues(&self) -> impl Iterator<Item = QueueId> {
        self.queues.keys().copied()
    }

    /// The token's status as far as this side knows; `None` without a token.
    #[must_use]
    pub fn token_status(&self) -> Option<TokenStatus> {
        self.token.as_ref().map(Token::status)
    }

    /// How the device learns of messages.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// The subscriber that holds the token, or is to; `None` without a token.
    #[must_use]
    pub fn subscriber(&self) -> Option<&ServerAddress> {
        self.token.as_ref().map(|token| &token.server)
    }

    /// What to give to the sender of a queue; `None` while the queue does not exist.
    #[must_use]
    pub fn sender_address(&self, queue: QueueId) -> Option<SenderAddress> {
        let queue = self.queues.get(&queue)?;
        let sender = queue.live()?.sender.clone();
        Some(SenderAddress { server: queue.server.clone(), sender })
    }

    /// Requests that wait for an answer or for a link. Zero when there is nothing left to do.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.servers.pending() + self.line.len() + self.senders.waiting()
    }

    /// What the device knows: everything, it is the user's.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        let live = || self.queues.values().filter_map(Queue::live);
        let mut smp: Vec<_> = self.queues.values().map(|queue| &queue.server).collect();
        smp.sort_unstable();
        smp.dedup();
        let fact = |what, number: usize, sample: Option<String>| Fact { what, count: count(number), sample };
        let device = self.token.as_ref().map(|token| &token.device);
        vec![
            fact(
                "device tokens",
                device.into_iter().count(),
                device.map(|device| sample_of(&String::from_utf8_lossy(&device.token))),
            ),
            fact(
                "subscribers",
                self.token.iter().count(),
                self.token.as_ref().and_then(|token| token.server.hosts.first()).map(|host| (**host).into()),
            ),
            fact(
                "SMP servers",
                smp.len(),
                smp.first().and_then(|server| server.hosts.first()).map(|host| (**host).into()),
            ),
            fact(
                "recipient ids",
                live().count(),
                live().next().map(|live| sample_of(&base64::encode(live.recipient.as_bytes()))),
            ),
            fact(
                "sender ids",
                live().count(),
                live().next().map(|live| sample_of(&base64::encode(live.sender.as_bytes()))),
            ),
            fact(
                "notifier ids",
                self.notifiers.len(),
                live().find_map(|live| {
                    live.notifier_keys().map(|keys| sample_of(&base64::encode(keys.id.as_bytes())))
                }),
            ),
            Fact { what: "messages", count: self.counters.messages.total(), sample: None },
        ]
    }

    fn on_command(&mut self, now: Now, command: Command) {
        match command {
            Command::Register { server, device } => self.on_register(now, server, device),
            Command::RegisterWithAny { device, mode } => self.on_register_with_any(now, device, mode),
            Command::SetSubscribers { servers } => self.on_set_subscribers(servers),
            Command::SetMode(mode) => self.on_set_mode(now, mode),
            Command::SetNotifications { queue, notifications } => {
                self.on_set_notifications(now, queue, notifications)
            }
            Command::FetchAll => self.fetch_all(now),
            Command::Refresh { budget } => self.on_refresh(now, budget),
            Command::CreateQueue { tag, server } => self.on_create_queue(now, tag, server),
            Command::DeleteQueue { queue } => self.on_delete_queue(now, queue),
            Command::Send { tag, to, message } => self.on_send(now, Phase::Open, tag, to, message),
            Command::SendUnsigned { tag, to, message } => {
                self.on_send(now, Phase::Unsigned, tag, to, message)
            }
            Command::Check => self.on_check(now),
            Command::NetworkChanged => self.on_network(now, None),
            Command::Circumstance(circumstance) => self.on_circumstance(now, circumstance),
            Command::Unregister => self.on_unregister(now),
        }
    }

    /// Closes every link; what was wanted stays for [`Client::export`].
    fn on_stop(&mut self) {
        self.run = Run::Stopped;
        self.outbox.clear();
        self.timers.clear();
        self.line = Line::default();
        for action in self.servers.close_all() {
            self.outbox.push(Effect::Link(action));
        }
    }

    /// Counts what an input costs.
    fn count(&mut self, now: Now, input: &Input<'_>) {
        let cause = if matches!(input, Input::Tick) { Cause::Timer } else { Cause::Other };
        self.direct.counting.on_input(now.mono, cause);
        if let Input::Link(event) = input
            && let Some(index) = self.servers.of_link(event.link())
        {
            let probes = self.servers.take_probes(now.mono, index);
            self.direct.counting.on_probes(probes);
        }
        if let Input::Link(LinkEvent::Block { block, .. }) = input {
            self.direct.counting.on_received(block.len());
        }
    }

    fn tell(&mut self, event: Event) {
        self.outbox.push(Effect::Event(event));
    }

    fn fail(&mut self, tag: Option<RequestTag>, advice: Advice, why: impl Into<String>) {
        self.tell(Event::Failed { tag, advice, why: why.into() });
    }

    /// That the client goes on by itself when this timer fires.
    fn until(&self, now: Now, timer: &Timer) -> Advice {
        Advice::Wait { next: self.timers.deadline(timer).map_or(Duration::ZERO, |at| at.since(now.mono)) }
    }

    /// That a command which was refused may pass when the application gives it again.
    const fn try_again(&self) -> Advice {
        Advice::TryAgain { after: self.config.retry.first }
    }
}

impl Machine for Client {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        let now = Now { mono: now.mono.max(self.latest.mono), wall: now.wall };
        self.latest = now;
        if self.run == Run::Stopped {
            return;
        }
        self.count(now, &input);
        match input {
            Input::Link(event) => self.on_link(now, event),
            Input::Push(body) => {
                let opened = self.open_push(body);
                self.on_push(now, opened);
            }
            Input::Command(command) => self.on_command(now, command),
            Input::Tick => self.on_tick(now),
            Input::Stop => return self.on_stop(),
        }
        self.settle(now);
        self.settle_refresh(now);
    }

    fn poll(&mut self) -> Step<Effect> {
        if let Some(effect) = self.outbox.pop() {
            match &effect {
                Effect::Link(LinkAction::Connect { .. }) => self.direct.counting.on_connect(),
                Effect::Link(LinkAction::Send { block, .. }) => self.direct.counting.on_sent(block.len()),
                Effect::Link(LinkAction::Close { .. }) | Effect::Probe(_) | Effect::Event(_) => {}
            }
            return Step::Do(effect);
        }
        Step::Idle(self.timers.next().map(|(at, timer)| Deadline { at, reason: timer.reason() }))
    }
}

impl core::fmt::Debug for Client {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Client({} queues)", self.queues.len())
    }
}

/// The first characters, for people who look at a demonstration.
fn sample_of(text: &str) -> String {
    text.chars().take(8).chain(['…']).collect()
}
