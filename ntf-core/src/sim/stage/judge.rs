//! What is promised on the stage, whether it was kept, and what excuses a phone that was not told.
//!
//! The promises about single pushes and machines are those of every simulated run ([`Laws`]); those about messages are
//! judged from the account.

use crate::base::budget::{Admit, Budget, BudgetPlan};
use crate::base::time::Mono;
use crate::delivery::limits::DeliveryLimits;
use crate::model::push::{PushId, PushOutcome, PushResult};
use crate::sim::laws::Laws;
use crate::sim::oracle::{Excuse, Law, PROMPT, SETTLE};
use crate::sim::stage::Stage;
use crate::sim::stage::cast::{DIRECT, Party, SMP_HOSTS};
use crate::sim::stage::ledger::Message;
use crate::sim::stage::options::{Network, Policy};
use crate::sim::stage::view::{LawView, MessageState};
use crate::sim::town::Nodes;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

/// What is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Promise {
    Account,
    Told,
    Addressee,
    Secrecy,
    Padding,
    Nonce,
    Budget,
    Fits,
    Memory,
    Counters,
    Contract,
    Record,
}

/// Each promise in words.
const PROMISES: [(Promise, &str, &str); 12] = [
    (
        Promise::Account,
        "every message accounted for",
        "Each is read, shown, on its way, or excused by a rule; the sum is what was sent.",
    ),
    (
        Promise::Told,
        "phones are told in time",
        "Where nothing is broken, a phone learns of a message within half a minute, or as soon as its budget has the next push.",
    ),
    (
        Promise::Addressee,
        "to whom it is for, once",
        "A message reaches the phone it was sent to, nobody else, and once.",
    ),
    (
        Promise::Secrecy,
        "pushes name no server",
        "Nothing that the push server or Apple gets names an SMP server.",
    ),
    (Promise::Padding, "pushes of one length", "All pushes of a kind have the same length."),
    (Promise::Nonce, "no nonce twice", "No two boxes are made with one nonce."),
    (
        Promise::Budget,
        "few hidden pushes",
        "A subscriber orders 3 hidden pushes an hour for a phone at most, and verification pushes within their budget.",
    ),
    (
        Promise::Fits,
        "pushes fit their phone",
        "A phone can open every push it gets, and each is ordered for a phone that asked for it.",
    ),
    (
        Promise::Memory,
        "nothing outlives the process",
        "A subscriber that begins anew knows no token, no queue and no phone.",
    ),
    (
        Promise::Counters,
        "counters add up",
        "What was received, ordered and sent adds up, and tables agree with each other, after every step.",
    ),
    (
        Promise::Contract,
        "machines keep their contract",
        "Inputs fit their machines, and deadlines make progress.",
    ),
    (Promise::Record, "a record is the same run", "The same options and deeds give the same fingerprint."),
];

/// The promise that a law of the simulator is part of.
pub(super) const fn promise_of(law: Law) -> Promise {
    match law {
        Law::Opening | Law::Learned | Law::Prompt => Promise::Told,
        Law::Addressee => Promise::Addressee,
        Law::PushFits | Law::OrderFits => Promise::Fits,
        Law::Secrecy => Promise::Secrecy,
        Law::Padding => Promise::Padding,
        Law::Nonce => Promise::Nonce,
        Law::VerificationBudget => Promise::Budget,
        Law::Conservation | Law::Tables => Promise::Counters,
        Law::NothingLeft | Law::Contract => Promise::Contract,
    }
}

/// A rule by which a phone need not be told, while it lasts.
struct Alibi {
    device: usize,
    excuse: Excuse,
    from: Mono,
    until: Option<Mono>,
}

/// Most excuses that are remembered; the oldest that is over goes. Source: ours; far more than messages are open.
const ALIBIS_MAX: usize = 256;

/// How long a link may be dead before an end notices, and what was sent in the last moment. Source: `link::keepalive`.
const LINK_LOSS: Duration = Duration::from_secs(200);

/// From a request on a connection that the carrier has dropped to the same request on another one.
///
/// Source: a request waits 30 s and a ping then 20 s (`client::config`); the rest is connecting. At home connections are
/// closed before a router drops them.
const DROPPED_UNNOTICED: Duration = Duration::from_secs(60);

/// What is promised, and whether it was kept.
pub(super) struct Judge {
    pub(super) laws: Laws,
    broken: BTreeMap<Promise, String>,
    alibis: VecDeque<Alibi>,
    disturbed: Option<Mono>,
    hidden: BudgetPlan,
    hidden_orders: [Budget; 2],
    /// Orders for hidden pushes that have no outcome, and their phones.
    hidden_out: BTreeMap<PushId, usize>,
}

impl Judge {
    pub(super) fn new() -> Self {
        Self {
            laws: Laws::new(SMP_HOSTS.iter().map(ToString::to_string).collect()),
            broken: BTreeMap::new(),
            alibis: VecDeque::new(),
            disturbed: None,
            hidden: DeliveryLimits::default().hidden_pushes,
            hidden_orders: [Budget::new(); 2],
            hidden_out: BTreeMap::new(),
        }
    }

    /// A promise was broken; whether it is the first time.
    pub(super) fn broke(&mut self, promise: Promise, what: &str) -> bool {
        let is_first = !self.broken.contains_key(&promise);
        self.broken.entry(promise).or_insert_with(|| what.into());
        is_first
    }

    /// The promises that were broken.
    pub(super) fn broken(&self) -> impl Iterator<Item = &str> {
        self.broken.values().map(String::as_str)
    }

    /// Something was done that may hold messages up for a while.
    pub(super) fn disturbed(&mut self, at: Mono) {
        self.disturbed = Some(at);
    }

    /// Whether what was done last may still be felt.
    pub(super) fn was_disturbed(&self, now: Mono) -> bool {
        self.disturbed.is_some_and(|at| at + SETTLE >= now)
    }

    pub(super) fn excuse(&mut self, from: Mono, until: Mono, device: usize, excuse: Excuse) {
        self.add(Alibi { device, excuse, from, until: Some(until) });
    }

    pub(super) fn excuse_from(&mut self, from: Mono, device: usize, excuse: Excuse) {
        self.add(Alibi { device, excuse, from, until: None });
    }

    pub(super) fn excuse_until(&mut self, at: Mono, device: usize, excuse: Excuse) {
        for alibi in &mut self.alibis {
            if alibi.device == device && alibi.excuse == excuse && alibi.until.is_none() {
                alibi.until = Some(at);
            }
        }
    }

    fn add(&mut self, alibi: Alibi) {
        if self.alibis.len() >= ALIBIS_MAX {
            let over = self.alibis.iter().position(|alibi| alibi.until.is_some());
            self.alibis.remove(over.unwrap_or(0));
        }
        self.alibis.push_back(alibi);
    }

    /// Something was wrong between subscriber and SMP servers, or changes there: notices on the way may be lost.
    pub(super) fn notices_may_be_lost(&mut self, now: Mono) {
        for device in 0..DIRECT {
            self.excuse(now, now + LINK_LOSS, device, Excuse::NoticeLost);
        }
    }

    pub(super) fn keys_changed(&mut self, device: usize) {
        self.laws.keys_changed(device);
    }

    pub(super) fn subscriber_restarted(&mut self, nodes: &Nodes) {
        for device in 0..DIRECT {
            self.keys_changed(device);
        }
        if let Some((node, _)) = nodes.subscribers.first() {
            self.laws.restarted(nodes, *node);
        }
        self.hidden_orders = [Budget::new(); 2];
        self.hidden_out.clear();
    }

    /// A hidden push was ordered for a phone: it has to be within the budget.
    pub(super) fn hidden_ordered(&mut self, at: Mono, order: PushId, device: usize) {
        self.hidden_out.insert(order, device);
        let Some(budget) = self.hidden_orders.get_mut(device) else { return };
        if budget.admit(at, self.hidden) != Admit::Now {
            let what = format!("{} gets a hidden push beyond its budget", Party::of_device(device).label());
            self.broke(Promise::Budget, &what);
        }
    }

    /// An order has come to an end; a hidden push that the provider did not take is off the books.
    pub(super) fn hidden_ended(&mut self, outcome: PushOutcome) {
        let Some(device) = self.hidden_out.remove(&outcome.id) else { return };
        if outcome.result != PushResult::Accepted
            && let Some(budget) = self.hidden_orders.get_mut(device)
        {
            budget.refund(self.hidden);
        }
    }

    /// Hidden pushes that a phone may have now and after a rest, and when it may have the next.
    pub(super) fn hidden_left(&self, now: Mono, device: usize) -> (u32, u32, Option<Mono>) {
        let mut budget = self.hidden_orders.get(device).copied().unwrap_or_default();
        let mut left = 0;
        loop {
            match budget.admit(now, self.hidden) {
                Admit::Now => left += 1,
                Admit::Later(at) => {
                    return (left, self.hidden.burst, (left < self.hidden.burst).then_some(at));
                }
            }
        }
    }

    /// By which rule a phone need not have been told of a message.
    fn excuse_of(&self, message: &Message) -> Option<Excuse> {
        let sent = message.sent;
        let mut theirs = self.alibis.iter().filter(|alibi| alibi.device == message.device);
        theirs
            .find(|alibi| alibi.from <= sent + SETTLE && alibi.until.is_none_or(|until| until >= sent))
            .map(|alibi| alibi.excuse)
    }

    pub(super) fn views(&self, account: String) -> Vec<LawView> {
        PROMISES
            .iter()
            .map(|(promise, name, text)| match (self.broken.get(promise), promise) {
                (Some(what), _) => LawView { name, holds: false, text: what.clone() },
                (None, Promise::Account) => LawView { name, holds: true, text: account.clone() },
                (None, _) => LawView { name, holds: true, text: (*text).into() },
            })
            .collect()
    }
}

impl Stage {
    /// Looks through the account: what is late is excused by a rule, held up by what is broken, or a broken promise.
    pub(super) fn audit(&mut self) {
        let now = self.now();
        let patience: Vec<Duration> = (0..Party::DEVICES.len()).map(|device| self.patience(device)).collect();
        let is_troubled = self.machinery.is_broken() || self.judge.was_disturbed(now);
        let mut late = Vec::new();
        let judge = &self.judge;
        for message in self.ledger.messages_mut() {
            let Some(taken) = message.taken else { continue };
            if message.state >= MessageState::Shown || message.is_overdue {
                continue;
            }
            let bound = patience.get(message.device).copied().unwrap_or(PROMPT);
            if taken + bound >= now {
                continue;
            }
            match judge.excuse_of(message) {
                Some(excuse) if message.device != DIRECT => {
                    message.state = MessageState::Excused;
                    message.excuse = Some(excuse);
                }
                Some(_) | None if is_troubled => {}
                Some(_) | None => {
                    message.is_overdue = true;
                    late.push((message.number, Party::of_device(message.device).label()));
                }
            }
        }
        for (number, phone) in late {
            self.broke(Promise::Told, format!("{phone} was not told of message {number} in time"));
        }
        let account = self.ledger.account();
        if account.sent != account.read + account.shown + account.waiting + account.lost {
            self.broke(Promise::Account, format!("the account does not add up: {account:?}"));
        }
    }

    /// How long a phone may take to learn of a message where nothing is wrong.
    fn patience(&self, device: usize) -> Duration {
        let client = self.cast.nodes.devices.get(device).and_then(|node| self.world.client(*node));
        match device {
            DIRECT => PROMPT + client.map(crate::client::Client::lateness_max).unwrap_or_default(),
            _ if self.options.policy == Policy::Mutable => PROMPT + self.suspicion(),
            // Who opened the app hears of the next message when the next alert or hidden push may come.
            _ => PROMPT + self.suspicion() + DeliveryLimits::default().quiet,
        }
    }

    /// How long a phone may take to find that the network has dropped a connection which it still holds.
    const fn suspicion(&self) -> Duration {
        match self.machinery.network {
            Some(Network::Carrier) => DROPPED_UNNOTICED,
            Some(Network::Wifi) | None => Duration::ZERO,
        }
    }

    /// The promises that were broken, in words. Empty in a good run.
    #[must_use]
    pub fn broken(&self) -> Vec<String> {
        self.judge.broken().map(String::from).collect()
    }
}

/// A rule by which a phone was not told, in words.
pub(super) const fn words_of(excuse: Excuse) -> &'static str {
    match excuse {
        Excuse::ProviderDropped => {
            "Apple accepted the push and lost it; the phone finds the message when it looks"
        }
        Excuse::ProviderRefused => {
            "Apple refused the push for good; the phone finds the message when it looks"
        }
        Excuse::PushReplaced => "a later push took the place of this one",
        Excuse::NotVerified => "the phone had no valid token",
        Excuse::SubscriberForgot => "the subscriber has begun anew, and the phone has not checked since",
        Excuse::AppEnded => "the app ended between push and fetch",
        Excuse::NoticeLost => "the notice was on a connection that was broken",
        Excuse::WrongCalendar => "the SMP server's calendar was wrong",
        Excuse::CredentialsRaced => "the notifier's credentials were made twice",
        Excuse::QueueDeleted => "the queue was deleted",
    }
}
