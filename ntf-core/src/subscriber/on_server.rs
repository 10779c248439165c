//! SMP servers: one connection to each, on which all its queues are asked for, in slices.
//!
//! The engine reconnects by itself; here is decided what to ask for and what an answer or event means.
//! Source: `ntf-protocol` 4.5, 4.7, `smp-transport` 6 and 7.

use crate::base::backoff::{Backoff, BackoffPlan};
use crate::base::mutant;
use crate::base::rng::Seed;
use crate::base::time::Mono;
use crate::link::engine::{Inbox, LinkNumbers, Loss};
use crate::link::event::{DownReason, LinkAction, LinkEvent};
use crate::link::requester::{NotSent, ReplyFault, Timeliness};
use crate::link::state::LinkFault;
use crate::model::index::{ServerIndex, SubscriptionIndex};
use crate::model::notification::Notice;
use crate::smp::client::{SmpClient, SmpEvent, Subscribed, subscribed};
use crate::subscriber::effect::{Effect, Milestone};
use crate::subscriber::on_service::{Service, identity_for};
use crate::subscriber::{Subscriber, Timer};
use crate::subscription::state::{Failure, Over};
use crate::token::state::State;
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use core::time::Duration;

/// The connection to an SMP server.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) engine: SmpClient<Asked>,
    /// What the server makes of us as a service.
    pub(super) service: Service,
    /// Whether the server stands in `busy`.
    is_busy: bool,
    /// Whether a server in trouble is left alone until its timer.
    is_paused: bool,
    /// Queues that it was asked for and has not answered.
    asked: usize,
    /// Whether a question has gone unanswered since it last answered one.
    is_silent: bool,
    pub(super) trouble: Backoff,
    /// Pauses before what failed is tried again.
    failing: Backoff,
    /// Since when there is no session.
    away_since: Mono,
}

/// What a request was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// NSUB for this subscription.
    Queue(SubscriptionIndex),
    /// NSUBS for all that is tied to our service.
    Service,
}

/// Pauses for a server that answers NSUB with troubles of its own. Source: ours.
const TROUBLE: BackoffPlan = BackoffPlan { first: Duration::from_secs(5), max: Duration::from_secs(300) };

/// Pauses before queues that a server refused, for a reason that may pass, are asked for again. Source: ours; they
/// are reported as not kept meanwhile, so this is for clients that do not look.
const FAILING: BackoffPlan =
    BackoffPlan { first: Duration::from_secs(600), max: Duration::from_secs(21_600) };

/// How long a server is away until what waits for it is reported as failed, `ERR NETWORK`. Source: ours; an
/// operator mends a server within days, and clients that look then make their subscription anew, or learn that the
/// server is gone for them too.
const AWAY_MAX: Duration = Duration::from_secs(7 * 86_400);

/// Most NSUB made in one call. Source: ours; about two blocks, some milliseconds of signing.
const SLICE: usize = 256;

/// Queues that a server is asked for beyond [`Config::asked_max`](crate::subscriber::Config::asked_max), and all that one
/// is asked for that leaves questions unanswered, so that such servers hold up nobody for longer than it takes to give one
/// up. Source: ours; some hundred each second from a server that is a tenth of a second away.
pub(super) const ASKED_FEW: usize = 16;

impl Subscriber {
    /// A server has queues to ask for: connects if need be.
    pub(super) fn watch(&mut self, server: ServerIndex) {
        let Some(row) = self.subscriptions.server(server) else { return };
        let watched = self.servers.entry(server).or_insert_with(|| {
            let seed = Seed::new(self.engines.bytes());
            let mut engine = SmpClient::new(row.address().clone(), self.config.smp, &seed);
            if self.config.use_service_certificates {
                engine.offer_service(identity_for(&self.services, row.address()));
            }
            let service = Service::default();
            let (trouble, failing) = (Backoff::new(), Backoff::new());
            let away_since = self.now.mono;
            Watched {
                engine,
                service,
                is_busy: false,
                is_paused: false,
                asked: 0,
                is_silent: false,
                trouble,
                failing,
                away_since,
            }
        });
        watched.engine.connect(self.now);
        self.make_busy(server);
    }

    /// Closes the connection to a server of which nothing is wanted any more.
    pub(super) fn unwatch_if_idle(&mut self, server: ServerIndex) {
        if self.subscriptions.server(server).is_some_and(|row| row.is_wanted()) {
            return;
        }
        let Some(mut watched) = self.servers.remove(&server) else { return };
        self.asked = self.asked.saturating_sub(watched.asked);
        watched.engine.disconnect();
        while let Some(action) = watched.engine.poll(&mut self.link_numbers) {
            self.outbox.push(Effect::Link(action));
        }
        self.subscriptions.session_over(server);
        self.subscriptions.untie(server);
        self.timers.cancel(&Timer::Server(server));
        self.timers.cancel(&Timer::Ask(server));
        self.timers.cancel(&Timer::Failed(server));
    }

    pub(super) fn on_server_link(&mut self, event: LinkEvent<'_>) {
        let link = event.link();
        let Some(server) = self.server_links.get(&link).copied() else { return };
        if let LinkEvent::Down { .. } = event {
            self.server_links.remove(&link);
        }
        let Some(watched) = self.servers.get_mut(&server) else { return };
        let mut inbox = watched.engine.on_link(self.now, event);
        self.on_server_events(server, &mut inbox);
    }

    pub(super) fn on_server_time(&mut self, server: ServerIndex) {
        let Some(watched) = self.servers.get_mut(&server) else { return };
        watched.engine.tick(self.now);
        self.on_server_events(server, &mut Inbox::default());
    }

    fn on_server_events(&mut self, server: ServerIndex, inbox: &mut Inbox<'_>) {
        while let Some(event) = self.servers.get_mut(&server).and_then(|watched| watched.engine.next(inbox)) {
            self.on_server_event(server, event);
        }
        self.make_busy(server);
        self.unwatch_if_idle(server);
    }

    fn on_server_event(&mut self, server: ServerIndex, event: SmpEvent<'_, Asked>) {
        let counters = &mut self.counters.subscriptions;
        match event {
            SmpEvent::Ready { .. } => {
                counters.sessions.count();
                self.subscriptions.reached(server);
                if let Some(watched) = self.servers.get_mut(&server) {
                    watched.failing.reset();
                }
                self.on_session(server);
            }
            SmpEvent::Reply { tag: Asked::Queue(index), timeliness, result } => {
                if timeliness == Timeliness::InTime {
                    self.asked_no_more(server);
                }
                self.note_silence(server, false);
                self.on_subscribed(server, index, &result);
            }
            SmpEvent::Reply { tag: Asked::Service, result, .. } => self.on_resumed(server, &result),
            SmpEvent::Unasked { entity, message } => self.on_server_says(server, entity, &message),
            SmpEvent::TimedOut { tag: Asked::Queue(index) } => {
                counters.unanswered.count();
                self.subscriptions.retry(index);
                self.asked_no_more(server);
                self.note_silence(server, true);
            }
            SmpEvent::TimedOut { tag: Asked::Service } => self.on_service_unanswered(server),
            // Its session is over, and what it was about waits for the next one already.
            SmpEvent::Lost { tag: Asked::Queue(_) } => self.asked_no_more(server),
            SmpEvent::Lost { tag: Asked::Service } => {}
            SmpEvent::Down { .. } => {
                counters.sessions_lost.count();
                self.subscriptions.session_over(server);
                if let Some(watched) = self.servers.get_mut(&server) {
                    watched.away_since = self.now.mono;
                }
            }
            SmpEvent::Unreachable { why, .. } => {
                counters.unreachable.count();
                let is_barred = why == Loss::Down(DownReason::NotPublic);
                counters.not_public.add(u64::from(is_barred));
                let away_since = self.servers.get(&server).map(|watched| watched.away_since);
                let is_away = away_since.is_some_and(|since| since + AWAY_MAX <= self.now.mono);
                let outage = match (is_barred, is_away) {
                    (true, _) => Some(Failure::NotPublic),
                    (false, true) => Some(Failure::Unreached),
                    (false, false) => None,
                };
                self.subscriptions.report_outage(server, outage);
                if why == Loss::Fault(LinkFault::ServiceRefused) {
                    self.counters.services.refused.count();
                }
            }
            SmpEvent::Stray(_) => counters.strays.count(),
        }
    }

    /// The answer to NSUB. Source: `ntf-protocol` 4.7.
    fn on_subscribed(
        &mut self,
        server: ServerIndex,
        index: SubscriptionIndex,
        result: &Result<Message<'_>, ReplyFault>,
    ) {
        let over = match subscribed(result) {
            Subscribed::Active { service } => {
                let is_tied = service.is_some_and(|id| self.is_our_service(server, id));
                let is_news = match is_tied {
                    true => self.subscriptions.tied(index),
                    false => self.subscriptions.confirmed(index),
                };
                if is_news {
                    self.counters.subscriptions.confirmed.count();
                }
                if is_news && is_tied {
                    self.counters.services.tied.count();
                }
                if let Some(watched) = self.servers.get_mut(&server) {
                    watched.trouble.reset();
                }
                return;
            }
            Subscribed::TryLater(_) => {
                self.counters.subscriptions.put_off.count();
                self.subscriptions.retry(index);
                return self.pause(server);
            }
            Subscribed::ServiceRefused if self.is_service(server) => {
                // The fault may be in what the service signed, so the queue is asked for without it.
                self.subscriptions.retry(index);
                return self.leave_service(server);
            }
            Subscribed::Unauthorized => Over::Auth,
            Subscribed::ServiceRefused => Over::Service,
            Subscribed::Failed(code) => Over::Failed(failure_of(&code)),
            Subscribed::Unexpected => Over::Failed(Failure::Unexpected),
        };
        self.give_up(server, index, over);
    }

    /// The server refused a queue. What may pass is tried again after a while, with others of the same fate.
    fn give_up(&mut self, server: ServerIndex, index: SubscriptionIndex, over: Over) {
        if self.subscriptions.over(index, over) {
            self.counters.subscriptions.failed.count();
        }
        let Some(watched) = self.servers.get_mut(&server) else { return };
        if over.may_pass() && self.timers.deadline(&Timer::Failed(server)).is_none() {
            let delay = watched.failing.next_delay(FAILING, &mut self.jitter);
            self.timers.set(Timer::Failed(server), self.now.mono + delay);
        }
    }

    /// Tries again what failed.
    pub(super) fn on_failed_due(&mut self, server: ServerIndex) {
        let count = self.subscriptions.retry_failed(server);
        self.counters.subscriptions.retried.add(u64::from(count));
        self.make_busy(server);
    }

    /// The server is in trouble: asks for nothing more for a while.
    pub(super) fn pause(&mut self, server: ServerIndex) {
        let Some(watched) = self.servers.get_mut(&server) else { return };
        if !watched.is_paused {
            watched.is_paused = true;
            let delay = watched.trouble.next_delay(TROUBLE, &mut self.jitter);
            self.timers.set(Timer::Ask(server), self.now.mono + delay);
        }
    }

    /// The pause is over.
    pub(super) fn ask_again(&mut self, server: ServerIndex) {
        if let Some(watched) = self.servers.get_mut(&server) {
            watched.is_paused = false;
            self.make_busy(server);
        }
    }

    fn on_server_says(&mut self, server: ServerIndex, notifier: &[u8], message: &Message<'_>) {
        let index = self.subscriptions.by_queue(server, notifier);
        match message {
            Message::Nmsg { nonce, meta } => {
                let notice =
                    Notice { received_at: self.now.wall.unix_secs(), nonce: *nonce, meta: (*meta).into() };
                self.on_notice(index, notice);
            }
            Message::End => match index {
                // Subscribed in this very session, so another client has taken it. What is not was ended
                // by our own newer session.
                Some(index) if self.subscriptions.is_live(index) => {
                    if self.subscriptions.over(index, Over::Taken) {
                        self.counters.subscriptions.ended.count();
                    }
                }
                Some(_) => self.counters.subscriptions.stale_ends.count(),
                None => {
                    self.subscriptions.forgotten_has_gone(server);
                    self.counters.subscriptions.stale_ends.count();
                }
            },
            Message::Deld => {
                if index.is_some_and(|index| self.subscriptions.over(index, Over::Deleted)) {
                    self.counters.subscriptions.gone.count();
                }
                if index.is_none() {
                    self.subscriptions.forgotten_has_gone(server);
                }
            }
            Message::Ends { .. } if self.is_our_service(server, notifier) => self.on_service_taken(server),
            Message::Ids(_)
            | Message::Lnk { .. }
            | Message::Sok { .. }
            | Message::Soks { .. }
            | Message::Ok
            | Message::Msg { .. }
            | Message::Nid(_)
            | Message::Ends { .. }
            | Message::Info { .. }
            | Message::Pong
            | Message::Err(_)
            | Message::Pkey { .. }
            | Message::Pres { .. }
            | Message::Rres { .. } => self.counters.subscriptions.strays.count(),
        }
    }

    /// NMSG: the token's device is to hear of it, if it has proved itself. Source: `ntf-protocol` 4.5.
    fn on_notice(&mut self, index: Option<SubscriptionIndex>, notice: Notice) {
        self.counters.received.count();
        let wanted = index.and_then(|index| {
            let owner = self.subscriptions.get(index)?.owner();
            let owner = match mutant::is("notice_to_another") {
                true => self.subscriptions.iter().next()?.1.owner(),
                false => owner,
            };
            let is_active = matches!(self.tokens.get(owner)?.state(), State::Active(_));
            is_active.then_some((index, owner))
        });
        let Some((index, owner)) = wanted else {
            self.counters.unwanted.count();
            return;
        };
        self.subscriptions.heard(index);
        let nonce = notice.nonce;
        if self.delivery.take_in(self.now.mono, owner, index, notice) {
            self.outbox.push(Effect::Milestone(Milestone::Received { nonce }));
        }
    }

    /// The next thing to do to a link of an SMP server: what an engine wants, or a slice of NSUB.
    pub(super) fn next_server_action(&mut self) -> Option<LinkAction> {
        while let Some(server) = self.busy.front().copied() {
            if let Some(action) = self.server_action(server, SmpClient::poll_whole) {
                return Some(action);
            }
            if self.ask_slice(server) > 0 {
                continue;
            }
            // Nothing more to fill the last block with.
            if let Some(action) = self.server_action(server, SmpClient::poll) {
                return Some(action);
            }
            self.busy.pop_front();
            if let Some(watched) = self.servers.get_mut(&server) {
                watched.is_busy = false;
            }
            self.rearm(server);
            self.unwatch_if_idle(server);
            if !self.outbox.is_empty() {
                return None;
            }
        }
        None
    }

    fn server_action(
        &mut self,
        server: ServerIndex,
        poll: impl Fn(&mut SmpClient<Asked>, &mut LinkNumbers) -> Option<LinkAction>,
    ) -> Option<LinkAction> {
        let action = poll(&mut self.servers.get_mut(&server)?.engine, &mut self.link_numbers)?;
        if let LinkAction::Connect { link, .. } = &action {
            self.server_links.insert(*link, server);
        }
        // Servers take turns, so that a large one does not hold up the others.
        self.busy.rotate_left(1);
        Some(action)
    }

    /// Asks for the next queues of a server, as many as the window of all takes; says how many were asked for.
    fn ask_slice(&mut self, server: ServerIndex) -> usize {
        if self.servers.get(&server).is_none_or(|watched| watched.is_paused) {
            return 0;
        }
        // What one command brings back is not to wait for thousands of others.
        let mut asked = usize::from(self.ask_for_service(server));
        while let Some(watched) = self.servers.get_mut(&server)
            && asked < SLICE.min(watched.engine.room())
            && (watched.asked < ASKED_FEW || !watched.is_silent && self.asked < self.config.asked_max)
        {
            let Some(ask) = self.subscriptions.ask_next(server) else { break };
            let (entity, key) = (Some(&ask.notifier), Some(&ask.key));
            match watched.engine.request(self.now, entity, key, &Command::Nsub, Asked::Queue(ask.index)) {
                Ok(()) => {
                    asked += 1;
                    watched.asked += 1;
                    self.asked += 1;
                    self.counters.subscriptions.asked.count();
                }
                Err(NotSent::NotReady | NotSent::Full) => {
                    self.subscriptions.retry(ask.index);
                    break;
                }
                Err(NotSent::TooLong | NotSent::CannotAuthorize(_) | NotSent::NoService) => {
                    self.give_up(server, ask.index, Over::Failed(Failure::Key));
                }
            }
        }
        asked
    }

    /// A queue that a server was asked for is so no more, whatever came of it.
    fn asked_no_more(&mut self, server: ServerIndex) {
        let Some(watched) = self.servers.get_mut(&server) else { return };
        debug_assert!(watched.asked > 0 && self.asked > 0, "each question ends once");
        watched.asked = watched.asked.saturating_sub(1);
        self.asked = self.asked.saturating_sub(1);
    }

    fn note_silence(&mut self, server: ServerIndex, is_silent: bool) {
        if let Some(watched) = self.servers.get_mut(&server) {
            watched.is_silent = is_silent;
        }
    }

    fn is_service(&self, server: ServerIndex) -> bool {
        self.servers.get(&server).is_some_and(|watched| watched.engine.service().is_some())
    }

    fn make_busy(&mut self, server: ServerIndex) {
        if let Some(watched) = self.servers.get_mut(&server)
            && !watched.is_busy
        {
            watched.is_busy = true;
            self.busy.push_back(server);
        }
    }

    fn rearm(&mut self, server: ServerIndex) {
        match self.servers.get(&server).and_then(|watched| watched.engine.deadline()) {
            Some(deadline) => self.timers.set(Timer::Server(server), deadline.at),
            None => self.timers.cancel(&Timer::Server(server)),
        }
    }
}

/// What a lasting error in answer to NSUB is called.
const fn failure_of(code: &ErrorCode<'_>) -> Failure {
    match code {
        ErrorCode::Cmd(_) => Failure::Command,
        ErrorCode::Block => Failure::Block,
        ErrorCode::Blocked(_) => Failure::Blocked,
        ErrorCode::Auth
        | ErrorCode::Service
        | ErrorCode::Quota
        | ErrorCode::Internal
        | ErrorCode::Store(_)
        | ErrorCode::Crypto
        | ErrorCode::Session
        | ErrorCode::Proxy(_)
        | ErrorCode::NoMsg
        | ErrorCode::LargeMsg
        | ErrorCode::Expired
        | ErrorCode::Duplicate
        | ErrorCode::Other(_) => Failure::OtherError,
    }
}
