//! The writing half of the format.

use super::{Duration, Left, MAGIC, Part, Queue, QueuePhase, Version, Writer};
use crate::base::time::Mono;
use crate::client::Client;
use crate::client::input::QueueId;
use crate::client::mode::{Mode, Notifications};
use crate::client::on_timer::Timer;
use crate::client::queue::{Check, Fetch, Live, Notifier, Subscription};
use crate::client::send::Phase as SenderPhase;
use crate::client::token::{Issued, Phase, Token, Wants};
use crate::wire::ntf::command::Device;
use crate::wire::server;
use crate::wire::text::status;
use alloc::vec::Vec;

impl Client {
    pub(super) fn write(&self, writer: &mut Writer<'_>, part: Part) {
        let is_all = part == Part::All;
        writer.bytes(MAGIC).u8(Version::Five as u8).i64(self.latest.wall.unix_secs()).u32(self.queues_made);
        writer.u8(match self.mode {
            Mode::Instant => b'I',
            Mode::Periodic => b'P',
            Mode::Direct => b'D',
            Mode::Off => b'O',
        });
        writer.bool(self.has_unregistered).bool(self.direct.is_enabled);
        let networks: Vec<_> = self.direct.networks().collect();
        writer.list(&networks, |writer, (network, brackets)| {
            writer.i64(network.0.cast_signed());
            for bracket in brackets {
                writer.u16(whole_secs(bracket.survived));
                writer.maybe(bracket.dropped, |writer, dropped| {
                    writer.u16(whole_secs(dropped));
                });
            }
        });
        writer.maybe(self.token.as_ref(), |writer, token| self.write_token(writer, token));
        write_list(writer, self.leavings.iter().filter(|_| is_all), |writer, leaving| {
            writer.u8(match leaving.what {
                Left::Token => b'T',
                Left::Subscription(_) => b'S',
            });
            server::encode(&leaving.server, writer);
            writer.short(leaving.id.as_bytes()).short(&leaving.auth.to_pkcs8());
            writer.u32(self.due(leaving.until));
        });
        let live = self.queues.iter().filter_map(|(id, queue)| Some((*id, queue, queue.live()?)));
        let live = live.filter(|(_, _, live)| is_all || live.notifier_keys().is_some());
        write_list(writer, live, |writer, (id, queue, live)| self.write_queue(writer, id, queue, live));
        let deleting = self.queues.iter().filter_map(|(id, queue)| match &queue.phase {
            QueuePhase::Deleting { recipient, until, .. } if is_all => Some((id, queue, recipient, until)),
            QueuePhase::Creating { .. } | QueuePhase::Live(_) | QueuePhase::Deleting { .. } => None,
        });
        write_list(writer, deleting, |writer, (id, queue, recipient, until)| {
            writer.u32(id.0);
            server::encode(&queue.server, writer);
            writer.short(&queue.auth.to_pkcs8()).short(recipient.as_bytes()).u32(self.due(*until));
        });
        write_list(writer, self.senders.kept().filter(|_| is_all), |writer, sender| {
            server::encode(&sender.address.server, writer);
            writer.short(sender.address.sender.as_bytes()).short(&sender.auth.to_pkcs8());
            writer.bool(sender.phase == SenderPhase::Secured);
        });
    }

    /// Seconds from the last input until then.
    fn due(&self, at: Mono) -> u32 {
        u32::try_from(at.since(self.latest.mono).as_secs()).unwrap_or(u32::MAX)
    }

    fn due_of(&self, timer: Timer) -> Option<u32> {
        self.timers.deadline(&timer).map(|at| self.due(at))
    }

    fn write_token(&self, writer: &mut Writer<'_>, token: &Token) {
        server::encode(&token.server, writer);
        Device::of(&token.device).encode(writer);
        writer.maybe(token.shown.sealed_to, |writer, key| {
            writer.bytes(key.as_bytes()).short(&token.shown.device.token);
        });
        writer.short(&token.auth.to_pkcs8()).bytes(token.dh.expose());
        let issued = |writer: &mut Writer<'_>, tag: u8, issued: &Issued| {
            writer.u8(tag).short(issued.id.as_bytes()).bytes(issued.secret.expose());
        };
        match &token.phase {
            Phase::New => {
                writer.u8(b'N');
            }
            Phase::Registered(by) => issued(writer, b'R', by),
            Phase::Verifying(by, code) => {
                issued(writer, b'V', by);
                writer.bytes(code.expose());
            }
            Phase::Active(by) => issued(writer, b'A', by),
            Phase::Refused(by, refusal) => {
                issued(writer, b'I', by);
                writer.short(status::token(*refusal).as_bytes());
            }
        }
        let Wants { another_push, check, replacement } = token.wants;
        writer.bool(another_push).bool(check).bool(replacement);
        writer.maybe(token.cron, |writer, cron| {
            writer.u16(cron.minutes());
        });
        writer.maybe(self.due_of(Timer::Check), |writer, due| {
            writer.u32(due);
        });
    }

    fn write_queue(&self, writer: &mut Writer<'_>, id: QueueId, queue: &Queue, live: &Live) {
        writer.u32(id.0);
        server::encode(&queue.server, writer);
        writer.short(&queue.auth.to_pkcs8());
        writer.short(live.recipient.as_bytes()).short(live.sender.as_bytes()).bytes(live.secret.expose());
        writer.bool(live.notifications == Notifications::On);
        match &live.notifier {
            Notifier::Ready(keys) => {
                writer.u8(b'K').short(keys.id.as_bytes()).short(&keys.auth.to_pkcs8());
                writer.bytes(keys.secret.expose());
            }
            Notifier::Missing | Notifier::Delayed | Notifier::Asked { .. } => {
                writer.u8(b'M');
            }
            Notifier::Removing(_) => {
                writer.u8(b'R');
            }
            Notifier::Off => {
                writer.u8(b'O');
            }
        }
        let subscription = match &live.subscription {
            Subscription::Made { id: subscription, check: Check::Idle, .. } => {
                Some((subscription, self.due_of(Timer::Subscription(id)).unwrap_or(0)))
            }
            Subscription::Made { id: subscription, check: Check::Wanted | Check::Asked, .. } => {
                Some((subscription, 0))
            }
            Subscription::Missing | Subscription::Delayed | Subscription::Asked => None,
        };
        writer.maybe(subscription, |writer, (id, due)| {
            writer.short(id.as_bytes()).u32(due);
        });
        writer.bool(live.fetch != Fetch::Idle || self.timers.deadline(&Timer::Fetch(id)).is_some());
        let messages: Vec<_> = live.seen.messages().copied().collect();
        writer.i64(live.seen.broker_time).list(&messages, |writer, id| {
            writer.bytes(id);
        });
    }
}

fn whole_secs(span: Duration) -> u16 {
    u16::try_from(span.as_secs()).unwrap_or(u16::MAX)
}

fn write_list<'w, T>(
    writer: &mut Writer<'w>,
    items: impl Iterator<Item = T> + Clone,
    mut write: impl FnMut(&mut Writer<'w>, T),
) {
    writer.u32(u32::try_from(items.clone().count()).expect("the tables are bounded far below 2^32"));
    for item in items {
        write(writer, item);
    }
}
