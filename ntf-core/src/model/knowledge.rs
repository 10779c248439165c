//! What a party knows, as it would have to admit it: taken from its own tables and counters.

use alloc::string::String;
use alloc::vec::Vec;

/// One thing a party holds or has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The kind of thing, in the words of the glossary: "device tokens", "notifier ids".
    pub what: &'static str,
    /// How many distinct ones.
    pub count: u64,
    /// One of them, shortened, for people who look at a demonstration. Never logged.
    pub sample: Option<String>,
}

impl Fact {
    /// What several parts of one party know together: counts add up, and one sample of each kind stays.
    #[must_use]
    pub fn together(parts: impl IntoIterator<Item = Vec<Self>>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for fact in parts.into_iter().flatten() {
            match all.iter_mut().find(|known| known.what == fact.what) {
                Some(known) => {
                    known.count = known.count.saturating_add(fact.count);
                    known.sample = known.sample.take().or(fact.sample);
                }
                None => all.push(fact),
            }
        }
        all
    }
}
