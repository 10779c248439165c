//! How each role's inputs and effects split into links and the rest.

use std::fmt;

use ntf_core::base::id::LinkId;
use ntf_core::base::meter::{Readings, readings};
use ntf_core::client::Client;
use ntf_core::client::effect::{Effect as ClientEffect, Event, Probe};
use ntf_core::client::input::{Command, Input as ClientInput};
use ntf_core::link::event::{DownReason, LinkEvent};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::push::{PushId, PushOrder, PushOutcome};
use ntf_core::model::shard::ShardId;
use ntf_core::model::token::DeviceTag;
use ntf_core::push::Push;
use ntf_core::push::effect::{Effect as PushEffect, RequestId};
use ntf_core::push::input::Input as PushInput;
use ntf_core::relay::push_end::{Effect as PushEndEffect, Input as PushEndInput, PushEnd};
use ntf_core::relay::subscriber_end::{
    Effect as SubscriberEndEffect, Input as SubscriberEndInput, SubscriberEnd,
};
use ntf_core::smp::server::{Effect as SmpEffect, Input as SmpInput, Server};
use ntf_core::subscriber::Subscriber;
use ntf_core::subscriber::effect::{Effect as SubscriberEffect, Milestone};
use ntf_core::subscriber::input::Input as SubscriberInput;
use ntf_core::subscriber::shard::{Letter, Parcel};

use ntf_core::{Machine, Now};

use crate::driver::{Role, Sorted};
use crate::http2::OwnedAnswer;

/// No letter ever reaches an SMP server but by its links.
#[derive(Clone, Copy, Debug)]
pub enum Nothing {}

impl Role for Server {
    type Mail = Nothing;
    type Report = Nothing;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> SmpInput<'_> {
        SmpInput::Link(event)
    }

    fn on_mail(&mut self, _: Now, mail: Nothing) {
        match mail {}
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> SmpInput<'static> {
        SmpInput::Tick
    }

    fn stop_input() -> SmpInput<'static> {
        SmpInput::Stop
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn sort(effect: SmpEffect) -> Sorted<Self> {
        match effect {
            SmpEffect::Link(action) => Sorted::Link(action),
        }
    }
}

/// What a subscriber asks for besides links.
#[derive(Debug)]
pub enum SubscriberReport {
    /// Hand this to the push server.
    Push(PushOrder),
    /// For a watcher of the run.
    Milestone(Milestone),
}

/// What one shard of a subscriber says to another.
#[derive(Debug)]
pub enum ShardWord {
    /// A letter.
    Letter(Letter),
    /// A link comes along.
    Adopt {
        /// The link.
        link: LinkId,
        /// What has to be known of it.
        parcel: Box<Parcel>,
    },
}

/// What reaches a subscriber besides links.
#[derive(Debug)]
pub enum SubscriberMail {
    /// The push server tells what became of an order.
    Outcome(PushOutcome),
    /// The push server tells what it calls the device of an order, whose token it alone can read.
    Recognised(PushId, DeviceTag),
}

impl From<PushOutcome> for SubscriberMail {
    fn from(outcome: PushOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl Role for Subscriber {
    type Mail = SubscriberMail;
    type Report = SubscriberReport;
    type Word = ShardWord;

    fn link_input(event: LinkEvent<'_>) -> SubscriberInput<'_> {
        SubscriberInput::Link(event)
    }

    fn on_mail(&mut self, now: Now, mail: SubscriberMail) {
        match mail {
            SubscriberMail::Outcome(outcome) => self.handle(now, SubscriberInput::Outcome(outcome)),
            SubscriberMail::Recognised(push, device) => {
                self.handle(now, SubscriberInput::Recognised { push, device });
            }
        }
    }

    fn on_word(&mut self, now: Now, from: ShardId, word: ShardWord) {
        self.handle(
            now,
            match word {
                ShardWord::Letter(letter) => SubscriberInput::Letter { from, letter },
                ShardWord::Adopt { link, parcel } => SubscriberInput::Adopt { link, parcel },
            },
        );
    }

    fn tick_input() -> SubscriberInput<'static> {
        SubscriberInput::Tick
    }

    fn stop_input() -> SubscriberInput<'static> {
        SubscriberInput::Stop
    }

    fn drain_input() -> Option<SubscriberInput<'static>> {
        Some(SubscriberInput::Drain)
    }

    fn is_drained(&self) -> bool {
        self.is_drained()
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn readings(&self) -> Readings {
        let mut all = readings(&self.counters());
        all.extend(readings(&self.gauges()));
        all
    }

    fn sort(effect: SubscriberEffect) -> Sorted<Self> {
        match effect {
            SubscriberEffect::Link(action) => Sorted::Link(action),
            SubscriberEffect::Push(order) => Sorted::Report(SubscriberReport::Push(order)),
            SubscriberEffect::Shard { to, letter } => Sorted::Tell(to, ShardWord::Letter(letter)),
            SubscriberEffect::HandOff { link, to, parcel } => {
                Sorted::HandOff(to, link, ShardWord::Adopt { link, parcel })
            }
            SubscriberEffect::Milestone(milestone) => Sorted::Report(SubscriberReport::Milestone(milestone)),
        }
    }
}

/// What reaches a push server.
#[derive(Debug)]
pub enum PushMail {
    /// A subscriber asks for a push.
    Order(PushOrder),
    /// A provider answered, or did not.
    Answer(RequestId, OwnedAnswer),
}

impl Role for Push {
    type Mail = PushMail;
    type Report = PushEffect;
    type Word = Nothing;

    /// A push server has no links of its own; the event of one is nothing to it.
    fn link_input(_: LinkEvent<'_>) -> PushInput<'_> {
        PushInput::Tick
    }

    fn on_mail(&mut self, now: Now, mail: PushMail) {
        match mail {
            PushMail::Order(order) => self.handle(now, PushInput::Order(order)),
            PushMail::Answer(request, answer) => {
                self.handle(now, PushInput::Answer { request, answer: answer.as_answer() });
            }
        }
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> PushInput<'static> {
        PushInput::Tick
    }

    fn stop_input() -> PushInput<'static> {
        PushInput::Stop
    }

    fn drain_input() -> Option<PushInput<'static>> {
        Some(PushInput::Drain)
    }

    fn is_drained(&self) -> bool {
        self.is_drained()
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn readings(&self) -> Readings {
        let mut all = readings(&self.counters());
        all.extend(readings(&self.gauges()));
        all
    }

    fn sort(effect: PushEffect) -> Sorted<Self> {
        Sorted::Report(effect)
    }
}

/// What the subscriber's end of a relay link tells its subscriber.
#[derive(Debug)]
pub enum SubscriberEndReport {
    /// What the push server calls the device of an order.
    Recognised(PushId, DeviceTag),
    /// What became of an order.
    Outcome(PushOutcome),
}

impl Role for SubscriberEnd {
    type Mail = PushOrder;
    type Report = SubscriberEndReport;
    type Word = Nothing;

    /// Operators hear of the link's end here: pushes wait while there is none.
    fn link_input(event: LinkEvent<'_>) -> SubscriberEndInput<'_> {
        if let LinkEvent::Down { reason, .. } = &event
            && let Some(why) = why_down(*reason)
        {
            tracing::warn!("lost the link to the push server: {why}");
        }
        SubscriberEndInput::Link(event)
    }

    fn on_mail(&mut self, now: Now, order: PushOrder) {
        self.handle(now, SubscriberEndInput::Order(order));
    }

    fn tick_input() -> SubscriberEndInput<'static> {
        SubscriberEndInput::Tick
    }

    fn stop_input() -> SubscriberEndInput<'static> {
        SubscriberEndInput::Stop
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn readings(&self) -> Readings {
        let mut all = readings(&self.counters());
        all.extend(readings(&self.gauges()));
        all
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn sort(effect: SubscriberEndEffect) -> Sorted<Self> {
        match effect {
            SubscriberEndEffect::Link(action) => Sorted::Link(action),
            SubscriberEndEffect::Recognised { push, device } => {
                Sorted::Report(SubscriberEndReport::Recognised(push, device))
            }
            SubscriberEndEffect::Outcome(outcome) => Sorted::Report(SubscriberEndReport::Outcome(outcome)),
        }
    }
}

/// Why there is no link to a push server, if it was not we who closed it.
const fn why_down(reason: DownReason) -> Option<&'static str> {
    match reason {
        DownReason::Asked => None,
        DownReason::Closed => Some("it closed the link; does it list our fingerprint?"),
        DownReason::Broken => Some("the connection broke"),
        DownReason::Unreachable => Some("it cannot be reached"),
        DownReason::NotPublic => Some("its address is not public"),
        DownReason::TimedOut => Some("it did not answer in time"),
        DownReason::WrongIdentity => Some("who answers there is not the one in the address"),
        DownReason::Tls => Some("TLS failed"),
    }
}

/// What reaches the push server's end of relay links besides the links.
#[derive(Debug)]
pub enum PushEndMail {
    /// The push server tells what became of an order.
    Outcome(PushOutcome),
}

impl From<PushOutcome> for PushEndMail {
    fn from(outcome: PushOutcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl Role for PushEnd {
    type Mail = PushEndMail;
    type Report = PushOrder;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> PushEndInput<'_> {
        PushEndInput::Link(event)
    }

    fn on_mail(&mut self, now: Now, mail: PushEndMail) {
        match mail {
            PushEndMail::Outcome(outcome) => self.handle(now, PushEndInput::Outcome(outcome)),
        }
    }

    fn tick_input() -> PushEndInput<'static> {
        PushEndInput::Tick
    }

    fn stop_input() -> PushEndInput<'static> {
        PushEndInput::Stop
    }

    fn drain_input() -> Option<PushEndInput<'static>> {
        Some(PushEndInput::Drain)
    }

    fn is_drained(&self) -> bool {
        self.is_drained()
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn readings(&self) -> Readings {
        let mut all = readings(&self.counters());
        all.extend(readings(&self.gauges()));
        all
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn sort(effect: PushEndEffect) -> Sorted<Self> {
        match effect {
            PushEndEffect::Link(action) => Sorted::Link(action),
            PushEndEffect::Order(order) => Sorted::Report(order),
        }
    }
}

/// What reaches a client besides links.
pub enum ClientMail {
    /// The application wants something.
    Command(Command),
    /// A push arrived.
    Push(Vec<u8>),
}

impl fmt::Debug for ClientMail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Push(body) => write!(f, "Push({} bytes)", body.len()),
        }
    }
}

impl Role for Client {
    type Mail = ClientMail;
    type Report = Event;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> ClientInput<'_> {
        ClientInput::Link(event)
    }

    fn on_mail(&mut self, now: Now, mail: ClientMail) {
        match mail {
            ClientMail::Command(command) => self.handle(now, ClientInput::Command(command)),
            ClientMail::Push(body) => self.handle(now, ClientInput::Push(&body)),
        }
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> ClientInput<'static> {
        ClientInput::Tick
    }

    fn stop_input() -> ClientInput<'static> {
        ClientInput::Stop
    }

    fn facts(&self) -> Vec<Fact> {
        self.knowledge()
    }

    fn sort(effect: ClientEffect) -> Sorted<Self> {
        match effect {
            ClientEffect::Link(action) => Sorted::Link(action),
            ClientEffect::Probe(Probe { link, after }) => Sorted::Probe(link, after),
            ClientEffect::Event(event) => Sorted::Report(event),
        }
    }
}
