//! The reading half of the format, and what a restored client goes on with.

use super::queue::Wanted;
use super::{Duration, ImportError, Left, Now, PeerFault, Queue, QueuePhase, Reader, Version, Wall};
use crate::base::backoff::Backoff;
use crate::base::id::EntityId;
use crate::base::secret::Secret;
use crate::client::Client;
use crate::client::direct::{Bracket, NetworkId};
use crate::client::input::QueueId;
use crate::client::leave::Leaving;
use crate::client::mode::Mode;
use crate::client::on_timer::Timer;
use crate::client::queue::{DeleteStep, Lane, Notifier};
use crate::client::send::Phase as SenderPhase;
use crate::client::token::{Issued, Phase, Shown, Token, Wants};
use crate::crypto::keys::{AuthPrivateKey, DhSecret, X25519Private, X25519Public};
use crate::model::cron::Cron;
use crate::model::server::SenderAddress;
use crate::model::token::{DeviceToken, Provider, SEALED_TOKEN_LEN};
use crate::wire::ntf::command::Device;
use crate::wire::server;
use crate::wire::text::status;
use alloc::vec::Vec;

/// How long a deletion is tried whose time is over when the state is read: the calendar may be wrong.
const LAST_TRY: Duration = Duration::from_secs(3600);

/// How spans of the format are read.
#[derive(Clone, Copy)]
pub(super) struct Spans {
    pub(super) version: Version,
    /// Since the state was written; zero if the calendar was set back.
    passed: Duration,
}

impl Spans {
    /// The rest of a span that is `usual` at most, and in version 1 as good as begun.
    pub(super) fn left(self, reader: &mut Reader<'_>, usual: Duration) -> Result<Duration, PeerFault> {
        Ok(match self.version {
            Version::One => usual,
            Version::Two | Version::Three | Version::Four | Version::Five => {
                let due = Duration::from_secs(reader.u32("due date")?.into());
                due.saturating_sub(self.passed).min(usual)
            }
        })
    }

    /// As [`left`](Self::left), but not over at once if it ended while nobody could try.
    fn left_of_deletion(self, reader: &mut Reader<'_>, usual: Duration) -> Result<Duration, PeerFault> {
        let left = self.left(reader, usual)?;
        Ok(if self.passed.is_zero() { left } else { left.max(LAST_TRY) })
    }
}

fn read_bracket(reader: &mut Reader<'_>) -> Result<Bracket, PeerFault> {
    let secs = |secs: u16| Duration::from_secs(secs.into());
    let survived = secs(reader.u16("survived silence")?);
    let dropped = reader
        .maybe("silence that was not survived", |reader| reader.u16("silence that was not survived"))?;
    Ok(Bracket::new(survived, dropped.map(secs)))
}

impl Client {
    pub(super) fn read_all<T>(
        &mut self,
        now: Now,
        version: Version,
        reader: &mut Reader<'_>,
        choose: impl FnOnce(&Self) -> (Wanted, T),
    ) -> Result<T, ImportError> {
        let written = match version {
            Version::One => now.wall,
            Version::Two | Version::Three | Version::Four | Version::Five => {
                let secs = reader.i64("date")?;
                Wall::from_secs(u64::try_from(secs).map_err(|_| PeerFault::Malformed { field: "date" })?)
            }
        };
        let passed = Duration::from_millis(now.wall.as_millis().saturating_sub(written.as_millis()));
        // The date is in whole seconds, so are spans; a part of one is nothing.
        let spans = Spans { version, passed: Duration::from_secs(passed.as_secs()) };
        self.queues_made = reader.u32("number of queues")?;
        if version > Version::One {
            self.mode = match reader.u8("mode")? {
                b'I' => Mode::Instant,
                b'P' => Mode::Periodic,
                b'D' if version > Version::Three => Mode::Direct,
                b'O' if version > Version::Three => Mode::Off,
                _ => return Err(PeerFault::Malformed { field: "mode" }.into()),
            };
            self.has_unregistered = reader.bool("unregistered")?;
        }
        if version > Version::Three {
            self.read_direct(version, reader)?;
        }
        if let Some(token) = reader.maybe("token", |reader| self.read_token(now, reader, spans))? {
            self.generation = token.generation;
            self.token = Some(token);
        }
        for _ in 0..reader.u32("number of deletions")? {
            if self.leavings.len() >= self.config.deletions_max {
                return Err(ImportError::TooMany { what: "deletions" });
            }
            let leaving = self.read_leaving(now, reader, spans)?;
            self.enter_leaving(leaving);
        }
        let (wanted, chosen) = choose(self);
        for _ in 0..reader.u32("number of queues")? {
            self.read_queue(now, reader, spans, &wanted)?;
        }
        for _ in 0..reader.u32("number of queues to delete")? {
            self.read_deleting(now, reader, spans)?;
        }
        for _ in 0..reader.u32("number of senders")? {
            let server = server::decode(reader)?;
            let address = SenderAddress { server, sender: entity(reader, "sender id")? };
            let auth = key(reader, "key of a sender")?;
            let phase = if reader.bool("secured")? { SenderPhase::Secured } else { SenderPhase::Open };
            let bound = self.config.senders_max;
            self.senders
                .enter(address, bound, || auth, phase)
                .ok_or(ImportError::TooMany { what: "addresses" })?;
        }
        reader.finish("state")?;
        Ok(chosen)
    }

    fn read_direct(&mut self, version: Version, reader: &mut Reader<'_>) -> Result<(), PeerFault> {
        self.direct.is_enabled = reader.bool("switch of direct connections")?;
        for _ in 0..reader.u8("number of networks")? {
            let network = NetworkId(reader.i64("name of a network")?.cast_unsigned());
            let brackets = match version {
                Version::Five => [read_bracket(reader)?, read_bracket(reader)?],
                // TCP asked every 30 seconds on all links, so of silence without its questions nothing was known.
                Version::One | Version::Two | Version::Three | Version::Four => {
                    [Bracket::new(self.config.direct.interval_min, None), read_bracket(reader)?]
                }
            };
            self.direct.restore(&self.config.direct, network, brackets);
        }
        Ok(())
    }

    /// Sets the timers of what was intended. All within seconds, so that a program that starts has time for
    /// commands of its own.
    pub(super) fn go_on(&mut self, now: Now) {
        self.seal_as_configured(now);
        for id in self.queues.keys().copied().collect::<Vec<_>>() {
            self.note_notifier(id);
            let is_settled =
                self.queues.get(&id).and_then(Queue::live).is_some_and(|live| match live.notifier {
                    Notifier::Ready(_) => live.subscription.is_made() || self.token.is_none(),
                    Notifier::Off => true,
                    Notifier::Missing
                    | Notifier::Delayed
                    | Notifier::Asked { .. }
                    | Notifier::Removing(_) => false,
                });
            if !is_settled {
                self.soon(now, Timer::Queue(id));
            }
        }
        for timer in self.leavings.timers() {
            self.soon(now, timer);
        }
        if self.is_direct() {
            self.soon(now, Timer::Watching);
        }
        let Some(token) = &mut self.token else { return };
        match &token.phase {
            // Its push may be on the way.
            Phase::Registered(_) if token.wants == Wants::default() => {
                let delay = token.backoff.next_delay(self.config.verification, &mut self.jitter);
                self.timers.set(Timer::Register, now.mono + delay);
            }
            Phase::Active(_) | Phase::Refused(..) if token.wants == Wants::default() => {}
            Phase::New
            | Phase::Registered(_)
            | Phase::Verifying(..)
            | Phase::Active(_)
            | Phase::Refused(..) => self.soon(now, Timer::Register),
        }
    }

    pub(super) fn soon(&mut self, now: Now, timer: Timer) {
        let delay = Backoff::new().next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(timer, now.mono + delay);
    }

    fn read_token(&mut self, now: Now, reader: &mut Reader<'_>, spans: Spans) -> Result<Token, PeerFault> {
        let server = server::decode(reader)?;
        let device: DeviceToken = Device::decode(reader)?.to_token();
        let sealed = match spans.version {
            Version::One | Version::Two => None,
            Version::Three | Version::Four | Version::Five => {
                reader.maybe("sealed device token", read_sealed)?
            }
        };
        let shown = sealed.unwrap_or_else(|| Shown { sealed_to: None, device: device.clone() });
        let auth = key(reader, "key of the token")?;
        let dh = X25519Private::from_bytes(reader.array("agreement key of the token")?);
        let phase = read_phase(reader)?;
        let mut token = Token::new(self.generation.next(), server, device, shown, &mut self.keys);
        if spans.version > Version::One {
            token.wants = Wants {
                another_push: reader.bool("wants of the token")?,
                check: reader.bool("wants of the token")?,
                replacement: reader.bool("wants of the token")?,
            };
            // A subscriber may have taken an interval that this version would not ask for.
            let minutes = reader.maybe("interval", |reader| reader.u16("interval"))?;
            token.cron = minutes.and_then(|minutes| Cron::from_minutes(minutes).ok());
        }
        let usual = self.config.first_check.max(self.config.later_checks);
        let due = match spans.version {
            Version::One => Some(self.config.first_check).filter(|_| matches!(phase, Phase::Active(_))),
            Version::Two | Version::Three | Version::Four | Version::Five => {
                reader.maybe("next check", |reader| spans.left(reader, usual))?
            }
        };
        if let Some(due) = due {
            self.timers.set(Timer::Check, now.mono + due);
        }
        Ok(Token { auth, dh, phase, ..token })
    }

    fn read_leaving(
        &mut self,
        now: Now,
        reader: &mut Reader<'_>,
        spans: Spans,
    ) -> Result<Leaving, PeerFault> {
        let what = match spans.version {
            Version::One => b'T',
            Version::Two | Version::Three | Version::Four | Version::Five => {
                reader.u8("kind of a deletion")?
            }
        };
        let what = match (what, &self.token) {
            (b'T', _) => Left::Token,
            (b'S', Some(token)) => Left::Subscription(token.generation),
            _ => return Err(PeerFault::Malformed { field: "kind of a deletion" }),
        };
        let server = server::decode(reader)?;
        let id = entity(reader, "id of a deletion")?;
        let auth = key(reader, "key of a deletion")?;
        let until = now.mono + spans.left_of_deletion(reader, self.config.deletion_age_max)?;
        Ok(Leaving { what, server, id, auth, until, lane: Lane::Free, backoff: Backoff::new() })
    }

    fn read_deleting(&mut self, now: Now, reader: &mut Reader<'_>, spans: Spans) -> Result<(), ImportError> {
        let id = self.read_queue_id(reader)?;
        let server = server::decode(reader)?;
        let auth = key(reader, "key of a queue")?;
        let recipient = entity(reader, "recipient id")?;
        let until = now.mono + spans.left_of_deletion(reader, self.config.deletion_age_max)?;
        let (step, lane, backoff) = (DeleteStep::Notifier, Lane::Free, Backoff::new());
        let phase = QueuePhase::Deleting { recipient, step, lane, until, backoff };
        self.queues.insert(id, Queue { server, auth, phase });
        Ok(())
    }

    /// The id of a queue, which is one that was given out, and to no other.
    pub(super) fn read_queue_id(&self, reader: &mut Reader<'_>) -> Result<QueueId, ImportError> {
        if self.queues.len() >= self.config.queues_max {
            return Err(ImportError::TooMany { what: "queues" });
        }
        let id = QueueId(reader.u32("queue")?);
        match id.0 < self.queues_made && !self.queues.contains_key(&id) {
            true => Ok(id),
            false => Err(PeerFault::Malformed { field: "queue" }.into()),
        }
    }
}

fn read_phase(reader: &mut Reader<'_>) -> Result<Phase, PeerFault> {
    let tag = reader.u8("phase of the token")?;
    let mut issued = || -> Result<Issued, PeerFault> {
        Ok(Issued {
            id: entity(reader, "token id")?,
            secret: DhSecret::new(reader.array("secret of the token")?),
        })
    };
    Ok(match tag {
        b'N' => Phase::New,
        b'R' => Phase::Registered(issued()?),
        b'V' => Phase::Verifying(issued()?, Secret::new(reader.array("code")?)),
        b'A' => Phase::Active(issued()?),
        b'I' => {
            let issued = issued()?;
            let text = reader.short_text("token status")?;
            let refusal = status::parse_token(text).ok_or(PeerFault::Malformed { field: "token status" })?;
            Phase::Refused(issued, refusal)
        }
        _ => return Err(PeerFault::Malformed { field: "phase of the token" }),
    })
}

fn read_sealed(reader: &mut Reader<'_>) -> Result<Shown, PeerFault> {
    let key = X25519Public::new(reader.array("key of the push server")?);
    let field = "sealed device token";
    let token = Some(reader.short(field)?).filter(|token| token.len() == SEALED_TOKEN_LEN);
    let token = token.ok_or(PeerFault::Malformed { field })?.into();
    Ok(Shown { sealed_to: Some(key), device: DeviceToken { provider: Provider::Sealed, token } })
}

pub(super) fn entity(reader: &mut Reader<'_>, field: &'static str) -> Result<EntityId, PeerFault> {
    EntityId::new(reader.short(field)?).ok_or(PeerFault::Malformed { field })
}

fn key(reader: &mut Reader<'_>, field: &'static str) -> Result<AuthPrivateKey, PeerFault> {
    key_of(reader.short(field)?, field)
}

pub(super) fn key_of(bytes: &[u8], field: &'static str) -> Result<AuthPrivateKey, PeerFault> {
    AuthPrivateKey::from_pkcs8(bytes).map_err(|_| PeerFault::Malformed { field })
}
