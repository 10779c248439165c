//! Rounds of pings: silent servers are asked for a sign of life, all in one wake-up.
//!
//! A round is due when the first connection was silent for the interval, or the scout for as long as is to be
//! tried. It asks every connection that was
//! silent for an eighth of that, so that all of them are due together again: one wake-up for any number of
//! servers. A connection that was silent for so long that the network has surely dropped it is opened anew
//! without a question. What becomes of a round is what [`learner`](super::learner) learns from.

use super::learner::{Learner, Trial};
use super::plan::Pace;
use crate::base::time::{Mono, Now};
use crate::client::Client;
use crate::client::on_timer::Timer;
use crate::client::servers::ServerIndex;
use crate::link::engine::{Inbox, Loss};
use crate::link::event::DownReason;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

/// The last round, and the scout.
#[derive(Debug, Default)]
pub(in crate::client) struct Rounds {
    asked_at: Option<Mono>,
    /// Who was asked and has not answered, and for how long it had been silent.
    waiting: BTreeMap<ServerIndex, Duration>,
    answered: usize,
    scout: Option<Scout>,
    suspicion: Option<Suspicion>,
}

/// A connection by which nothing goes, to try what the network keeps.
#[derive(Clone, Copy, Debug)]
struct Scout {
    index: ServerIndex,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It is silent.
    Silent,
    /// It was asked after this silence.
    Asked { at: Mono, tried: Trial },
    /// It was lost after this silence. That means something if the others answer.
    Lost { tried: Trial },
}

/// Connections were lost after this silence: the network's way if it is there nevertheless.
#[derive(Clone, Copy, Debug)]
struct Suspicion {
    lost: Trial,
    at: Mono,
}

/// How soon after a loss a connection must stand for the network to have been there all the time.
///
/// Source: ours; the first attempts are a second and two apart, and a tunnel takes longer as a rule.
const PRESENT_WITHIN: Duration = Duration::from_secs(30);

impl Client {
    /// When something may be done at this time or somewhat later: the wake-up that is due then anyway, if
    /// there is one within a quarter more of the wait.
    pub(in crate::client) fn shared(&self, now: Now, at: Mono) -> Mono {
        let latest = at + at.since(now.mono) / 4;
        self.timers.first_from(at).filter(|shared| *shared <= latest).unwrap_or(at)
    }

    /// Sets the time of the next round.
    pub(in crate::client) fn plan_round(&mut self, now: Now) {
        if !self.is_direct() {
            return;
        }
        let interval = self.direct_interval();
        let rounds = &self.direct.rounds;
        let asked = |index| rounds.asked_at.filter(|_| rounds.waiting.contains_key(&index));
        let silent_since = |index, heard: Mono| asked(index).map_or(heard, |asked| heard.max(asked));
        let held = self.servers.held();
        let since =
            held.filter_map(|(index, server)| Some(silent_since(index, server.engine.heard()?))).min();
        match since {
            Some(since) => {
                let due = since + interval;
                let due = self.scout_due(now).map_or(due, |scout| scout.min(due));
                self.timers.set(Timer::Round, due.max(now.mono));
            }
            None => self.timers.cancel(&Timer::Round),
        }
    }

    /// When the scout is to be asked, if it is out and silent.
    fn scout_due(&self, now: Now) -> Option<Mono> {
        let Scout { index, phase: Phase::Silent } = self.direct.rounds.scout? else { return None };
        let trial = self.direct.known(&self.config.direct).trial(&self.config.direct, now.mono)?;
        Some(self.servers.heard(index)? + trial.silence)
    }

    /// Decides what TCP does on held connections, and on the scout.
    pub(in crate::client) fn plan_probes(&mut self) {
        if !self.is_direct() || !self.config.direct.tcp_asks {
            return;
        }
        let probes = self.direct_probes();
        self.servers.set_probes_of_held(probes);
        if let Some(Scout { index, phase: Phase::Silent }) = self.direct.rounds.scout {
            let plan = &self.config.direct;
            let trial = self.direct.known(plan).trial(plan, self.latest.mono);
            self.servers.set_probes(index, trial.and_then(|trial| trial.probes));
        }
    }

    pub(in crate::client) fn on_round_timer(&mut self, now: Now) {
        if self.is_direct() {
            let interval = self.direct_interval();
            self.begin_round(now, interval / 8);
            self.plan_round(now);
        }
    }

    /// Asks every server that was silent for so long; where the scout is asked, every server, as its silence
    /// means nothing without the word of others.
    pub(super) fn begin_round(&mut self, now: Now, silence_min: Duration) {
        let is_scout_due = self.scout_due(now).is_some_and(|due| due <= now.mono);
        let learner = self.direct.known(&self.config.direct);
        self.ask_held(now, if is_scout_due { Duration::ZERO } else { silence_min }, &learner);
        if self.config.direct.pace == Pace::Learned {
            self.try_scout(now, &learner);
        }
    }

    /// Asks every server that was silent for so long, or connects anew where the connection is surely dropped.
    fn ask_held(&mut self, now: Now, silence_min: Duration, learner: &Learner) {
        let is_learning = self.config.direct.pace == Pace::Learned;
        let silences = self.servers.held().filter_map(|(index, server)| {
            let silence = now.mono.since(server.engine.heard()?);
            (silence >= silence_min).then_some((index, silence))
        });
        let silences: Vec<_> = silences.collect();
        let rounds = &mut self.direct.rounds;
        rounds.asked_at = Some(now.mono);
        rounds.answered = 0;
        rounds.waiting.clear();
        for (index, silence) in silences {
            self.servers.touch(index);
            let is_probed = self.servers.probes_of(index).is_some();
            if is_learning && learner.is_surely_dropped(is_probed, silence) {
                self.servers.redial(now, index);
                self.read(now, index, Inbox::default());
            } else if let Some(server) = self.servers.get(index) {
                server.engine.ask_alive(now);
                self.direct.rounds.waiting.insert(index, silence);
            }
        }
    }

    /// Sends the scout out, asks it when its time has come, or ends it when there is nothing to learn.
    fn try_scout(&mut self, now: Now, learner: &Learner) {
        let trial = learner.trial(&self.config.direct, now.mono).filter(|_| !self.direct.is_dozing);
        match (self.direct.rounds.scout, trial) {
            (None, None) => {}
            (Some(_), None) => self.drop_scout(),
            (None, Some(_)) => {
                let near = self.servers.held().find(|(_, server)| server.engine.is_ready());
                if let Some(server) = near.map(|(_, server)| server.engine.server().clone()) {
                    let index = self.servers.hold_apart(now, &self.config, server);
                    self.direct.rounds.scout = Some(Scout { index, phase: Phase::Silent });
                }
            }
            (Some(Scout { index, phase: Phase::Silent }), Some(trial)) => {
                let probes = self.servers.probes_of(index);
                let Some(server) = self.servers.get(index) else { return };
                let silence = server.engine.heard().map(|heard| now.mono.since(heard));
                if let Some(silence) = silence.filter(|silence| *silence >= trial.silence) {
                    server.engine.ask_alive(now);
                    self.servers.touch(index);
                    let phase = Phase::Asked { at: now.mono, tried: Trial { silence, probes } };
                    self.direct.rounds.scout = Some(Scout { index, phase });
                }
            }
            // Its last trial came to nothing: no server answered.
            (Some(Scout { phase: Phase::Asked { .. } | Phase::Lost { .. }, .. }), Some(_)) => {
                self.drop_scout()
            }
        }
    }

    pub(in crate::client) fn drop_scout(&mut self) {
        if let Some(scout) = self.direct.rounds.scout.take() {
            self.servers.release(scout.index);
        }
    }

    /// Something came from a server, or may have: is it the answer that is waited for?
    pub(in crate::client) fn note_heard(&mut self, now: Now, index: ServerIndex) {
        let Some(heard) = self.servers.get(index).and_then(|server| server.engine.heard()) else { return };
        let plan = &self.config.direct;
        if let Some(Scout { index: scouting, phase: Phase::Asked { at, tried } }) = self.direct.rounds.scout
            && scouting == index
            && heard > at
        {
            self.direct.rounds.scout = Some(Scout { index, phase: Phase::Silent });
            self.direct.learner(plan).on_survived(now.mono, plan, tried);
        }
        let rounds = &mut self.direct.rounds;
        if rounds.asked_at.is_some_and(|asked| heard > asked) && rounds.waiting.remove(&index).is_some() {
            rounds.answered += 1;
            if rounds.waiting.is_empty() {
                self.direct.learner(plan).on_round();
            }
            self.judge(now);
        }
    }

    /// A held connection is lost.
    pub(super) fn note_lost(&mut self, now: Now, index: ServerIndex, why: Loss) {
        let probes = self.servers.probes_of(index);
        let given_up = self.given_up_by_tcp(now, index, why);
        let rounds = &mut self.direct.rounds;
        let Some(silence) = rounds.waiting.remove(&index) else {
            // Nobody had asked but TCP.
            if let Some(lost) = given_up {
                rounds.suspicion = Some(Suspicion { lost, at: now.mono });
            }
            return;
        };
        let by_silence = matches!(
            why,
            Loss::Silent | Loss::Down(DownReason::Broken | DownReason::Closed | DownReason::TimedOut)
        );
        if by_silence && rounds.answered == 0 && rounds.waiting.is_empty() {
            rounds.suspicion = Some(Suspicion { lost: Trial { silence, probes }, at: now.mono });
        }
        self.judge(now);
    }

    /// What a server's lost connection went through, if TCP gave it up for its questions. One that broke, or that TCP had no
    /// reason yet to ask on, was ended by somebody: a server that crashed, or the network.
    fn given_up_by_tcp(&self, now: Now, index: ServerIndex, why: Loss) -> Option<Trial> {
        let probes = self.servers.probes_of(index).filter(|_| why == Loss::Down(DownReason::TimedOut))?;
        let silence = now.mono.since(self.servers.heard_before(index)?);
        (silence >= probes).then(|| Trial::given_up(probes))
    }

    /// A connection stands.
    pub(super) fn note_connected(&mut self, now: Now) {
        let Some(Suspicion { lost, at }) = self.direct.rounds.suspicion.take() else { return };
        if now.mono.since(at) <= PRESENT_WITHIN {
            let plan = &self.config.direct;
            self.direct.learner(plan).on_strike(now.mono, plan, lost);
        }
    }

    /// The scout's connection is lost.
    pub(super) fn note_scout_lost(&mut self, now: Now, why: Loss) {
        let Some(Scout { index, phase }) = self.direct.rounds.scout else { return };
        let tried = match phase {
            Phase::Asked { tried, .. } => Some(tried),
            Phase::Silent => self.given_up_by_tcp(now, index, why),
            Phase::Lost { .. } => None,
        };
        // Otherwise its server ended it, or the network did by itself.
        let Some(tried) = tried else { return self.drop_scout() };
        self.direct.rounds.scout = Some(Scout { index, phase: Phase::Lost { tried } });
        self.servers.release(index);
        if phase == Phase::Silent {
            // TCP was not answered on it: are the others?
            let learner = self.direct.known(&self.config.direct);
            self.ask_held(now, Duration::ZERO, &learner);
        }
        self.judge(now);
    }

    /// What a lost scout means, once the others have answered or not.
    fn judge(&mut self, now: Now) {
        let rounds = &mut self.direct.rounds;
        let Some(Scout { phase: Phase::Lost { tried }, .. }) = rounds.scout else { return };
        if !rounds.waiting.is_empty() {
            return;
        }
        let is_silence_to_blame = rounds.answered > 0;
        rounds.scout = None;
        if is_silence_to_blame {
            let plan = &self.config.direct;
            self.direct.learner(plan).on_dropped(now.mono, plan, tried);
        }
    }
}
