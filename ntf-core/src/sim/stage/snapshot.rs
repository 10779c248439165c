//! The stage at one moment, from the tables of its machines and from the account.

use crate::base::time::Mono;
use crate::model::knowledge::Fact;
use crate::sim::net::Shape as LinkShape;
use crate::sim::stage::Stage;
use crate::sim::stage::cast::{DIRECT, Party};
use crate::sim::stage::judge::words_of;
use crate::sim::stage::ledger::Message;
use crate::sim::stage::machinery::{capital, pair};
use crate::sim::stage::options::Shape;
use crate::sim::stage::view::{
    BudgetView, IdleView, Known, LinkState, LinkView, MessageState, MessageView, PartyView, Snapshot, millis,
};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// Most messages in a snapshot. Source: ours; what a list on a screen shows, and some to scroll.
const MESSAGES_SHOWN: usize = 60;

impl Stage {
    /// The stage as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let now = self.now();
        let account = self.ledger.account();
        let sum = format!(
            "{} sent: {} read, {} shown, {} on their way, {} excused.",
            account.sent, account.read, account.shown, account.waiting, account.lost
        );
        let messages: Vec<_> = self.ledger.messages().rev().take(MESSAGES_SHOWN).collect();
        Snapshot {
            now: millis(now),
            parties: Party::ALL.iter().map(|party| self.party(*party)).collect(),
            links: self.links(),
            messages: messages.into_iter().rev().map(|message| self.message(message)).collect(),
            account,
            laws: self.judge.views(sum),
            budget: (0..DIRECT).map(|device| self.budget(now, device)).collect(),
            idle: (0..Party::DEVICES.len()).map(|device| self.idle(device)).collect(),
        }
    }

    fn party(&self, id: Party) -> PartyView {
        let up = !self.machinery.down.contains(&id);
        let notification = id
            .device()
            .and_then(|device| self.phones.get(device))
            .and_then(|phone| phone.notification.clone());
        let lines = if up { self.lines_of(id) } else { vec!["not running".into()] };
        PartyView { id, label: id.label(), up, lines, notification }
    }

    fn lines_of(&self, party: Party) -> Vec<String> {
        let count = |size: u64, what: &str| format!("{size} {what}{}", if size == 1 { "" } else { "s" });
        match party {
            Party::Sender => vec![count(self.ledger.sent().into(), "message")],
            Party::Smp1 | Party::Smp2 => {
                let Some(server) = self.world.smp(self.cast.node_of(party)) else { return Vec::new() };
                let gauges = server.gauges();
                vec![
                    count(wide(gauges.queues), "queue"),
                    format!("{} watched", gauges.watched),
                    count(wide(gauges.messages), "message"),
                ]
            }
            Party::Subscriber => {
                let Some(subscriber) = self.world.subscriber(self.cast.subscriber().0) else {
                    return Vec::new();
                };
                let (gauges, counters) = (subscriber.gauges(), subscriber.counters());
                let mut lines = vec![
                    count(gauges.tokens.into(), "token"),
                    count(gauges.subscriptions.into(), "subscription"),
                    count(wide(gauges.notices), "notice"),
                ];
                let refused = counters.links.faults.total()
                    + counters.links.refused_source.total()
                    + counters.links.timed_out.total();
                if refused > 0 {
                    lines.push(format!("{refused} links refused or ended"));
                }
                lines
            }
            Party::Push => {
                let Some(push) = self.world.push_server(self.cast.node_of(party)) else { return Vec::new() };
                let counters = push.counters();
                vec![
                    format!("{} pushes accepted", counters.accepted.total()),
                    format!("{} in hand", push.in_hand()),
                ]
            }
            Party::Apple => {
                let Some(apple) = self.world.provider(self.cast.nodes.provider) else { return Vec::new() };
                vec![format!("{} accepted", apple.accepted()), format!("{} refused", apple.refused())]
            }
            Party::DeviceA | Party::DeviceB | Party::DeviceC => self.lines_of_phone(party),
            Party::Stranger => match self.machinery.hammering.is_on() {
                true => vec!["hammers the subscriber".into()],
                false => vec!["does nothing".into()],
            },
        }
    }

    fn lines_of_phone(&self, party: Party) -> Vec<String> {
        let Some(client) = self.world.client(self.cast.node_of(party)) else { return Vec::new() };
        let queues = client.queues().count();
        let mut lines = vec![format!("{queues} queues")];
        match client.token_status() {
            Some(status) => lines.push(format!("token {}", crate::wire::text::status::token(status))),
            None => {
                let pings = format!("pings after {} s", client.direct_interval().as_secs());
                lines.extend(
                    client.direct_probes().map(|after| format!("TCP asks after {} s", after.as_secs())),
                );
                lines.push(pings);
            }
        }
        lines
    }

    fn links(&self) -> Vec<LinkView> {
        let mut views = Vec::new();
        for (place, a) in Party::ALL.iter().enumerate() {
            for b in Party::ALL.iter().skip(place + 1) {
                if a.talks_to(*b) || b.talks_to(*a) {
                    views.push(LinkView { a: *a, b: *b, state: self.link(*a, *b) });
                }
            }
        }
        views
    }

    fn link(&self, a: Party, b: Party) -> LinkState {
        if self.machinery.cut.contains(&(a, b)) {
            return LinkState::Cut;
        }
        if self.machinery.slow.contains_key(&(a, b)) {
            return LinkState::Slow;
        }
        let is_down = |party| self.machinery.down.contains(&party);
        // Apple's connections are its own affair, and within a process there are none.
        let is_single = self.options.shape == Shape::Single && (a, b) == (Party::Subscriber, Party::Push);
        if is_single || a == Party::Apple || b == Party::Apple {
            return if is_down(a) || is_down(b) { LinkState::Down } else { LinkState::Up };
        }
        let (ones, others) = (self.cast.nodes_of(a), self.cast.nodes_of(b));
        let between = self.world.link_shapes().filter(|(opener, accepter, _)| {
            (ones.contains(opener) && others.contains(accepter))
                || (others.contains(opener) && ones.contains(accepter))
        });
        match between.map(|(_, _, shape)| shape).max() {
            Some(LinkShape::Up) => LinkState::Up,
            Some(LinkShape::Connecting) => LinkState::Connecting,
            Some(LinkShape::Down) | None => LinkState::Down,
        }
    }

    fn message(&self, message: &Message) -> MessageView {
        MessageView {
            id: message.number,
            device: Party::of_device(message.device),
            text: message.text.clone(),
            state: message.state,
            why: self.why(message),
            at: millis(message.sent),
        }
    }

    /// Why a message is no further.
    fn why(&self, message: &Message) -> Option<String> {
        if let Some(excuse) = message.excuse {
            return Some(format!("{}.", capital(words_of(excuse))));
        }
        let server = if message.queue == 0 { Party::Smp1 } else { Party::Smp2 };
        let is_down = |party| self.machinery.down.contains(&party);
        let is_cut = |a: Party, b: Party| self.machinery.cut.contains(&pair(a, b));
        let phone = Party::of_device(message.device);
        Some(match message.state {
            MessageState::Read => return None,
            MessageState::Sent if is_down(server) => format!("{} is down.", capital(server.label())),
            MessageState::Held | MessageState::Noticed | MessageState::Pushed if is_cut(server, phone) => {
                "The way between the phone and its SMP server is cut; it goes on trying.".into()
            }
            MessageState::Held if message.device == DIRECT => {
                "The phone's connection is lost; it will notice.".into()
            }
            MessageState::Held if is_down(Party::Subscriber) => "The subscriber is down.".into(),
            MessageState::Held => "The next round of notices tells the subscriber of it.".into(),
            MessageState::Noticed => {
                "Its notice waits: another push is on its way, or the budget is used up.".into()
            }
            MessageState::Merged => {
                "A newer notice of its queue speaks for it; the phone fetches both.".into()
            }
            MessageState::Shown => {
                "An alert stands on the screen; the app fetches it when it is opened.".into()
            }
            MessageState::Sent | MessageState::Pushed | MessageState::Excused => return None,
        })
    }

    fn budget(&self, now: Mono, device: usize) -> BudgetView {
        let (left, of, next_at) = self.judge.hidden_left(now, device);
        BudgetView { device: Party::of_device(device), left, of, next_at: next_at.map(millis) }
    }

    fn idle(&self, device: usize) -> IdleView {
        let client = self.cast.nodes.devices.get(device).and_then(|node| self.world.client(*node));
        let usage = client.map(|client| client.usage_by_the_hour(self.world.now())).unwrap_or_default();
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        IdleView {
            device: Party::of_device(device),
            bytes_per_hour: narrow(usage.bytes_in + usage.bytes_out),
            wakeups_per_hour: narrow(usage.wake_ups),
        }
    }

    /// What a party would have to admit to hold, from its own tables.
    pub(super) fn tables_of(&self, party: Party) -> Vec<Known> {
        let node = self.cast.node_of(party);
        let facts = match party {
            Party::Smp1 | Party::Smp2 => self.world.smp(node).map(|server| server.knowledge()),
            Party::Subscriber => self.world.subscriber(node).map(|subscriber| subscriber.knowledge()),
            Party::Push => self.world.push_server(node).map(|push| push.knowledge()),
            Party::DeviceA | Party::DeviceB | Party::DeviceC => {
                self.world.client(node).map(|client| client.knowledge())
            }
            Party::Sender | Party::Apple | Party::Stranger => None,
        };
        let facts = facts.filter(|_| !self.machinery.down.contains(&party)).unwrap_or_default();
        let rows: Vec<_> = facts.iter().filter(|fact| fact.count > 0).map(known_of).collect();
        match rows.is_empty() {
            true => Vec::new(),
            false => vec![Known::line("in its memory", "from its own tables").with(rows)],
        }
    }
}

fn known_of(fact: &Fact) -> Known {
    // What is sealed is not text.
    let is_text = |sample: &&String| !sample.contains(|char: char| char.is_control() || char == '\u{fffd}');
    let sample = match (&fact.sample, fact.sample.as_ref().filter(is_text)) {
        (Some(_), Some(sample)) => format!(", e.g. {sample}"),
        (Some(_), None) => ", sealed".into(),
        (None, _) => String::new(),
    };
    Known::line(fact.what, format!("{}{sample}", fact.count))
}

fn wide(size: usize) -> u64 {
    u64::try_from(size).unwrap_or(u64::MAX)
}
