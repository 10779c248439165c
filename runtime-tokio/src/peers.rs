//! The ways between the shards of a role: a mailbox for each, and every other shard's way into it.

use std::fmt;
use std::num::NonZeroU8;

use ntf_core::host::mailbox::{self, Receiver, Refused, Sender};
use ntf_core::host::stop::{Cause, Stop};
use ntf_core::model::shard::{ShardId, ShardPlan};

use crate::driver::{LETTERS_MAX, Moving};

/// What one shard sends to another.
pub enum Post<W> {
    /// A word, and who says it.
    Word(ShardId, W),
    /// A link, with a word about it. Dropped, it closes.
    Link(ShardId, Box<Moving<W>>),
}

impl<W> fmt::Debug for Post<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Word(..) => "Post::Word",
            Self::Link(..) => "Post::Link",
        })
    }
}

/// One shard's inbox, and its ways to all others.
///
/// Post is bounded by use: a link has one command in work at a time, in one shard, and that asks for a few words
/// of each other shard at most; words that nobody answers tell of handshakes and verified commands, which take longer
/// to do than to hear of. [`LETTERS_MAX`] is about twenty times as many as there are links, so only a shard
/// that reads no more meets it. Its post is refused and counted, and as a lost word breaks a promise, all shards
/// stop with [`Cause::Stuck`].
pub struct Peers<W> {
    own: ShardId,
    inbox: Receiver<Post<W>>,
    /// By the number of the shard; its own too, so that no inbox ever ends.
    ways: Vec<Sender<Post<W>>>,
    stop: Stop,
}

impl<W> Peers<W> {
    /// Nobody: for a role that is all in one driver.
    #[must_use]
    pub fn none() -> Self {
        let (way, inbox) = mailbox::bounded(1);
        Self { own: ShardPlan::ALONE.own(), inbox, ways: vec![way], stop: Stop::new() }
    }

    /// The peers of each of so many shards, which end together with `stop`.
    #[must_use]
    pub fn all(count: NonZeroU8, stop: &Stop) -> Vec<Self> {
        let (ways, inboxes): (Vec<_>, Vec<_>) =
            ShardPlan::all(count).map(|_| mailbox::bounded(LETTERS_MAX)).unzip();
        ShardPlan::all(count)
            .zip(inboxes)
            .map(|(plan, inbox)| Self { own: plan.own(), inbox, ways: ways.clone(), stop: stop.clone() })
            .collect()
    }

    pub(crate) const fn inbox(&mut self) -> &mut Receiver<Post<W>> {
        &mut self.inbox
    }

    /// Sends without waiting. A shard that has ended gets nothing: whoever watches over all of them knows.
    pub(crate) fn post(&self, to: ShardId, post: impl FnOnce(ShardId) -> Post<W>) {
        let way = self.ways.get(usize::from(to.number()));
        debug_assert!(way.is_some(), "a shard knows how many there are");
        if let Some(way) = way
            && let Err(Refused::Full(_)) = way.try_send(post(self.own))
        {
            self.stop.drain(Cause::Stuck { who: shard_name(to) });
        }
    }
}

impl<W> fmt::Debug for Peers<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peers({} letters)", self.inbox.len())
    }
}

/// What a shard is called where its end is told.
#[must_use]
pub fn shard_name(shard: ShardId) -> String {
    format!("subscriber shard {}", shard.number())
}

#[cfg(test)]
mod tests {
    use ntf_core::host::stop::Stage;

    use super::*;

    #[test]
    fn a_shard_that_reads_nothing_stops_all_and_is_named() {
        let stop = Stop::new();
        let mut peers = Peers::all(NonZeroU8::new(2).unwrap(), &stop);
        let there = peers[1].own;
        for _ in 0..LETTERS_MAX {
            peers[0].post(there, |own| Post::Word(own, ()));
        }
        assert_eq!(stop.stage(), Stage::Running);
        peers[0].post(there, |own| Post::Word(own, ()));
        assert_eq!(stop.stage(), Stage::Draining);
        assert_eq!(stop.cause().unwrap().to_string(), "subscriber shard 1 does not read its letters");
        assert_eq!(peers[1].inbox().depth().refused, 1);
    }
}
