//! When to ask a silent peer whether it is still there, and when to stop believing so.
//!
//! A link that waits for events can be dead for hours without anyone noticing: nothing is sent, so
//! nothing fails. Once something is subscribed, silence is therefore broken by PINGs. A link that waits
//! for nothing may be silent as long as it likes. The module knows time only; PINGs are written by
//! [`requester`](super::requester).
//!
//! The reference waits for 15 minutes of silence as well before it drops a link (`smp-transport` 7.2);
//! dropping after a few unanswered PINGs is compatible and finds a dead server within three minutes.

use crate::base::time::Mono;
use core::time::Duration;

/// Pause between questions of TCP that stay unanswered; see [`probes_last`].
///
/// Source: ours; as long as TCP's first repetitions of a lost segment take on a bad network.
pub const PROBE_GAP: Duration = Duration::from_secs(7);

/// Questions of TCP in a row that may stay unanswered before a link counts as broken. Source: ours.
pub const PROBES_MAX: u32 = 3;

/// How long it takes TCP to give up a link that does not answer: about as long as a client waits for a PING.
#[must_use]
pub const fn probes_last() -> Duration {
    PROBE_GAP.saturating_mul(PROBES_MAX)
}

/// When to ping and when to give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepalivePlan {
    /// Silence before the first PING, and between PINGs that are answered; `None` where whoever holds the
    /// link decides when to ask. Default 60 s, as the reference's notification server has it.
    /// Source: `smp-transport` 7.1.
    pub interval: Option<Duration>,
    /// How long to wait for any block after a PING. Default 30 s. Source: `smp-transport` 7.1.
    pub answer_timeout: Duration,
    /// PINGs in a row that may stay unanswered, at least 1. Default 2: with the defaults above a dead
    /// peer is dropped after two minutes. Source: ours.
    pub unanswered_max: u32,
}

impl Default for KeepalivePlan {
    fn default() -> Self {
        Self {
            interval: Some(Duration::from_secs(60)),
            answer_timeout: Duration::from_secs(30),
            unanswered_max: 2,
        }
    }
}

/// What to do about the peer's silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing: the peer was heard lately, or nobody waits for it.
    Bearable,
    /// Send a PING.
    Ask,
    /// Close the link: the peer is taken for dead.
    Dead,
}

/// The silence of one link.
#[derive(Clone, Copy, Debug)]
pub struct Keepalive {
    plan: KeepalivePlan,
    is_watching: bool,
    unanswered: u32,
    next: Option<Mono>,
}

impl Keepalive {
    /// A link on which nothing is waited for yet.
    #[must_use]
    pub const fn new(plan: KeepalivePlan) -> Self {
        Self { plan, is_watching: false, unanswered: 0, next: None }
    }

    /// Something is subscribed on the link: silence is no longer taken for peace.
    pub fn watch(&mut self, now: Mono) {
        if !self.is_watching {
            self.is_watching = true;
            self.next = self.next.or(self.asks_at(now));
        }
    }

    /// A block came, whatever it held.
    pub fn on_heard(&mut self, now: Mono) {
        self.unanswered = 0;
        self.next = self.asks_at(now);
    }

    /// When the silence that begins at `now` is to be broken, if it is.
    fn asks_at(&self, now: Mono) -> Option<Mono> {
        self.plan.interval.filter(|_| self.is_watching).map(|interval| now + interval)
    }

    /// Asks at once, even where nobody watches: a request timed out and nothing came since it was sent, or
    /// whoever holds the link wants to know.
    pub fn on_suspicion(&mut self, now: Mono) {
        if self.unanswered == 0 {
            self.next = Some(now);
        }
    }

    /// What to do now. [`Silence::Ask`] counts the PING as sent.
    pub fn poll(&mut self, now: Mono) -> Silence {
        if self.next.is_none_or(|at| at > now) {
            return Silence::Bearable;
        }
        if self.unanswered >= self.plan.unanswered_max.max(1) {
            self.next = None;
            return Silence::Dead;
        }
        self.unanswered += 1;
        self.next = Some(now + self.plan.answer_timeout);
        Silence::Ask
    }

    /// When to call [`poll`](Self::poll).
    #[must_use]
    pub const fn deadline(&self) -> Option<Mono> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    #[test]
    fn an_idle_link_is_never_asked() {
        let mut keepalive = Keepalive::new(KeepalivePlan::default());
        keepalive.on_heard(at(5));
        assert_eq!(keepalive.deadline(), None);
        assert_eq!(keepalive.poll(at(1_000_000)), Silence::Bearable);
    }

    #[test]
    fn a_dead_peer_is_dropped_after_two_minutes() {
        let mut keepalive = Keepalive::new(KeepalivePlan::default());
        keepalive.watch(at(0));
        assert_eq!(keepalive.poll(at(59)), Silence::Bearable);
        assert_eq!(keepalive.poll(at(60)), Silence::Ask);
        assert_eq!(keepalive.poll(at(89)), Silence::Bearable);
        assert_eq!(keepalive.poll(at(90)), Silence::Ask);
        assert_eq!(keepalive.poll(at(120)), Silence::Dead);
        assert_eq!(keepalive.deadline(), None);
    }

    #[test]
    fn any_block_restarts_the_interval() {
        let mut keepalive = Keepalive::new(KeepalivePlan::default());
        keepalive.watch(at(0));
        assert_eq!(keepalive.poll(at(60)), Silence::Ask);
        keepalive.on_heard(at(61));
        assert_eq!(keepalive.deadline(), Some(at(121)));
        assert_eq!(keepalive.poll(at(121)), Silence::Ask);
    }

    #[test]
    fn watching_twice_does_not_postpone_the_first_question() {
        let mut keepalive = Keepalive::new(KeepalivePlan::default());
        keepalive.watch(at(0));
        keepalive.watch(at(50));
        assert_eq!(keepalive.deadline(), Some(at(60)));
    }

    #[test]
    fn without_an_interval_nobody_is_asked_but_on_suspicion() {
        let plan = KeepalivePlan { interval: None, ..KeepalivePlan::default() };
        let mut keepalive = Keepalive::new(plan);
        keepalive.watch(at(0));
        assert_eq!(keepalive.deadline(), None);
        keepalive.on_suspicion(at(300));
        assert_eq!(keepalive.poll(at(300)), Silence::Ask);
        keepalive.on_heard(at(301));
        assert_eq!(keepalive.deadline(), None);
    }

    #[test]
    fn a_suspicion_is_looked_into_at_once_and_once() {
        let mut keepalive = Keepalive::new(KeepalivePlan::default());
        keepalive.on_suspicion(at(30));
        assert_eq!(keepalive.poll(at(30)), Silence::Ask);
        keepalive.on_suspicion(at(31));
        assert_eq!(keepalive.poll(at(31)), Silence::Bearable);
        keepalive.on_heard(at(32));
        assert_eq!(keepalive.deadline(), None, "nobody watches this link");
    }
}
