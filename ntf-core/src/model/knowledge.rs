//! What a party knows, as it would have to admit it: taken from its own tables and counters.

use alloc::string::String;

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
