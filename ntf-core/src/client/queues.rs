//! The device as a recipient: creates queues, makes and removes notifier credentials for them.
//!
//! NKEY makes the credentials, on every version alike. It is asked again with fresh keys whenever the
//! answer was lost or the subscriber lost the queue: each call gives a new notifier id, and a new key with
//! it keeps an old subscriber from following (`ntf-protocol` 7.1, H13).

use crate::base::id::EntityId;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::{QueueId, RequestTag};
use crate::client::on_timer::Timer;
use crate::client::queue::{Fate, Lane, Live, Notifier, NotifierKeys, Phase, Queue, Removal, Subscription};
use crate::client::receive::NotifierKey;
use crate::client::servers::{Ask, SmpAnswer, SmpTag, words};
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private, X25519Private};
use crate::model::server::ServerAddress;
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::command::Command;
use crate::wire::smp::queue::{NewQueue, QueueRequest, SubscribeMode};
use crate::wire::smp::response::Message;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

impl Client {
    pub(super) fn on_create_queue(&mut self, now: Now, tag: RequestTag, server: ServerAddress) {
        if self.queues.len() >= self.config.queues_max {
            return self.fail(Some(tag), Advice::Configure, "this client has as many queues as it may");
        }
        let id = QueueId(self.queues_made);
        self.queues_made = self.queues_made.wrapping_add(1);
        self.queues.insert(id, Queue::new(server, tag, &mut self.keys));
        self.advance_queue(now, id);
    }

    /// Does what is next for a queue, in each of its concerns.
    pub(super) fn advance_queue(&mut self, now: Now, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else { return };
        match &queue.phase {
            Phase::Creating { .. } => self.ask_new(now, id),
            Phase::Deleting { .. } => self.ask_delete(now, id),
            Phase::Live(_) => {
                self.ask_notifier(now, id);
                self.ask_removal(now, id);
                self.ask_subscription(now, id);
                self.watch_queue(now, id);
            }
        }
    }

    /// Goes on with every queue at an SMP server that has come up.
    pub(super) fn resume_queues(&mut self, now: Now, server: &ServerAddress) {
        let of_server: Vec<_> =
            self.queues.iter().filter(|(_, queue)| queue.server == *server).map(|(id, _)| *id).collect();
        for id in of_server {
            self.advance_queue(now, id);
        }
        self.advance_line(now);
    }

    fn ask_new(&mut self, now: Now, id: QueueId) {
        let Some(Queue { server, auth, phase }) = self.queues.get_mut(&id) else { return };
        let (Phase::Creating { dh, lane, .. }, Some(public)) = (phase, auth.public()) else { return };
        if *lane == Lane::Busy {
            return;
        }
        // Only created, not subscribed: a subscription would forbid GET on this connection.
        let command = Command::New(NewQueue {
            auth: public,
            dh: dh.public(),
            password: None,
            subscribe: SubscribeMode::OnlyCreate,
            request: Some(QueueRequest::Messaging(None)),
            notifier: None,
        });
        match self.servers.ask_smp(now, &self.config, server, None, Some(auth), &command, SmpTag::New(id)) {
            Ask::Out => *lane = Lane::Busy,
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.give_up_queue(id, advice, why),
        }
    }

    pub(super) fn on_new_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(Queue { phase: Phase::Creating { tag, dh, fate, lane }, .. }) = self.queues.get_mut(&id)
        else {
            return;
        };
        match answer {
            SmpAnswer::Message(Message::Ids(ids)) => {
                let (Some(recipient), Some(sender)) =
                    (EntityId::new(ids.recipient), EntityId::new(ids.sender))
                else {
                    return self.give_up_queue(
                        id,
                        Advice::ReportBug,
                        "NEW: the SMP server gave a queue without an id",
                    );
                };
                let (tag, fate) = (*tag, *fate);
                let mut live = Live::new(recipient, sender, dh.agree(&ids.dh));
                live.unannounced = Some(tag);
                if let Some(queue) = self.queues.get_mut(&id) {
                    queue.phase = Phase::Live(Box::new(live));
                }
                match fate {
                    Fate::Keep if self.is_watched(id) => self.advance_queue(now, id),
                    Fate::Keep => {
                        if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) {
                            live.notifier = Notifier::Off;
                            live.unannounced = None;
                        }
                        self.announce(id, tag);
                        self.watch_queue(now, id);
                    }
                    Fate::Delete => self.on_delete_queue(now, id),
                }
            }
            SmpAnswer::Lost => {
                *lane = Lane::Free;
                self.ask_new(now, id);
            }
            SmpAnswer::Error(ErrorCode::Auth) => {
                let why = "NEW: the SMP server does not let us create queues (AUTH)";
                self.give_up_queue(id, Advice::AskUser, why);
            }
            SmpAnswer::Error(code) => {
                let advice = lasting(&code).unwrap_or_else(|| self.try_again());
                self.give_up_queue(id, advice, words("NEW", "the SMP server", &code));
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                let why = "NEW: the SMP server's answer is none to this command";
                self.give_up_queue(id, Advice::ReportBug, why);
            }
        }
    }

    fn give_up_queue(&mut self, id: QueueId, advice: Advice, why: impl Into<String>) {
        if let Some(Queue { phase: Phase::Creating { tag, .. }, .. }) = self.queues.remove(&id) {
            self.fail(Some(tag), advice, why);
        }
    }

    fn ask_notifier(&mut self, now: Now, id: QueueId) {
        let Some(Queue { server, auth, phase: Phase::Live(live) }) = self.queues.get_mut(&id) else { return };
        if !matches!(live.notifier, Notifier::Missing) {
            return;
        }
        let notifier = Ed25519Private::generate(&mut self.keys);
        let dh = X25519Private::generate(&mut self.keys);
        let public = AuthPublicKey::Ed25519(notifier.public());
        let command = Command::Nkey { notifier: public, dh: dh.public() };
        let entity = Some(&live.recipient);
        match self.servers.ask_smp(now, &self.config, server, entity, Some(auth), &command, SmpTag::Nkey(id))
        {
            Ask::Out => live.notifier = Notifier::Asked { auth: AuthPrivateKey::Ed25519(notifier), dh },
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.delay_notifier(now, id, Some(advice), why),
        }
    }

    pub(super) fn on_nkey_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let is_watched = self.is_watched(id);
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        let Notifier::Asked { .. } = &live.notifier else { return };
        let asked = core::mem::replace(&mut live.notifier, Notifier::Missing);
        if !is_watched {
            // Turned off meanwhile. Whatever the answer, the SMP server may have credentials.
            if let Some(tag) = live.unannounced.take() {
                self.announce(id, tag);
            }
            return self.turn_notifications(now, id);
        }
        match (answer, asked) {
            (SmpAnswer::Message(Message::Nid(ids)), Notifier::Asked { auth, dh }) => {
                let Some(notifier) = EntityId::new(ids.notifier) else {
                    return self.delay_notifier(
                        now,
                        id,
                        Some(Advice::ReportBug),
                        "NKEY: the SMP server gave a notifier without an id",
                    );
                };
                let keys = NotifierKeys { id: notifier, auth, secret: dh.agree(&ids.dh) };
                live.attempt = live.attempt.next();
                live.notifier = Notifier::Ready(keys);
                let unannounced = live.unannounced.take();
                self.note_notifier(id);
                match unannounced {
                    Some(tag) => self.announce(id, tag),
                    // No notice was made of messages that came between two sets of credentials.
                    None => self.fetch(now, id),
                }
                self.advance_queue(now, id);
            }
            (SmpAnswer::Lost, _) => self.ask_notifier(now, id),
            (SmpAnswer::Error(ErrorCode::Auth), _) => self.delay_notifier(
                now,
                id,
                Some(Advice::AskUser),
                "NKEY: the SMP server no longer has the queue, or does not know our key (AUTH)",
            ),
            (SmpAnswer::Error(code), _) => {
                self.delay_notifier(now, id, lasting(&code), words("NKEY", "the SMP server", &code));
            }
            (SmpAnswer::Message(_) | SmpAnswer::Unfit, _) => {
                self.counters.answers_unfit.count();
                let why = "NKEY: the SMP server's answer is none to this command";
                self.delay_notifier(now, id, Some(Advice::ReportBug), why);
            }
        }
    }

    /// Tells the application about a queue that is ready, or as ready as it gets for the time being.
    fn announce(&mut self, id: QueueId, tag: RequestTag) {
        let Some(address) = self.sender_address(id) else { return };
        self.tell(Event::QueueCreated { tag, queue: id, address });
    }

    /// NKEY was refused: says so, and tries again later. The queue is usable without notifications.
    fn delay_notifier(&mut self, now: Now, id: QueueId, lasting: Option<Advice>, why: impl Into<String>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.notifier = Notifier::Delayed;
        let delay = live.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Queue(id), now.mono + delay);
        if let Some(tag) = live.unannounced.take() {
            self.announce(id, tag);
        }
        self.fail(None, lasting.unwrap_or(Advice::Wait { next: delay }), why);
    }

    /// The retry timer of a queue.
    pub(super) fn on_queue_timer(&mut self, now: Now, id: QueueId) {
        self.on_delete_timer(now, id);
        if self.timers.deadline(&Timer::Fetch(id)).is_some() {
            self.timers.cancel(&Timer::Fetch(id));
            self.fetch(now, id);
        }
        if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) {
            if matches!(live.notifier, Notifier::Delayed) {
                live.notifier = Notifier::Missing;
            }
            if matches!(live.notifier, Notifier::Removing(Removal::Delayed)) {
                live.notifier = Notifier::Removing(Removal::Wanted);
            }
            if matches!(live.subscription, Subscription::Delayed) {
                live.subscription = Subscription::Missing;
            }
        }
        self.advance_queue(now, id);
    }

    /// NDEL, if the queue is not to be watched any more.
    fn ask_removal(&mut self, now: Now, id: QueueId) {
        let Some(Queue { server, auth, phase: Phase::Live(live) }) = self.queues.get_mut(&id) else { return };
        if !matches!(live.notifier, Notifier::Removing(Removal::Wanted)) {
            return;
        }
        let (entity, tag) = (Some(&live.recipient), SmpTag::Ndel(id));
        match self.servers.ask_smp(now, &self.config, server, entity, Some(auth), &Command::Ndel, tag) {
            Ask::Out => live.notifier = Notifier::Removing(Removal::Asked),
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.delay_removal(now, id, Some(advice), why),
        }
    }

    pub(super) fn on_removal_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        if !matches!(live.notifier, Notifier::Removing(Removal::Asked)) {
            return;
        }
        live.notifier = Notifier::Removing(Removal::Wanted);
        match answer {
            SmpAnswer::Message(Message::Ok) => {
                live.notifier = Notifier::Off;
                live.backoff.reset();
                self.tell(Event::NotificationsOff { queue: id });
                // The last notices may be on their way, and nothing waits for them any more.
                self.fetch(now, id);
            }
            SmpAnswer::Lost => {}
            SmpAnswer::Error(ErrorCode::Auth) => {
                live.notifier = Notifier::Off;
                self.fail(
                    None,
                    Advice::AskUser,
                    "NDEL: the SMP server no longer has the queue, or does not know our key (AUTH)",
                );
            }
            SmpAnswer::Error(code) => {
                self.delay_removal(now, id, lasting(&code), words("NDEL", "the SMP server", &code));
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                let why = "NDEL: the SMP server's answer is none to this command";
                self.delay_removal(now, id, Some(Advice::ReportBug), why);
            }
        }
        // The application may have changed its mind meanwhile.
        self.turn_notifications(now, id);
    }

    /// NDEL was refused: says so, and tries again later.
    fn delay_removal(&mut self, now: Now, id: QueueId, lasting: Option<Advice>, why: impl Into<String>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.notifier = Notifier::Removing(Removal::Delayed);
        let delay = live.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Queue(id), now.mono + delay);
        self.fail(None, lasting.unwrap_or(Advice::Wait { next: delay }), why);
    }

    /// Makes pushes find the queue by its notifier id.
    pub(super) fn note_notifier(&mut self, id: QueueId) {
        if let Some(queue) = self.queues.get(&id)
            && let Some(keys) = queue.live().and_then(Live::notifier_keys)
        {
            self.notifiers.insert(NotifierKey::new(&queue.server, &keys.id), id);
        }
    }

    /// Takes care that pushes do not find the queue by its notifier id any more.
    pub(super) fn forget_notifier(&mut self, id: QueueId) {
        if let Some(queue) = self.queues.get(&id)
            && let Some(keys) = queue.live().and_then(Live::notifier_keys)
        {
            self.notifiers.remove(&NotifierKey::new(&queue.server, &keys.id));
        }
    }
}
