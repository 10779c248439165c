//! Letters of other shards, and links that come from them. [`crate::subscriber::shard`] tells the story.

use crate::base::id::LinkId;
use crate::base::mutant;
use crate::base::source::Source;
use crate::link::event::LinkAction;
use crate::link::responder::ReplyTo;
use crate::model::index::{SubscriptionIndex, TokenIndex};
use crate::model::server::NotifierAddress;
use crate::model::shard::ShardId;
use crate::model::token::{DeviceTag, DeviceToken};
use crate::subscriber::Subscriber;
use crate::subscriber::effect::Effect;
use crate::subscriber::on_device::DeviceLink;
use crate::subscriber::shard::{Claimed, Letter, Owed, Parcel, QueueMark, Then, Ticket, Victor, Wait, Wish};
use crate::subscriber::sources::{News, Use};
use crate::token::registration::Spent;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// How far a command is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its answer is written.
    Answered,
    /// Another shard has to give its word first.
    Waiting(Wait),
}

/// How an SNEW stands with the claim on its queue.
pub(super) enum Claim {
    /// The queue may be watched.
    Held(Wish),
    /// Another shard is asked.
    Awaited(QueueMark),
}

impl Subscriber {
    /// The shard that a command is for.
    pub(super) fn home_of(&self, command: &Command<'_>, entity: &[u8]) -> ShardId {
        let plan = self.sharding.plan();
        match command {
            Command::Tnew { auth, .. } => self.sharding.home_of_key(auth),
            Command::Snew { token, .. } => plan.of_name(token),
            Command::Ping => plan.own(),
            Command::Tvfy { .. }
            | Command::Tchk
            | Command::Trpl { .. }
            | Command::Tdel
            | Command::Tcrn { .. }
            | Command::Schk
            | Command::Sdel => plan.of_name(entity),
        }
    }

    /// Sends a link to the shard of its next command.
    pub(super) fn hand_off(&mut self, link: LinkId, device: DeviceLink, to: ShardId) {
        self.counters.shards.links_given.count();
        self.outbox.push(Effect::HandOff { link, to, parcel: Box::new(Parcel(device)) });
    }

    /// A link comes from another shard.
    pub(super) fn on_adopted(&mut self, link: LinkId, parcel: Parcel) {
        self.counters.shards.links_taken.count();
        // It was counted where it came from; how many may be open here is this shard's own to say.
        if !self.has_room_for_device() {
            self.counters.links.refused_full.count();
            self.close_source(parcel.0.source());
            self.outbox.push(Effect::Link(LinkAction::Close { link }));
            return;
        }
        self.go_on_with(link, parcel.0);
    }

    pub(super) fn on_letter(&mut self, from: ShardId, letter: Letter) {
        match letter {
            Letter::Supersede { ticket, device, tag, victor } => {
                let defeated = self.tokens.defeated(&device, tag, victor.turn, &victor.token);
                for token in defeated.into_iter().filter(|_| !mutant::is("rivals_elsewhere_stay")) {
                    self.counters.tokens.superseded.count();
                    self.drop_token(token);
                }
                self.when_released(Then::Tell(from, ticket));
            }
            Letter::Claim { queue } => {
                let claimed = self.claims.claim(queue, from);
                self.write(from, Letter::Claimed { queue, claimed });
            }
            Letter::Claimed { queue, claimed } => self.on_claimed(queue, claimed),
            Letter::Release { ticket, queues } => {
                for queue in queues.into_iter().filter(|_| !mutant::is("released_claim_stays")) {
                    self.claims.release(queue, from);
                }
                if let Some(ticket) = ticket {
                    self.write(from, Letter::Done { ticket });
                }
            }
            Letter::Unproved { ticket, device, token, origin } => {
                let is_placed = self.enter_roster(device, token, origin).is_ok();
                self.write(from, Letter::Placed { ticket, device, token, is_placed });
            }
            Letter::Placed { ticket, device, token, is_placed } => {
                self.on_placed(ticket, (device, token), is_placed)
            }
            Letter::Settled { .. } if mutant::is("settled_place_stays") => {}
            Letter::Settled { device, token } => self.roster.strike(device, token),
            Letter::Displace { device, token } => self.displace(device, token),
            Letter::Source { mark, news } => self.sources.hear(self.now, mark, news),
            Letter::Spent { device, what } => self.tokens.spent_elsewhere(self.now, &device, what),
            Letter::HiddenPush { device } => self.delivery.hidden_elsewhere(self.now, &device),
            Letter::Done { ticket } => {
                if let Some(then) = self.waits.done(ticket) {
                    self.go_on(then);
                }
            }
        }
    }

    pub(super) fn write(&mut self, to: ShardId, letter: Letter) {
        self.counters.shards.letters.count();
        self.outbox.push(Effect::Shard { to, letter });
    }

    /// A link opens, unless its source has too many on all shards together.
    pub(super) fn open_source(&mut self, from: Option<Source>) -> bool {
        let is_open = self.sources.open(from);
        if is_open {
            self.tell_of_source(from, News::Opened);
        }
        is_open
    }

    /// A link that was counted is gone.
    pub(super) fn close_source(&mut self, from: Option<Source>) {
        self.sources.close(from);
        self.tell_of_source(from, News::Closed);
    }

    /// Books what a source uses up, or says no.
    pub(super) fn use_source(&mut self, from: Option<Source>, what: Use) -> bool {
        let is_admitted = self.sources.admit(self.now, from, what);
        if is_admitted {
            self.tell_of_source(from, News::Used(what));
        }
        is_admitted
    }

    fn tell_of_source(&mut self, from: Option<Source>, news: News) {
        let Some(mark) = self.sources.mark(from) else { return };
        for shard in self.sharding.plan().others() {
            self.write(shard, Letter::Source { mark, news });
        }
    }

    /// Tells the other shards what the device of a token has used up here.
    pub(super) fn tell_of_device(&mut self, token: TokenIndex, what: Spent) {
        self.tell_with_device(token, |device| Letter::Spent { device, what });
    }

    /// Tells the other shards that the device of a token was sent a hidden push from here.
    pub(super) fn tell_of_hidden_push(&mut self, token: TokenIndex) {
        self.tell_with_device(token, |device| Letter::HiddenPush { device });
    }

    fn tell_with_device(&mut self, token: TokenIndex, letter: impl Fn(DeviceToken) -> Letter) {
        let plan = self.sharding.plan();
        let Some(device) = self.tokens.device(token).filter(|_| !plan.is_alone()) else { return };
        let device = device.token();
        for shard in plan.others() {
            self.write(shard, letter(device.clone()));
        }
    }

    fn go_on(&mut self, then: Then) {
        match then {
            Then::Answer(owed) => self.answer_later(owed, &Response::Ok),
            Then::Tell(to, ticket) => self.write(to, Letter::Done { ticket }),
        }
    }

    /// Ends the other registrations of a device, here and elsewhere; then answers OK.
    pub(super) fn supersede(&mut self, token: TokenIndex, link: LinkId, to: ReplyTo<'_>) -> Progress {
        let (ticket, missing) = self.drop_rivals(token);
        self.wait_for(ticket, missing, link, to)
    }

    /// Ends the other registrations of a device; says how many words will come to confirm it.
    pub(super) fn drop_rivals(&mut self, token: TokenIndex) -> (Ticket, usize) {
        let rivals = self.tokens.rivals(token);
        for rival in rivals.into_iter().filter(|_| !mutant::is("rivals_stay")) {
            self.counters.tokens.superseded.count();
            self.drop_token(rival);
        }
        let ticket = self.waits.ticket();
        let mut missing = self.release_all(Some(ticket));
        if let Some((device, tag, victor)) = self.victor(token) {
            for shard in self.sharding.plan().others() {
                self.write(shard, Letter::Supersede { ticket, device: device.clone(), tag, victor });
                missing += 1;
            }
        }
        (ticket, missing)
    }

    /// Answers OK when every queue that was dropped here is free for others.
    pub(super) fn answered_when_released(&mut self, link: LinkId, to: ReplyTo<'_>) -> Progress {
        let ticket = self.waits.ticket();
        let released = self.release_all(Some(ticket));
        self.wait_for(ticket, released, link, to)
    }

    fn wait_for(&mut self, ticket: Ticket, missing: usize, link: LinkId, to: ReplyTo<'_>) -> Progress {
        if missing == 0 {
            return Progress::Answered;
        }
        let then = Then::Answer(Owed { link, to: to.into() });
        self.waits.enter(ticket, missing, then);
        Progress::Waiting(Wait::Words(ticket))
    }

    fn when_released(&mut self, then: Then) {
        let ticket = self.waits.ticket();
        let missing = self.release_all(Some(ticket));
        if let Some(then) = self.waits.enter(ticket, missing, then) {
            self.go_on(then);
        }
    }

    /// What other shards have to know of a verified registration; nothing when there are none.
    fn victor(&self, token: TokenIndex) -> Option<(DeviceToken, Option<DeviceTag>, Victor)> {
        if self.sharding.plan().is_alone() {
            return None;
        }
        let row = self.tokens.get(token)?;
        let victor = Victor { turn: row.verified_in()?, token: row.id() };
        Some((self.tokens.device(token)?.token(), self.tokens.tag(token), victor))
    }

    /// SNEW for a queue that is not watched here: asks whoever keeps the claim on it.
    ///
    /// # Errors
    ///
    /// The answer, where this shard keeps it and the queue cannot be had.
    pub(super) fn claim(
        &mut self,
        wish: Wish,
        link: LinkId,
        to: ReplyTo<'_>,
    ) -> Result<Claim, ErrorCode<'static>> {
        let plan = self.sharding.plan();
        if plan.is_alone() || self.find_subscription(&wish.queue).is_some() {
            return Ok(Claim::Held(wish));
        }
        let queue = self.sharding.mark(&wish.queue);
        let home = self.sharding.home_of_queue(queue);
        if home == plan.own() {
            return match self.claims.claim(queue, home) {
                Claimed::Granted => Ok(Claim::Held(wish)),
                Claimed::Taken => Err(ErrorCode::Auth),
                Claimed::Full => Err(ErrorCode::Quota),
            };
        }
        if self.waits.claim(queue, Owed { link, to: to.into() }, wish) {
            // What was dropped before has to be free before it is asked for again.
            self.release_all(None);
            self.write(home, Letter::Claim { queue });
        }
        Ok(Claim::Awaited(queue))
    }

    fn on_claimed(&mut self, queue: QueueMark, claimed: Claimed) {
        let mut is_watched = false;
        let mut answers = Vec::new();
        for (owed, wish) in self.waits.claimed(queue) {
            let result = match claimed {
                Claimed::Granted => self.on_subscribe(wish),
                Claimed::Taken => Err(ErrorCode::Auth),
                Claimed::Full => Err(ErrorCode::Quota),
            };
            is_watched |= result.is_ok();
            answers.push((owed, result));
        }
        if claimed == Claimed::Granted && !is_watched {
            self.give_back(queue);
        }
        // Each answer lets its link go on, perhaps with a command that ends what was just begun.
        for (owed, result) in answers {
            match result {
                Ok(id) => self.answer_later(owed, &Response::Idsub { subscription: id.as_bytes() }),
                Err(code) => self.answer_later(owed, &Response::Err(code)),
            }
        }
    }

    /// Gives up the claim on a queue if nothing came of it.
    pub(super) fn forfeit(&mut self, queue: &NotifierAddress) {
        if !self.sharding.plan().is_alone() && self.find_subscription(queue).is_none() {
            self.give_back(self.sharding.mark(queue));
        }
    }

    /// A subscription is on its way out: its queue is free for others once [`release_all`](Self::release_all)
    /// has told them.
    pub(super) fn release_queue_of(&mut self, index: SubscriptionIndex) {
        if self.sharding.plan().is_alone() {
            return;
        }
        let server = self.subscriptions.server_of(index).and_then(|server| self.subscriptions.server(server));
        let Some((server, notifier)) = server.zip(self.subscriptions.notifier(index)) else { return };
        let queue = self.sharding.mark_of(server.address(), notifier);
        self.give_back(queue);
    }

    fn give_back(&mut self, queue: QueueMark) {
        let home = self.sharding.home_of_queue(queue);
        if home == self.sharding.plan().own() {
            self.claims.release(queue, home);
        } else {
            self.released.push((home, queue));
        }
    }

    /// Tells other shards which of their queues are free; says how many have to confirm it.
    pub(super) fn release_all(&mut self, ticket: Option<Ticket>) -> usize {
        let mut by_home: BTreeMap<ShardId, Vec<QueueMark>> = BTreeMap::new();
        for (home, queue) in core::mem::take(&mut self.released) {
            by_home.entry(home).or_default().push(queue);
        }
        let count = by_home.len();
        for (home, queues) in by_home {
            self.write(home, Letter::Release { ticket, queues });
        }
        count
    }

    /// Answers a command whose link has waited, and goes on with the link.
    pub(super) fn answer_later(&mut self, owed: Owed, response: &Response<'_>) {
        let Some(mut device) = self.take_device(owed.link) else { return };
        device.answer(&owed, response);
        self.go_on_with(owed.link, device);
    }
}
