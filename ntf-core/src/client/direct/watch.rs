//! The subscription to the messages of each queue: SUB, and what its server says by itself.
//!
//! A subscription ends with its connection, so every queue is subscribed to again over the next one. SUB gives
//! the message that was not acknowledged once more: that is how nothing is lost when an answer is.
//!
//! Source: `smp-transport` 5.3, SUB; 7.5.

use super::DirectState;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{Fetch, Phase, Queue, Watch};
use crate::client::servers::{Ask, ServerIndex, SmpAnswer, SmpTag, words};
use crate::link::engine::Loss;
use crate::model::server::ServerAddress;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Client {
    /// Sees to it that the messages of a queue come by themselves, if they are to.
    pub(in crate::client) fn watch_queue(&mut self, now: Now, id: QueueId) {
        if !self.is_direct() {
            return;
        }
        if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut)
            && live.watch == Watch::Off
        {
            live.watch = Watch::Wanted;
        }
        self.ask_sub(now, id);
    }

    /// Subscribes to a queue once more: its server has not heard that we have its last message.
    pub(in crate::client) fn watch_again(&mut self, now: Now, id: QueueId) {
        self.set_watch(id, Watch::Wanted);
        self.ask_sub(now, id);
    }

    /// Subscribes to every queue, those that were refused or taken too.
    pub(in crate::client) fn want_all(&mut self, now: Now) {
        if !self.is_direct() {
            return;
        }
        for id in self.live_queues() {
            if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut)
                && matches!(live.watch, Watch::Delayed | Watch::Ended)
            {
                live.watch = Watch::Wanted;
            }
            self.timers.cancel(&Timer::Watch(id));
            self.watch_queue(now, id);
        }
    }

    /// Subscribes to nothing any more.
    pub(super) fn unwatch_all(&mut self) {
        for id in self.live_queues() {
            self.timers.cancel(&Timer::Watch(id));
            self.set_watch(id, Watch::Off);
        }
    }

    /// Lets go of connections to servers without queues.
    pub(in crate::client) fn let_go_of_unwatched(&mut self) {
        let watched = self.queues.values().filter(|queue| queue.live().is_some()).map(|queue| &queue.server);
        let watched: BTreeSet<&ServerAddress> = watched.collect();
        let held = self.servers.held().filter(|(_, server)| !watched.contains(server.engine.server()));
        for index in held.map(|(index, _)| index).collect::<Vec<_>>() {
            self.servers.let_go(index);
        }
    }

    fn ask_sub(&mut self, now: Now, id: QueueId) {
        if self.is_network_lost() {
            return;
        }
        let Some(Queue { server, auth, phase: Phase::Live(live) }) = self.queues.get_mut(&id) else { return };
        if live.watch != Watch::Wanted {
            return;
        }
        self.servers.hold(now, &self.config, server);
        let (entity, tag) = (Some(&live.recipient), SmpTag::Sub(id));
        match self.servers.ask_smp(now, &self.config, server, entity, Some(auth), &Command::Sub, tag) {
            Ask::Out => live.watch = Watch::Asked,
            Ask::Later => {}
            Ask::Impossible(why, advice) => {
                live.watch = Watch::Ended;
                self.fail(None, advice, why);
            }
        }
    }

    pub(in crate::client) fn on_sub_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        if live.watch != Watch::Asked {
            return;
        }
        match answer {
            SmpAnswer::Message(Message::Sok { .. } | Message::Ok) => self.on_subscribed(id),
            // Older servers give the message that waits in the answer.
            SmpAnswer::Message(Message::Msg { id: message, body }) => {
                self.on_subscribed(id);
                self.on_message(now, id, message, body);
            }
            SmpAnswer::Lost => self.watch_again(now, id),
            SmpAnswer::Error(ErrorCode::Auth) => {
                self.end_watch(id, DirectState::Gone);
                self.fail(None, Advice::AskUser, "SUB: the SMP server no longer has the queue (AUTH)");
            }
            SmpAnswer::Error(ErrorCode::Cmd(CommandError::Prohibited)) => {
                // Fetched from over this connection; another one has no such past.
                let server = self.queues.get(&id).map(|queue| queue.server.clone());
                self.delay_watch(now, id);
                if let Some(index) = server.and_then(|server| self.servers.hold(now, &self.config, &server)) {
                    self.servers.redial(now, index);
                    self.read(now, index, Default::default());
                }
            }
            SmpAnswer::Error(code) => {
                let advice = match lasting(&code) {
                    Some(advice) => {
                        self.end_watch(id, DirectState::Gone);
                        advice
                    }
                    None => {
                        self.delay_watch(now, id);
                        self.until(now, &Timer::Watch(id))
                    }
                };
                self.fail(None, advice, words("SUB", "the SMP server", &code));
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                self.delay_watch(now, id);
                self.fail(None, Advice::ReportBug, "SUB: the SMP server's answer is none to this command");
            }
        }
    }

    fn on_subscribed(&mut self, id: QueueId) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.watch = Watch::On;
        live.watch_backoff.reset();
        self.tell(Event::Direct { queue: id, state: DirectState::On });
    }

    /// What a server says by itself. It is about a queue of ours, or nothing.
    pub(in crate::client) fn on_smp_unasked(
        &mut self,
        now: Now,
        index: ServerIndex,
        entity: &[u8],
        message: Message<'_>,
    ) {
        let Some((id, watch)) = self.watched_as(index, entity) else {
            return self.counters.answers_unfit.count();
        };
        match (message, watch) {
            (Message::Msg { id: message, body }, Watch::Asked | Watch::On) => {
                if watch == Watch::Asked {
                    self.on_subscribed(id);
                }
                self.on_message(now, id, message, body);
            }
            (Message::End, Watch::On) => self.end_watch(id, DirectState::TakenOver),
            (Message::Deld, _) => self.end_watch(id, DirectState::Gone),
            (Message::Err(code), _) => {
                self.end_watch(id, DirectState::Gone);
                let advice = lasting(&code).unwrap_or(Advice::AskUser);
                self.fail(None, advice, words("SUB", "the SMP server", &code));
            }
            // END that crossed our SUB is about the subscription before it.
            (Message::End, _) => {}
            (_, _) => self.counters.answers_unfit.count(),
        }
    }

    /// The queue that a server calls so, if we subscribe to it. Costs a look at every queue.
    fn watched_as(&mut self, index: ServerIndex, entity: &[u8]) -> Option<(QueueId, Watch)> {
        if self.servers.is_apart(index) {
            return None;
        }
        let server = self.servers.get(index)?.engine.server();
        self.queues.iter().find_map(|(id, queue)| {
            let live = queue.live().filter(|live| live.recipient.as_bytes() == entity)?;
            (live.watch != Watch::Off && queue.server == *server).then_some((*id, live.watch))
        })
    }

    /// A connection is there: every queue is subscribed to over it.
    pub(in crate::client) fn on_smp_ready(&mut self, now: Now, index: ServerIndex) {
        if !self.servers.is_apart(index) {
            self.note_connected(now);
            self.resume(now, index);
        }
    }

    /// A connection is gone, and its subscriptions with it.
    pub(in crate::client) fn on_smp_down(&mut self, now: Now, index: ServerIndex, why: Loss) {
        if self.servers.is_apart(index) {
            return self.note_scout_lost(now, why);
        }
        self.note_lost(now, index, why);
        let Some(server) = self.servers.get(index).map(|server| server.engine.server().clone()) else {
            return;
        };
        let of_server = self.queues.iter_mut().filter(|(_, queue)| queue.server == server);
        let mut lost = Vec::new();
        for (id, queue) in of_server {
            let Some(live) = queue.live_mut() else { continue };
            match live.watch {
                Watch::On => lost.push(*id),
                Watch::Asked | Watch::Ended => {}
                Watch::Off | Watch::Wanted | Watch::Delayed => continue,
            }
            live.watch = Watch::Wanted;
        }
        for queue in lost {
            self.tell(Event::Direct { queue, state: DirectState::Lost });
        }
    }

    pub(in crate::client) fn on_watch_timer(&mut self, now: Now, id: QueueId) {
        let watch = self.queues.get(&id).and_then(Queue::live).map(|live| live.watch);
        if watch == Some(Watch::Delayed) {
            self.watch_again(now, id);
        }
    }

    fn delay_watch(&mut self, now: Now, id: QueueId) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.watch = Watch::Delayed;
        let delay = live.watch_backoff.next_delay(self.config.retry, &mut self.jitter);
        let at = self.shared(now, now.mono + delay);
        self.timers.set(Timer::Watch(id), at);
    }

    fn end_watch(&mut self, id: QueueId, state: DirectState) {
        self.set_watch(id, Watch::Ended);
        self.tell(Event::Direct { queue: id, state });
    }

    fn set_watch(&mut self, id: QueueId, watch: Watch) {
        if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) {
            live.watch = watch;
            if live.fetch == Fetch::Waiting {
                live.fetch = Fetch::Idle;
            }
        }
    }
}
