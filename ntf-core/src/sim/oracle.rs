//! What must, may and must not happen, in the plainest code that says it: lists that are searched from one
//! end to the other, and no line shared with a role.
//!
//! The oracle is told what people did and what came of it, by [`run`](super::run). It knows no protocol and
//! looks into no machine. For each message it can say whether the device *must* have learned of it; where
//! it need not have, an [`Excuse`] says by which rule.

use crate::base::time::Mono;
use crate::client::input::QueueId;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// Time after which nothing of an earlier fault is left.
///
/// Source: ours; a dead link is found within 3 minutes, connections and provider are tried again within 5, a
/// lost verification push is asked for again within 15, and each may have to wait for the one before.
pub const SETTLE: Duration = Duration::from_secs(30 * 60);

/// From a message to its device's learning of it, where nothing has gone wrong for [`SETTLE`].
///
/// Source: ours; a round of notices takes 1.5 s, the rest are some twenty latencies of up to 0.4 s and one
/// of up to 3.5 s.
pub const PROMPT: Duration = Duration::from_secs(30);

/// How long before a mishap a message may have been sent that it still concerns: until then it has been learned, or
/// something else has happened to it.
///
/// Source: ours; two of [`SETTLE`], for one fault after another.
const REACH: Duration = Duration::from_secs(2 * 30 * 60);

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was noticed.
    pub at: Mono,
    /// Which promise.
    pub law: Law,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {}s: {:?}: {}", self.at.as_micros() / 1_000_000, self.law, self.what)
    }
}

/// A promise. The doc of each says where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// In an untroubled world every device is registered and every queue watched within two minutes.
    /// Source: ours, from `ntf-protocol` 5.3 and 5.5.
    Opening,
    /// A message that was taken reaches its device, or an [`Excuse`] holds. Source: the reason to exist.
    Learned,
    /// Without trouble it does so within [`PROMPT`], and once.
    Prompt,
    /// A message reaches the device and the queue it was sent to, and nobody else.
    Addressee,
    /// A device can use every push it gets: it opens with the key of its token and names its queues. The
    /// exception is a device that changed its keys or queues while the push was on its way.
    PushFits,
    /// A push is ordered only for a device of that subscriber. Source: `ntf-protocol` 4.5.
    OrderFits,
    /// Nothing that a push server or a provider gets names an SMP server. Source: `ntf-protocol` 3.2.
    Secrecy,
    /// All pushes of a kind have one length. Source: `ntf-protocol` 3.2.
    Padding,
    /// No nonce is used twice. Source: `ntf-protocol` 3.2.
    Nonce,
    /// Verification pushes to one device token are bounded. Source: `ntf-protocol` 7.2, D20.
    VerificationBudget,
    /// What was received, ordered and sent adds up. Source: the counters' own docs.
    Conservation,
    /// Tables stay within their bounds and agree with each other.
    Tables,
    /// When everything is deleted, every table, queue and link is gone.
    NothingLeft,
    /// The contract of machines: inputs fit, deadlines make progress.
    Contract,
}

/// Why a device need not have learned of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Excuse {
    /// The provider accepted a push to this device and dropped it. Source: `ntf-protocol` 3.5; Apple
    /// promises no more than to try.
    ProviderDropped,
    /// The provider refused a push to this device for good. Source: `ntf-protocol` 3.8.
    ProviderRefused,
    /// The device was off, and has more queues than fit into the one push that is kept for it. Source:
    /// `ntf-protocol` 3.4 and 3.5.
    PushReplaced,
    /// The device's token was not verified at some moment in between. Source: `ntf-protocol` 4.5.
    NotVerified,
    /// The subscriber was restarted, and the device has not checked since. Source: memory only.
    SubscriberForgot,
    /// The app's process ended; it may have ended between the push and the fetch. Source: `client::state`.
    AppEnded,
    /// A connection between the subscriber and an SMP server broke or died: what was on it is lost, and the
    /// server sends a notice once. Source: `smp-transport` 6.3.
    NoticeLost,
    /// An SMP server's calendar was wrong: a notice that seems older than the last message read is left
    /// alone unless it is the newest of its push. Source: `ntf-protocol` 5.7, step 2.
    WrongCalendar,
    /// Notifier credentials were made twice over two connections, and the server executed the former command
    /// last; the next check mends it. Source: `smp-transport` 5.3, NKEY.
    CredentialsRaced,
    /// The queue was deleted by its owner.
    QueueDeleted,
}

/// Every excuse, for tables of them.
pub const EXCUSES: [Excuse; 10] = [
    Excuse::ProviderDropped,
    Excuse::ProviderRefused,
    Excuse::PushReplaced,
    Excuse::NotVerified,
    Excuse::SubscriberForgot,
    Excuse::AppEnded,
    Excuse::NoticeLost,
    Excuse::WrongCalendar,
    Excuse::CredentialsRaced,
    Excuse::QueueDeleted,
];

/// How strictly messages are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// Faults have just ended: what nobody could repair without being asked is excused.
    AsItStands,
    /// Every device has checked and a further message has come to each queue: only what is deleted is
    /// excused.
    AfterCheck,
}

struct Message {
    device: usize,
    queue: QueueId,
    asked_at: Mono,
    fate: Fate,
    learned: Option<Mono>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The SMP server has not answered the sender.
    Open,
    /// It took the message.
    Taken,
    /// It did not.
    Refused,
}

struct Alibi {
    device: usize,
    /// `None` where it is for all queues of the device.
    queue: Option<QueueId>,
    excuse: Excuse,
    from: Mono,
    /// `None` while it lasts.
    until: Option<Mono>,
}

impl Alibi {
    /// Whether it is about this message at all.
    fn is_about(&self, message: &Message) -> bool {
        self.device == message.device && self.queue.is_none_or(|queue| queue == message.queue)
    }

    /// Whether it holds for a message sent then.
    fn covers(&self, sent: Mono) -> bool {
        self.from <= sent + REACH && self.until.is_none_or(|until| until >= sent)
    }
}

/// Knows what people did, and what must come of it.
#[derive(Default)]
pub(super) struct Oracle {
    messages: Vec<Message>,
    deleted: Vec<(usize, QueueId)>,
    alibis: Vec<Alibi>,
    disturbances: Vec<Mono>,
    violations: Vec<Violation>,
    twice: u64,
}

impl Oracle {
    /// A message is handed to the sender. Its number is its text.
    pub(super) fn on_send(&mut self, at: Mono, device: usize, queue: QueueId) -> usize {
        self.messages.push(Message { device, queue, asked_at: at, fate: Fate::Open, learned: None });
        self.messages.len() - 1
    }

    pub(super) fn on_taken(&mut self, number: usize) {
        if let Some(message) = self.messages.get_mut(number) {
            message.fate = Fate::Taken;
        }
    }

    pub(super) fn on_refused(&mut self, number: usize) {
        if let Some(message) = self.messages.get_mut(number) {
            message.fate = Fate::Refused;
        }
    }

    /// A device's application got the text of a message.
    pub(super) fn on_learned(&mut self, at: Mono, device: usize, queue: QueueId, text: &[u8]) {
        let number = core::str::from_utf8(text).ok().and_then(|text| text.parse::<usize>().ok());
        let Some(message) = number.and_then(|number| self.messages.get_mut(number)) else {
            return self.broke(at, Law::Addressee, format!("device {} read what nobody sent", device + 1));
        };
        if (message.device, message.queue) != (device, queue) {
            let to = (message.device, message.queue);
            return self.broke(
                at,
                Law::Addressee,
                format!("device {} read a message for {to:?}", device + 1),
            );
        }
        if message.learned.is_some() {
            self.twice += 1;
            let asked_at = message.asked_at;
            if !self.was_disturbed(asked_at, at) {
                self.broke(at, Law::Prompt, format!("device {} read a message twice", device + 1));
            }
            return;
        }
        message.learned = Some(at);
    }

    pub(super) fn on_deleted(&mut self, device: usize, queue: QueueId) {
        self.deleted.push((device, queue));
    }

    /// Something out of the ordinary was done or went wrong.
    pub(super) fn on_disturbance(&mut self, at: Mono) {
        self.disturbances.push(at);
    }

    /// An excuse for a device, for what is on its way or sent between two moments.
    pub(super) fn excuse(&mut self, from: Mono, until: Mono, device: usize, excuse: Excuse) {
        self.alibis.push(Alibi { device, queue: None, excuse, from, until: Some(until) });
    }

    /// An excuse for a device that lasts, also for what is on its way when it begins.
    pub(super) fn excuse_from(&mut self, from: Mono, device: usize, excuse: Excuse) {
        self.alibis.push(Alibi { device, queue: None, excuse, from, until: None });
    }

    /// The same for one queue of it.
    pub(super) fn excuse_queue_from(&mut self, from: Mono, device: usize, queue: QueueId, excuse: Excuse) {
        self.alibis.push(Alibi { device, queue: Some(queue), excuse, from, until: None });
    }

    /// Whether a device was given this excuse at any time.
    pub(super) fn has_had(&self, device: usize, excuse: Excuse) -> bool {
        self.alibis.iter().any(|alibi| alibi.device == device && alibi.excuse == excuse)
    }

    /// What lasted is over.
    pub(super) fn excuse_until(&mut self, at: Mono, device: usize, excuse: Excuse) {
        for alibi in &mut self.alibis {
            if alibi.device == device && alibi.excuse == excuse && alibi.until.is_none() {
                alibi.until = Some(at);
            }
        }
    }

    /// Whether anything was done or went wrong that may still have been felt in between.
    pub(super) fn was_disturbed(&self, from: Mono, until: Mono) -> bool {
        self.disturbances.iter().any(|at| *at + SETTLE >= from && *at <= until)
    }

    pub(super) fn broke(&mut self, at: Mono, law: Law, what: String) {
        self.violations.push(Violation { at, law, what });
    }

    pub(super) fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Messages sent, taken, learned, and read twice.
    pub(super) fn numbers(&self) -> [u64; 4] {
        let count = |is_it: fn(&Message) -> bool| {
            u64::try_from(self.messages.iter().filter(|message| is_it(message)).count()).unwrap_or(u64::MAX)
        };
        [
            count(|_| true),
            count(|message| message.fate == Fate::Taken),
            count(|message| message.learned.is_some()),
            self.twice,
        ]
    }

    /// Judges every message, and counts the excuses that were needed, in the order of [`EXCUSES`].
    pub(super) fn judge(&mut self, at: Mono, judgement: Judgement) -> [u64; EXCUSES.len()] {
        let mut needed = [0; EXCUSES.len()];
        let mut broken = Vec::new();
        for (number, message) in self.messages.iter().enumerate() {
            match message.learned {
                Some(learned) => {
                    let took = learned.since(message.asked_at);
                    if took > PROMPT
                        && !self.was_disturbed(message.asked_at, learned)
                        && self.excuse_of(message, Judgement::AsItStands).is_none()
                    {
                        let what = format!("message {number} took {} s", took.as_secs());
                        broken.push((Law::Prompt, what));
                    }
                }
                None if message.fate != Fate::Taken => {}
                None => match self.excuse_of(message, judgement) {
                    Some(excuse) => {
                        for (count, known) in needed.iter_mut().zip(EXCUSES) {
                            *count += u64::from(known == excuse);
                        }
                    }
                    None => {
                        let what = format!(
                            "device {} never learned of message {number} for its queue {}, sent at {} s",
                            message.device + 1,
                            message.queue.0,
                            message.asked_at.as_micros() / 1_000_000
                        );
                        broken.push((Law::Learned, what));
                    }
                },
            }
        }
        for (law, what) in broken {
            self.broke(at, law, what);
        }
        needed
    }

    fn excuse_of(&self, message: &Message, judgement: Judgement) -> Option<Excuse> {
        if self.deleted.contains(&(message.device, message.queue)) {
            return Some(Excuse::QueueDeleted);
        }
        let about = self.alibis.iter().filter(|alibi| alibi.is_about(message));
        let mut holding = about.filter(|alibi| match judgement {
            Judgement::AsItStands => alibi.covers(message.asked_at),
            // Only what still lasts.
            Judgement::AfterCheck => alibi.until.is_none(),
        });
        holding.next().map(|alibi| alibi.excuse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn an_excuse_holds_for_its_device_and_its_time_and_no_longer() {
        let at = |hours: u32| Mono::ZERO + HOUR * hours;
        let unlearned = |from: u32, until: u32, device: usize| {
            let mut oracle = Oracle::default();
            let number = oracle.on_send(at(5), 0, QueueId(1));
            oracle.on_taken(number);
            oracle.excuse(at(from), at(until), device, Excuse::ProviderDropped);
            let needed: u64 = oracle.judge(at(80), Judgement::AsItStands).iter().sum();
            (needed, oracle.violations().len())
        };
        assert_eq!(unlearned(5, 5, 0), (1, 0));
        assert_eq!(unlearned(1, 70, 0), (1, 0));
        assert_eq!(unlearned(6, 6, 0), (1, 0), "it may have been on its way for so long");
        assert_eq!(unlearned(70, 70, 0), (0, 1), "what happened days later has nothing to do with it");
        assert_eq!(unlearned(1, 4, 0), (0, 1), "nor what was over");
        assert_eq!(unlearned(5, 5, 1), (0, 1), "nor what happened to others");
    }

    #[test]
    fn an_excuse_of_a_queue_holds_for_no_other_queue_of_its_device() {
        let unlearned = |queue| {
            let mut oracle = Oracle::default();
            let number = oracle.on_send(Mono::ZERO, 0, QueueId(1));
            oracle.on_taken(number);
            oracle.excuse_queue_from(Mono::ZERO, 0, QueueId(queue), Excuse::CredentialsRaced);
            let needed: u64 = oracle.judge(Mono::ZERO + HOUR, Judgement::AsItStands).iter().sum();
            (needed, oracle.violations().len())
        };
        assert_eq!((unlearned(1), unlearned(2)), ((1, 0), (0, 1)));
    }
}
