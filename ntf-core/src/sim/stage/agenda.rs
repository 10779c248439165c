//! What the stage does by itself at set times: messages of the autoplay, a flood, a stranger's steps.

use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::sim::stage::cast::Party;
use alloc::collections::BTreeMap;
use core::time::Duration;

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// The next message of the autoplay, if that is still the one that asked for it.
    Autoplay { since: u32 },
    /// One message of a flood, of so many that are left.
    Flood { device: usize, left: u32 },
    /// A phone's owner gets another token.
    NewToken { device: usize },
    /// A stranger's next step, if it is still the one that asked for it.
    Hammer { since: u32 },
    /// The account is looked through.
    Audit,
}

/// Tasks by their times.
#[derive(Default)]
pub(super) struct Agenda {
    tasks: BTreeMap<(Mono, u64), Task>,
    added: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, at: Mono, task: Task) {
        self.tasks.insert((at, self.added), task);
        self.added += 1;
    }

    pub(super) fn next_at(&self) -> Option<Mono> {
        self.tasks.first_key_value().map(|((at, _), _)| *at)
    }

    pub(super) fn take(&mut self) -> Option<Task> {
        self.tasks.pop_first().map(|(_, task)| task)
    }
}

/// Time between two messages of the autoplay, at least and at most.
///
/// Source: ours; a few a minute for three phones, so that one looks at each.
const PAUSE: (u64, u64) = (5_000, 40_000);

/// When the autoplay sends the next message.
pub(super) fn pause(rng: &mut Rng) -> Duration {
    let (min, max) = PAUSE;
    Duration::from_millis(min + rng.below(max - min))
}

/// Messages of a flood. Source: ours; some pushes more than the budget of an hour.
pub(super) const FLOOD: u32 = 12;

/// Between two messages of a flood. Source: ours; more than a round of notices, so that each has its own.
pub(super) const FLOOD_PAUSE: Duration = Duration::from_millis(2500);

/// From Apple's refusal of a token to the next one. Source: ours; the time to restore a phone, made short.
pub(super) const NEW_TOKEN_AFTER: Duration = Duration::from_secs(180);

/// Between two steps of a stranger. Source: ours; enough to be refused.
pub(super) const HAMMER_PAUSE: Duration = Duration::from_millis(150);

/// Between two looks through the account. Source: ours.
pub(super) const AUDIT_PAUSE: Duration = Duration::from_secs(5);

/// What people write.
const LINES: [&str; 12] = [
    "Are you there?",
    "Dinner at eight?",
    "The train is late again.",
    "Look out of the window!",
    "I found your keys.",
    "Call me when you can.",
    "Happy birthday!",
    "Did you read the news?",
    "On my way.",
    "Same place as last time.",
    "The cat is fine.",
    "See you tomorrow.",
];

/// A message of the autoplay: for whom, and what it says.
pub(super) fn any_message(rng: &mut Rng) -> (Party, &'static str) {
    let pick =
        |rng: &mut Rng, of: usize| usize::try_from(rng.below(u64::try_from(of).unwrap_or(1))).unwrap_or(0);
    let device = Party::of_device(pick(rng, Party::DEVICES.len()));
    (device, LINES.get(pick(rng, LINES.len())).copied().unwrap_or("Hello."))
}
