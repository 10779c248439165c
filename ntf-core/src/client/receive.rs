//! Pushes and what they announce: finds the queues, gets the messages.
//!
//! A push is whatever the provider hands over, so every step may fail and each failure is one event in
//! words. What it says is a hint: a notice leads to GET, and GET goes on until the queue is empty, so that
//! notices that were merged or lost on the way lose no message.

use crate::base::id::EntityId;
use crate::base::mutant;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::opened::Opened;
use crate::client::queue::{Again, Fetch, Live, Phase, Queue, Watch};
use crate::client::servers::{Ask, SmpAnswer, SmpTag, words};
use crate::crypto::boxed::{BoxKey, nonce_from};
use crate::model::notification::Notice;
use crate::model::server::{NotifierAddress, ServerAddress};
use crate::wire::error_code::ErrorCode;
use crate::wire::payload::{MessageBody, NmsgMeta};
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::text::preset;
use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

/// What a push names a queue by: hosts and port as given, and the notifier id, not the server's identity.
///
/// Source: `ntf-protocol` 5.7, step 2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NotifierKey {
    hosts: Vec<Box<str>>,
    port: Box<str>,
    notifier: EntityId,
}

impl NotifierKey {
    /// The key of a queue. Servers of the fixed table are known by both their hosts, whichever were given,
    /// as subscribers add the second one (`ntf-protocol` 2.1).
    pub(super) fn new(server: &ServerAddress, notifier: &EntityId) -> Self {
        let mut server = server.clone();
        preset::add_onion(&mut server);
        Self { hosts: server.hosts, port: server.port, notifier: notifier.clone() }
    }
}

/// Queues that wait to be fetched from, each once, and how many are being fetched from.
#[derive(Debug, Default)]
pub(super) struct Line {
    waiting: VecDeque<QueueId>,
    busy: BTreeSet<QueueId>,
    /// How often GET may still go out, where that is bounded.
    allowed: Option<usize>,
    /// Something was not fetched because of that bound.
    has_more: bool,
}

impl Line {
    /// Queues waiting or being fetched from.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.busy.len()
    }

    /// A line whose queues may be asked so many times in all.
    pub(super) fn of(allowed: usize) -> Self {
        Self { allowed: Some(allowed), ..Self::default() }
    }

    /// Whether something was left because of the bound.
    pub(super) const fn has_more(&self) -> bool {
        self.has_more
    }

    /// Takes a queue out, wherever it is.
    pub(super) fn remove(&mut self, id: QueueId) {
        self.waiting.retain(|waiting| *waiting != id);
        self.busy.remove(&id);
    }
}

/// What a notice turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sorted {
    /// Something to fetch for.
    Kept,
    /// Seen before, or older than what was read.
    Repeated,
    /// Of no queue of this device.
    Unknown,
}

impl Client {
    /// A push, as [`open_push`](Self::open_push) opened it.
    pub(super) fn on_push(&mut self, now: Now, opened: Opened) {
        self.counters.pushes.count();
        match opened {
            Opened::Verification(sealed) => self.on_verification(now, sealed),
            Opened::Notices(entries) => self.on_notices(now, &entries),
            Opened::CheckMessages => self.fetch_all(now),
            Opened::Rejected(why) => self.reject_push(why),
        }
    }

    pub(super) fn reject_push(&mut self, why: &'static str) {
        self.counters.pushes_rejected.count();
        self.tell(Event::PushRejected { why });
    }

    fn on_notices(&mut self, now: Now, entries: &[(NotifierAddress, Notice)]) {
        let newest = entries.len().saturating_sub(1);
        let mut kept = false;
        let mut unknown = false;
        for (index, (address, notice)) in entries.iter().enumerate() {
            match self.on_notice(now, address, notice, index == newest) {
                Sorted::Kept => {
                    self.counters.notices.count();
                    kept = true;
                }
                Sorted::Repeated => self.counters.notices_repeated.count(),
                Sorted::Unknown => {
                    self.counters.notices_unknown.count();
                    unknown = true;
                }
            }
        }
        match (kept, unknown) {
            (true, _) => {}
            (false, true) => {
                self.reject_push("the push names no queue of this device, or one whose notifications are off")
            }
            (false, false) => self.reject_push("the push repeats notices that came before"),
        }
    }

    /// Decides about one notice. The newest of a push is kept even if its metadata does not open; the
    /// others only if they are news by their time. Source: `ntf-protocol` 5.7, step 2.
    ///
    /// A time equal to the last one counts as news, unlike in the reference: times are whole seconds, and
    /// two messages may share one. The nonce tells repeats.
    fn on_notice(&mut self, now: Now, address: &NotifierAddress, notice: &Notice, is_newest: bool) -> Sorted {
        let key = NotifierKey::new(&address.server, &address.notifier);
        let Some(id) = self.notifiers.get(&key).copied() else { return Sorted::Unknown };
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return Sorted::Unknown };
        if live.seen.has_notice(&notice.nonce) {
            return Sorted::Repeated;
        }
        let meta = open_meta(live, notice);
        let is_news = meta.as_ref().is_some_and(|(_, time)| *time >= live.seen.broker_time);
        if !is_newest && !is_news {
            return Sorted::Repeated;
        }
        live.seen.note_notice(notice.nonce);
        let mut is_read = false;
        if let Some((message, time)) = &meta {
            live.seen.notice_time = live.seen.notice_time.max(*time);
            is_read = live.seen.has_message(message);
        }
        let message_id = meta.map(|(message, _)| message);
        self.tell(Event::Pushed { queue: id, message_id, nonce: notice.nonce });
        // Fetched already, while getting what an earlier push announced.
        if !is_read {
            self.fetch(now, id);
        }
        Sorted::Kept
    }

    /// Looks into every queue.
    pub(super) fn fetch_all(&mut self, now: Now) {
        let live: Vec<_> =
            self.queues.iter().filter(|(_, queue)| queue.live().is_some()).map(|(id, _)| *id).collect();
        for id in live {
            self.fetch(now, id);
        }
    }

    /// Makes sure that everything that is in the queue now will be fetched.
    pub(super) fn fetch(&mut self, now: Now, id: QueueId) {
        if self.is_direct() {
            return self.watch_queue(now, id);
        }
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        match &mut live.fetch {
            // ACK is followed by GET in any case.
            Fetch::Waiting | Fetch::Acking => {}
            Fetch::Getting(again) => *again = Again::Yes,
            Fetch::Idle => {
                live.fetch = Fetch::Waiting;
                self.line.waiting.push_back(id);
                self.advance_line(now);
            }
        }
    }

    /// Lets queues in the line take their turn. A queue whose server is away does not hold up the others.
    pub(super) fn advance_line(&mut self, now: Now) {
        if self.line.allowed == Some(0) {
            return self.end_line();
        }
        let mut look = self.line.waiting.len();
        while look > 0 && self.line.busy.len() < self.config.fetches_max {
            look -= 1;
            let Some(id) = self.line.waiting.pop_front() else { return };
            match self.ask_get(now, id) {
                Ask::Out => {
                    self.line.busy.insert(id);
                    if self.line.allowed == Some(0) {
                        return self.end_line();
                    }
                }
                Ask::Later => self.line.waiting.push_back(id),
                Ask::Impossible(why, advice) => {
                    self.set_fetch(id, Fetch::Idle);
                    self.fail(None, advice, why);
                }
            }
        }
    }

    /// GET may not go out any more: whoever waits does so in vain.
    fn end_line(&mut self) {
        while let Some(id) = self.line.waiting.pop_front() {
            self.line.has_more = true;
            self.set_fetch(id, Fetch::Idle);
        }
    }

    fn ask_get(&mut self, now: Now, id: QueueId) -> Ask {
        let Some(Queue { server, auth, phase: Phase::Live(live) }) = self.queues.get_mut(&id) else {
            return Ask::Impossible("GET: the queue is gone", Advice::Nothing);
        };
        let entity = Some(&live.recipient);
        let ask = self.servers.ask_smp(
            now,
            &self.config,
            server,
            entity,
            Some(auth),
            &Command::Get,
            SmpTag::Get(id),
        );
        if ask == Ask::Out {
            self.line.allowed = self.line.allowed.map(|allowed| allowed.saturating_sub(1));
        }
        live.fetch = match ask {
            Ask::Out => Fetch::Getting(Again::No),
            Ask::Later | Ask::Impossible(..) => Fetch::Waiting,
        };
        ask
    }

    pub(super) fn on_get_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        let Fetch::Getting(again) = live.fetch else { return };
        if matches!(answer, SmpAnswer::Message(_)) {
            live.fetch_backoff.reset();
        }
        match answer {
            SmpAnswer::Message(Message::Msg { id: message, body }) => self.on_message(now, id, message, body),
            SmpAnswer::Message(Message::Ok) => match again {
                Again::Yes => self.fetch_next(now, id),
                Again::No => {
                    live.seen.broker_time = live.seen.broker_time.max(live.seen.notice_time);
                    self.end_fetch(now, id);
                }
            },
            SmpAnswer::Lost => self.fetch_later(now, id),
            SmpAnswer::Error(code) => {
                self.end_fetch(now, id);
                if code == ErrorCode::Auth {
                    self.fail(None, Advice::AskUser, "GET: the SMP server no longer has the queue (AUTH)");
                } else {
                    let advice = self.delay_fetch(now, id, &code);
                    self.fail(None, advice, words("GET", "the SMP server", &code));
                }
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                self.end_fetch(now, id);
                self.fail(None, Advice::ReportBug, "GET: the SMP server's answer is none to this command");
            }
        }
    }

    /// Opens a message, hands it over and acknowledges it.
    ///
    /// The application is told before ACK goes out: a crash in between repeats the message rather than
    /// losing it. A message that does not open is acknowledged too, or nothing after it could be read.
    pub(super) fn on_message(&mut self, now: Now, id: QueueId, message: &[u8], body: &[u8]) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        if live.seen.has_message(message) {
            self.counters.messages_repeated.count();
        } else {
            let mut body = body.to_vec();
            let opened = BoxKey::of_dh(&live.secret).open_padded(&nonce_from(message), &mut body);
            match opened.and_then(MessageBody::decode) {
                Ok(MessageBody::Message { sent_at, message: sent, .. }) => {
                    live.seen.note_message(message, sent_at);
                    self.counters.messages.count();
                    let (message_id, message) = (message.to_vec(), sent.to_vec());
                    self.tell(Event::Message { queue: id, message_id, sent_at, message });
                }
                Ok(MessageBody::Quota { at }) => {
                    live.seen.note_message(message, at);
                    self.tell(Event::QuotaReached { queue: id });
                }
                Err(_) => {
                    // Its time is not known; it was read as far as it can be.
                    live.seen.note_message(message, i64::MIN);
                    self.counters.messages_unreadable.count();
                    self.fail(
                        None,
                        Advice::ReportBug,
                        "a message does not open with the key of its queue; it is dropped",
                    );
                }
            }
        }
        if mutant::is("ack_left_out") {
            return self.end_fetch(now, id);
        }
        self.ask_ack(now, id, message);
    }

    fn ask_ack(&mut self, now: Now, id: QueueId, message: &[u8]) {
        let Some(Queue { server, auth, phase: Phase::Live(live) }) = self.queues.get_mut(&id) else { return };
        let command = Command::Ack { message };
        let entity = Some(&live.recipient);
        match self.servers.ask_smp(now, &self.config, server, entity, Some(auth), &command, SmpTag::Ack(id)) {
            Ask::Out => live.fetch = Fetch::Acking,
            // GET gives the same message again, which is then recognised and acknowledged.
            Ask::Later => self.fetch_later(now, id),
            Ask::Impossible(why, advice) => {
                self.end_fetch(now, id);
                self.fail(None, advice, why);
            }
        }
    }

    pub(super) fn on_ack_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(live) = self.queues.get(&id).and_then(Queue::live) else { return };
        if live.fetch != Fetch::Acking {
            return;
        }
        match answer {
            // A server may answer ACK with the next message. Source: `smp-transport` 5.3.
            SmpAnswer::Message(Message::Msg { id: message, body }) => self.on_message(now, id, message, body),
            // The next message comes by itself.
            SmpAnswer::Message(Message::Ok) if live.watch == Watch::On => self.end_fetch(now, id),
            SmpAnswer::Message(Message::Ok) | SmpAnswer::Error(ErrorCode::NoMsg) => self.fetch_next(now, id),
            SmpAnswer::Lost => self.fetch_later(now, id),
            SmpAnswer::Error(code) => {
                self.end_fetch(now, id);
                let advice = self.delay_fetch(now, id, &code);
                self.fail(None, advice, words("ACK", "the SMP server", &code));
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                self.end_fetch(now, id);
                self.fail(None, Advice::ReportBug, "ACK: the SMP server's answer is none to this command");
            }
        }
    }

    /// The next GET of a queue that has its turn.
    fn fetch_next(&mut self, now: Now, id: QueueId) {
        if self.is_direct() {
            return self.fetch_later(now, id);
        }
        if self.line.allowed == Some(0) {
            self.line.has_more = true;
            return self.end_fetch(now, id);
        }
        match self.ask_get(now, id) {
            Ask::Out => {}
            Ask::Later => self.fetch_later(now, id),
            Ask::Impossible(why, advice) => {
                self.end_fetch(now, id);
                self.fail(None, advice, why);
            }
        }
    }

    /// The queue goes back into the line: its server is away.
    fn fetch_later(&mut self, now: Now, id: QueueId) {
        if self.is_direct() {
            // SUB gives what is not acknowledged once more.
            self.end_fetch(now, id);
            return self.watch_again(now, id);
        }
        self.line.busy.remove(&id);
        self.set_fetch(id, Fetch::Waiting);
        self.line.waiting.push_back(id);
        self.advance_line(now);
    }

    fn end_fetch(&mut self, now: Now, id: QueueId) {
        self.line.busy.remove(&id);
        self.set_fetch(id, Fetch::Idle);
        self.advance_line(now);
    }

    /// Fetches again after a while what was refused for a reason that may pass: no other push may come for it.
    fn delay_fetch(&mut self, now: Now, id: QueueId, code: &ErrorCode<'_>) -> Advice {
        if let Some(advice) = lasting(code) {
            return advice;
        }
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return Advice::Nothing };
        let next = live.fetch_backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Fetch(id), now.mono + next);
        Advice::Wait { next }
    }

    pub(super) fn set_fetch(&mut self, id: QueueId, fetch: Fetch) {
        if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) {
            live.fetch = fetch;
        }
    }
}

/// The message's id and time, if the metadata opens. Source: `ntf-protocol` 3.4.
pub(super) fn open_meta(live: &Live, notice: &Notice) -> Option<(Vec<u8>, i64)> {
    let mut meta = notice.meta.to_vec();
    let opened = BoxKey::of_dh(&live.notifier_keys()?.secret).open_padded(&notice.nonce, &mut meta).ok()?;
    NmsgMeta::decode(opened).ok().map(|meta| (meta.message.to_vec(), meta.sent_at))
}
