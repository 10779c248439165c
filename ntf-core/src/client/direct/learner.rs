//! How long a network keeps a silent connection: what is known, and what to try next.
//!
//! A mapping of a network address translator is dropped after some time of silence, and nobody is told.
//! How long that is cannot be asked, only tried, and trying it on the connections that messages come by
//! would delay messages. So it is tried on a *scout*: a connection that nothing is subscribed on. Whenever it is
//! asked, the others are asked in the same wake-up. Where they answer and the scout does not, it was the
//! silence; where none answers, it was the network, and nothing is learned.
//!
//! Knows time only. [`rounds`](super::rounds) asks, and tells what came of it.

use super::plan::DirectPlan;
use crate::base::time::Mono;
use core::time::Duration;

/// What is known of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Learner {
    /// The longest silence that a connection survived, or [`DirectPlan::interval_min`].
    pub(super) survived: Duration,
    /// The shortest silence after which one was dropped.
    pub(super) dropped: Option<Duration>,
    /// Losses of all connections at once, in a row or nearly so, that silence may explain.
    strikes: u8,
    /// Rounds since the last strike.
    rounds: u8,
    /// When longer silences may be tried again.
    retry_at: Option<Mono>,
}

/// Strikes that shorten the interval.
///
/// Source: ours; one is everyday where people move, two with few rounds in between are the network's way.
const STRIKES: u8 = 2;

/// Rounds without a loss that forgive a strike. Source: ours.
const ROUNDS_FORGIVE: u8 = 10;

impl Learner {
    /// Nothing is known.
    pub(super) const fn new(plan: &DirectPlan) -> Self {
        Self::restore(plan.interval_min, None)
    }

    /// What was known before.
    pub(in crate::client) const fn restore(survived: Duration, dropped: Option<Duration>) -> Self {
        Self { survived, dropped, strikes: 0, rounds: 0, retry_at: None }
    }

    /// How long connections may be silent: an eighth less than what was survived.
    ///
    /// Source: ours; what keeps mappings counts in steps of its own and may be late, and so may we.
    pub(super) fn interval(&self, plan: &DirectPlan) -> Duration {
        eighths(self.survived, 7).clamp(plan.interval_min, plan.interval_max)
    }

    /// The silence to try on the scout, if there is anything to learn.
    pub(super) fn candidate(&self, plan: &DirectPlan, now: Mono) -> Option<Duration> {
        if self.interval(plan) >= plan.interval_max {
            return None;
        }
        match self.dropped {
            None => Some((self.survived * 2).min(eighths(plan.interval_max, 10))),
            Some(dropped) if !self.is_settled() => Some((self.survived + dropped) / 2),
            Some(dropped) if self.retry_at.is_none_or(|at| at <= now) => Some(eighths(dropped, 10)),
            Some(_) => None,
        }
    }

    /// Whether what was survived and what was dropped are so close that the rest is not worth the pings.
    fn is_settled(&self) -> bool {
        self.dropped.is_some_and(|dropped| dropped.saturating_sub(self.survived) <= self.survived / 8)
    }

    /// Whether a connection that was silent for so long need not be asked any more.
    pub(super) fn is_surely_dropped(&self, silence: Duration) -> bool {
        self.dropped.is_some_and(|dropped| silence > eighths(dropped, 10))
    }

    /// The scout survived a silence.
    pub(super) fn on_survived(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
        self.survived = self.survived.max(silence);
        if self.dropped.is_some_and(|dropped| dropped <= silence) {
            // What was dropped once and survives is not a matter of silence, or not any more.
            self.dropped = None;
        }
        self.settle(now, plan);
    }

    /// The scout did not survive a silence, though the network was there.
    pub(super) fn on_dropped(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
        self.dropped = Some(self.dropped.map_or(silence, |dropped| dropped.min(silence)));
        self.settle(now, plan);
    }

    /// Every connection answered.
    pub(super) const fn on_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds >= ROUNDS_FORGIVE {
            self.strikes = 0;
        }
    }

    /// Every connection was lost after a silence, and the network was there again at once.
    pub(super) fn on_strike(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
        self.rounds = 0;
        self.strikes += 1;
        if self.strikes < STRIKES {
            return;
        }
        self.strikes = 0;
        let shorter = (silence * 2 / 3).max(plan.interval_min);
        self.survived = self.survived.min(shorter);
        self.dropped = Some(silence.max(plan.interval_min));
        self.settle(now, plan);
    }

    /// Notes when to try again, once there is nothing left to try.
    fn settle(&mut self, now: Mono, plan: &DirectPlan) {
        self.retry_at = self.is_settled().then(|| now + plan.relearn);
    }
}

fn eighths(span: Duration, eighths: u32) -> Duration {
    span.saturating_mul(eighths) / 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const PLAN: DirectPlan = DirectPlan {
        pace: super::super::plan::Pace::Learned,
        interval_min: secs(30),
        interval_max: secs(1200),
        doze_interval: secs(540),
        relearn: secs(12 * 3600),
        networks_max: 64,
    };

    const fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    fn at(secs: u64) -> Mono {
        Mono::from_micros(secs * 1_000_000)
    }

    /// Tries on a network that drops after `timeout`, until there is nothing left to try.
    fn learn(timeout: Duration) -> (Learner, Vec<u64>) {
        let mut learner = Learner::new(&PLAN);
        let mut tried = Vec::new();
        let mut now = at(0);
        while let Some(silence) = learner.candidate(&PLAN, now) {
            tried.push(silence.as_secs());
            now = now + silence;
            match silence < timeout {
                true => learner.on_survived(now, &PLAN, silence),
                false => learner.on_dropped(now, &PLAN, silence),
            }
            assert!(tried.len() < 20, "{tried:?}");
        }
        (learner, tried)
    }

    #[test]
    fn the_interval_ends_a_little_below_what_the_network_keeps() {
        for (timeout, interval, tries) in
            [(20, 30, 4), (46, 39, 4), (60, 49, 4), (300, 236, 7), (900, 735, 8), (7200, 1200, 6)]
        {
            let (learner, tried) = learn(secs(timeout));
            let learned = learner.interval(&PLAN).as_secs();
            assert_eq!(learned, interval, "{timeout}: {tried:?}");
            assert!(tried.len() <= tries, "{timeout}: {tried:?}");
        }
    }

    #[test]
    fn what_was_learned_is_tried_again_after_half_a_day() {
        let (mut learner, tried) = learn(secs(300));
        let learned_at = at(tried.iter().sum());
        assert_eq!(learner.candidate(&PLAN, learned_at + (PLAN.relearn - secs(1))), None);
        let again = learned_at + PLAN.relearn;
        let silence = learner.candidate(&PLAN, again).expect("it is time");
        assert!(silence > learner.dropped.expect("it was learned"));
        learner.on_dropped(again, &PLAN, silence);
        assert_eq!(learner.candidate(&PLAN, again), None, "nothing has changed");
        learner.retry_at = Some(again);
        learner.on_survived(again, &PLAN, silence);
        assert_eq!(learner.dropped, None, "the router was replaced");
        assert!(learner.candidate(&PLAN, again).is_some());
    }

    #[test]
    fn two_strikes_shorten_the_interval_and_one_does_not() {
        let (learned, _) = learn(secs(7200));
        let mut learner = learned;
        learner.on_strike(at(0), &PLAN, secs(1200));
        assert_eq!(learner.interval(&PLAN), secs(1200));
        for _ in 0..ROUNDS_FORGIVE {
            learner.on_round();
        }
        learner.on_strike(at(0), &PLAN, secs(1200));
        assert_eq!(learner.interval(&PLAN), secs(1200), "the first is forgiven");
        learner.on_round();
        learner.on_strike(at(0), &PLAN, secs(1200));
        assert_eq!(learner.interval(&PLAN), secs(700));
        for _ in 0..40 {
            learner.on_strike(at(0), &PLAN, learner.interval(&PLAN));
        }
        assert_eq!(learner.interval(&PLAN), PLAN.interval_min, "never shorter");
    }

    #[test]
    fn a_silence_far_beyond_what_was_dropped_needs_no_question() {
        let (learner, _) = learn(secs(300));
        assert!(!learner.is_surely_dropped(secs(300)));
        assert!(learner.is_surely_dropped(secs(540)));
        assert!(!Learner::new(&PLAN).is_surely_dropped(secs(100_000)), "nothing is known");
    }
}
