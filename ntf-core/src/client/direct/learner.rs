//! How long a network keeps a silent connection: what is known, and what to try next.
//!
//! A mapping of a network address translator is dropped after some time of silence, and nobody is told.
//! How long that is cannot be asked, only tried, and trying it on the connections that messages come by
//! would delay messages. So it is tried on a *scout*: a connection that nothing is subscribed on. Whenever it is
//! asked, the others are asked in the same wake-up. Where they answer and the scout does not, it was the
//! silence; where none answers, it was the network, and nothing is learned.
//!
//! A ping of SMP is two blocks of 16 KiB, a question of TCP (its keep-alive) two packets without content. Where the
//! latter keep a connection, they go in the place of most pings; whether they do is tried on the scout as well. Where
//! they stay unanswered by a peer that is there, as behind some middleboxes, TCP asks nothing for half a day.
//!
//! Knows time only. [`rounds`](super::rounds) asks, and tells what came of it.

use super::plan::DirectPlan;
use crate::base::time::Mono;
use crate::link::keepalive::probes_last;
use core::time::Duration;

/// What is known of one network.
///
/// Two kinds of silence are learned. *Probed*: the client says nothing, and TCP asks now and then. That can be long
/// wherever TCP's questions count as use of the connection, and is what pings cost; so it is tried first.
/// *Silent*: nothing goes over the connection at all. TCP has to ask more often than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Learner {
    silent: Bracket,
    probed: Bracket,
    /// Losses of all connections at once, in a row or nearly so, that silence may explain.
    strikes: u8,
    /// When TCP gave up a connection last that counted as a strike.
    given_up_at: Option<Mono>,
    /// Rounds since the last strike.
    rounds: u8,
}

/// What was survived and what was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client) struct Bracket {
    /// The longest silence that a connection survived, or [`DirectPlan::interval_min`].
    pub(in crate::client) survived: Duration,
    /// The shortest silence after which one was dropped; nought where TCP's questions are not answered.
    pub(in crate::client) dropped: Option<Duration>,
    /// When longer silences may be tried again.
    retry_at: Option<Mono>,
}

/// What to try on the scout, or what a connection did not survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    /// This long without a word of the client's.
    pub(super) silence: Duration,
    /// After so much silence TCP asks, if it does.
    pub(super) probes: Option<Duration>,
}

impl Trial {
    /// What a connection went through that TCP gave up: silence for as long as TCP was to bear.
    pub(super) const fn given_up(probes: Duration) -> Self {
        Self { silence: probes, probes: Some(probes) }
    }

    /// The silence that TCP's questions broke in vain, if it was TCP that gave up.
    fn gave_up_after(&self) -> Option<Duration> {
        self.probes.filter(|probes| self.silence <= *probes)
    }
}

/// Strikes that shorten the interval.
///
/// Source: ours; one is everyday where people move, two with few rounds in between are the network's way.
const STRIKES: u8 = 2;

/// Rounds without a loss that forgive a strike. Source: ours.
const ROUNDS_FORGIVE: u8 = 10;

impl Bracket {
    pub(in crate::client) const fn new(survived: Duration, dropped: Option<Duration>) -> Self {
        Self { survived, dropped, retry_at: None }
    }

    /// An eighth less than what was survived.
    ///
    /// Source: ours; what keeps mappings counts in steps of its own and may be late, and so may we.
    fn interval(&self, plan: &DirectPlan) -> Duration {
        eighths(self.survived, 7).clamp(plan.interval_min, plan.interval_max)
    }

    /// The silence to try, if there is anything to learn.
    fn candidate(&self, plan: &DirectPlan, now: Mono) -> Option<Duration> {
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

    fn on_survived(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
        self.survived = self.survived.max(silence);
        if self.dropped.is_some_and(|dropped| dropped <= silence) {
            // What was dropped once and survives is not a matter of silence, or not any more.
            self.dropped = None;
        }
        self.settle(now, plan);
    }

    fn on_dropped(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
        self.dropped = Some(self.dropped.map_or(silence, |dropped| dropped.min(silence)));
        self.settle(now, plan);
    }

    /// Less by a third: this silence is too long.
    fn shorten(&mut self, now: Mono, plan: &DirectPlan, silence: Duration) {
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

impl Learner {
    /// Nothing is known.
    pub(super) const fn new(plan: &DirectPlan) -> Self {
        let nothing = Bracket::new(plan.interval_min, None);
        Self::restore(nothing, nothing)
    }

    /// What was known before.
    pub(in crate::client) const fn restore(silent: Bracket, probed: Bracket) -> Self {
        Self { silent, probed, strikes: 0, given_up_at: None, rounds: 0 }
    }

    /// What is known of silence, and of silence but for TCP's questions.
    pub(in crate::client) const fn known(&self) -> (Bracket, Bracket) {
        (self.silent, self.probed)
    }

    /// How long connections may be without a word of ours.
    pub(super) fn interval(&self, plan: &DirectPlan) -> Duration {
        let silent = self.silent.interval(plan);
        if plan.tcp_asks && !self.is_refused() { silent.max(self.probed.interval(plan)) } else { silent }
    }

    /// After how much silence TCP is to ask; not at all where pings alone are as seldom as they may be, or where
    /// its questions are not answered.
    pub(super) fn probes(&self, plan: &DirectPlan) -> Option<Duration> {
        // Whole seconds, as TCP counts them.
        let silence = Duration::from_secs(self.silent.interval(plan).as_secs());
        Some(silence).filter(|silence| plan.tcp_asks && !self.is_refused() && *silence < plan.interval_max)
    }

    /// Whether TCP's questions stay unanswered on this network though the peer is there.
    fn is_refused(&self) -> bool {
        self.probed.dropped == Some(Duration::ZERO)
    }

    /// TCP asked as often as it may, and connections were lost nevertheless: by its questions, not by silence.
    fn refuse(&mut self, now: Mono, plan: &DirectPlan) {
        if !self.is_refused() {
            // What TCP's questions did was put down to silence.
            self.silent = Bracket::new(plan.interval_min, None);
        }
        self.probed = Bracket::new(plan.interval_min, Some(Duration::ZERO));
        self.probed.settle(now, plan);
    }

    /// What to try on the scout, if there is anything to learn.
    pub(super) fn trial(&self, plan: &DirectPlan, now: Mono) -> Option<Trial> {
        let by_probes = match self.probes(plan) {
            Some(probes) => self.probed.candidate(plan, now).map(|silence| (silence, probes)),
            None => None,
        };
        match by_probes {
            Some((silence, probes)) => Some(Trial { silence, probes: Some(probes) }),
            None => match self.silent.candidate(plan, now) {
                Some(silence) => Some(Trial { silence, probes: None }),
                None => self.trial_of_refusal(plan, now),
            },
        }
    }

    /// Whether TCP's questions are answered by now: a silence in which they go unanswered for longer than TCP bears.
    fn trial_of_refusal(&self, plan: &DirectPlan, now: Mono) -> Option<Trial> {
        let is_worth_it = plan.tcp_asks && self.interval(plan) < plan.interval_max;
        let is_time = self.is_refused() && self.probed.retry_at.is_none_or(|at| at <= now);
        let (silence, probes) = (plan.interval_min + probes_last() * 2, Some(plan.interval_min));
        (is_worth_it && is_time).then_some(Trial { silence, probes })
    }

    /// Whether a connection that was silent for so long, with or without TCP's questions, need not be asked any more.
    pub(super) fn is_surely_dropped(&self, is_probed: bool, silence: Duration) -> bool {
        let bracket = if is_probed { &self.probed } else { &self.silent };
        let dropped = bracket.dropped.filter(|dropped| !dropped.is_zero());
        dropped.is_some_and(|dropped| silence > eighths(dropped, 10))
    }

    /// The scout survived this.
    pub(super) fn on_survived(&mut self, now: Mono, plan: &DirectPlan, trial: Trial) {
        self.tried(trial.probes).on_survived(now, plan, trial.silence);
    }

    /// The scout did not survive this, though the network was there.
    pub(super) fn on_dropped(&mut self, now: Mono, plan: &DirectPlan, trial: Trial) {
        match trial.gave_up_after() {
            Some(_) => self.on_strike(now, plan, trial),
            None => self.tried(trial.probes).on_dropped(now, plan, trial.silence),
        }
    }

    const fn tried(&mut self, probes: Option<Duration>) -> &mut Bracket {
        match probes {
            Some(_) => &mut self.probed,
            None => &mut self.silent,
        }
    }

    /// Every connection answered.
    pub(super) const fn on_round(&mut self) {
        self.rounds = self.rounds.saturating_add(1);
        if self.rounds >= ROUNDS_FORGIVE {
            self.strikes = 0;
        }
    }

    /// Connections were lost after a silence, and the network was there again at once: all of them when they were
    /// asked, or one by TCP's questions going unanswered, which came too late then.
    ///
    /// What befalls all connections at once, TCP notices one after the other, within the silence that it bears and
    /// the time it takes to give up. That is one strike.
    pub(super) fn on_strike(&mut self, now: Mono, plan: &DirectPlan, lost: Trial) {
        if let Some(probes) = lost.gave_up_after() {
            let is_same = |at| now.since(at) < probes + probes_last();
            if self.given_up_at.is_some_and(is_same) {
                return;
            }
            self.given_up_at = Some(now);
        }
        self.rounds = 0;
        self.strikes += 1;
        if self.strikes < STRIKES {
            return;
        }
        self.strikes = 0;
        match lost.probes {
            // Pings found what TCP had not: its questions are of no use here, or not all the time.
            Some(probes) if lost.silence > probes => self.probed.shorten(now, plan, lost.silence),
            Some(probes) if probes <= plan.interval_min => self.refuse(now, plan),
            Some(_) | None => self.silent.shorten(now, plan, lost.silence),
        }
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
        tcp_asks: true,
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

    const TCP_HELPS: bool = true;
    const TCP_DOES_NOTHING: bool = false;

    /// Tries on a network that drops after `timeout`, until there is nothing left to try. What was tried of each kind.
    fn learn(timeout: Duration, tcp_helps: bool) -> (Learner, Vec<u64>, Vec<u64>) {
        let mut learner = Learner::new(&PLAN);
        let (mut probed, mut silent) = (Vec::new(), Vec::new());
        let mut now = at(0);
        while let Some(trial) = learner.trial(&PLAN, now) {
            let tried = if trial.probes.is_some() { &mut probed } else { &mut silent };
            tried.push(trial.silence.as_secs());
            now = now + trial.silence;
            let silence = trial.probes.filter(|_| tcp_helps).unwrap_or(trial.silence);
            match silence < timeout {
                true => learner.on_survived(now, &PLAN, trial),
                false => learner.on_dropped(now, &PLAN, trial),
            }
            assert!(probed.len() + silent.len() < 30, "{probed:?} {silent:?}");
        }
        (learner, probed, silent)
    }

    #[test]
    fn tcp_asks_a_little_more_often_than_the_network_needs_and_pings_are_seldom() {
        for (timeout, probes, tries) in
            [(46, Some(39), 4), (60, Some(49), 4), (300, Some(236), 7), (900, Some(735), 8), (7200, None, 6)]
        {
            let (learner, probed, silent) = learn(secs(timeout), TCP_HELPS);
            assert_eq!(learner.interval(&PLAN), PLAN.interval_max, "{timeout}");
            assert_eq!(learner.probes(&PLAN), probes.map(secs), "{timeout}: {silent:?}");
            assert_eq!(probed, [60, 120, 240, 480, 960, 1500], "{timeout}");
            assert!(silent.len() <= tries, "{timeout}: {silent:?}");
        }
    }

    #[test]
    fn where_tcp_does_not_help_pings_end_a_little_below_what_the_network_keeps() {
        for (timeout, interval) in [(20, 30), (46, 39), (60, 49), (300, 236), (900, 735), (7200, 1200)] {
            let (learner, probed, _) = learn(secs(timeout), TCP_DOES_NOTHING);
            let learned = learner.interval(&PLAN).as_secs();
            assert_eq!(learned, interval, "{timeout}: {probed:?}");
            assert!(probed.len() <= 8, "{timeout}: {probed:?}");
        }
    }

    #[test]
    fn what_was_learned_is_tried_again_after_half_a_day() {
        let (mut learner, probed, silent) = learn(secs(300), TCP_HELPS);
        let learned_at = at(probed.iter().chain(&silent).sum());
        assert_eq!(learner.trial(&PLAN, learned_at + (PLAN.relearn - secs(1))), None);
        let again = learned_at + PLAN.relearn;
        let trial = learner.trial(&PLAN, again).expect("it is time");
        assert!(trial.silence > learner.silent.dropped.expect("it was learned"));
        learner.on_dropped(again, &PLAN, trial);
        assert_eq!(learner.trial(&PLAN, again), None, "nothing has changed");
        learner.silent.retry_at = Some(again);
        learner.on_survived(again, &PLAN, trial);
        assert_eq!(learner.silent.dropped, None, "the router was replaced");
        assert!(learner.trial(&PLAN, again).is_some());
    }

    #[test]
    fn two_strikes_shorten_the_interval_and_one_does_not() {
        let (learned, ..) = learn(secs(7200), TCP_HELPS);
        let mut learner = learned;
        let lost = |silence| Trial { silence, probes: None };
        // Neither kind of silence is what the other one was.
        learner.probed = Bracket::new(PLAN.interval_min, None);
        learner.on_strike(at(0), &PLAN, lost(secs(1200)));
        assert_eq!(learner.interval(&PLAN), secs(1200));
        for _ in 0..ROUNDS_FORGIVE {
            learner.on_round();
        }
        learner.on_strike(at(0), &PLAN, lost(secs(1200)));
        assert_eq!(learner.interval(&PLAN), secs(1200), "the first is forgiven");
        learner.on_round();
        learner.on_strike(at(0), &PLAN, lost(secs(1200)));
        assert_eq!(learner.interval(&PLAN), secs(700));
        for _ in 0..40 {
            learner.on_strike(at(0), &PLAN, lost(learner.interval(&PLAN)));
        }
        assert_eq!(learner.interval(&PLAN), PLAN.interval_min, "never shorter");
    }

    #[test]
    fn losses_that_tcp_notices_shorten_its_interval_and_those_that_it_does_not_the_one_of_pings() {
        let (learned, ..) = learn(secs(60), TCP_HELPS);
        let by_tcp = Trial { silence: secs(49), probes: Some(secs(49)) };
        let by_pings = Trial { silence: secs(1200), probes: Some(secs(49)) };
        for (lost, probes, interval) in [(by_tcp, 30, 1200), (by_pings, 49, 700)] {
            let mut learner = learned;
            for strike in 0..STRIKES {
                learner.on_strike(at(100 * u64::from(strike)), &PLAN, lost);
            }
            assert_eq!(learner.probes(&PLAN), Some(secs(probes)), "{lost:?}");
            assert_eq!(learner.interval(&PLAN), secs(interval), "{lost:?}");
        }
    }

    #[test]
    fn what_tcp_notices_of_one_event_on_many_connections_is_one_strike() {
        let (mut learner, ..) = learn(secs(60), TCP_HELPS);
        let lost = Trial::given_up(secs(49));
        for second in [0, 3, 40, 69] {
            learner.on_strike(at(second), &PLAN, lost);
        }
        assert_eq!(learner.probes(&PLAN), Some(secs(49)));
        learner.on_strike(at(70), &PLAN, lost);
        assert_eq!(learner.probes(&PLAN), Some(secs(30)), "a connection that was opened since");
    }

    #[test]
    fn where_tcp_s_questions_are_not_answered_it_asks_nothing_for_half_a_day() {
        let (mut learner, ..) = learn(secs(60), TCP_HELPS);
        let give_up = |learner: &mut Learner, from: u64, probes: u64| {
            for strike in 0..u64::from(STRIKES) {
                learner.on_strike(at(from + 100 * strike), &PLAN, Trial::given_up(secs(probes)));
            }
        };
        give_up(&mut learner, 0, 49);
        assert_eq!(learner.probes(&PLAN), Some(secs(30)), "silence is to blame at first");
        give_up(&mut learner, 1000, 30);
        assert_eq!(learner.probes(&PLAN), None);
        assert_eq!(learner.interval(&PLAN), PLAN.interval_min, "of silence nothing is known any more");
        let kept = Learner::restore(learner.silent, learner.probed);
        assert_eq!(kept.probes(&PLAN), None, "it is part of what is kept");
        // Silence is learned as where no TCP asks.
        let mut now = at(1200);
        while let Some(trial) = learner.trial(&PLAN, now) {
            assert_eq!(trial.probes, None);
            now = now + trial.silence;
            match trial.silence < secs(300) {
                true => learner.on_survived(now, &PLAN, trial),
                false => learner.on_dropped(now, &PLAN, trial),
            }
        }
        assert_eq!(learner.interval(&PLAN).as_secs(), 236);
        learner.silent.retry_at = Some(now + PLAN.relearn * 2);
        let later = now + PLAN.relearn;
        let trial = learner.trial(&PLAN, later).expect("it is time");
        assert_eq!(trial, Trial { silence: secs(72), probes: Some(secs(30)) });
        let mut again = learner;
        again.on_dropped(later, &PLAN, Trial::given_up(secs(30)));
        again.on_dropped(later + secs(60), &PLAN, Trial::given_up(secs(30)));
        assert_eq!(again.trial(&PLAN, later + secs(60)), None, "not yet");
        assert_eq!(again.interval(&PLAN).as_secs(), 236, "silence is what it was");
        learner.on_survived(later, &PLAN, trial);
        assert_eq!(learner.probes(&PLAN), Some(secs(236)), "they are answered by now");
    }

    #[test]
    fn where_nobody_lets_tcp_ask_silence_is_learned_alone() {
        const PINGS: DirectPlan = DirectPlan { tcp_asks: false, ..PLAN };
        let (helped, ..) = learn(secs(60), TCP_HELPS);
        assert_eq!(helped.probes(&PINGS), None);
        assert_eq!(helped.interval(&PINGS).as_secs(), 49, "not what TCP's questions made of it");
        let trial = Learner::new(&PINGS).trial(&PINGS, at(0));
        assert_eq!(trial, Some(Trial { silence: secs(60), probes: None }));
    }

    #[test]
    fn a_silence_far_beyond_what_was_dropped_needs_no_question() {
        let (learner, ..) = learn(secs(300), TCP_HELPS);
        assert!(!learner.is_surely_dropped(false, secs(300)));
        assert!(learner.is_surely_dropped(false, secs(540)));
        assert!(!learner.is_surely_dropped(true, secs(1400)), "TCP has asked meanwhile");
        assert!(!Learner::new(&PLAN).is_surely_dropped(false, secs(100_000)), "nothing is known");
    }
}
