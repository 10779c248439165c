//! Every message of the run and how far it is: the account that has to add up.
//!
//! Told by the stage what was seen; knows no machine. Of messages that are read and old, only the number is kept.

use crate::base::limits::NONCE_LEN;
use crate::base::time::Mono;
use crate::sim::oracle::Excuse;
use crate::sim::stage::view::{Account, MessageState};
use alloc::collections::VecDeque;
use alloc::string::String;

/// Most messages that are held; beyond it the oldest that is read goes, and its number stays in the account.
///
/// Source: ours; what a page shows, and a phone that was off for long.
const HELD_MAX: usize = 512;

/// Most messages that are on their way at a time; beyond it none is sent. Source: ours, below [`HELD_MAX`].
pub(super) const OPEN_MAX: usize = 384;

/// One message.
pub(super) struct Message {
    /// From 1.
    pub(super) number: u32,
    pub(super) device: usize,
    /// The phone's queue, by its number there.
    pub(super) queue: usize,
    pub(super) text: String,
    pub(super) sent: Mono,
    /// When its SMP server took it.
    pub(super) taken: Option<Mono>,
    pub(super) state: MessageState,
    /// The nonce of the notice that speaks for it.
    nonce: Option<[u8; NONCE_LEN]>,
    /// By which rule its phone was not told.
    pub(super) excuse: Option<Excuse>,
    /// Its phone was told late, and that was said.
    pub(super) is_overdue: bool,
}

/// All messages.
#[derive(Default)]
pub(super) struct Ledger {
    held: VecDeque<Message>,
    sent: u32,
    /// Read and not held any more.
    forgotten: u32,
}

impl Ledger {
    /// A message is handed to the sender; gives its number.
    pub(super) fn send(&mut self, at: Mono, device: usize, queue: usize, text: &str) -> u32 {
        self.sent += 1;
        if self.held.len() >= HELD_MAX
            && let Some(oldest) = self.held.iter().position(|message| message.state == MessageState::Read)
        {
            self.held.remove(oldest);
            self.forgotten += 1;
        }
        self.held.push_back(Message {
            number: self.sent,
            device,
            queue,
            text: text.into(),
            sent: at,
            taken: None,
            state: MessageState::Sent,
            nonce: None,
            excuse: None,
            is_overdue: false,
        });
        self.sent
    }

    /// Messages that are not read.
    pub(super) fn open(&self) -> usize {
        self.held.iter().filter(|message| message.state != MessageState::Read).count()
    }

    pub(super) fn messages(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.held.iter()
    }

    pub(super) fn messages_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.held.iter_mut()
    }

    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Message> {
        self.held.iter_mut().find(|message| message.number == number)
    }

    /// Messages were handed to the sender until now.
    pub(super) const fn sent(&self) -> u32 {
        self.sent
    }

    /// The SMP server took a message.
    pub(super) fn taken(&mut self, at: Mono, number: u32) {
        if let Some(message) = self.get_mut(number) {
            message.taken.get_or_insert(at);
            message.reach(MessageState::Held);
        }
    }

    /// The sender gave a message up; gives its phone.
    pub(super) fn refused(&mut self, number: u32) -> Option<usize> {
        let at = self.held.iter().position(|message| message.number == number)?;
        let message = self.held.remove(at)?;
        self.sent -= 1;
        Some(message.device)
    }

    /// The subscriber got a notice of a queue: it speaks for everything that the SMP server had by then.
    pub(super) fn noticed(&mut self, device: usize, queue: usize, nonce: [u8; NONCE_LEN]) {
        // Notices come in the order of their messages, each once. What was read by then has no need of its own.
        let next = self.held.iter_mut().find(|message| {
            (message.device, message.queue) == (device, queue)
                && message.nonce.is_none()
                && message.state != MessageState::Excused
        });
        if let Some(message) = next {
            message.nonce = Some(nonce);
            message.reach(MessageState::Noticed);
        }
    }

    /// The notices of a phone's messages that are as far as this, and no further than that a push was ordered, will
    /// not come: the phone finds the messages when it looks.
    pub(super) fn hold_up(&mut self, device: usize, until: MessageState, excuse: Excuse) {
        for message in self.held.iter_mut().filter(|message| message.device == device) {
            if (MessageState::Noticed..=until).contains(&message.state) {
                message.state = MessageState::Excused;
                message.excuse = Some(excuse);
            }
        }
    }

    /// A push with these notices was ordered: it speaks for older messages of their queues as well.
    pub(super) fn ordered(&mut self, device: usize, nonces: &[[u8; NONCE_LEN]]) {
        let pushed: alloc::vec::Vec<(usize, u32)> = self
            .held
            .iter()
            .filter(|message| message.device == device)
            .filter(|message| message.nonce.is_some_and(|nonce| nonces.contains(&nonce)))
            .map(|message| (message.queue, message.number))
            .collect();
        for message in self.held.iter_mut().filter(|message| message.device == device) {
            for (queue, number) in &pushed {
                if message.number == *number {
                    message.reach(MessageState::Pushed);
                } else if message.queue == *queue
                    && message.number < *number
                    && message.state == MessageState::Noticed
                {
                    message.reach(MessageState::Merged);
                }
            }
        }
    }

    /// An alert stands on a phone's screen: it speaks for all that its subscriber has heard of.
    pub(super) fn shown(&mut self, device: usize) {
        let of_device = self.held.iter_mut().filter(|message| message.device == device);
        for message in of_device.filter(|message| message.state >= MessageState::Noticed) {
            message.reach(MessageState::Shown);
        }
    }

    /// A phone opened a message; gives whether that is news.
    pub(super) fn read(&mut self, number: u32) -> bool {
        let Some(message) = self.get_mut(number) else { return false };
        let is_news = message.state != MessageState::Read;
        message.state = MessageState::Read;
        message.excuse = None;
        is_news
    }

    /// Where all messages are.
    pub(super) fn account(&self) -> Account {
        let mut account = Account { sent: self.sent, read: self.forgotten, ..Account::default() };
        for message in &self.held {
            match message.state {
                MessageState::Read => account.read += 1,
                MessageState::Shown => account.shown += 1,
                MessageState::Excused => account.lost += 1,
                MessageState::Sent
                | MessageState::Held
                | MessageState::Noticed
                | MessageState::Pushed
                | MessageState::Merged => account.waiting += 1,
            }
        }
        account
    }
}

impl Message {
    /// It is this far at least.
    fn reach(&mut self, state: MessageState) {
        if self.state < MessageState::Shown {
            self.state = self.state.max(state);
        }
    }
}
