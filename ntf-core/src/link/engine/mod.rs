//! A client of one server: opens the link, keeps it, opens it again, and carries requests over it.
//!
//! An [`Engine`] is a part of a role's machine rather than a machine of its own: the role hands in link
//! events and ticks, reads what happened with [`next`](Engine::next), and performs what
//! [`poll`](Engine::poll) asks. Everything that was read from a block is borrowed from that block and not
//! from the engine, so the role may do anything with itself and the engine between two calls of `next`.
//! The engine knows neither queues nor tokens; it remembers requests until they are answered and never
//! repeats one by itself: tags come back as [`ClientEvent::TimedOut`] or [`ClientEvent::Lost`], and whoever
//! owns them decides.
//!
//! ```text
//! let mut inbox = self.engine(link).on_link(now, event);
//! while let Some(event) = self.engine(link).next(&mut inbox) { self.on_client_event(now, event) }
//! while let Some(action) = self.engine(link).poll(&mut self.link_numbers) { outbox.push(action) }
//! self.timers.set(key, self.engine(link).deadline())
//! ```
//!
//! Source: `smp-transport` 7.

mod happening;
mod offer;
mod plan;

pub use happening::{ClientEvent, Loss};
pub use plan::EnginePlan;

use crate::base::backoff::Backoff;
use crate::base::id::{EntityId, LinkId};
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Mono, Now};
use crate::crypto::keys::AuthPrivateKey;
use crate::link::dialect::{Dialect, Ntf};
use crate::link::event::{Block, LinkAction, LinkEvent};
use crate::link::keepalive::{Keepalive, Silence};
use crate::link::requester::{Messages, NotSent, Requester};
use crate::link::state::{ClientGreeting, ClientSession, Greeted, ServiceGreeting, ServiceIdentity};
use crate::model::server::ServerAddress;
use crate::model::shard::ShardPlan;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use happening::Noted;
use offer::Offer;

/// A client of one subscriber (NTF server).
pub type NtfClient<T> = Engine<Ntf, T>;

/// A client of one server; `T` is the tag of whoever asks.
#[derive(Debug)]
pub struct Engine<D: Dialect, T> {
    server: ServerAddress,
    plan: EnginePlan<D>,
    offer: Option<Offer>,
    state: State<D, T>,
    backoff: Backoff,
    /// Whether the server ever answered on an open link.
    was_reached: bool,
    keys: Rng,
    jitter: Rng,
    /// Actions that do not come from the open link: closing, and our hello.
    actions: VecDeque<LinkAction>,
    /// Events that do not come from a block. At most the requests in flight and a few more, as roles read
    /// all of them after each input.
    events: VecDeque<Noted<D, T>>,
}

#[derive(Debug)]
enum State<D: Dialect, T> {
    /// Nobody wants a connection.
    Resting,
    /// The last attempt failed; the next one comes at this time.
    Waiting { until: Mono },
    /// A link will be asked for at the next poll.
    Dialling { by: Mono },
    /// A link was asked for.
    Connecting { link: LinkId, by: Mono },
    /// TLS is up; the server's hello is awaited.
    Greeting { link: LinkId, by: Mono, greeting: ClientGreeting<D> },
    /// We have introduced ourselves as a service; the answer is awaited.
    Introduced { link: LinkId, by: Mono, greeting: Box<ServiceGreeting<D>> },
    /// Requests can be made.
    Open(Box<Open<D, T>>),
}

#[derive(Debug)]
struct Open<D: Dialect, T> {
    link: LinkId,
    requester: Requester<D, T>,
    keepalive: Keepalive,
    heard: Mono,
    /// Whether anything came since the hellos.
    has_answered: bool,
}

/// The messages of the block that an input brought, if it brought one.
#[derive(Debug, Default)]
pub struct Inbox<'b> {
    messages: Option<(LinkId, Messages<'b>)>,
}

/// Numbers the links that one role opens; shared by all its engines.
#[derive(Debug, Default)]
pub struct LinkNumbers {
    next: u64,
    plan: ShardPlan,
}

impl LinkNumbers {
    /// Numbers that other shards of the role never give.
    #[must_use]
    pub const fn of(plan: ShardPlan) -> Self {
        Self { next: 0, plan }
    }

    /// A link id that was not used before.
    #[must_use = "a number is used up"]
    pub const fn next(&mut self) -> LinkId {
        let link = LinkId::opened(self.plan.numbered(self.next));
        self.next = self.next.saturating_add(1);
        link
    }
}

impl<D: Dialect, T: Copy> Engine<D, T> {
    /// A client of `server` that does nothing yet.
    ///
    /// `seed` must be this engine's alone: session keys and correlation ids are drawn from it, and equal ones
    /// at two servers would tell these that they have the same client.
    #[must_use]
    pub fn new(server: ServerAddress, plan: EnginePlan<D>, seed: &Seed) -> Self {
        Self {
            server,
            plan,
            offer: None,
            state: State::Resting,
            backoff: Backoff::new(),
            was_reached: false,
            keys: seed.stream(Stream::Keys),
            jitter: seed.stream(Stream::Jitter),
            actions: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Offers to be this service from the next connection on: its certificate is shown where the server asks
    /// for one. A server that does not take it as a service is used as by any other client.
    pub fn offer_service(&mut self, service: ServiceIdentity) {
        self.offer = Some(Offer::new(service));
    }

    /// The id of the service that we are on the open link, if we are one.
    #[must_use]
    pub fn service(&self) -> Option<&EntityId> {
        match &self.state {
            State::Open(open) => open.requester.service(),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => None,
        }
    }

    /// Is no service any more. Where a link is one's, it is closed and another one opened at once: tags come
    /// back as lost.
    pub fn go_on_without_service(&mut self, now: Now) {
        if let Some(offer) = &mut self.offer {
            offer.end();
        }
        if self.service().is_some() {
            if let Some(link) = self.link() {
                self.actions.push_back(LinkAction::Close { link });
            }
            self.settle(Loss::Asked, Some(now.mono));
            self.dial(now);
        }
    }

    /// The server.
    #[must_use]
    pub const fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The agreed version, while a link is open.
    #[must_use]
    pub const fn version(&self) -> Option<D::Version> {
        match &self.state {
            State::Open(open) => Some(open.requester.version()),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => None,
        }
    }

    /// Whether requests can be made.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.version().is_some()
    }

    /// Whether a connection is wanted: from [`connect`](Self::connect) to [`disconnect`](Self::disconnect).
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        !matches!(self.state, State::Resting)
    }

    /// The link in use, from `Connect` to its end.
    #[must_use]
    pub const fn link(&self) -> Option<LinkId> {
        match &self.state {
            State::Connecting { link, .. }
            | State::Greeting { link, .. }
            | State::Introduced { link, .. } => Some(*link),
            State::Open(open) => Some(open.link),
            State::Resting | State::Waiting { .. } | State::Dialling { .. } => None,
        }
    }

    /// How many requests can be made at once; zero without a link. More can be made after replies
    /// or after [`LinkEvent::Sent`].
    #[must_use]
    pub fn room(&self) -> usize {
        match &self.state {
            State::Open(open) => open.requester.room(),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => 0,
        }
    }

    /// Requests that wait for a reply: the gauge.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        match &self.state {
            State::Open(open) => open.requester.in_flight(),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => 0,
        }
    }

    /// Wants a connection from now on, until [`disconnect`](Self::disconnect); a lost one is opened again.
    /// Does nothing where one is wanted already.
    pub fn connect(&mut self, now: Now) {
        if !self.is_wanted() {
            self.dial(now);
        }
    }

    /// Wants no connection any more. Requests made before are still sent, but
    /// their replies are not awaited: their tags come back as lost.
    pub fn disconnect(&mut self) {
        if let Some(link) = self.link() {
            // Sent before the link closes; an adapter sends what it has been given first.
            while let State::Open(open) = &mut self.state
                && let Some(block) = open.requester.take_block()
            {
                self.actions.push_back(LinkAction::Send { link, block });
            }
            self.actions.push_back(LinkAction::Close { link });
        }
        self.settle(Loss::Asked, None);
        self.backoff.reset();
    }

    /// Sends a command about `entity`, authorized with `key`, and brings the answer back with `tag`.
    ///
    /// # Errors
    ///
    /// See [`NotSent`]; nothing comes back for the tag then.
    pub fn request(
        &mut self,
        now: Now,
        entity: Option<&EntityId>,
        key: Option<&AuthPrivateKey>,
        command: &D::Command<'_>,
        tag: T,
    ) -> Result<(), NotSent> {
        let State::Open(open) = &mut self.state else { return Err(NotSent::NotReady) };
        open.requester.request(now.mono, entity, key, command, tag)?;
        if D::subscribes(command) {
            open.keepalive.watch(now.mono);
        }
        Ok(())
    }

    /// Takes an event of a link. Events of links that are not in use any more are ignored.
    pub fn on_link<'b>(&mut self, now: Now, event: LinkEvent<'b>) -> Inbox<'b> {
        if self.link() != Some(event.link()) {
            return Inbox::default();
        }
        match event {
            LinkEvent::Up { transport, .. } => {
                if let State::Connecting { link, by } = self.state {
                    let (versions, encryption) = (self.plan.versions, self.plan.encryption);
                    let greeting = ClientGreeting::new(transport, self.server.identity, versions, encryption);
                    self.state = State::Greeting { link, by, greeting };
                }
                Inbox::default()
            }
            LinkEvent::Block { link, block } => self.on_block(now, link, block),
            LinkEvent::Sent { blocks, .. } => {
                if let State::Open(open) = &mut self.state {
                    open.requester.on_sent(blocks);
                }
                Inbox::default()
            }
            LinkEvent::Down { reason, .. } => {
                self.lose(now, Loss::Down(reason));
                Inbox::default()
            }
        }
    }

    /// The next thing that happened. Call until there is none, after each input; with
    /// `Inbox::default()` after [`tick`](Self::tick) and [`disconnect`](Self::disconnect).
    pub fn next<'b>(&mut self, inbox: &mut Inbox<'b>) -> Option<ClientEvent<'b, D, T>> {
        if let Some(event) = self.events.pop_front() {
            return Some(event.into());
        }
        let (link, messages) = inbox.messages.as_mut()?;
        let State::Open(open) = &mut self.state else { return None };
        if open.link != *link {
            return None;
        }
        open.requester.next_message(messages).map(Into::into)
    }

    /// Asks the server for a sign of life at once, unless it is being asked already. Nothing happens where no
    /// link is open.
    pub fn ask_alive(&mut self, now: Now) {
        if let State::Open(open) = &mut self.state {
            open.keepalive.on_suspicion(now.mono);
            self.tick_open(now);
        }
    }

    /// When the server was last heard on the open link; the link's opening counts as well.
    #[must_use]
    pub const fn heard(&self) -> Option<Mono> {
        match &self.state {
            State::Open(open) => Some(open.heard),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => None,
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        match &self.state {
            State::Waiting { until } if *until <= now.mono => self.dial(now),
            State::Dialling { by }
            | State::Connecting { by, .. }
            | State::Greeting { by, .. }
            | State::Introduced { by, .. }
                if *by <= now.mono =>
            {
                self.abandon(now, Loss::ConnectTimeout);
            }
            State::Open(_) => self.tick_open(now),
            State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => {}
        }
    }

    /// When to call [`tick`](Self::tick).
    #[must_use]
    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Resting => None,
            State::Waiting { until } => Some(Deadline { at: *until, reason: "reconnect" }),
            State::Dialling { by }
            | State::Connecting { by, .. }
            | State::Greeting { by, .. }
            | State::Introduced { by, .. } => Some(Deadline { at: *by, reason: "connect timeout" }),
            State::Open(open) => {
                let reply = open.requester.deadline().map(|at| Deadline { at, reason: "reply timeout" });
                let ping = open.keepalive.deadline().map(|at| Deadline { at, reason: "keepalive" });
                reply.into_iter().chain(ping).min_by_key(|deadline| deadline.at)
            }
        }
    }

    /// The next thing to do to a link. Call until there is none, after each input and after requests.
    pub fn poll(&mut self, links: &mut LinkNumbers) -> Option<LinkAction> {
        self.poll_with(links, Requester::take_block)
    }

    /// Like [`poll`](Self::poll), but leaves a block that has room for more. For whoever has more to ask for;
    /// `poll` in the end sends the rest.
    pub fn poll_whole(&mut self, links: &mut LinkNumbers) -> Option<LinkAction> {
        self.poll_with(links, Requester::take_whole_block)
    }

    fn poll_with(
        &mut self,
        links: &mut LinkNumbers,
        take: impl Fn(&mut Requester<D, T>) -> Option<Block>,
    ) -> Option<LinkAction> {
        if let Some(action) = self.actions.pop_front() {
            return Some(action);
        }
        match &mut self.state {
            State::Dialling { by } => {
                let (link, by) = (links.next(), *by);
                self.state = State::Connecting { link, by };
                let service = self.offer.as_ref().and_then(Offer::service);
                let showing = service.map(|service| service.credentials.clone());
                Some(LinkAction::Connect {
                    link,
                    protocol: D::PROTOCOL,
                    server: self.server.clone(),
                    showing,
                    reach: self.plan.reach,
                })
            }
            State::Open(open) => {
                let link = open.link;
                take(&mut open.requester).map(|block| LinkAction::Send { link, block })
            }
            State::Resting
            | State::Waiting { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => None,
        }
    }

    fn dial(&mut self, now: Now) {
        self.state = State::Dialling { by: now.mono + self.plan.connect_timeout };
    }

    fn on_block<'b>(&mut self, now: Now, link: LinkId, block: &'b mut [u8]) -> Inbox<'b> {
        match core::mem::replace(&mut self.state, State::Resting) {
            State::Greeting { by, greeting, .. } => {
                self.state = State::Connecting { link, by };
                let greeted = match self.offer.as_ref().and_then(Offer::service) {
                    Some(service) => greeting.on_hello_as(service, block, &mut self.keys),
                    None => greeting
                        .on_hello(block, &mut self.keys)
                        .map(|(session, hello)| (Greeted::Open(session), hello)),
                };
                match greeted {
                    Ok((greeted, hello)) => {
                        self.actions.push_back(LinkAction::Send { link, block: hello });
                        match greeted {
                            Greeted::Open(session) => self.open(now, link, session),
                            Greeted::Introduced(greeting) => {
                                self.state = State::Introduced { link, by, greeting: Box::new(greeting) };
                            }
                        }
                    }
                    Err(fault) => self.abandon(now, Loss::Fault(fault)),
                }
                Inbox::default()
            }
            State::Introduced { by, greeting, .. } => {
                self.state = State::Connecting { link, by };
                match greeting.on_answer(block) {
                    Ok(session) => self.open(now, link, session),
                    Err(fault) => self.abandon(now, Loss::Fault(fault)),
                }
                Inbox::default()
            }
            State::Open(mut open) => {
                // A server that only says hello and closes is not reached yet.
                self.backoff.reset();
                self.was_reached = true;
                open.heard = now.mono;
                open.has_answered = true;
                open.keepalive.on_heard(now.mono);
                let result = open.requester.on_block(block);
                self.state = State::Open(open);
                match result {
                    Ok(Ok(messages)) => return Inbox { messages: Some((link, messages)) },
                    Ok(Err(stray)) => self.events.push_back(Noted::Stray(stray)),
                    Err(fault) => self.abandon(now, Loss::Fault(fault)),
                }
                Inbox::default()
            }
            // An adapter gives no block before `Up`; whatever it means, it is not a hello.
            state @ (State::Resting
            | State::Waiting { .. }
            | State::Dialling { .. }
            | State::Connecting { .. }) => {
                self.state = state;
                Inbox::default()
            }
        }
    }

    /// The hellos are over.
    fn open(&mut self, now: Now, link: LinkId, session: ClientSession<D>) {
        if let Some(offer) = &mut self.offer {
            offer.on_opened();
        }
        self.events.push_back(Noted::Ready(session.version()));
        let correlation = Seed::new(self.keys.bytes()).stream(Stream::Correlation);
        self.state = State::Open(Box::new(Open {
            link,
            requester: Requester::new(session, self.plan.requester, correlation),
            keepalive: Keepalive::new(self.plan.keepalive),
            heard: now.mono,
            has_answered: false,
        }));
    }

    fn tick_open(&mut self, now: Now) {
        let State::Open(open) = &mut self.state else { return };
        while let Some(expired) = open.requester.expire(now.mono) {
            if open.heard <= expired.sent {
                open.keepalive.on_suspicion(now.mono);
            }
            self.events.extend(expired.tag.map(Noted::TimedOut));
        }
        match open.keepalive.poll(now.mono) {
            Silence::Bearable => {}
            Silence::Ask => open.requester.ping(now.mono),
            Silence::Dead => self.abandon(now, Loss::Silent),
        }
    }

    /// Closes the link and counts a failure.
    fn abandon(&mut self, now: Now, why: Loss) {
        if let Some(link) = self.link() {
            self.actions.push_back(LinkAction::Close { link });
        }
        self.lose(now, why);
    }

    /// The link is gone: notes what was lost with it and when to try again.
    fn lose(&mut self, now: Now, why: Loss) {
        let unreached = self.plan.unreached_backoff.filter(|_| !self.was_reached);
        let plan = unreached.unwrap_or(self.plan.backoff);
        let until = now.mono + self.backoff.next_delay(plan, &mut self.jitter);
        self.settle(why, Some(until));
        self.state = State::Waiting { until };
    }

    /// Leaves the present state, telling what ended with it.
    fn settle(&mut self, why: Loss, retry_at: Option<Mono>) {
        match core::mem::replace(&mut self.state, State::Resting) {
            State::Open(open) => {
                if let Some(offer) = self.offer.as_mut().filter(|_| !open.has_answered) {
                    offer.on_failed(why);
                }
                self.events.push_back(Noted::Down { why, retry_at });
                self.events.extend(open.requester.into_lost().map(Noted::Lost));
            }
            State::Dialling { .. }
            | State::Connecting { .. }
            | State::Greeting { .. }
            | State::Introduced { .. } => {
                if let Some(offer) = &mut self.offer {
                    offer.on_failed(why);
                }
                self.events.push_back(Noted::Unreachable { why, retry_at });
            }
            State::Resting | State::Waiting { .. } => {}
        }
    }
}
