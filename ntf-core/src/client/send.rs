//! The device as a sender: secures a queue with its own key, then sends signed messages in order.
//!
//! One command per address is out at a time. A server executes the commands of one block in an order of
//! its own (`smp-transport` 4.8), so SKEY with SEND, or two SENDs, would race; different addresses go
//! side by side. A message whose answer is lost is sent again and may arrive twice, never not at all.

use crate::base::id::EntityId;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::RequestTag;
use crate::client::queue::Lane;
use crate::client::servers::{Ask, SmpAnswer, SmpTag, words};
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private};
use crate::model::server::{SenderAddress, ServerAddress};
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Longest message, in bytes: the limit of every version from 11 on, and below the older ones'.
///
/// Source: `smp-transport` 5.4.
pub const MESSAGE_LEN_MAX: usize = 16048;

/// Names an address that was sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SenderId(u32);

/// All addresses that were sent to. Kept for ever, as their keys cannot be had again; bounded.
#[derive(Default)]
pub(super) struct Senders {
    all: BTreeMap<SenderId, Sender>,
    by_address: BTreeMap<(ServerAddress, EntityId), SenderId>,
}

/// One address that was sent to.
pub(super) struct Sender {
    pub(super) address: SenderAddress,
    pub(super) auth: AuthPrivateKey,
    pub(super) phase: Phase,
    lane: Lane,
    outgoing: VecDeque<Outgoing>,
}

/// Whether the queue takes messages signed by our key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// SKEY has not been answered yet.
    Open,
    /// It has.
    Secured,
    /// It is left unsecured, and messages go unsigned. Nothing of such an address is worth keeping.
    Unsigned,
}

struct Outgoing {
    tag: RequestTag,
    message: Vec<u8>,
}

impl Senders {
    /// Adds an address with its key, or gives the one that is there.
    pub(super) fn enter(
        &mut self,
        address: SenderAddress,
        bound: usize,
        key: impl FnOnce() -> AuthPrivateKey,
        phase: Phase,
    ) -> Option<SenderId> {
        let by = (address.server.clone(), address.sender.clone());
        if let Some(id) = self.by_address.get(&by) {
            return Some(*id);
        }
        if self.all.len() >= bound {
            return None;
        }
        let id = SenderId(u32::try_from(self.all.len()).ok()?);
        let sender = Sender { address, auth: key(), phase, lane: Lane::Free, outgoing: VecDeque::new() };
        self.all.insert(id, sender);
        self.by_address.insert(by, id);
        Some(id)
    }

    /// All whose key must be kept, in the order they were entered.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Sender> + Clone {
        self.all.values().filter(|sender| sender.phase != Phase::Unsigned)
    }

    /// Addresses sent to.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Messages that wait to be sent.
    pub(super) fn waiting(&self) -> usize {
        self.all.values().map(|sender| sender.outgoing.len()).sum()
    }
}

impl Client {
    pub(super) fn on_send(
        &mut self,
        now: Now,
        begin: Phase,
        tag: RequestTag,
        to: SenderAddress,
        message: Vec<u8>,
    ) {
        if message.len() > MESSAGE_LEN_MAX {
            let why = format!("a message has at most {MESSAGE_LEN_MAX} bytes");
            return self.fail(Some(tag), Advice::ReportBug, why);
        }
        let keys = &mut self.keys;
        let key = || AuthPrivateKey::Ed25519(Ed25519Private::generate(keys));
        let Some(id) = self.senders.enter(to, self.config.senders_max, key, begin) else {
            let why = "this client sends to as many addresses as it may";
            return self.fail(Some(tag), Advice::Configure, why);
        };
        let Some(sender) = self.senders.all.get_mut(&id) else { return };
        if sender.outgoing.len() >= self.config.outgoing_max {
            let why = "as many messages wait for this address as may wait";
            return self.fail(Some(tag), self.try_again(), why);
        }
        sender.outgoing.push_back(Outgoing { tag, message });
        self.advance_sender(now, id);
    }

    /// Sends what is next for an address, unless something is out already.
    pub(super) fn advance_sender(&mut self, now: Now, id: SenderId) {
        let Some(sender) = self.senders.all.get_mut(&id) else { return };
        let Some(next) = sender.outgoing.front() else { return };
        if sender.lane == Lane::Busy {
            return;
        }
        let (command, tag) = match (sender.phase, sender.auth.public()) {
            (Phase::Secured | Phase::Unsigned, _) => {
                (Command::Send { notify: true, message: &next.message }, SmpTag::Send(id))
            }
            (Phase::Open, Some(public)) => (Command::Skey { sender: public }, SmpTag::Skey(id)),
            // A key of another kind than we make, from a state file of another build.
            (Phase::Open, None) => {
                return self.fail_sender(id, Advice::Configure, "the key of this address cannot be used");
            }
        };
        let SenderAddress { server, sender: entity } = &sender.address;
        let auth = Some(&sender.auth).filter(|_| sender.phase != Phase::Unsigned);
        match self.servers.ask_smp(now, &self.config, server, Some(entity), auth, &command, tag) {
            Ask::Out => sender.lane = Lane::Busy,
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.fail_sender(id, advice, why),
        }
    }

    /// Goes on with every address at a server that has come up.
    pub(super) fn resume_senders(&mut self, now: Now, server: &ServerAddress) {
        let waiting: Vec<_> = self
            .senders
            .all
            .iter()
            .filter(|(_, sender)| !sender.outgoing.is_empty() && sender.address.server == *server)
            .map(|(id, _)| *id)
            .collect();
        for id in waiting {
            self.advance_sender(now, id);
        }
    }

    pub(super) fn on_skey_answer(&mut self, now: Now, id: SenderId, answer: SmpAnswer<'_>) {
        let Some(sender) = self.senders.all.get_mut(&id) else { return };
        sender.lane = Lane::Free;
        match answer {
            SmpAnswer::Message(Message::Ok) => {
                sender.phase = Phase::Secured;
                self.advance_sender(now, id);
            }
            SmpAnswer::Error(ErrorCode::Auth) => self.fail_sender(
                id,
                Advice::AskUser,
                "SKEY: the SMP server has no such queue, or another sender has secured it (AUTH)",
            ),
            SmpAnswer::Error(code) => {
                let advice = lasting(&code).unwrap_or_else(|| self.try_again());
                self.fail_sender(id, advice, words("SKEY", "the SMP server", &code));
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                let why = "SKEY: the SMP server's answer is none to this command";
                self.fail_sender(id, Advice::ReportBug, why);
            }
            SmpAnswer::Lost => self.advance_sender(now, id),
        }
    }

    pub(super) fn on_send_answer(&mut self, now: Now, id: SenderId, answer: SmpAnswer<'_>) {
        let Some(sender) = self.senders.all.get_mut(&id) else { return };
        sender.lane = Lane::Free;
        let failure = match answer {
            SmpAnswer::Lost => return self.advance_sender(now, id),
            SmpAnswer::Message(Message::Ok) => None,
            SmpAnswer::Error(ErrorCode::Quota) => {
                let why = "SEND: the queue is full until its recipient has read it (QUOTA)";
                Some((self.try_again(), why.into()))
            }
            SmpAnswer::Error(ErrorCode::Auth) => {
                let why = "SEND: the SMP server no longer takes messages for this queue (AUTH)";
                Some((Advice::AskUser, why.into()))
            }
            SmpAnswer::Error(code) => {
                let advice = lasting(&code).unwrap_or_else(|| self.try_again());
                Some((advice, words("SEND", "the SMP server", &code)))
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                Some((Advice::ReportBug, "SEND: the SMP server's answer is none to this command".into()))
            }
        };
        let sender = self.senders.all.get_mut(&id);
        if let Some(done) = sender.and_then(|sender| sender.outgoing.pop_front()) {
            match failure {
                None => {
                    self.counters.sent.count();
                    self.tell(Event::Sent { tag: done.tag });
                }
                Some((advice, why)) => self.fail(Some(done.tag), advice, why),
            }
        }
        self.advance_sender(now, id);
    }

    /// Fails everything that waits for an address; the next message begins anew.
    fn fail_sender(&mut self, id: SenderId, advice: Advice, why: impl Into<String>) {
        let Some(sender) = self.senders.all.get_mut(&id) else { return };
        let why = why.into();
        for outgoing in core::mem::take(&mut sender.outgoing) {
            self.fail(Some(outgoing.tag), advice, why.clone());
        }
    }
}
