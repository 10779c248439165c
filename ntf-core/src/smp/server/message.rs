//! Messages and the inbox that holds them until they are acknowledged.
//!
//! The inbox owns the rule of the quota marker: when a message would exceed the quota, one marker is
//! stored in its place, and nothing more is taken until the recipient has drained everything, the
//! marker included. Encryption of what is delivered is in `delivery`.

use super::id::MessageId;
use crate::base::time::Mono;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::fmt;
use core::time::Duration;
use zeroize::Zeroize;

/// One message of a queue.
#[derive(Debug)]
pub(super) struct Message {
    /// Its id and nonce.
    pub(super) id: MessageId,
    /// Unix seconds of receipt, as recipient and device read them.
    pub(super) timestamp: i64,
    /// When it came, for expiry.
    pub(super) received: Mono,
    /// What it carries.
    pub(super) content: Content,
}

/// What a message carries.
pub(super) enum Content {
    /// What a SEND brought.
    Sent {
        /// Whether the sender asked for a notification; goes back to the recipient as a flag.
        notify: bool,
        /// The message as sent.
        body: Box<[u8]>,
    },
    /// The mark that messages were refused from here on.
    QuotaMarker,
}

impl Content {
    /// Bytes it occupies beside the fixed part.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Sent { body, .. } => body.len(),
            Self::QuotaMarker => 0,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { body, .. } => write!(f, "Sent({} bytes)", body.len()),
            Self::QuotaMarker => f.write_str("QuotaMarker"),
        }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        match self {
            Self::Sent { body, .. } => body.zeroize(),
            Self::QuotaMarker => {}
        }
    }
}

/// Whether an inbox takes messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    /// Below the quota.
    Open,
    /// The quota was exceeded and the recipient has not drained everything since.
    Closed,
}

/// What became of a message put into an inbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    /// It waits for the recipient.
    Stored,
    /// It was refused and the marker waits in its place.
    Marked,
    /// It was refused; the marker was there already.
    Refused,
}

/// Room for another message, as the whole server sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// There is room.
    Yes,
    /// The server holds all it may: treat every inbox as full.
    No,
}

/// The messages of one queue, oldest first.
#[derive(Debug)]
pub(super) struct Inbox {
    messages: VecDeque<Message>,
    intake: Intake,
}

impl Inbox {
    /// An empty inbox that takes messages.
    pub(super) const fn new() -> Self {
        Self { messages: VecDeque::new(), intake: Intake::Open }
    }

    /// Takes a message, or marks that it was refused.
    ///
    /// Source: `smp-transport` 5.4, queue capacity.
    pub(super) fn put(&mut self, message: Message, quota: usize, room: Room) -> Put {
        match self.intake {
            Intake::Closed if !self.messages.is_empty() => return Put::Refused,
            Intake::Open | Intake::Closed => {}
        }
        if self.messages.len() < quota && room == Room::Yes {
            self.intake = Intake::Open;
            self.messages.push_back(message);
            Put::Stored
        } else {
            self.intake = Intake::Closed;
            self.messages.push_back(Message { content: Content::QuotaMarker, ..message });
            Put::Marked
        }
    }

    /// The message to deliver next.
    pub(super) fn first(&self) -> Option<&Message> {
        self.messages.front()
    }

    /// Takes the first message out when it is the one with this id.
    ///
    /// Another reader of the same queue may have removed it already, which is no fault.
    pub(super) fn remove_first(&mut self, id: MessageId) -> Option<Message> {
        self.messages.front().filter(|first| first.id == id)?;
        self.messages.pop_front()
    }

    /// Takes the first message out when it came longer than `lifetime` ago.
    pub(super) fn pop_expired(&mut self, now: Mono, lifetime: Duration) -> Option<Message> {
        self.messages.front().filter(|first| now.since(first.received) >= lifetime)?;
        self.messages.pop_front()
    }

    /// Messages held, the marker included.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of all message bodies held.
    pub(super) fn body_len(&self) -> usize {
        self.messages.iter().map(|message| message.content.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_marker_stands_until_everything_is_drained() {
        let mut inbox = Inbox::new();
        assert_eq!(inbox.put(message(1), 2, Room::Yes), Put::Stored);
        assert_eq!(inbox.put(message(2), 2, Room::Yes), Put::Stored);
        assert_eq!(inbox.put(message(3), 2, Room::Yes), Put::Marked);
        assert_eq!(inbox.put(message(4), 2, Room::Yes), Put::Refused);
        assert_eq!(inbox.len(), 3);
        for number in [1, 2] {
            assert!(inbox.remove_first(id(number)).is_some());
            assert_eq!(inbox.put(message(5), 2, Room::Yes), Put::Refused, "after {number}");
        }
        let marker = inbox.remove_first(id(3)).map(|message| message.content.len());
        assert_eq!(marker, Some(0));
        assert!(inbox.is_empty());
        assert_eq!(inbox.put(message(6), 2, Room::Yes), Put::Stored);
    }

    #[test]
    fn a_full_server_marks_even_an_empty_inbox() {
        let mut inbox = Inbox::new();
        assert_eq!(inbox.put(message(1), 2, Room::No), Put::Marked);
        assert_eq!(inbox.put(message(2), 2, Room::Yes), Put::Refused);
        assert!(inbox.remove_first(id(1)).is_some());
        assert_eq!(inbox.put(message(3), 2, Room::Yes), Put::Stored);
    }

    #[test]
    fn only_the_first_message_can_be_removed_and_only_by_its_id() {
        let mut inbox = Inbox::new();
        inbox.put(message(1), 9, Room::Yes);
        inbox.put(message(2), 9, Room::Yes);
        assert!(inbox.remove_first(id(2)).is_none());
        assert!(inbox.remove_first(id(1)).is_some());
        assert_eq!(inbox.first().map(|first| first.id), Some(id(2)));
    }

    #[test]
    fn expiry_bounds() {
        let lifetime = Duration::from_micros(10);
        for (age, expired) in [(0, false), (9, false), (10, true), (11, true)] {
            let mut inbox = Inbox::new();
            inbox.put(message(1), 9, Room::Yes);
            let now = Mono::from_micros(age);
            assert_eq!(inbox.pop_expired(now, lifetime).is_some(), expired, "age = {age}");
        }
    }

    fn id(number: u8) -> MessageId {
        MessageId::new([number; 24])
    }

    fn message(number: u8) -> Message {
        let content = Content::Sent { notify: false, body: [number].into() };
        Message { id: id(number), timestamp: 0, received: Mono::ZERO, content }
    }
}
